"""Units as a file writes them, found in the register: by code or name, in a period, in a territory.

What a spreadsheet does to codes (07894 becomes 7894) is undone where only one unit can be meant.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeVar

import asyncpg
import msgspec

from app.domain.imports import naming
from app.domain.imports.loading import Target
from app.domain.reading.frames import Place
from app.domain.refusals import no_period
from app.domain.territory import Territory, outside
from app.domain.unit_periods import Entity, Meant, Unclear, resolve
from app.rules.errors import Text
from app.rules.facts import printable
from app.rules.period import read_period

_TOGETHER: Final = 250  # units that one statement looks up
# Codes of provinces, districts and communes by their length; a hamlet's begins with its commune's.
_LENGTHS: Final = {2: "province", 3: "district", 5: "commune"}
_SHORTENED: Final = re.compile(r"(?P<digits>[0-9]{1,4})(?P<hamlet>-[0-9]{2,3})?")
Item = TypeVar("Item")


class Placed(msgspec.Struct, frozen=True):
    """What the places of a file mean, in their order; and which codes got their zeros back."""

    found: Sequence[Target | Unclear]
    restored: Mapping[int, str]


async def find(
    connection: asyncpg.Connection, territory: Territory, places: Sequence[Place]
) -> Placed:
    """Find the unit of every place, or say why there is no one unit in the territory."""
    meant = {n: one for n, place in enumerate(places) if (one := _meant(place)) is not None}
    coded = {n: one for n, one in meant.items() if places[n].code}
    found = await _resolved(connection, coded)
    restored = await _restore(connection, places, meant, found)
    nameless = {n: places[n] for n in meant if n not in coded}
    keys = await naming.keys(connection, territory, nameless)
    found |= {n: key for n, key in keys.items() if isinstance(key, Unclear)}
    known = {n: _at(meant[n], key) for n, key in keys.items() if isinstance(key, str)}
    found |= await _resolved(connection, known)
    found |= await naming.contradictions(connection, places, found)
    return Placed(
        [_placed(territory, place, meant.get(n), found.get(n)) for n, place in enumerate(places)],
        {
            n: f"{places[n].code} → {unit.named}"
            for n in restored
            if isinstance(unit := found[n], Entity)
        },
    )


def _placed(
    territory: Territory, place: Place, meant: Meant | None, found: Entity | Unclear | None
) -> Target | Unclear:
    if meant is None:
        return Unclear("period", "invalid-period", no_period(place.period))
    if found is None:
        return Unclear("unit", "unit-not-found", _NAMELESS)
    if isinstance(found, Unclear):
        return found
    if not territory.reaches(found):
        return Unclear("unit", "outside-territory", outside(found))
    return Target(found, meant.period)


def _meant(place: Place) -> Meant | None:
    period = read_period(place.period)
    return None if period is None else Meant(place.code or "", period, _day(place.on))


def _at(meant: Meant, code: str) -> Meant:
    return Meant(code, meant.period, meant.on)


def _day(text: str | None) -> datetime.date | None:
    return None if text is None else datetime.date.fromisoformat(text)


async def _resolved(
    connection: asyncpg.Connection, wanted: Mapping[int, Meant]
) -> dict[int, Entity | Unclear]:
    """Resolve what is meant, a part of it at a time."""
    known: dict[Meant, Entity | Unclear] = {}
    for part in parts(list(dict.fromkeys(wanted.values())), _TOGETHER):
        known |= await resolve(connection, part)
    # Why there is none is explained of the first ones only: one cause has one text.
    why: dict[str, Entity | Unclear] = {}
    for meant, found in known.items():
        if _is_absent(found):
            known[meant] = why.setdefault(meant.place, found)
    return {number: known[meant] for number, meant in wanted.items()}


def parts(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """Yield a list in parts of a size."""
    for first in range(0, len(items), size):
        yield items[first : first + size]


async def _restore(
    connection: asyncpg.Connection,
    places: Sequence[Place],
    meant: Mapping[int, Meant],
    found: dict[int, Entity | Unclear],
) -> set[int]:
    """Give codes their zeros back where one unit can be meant; return which places they are of.

    Once a file is known to have lost zeros, a short code that exists as it is written may as well
    be a longer one that lost them: then nobody guesses.
    """
    lost = [n for n in found if _is_absent(found[n]) and _SHORTENED.fullmatch(places[n].code or "")]
    candidates = await _candidates(connection, {n: meant[n] for n in lost}, places)
    told = set()
    for n in lost:
        if len(candidates[n]) == 1:
            found[n] = candidates[n][0]
            told.add(n)
        elif candidates[n]:
            found[n] = _ambiguous(places[n].code or "", candidates[n])
    whole = {len(one.code) for n in told if isinstance(one := found[n], Entity)}
    doubtful = {
        n: meant[n]
        for n, one in found.items()
        if n not in told and isinstance(one, Entity) and one.code == places[n].code
        and places[n].level is None and len(one.code) < max(whole, default=0)
    }  # fmt: skip
    for n, others in (await _candidates(connection, doubtful, places)).items():
        longer = [one for one in others if not isinstance(one, Entity) or len(one.code) in whole]
        if longer:
            found[n] = _ambiguous(places[n].code or "", [found[n], *longer])
    return told


async def _candidates(
    connection: asyncpg.Connection, meant: Mapping[int, Meant], places: Sequence[Place]
) -> dict[int, list[Entity | Unclear]]:
    """Return what exists under the codes with zeros before them; several units count as one."""
    padded = {
        (n, code): _at(one, code)
        for n, one in meant.items()
        for code in _padded(one.place, places[n].level)
    }
    numbers = dict(enumerate(padded))
    answers = await _resolved(connection, {i: padded[key] for i, key in numbers.items()})
    known: dict[int, list[Entity | Unclear]] = {n: [] for n in meant}
    for i, (n, _) in numbers.items():
        if not _is_absent(answers[i]):
            known[n].append(answers[i])
    return known


def _padded(code: str, level: str | None) -> Iterable[str]:
    shape = _SHORTENED.fullmatch(code)
    if shape is None:
        return
    digits, hamlet = shape["digits"], shape["hamlet"]
    if hamlet:
        yield digits.zfill(5) + hamlet
        return
    for length, of_level in _LENGTHS.items():
        if length > len(digits) and level in (None, of_level):
            yield digits.zfill(length)


def _is_absent(found: Entity | Unclear) -> bool:
    return isinstance(found, Unclear) and found.code == "unit-not-found"


def _ambiguous(code: str, found: Sequence[Entity | Unclear]) -> Unclear:
    named = ", ".join(one.named if isinstance(one, Entity) else one.message.vi for one in found)
    return naming.Doubtful("unit", "ambiguous-code", _SHORT, f"{printable(code)} → {named}")


_SHORT: Final = Text(
    "mã có thể đã mất số 0 ở đầu và chỉ nhiều đơn vị; hãy ghi đủ mã",
    "the code may have lost zeros in front and means several units; write the whole code",
)
_NAMELESS: Final = Text(
    "không ghi mã hay tên đơn vị; hãy ghi mã đơn vị",
    "there is neither a code nor a name of a unit; write the unit's code",
)
