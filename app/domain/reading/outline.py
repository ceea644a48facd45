"""What stands in a sheet of an .xlsx before and after its rows: merged cells, hidden columns.

Merged cells are told only after the rows that they change. So the rows are passed over unparsed
first, and what is around them is parsed as one small sheet without rows.
"""

from __future__ import annotations

import re
import zipfile
from typing import IO, Final
from xml.parsers import expat

import msgspec

from app.domain.reading.causes import Unreadable
from app.domain.reading.container import DAMAGE
from app.domain.reading.limits import SMALL
from app.domain.reading.workbook import Pulse, local

Block = tuple[
    int, int, int, int
]  # first row (from 1), first column (from 0), last row, last column

_BEGIN: Final = re.compile(rb"<(?:[A-Za-z0-9_.-]+:)?sheetData\s*(/?)>")
_END: Final = re.compile(rb"</(?:[A-Za-z0-9_.-]+:)?sheetData\s*>")
_LONGEST_TAG: Final = 200
_BLOCK: Final = 2**18
_REFERENCE: Final = re.compile(r"\$?([A-Z]{1,3})\$?([0-9]{1,7}):\$?([A-Z]{1,3})\$?([0-9]{1,7})")
_MOST_BLOCKS: Final = 100_000


class Outline(msgspec.Struct):
    """Merged blocks of cells in the order of their rows, and how many columns are hidden."""

    merged: list[Block] = []
    hidden_columns: int = 0


def outline(opened: zipfile.ZipFile, part: str, pulse: Pulse) -> Outline:
    """Return what stands around the rows of a sheet; raise Unreadable where it is damaged."""
    try:
        with opened.open(part) as source:
            head, rest = _until(source, b"", _BEGIN, pulse, kept=True)
            if not head.rstrip(b" \r\n\t>").endswith(b"/"):
                _, rest = _until(source, rest, _END, pulse, kept=False)
            begun = _BEGIN.search(head)
            tail = rest + source.read(SMALL)
            if begun is None or source.read(1):
                raise Unreadable("unsafe-file")
    except DAMAGE as error:
        raise Unreadable("damaged-file") from error
    return _read(head[: begun.start()] + tail)


def _until(
    source: IO[bytes], found: bytes, mark: re.Pattern[bytes], pulse: Pulse, *, kept: bool
) -> tuple[bytes, bytes]:
    """Return what stands up to the end of a mark (as far as it is kept), and what was read on."""
    while True:
        if at := mark.search(found):
            return found[: at.end()], found[at.end() :]
        if kept and len(found) > SMALL:
            raise Unreadable("unsafe-file")
        pulse()
        block = source.read(_BLOCK)
        if not block:
            raise Unreadable("damaged-file")
        found = (found if kept else found[-_LONGEST_TAG:]) + block


def _read(xml: bytes) -> Outline:
    found = Outline()

    def refuse(*_: object) -> None:
        raise Unreadable("unsafe-file")

    def start(name: str, attributes: dict[str, str]) -> None:
        plain = local(name)
        if plain == "mergeCell":
            found.merged.append(_block(attributes.get("ref", "")))
            if len(found.merged) > _MOST_BLOCKS:
                raise Unreadable("unsafe-file")
        elif plain == "col" and attributes.get("hidden") in ("1", "true"):
            found.hidden_columns += 1

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    parser.StartElementHandler = start
    try:
        parser.Parse(xml, True)
    except DAMAGE as error:
        raise Unreadable("damaged-file") from error
    found.merged.sort()
    return found


def _block(reference: str) -> Block:
    at = _REFERENCE.fullmatch(reference)
    if at is None:
        raise Unreadable("damaged-file")
    return int(at[2]), _number(at[1]), int(at[4]), _number(at[3])


def _number(letters: str) -> int:
    """Return the number of a column from 0, however far out: a block says nothing by itself."""
    found = 0
    for letter in letters:
        found = found * 26 + ord(letter) - 64
    return found - 1
