"""What the records of an .xls say besides values: errors, percentages, formulas, hidden rows.

Only as much of the format (MS-CFB, MS-XLS) is read as this needs. Whatever does not fit is passed
over: the values themselves are calamine's to read, and to refuse.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

import msgspec

from app.domain.reading.workbook import BUILT_IN, PERCENT, shows

Place = tuple[int, int]  # row from 1, column from 0
_FREE: Final = 0xFFFFFFFA  # what is not less is no sector
_BOUNDSHEET, _FORMAT, _XF, _BOOLERR = 0x0085, 0x041E, 0x00E0, 0x0205
_NUMBER, _RK, _MULRK, _FORMULA, _ROW = 0x0203, 0x027E, 0x00BD, 0x0006, 0x0208
_EOF: Final = 0x000A
_SHORT: Final = 64  # bytes of a part of a short stream
_ERRORS: Final = {
    0x00: "#NULL!", 0x07: "#DIV/0!", 0x0F: "#VALUE!", 0x17: "#REF!", 0x1D: "#NAME?",
    0x24: "#NUM!", 0x2A: "#N/A",
}  # fmt: skip
_HIDDEN_ROW: Final = 0x20


class Marks(msgspec.Struct):
    """What is to be known of single cells of a sheet."""

    errors: dict[Place, str] = {}
    percents: set[Place] = set()
    formulas: set[Place] = set()
    hidden_rows: set[int] = set()


def marks_of(content: bytes) -> dict[str, Marks]:
    """Return the marks of each sheet by its name; nothing for a file that is not understood."""
    try:
        return _Workbook(_stream(content)).marks()
    except (struct.error, IndexError, ValueError, OverflowError):
        return {}


def _stream(content: bytes) -> bytes:
    """Return the stream of the workbook out of its container."""
    size = 1 << struct.unpack_from("<H", content, 30)[0]
    table = _table(content, size, len(content) // size)
    cutoff, mini = struct.unpack_from("<II", content, 56)
    body = content[size:]
    directory = _chain(body, size, table, struct.unpack_from("<I", content, 48)[0])
    for entry in range(0, len(directory) - 127, 128):
        length = struct.unpack_from("<H", directory, entry + 64)[0]
        name = directory[entry : entry + max(length - 2, 0)].decode("utf-16-le", "replace")
        if name in ("Workbook", "Book"):
            first, total = struct.unpack_from("<II", directory, entry + 116)
            if total < cutoff:  # short streams lie in parts of a stream, which the root names
                body = _chain(body, size, table, struct.unpack_from("<I", directory, 116)[0])
                listed = _chain(content[size:], size, table, mini)
                table, size = struct.unpack(f"<{len(listed) // 4}I", listed), _SHORT
            return _chain(body, size, table, first)[:total]
    return b""


def _table(content: bytes, size: int, most: int) -> tuple[int, ...]:
    """Return for every sector which one follows it."""
    sectors = [one for one in struct.unpack_from("<109I", content, 76) if one < _FREE]
    following = struct.unpack_from("<I", content, 68)[0]
    for _ in range(most):  # further sectors of the table are listed in a chain of their own
        if following >= _FREE:
            break
        *more, following = struct.unpack_from(f"<{size // 4}I", content, (following + 1) * size)
        sectors += [one for one in more if one < _FREE]
    parts = (content[(one + 1) * size : (one + 2) * size] for one in sectors[:most])
    joined = b"".join(parts)
    return struct.unpack(f"<{len(joined) // 4}I", joined)


def _chain(body: bytes, size: int, table: tuple[int, ...], sector: int) -> bytes:
    """Return the sectors of a chain; one that runs in a circle is cut."""
    parts: list[bytes] = []
    while sector < _FREE and len(parts) <= len(table):
        parts.append(body[sector * size : (sector + 1) * size])
        sector = table[sector]
    return b"".join(parts)


class _Workbook:
    """The records of a workbook: first what holds for all, then sheet by sheet."""

    def __init__(self, stream: bytes) -> None:
        self._stream = stream
        self._formats = {number: kind for number, kind in BUILT_IN.items() if kind == PERCENT}
        self._styles: list[bool] = []
        self._sheets: list[tuple[int, str]] = []

    def marks(self) -> dict[str, Marks]:
        for kind, data in self._records(0):
            if kind == _FORMAT:
                self._format(data)
            elif kind == _XF:
                self._styles.append(struct.unpack_from("<H", data, 2)[0] in self._formats)
            elif kind == _BOUNDSHEET:
                wide = data[7] & 1
                raw = data[8 : 8 + data[6] * (1 + wide)]
                name = raw.decode("utf-16-le" if wide else "latin-1")
                self._sheets.append((struct.unpack_from("<I", data)[0], name))
        return {name: self._sheet(offset) for offset, name in self._sheets}

    def _format(self, data: bytes) -> None:
        number, length, wide = struct.unpack_from("<HHB", data)
        raw = data[5 : 5 + length * (1 + (wide & 1))]
        if shows(raw.decode("utf-16-le" if wide & 1 else "latin-1")) == PERCENT:
            self._formats[number] = PERCENT

    def _records(self, offset: int) -> Iterator[tuple[int, bytes]]:
        """Yield the records from an offset to the end of what begins there."""
        while offset + 4 <= len(self._stream):
            kind, length = struct.unpack_from("<HH", self._stream, offset)
            offset += 4
            if kind == _EOF:
                return
            yield kind, self._stream[offset : offset + length]
            offset += length

    def _sheet(self, offset: int) -> Marks:
        found = Marks({}, set(), set(), set())
        for kind, data in self._records(offset):
            if kind == _ROW and data[12] & _HIDDEN_ROW:
                found.hidden_rows.add(struct.unpack_from("<H", data)[0] + 1)
            elif kind in (_NUMBER, _RK, _FORMULA, _BOOLERR):
                row, place, style = struct.unpack_from("<HHH", data)
                self._cell(found, (row + 1, place), style)
                if kind == _FORMULA:
                    found.formulas.add((row + 1, place))
                error = data[6] if kind == _BOOLERR and data[7] else None
                if kind == _FORMULA and data[12:14] == b"\xff\xff" and data[6] == 2:
                    error = data[8]
                if error is not None:
                    found.errors[row + 1, place] = _ERRORS.get(error, "#?")
            elif kind == _MULRK:
                row, first = struct.unpack_from("<HH", data)
                for number in range((len(data) - 6) // 6):
                    style = struct.unpack_from("<H", data, 4 + 6 * number)[0]
                    self._cell(found, (row + 1, first + number), style)
        return found

    def _cell(self, found: Marks, place: Place, style: int) -> None:
        if style < len(self._styles) and self._styles[style]:
            found.percents.add(place)
