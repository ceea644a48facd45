"""XLSX files: made whole on disk by a thread of their own, because half a workbook cannot be read.

Text is written as text, whatever it begins with: nothing in the file is a formula or a link.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, TypeVar

import xlsxwriter

from app.domain.exports import Row

MOST_ROWS: Final = 1_000_000  # a sheet has 1,048,576
_EXACT: Final = 10**15  # a spreadsheet keeps fifteen digits of a number
_PART: Final = 64 * 1024
_SHEET: Final = "ntm"
_OPTIONS: Final = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_numbers": False,
    "strings_to_urls": False,
}
Done = TypeVar("Done")


class XlsxFile:
    """One workbook with one sheet, in a folder of its own that ends with it.

    One thread does everything in order, the cleaning up as well: whoever gives up while rows are
    being written waits for nothing and leaves nothing.
    """

    def __init__(self, headings: Sequence[str]) -> None:
        """Prepare; nothing is on disk before `begin`."""
        self.size = 0
        self._headings = headings
        self._thread = ThreadPoolExecutor(1, "xlsx")
        self._opened = ExitStack()
        self._path: Path  # known once it has begun
        self._book: Any = None
        self._sheet: Any = None
        self._row = 0

    async def begin(self) -> None:
        """Open the workbook and write the headings."""
        await self._do(self._open)

    async def add(self, rows: Sequence[Row]) -> None:
        """Write rows."""
        await self._do(lambda: self._write(rows))

    async def complete(self) -> None:
        """Make the file whole; from now on it has its size and can be read."""
        await self._do(self._close)

    async def parts(self) -> AsyncGenerator[bytes, None]:
        """Yield the bytes of the whole file."""
        with self._path.open("rb") as file:
            while part := await self._do(lambda: file.read(_PART)):
                yield part

    def discard(self) -> None:
        """Remove everything, as soon as the thread has done what it is doing."""
        self._thread.submit(self._remove)
        self._thread.shutdown(wait=False)

    async def _do(self, work: Callable[[], Done]) -> Done:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _open(self) -> None:
        folder = self._opened.enter_context(tempfile.TemporaryDirectory(prefix="ntm-export-"))
        self._path = Path(folder) / "export.xlsx"
        options = {**_OPTIONS, "tmpdir": folder}
        self._book = xlsxwriter.Workbook(str(self._path), options)
        self._sheet = self._book.add_worksheet(_SHEET)
        self._sheet.freeze_panes(1, 0)
        bold = self._book.add_format({"bold": True})
        for number, heading in enumerate(self._headings):
            self._sheet.write_string(0, number, heading, bold)

    def _write(self, rows: Sequence[Row]) -> None:
        for row in rows:
            self._row += 1
            for number, cell in enumerate(row):
                if isinstance(cell, int) and -_EXACT < cell < _EXACT:
                    self._sheet.write_number(self._row, number, cell)
                elif cell not in (None, ""):
                    self._sheet.write_string(self._row, number, str(cell))

    def _close(self) -> None:
        self._book.close()
        self._book = None
        self.size = self._path.stat().st_size

    def _remove(self) -> None:
        if self._book is not None:
            for sheet in self._book.worksheets():
                sheet.row_data_fh.close()  # the rows so far; the workbook was never made whole
        self._opened.close()
