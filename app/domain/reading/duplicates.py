"""Values that stand in a file twice: found without keeping the file, however long it is.

The first pass marks for every place which indicators it has had, and which twice. Only where there
are such, one more pass over the file compares what those say.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from app.domain.reading.frames import Place
from app.domain.reading.limits import MOST_BAD

CONTRADICTORY: Final = "contradictory-value"
REPEATED: Final = "duplicate-value"


class First(msgspec.Struct):
    """The first of several values of one key, and whether another one contradicts it."""

    sheet: int
    row: int
    fact: tuple[Any, ...]
    contradicted: bool = False


class Duplicates:
    """Which values of a file repeat others."""

    def __init__(self) -> None:
        self._once: list[int] = []  # for each place the indicators that it has, as bits
        self._twice: dict[int, int] = {}
        self._same: list[int] = []
        self._known: dict[tuple[int, int], First] = {}

    def mark(self, place: int, bit: int) -> None:
        """Note that a place has a value of an indicator."""
        once = self._once
        if place >= len(once):
            once.extend([0] * (place + 1 - len(once)))
        if once[place] & bit:
            self._twice[place] = self._twice.get(place, 0) | bit
        else:
            once[place] |= bit

    def merge(self, places: Sequence[Place], units: Sequence[tuple[int, int] | None]) -> None:
        """Learn which places are the same unit in the same period, in whatever way written."""
        first: dict[tuple[int, str], int] = {}
        self._once.extend([0] * (len(places) - len(self._once)))
        self._same = list(range(len(places)))
        for number, (place, unit) in enumerate(zip(places, units, strict=True)):
            if unit is None:
                continue
            same = self._same[number] = first.setdefault((unit[0], place.period), number)
            if same != number:
                twice = self._once[same] & self._once[number] | self._twice.pop(number, 0)
                self._once[same] |= self._once[number]
                if twice:
                    self._twice[same] = self._twice.get(same, 0) | twice
        self._once.clear()

    @property
    def any(self) -> bool:
        """Tell whether anything stands there twice."""
        return bool(self._twice)

    def look(self, sheet: int, row: int, place: int, index: int, fact: tuple[Any, ...]) -> None:
        """Note what a value says, where it is one of several."""
        key = self._same[place], index
        if not self._twice.get(key[0], 0) >> index & 1:
            return
        known = self._known.get(key)
        if known is None:
            # More than can be told: the file is refused for them, whatever they say.
            if len(self._known) <= MOST_BAD:
                self._known[key] = First(sheet, row, fact)
        elif known.fact != fact:
            known.contradicted = True

    def verdict(self, sheet: int, row: int, place: int, index: int) -> tuple[str, int] | None:
        """Return why a value is not taken and the row it repeats; None for one that is taken."""
        key = self._same[place], index
        if not self._twice.get(key[0], 0) >> index & 1:
            return None
        first = self._known.get(key)
        if first is None:
            return REPEATED, 0
        if first.contradicted:
            return CONTRADICTORY, first.row
        return None if (first.sheet, first.row) == (sheet, row) else (REPEATED, first.row)
