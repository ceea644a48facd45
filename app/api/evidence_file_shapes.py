"""Files of evidence as they are sent and shown: media types, digests, shapes."""

from __future__ import annotations

import base64
import binascii
import datetime
import re
from typing import Annotated, Any, Final

from fastapi import Depends, Header, Path, Query
from pydantic import BaseModel, StringConstraints
from starlette.convertors import Convertor, register_url_convertor

from app.api.problems import refusal
from app.api.uploads import UNDECLARED, Taken
from app.domain.evidence import Step
from app.domain.evidence.contents import CSV, ENDINGS, TEXT
from app.domain.refusals import Complaint
from app.rules.errors import Text

_MEDIA: Final = ", ".join(ENDINGS)
FILES: Final = Taken(
    media={UNDECLARED: None} | {media: media for media in ENDINGS},
    most=lambda settings: settings.max_evidence_file_bytes,
    other=Text(
        "hãy gửi chính tệp làm nội dung, ví dụ curl -T bien-ban.pdf, với Content-Type là một "
        f"trong: {UNDECLARED}, {_MEDIA}; không dùng multipart",
        "send the file itself as the body, for example by curl -T minutes.pdf, with one of these "
        f"as Content-Type: {UNDECLARED}, {_MEDIA}; do not use multipart",
    ),
    empty=Text(
        "thiếu tệp hoặc tệp rỗng; hãy gửi tệp làm nội dung của yêu cầu, ví dụ curl -T bien-ban.pdf",
        "the file is missing or empty; send it as the body of the request, for example by "
        "curl -T minutes.pdf",
    ),
    encoded=Text(
        "không dùng Content-Encoding; hãy gửi tệp nguyên như trên đĩa",
        "do not use Content-Encoding; send the file as it is on the disk",
    ),
)
FILE_BODY: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        media: {"schema": {"type": "string", "format": "binary"}}
        for media in (UNDECLARED, *ENDINGS)
    },
}
# A file that is read: whatever kind it is of, it comes as an attachment.
READ: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "The file as it was sent", "content": FILE_BODY["content"]},
    304: {"description": "The caller holds this very content"},
}


class _Name(Convertor[str]):
    """All the rest of a path, whatever is in it: a bad name is told, not taken for no address."""

    regex = r"[\s\S]*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("filename", _Name())
NameInPath = Annotated[
    str, Path(description="Name of the file: NFC, at most 255 bytes, valid on every system.")
]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9A-Fa-f]{64}$")]


class EvidenceFileShape(BaseModel):
    """A file in a slot; `step` is the office that sent it, `by` its client.

    `content_deleted`: it is on record, but its content is kept no longer. `personal_data`: it
    stands in a slot of a list of persons, and is read as their names are.
    """

    submission: int
    slot: str
    name: str
    media: str
    size: int
    sha256: str
    step: Step
    at: datetime.datetime
    by: str
    content_deleted: bool
    personal_data: bool


class RecordedEvidenceFile(EvidenceFileShape):
    """A file after it was sent; `unchanged`: it stood there already."""

    unchanged: bool


class EvidenceFilePage(BaseModel):
    """The files of a slot, by name; there is one page."""

    items: list[EvidenceFileShape]
    next: str | None


_DIGEST: Final = re.compile(r"([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/=]*):(?:;[^,]*)?")
_FIELD: Final[dict[str, Any]] = {"max_length": 1_000}


async def stated_digests(
    sha256: Annotated[
        Sha256 | None, Query(description="SHA-256 of the file in hex, to be checked.")
    ] = None,
    repr_digest: Annotated[
        str | None,
        Header(description="RFC 9530: `sha-256=:…:` of the file, to be checked.", **_FIELD),
    ] = None,
    content_digest: Annotated[
        str | None, Header(description="RFC 9530, as `Repr-Digest`.", **_FIELD)
    ] = None,
) -> frozenset[str]:
    """Return every SHA-256 that the sender states of the file, in hex; 422 for one in no form."""
    told = {"Repr-Digest": repr_digest, "Content-Digest": content_digest}
    found = {_read_digest(name, text) for name, text in told.items() if text is not None}
    return frozenset(found | ({sha256.lower()} if sha256 else set()))


StatedDigests = Annotated[frozenset[str], Depends(stated_digests)]


def _read_digest(name: str, text: str) -> str:
    """Return the SHA-256 in a field of RFC 9530; other algorithms may stand beside it."""
    members = [_DIGEST.fullmatch(one.strip()) for one in text.split(",")]
    digests = {one[1]: one[2] for one in members if one is not None}
    try:
        digest = base64.b64decode(digests.get("sha-256", ""), validate=True)
    except binascii.Error:
        digest = b""
    if len(digest) != 32 or None in members or len(digests) < len(members):
        message = Text(
            f"không đọc được {name}; dạng đúng: sha-256=:<base64 của SHA-256>:",
            f"{name} cannot be read; it looks like sha-256=:<base64 of the SHA-256>:",
        )
        raise refusal([Complaint(f"/{name}", "wrong-value", message)])
    return digest.hex()


def digest_field(sha256: str) -> str:
    """Return a SHA-256 in hex as a field of RFC 9530."""
    return f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:"


def is_text(media: str) -> bool:
    """Tell whether a kind of file is text, which then is in UTF-8."""
    return media in (CSV, TEXT)
