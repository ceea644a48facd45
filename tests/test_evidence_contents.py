"""What a file of evidence is, by its content; names as they may be."""

from __future__ import annotations

import tempfile
import unicodedata

import pytest
from evidence_files_made import BAD, GOOD, NAMES, PDF

from app.domain.evidence import contents, file_names
from app.domain.evidence.contents import ENDINGS
from app.domain.refusals import Refused

PROBLEMS = {"unsupported": "unsupported-media-type"}


def media_of(content: bytes, name: str) -> str:
    """Return what a file is found to be."""
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        return contents.media_of(file, name)


@pytest.mark.parametrize("name", GOOD)
def test_every_kind_is_recognised_by_its_content(name: str) -> None:
    """An honest file is what its name says (ASVS 5.2.2)."""
    ending = name[name.rfind(".") :].lower()
    assert ending in ENDINGS[media_of(GOOD[name], name)]


def test_every_kind_was_tried() -> None:
    """No kind is taken that no test has seen."""
    assert {media_of(content, name) for name, content in GOOD.items()} == set(ENDINGS)


@pytest.mark.parametrize("case", BAD)
def test_hostile_files_are_refused(case: str) -> None:
    """Polyglots, active content, programs, bombs, damaged and unknown files (ASVS 5.2.2, 5.2.3)."""
    name, content, code = BAD[case]
    with pytest.raises(Refused) as refused:
        media_of(content, name)
    (complaint,) = refused.value.complaints
    assert complaint.code == PROBLEMS.get(code, code)
    assert name not in complaint.message.vi + complaint.message.en, "names may be of persons"


@pytest.mark.parametrize("letters", [b"/Encrypt", b"/#45#6E#63#72#79#70#74"])
def test_an_encrypted_pdf_says_to_save_it_without_a_password(letters: bytes) -> None:
    """What nobody can look into is not taken, and what to do is told (ASVS 5.2.2)."""
    with pytest.raises(Refused) as refused:
        media_of(PDF.replace(b"/Root", letters + b" 2 0 R/Root"), "a.pdf")
    assert "mật khẩu" in refused.value.complaints[0].message.vi


def test_what_is_found_at_the_seam_of_two_windows_is_found() -> None:
    """A large file is looked at piece by piece; nothing hides between two of them."""
    for shift in range(-12, 3):
        text = b"a" * (contents._WINDOW + shift) + b"<script>\n" + b"a" * 100
        with pytest.raises(Refused):
            media_of(text, "a.txt")


def test_an_endless_row_of_markers_takes_no_time() -> None:
    """A JPEG of nothing but fill bytes is refused in one pass over it."""
    with pytest.raises(Refused):
        media_of(b"\xff\xd8\xff" + b"\xff" * (8 * 2**20), "a.jpg")


@pytest.mark.parametrize("name", NAMES)
def test_names_that_are_not_safe_are_refused(name: str) -> None:
    """Paths, control characters, device names, what turns the direction of writing (ASVS 5.3.2)."""
    with pytest.raises(Refused) as refused:
        file_names.normal(name)
    assert refused.value.complaints[0].code == "invalid-filename"


def test_one_name_is_one_file_however_it_is_typed() -> None:
    """Names come in NFC, whatever system they are from; Vietnamese names are welcome."""
    name = "Biên bản kiểm tra (khu 3) số 12.pdf"
    assert file_names.normal(unicodedata.normalize("NFD", name)) == name
    assert file_names.normal("a  b.pdf") == "a b.pdf"
    assert file_names.normal("console.pdf") == "console.pdf"
    assert len(file_names.normal("a" * 251 + ".pdf")) == 255


def test_a_directory_that_lies_is_read_in_little_memory() -> None:
    """A zip whose directory claims to stand elsewhere, or to be long, is not read at all."""
    honest = GOOD["to-trinh.docx"]
    for where, value in ((12, 2**31), (16, 0), (8, 7), (20, 3)):
        forged = bytearray(honest)
        size = 4 if where in (12, 16) else 2
        at = len(forged) - 22 + where
        forged[at : at + size] = value.to_bytes(size, "little")
        with pytest.raises(Refused):
            media_of(bytes(forged), "a.docx")
