"""Statistics of territories: how verdicts came out, which values are there, what they add up to.

Nothing is stored and no share is given alone: every number comes with the number of units it is
out of. The units of a period are those of its last day; what was recorded for a unit that ended
within the period is counted in the periods that lie before its end.

Who may see a unit is decided unit by unit, before anything is looked up by its key; row security
decides again, row by row.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Literal, TypeVar

import msgspec

from app.rules.evaluate import codes_of
from app.rules.period import Period
from app.rules.registry import Entry

By = Literal["none", "province", "district", "commune"]


class Asked(msgspec.Struct, frozen=True):
    """The territory whose units are counted, and by which units above them.

    `first` and `last` are the days that the periods asked for begin and end on; `period` is the
    one period in which a code is meant, None where several are asked for. Without `under` all
    units are counted of which the caller may see something.
    """

    today: datetime.date
    first: datetime.date
    last: datetime.date
    under: str | None = None
    on: datetime.date | None = None
    period: Period | None = None
    by: By = "none"


class Unit(msgspec.Struct, frozen=True, gc=False):
    """A unit that is counted, from a day up to, not including, another one.

    `names` are the rulesets or indicators of which the caller may see something there; None: all.
    """

    id: int
    since: datetime.date
    until: datetime.date
    names: frozenset[str] | None = None

    def opens(self, name: str) -> bool:
        """Tell whether the caller may see what is recorded of a ruleset or indicator there."""
        return self.names is None or name in self.names


class Group(msgspec.Struct, frozen=True):
    """Units that are counted together: those below one unit, which is `shown`.

    `order` is the place of the group in the order of lists; `shown` is None where there is no one
    unit above them.
    """

    order: str
    shown: dict[str, Any] | None
    units: tuple[Unit, ...]


class Cell(msgspec.Struct, frozen=True):
    """What one item of an answer counts: a group by a ruleset; `key` is its place in the list."""

    key: str
    entry: Entry
    level: str
    group: Group


TOGETHER: Final = 200  # units whose values one statement looks up: no statement takes long
Some = TypeVar("Some")


def slices(units: Sequence[Some]) -> Iterator[Sequence[Some]]:
    """Yield units in slices for one statement each; a province is one."""
    for first in range(0, len(units), TOGETHER):
        yield units[first : first + TOGETHER]


def numbered(groups: Sequence[Group], name: str) -> list[tuple[int, Unit]]:
    """Return the units of which a ruleset or indicator is seen, each with its group's number."""
    return [
        (number, unit)
        for number, group in enumerate(groups)
        for unit in group.units
        if unit.opens(name)
    ]


def leaves(entry: Entry) -> Iterable[tuple[str, frozenset[str]]]:
    """Yield the criteria without children, with the indicators that each reads from the unit."""
    for criterion in entry.ruleset.walk():
        if not criterion.criteria:
            yield criterion.id, frozenset(codes_of(criterion))
