"""What a file of evidence is, by its content: a few kinds that people need, each looked into.

A file must be what it says, and nothing besides: one that a browser or an archiver could take for
something else, or that could do something when it is opened, is refused. Little is unpacked for
that: small parts of documents.
"""

from __future__ import annotations

import codecs
import mmap
import re
from collections.abc import Callable, Mapping
from typing import IO, Final

from app.domain.evidence import packed
from app.domain.evidence.faults import DAMAGED, LOCKED, UNSAFE, refused, unknown
from app.domain.own_files import XLSX

PDF: Final = "application/pdf"
PNG: Final = "image/png"
JPEG: Final = "image/jpeg"
TIFF: Final = "image/tiff"
WEBP: Final = "image/webp"
CSV: Final = "text/csv"
TEXT: Final = "text/plain"
# Every kind that is taken, and how the names of such files end.
ENDINGS: Final[Mapping[str, tuple[str, ...]]] = {
    PDF: (".pdf",),
    PNG: (".png",),
    JPEG: (".jpg", ".jpeg"),
    TIFF: (".tif", ".tiff"),
    WEBP: (".webp",),
    packed.DOCX: (".docx",),
    XLSX: (".xlsx",),
    packed.ODT: (".odt",),
    packed.ODS: (".ods",),
    CSV: (".csv",),
    TEXT: (".txt",),
}

_WINDOW: Final = 2**20  # other threads have their turn between two of them
_OVERLAP: Final = 64
_TAIL: Final = 2**16 + 22  # where a zip may end: its last record, and the longest comment
_MOST_CHUNKS: Final = 2**16
_LOOKED_AT: Final = 1_024

# What a browser, or a server, would run wherever it stands. Long enough that the noise of a large
# picture does not look like it: the shorter ones mean something in a text alone.
_SCRIPT: Final = re.compile(
    rb"<(?:\?php\s|script[\s>/]|html[\s>]|iframe[\s>]|!doctype\s)", re.IGNORECASE
)
_SCRIPT_IN_TEXT: Final = re.compile(rb"<(?:\?=|\?xml\s|svg[\s>]|%[=@\s])", re.IGNORECASE)


def _named(*names: str) -> bytes:
    """Return the pattern of names in a PDF: each letter is written as itself, or as #4a."""
    return b"|".join(
        "".join(f"(?:{letter}|#(?i:{ord(letter):02x}))" for letter in name).encode()
        for name in names
    )


# What a PDF does by itself, or carries along; XFA is short, what follows tells it from noise.
_ACTIVE: Final = re.compile(
    rb"/(?=[#A-Z])(?:(?:%b)(?![A-Za-z0-9])|(?:%b)(?=[\0\s\[<%%]))"
    % (
        _named("JavaScript", "Launch", "EmbeddedFile", "EmbeddedFiles", "RichMedia"),
        _named("XFA"),
    )
)
_ENCRYPTED: Final = re.compile(rb"/(?:%b)(?![A-Za-z0-9])" % _named("Encrypt"))
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f\x7f]|\xc2[\x80-\x9f]")
_COMMAND: Final = (b"#!", b"<", b"%!", b"@echo", b"{\\rtf")
_PROGRAM: Final = (
    b"MZ", b"\x7fELF", b"\xca\xfe\xba\xbe", b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe",
    b"\xfe\xed\xfa\xce", b"\xfe\xed\xfa\xcf", b"\0asm",
)  # fmt: skip
_MARKER: Final = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # in a JPEG, after what is picture


def media_of(file: IO[bytes], name: str) -> str:
    """Return what an open file is, which its name must say too; raise Refused.

    `name` is that of the file, for its ending. Takes time: call it in a thread.
    """
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        ending = name[name.rfind(".") :].lower() if "." in name else ""
        media = _recognised(content, file, ending)
        if ending not in ENDINGS[media]:
            raise unknown(media)
        return media


def _recognised(content: mmap.mmap, file: IO[bytes], ending: str) -> str:
    for beginning, media, look in _KINDS:
        if content[: len(beginning)] == beginning:
            look(content)
            _check_alone(content, media)
            return media
    if content[:4] == packed.BEGINNING:
        return packed.media_of(file, content)
    if content[:8].startswith(_PROGRAM) and _find(_CONTROL, content) >= 0:
        raise refused(UNSAFE)
    return _text(content, ending)


