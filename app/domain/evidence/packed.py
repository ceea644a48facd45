"""Documents that are zip files: .docx, .xlsx, .odt, .ods.

Their directory is looked at, and in .docx and .xlsx what their parts lead to.
"""

from __future__ import annotations

import mmap
import re
import struct
import zipfile
from typing import IO, Final
from xml.parsers import expat

from app.domain.evidence.faults import DAMAGED, LOCKED, UNSAFE, refused, unknown
from app.domain.own_files import XLSX
from app.domain.reading import container, workbook
from app.domain.reading.causes import Unreadable
from app.domain.reading.limits import SMALL
from app.domain.refusals import Refused

DOCX: Final = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
ODT: Final = "application/vnd.oasis.opendocument.text"
ODS: Final = "application/vnd.oasis.opendocument.spreadsheet"
BEGINNING: Final = b"PK\x03\x04"
ENTRY: Final = b"PK\x01\x02"
END: Final = b"PK\x05\x06"

_LONG: Final = b"PK\x06\x07"  # the end of a zip of more than 4 GB stands elsewhere
_LAST: Final = struct.Struct("<4s4H2LH")
_LARGEST_DIRECTORY: Final = 2**20  # bytes; honest documents have some dozens of entries
_OPEN_XML: Final = {"word/document.xml": DOCX, "xl/workbook.xml": XLSX}
_ACTIVE: Final = re.compile(
    r"(^|/)vba\w*\.(bin|xml)$|(^|/)activex/|/oleobject[^/]*$|^basic/|^scripts/|^object [^/]*/basic/"
    r"|\.(exe|dll|com|scr|msi|bat|cmd|ps1|vbs|js|hta|jar|lnk|sh|php|html?|svg)$"
)
# What a program fetches as soon as it opens the document; a link waits until somebody follows it.
_FETCHED: Final = ("attachedtemplate", "frame", "oleobject")
_ESCAPING: Final = re.compile(r"(^|[/\\])\.\.([/\\]|$)|^[/\\]|[\\:\0]")


def media_of(file: IO[bytes], content: mmap.mmap) -> str:
    """Return which document an open zip is; raise Refused for other zips, and for unsafe ones."""
    _check_frame(content)
    try:
        opened = zipfile.ZipFile(file)
        container.check_size(opened.infolist(), len(content))
        names = opened.namelist()
        _check_names(names, opened.infolist())
        return _document(opened, set(names))
    except container.DAMAGE as error:
        raise refused(DAMAGED) from error
    except Unreadable as error:
        raise _told(error) from error


def _check_frame(content: mmap.mmap) -> None:
    """Raise Refused unless the file is one zip from its first byte to its last.

    The directory is small by then: whoever reads it needs little memory.
    """
    end = content[-_LAST.size :]
    if end[:4] != END:
        raise refused(UNSAFE if END in content[-(2**16) :] else DAMAGED)
    _, disk, first, here, entries, length, start, comment = _LAST.unpack(end)
    whole = start + length + _LAST.size == len(content)
    single = not (disk or first or comment) and here == entries
    is_long = content[-_LAST.size - 20 : -_LAST.size - 16] == _LONG
    if not (whole and single) or is_long or length > _LARGEST_DIRECTORY:
        raise refused(UNSAFE)


def _check_names(names: list[str], entries: list[zipfile.ZipInfo]) -> None:
    """Raise Refused for names that come twice, lead elsewhere or are those of programs."""
    folded = [name.lower() for name in names]
    odd = any(_ACTIVE.search(name) or _ESCAPING.search(name) for name in folded)
    if odd or len(set(folded)) < len(folded) or min(one.header_offset for one in entries):
        raise refused(UNSAFE)


def _document(opened: zipfile.ZipFile, names: set[str]) -> str:
    if "[Content_Types].xml" in names:
        if b"macroEnabled" in container.part(opened, "[Content_Types].xml"):
            raise refused(UNSAFE)
        _check_relations(opened)
        found = [media for name, media in _OPEN_XML.items() if name in names]
    else:
        said = container.part(opened, "mimetype") if "mimetype" in names else b""
        is_open = {"META-INF/manifest.xml", "content.xml"} <= names
        found = [media for media in (ODT, ODS) if is_open and said == media.encode()]
    if len(found) != 1:
        raise unknown()
    return found[0]


def _check_relations(opened: zipfile.ZipFile) -> None:
    """Raise Unreadable for a document that fetches another one when it is opened."""
    parts = [one for one in opened.infolist() if one.filename.lower().endswith(".rels")]
    if sum(one.file_size for one in parts) > SMALL:
        raise Unreadable("unsafe-file")
    for one in parts:
        workbook.parse(opened, one.filename, _watch)


def _watch(parser: expat.XMLParserType) -> None:
    parser.StartElementHandler = _check_relation


def _check_relation(_: str, attributes: dict[str, str]) -> None:
    kind = attributes.get("Type", "").strip().rpartition("/")[2].lower()
    if kind in _FETCHED and attributes.get("TargetMode", "Internal") != "Internal":
        raise Unreadable("unsafe-file")


def _told(error: Unreadable) -> Refused:
    texts = {"damaged-file": DAMAGED, "encrypted-file": LOCKED}
    return refused(texts.get(error.faults[0].code, UNSAFE))
