"""What the first pass over a file proves of the way it writes: its locale, the scales of shares.

One number that can be read in one way only decides for all the others. A share of 85 cannot be a
fraction; 0.85 is taken for one unless the file also writes 85 or 85 % for the same indicator.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from app.domain.reading.cells import (
    ASSUMED,
    FRACTION,
    MARKED,
    MIXED,
    PERCENT,
    PROVEN,
    STATED,
    Cell,
    Number,
    Share,
    Style,
)
from app.domain.reading.frames import Measure
from app.domain.reading.numbers import VIETNAMESE, possible, proven, readings

_NAMED: Final = 5  # rows of each way of writing that a message names
_REMEMBERED: Final = 50_000  # texts
_EXCEEDING: Final = 10  # a share that may exceed 100 % and is more than this is no fraction


class Proofs:
    """Gathers what cells prove; `style` says what follows for the file."""

    def __init__(self, catalogue: Sequence[Measure], stated: str | None) -> None:
        self._stated = stated
        self._seen: set[tuple[Share, Cell]] = set()
        self._locales: set[str] = set()
        self._camps: dict[Share, dict[str, list[int]]] = {}
        self._most = [
            None if one.kind != "ratio" or one.numerator_may_exceed_denominator else 100
            for one in catalogue
        ]
        self._kinds = [one.kind for one in catalogue]

    def look(self, row: int, index: int, value: Cell, *, scaled: bool = False) -> None:
        """Look at a value; `scaled` where its column says itself what a bare number means."""
        kind = self._kinds[index]
        share = index, scaled
        seen = share, value
        if value is None or kind not in ("ratio", "count") or seen in self._seen:
            return
        self._remember(seen)
        if isinstance(value, Number):
            if kind == "ratio":
                self._side(row, share, value.value, marked=value.percent)
        elif isinstance(value, str):
            text = value.strip()
            for part in text.split("/", 1) if kind == "ratio" and "/" in text else ():
                self._locale(part.strip(), None)
            marked = text.endswith("%")
            number = self._locale(text.rstrip("% "), self._most[index])
            if kind == "ratio" and number is not None:
                self._side(row, share, number, marked=marked)

    def look_at_count(self, cell: Cell) -> None:
        """Look at a numerator or a denominator."""
        seen = (-1, False), cell
        if isinstance(cell, str) and not cell.isdigit() and seen not in self._seen:
            self._remember(seen)
            self._locale(cell.strip(), None)

    def _remember(self, seen: tuple[Share, Cell]) -> None:
        if len(self._seen) >= _REMEMBERED:
            self._seen.clear()
        self._seen.add(seen)

    def _locale(self, text: str, most: int | None) -> Decimal | None:
        """Note what a number proves; return the number where it is only one."""
        found = possible(readings(text), most)
        way = proven(found)
        if way is not None:
            self._locales.add(way)
            return found[0] if found[1] is None else found[1]
        return found[0] if found[0] == found[1] else None

    def _side(self, row: int, of: Share, number: Decimal, *, marked: bool) -> None:
        """Note which way of writing shares a number belongs to, if it belongs to one."""
        if marked:
            side = MARKED
        elif 0 < number < 1:
            side = FRACTION
        elif number > (1 if self._most[of[0]] else _EXCEEDING):
            side = PERCENT
        else:
            return
        rows = self._camps.setdefault(of, {}).setdefault(side, [])
        if len(rows) < _NAMED and row not in rows:
            rows.append(row)

    def style(self) -> Style:
        """Return how the file writes."""
        if self._stated is not None:
            locale, known = self._stated, STATED
        elif len(self._locales) == 1:
            (locale,) = self._locales
            known = PROVEN
        else:
            locale, known = VIETNAMESE, MIXED if self._locales else ASSUMED
        camps = {
            of: (
                tuple(sorted([*found.get(PERCENT, ()), *found.get(MARKED, ())])[:_NAMED]),
                tuple(found.get(FRACTION, ())),
            )
            for of, found in self._camps.items()
        }
        scales = {of: _scale(found, scaled=of[1]) for of, found in self._camps.items()}
        return Style(locale, known, scales, camps)


def _scale(found: dict[str, list[int]], *, scaled: bool) -> str:
    """Return what a bare number means where a file writes in these ways.

    Below a heading with (%) 2,5 and 0,85 are both percentages, unless other cells say % themselves.
    """
    if scaled:
        return MARKED if {MARKED, FRACTION} <= set(found) else PERCENT
    if PERCENT in found:
        return MIXED if FRACTION in found else PERCENT
    if FRACTION in found:
        return MARKED if MARKED in found else FRACTION
    return MARKED
