"""What the second pass tells: good values, many a frame; what is wrong; what should be known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from app.domain.reading.causes import Unreadable, bad, note
from app.domain.reading.cells import Complaint, Said
from app.domain.reading.channel import Channel
from app.domain.reading.duplicates import Duplicates
from app.domain.reading.frames import (
    CELLS_TOGETHER,
    Bad,
    Cells,
    Measure,
    Note,
    Rows,
    Unplaced,
)
from app.domain.reading.limits import MOST_BAD
from app.domain.reading.origins import Origin

_NAMED: Final = 100  # rows of one warning that are told one by one; the others are counted
_MOST_TEXT: Final = 4 * 2**20  # characters of notes in a frame


class Value(msgspec.Struct, frozen=True):
    """A value of a row: the indicator and what is said of it, or what is wrong.

    `columns` has the heading of each part, for messages.
    """

    index: int | None
    said: Said | None
    wrong: tuple[Complaint, ...]
    columns: Mapping[str, str]


class Listener:
    """Takes what the rows of a file say; this one only looks for what stands there twice."""

    def __init__(self, duplicates: Duplicates, allowed: Sequence[int]) -> None:
        self._duplicates, self._allowed = duplicates, allowed
        self.sheet, self.name, self.rows = 0, "", 0

    @property
    def told(self) -> int:
        """Return how many rows were told: none are by one that only looks."""
        return 0

    def begin(self, sheet: int, name: str | None) -> None:
        """Begin a table."""
        self.sheet, self.name = sheet, name or ""

    def knows(self, place: int) -> bool:
        """Tell whether a place is a unit of which something is recorded."""
        return bool(self._allowed[place])

    def good(self, row: int, place: int, value: Value, origin: Origin) -> None:
        """Take a value that can be read, of a row that can."""
        if value.index is not None and value.said is not None and self._allowed[place]:
            self._duplicates.look(self.sheet, row, place, value.index, value.said.fact)

    def poor(
        self,
        row: int,
        place: int | tuple[Complaint, ...],
        values: Sequence[Value],
        wrong: Sequence[Complaint],
        columns: Mapping[str, str],
    ) -> None:
        """Take a row of which something cannot be read."""

    def note(
        self, code: str, row: int | None, column: str | None, sample: str | None = None
    ) -> None:
        """Take a warning."""


class Teller(Listener):
    """Tells everything to the parent. `allowed` has for each place its indicators as bits."""

    def __init__(
        self,
        channel: Channel,
        catalogue: Sequence[Measure],
        duplicates: Duplicates,
        allowed: Sequence[int],
        levels: Sequence[str | None],
    ) -> None:
        super().__init__(duplicates, allowed)
        self._channel, self._catalogue, self._levels = channel, catalogue, levels
        self._ready: list[tuple[Any, ...]] = []
        self._text = self._bads = 0
        self._notes: dict[tuple[str, str, str | None], int] = {}
        self._checks = duplicates.any
        self.cells = 0

    @property
    def told(self) -> int:
        """Return how many rows were told."""
        return self.rows

    def good(self, row: int, place: int, value: Value, origin: Origin) -> None:
        """Tell a value, unless its unit is none, is of another level, or has it already."""
        index, said = value.index, value.said
        if index is None or said is None:
            return
        if not self._allowed[place] >> index & 1:
            self._refuse(row, place, value)
            return
        if self._checks and (why := self._duplicates.verdict(self.sheet, row, place, index)):
            self._repeats(row, value, *why)
            return
        self.cells += 1
        if said.notes:
            for code in said.notes:
                self.note(code, row, value.columns.get("value"))
        self._ready.append((row, self.sheet, place, index, *said.fact, *origin))
        if origin[2] is not None:
            self._text += len(origin[2])
        if len(self._ready) >= CELLS_TOGETHER or self._text > _MOST_TEXT:
            self.flush()

    def flush(self) -> None:
        """Send the values that wait."""
        if self._ready:
            columns = map(list, zip(*self._ready, strict=True))
            self._channel.send(Rows(self.rows, Cells(*columns)))
            self._ready.clear()
            self._text = 0

    def _refuse(self, row: int, place: int, value: Value) -> None:
        """Say that a value's place is no unit, or none of which the indicator is recorded."""
        level = self._levels[place]
        if level is None:
            column = value.columns.get("unit")
            self._send(Unplaced(self.name or None, row, place, column, 1))
            return
        measure = self._catalogue[value.index or 0]
        levels = ", ".join(measure.levels)
        text = bad("wrong-level", code=measure.code, levels=levels, level=level)
        wrong = Complaint("indicator", "wrong-level", text.vi, text.en, None)
        self._bad(row, value.columns.get("indicator"), wrong, 1)

    def _repeats(self, row: int, value: Value, code: str, first: int) -> None:
        text = bad(code)
        sample = str(first) if first and first != row else None
        self._bad(
            row, value.columns.get("indicator"), Complaint("", code, text.vi, text.en, sample), 1
        )

    def poor(
        self,
        row: int,
        place: int | tuple[Complaint, ...],
        values: Sequence[Value],
        wrong: Sequence[Complaint],
        columns: Mapping[str, str],
    ) -> None:
        """Tell everything that is wrong with a row; each value is counted as lost once."""
        lost = 0
        for value in values:
            for number, one in enumerate(value.wrong):
                self._bad(row, value.columns.get(one.part, one.part), one, int(number == 0))
            lost += not value.wrong
        several = [*place, *wrong] if isinstance(place, tuple) else list(wrong)
        for one in several:
            self._bad(row, columns.get(one.part, one.part), one, lost)
            lost = 0
        if isinstance(place, int) and self._levels[place] is None:
            self._send(Unplaced(self.name or None, row, place, columns.get("unit"), lost))

    def _bad(self, row: int, column: str | None, wrong: Complaint, cells: int) -> None:
        frame = Bad(
            self.name or None,
            row,
            column or None,
            wrong.code,
            wrong.vi,
            wrong.en,
            wrong.sample,
            cells,
        )
        self._send(frame)

    def _send(self, frame: Bad | Unplaced) -> None:
        self._bads += 1
        if self._bads > MOST_BAD:
            raise Unreadable("too-many-bad-rows", frame.row, frame.sheet, most=MOST_BAD)
        self.cells += frame.cells
        self._channel.send(frame)

    def note(
        self, code: str, row: int | None, column: str | None, sample: str | None = None
    ) -> None:
        """Tell a warning; of very many, the rows are only counted."""
        key = code, self.name, column
        seen = self._notes[key] = self._notes.get(key, 0) + 1
        if seen <= _NAMED:
            self._note(key, row, sample)

    def note_several(self, code: str, row: int | None, count: int) -> None:
        """Tell a warning of several cells, the first of which stands in this row."""
        self._note((code, self.name, None), row, None, count)

    def _note(
        self,
        key: tuple[str, str, str | None],
        row: int | None,
        sample: str | None = None,
        count: int = 1,
    ) -> None:
        code, name, column = key
        text = note(code)
        self._channel.send(Note(code, text.vi, text.en, name or None, row, column, sample, count))

    def end(self) -> None:
        """Send what waits, and how often the warnings were that were not told."""
        self.flush()
        for key, seen in self._notes.items():
            if seen > _NAMED:
                self._note(key, None, None, seen - _NAMED)