def _check_alone(content: mmap.mmap, media: str) -> None:
    """Raise Refused for what is a script, a zip or a PDF besides."""
    tail = content[-_TAIL:]
    end = tail.rfind(packed.END)
    is_zip = end >= 0 and tail.rfind(packed.ENTRY, 0, end) >= 0
    is_pdf = media != PDF and b"%PDF-" in content[:_LOOKED_AT]
    if is_zip or is_pdf or _find(_SCRIPT, content) >= 0:
        raise refused(UNSAFE)


def _pdf(content: mmap.mmap) -> None:
    end = content.rfind(b"%%EOF")
    if end < 0:
        raise refused(DAMAGED)
    if _find(_ENCRYPTED, content) >= 0:  # even where it opens without: nobody can look into it
        raise refused(LOCKED)
    if (
        len(content) - end > _TAIL
        or content[end + 5 :].strip(b"\0\t\n\f\r ")
        or _find(_ACTIVE, content) >= 0
    ):
        raise refused(UNSAFE)


def _png(content: mmap.mmap) -> None:
    position = 8
    for _ in range(_MOST_CHUNKS):
        kind = content[position + 4 : position + 8]
        position += 12 + int.from_bytes(content[position : position + 4], "big")
        if len(kind) < 4 or position > len(content):
            raise refused(DAMAGED)
        if kind == b"IEND":
            break
    if position != len(content):
        raise refused(UNSAFE)


def _jpeg(content: mmap.mmap) -> None:
    """Find the end of the picture; telephones append more pictures, a film, or Samsung's data."""
    position = 2
    for _ in range(_MOST_CHUNKS):
        position = _find(_MARKER, content, position)
        if position < 0:
            raise refused(DAMAGED)
        if content[position + 1] == 0xD9:
            break
        position += 2 + int.from_bytes(content[position + 2 : position + 4], "big")
    else:
        raise refused(UNSAFE)
    rest = content[position + 2 : position + 2 + _LOOKED_AT]
    is_film = rest[4:8] == b"ftyp"
    known = rest.startswith(b"\xff\xd8\xff") or is_film or content[-4:] == b"SEFT"
    if rest.strip(b"\0\r\n") and not known:
        raise refused(UNSAFE)


def _tiff(content: mmap.mmap) -> None:
    first = int.from_bytes(content[4:8], "little" if content[:1] == b"I" else "big")
    if not 8 <= first < len(content):
        raise refused(DAMAGED)


def _webp(content: mmap.mmap) -> None:
    size = 8 + int.from_bytes(content[4:8], "little")
    if content[8:12] != b"WEBP":
        raise unknown()
    if size != len(content):
        raise refused(DAMAGED if size > len(content) else UNSAFE)


def _text(content: mmap.mmap, ending: str) -> str:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(content), _WINDOW):
            decoder.decode(content[start : start + _WINDOW])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise unknown() from None
    if _find(_CONTROL, content) >= 0:
        raise unknown()
    beginning = content[:_LOOKED_AT].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if beginning.startswith(_COMMAND) or _find(_SCRIPT_IN_TEXT, content) >= 0:
        raise refused(UNSAFE)
    media = CSV if ending in ENDINGS[CSV] else TEXT
    _check_alone(content, media)
    return media


def _find(pattern: re.Pattern[bytes], content: mmap.mmap, start: int = 0) -> int:
    """Return where a pattern is first found, or -1; no match is longer than the overlap."""
    while start < len(content):
        found = pattern.search(content, start, start + _WINDOW)
        if found is not None:
            return found.start()
        start += _WINDOW - _OVERLAP
    return -1


_KINDS: Final[tuple[tuple[bytes, str, Callable[[mmap.mmap], None]], ...]] = (
    (b"%PDF-", PDF, _pdf),
    (b"\x89PNG\r\n\x1a\n", PNG, _png),
    (b"\xff\xd8\xff", JPEG, _jpeg),
    (b"II*\0", TIFF, _tiff),
    (b"MM\0*", TIFF, _tiff),
    (b"RIFF", WEBP, _webp),
)
