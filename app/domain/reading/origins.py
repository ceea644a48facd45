"""Where a value comes from: its source, the day it was measured, a note.

A row of an export that says of itself that it is in force no more is not put on record again.
"""

from __future__ import annotations

from typing import Final

from app.domain.reading.causes import Unreadable, bad
from app.domain.reading.cells import Cell, Complaint, Odd, is_blank, text_of
from app.domain.reading.frames import Order
from app.domain.reading.places import complaint, day_of

# As `domain.values.entries` has them, which this process does not load.
LONGEST_SOURCE: Final = 500
LONGEST_NOTE: Final = 2_000
_PAST: Final = ("superseded", "retracted")

Origin = tuple[str, str | None, str | None]  # source, measured_on, note


class OriginReader:
    """Reads origins from the cells of a table, in which some of their columns may be absent."""

    def __init__(self, order: Order) -> None:
        self._source = None if order.source is None else " ".join(order.source.split())
        self._day = None if order.measured_on is None else day_of(order.measured_on)
        if order.measured_on is not None and self._day is None:
            wrong = bad("invalid-date")
            raise Unreadable("invalid-option", option="measured_on", vi=wrong.vi, en=wrong.en)
        if self._source is not None and not _is_text(self._source, LONGEST_SOURCE):
            wrong = bad("wrong-value", most=LONGEST_SOURCE)
            raise Unreadable("invalid-option", option="source", vi=wrong.vi, en=wrong.en)

    def read(self, cells: dict[str, Cell]) -> Origin | list[Complaint]:
        """Return the origin, or what is wrong with it. A cell comes before what was stated."""
        wrong = [
            complaint(word, cell.code, cell)
            for word, cell in cells.items()
            if isinstance(cell, Odd)
        ]
        if wrong:
            return wrong
        source = " ".join(text_of(cells.get("source")).split()) or self._source or ""
        if not source:
            wrong.append(complaint("source", "missing-source"))
        elif not _is_text(source, LONGEST_SOURCE):
            wrong.append(complaint("source", "wrong-value", source, most=LONGEST_SOURCE))
        note = text_of(cells.get("note"))
        if not _is_text(note, LONGEST_NOTE):
            wrong.append(complaint("note", "wrong-value", note, most=LONGEST_NOTE))
        if text_of(cells.get("status")) in _PAST:
            wrong.append(complaint("status", "past-value", cells["status"]))
        given, day = cells.get("measured_on"), self._day
        if not is_blank(given):
            day = day_of(given)
            if day is None:
                wrong.append(complaint("measured_on", "invalid-date", given))
        return wrong or (source, day, note or None)


def _is_text(text: str, longest: int) -> bool:
    return len(text) <= longest and all(one.isprintable() or one in "\n\r\t" for one in text)
