"""A sheet of an .xlsx as rows of cells, read as it is unpacked: nothing grows with the sheet.

What stands around the rows (merged cells, hidden columns) is read before them. Numbers come out as
they were typed: what the workbook writes of a number is the shortest text of its binary form.
"""

from __future__ import annotations

import datetime
import re
import zipfile
from collections.abc import Iterator
from decimal import Decimal
from typing import Final
from xml.parsers import expat

from app.domain.reading.causes import Unreadable
from app.domain.reading.cells import Cell, Day, Number, Odd, Row
from app.domain.reading.limits import LONGEST_CELL, MOST_CELLS, MOST_ROWS
from app.domain.reading.workbook import DATE, PERCENT, column, local, parsed, text

_FLOAT: Final = re.compile(r"-?[0-9]{0,20}\.?[0-9]{0,20}(?:[eE][+-]?[0-9]{1,3})?")
_EPOCHS: Final = (datetime.date(1899, 12, 30), datetime.date(1904, 1, 1))
_LAST_DAY: Final = 2_958_465  # 9999-12-31
_REMEMBERED: Final = 50_000


class RowReader:
    """Reads the rows of one sheet, each time from the beginning; counts what should be told."""

    def __init__(
        self,
        opened: zipfile.ZipFile,
        part: str,
        strings: list[str],
        styles: list[str | None],
        *,
        from_1904: bool,
    ) -> None:
        self._opened, self._part = opened, part
        self._strings, self._styles = strings, styles
        self._epoch = _EPOCHS[from_1904]
        self._numbers: dict[tuple[str, str | None], Cell] = {}
        self._begin_again()

    def _begin_again(self) -> None:
        self.formulas = self.hidden_rows = 0
        self.first_formula: int | None = None
        self.first_hidden: int | None = None
        self._ready: list[tuple[int, Row]] = []
        self._row: Row = []
        self._number, self._cells, self._taken = 0, 0, 0
        self._place, self._kind, self._style = -1, "n", ""
        self._text: list[str] | None = None
        self._value: str | None = None
        self._formula = self._phonetic = False

    def rows(self) -> Iterator[tuple[int, Row]]:
        """Yield the rows that have content, with their numbers as the sheet shows them."""
        self._begin_again()
        for _ in parsed(self._opened, self._part, self._begin):
            yield from self._ready
            self._ready.clear()
        yield from self._ready

    def _begin(self, parser: expat.XMLParserType) -> None:
        def root(name: str, _: dict[str, str]) -> None:
            prefix = name[: len(name) - len(local(name))]
            if local(name) != "worksheet":
                raise Unreadable("damaged-file")
            self._c, self._v, self._r = prefix + "c", prefix + "v", prefix + "row"
            self._f, self._t, self._ph = prefix + "f", prefix + "t", prefix + "rPh"
            parser.StartElementHandler = self._start

        parser.StartElementHandler, parser.EndElementHandler = root, self._end
        parser.CharacterDataHandler = self._characters

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name == self._c:
            self._kind, self._style = attributes.get("t", "n"), attributes.get("s", "")
            self._value, self._formula = None, False
            reference = attributes.get("r")
            self._place = (
                self._place + 1 if reference is None else column(reference.rstrip("0123456789"))
            )
        elif name == self._v or (name == self._t and not self._phonetic):
            self._text, self._taken = [], 0
        elif name == self._r:
            self._number = int(attributes.get("r", self._number + 1))
            if not 0 < self._number <= MOST_ROWS:
                raise Unreadable("too-many-rows", most=MOST_ROWS)
            self._place, self._row = -1, []
            if attributes.get("hidden") in ("1", "true"):
                self.hidden_rows += 1
                self.first_hidden = self.first_hidden or self._number
        elif name == self._f:
            self._formula = True
        elif name == self._ph:
            self._phonetic = True

    def _characters(self, said: str) -> None:
        if self._text is not None:
            self._taken += len(said)
            if self._taken > LONGEST_CELL:
                raise Unreadable("long-cell", self._number, most=LONGEST_CELL)
            self._text.append(said)

    def _end(self, name: str) -> None:
        if self._text is not None and name in (self._v, self._t):
            self._value = (self._value or "") + "".join(self._text)
            self._text = None
        elif name == self._c:
            if not self._value and self._kind == "n":  # some write an empty element for none
                self._value = None
            if self._value is not None or self._formula:
                self._put(self._cell())
        elif name == self._r:
            if self._row:
                self._ready.append((self._number, self._row))
        elif name == self._ph:
            self._phonetic = False

    def _put(self, cell: Cell) -> None:
        if self._formula:
            self.formulas += 1
            self.first_formula = self.first_formula or self._number
        self._cells += 1
        if self._cells > MOST_CELLS:
            raise Unreadable("too-many-cells", most=MOST_CELLS)
        row = self._row
        if len(row) < self._place:
            row.extend([None] * (self._place - len(row)))
        if len(row) == self._place:
            row.append(cell)
        else:  # the same cell twice, or out of order: a damaged sheet
            raise Unreadable("damaged-file", self._number)

    def _cell(self) -> Cell:
        value, kind = self._value, self._kind
        if value is None:
            return Odd("formula-without-value")
        if kind == "n":
            return self._numeric(value)
        return self._other(kind, value)

    def _other(self, kind: str, value: str) -> Cell:
        if kind == "s":
            place = int(value)
            if not 0 <= place < len(self._strings):
                raise Unreadable("damaged-file", self._number)
            return self._strings[place]
        if kind == "b":
            return value.strip() == "1"
        if kind == "e":
            return Odd("error-value", text(value))
        if kind == "d":
            return Day(datetime.date.fromisoformat(value[:10]).isoformat())
        return text(value)

    def _numeric(self, value: str) -> Cell:
        place = int(self._style) if self._style.isdigit() else len(self._styles)
        style = self._styles[place] if place < len(self._styles) else None
        found = self._numbers.get((value, style))
        if found is None:
            if not value or not _FLOAT.fullmatch(value):
                raise Unreadable("damaged-file", self._number)
            if len(self._numbers) >= _REMEMBERED:
                self._numbers.clear()
            found = self._numbers[value, style] = self._made(float(value), style)
        return found

    def _made(self, number: float, style: str | None) -> Cell:
        if style == DATE:
            if not 0 <= number <= _LAST_DAY:
                return Odd("date-not-number", repr(number))
            return Day((self._epoch + datetime.timedelta(days=int(number))).isoformat())
        return exact(number, percent=style == PERCENT)


def exact(number: float, *, percent: bool = False) -> Cell:
    """Return a number of a workbook as it was typed: the shortest digits that make it."""
    value = Decimal(repr(number))
    if not value.is_finite():
        return Odd("error-value", repr(number))
    return Number.of(value, percent=percent)
