"""Text files as rows of cells: how they are encoded, how they are parted, nothing guessed twice.

UTF-8 and UTF-16 are recognised, anything else has to be stated: a wrong guess makes other names of
them without anybody noticing. A row is counted by the line on which it begins.
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import io
import unicodedata
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final

from app.domain.formulas import unguarded
from app.domain.reading.causes import Unreadable
from app.domain.reading.cells import Row
from app.domain.reading.limits import LONGEST_CELL

# The encodings that may be stated, by the names they go by.
ENCODINGS: Final = {
    "utf-8": "utf-8-sig", "utf8": "utf-8-sig", "utf-8-sig": "utf-8-sig",
    "utf-16": "utf-16", "utf-16le": "utf-16-le", "utf-16-le": "utf-16-le",
    "utf-16be": "utf-16-be", "utf-16-be": "utf-16-be",
    "windows-1258": "cp1258", "cp1258": "cp1258",
    "windows-1252": "cp1252", "cp1252": "cp1252",
    "iso-8859-1": "latin-1", "latin-1": "latin-1",
}  # fmt: skip
_SHOWN: Final = {
    "utf-8-sig": "utf-8", "cp1258": "windows-1258", "cp1252": "windows-1252",
    "latin-1": "iso-8859-1",
}  # fmt: skip
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
DELIMITERS: Final = (",", ";", "\t")
_LOOKED_AT: Final = 1_000  # bytes
_BLOCK: Final = 2**16
csv.field_size_limit(LONGEST_CELL)

Source = Callable[[], BinaryIO]


def shown_encoding(encoding: str) -> str:
    """Return an encoding by the name it is stated with."""
    return _SHOWN.get(encoding, encoding)


def encoding_of(head: bytes, stated: str | None) -> str:
    """Return Python's name of the encoding; raise Unreadable where what is stated cannot be."""
    marked = next((name for mark, name in _MARKS if head.startswith(mark)), None)
    if stated is not None:
        known = ENCODINGS.get(stated.strip().casefold())
        if known is None:
            names = ", ".join(dict.fromkeys(map(shown_encoding, ENCODINGS.values())))
            raise Unreadable("invalid-option", option="encoding", vi=names, en=names)
        if marked is not None and not known.startswith(marked[:6]):
            found = shown_encoding(marked)
            raise Unreadable("encoding-contradicts", declared=stated, found=found)
        return marked or known
    if marked is not None:
        return marked
    return _unmarked(head[:_LOOKED_AT])


def _unmarked(head: bytes) -> str:
    """Tell UTF-16 without a mark by its many noughts, all on one side."""
    even, odd = head[::2].count(0), head[1::2].count(0)
    if max(even, odd) * 4 > len(head) and min(even, odd) * 8 < max(even, odd):
        return "utf-16-le" if odd > even else "utf-16-be"
    return "utf-8-sig"


def lines(source: Source, encoding: str) -> Iterator[str]:
    """Yield lines in NFC; raise Unreadable at the first that is no text in this encoding."""
    reader = io.TextIOWrapper(source(), encoding, errors="strict", newline="")
    number = 0
    try:
        for line in reader:
            number += 1
            if "\x00" in line:
                raise Unreadable("not-text", number)
            yield line if line.isascii() else unicodedata.normalize("NFC", line)
    except UnicodeError as error:
        line_number = _wrong_line(source(), encoding)
        shown = shown_encoding(encoding)
        raise Unreadable("unknown-encoding", line_number, encoding=shown) from error
    finally:
        reader.detach()


def _wrong_line(source: BinaryIO, encoding: str) -> int:
    """Return the line on which a file stops being text; for those above it, blocks are decoded."""
    decoder = codecs.getincrementaldecoder(encoding)()
    line, last = 1, ""
    while True:
        block, state = source.read(_BLOCK), decoder.getstate()
        try:
            text = decoder.decode(block, final=not block)
        except UnicodeError:
            decoder.setstate(state)
            return line + _line_ends(last, _good_part(decoder, block))
        line, last = line + _line_ends(last, text), (last + text)[-1:]
        if not block:
            return line


def _good_part(decoder: codecs.IncrementalDecoder, block: bytes) -> str:
    """Return what can be decoded before the first byte that cannot."""
    found = ""
    try:
        for place in range(len(block)):
            found += decoder.decode(block[place : place + 1])
    except UnicodeError:
        return found
    return found


def _line_ends(last: str, text: str) -> int:
    """Count the ends of lines in a text that follows the character `last`."""
    halved = last == "\r" and text.startswith("\n")
    return text.count("\n") + text.count("\r") - text.count("\r\n") - halved


def rows(source: Iterator[str], delimiter: str, first: int = 1) -> Iterator[tuple[int, Row]]:
    """Yield the line on which a row begins, and its cells; raise Unreadable for what is no CSV."""
    reader = csv.reader(source, delimiter=delimiter, strict=True)
    begins = first
    try:
        for cells in reader:
            guarded = any(cell.startswith("'") for cell in cells)
            row: Row = list(map(unguarded, cells)) if guarded else list(cells)
            yield begins, row
            begins = first + reader.line_num
    except csv.Error as error:
        raise Unreadable("not-csv", begins) from error


def delimiter_of(sample: list[str], fitness: Callable[[list[Row]], int]) -> str:
    """Return what parts the cells: what makes the best header of the first lines.

    Where no header is found it is what parts most lines into equally many cells. Quoted cells may
    hold any of the marks, so the lines are read, not counted.
    """

    def fits(delimiter: str) -> tuple[int, int, int]:
        found: list[Row] = []
        with contextlib.suppress(Unreadable):  # a cell over lines may be cut off by the sample
            found.extend(cells for _, cells in rows(iter(sample), delimiter))
        widths = [len(cells) for cells in found if len(cells) > 1]
        usual = max(set(widths), key=widths.count, default=0)
        return fitness(found), widths.count(usual), usual

    return max(DELIMITERS, key=fits)
