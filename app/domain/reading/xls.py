"""Sheets of an .xls as rows of cells: read by calamine, which is used in this process alone.

Calamine tells no errors of formulas and no formats, so the records of the sheets are gone through
besides, for where cells show an error, a percentage, or the result of a formula.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import unicodedata
from collections.abc import Iterator
from typing import BinaryIO, Final

from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    PasswordError,
    SheetMetadata,
    SheetTypeEnum,
    SheetVisibleEnum,
)

from app.domain.reading.biff import Marks, marks_of
from app.domain.reading.causes import Unreadable
from app.domain.reading.cells import Cell, Day, Odd, Row
from app.domain.reading.container import check_old_workbook
from app.domain.reading.limits import LONGEST_CELL
from app.domain.reading.outline import Block
from app.domain.reading.sheet import exact

_NONE: Final = Marks()


def old_book(file: BinaryIO) -> list[OldSheet]:
    """Return the sheets of an .xls; raise Unreadable for what is none."""
    file.seek(0)
    content = file.read()
    check_old_workbook(content)
    marks = marks_of(content)
    file.seek(0)
    with _refusing():
        opened = CalamineWorkbook.from_filelike(file)
        return [
            OldSheet(opened, one, marks.get(one.name, _NONE))
            for one in opened.sheets_metadata
            if one.typ is SheetTypeEnum.WorkSheet
        ]


@contextlib.contextmanager
def _refusing() -> Iterator[None]:
    """Turn whatever calamine raises into a refusal; where it panics, that is no `Exception`."""
    try:
        yield
    except PasswordError as error:
        raise Unreadable("encrypted-file") from error
    except (CalamineError, ValueError, OSError) as error:
        raise Unreadable("damaged-file") from error
    except BaseException as error:
        if type(error).__module__ != "pyo3_runtime":
            raise
        raise Unreadable("damaged-file") from error


class OldSheet:
    """A sheet of an .xls."""

    hidden_columns = 0

    def __init__(self, opened: CalamineWorkbook, about: SheetMetadata, marks: Marks) -> None:
        self.name = unicodedata.normalize("NFC", about.name)
        self.visible = about.visible is SheetVisibleEnum.Visible
        self._opened, self._called, self._marks = opened, about.name, marks
        self.formulas = len(marks.formulas)
        self.first_formula = min((row for row, _ in marks.formulas), default=None)
        self.hidden_rows = len(marks.hidden_rows)
        self.first_hidden = min(marks.hidden_rows, default=None)

    @functools.cached_property
    def _sheet(self) -> CalamineSheet:
        with _refusing():
            return self._opened.get_sheet_by_name(self._called)

    @property
    def merged(self) -> list[Block]:
        """Return the merged blocks of cells in the order of their rows."""
        found = self._sheet.merged_cell_ranges or []
        return sorted((one[0] + 1, one[1], two[0] + 1, two[1]) for one, two in found)

    def rows(self) -> Iterator[tuple[int, Row]]:
        """Yield the rows that have content, with their numbers as the sheet shows them."""
        start = self._sheet.start
        if start is None:
            return
        blank: Row = [None] * start[1]
        for number, cells in enumerate(self._sheet.iter_rows(), 1):
            row = blank + [
                self._cell(number, place, cell) for place, cell in enumerate(cells, start[1])
            ]
            if any(cell is not None for cell in row):
                yield number, row

    def _cell(self, row: int, place: int, cell: object) -> Cell:
        if shown := self._marks.errors.get((row, place)):
            return Odd("error-value", shown)
        if isinstance(cell, str):
            if len(cell) > LONGEST_CELL:
                raise Unreadable("long-cell", row, most=LONGEST_CELL)
            return unicodedata.normalize("NFC", cell) or None
        if isinstance(cell, int | float) and not isinstance(cell, bool):
            return exact(float(cell), percent=(row, place) in self._marks.percents)
        if isinstance(cell, datetime.date):
            return Day(cell.isoformat()[:10])
        if isinstance(cell, bool):
            return cell
        return Odd("date-not-number", str(cell))
