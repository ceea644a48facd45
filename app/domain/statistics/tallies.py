"""What was counted of values: of each indicator, of each criterion, of all a ruleset reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from app.domain.statistics import Group, leaves
from app.rules.registry import Entry, Registry

# One letter for each indicator of a unit, so that a unit is one short row; the least of several
# letters is what is there of all of them.
OUTDATED: Final = "1"
RECORDED: Final = "2"


class Expected:
    """The indicators of which a ruleset needs a value of the unit itself, and who reads them.

    What follows from the values of members is not expected of a unit, though it may be given.
    `details` tells whether indicators and criteria are counted one by one.
    """

    def __init__(self, entry: Entry, level: str, registry: Registry, *, details: bool) -> None:
        self.details = details
        self.head = {"ruleset": entry.ruleset.ruleset, "level": level}
        reading = list(leaves(entry))
        codes = dict.fromkeys(code for _, read in reading for code in sorted(read))
        found = [registry.indicators[code] for code in codes]
        self.indicators = [one for one in found if one.derived is None]
        place = {one.code: number for number, one in enumerate(self.indicators)}
        places = [(id_, [place[code] for code in read if code in place]) for id_, read in reading]
        self.criteria = [(id_, read) for id_, read in places if read]


class Tally:
    """What is there of one group: of each indicator, of each criterion, in all."""

    def __init__(self, expected: Expected, group: Group, bound: frozenset[int]) -> None:
        self._expected = expected
        units = {unit.id for unit in group.units}
        in_scope = len(units & bound)
        self._group = {"unit": group.shown, "units": len(units), "in_scope": in_scope}
        details = expected.details
        self._indicators = [_Counted() for _ in expected.indicators if details]
        self._criteria = [_Counted() for _ in expected.criteria if details]
        self._complete, self._values = _Counted(), _Counted()

    def add(self, letters: Sequence[str], names: frozenset[str] | None) -> None:
        """Count units, each by its letters; what may not be seen of them is not expected."""
        seen = {
            number
            for number, one in enumerate(self._expected.indicators)
            if names is None or one.code in names
        }
        columns = list(zip(*letters, strict=True))
        for number in seen:
            self._values.add(columns[number])
        if columns and len(seen) == len(columns):
            self._complete.add(list(map(min, letters)))
        if self._expected.details:
            self._add_details(columns, seen)

    def _add_details(self, columns: Sequence[Sequence[str]], seen: set[int]) -> None:
        for number in seen:
            self._indicators[number].add(columns[number])
        for counted, (_, places) in zip(self._criteria, self._expected.criteria, strict=True):
            if seen.issuperset(places):
                read = [columns[place] for place in places]
                counted.add(list(map(min, *read)) if len(read) > 1 else read[0])

    def shown(self, period: str, language: str) -> dict[str, Any]:
        """Return the item of an answer."""
        return {
            **self._expected.head,
            "period": period,
            **self._group,
            "complete": self._complete,
            "values": self._values,
            "criteria": self._by_criterion() if self._expected.details else None,
            "indicators": self._by_indicator(language) if self._expected.details else None,
        }

    def _by_criterion(self) -> list[dict[str, Any]]:
        return [
            {"id": id_} | msgspec.structs.asdict(counted)
            for (id_, _), counted in zip(self._expected.criteria, self._criteria, strict=True)
        ]

    def _by_indicator(self, language: str) -> list[dict[str, Any]]:
        return [
            {"indicator": one.code, "name": getattr(one.name, language)}
            | msgspec.structs.asdict(counted)
            for one, counted in zip(self._expected.indicators, self._indicators, strict=True)
        ]


class _Counted(msgspec.Struct):
    """How often values are expected, are all there, are all there but some of them too old."""

    expected: int = 0
    recorded: int = 0
    outdated: int = 0

    def add(self, letters: Sequence[str]) -> None:
        """Count what is there, a letter each."""
        self.expected += len(letters)
        self.recorded += letters.count(RECORDED)
        self.outdated += letters.count(OUTDATED)
