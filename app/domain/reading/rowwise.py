"""What tables of both forms have in common: places and origins of rows, rows that are no values.

Below the last value of a table stand those who sign it: words where others have values.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, TypeVar

import msgspec

from app.domain.own_files import TRAILER
from app.domain.reading.causes import Unreadable
from app.domain.reading.cells import Cell, Complaint, Row, Said, is_blank, text_of
from app.domain.reading.headings import Headings, Meaning, is_unit, recognised
from app.domain.reading.misread import shown
from app.domain.reading.origins import Origin, OriginReader
from app.domain.reading.places import PlaceReader, Total, complaint, is_total
from app.domain.reading.plan import ORIGIN, PLACE, Plan
from app.domain.reading.telling import Listener, Value
from app.domain.reading.words import is_words

TOTAL: Final = -1  # in the place of a place: the row is one of totals
REMEMBERED: Final = 50_000  # of anything that rows repeat
LOST: Final = Value(None, None, (), {})  # a value that nobody could look at

TRAILER_CELLS: Final = (TRAILER, "the digest", "rows", "how many")

Key = tuple[Cell, ...]
Repeated = TypeVar("Repeated")
Found = TypeVar("Found")


def remember(memory: dict[Repeated, Found], key: Repeated, found: Found) -> Found:
    """Return what was found, and keep it for the rows that say the same."""
    if len(memory) >= REMEMBERED:
        memory.clear()
    memory[key] = found
    return found


def value_of(index: int, read: Said | tuple[Complaint, ...], columns: Mapping[str, str]) -> Value:
    """Return a value that was read, or what is wrong with it."""
    if isinstance(read, Said):
        return Value(index, read, (), columns)
    return Value(index, None, read, columns)


def getter(places: Sequence[int]) -> Callable[[Row], Key]:
    """Return what takes some cells out of a row."""
    if len(places) > 1:
        return operator.itemgetter(*places)
    if places:
        (only,) = places
        return lambda cells: (cells[only],)
    return lambda _: ()


class Readers(msgspec.Struct, frozen=True):
    """What reads the parts of rows that are alike in all tables of a file."""

    places: PlaceReader
    origins: OriginReader
    headings: Headings


class Rowwise:
    """A table whose rows are read one by one; what they repeat is read once."""

    def __init__(self, plan: Plan, name: str | None, readers: Readers) -> None:
        self.plan, self.name, self.headings = plan, name, readers.headings
        self.width = len(plan.columns)
        self.last_value = 0  # the last row that has one
        self._readers = readers
        self._place_words = [word for word in PLACE if word in plan.words]
        self._origin_words = [word for word in ORIGIN if word in plan.words]
        self.place_of = getter([plan.words[word] for word in self._place_words])
        self._origin_of = getter([plan.words[word] for word in self._origin_words])
        self._places: dict[Key, int | tuple[Complaint, ...]] = {}
        self._origins: dict[Key, Origin | list[Complaint]] = {}
        self._headers: set[Key] = set()  # places that are headings of units
        named = [word for word in ("unit", "name", "district", "province") if word in plan.words]
        unit = named[0] if named else "unit"
        self.columns: Mapping[str, str] = {
            word: plan.heading(word) for word in (*PLACE, *ORIGIN)
        } | {
            "unit": plan.heading(unit),
            "name": plan.heading("name" if "name" in plan.words else unit),
        }

    def place(self, key: Key) -> int | tuple[Complaint, ...]:
        """Return the place of a row by its cells, TOTAL, or what is wrong with it."""
        known = self._places.get(key)
        return self._read_place(key) if known is None else known

    def _read_place(self, key: Key) -> int | tuple[Complaint, ...]:
        found: int | tuple[Complaint, ...]
        try:
            found = self._readers.places.read(dict(zip(self._place_words, key, strict=True)))
        except Total:
            found = TOTAL
        if any(isinstance(cell, str) and is_unit(self.headings.meaning(cell)) for cell in key):
            self._headers.add(key)
        return remember(self._places, key, found)

    def origin(self, cells: Row) -> Origin | list[Complaint]:
        """Return the origin of a row, or what is wrong with it."""
        key = self._origin_of(cells)
        known = self._origins.get(key)
        if known is None:
            found = self._readers.origins.read(dict(zip(self._origin_words, key, strict=True)))
            known = remember(self._origins, key, found)
        return known

    def check_header(self, row: int, key: Key, cells: Row) -> None:
        """Raise Unreadable where another table begins: its columns mean something else."""
        if key in self._headers and not self.is_header(cells):
            found = [self.headings.meaning(text_of(cell)) for cell in cells if not is_blank(cell)]
            if len(found) > 1 and recognised(found) == len(found):
                raise Unreadable("second-header", row, self.name)

    def signed(self, row: int, place: object, values: Iterable[Cell], listener: Listener) -> bool:
        """Tell whether a row is one of signatures: below all values, words, and no known unit."""
        return (
            row > self.last_value
            and isinstance(place, int)
            and not listener.knows(place)
            and all(is_words(cell) for cell in values)
        )

    def check_unnamed(self, row: int, cells: Row) -> None:
        """Raise Unreadable where a column without a name has content."""
        for place in self.plan.unnamed:
            if place < len(cells) and not is_blank(cells[place]):
                raise Unreadable("unnamed-column", row, self.name, letters(place))

    def passed_over(self, row: int, cells: Row, place: object, listener: Listener) -> bool:
        """Tell whether a row is no row of values: blank, totals, or parted wrongly.

        Such a row is told of and counted here.
        """
        said = [cell for cell in cells if not is_blank(cell)]
        if not said:
            return True
        if place == TOTAL or is_total(said[0]):
            listener.rows += 1
            listener.note("total-row-skipped", row, None, shown(said[0]))
            return True
        if said[0] == TRAILER and len(said) == len(TRAILER_CELLS):
            return True  # it speaks of the file, not of a unit
        if self.is_header(cells):
            listener.rows += 1
            listener.note("repeated-header", row, None, shown(said[0]))
            return True
        if len(cells) != self.width and len(said) > 1:
            listener.rows += 1
            # As many values are lost as can be told: the cells may be other columns' ones.
            lost = [LOST] * max(self.values_in(cells), 1)
            listener.poor(row, (complaint("", "wrong-cell-count"),), lost, (), self.columns)
            return True
        return False

    def is_header(self, cells: Row) -> bool:
        """Tell whether a row is the header once more, as at the top of each page."""
        texts = [text_of(cell) for cell in cells]
        return texts == list(self.plan.columns) or (
            len(texts) == self.width
            and self.place_of(cells) in self._headers
            and self._meanings(texts) == self._meanings(self.plan.columns)
        )

    def _meanings(self, texts: Iterable[str]) -> list[Meaning]:
        return [self.headings.meaning(text) for text in texts]

    def values_in(self, cells: Row) -> int:
        """Return how many values a row has."""
        raise NotImplementedError


def letters(place: int) -> str:
    """Return the letters of a column as spreadsheets name it."""
    found = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        found = chr(ord("A") + rest) + found
    return found
