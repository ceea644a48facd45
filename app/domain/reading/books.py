"""Workbooks as sheets: what both kinds of them have, and the sheets of an .xlsx."""

from __future__ import annotations

import functools
import zipfile
from collections.abc import Iterator, Sequence
from typing import BinaryIO, Protocol

from app.domain.reading import workbook
from app.domain.reading.cells import Row
from app.domain.reading.container import workbook as open_zip
from app.domain.reading.keeping import Keeping
from app.domain.reading.outline import Block, Outline, outline
from app.domain.reading.sheet import RowReader
from app.domain.reading.workbook import Pulse, SheetPart


class BookSheet(Protocol):
    """A sheet: its rows, and what was seen of them once they have been read to the end."""

    name: str
    visible: bool

    @property
    def merged(self) -> Sequence[Block]:
        """Return the merged blocks of cells in the order of their rows."""
        ...

    @property
    def hidden_columns(self) -> int:
        """Return how many columns are hidden, or ranges of them."""
        ...

    @property
    def formulas(self) -> int:
        """Return how many cells are formulas."""
        ...

    @property
    def first_formula(self) -> int | None:
        """Return the first row with a formula."""
        ...

    @property
    def hidden_rows(self) -> int:
        """Return how many rows are hidden."""
        ...

    @property
    def first_hidden(self) -> int | None:
        """Return the first hidden row."""
        ...

    def rows(self) -> Iterator[tuple[int, Row]]:
        """Yield the rows with their numbers, each time from the beginning."""
        ...


class _Book:
    """What the sheets of an .xlsx share, read when the first of them needs it."""

    def __init__(self, opened: zipfile.ZipFile, pulse: Pulse, *, from_1904: bool) -> None:
        self.opened, self.pulse, self.from_1904 = opened, pulse, from_1904

    @functools.cached_property
    def strings(self) -> list[str]:
        return workbook.strings(self.opened, self.pulse)

    @functools.cached_property
    def styles(self) -> list[str | None]:
        return workbook.styles(self.opened)


class NewSheet:
    """A sheet of an .xlsx."""

    def __init__(self, book: _Book, part: SheetPart) -> None:
        self.name, self.visible = part.name, part.visible
        self._book, self._part = book, part.part

    @functools.cached_property
    def _reader(self) -> RowReader:
        book = self._book
        return RowReader(
            book.opened, self._part, book.strings, book.styles, from_1904=book.from_1904
        )

    @functools.cached_property
    def _outline(self) -> Outline:
        return outline(self._book.opened, self._part, self._book.pulse)

    @property
    def merged(self) -> Sequence[Block]:
        """Return the merged blocks of cells in the order of their rows."""
        return self._outline.merged

    @property
    def hidden_columns(self) -> int:
        """Return how many ranges of columns are hidden."""
        return self._outline.hidden_columns

    @property
    def formulas(self) -> int:
        """Return how many cells are formulas."""
        return self._reader.formulas

    @property
    def first_formula(self) -> int | None:
        """Return the first row with a formula."""
        return self._reader.first_formula

    @property
    def hidden_rows(self) -> int:
        """Return how many rows are hidden."""
        return self._reader.hidden_rows

    @property
    def first_hidden(self) -> int | None:
        """Return the first hidden row."""
        return self._reader.first_hidden

    @functools.cached_property
    def _kept(self) -> Keeping:
        return Keeping(self._reader.rows)

    def rows(self) -> Iterator[tuple[int, Row]]:
        """Yield the rows that have content, each time from the beginning."""
        return self._kept.rows()


def new_book(file: BinaryIO, pulse: Pulse) -> list[NewSheet]:
    """Return the sheets of an .xlsx; raise Unreadable for what is none.

    While large parts are read of which nothing can be told yet, `pulse` is called.
    """
    opened = open_zip(file)
    sheets, from_1904 = workbook.sheets(opened)
    book = _Book(opened, pulse, from_1904=from_1904)
    return [NewSheet(book, one) for one in sheets]
