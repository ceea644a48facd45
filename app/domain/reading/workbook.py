"""The parts of an .xlsx around its sheets: which sheets there are, formats, shared texts.

Everything is XML read by expat as it is unpacked. A document type is refused wherever it stands:
no honest workbook has one, and without it there are no entities to expand and none to fetch.
"""

from __future__ import annotations

import posixpath
import re
import unicodedata
import zipfile
from collections.abc import Callable, Iterator
from typing import Final
from xml.parsers import expat

import msgspec

from app.domain.reading.causes import Unreadable
from app.domain.reading.container import DAMAGE
from app.domain.reading.limits import LONGEST_CELL, LONGEST_TEXT, MOST_COLUMNS

_BLOCK: Final = 2**16
_STRINGS: Final = "xl/sharedStrings.xml"
_STYLES: Final = "xl/styles.xml"
_WORKBOOK: Final = "xl/workbook.xml"
_RELATIONS: Final = "xl/_rels/workbook.xml.rels"
_MOST_STYLES: Final = 65_536
PERCENT: Final = "percent"
DATE: Final = "date"
BUILT_IN: Final = {9: PERCENT, 10: PERCENT} | dict.fromkeys(
    (*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)), DATE
)
_QUOTED: Final = re.compile(r'"[^"]*"|\\.|_.|\*.|\[[^\]]*\]')
_ESCAPED: Final = re.compile(r"_x([0-9A-Fa-f]{4})_")

Pulse = Callable[[], None]
Start = Callable[[str, dict[str, str]], None]


class SheetPart(msgspec.Struct, frozen=True):
    """A sheet of a workbook: its name, whether it can be seen, and where it stands."""

    name: str
    visible: bool
    part: str


def parse(
    opened: zipfile.ZipFile,
    name: str,
    begin: Callable[[expat.XMLParserType], None],
    pulse: Pulse | None = None,
) -> None:
    """Parse a part of a workbook; `begin` sets the handlers, `pulse` is called now and then.

    Raises Unreadable for what is none.
    """
    for _ in parsed(opened, name, begin):
        if pulse is not None:
            pulse()


def parsed(
    opened: zipfile.ZipFile, name: str, begin: Callable[[expat.XMLParserType], None]
) -> Iterator[None]:
    """Parse a part of a workbook block by block; raise Unreadable where it is no safe XML."""
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    parser.buffer_text = True
    begin(parser)
    try:
        with opened.open(name) as source:
            while block := source.read(_BLOCK):
                parser.Parse(block, False)
                yield
            parser.Parse(b"", True)
    except DAMAGE as error:
        raise Unreadable("damaged-file") from error


def _refuse(*_: object) -> None:
    raise Unreadable("unsafe-file")


def local(name: str) -> str:
    """Return the name of an element or attribute without its prefix."""
    return name.rpartition(":")[2]


def sheets(opened: zipfile.ZipFile) -> tuple[list[SheetPart], bool]:
    """Return the sheets in their order, and whether days are counted from 1904."""
    targets: dict[str, str] = {}
    found: list[SheetPart] = []
    from_1904 = False

    def relation(name: str, attributes: dict[str, str]) -> None:
        if local(name) == "Relationship" and attributes["Type"].endswith("/worksheet"):
            targets[attributes["Id"]] = _target(attributes["Target"])

    def sheet(name: str, attributes: dict[str, str]) -> None:
        nonlocal from_1904
        if local(name) == "workbookPr":
            from_1904 = attributes.get("date1904") in ("1", "true")
        if local(name) == "sheet":
            id_ = next((value for key, value in attributes.items() if key.endswith(":id")), "")
            if id_ in targets:
                visible = attributes.get("state", "visible") == "visible"
                name = unicodedata.normalize("NFC", attributes["name"])
                found.append(SheetPart(name, visible, targets[id_]))

    parse(opened, _RELATIONS, _starting(relation))
    parse(opened, _WORKBOOK, _starting(sheet))
    return found, from_1904


def _target(text: str) -> str:
    return text[1:] if text.startswith("/") else posixpath.normpath(posixpath.join("xl", text))


def _starting(handler: Start) -> Callable[[expat.XMLParserType], None]:
    def begin(parser: expat.XMLParserType) -> None:
        parser.StartElementHandler = handler

    return begin


def styles(opened: zipfile.ZipFile) -> list[str | None]:
    """Return for each style of cells whether it shows a percentage or a date."""
    if _STYLES not in opened.namelist():
        return []
    formats: dict[int, str | None] = dict(BUILT_IN)
    found: list[str | None] = []
    inside = False

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal inside
        plain = local(name)
        if plain == "numFmt":
            formats[int(attributes["numFmtId"])] = shows(attributes.get("formatCode", ""))
        elif plain == "cellXfs":
            inside = True
        elif plain == "xf" and inside and len(found) < _MOST_STYLES:
            found.append(formats.get(int(attributes.get("numFmtId", 0))))

    def end(name: str) -> None:
        nonlocal inside
        if local(name) == "cellXfs":
            inside = False

    def begin(parser: expat.XMLParserType) -> None:
        parser.StartElementHandler, parser.EndElementHandler = start, end

    parse(opened, _STYLES, begin)
    return found


def shows(code: str) -> str | None:
    """Return what a number format shows: a percentage, a date, or neither."""
    bare = _QUOTED.sub("", code).casefold()
    if "%" in bare:
        return PERCENT
    return DATE if any(letter in bare for letter in "ymdh") and "general" not in bare else None


class Strings:
    """Reads the shared texts of a workbook."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._parts: list[str] = []
        self._taking, self._aside, self._total = False, False, 0

    def begin(self, parser: expat.XMLParserType) -> None:
        """Set the handlers."""
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.CharacterDataHandler = self._text

    def _start(self, name: str, _: dict[str, str]) -> None:
        plain = local(name)
        if plain == "rPh":  # how the text is pronounced
            self._aside = True
        self._taking = plain == "t" and not self._aside

    def _text(self, text: str) -> None:
        if self._taking:
            self._total += len(text)
            if self._total > LONGEST_TEXT:
                raise Unreadable("unsafe-file")
            self._parts.append(text)

    def _end(self, name: str) -> None:
        plain = local(name)
        self._taking = False
        if plain == "rPh":
            self._aside = False
        elif plain == "si":
            self.found.append(text("".join(self._parts)))
            self._parts.clear()


def strings(opened: zipfile.ZipFile, pulse: Pulse) -> list[str]:
    """Return the shared texts of a workbook."""
    reader = Strings()
    if _STRINGS in opened.namelist():
        parse(opened, _STRINGS, reader.begin, pulse)
    return reader.found


def text(raw: str) -> str:
    """Return text as it was typed, in NFC; raise Unreadable where it is too long for a cell."""
    if len(raw) > LONGEST_CELL:
        raise Unreadable("long-cell", most=LONGEST_CELL)
    if "_x" in raw:
        raw = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), raw)
    return raw if raw.isascii() else unicodedata.normalize("NFC", raw)


_COLUMN: Final = re.compile(r"[A-Z]{1,3}")
_known_columns: Final[dict[str, int]] = {}


def column(letters: str) -> int:
    """Return the number of a column from 0; raise Unreadable for one far out, of a sparse sheet."""
    found = _known_columns.get(letters)
    if found is None:
        if not _COLUMN.fullmatch(letters):
            raise Unreadable("damaged-file")
        found = 0
        for letter in letters:
            found = found * 26 + ord(letter) - 64
        found -= 1
        if found >= MOST_COLUMNS:
            raise Unreadable("unsafe-file")
        _known_columns[letters] = found
    return found
