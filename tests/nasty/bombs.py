"""Files made to do harm, damaged ones, and ones that are not what they say."""

from __future__ import annotations

import gzip
import struct
import zipfile
import zlib
from typing import Final

from nasty.packing import TYPES, book, parts, row, sheet, zipped
from nasty.shapes import CSV, GZIP, UNDECLARED, XLS, XLSX, Nasty, lines

_ROWS: Final = row(1, "unit", "period", "source", "x") + row(2, "07894", 2024, "BC", 1)
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_LAUGHS: Final = (
    '<!DOCTYPE w [<!ENTITY a "ha ha ha ha">'
    + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9))
    + "]>"
)
_EXTERNAL: Final = '<!DOCTYPE w [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
_PLAIN: Final = lines("unit,period,indicator,value,source", "07894,2024,x,1,BC").encode()


def _filled(name: str, content: bytes) -> bytes:
    """A workbook with one part that unpacks to much more than it is."""
    return zipped(parts({"S": sheet(_ROWS)}) | {name: content})


def _swollen_text() -> bytes:
    """One shared text of three million letters: small enough for any rule about ratios."""
    return zipped(
        parts({"S": sheet(_ROWS)}, strings=f"<si><t>{'a' * 3_000_000}</t></si>")
        | {"xl/worksheets/sheet1.xml": sheet('<row r="1"><c r="A1" t="s"><v>0</v></c></row>')}
    )


def _many_cells() -> bytes:
    """Millions of cells that pack to nothing."""
    cells = "".join(f"<c><v>{n}</v></c>" for n in range(100))
    return zipped(parts({"S": sheet(f"<row>{cells}</row>" * 20_000)}))


def _lying() -> bytes:
    """A zip whose directory says that a large part is a small one."""
    packed = _filled("xl/sharedStrings.xml", b"<a>" + b" " * 30_000_000 + b"</a>")
    size = struct.pack("<I", 30_000_007)
    return packed.replace(size, struct.pack("<I", 1_000))


def _encrypted() -> bytes:
    """A zip with the mark of encryption on every part."""
    packed = bytearray(book(_ROWS))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = packed.find(mark)
        while place >= 0:
            packed[place + offset] |= 1
            place = packed.find(mark, place + 1)
    return bytes(packed)


def _overlapping() -> bytes:
    """A directory that lists one part a thousand times under other names."""
    packed = zipped(parts({"S": sheet(_ROWS)}) | {"xl/media/a": bytes(range(256)) * 4_000})
    start, end = packed.index(b"PK\x01\x02"), packed.rindex(b"PK\x05\x06")
    entries = packed[start:end]
    media = entries[entries.rindex(b"PK\x01\x02") :]
    more = b"".join(media.replace(b"media/a", b"%07d" % n) for n in range(900))
    tail = bytearray(packed[end:])
    count = struct.unpack_from("<H", tail, 10)[0] + 900
    struct.pack_into("<HHI", tail, 8, count, count, len(entries + more))
    return packed[:end] + more + bytes(tail)


def _office(*names: str) -> bytes:
    return zipped({"[Content_Types].xml": TYPES} | dict.fromkeys(names, "x"))


def _old(*names: str) -> bytes:
    """The beginning of an old Office file with streams of these names, and nothing in them."""
    listed = b"".join(name.encode("utf-16-le").ljust(128, b"\x00") for name in names)
    return _OLE.ljust(512, b"\x00") + listed


_UNSAFE: Final = ("unsafe-file",)
_DAMAGED: Final = ("damaged-file",)
_OTHER: Final = ("unsupported-file",)

