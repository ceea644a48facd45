"""CSV files: UTF-8 with a byte order mark, comma, CRLF, and a last row that proves completeness.

The last row is `#sha256,<hex>,rows,<n>`: the hash of every byte before it, and how many rows stand
between the headings and it. A file without it was cut.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterable, Sequence
from typing import Final

from app.domain.exports import Cell, Row

BOM: Final = b"\xef\xbb\xbf"
TRAILER: Final = "#sha256"
# What spreadsheets take for the beginning of a formula, full-width forms included. Text that
# begins with apostrophes before one gets another, so that taking one away always gives back what
# was written.
_FORMULA: Final = re.compile("'*[=+\\-@\t\r\n\x00＝＋－＠]")
_NUMBER: Final = re.compile(r"[+-]?[0-9]+([.,][0-9]+)?")


def guarded(text: str) -> str:
    """Return text that no spreadsheet runs as a formula: an apostrophe goes before it.

    Numbers stay as they are. Reading the file again, one apostrophe before such text is the
    guard's.
    """
    if _FORMULA.match(text) and not _NUMBER.fullmatch(text):
        return f"'{text}"
    return text


class CsvFile:
    """Writes a file part by part; every part is to be sent as it is."""

    def __init__(self, headings: Sequence[str]) -> None:
        self._headings = headings
        self._digest = hashlib.sha256()
        self._rows = 0

    def begin(self) -> bytes:
        """Return the byte order mark and the row of headings."""
        return self._told(BOM + _lines([self._headings]))

    def part(self, rows: Sequence[Row]) -> bytes:
        """Return rows."""
        self._rows += len(rows)
        return self._told(_lines(rows))

    def end(self) -> bytes:
        """Return the last row."""
        return _lines([(TRAILER, self._digest.hexdigest(), "rows", self._rows)])

    def _told(self, part: bytes) -> bytes:
        self._digest.update(part)
        return part


def _lines(rows: Iterable[Row]) -> bytes:
    written = io.StringIO()
    csv.writer(written, lineterminator="\r\n").writerows([_shown(c) for c in row] for row in rows)
    return written.getvalue().encode()


def _shown(cell: Cell) -> str | int | None:
    return guarded(cell) if isinstance(cell, str) else cell
