"""What a file is by what stands in it, and whether it is safe to open.

A workbook is a zip of XML: its directory tells how much it unpacks to before anything is unpacked.
"""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from typing import BinaryIO, Final, cast
from xml.parsers import expat

from app.domain.reading.causes import Unreadable
from app.domain.reading.limits import MOST_RATIO, MOST_UNPACKED, SMALL

CSV: Final = "csv"
TSV: Final = "tsv"
NDJSON: Final = "ndjson"
GZIP: Final = "gzip"
XLSX: Final = "xlsx"
XLS: Final = "xls"
TEXT: Final = "text"
# What a sender may declare a file to be; TEXT is what is found, to be looked at more closely.
MEDIA: Final = (CSV, TSV, NDJSON, GZIP, XLSX, XLS)

# What libraries raise over a zip or an XML that is none: they trust what they read in it.
DAMAGE: Final = (
    zipfile.BadZipFile,
    zlib.error,
    expat.ExpatError,
    EOFError,
    OSError,
    LookupError,
    ValueError,
    NotImplementedError,
)

_MOST_ENTRIES: Final = 1_000
_LOOKED_AT: Final = 4_096
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED: Final = "EncryptedPackage".encode("utf-16-le")
_NO_TABLES: Final = (
    (b"%PDF", "tệp PDF", "a PDF"),
    (b"{\\rtf", "tệp RTF", "an RTF document"),
    (
        b"<",
        "trang HTML hoặc XML (dù tên có thể là .xls)",
        "an HTML or XML page (even if named .xls)",
    ),
    (b"Rar!", "tệp nén RAR", "a RAR archive"),
    (b"7z\xbc\xaf", "tệp nén 7z", "a 7z archive"),
)
# What a zip is that is no .xlsx, by a name in its directory; the first that is there decides.
_OTHER_ZIPS: Final = (
    ("xl/vbaProject.bin", "tệp bảng tính có macro (.xlsm)", "a workbook with macros (.xlsm)"),
    ("xl/workbook.bin", "tệp bảng tính nhị phân (.xlsb)", "a binary workbook (.xlsb)"),
    ("word/document.xml", "tài liệu Word (.docx)", "a Word document (.docx)"),
    ("ppt/presentation.xml", "bài trình chiếu (.pptx)", "a presentation (.pptx)"),
    ("META-INF/MANIFEST.MF", "tệp Java (.jar)", "a Java archive (.jar)"),
    ("content.xml", "tài liệu OpenDocument (.ods, .odt)", "an OpenDocument file (.ods, .odt)"),
)
_MACROS: Final = b"macroEnabled"


def kind_of(file: BinaryIO, media: str | None) -> str:
    """Return TEXT, GZIP, XLSX or XLS; raise Unreadable for others, and where `media` is another."""
    file.seek(0)
    head = file.read(_LOOKED_AT)
    file.seek(0)
    if not head:
        raise Unreadable("empty-file")
    found = _by_head(head)
    allowed = {CSV: TEXT, TSV: TEXT, NDJSON: TEXT}.get(media or found, media)
    if found != allowed and media is not None:
        raise Unreadable("media-contradicts", declared=media, found=found)
    return found


def _by_head(head: bytes) -> str:
    if head.startswith(b"PK\x03\x04"):
        return XLSX
    if head.startswith(_OLE):
        return XLS
    if head.startswith(b"\x1f\x8b"):
        return GZIP
    for beginning, vi, en in _NO_TABLES:
        if head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(beginning):
            raise Unreadable("unsupported-file", vi=vi, en=en)
    return TEXT


class Unpacking(io.RawIOBase):
    """The content of a gzip file, as far as it is safe; raises Unreadable where it is not."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        file.seek(0, io.SEEK_END)
        self._most = min(MOST_UNPACKED, max(SMALL, MOST_RATIO * file.tell()))
        file.seek(0)
        self._unpacked = 0
        self._source = gzip.GzipFile(fileobj=file, mode="rb")

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def readinto(self, buffer: object) -> int:
        """Fill a buffer with what comes next."""
        view = memoryview(cast(bytearray, buffer))
        try:
            content = self._source.read(len(view))
        except DAMAGE as error:
            raise Unreadable("damaged-file") from error
        self._unpacked += len(content)
        if self._unpacked > self._most:
            raise Unreadable("unsafe-file")
        view[: len(content)] = content
        return len(content)


def unpacked(file: BinaryIO) -> BinaryIO:
    """Return the text in a gzip file from its beginning; raise Unreadable for anything else."""
    source = io.BufferedReader(Unpacking(file), 2**16)
    if _by_head(source.peek(_LOOKED_AT)[:_LOOKED_AT]) != TEXT:
        raise Unreadable("unsupported-file", vi="một tệp nén trong tệp gzip", en="packed twice")
    return cast(BinaryIO, source)


def workbook(file: BinaryIO) -> zipfile.ZipFile:
    """Open the zip of a workbook; raise Unreadable for one that is none, or is a bomb."""
    try:
        opened = zipfile.ZipFile(file)
    except DAMAGE as error:
        raise Unreadable("damaged-file") from error
    file.seek(0, io.SEEK_END)
    check_size(opened.infolist(), file.tell())
    names = set(opened.namelist())
    for name, vi, en in _OTHER_ZIPS:
        if name in names:
            raise Unreadable("unsupported-file", vi=vi, en=en)
    if "[Content_Types].xml" not in names:
        raise Unreadable("unsupported-file", vi="tệp nén ZIP", en="a ZIP archive")
    if _MACROS in part(opened, "[Content_Types].xml"):
        _, vi, en = _OTHER_ZIPS[0]
        raise Unreadable("unsupported-file", vi=vi, en=en)
    return opened


def check_size(entries: list[zipfile.ZipInfo], size: int) -> None:
    """Raise Unreadable where a zip has too much in it, more than once, or behind a password."""
    total = sum(one.file_size for one in entries)
    packed = sum(one.compress_size for one in entries)
    if len(entries) > _MOST_ENTRIES or total > MOST_UNPACKED or packed > size:
        raise Unreadable("unsafe-file")
    for one in entries:
        if one.flag_bits & 1:
            raise Unreadable("encrypted-file")
        if one.file_size > SMALL and one.file_size > MOST_RATIO * one.compress_size:
            raise Unreadable("unsafe-file")


def part(opened: zipfile.ZipFile, name: str) -> bytes:
    """Return a small part of a workbook; raise Unreadable where it is damaged or no small one."""
    try:
        if opened.getinfo(name).file_size > SMALL:
            raise Unreadable("unsafe-file")
        return opened.read(name)
    except DAMAGE as error:
        raise Unreadable("damaged-file") from error


def check_old_workbook(content: bytes) -> None:
    """Raise Unreadable for what looks like an .xls and is none: encrypted, or another document."""
    if _ENCRYPTED in content:
        raise Unreadable("encrypted-file")
    if not any(name.encode("utf-16-le") in content for name in ("Workbook", "Book")):
        raise Unreadable("unsupported-file", vi="tài liệu Office cũ", en="another old Office file")
