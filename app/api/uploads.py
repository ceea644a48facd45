"""Uploads: a body that is a file, streamed to the disk and never whole in memory."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final

import msgspec
from fastapi import Request

from app.api.problems import Problem, refusal
from app.api.strict import StrictRequest, StrictRoute, has_body
from app.api.work import BODY_DIGEST
from app.domain.hindrances import of_files
from app.domain.imports.storing import Upload, spool
from app.domain.own_files import XLSX
from app.domain.reading import container
from app.domain.refusals import Complaint
from app.rules.errors import Text
from app.settings import Settings

# What a file may be declared to be; a recognised content decides, and must not contradict.
UNDECLARED: Final = "application/octet-stream"
MEDIA: Final[Mapping[str, str | None]] = {
    "text/csv": container.CSV,
    "text/tab-separated-values": container.TSV,
    "application/x-ndjson": container.NDJSON,
    "application/gzip": container.GZIP,
    XLSX: container.XLSX,
    "application/vnd.ms-excel": container.XLS,
    UNDECLARED: None,
}
BODY: Final[dict[str, Any]] = {
    "required": True,
    "content": {media: {"schema": {"type": "string", "format": "binary"}} for media in MEDIA},
}
_UPLOAD: Final = "upload"
_PATIENCE: Final = 10.0  # seconds that whoever has sent a file waits for a place to be served


class Taken(msgspec.Struct, frozen=True):
    """What a route takes: which media types (and what each means), up to which size.

    `other`, `empty` and `encoded` are told where it is another one, nothing, or has an encoding.
    """

    media: Mapping[str, str | None]
    most: Callable[[Settings], int]
    other: Text
    empty: Text
    encoded: Text


class UploadRoute(StrictRoute):
    """A strict route whose body is a file: it is there when the handler begins."""

    @property
    def taken(self) -> Taken:
        """What it takes: files of values, unless a route says otherwise."""
        return _VALUES

    def received(self, request: StrictRequest) -> AbstractAsyncContextManager[object]:
        """Return what holds the file on the disk for as long as the request is served."""
        return _spooled(request, self.taken, _declared(request, self.taken))


def upload_of(request: Request, name: str | None) -> Upload:
    """Return the file of a request, under the name that its sender gives it."""
    file, size, digest, media = getattr(request.state, _UPLOAD)
    return Upload(file, size, digest, name, media)


@asynccontextmanager
async def _spooled(request: StrictRequest, taken: Taken, media: str | None) -> AsyncIterator[None]:
    """Write the body to a file as it arrives; it is gone when the request, or the process, is."""
    settings: Settings = request.app.state.settings
    wait_longer: Callable[[float], None] | None = getattr(request.state, "wait_longer", None)
    if wait_longer is not None:
        wait_longer(_PATIENCE)
    digest, size = hashlib.sha256(), 0
    with spool() as file:

        def take(part: bytes) -> None:
            nonlocal size
            size += len(part)
            digest.update(part)
            with of_files():
                file.write(part)

        await request.receive_all(take, taken.most(settings), settings.import_seconds)
        if not size:
            raise refusal([Complaint("", "missing-field", taken.empty)])
        with of_files():
            file.flush()
        setattr(request.state, _UPLOAD, (file, size, digest.hexdigest(), media))
        setattr(request.state, BODY_DIGEST, digest)
        yield


def _declared(request: Request, taken: Taken) -> str | None:
    """Return what the file is declared to be, None where the sender leaves that to us."""
    if not has_body(request):
        raise refusal([Complaint("", "missing-field", taken.empty)])
    kind, *parameters = request.headers.get("content-type", UNDECLARED).lower().split(";")
    media = kind.strip()
    usual = {"", "charset=utf-8"} | ({"header=present"} if media.startswith("text/") else set())
    told = {one.replace('"', "").replace(" ", "") for one in parameters}
    if media not in taken.media or told - usual:
        raise Problem("unsupported-media-type", taken.other)
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Problem("unsupported-media-type", taken.encoded)
    return taken.media[media]


def _media(known: Iterable[str]) -> Text:
    named = ", ".join(known)
    return Text(
        "hãy gửi chính tệp làm nội dung, ví dụ curl -X POST -T tệp.xlsx, với Content-Type là một "
        f"trong: {named}; bảng mã khác UTF-8 ghi ở tham số encoding; không dùng multipart",
        "send the file itself as the body, for example by curl -X POST -T file.xlsx, with one of "
        f"these as Content-Type: {named}; name an encoding other than UTF-8 in the parameter "
        "encoding; do not use multipart",
    )


_EMPTY: Final = Text(
    "thiếu tệp; hãy gửi tệp làm nội dung của yêu cầu, ví dụ curl -X POST -T tệp.csv",
    "the file is missing; send it as the body of the request, for example by "
    "curl -X POST -T file.csv",
)
_PACKED: Final = Text(
    "không dùng Content-Encoding; tệp nén gzip hãy gửi với Content-Type: application/gzip",
    "do not use Content-Encoding; send a file packed by gzip as Content-Type: application/gzip",
)
_VALUES: Final = Taken(
    MEDIA, lambda settings: settings.max_import_bytes, _media(MEDIA), _EMPTY, _PACKED
)