FILES: Final = (
    Nasty(
        "a zip bomb",
        lambda: _filled("xl/sharedStrings.xml", b"a" * 60_000_000),
        XLSX,
        faults=_UNSAFE,
    ),
    Nasty("a gzip bomb", lambda: gzip.compress(b"a" * 60_000_000, 1), GZIP, faults=_UNSAFE),
    Nasty(
        "a gzip bomb in ten thousand members",
        lambda: (
            gzip.compress(b"unit,period,source,indicator,value\n")
            + gzip.compress(b" " * 6_000 + b"\n") * 10_000
        ),
        GZIP,
        faults=_UNSAFE,
    ),
    Nasty(
        "an entity bomb",
        lambda: zipped(parts({"S": sheet(_ROWS.replace("BC", "&j;"), doctype=_LAUGHS)})),
        XLSX,
        faults=_UNSAFE,
    ),
    Nasty(
        "an entity from outside",
        lambda: zipped(parts({"S": sheet(_ROWS.replace("BC", "&x;"), doctype=_EXTERNAL)})),
        XLSX,
        faults=_UNSAFE,
    ),
    Nasty(
        "an entity from outside in the list of sheets",
        lambda: zipped(
            (found := parts({"S": sheet(_ROWS)}))
            | {"xl/workbook.xml": _EXTERNAL + str(found["xl/workbook.xml"])}
        ),
        XLSX,
        faults=_UNSAFE,
    ),
    Nasty(
        "two cells a world apart",
        lambda: book(_ROWS, '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'),
        XLSX,
        faults=_UNSAFE,
    ),
    Nasty(
        "rows below the end of all sheets",
        lambda: book(_ROWS, '<row r="99999999"/>'),
        XLSX,
        faults=("too-many-rows",),
    ),
    Nasty("millions of cells", _many_cells, XLSX, faults=_UNSAFE),
    Nasty("a text of millions of letters", _swollen_text, XLSX, faults=("long-cell",)),
    Nasty(
        "a cell of millions of letters",
        lambda: _PLAIN + b'07897,2024,"' + b"a" * 3_000_000,
        CSV,
        faults=("not-csv",),
    ),
    Nasty("a directory that lies about sizes", _lying, XLSX, faults=_DAMAGED),
    Nasty("a directory that lists a part many times", _overlapping, XLSX, faults=_UNSAFE),
    Nasty("a workbook cut off", lambda: book(_ROWS)[:-200], XLSX, faults=_DAMAGED),
    Nasty(
        "a workbook with a broken sheet",
        lambda: zipped(parts({"S": sheet(_ROWS)[:-30]})),
        XLSX,
        faults=_DAMAGED,
    ),
    Nasty(
        "a shared text that is not there",
        lambda: zipped(parts({"S": sheet('<row r="1"><c r="A1" t="s"><v>7</v></c></row>')})),
        XLSX,
        faults=_DAMAGED,
    ),
    Nasty(
        "a workbook with a password",
        lambda: _old("EncryptedPackage"),
        UNDECLARED,
        faults=("encrypted-file",),
    ),
    Nasty("a zip with a password", _encrypted, XLSX, faults=("encrypted-file",)),
    Nasty("a document as a workbook", lambda: _office("word/document.xml"), XLSX, faults=_OTHER),
    Nasty("an OpenDocument", lambda: _office("mimetype", "content.xml"), XLSX, faults=_OTHER),
    Nasty(
        "a program",
        lambda: zipped({"META-INF/MANIFEST.MF": "x", "A.class": "x"}),
        UNDECLARED,
        faults=_OTHER,
    ),
    Nasty(
        "a workbook with macros",
        lambda: _office("xl/workbook.xml", "xl/vbaProject.bin"),
        XLSX,
        faults=_OTHER,
    ),
    Nasty("a binary workbook", lambda: _office("xl/workbook.bin"), UNDECLARED, faults=_OTHER),
    Nasty(
        "a zip of CSV",
        lambda: zipped({"a.csv": _PLAIN}, zipfile.ZIP_STORED),
        UNDECLARED,
        faults=_OTHER,
    ),
    Nasty(
        "a PDF that is a workbook too",
        lambda: b"%PDF-1.7\n" + book(_ROWS),
        UNDECLARED,
        faults=_OTHER,
    ),
    Nasty(
        "a page named .xls",
        lambda: b"\r\n<html><table><tr><td>07894</td></tr></table>",
        UNDECLARED,
        faults=_OTHER,
    ),
    Nasty(
        "an old workbook of noise",
        lambda: _old("Workbook") + zlib.compress(_PLAIN * 99),
        XLS,
        faults=_DAMAGED,
    ),
    Nasty("an old letter", lambda: _old("WordDocument"), XLS, faults=_OTHER),
    Nasty("a workbook declared as CSV", lambda: book(_ROWS), CSV, faults=("media-contradicts",)),
    Nasty("gzip cut off", lambda: gzip.compress(_PLAIN * 999)[:-9], GZIP, faults=_DAMAGED),
    Nasty(
        "gzip with something behind it",
        lambda: gzip.compress(_PLAIN) + book(_ROWS),
        GZIP,
        faults=_DAMAGED,
    ),
    Nasty("gzip of a workbook", lambda: gzip.compress(book(_ROWS)), GZIP, faults=_OTHER),
)
