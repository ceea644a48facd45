"""Small files of every kind that is taken as evidence, and hostile ones, made in memory."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping

OPEN_XML = b'<?xml version="1.0"?><Types><Override ContentType="application/xml"/></Types>'
MACROS = OPEN_XML.replace(b"application/xml", b"application/vnd.ms-word.document.macroEnabled.12")
JPEG = (
    b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
    b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" + b"\x37\xff\x00\x11" * 8 + b"\xff\xd9"
)
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\nstartxref\n9\n%%EOF\n"
TIFF = b"II*\0\x08\0\0\0" + b"\0" * 12
TEXT = "Biên bản kiểm tra: đủ 15 khu dân cư\n".encode()


def large_pdf(size: int) -> bytes:
    """Return a PDF of so many bytes."""
    return PDF[:-6] + b"\n" * (size - len(PDF)) + PDF[-6:]


def png(*more: tuple[bytes, bytes]) -> bytes:
    """Return a picture of one dot, with more chunks before its end."""
    head = struct.pack(">2I5B", 1, 1, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(b"\0\0")), *more, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def webp() -> bytes:
    """Return what has the frame of a WebP picture."""
    body = b"WEBPVP8 " + struct.pack("<I", 4) + b"\0" * 4
    return b"RIFF" + struct.pack("<I", len(body)) + body


def zipped(entries: Mapping[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip of these entries."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", how) as file:
        for name, content in entries.items():
            file.writestr(name, content)
    return out.getvalue()


def docx(types: bytes = OPEN_XML, **more: bytes) -> bytes:
    """Return what has the frame of a Word document."""
    named = {name.replace("__", "/").replace("_bin", ".bin"): one for name, one in more.items()}
    return zipped({"[Content_Types].xml": types, "word/document.xml": b"<w/>"} | named)


def relations(kind: str, mode: str = "External") -> bytes:
    """Return a part that says what a document leads to."""
    return (
        '<?xml version="1.0"?><Relationships><Relationship Id="rId1" '
        f'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/{kind}" '
        f"Target='https://example.org/a' TargetMode='{mode}'/></Relationships>"
    ).encode()


def leading(content: bytes, part: str = "word/_rels/settings.xml.rels") -> bytes:
    """Return a Word document of which a part leads somewhere."""
    return docx(**{part: content})


def xlsx() -> bytes:
    """Return what has the frame of a workbook."""
    return zipped({"[Content_Types].xml": OPEN_XML, "xl/workbook.xml": b"<w/>"})


def opendocument(kind: str) -> bytes:
    """Return what has the frame of an OpenDocument file."""
    media = f"application/vnd.oasis.opendocument.{kind}".encode()
    entries = {"mimetype": media, "content.xml": b"<c/>", "META-INF/manifest.xml": b"<m/>"}
    return zipped(entries, zipfile.ZIP_STORED)


def crowded_zip() -> bytes:
    """Return a zip with more entries than a directory that is small holds."""
    return zipped({"[Content_Types].xml": OPEN_XML, "word/document.xml": b"<w/>"}
                  | {f"{number:0200}": b"" for number in range(4_500)})  # fmt: skip


GOOD: dict[str, bytes] = {
    "bien-ban.pdf": PDF,
    "anh.png": png(),
    "anh.JPG": JPEG,
    "anh hai.jpeg": JPEG + JPEG,  # as telephones append a small picture to a large one
    "anh dong.jpg": JPEG + b"\0\0\0\x18ftypmp42" + b"\0" * 12,
    "anh may.jpg": JPEG + b"\0\0\1\x0aImage_UTC_DataSEFH\0\0SEFT",
    "quet.tif": TIFF,
    "anh.webp": webp(),
    "to-trinh.docx": docx(),
    "lien-ket.docx": leading(relations("hyperlink"), "word/_rels/document.xml.rels"),
    "khung.docx": leading(relations("frame", "Internal")),
    "bang.xlsx": xlsx(),
    "to-trinh.odt": opendocument("text"),
    "bang.ods": opendocument("spreadsheet"),
    "nhieu.tif": TIFF + b"<?=x <svg> <%= /JS /Launcher MZ PK",  # as chance writes it
    "ban-ve.pdf": PDF.replace(b"/Catalog", b"/XFAB /EncryptMetadata /J#61va /Launcher "),
    "danh-sach.csv": "STT,Ghi chú\n1,đủ\n".encode(),
    "ghi-chu.txt": TEXT,
}

_ZIP = zipped({"a.txt": b"x"})
_PHP = b"<?php system($_GET['c']); ?>"
_JS = b"/" + b"".join(b"#%x" % letter for letter in b"JavaScript")
_MANY = {f"word/_rels/{name}.rels": b"<a/>" + b" " * (3 * 2**20) for name in "ab"}
_HTML = b"<html><script>alert(1)</script></html>"
# Names of cases, with the name and the content of a file, and the problem that it is.
BAD: dict[str, tuple[str, bytes, str]] = {
    "PDF and ZIP": ("a.pdf", PDF + _ZIP, "unsafe-file"),
    "ZIP within PDF": ("a.pdf", PDF[:-6] + _ZIP + b"\n%%EOF\n", "unsafe-file"),
    "PDF and HTML": ("a.pdf", b"%PDF-1.4\n" + _HTML + PDF[9:], "unsafe-file"),
    "PDF with JavaScript": ("a.pdf", PDF.replace(b"/Catalog", b"/JavaScript "), "unsafe-file"),
    "PDF with a file": ("a.pdf", PDF.replace(b"/Catalog", b"/EmbeddedFile "), "unsafe-file"),
    "PDF with escapes": ("a.pdf", PDF.replace(b"/Catalog", b"/J#61vaScrip#74 "), "unsafe-file"),
    "PDF that launches": ("a.pdf", PDF.replace(b"/Catalog", b"/La#75n#63h<<"), "unsafe-file"),
    "PDF with files": ("a.pdf", PDF.replace(b"/Catalog", b"/Embedded#46ile#73 "), "unsafe-file"),
    "PDF escaped whole": ("a.pdf", PDF.replace(b"/Catalog", _JS + b"\n"), "unsafe-file"),
    "PDF in capitals": ("a.pdf", PDF.replace(b"/Catalog", _JS.upper() + b"("), "unsafe-file"),
    "PDF with XFA": ("a.pdf", PDF.replace(b"/Catalog", b"/X#46A["), "unsafe-file"),
    "PDF encrypted": ("a.pdf", PDF.replace(b"/Root", b"/Encr#79pt 2 0 R/Root"), "unsafe-file"),
    "PDF cut off": ("a.pdf", PDF[:40], "invalid-file"),
    "JPEG and ZIP": ("a.jpg", JPEG + _ZIP, "unsafe-file"),
    "JPEG and PHP": ("a.jpg", JPEG + _PHP, "unsafe-file"),
    "JPEG and HTML": ("a.jpg", JPEG + JPEG + _HTML, "unsafe-file"),
    "JPEG and bytes": ("a.jpg", JPEG + b"MZ\x90", "unsafe-file"),
    "JPEG with PHP": ("a.jpg", JPEG[:20] + b"\xff\xfe\x00\x1e" + _PHP + JPEG[20:], "unsafe-file"),
    "JPEG with PDF": ("a.jpg", JPEG[:20] + b"\xff\xfe\0\x0a%PDF-1.4" + JPEG[20:], "unsafe-file"),
    "JPEG cut off": ("a.jpg", JPEG[:-2], "invalid-file"),
    "PNG and ZIP": ("a.png", png() + _ZIP, "unsafe-file"),
    "PNG and bytes": ("a.png", png() + b"x", "unsafe-file"),
    "PNG with a script": ("a.png", png((b"tEXt", b"a\0<script>")), "unsafe-file"),
    "PNG cut off": ("a.png", png()[:-4], "invalid-file"),
    "WebP and bytes": ("a.webp", webp() + b"x", "unsafe-file"),
    "TIFF and ZIP": ("a.tif", TIFF + _ZIP, "unsafe-file"),
    "HTML": ("a.txt", b"\xef\xbb\xbf \n<!DOCTYPE html><p>", "unsafe-file"),
    "SVG": ("a.txt", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "unsafe-file"),
    "script": ("a.txt", b"#!/bin/sh\nrm -rf /\n", "unsafe-file"),
    "script within text": ("a.csv", b"a,b\n1,<script src=x></script>\n", "unsafe-file"),
    "SVG within text": ("a.txt", b"xin\n<svg onload=alert(1)>", "unsafe-file"),
    "PHP within text": ("a.csv", b"a,b\n<?=`id`?>,1\n", "unsafe-file"),
    "program": ("a.pdf", b"MZ\x90\0\x03\0\0\0", "unsafe-file"),
    "ELF": ("a.pdf", b"\x7fELF\x02\x01\x01\0", "unsafe-file"),
    "old Word": ("a.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 99, "unsupported"),
    "GIF": ("a.gif", b"GIF89a\x01\0\x01\0\0\0\0;", "unsupported"),
    "ZIP": ("a.zip", _ZIP, "unsupported"),
    "UTF-16": ("a.txt", "Biên bản".encode("utf-16"), "unsupported"),
    "control characters": ("a.txt", b"a\x1b[2J\n", "unsupported"),
    "another ending": ("a.pdf", png(), "unsupported"),
    "no ending": ("bien-ban", PDF, "unsupported"),
    "text as HTML": ("a.html", TEXT, "unsupported"),
    "macros": ("a.docx", docx(word__vbaProject_bin=b"x"), "unsafe-file"),
    "macros by type": ("a.docx", docx(MACROS), "unsafe-file"),
    "program in DOCX": ("a.docx", docx(**{"word/x.exe": b"MZ"}), "unsafe-file"),
    "DOCX leading elsewhere": ("a.docx", docx(**{"../../x.xml": b"x"}), "unsafe-file"),
    "template": ("a.docx", leading(relations("attachedTemplate")), "unsafe-file"),
    "frame": ("a.docx", leading(relations("fr&#97;me", "&#69;xternal")), "unsafe-file"),
    "object": ("a.docx", leading(relations("oleObject"), "word/_rels/a.XML.RELS"), "unsafe-file"),
    "entities": ("a.docx", leading(b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"), "unsafe-file"),
    "many relations": ("a.docx", docx(**_MANY), "unsafe-file"),
    "broken relations": ("a.docx", leading(b"<a>"), "invalid-file"),
    "DOCX and bytes": ("a.docx", docx() + b"x", "unsafe-file"),
    "bytes and DOCX": ("a.docx", b"PK\x03\x04" + docx(), "unsafe-file"),
    "DOCX cut off": ("a.docx", docx()[:60], "invalid-file"),
    "bomb": ("a.docx", docx(word__media=b"\0" * (8 * 2**20)), "unsafe-file"),
    "crowd": ("a.docx", crowded_zip(), "unsafe-file"),
}

NAMES = (
    "../a.pdf", "..", ".", "a/b.pdf", "a\\b.pdf", "/etc/passwd", ".htaccess", "a.pdf.", "a.pdf ",
    " a.pdf", "a\n.pdf", "a\r\nx: y.pdf", "a\0.pdf", "a\x7f.pdf", "a\u202efdp.exe", "a\u200b.pdf",
    "CON", "con.pdf", "Nul.tar.pdf", "COM1.pdf", "lpt9.pdf", "a:b.pdf", "a?.pdf", 'a".pdf',
    "a|b.pdf", "~a.pdf", "ố" * 90 + ".pdf", "a" * 252 + ".pdf", "a\ufffd.pdf", "",
)  # fmt: skip
