"""CSV files: UTF-8 with a byte order mark, comma, CRLF, and a last row that proves completeness.

The last row is `#sha256,<hex>,rows,<n>`: the hash of every byte before it, and how many rows stand
between the headings and it. A file without it was cut.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Sequence
from typing import Final

from app.domain.exports import Cell, Row
from app.domain.formulas import guarded
from app.domain.own_files import TRAILER

BOM: Final = b"\xef\xbb\xbf"


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
