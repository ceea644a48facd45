"""Uploads: a body that is a file, streamed to the disk and never whole in memory."""

from __future__ import annotations

import errno
import hashlib
import tempfile
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Final

from fastapi import Request

from app.api.problems import Problem, refusal
from app.api.strict import StrictRequest, StrictRoute, has_body
from app.api.work import BODY_DIGEST
from app.domain.imports.storing import Upload
from app.domain.reading import container
from app.domain.refusals import Complaint
from app.rules.errors import Text

# What a file may be declared to be; a recognised content decides, and must not contradict.
UNDECLARED: Final = "application/octet-stream"
MEDIA: Final[Mapping[str, str | None]] = {
    "text/csv": container.CSV,
    "text/tab-separated-values": container.TSV,
    "application/x-ndjson": container.NDJSON,
    "application/gzip": container.GZIP,
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": container.XLSX,
    "application/vnd.ms-excel": container.XLS,
    UNDECLARED: None,
}
BODY: Final[dict[str, Any]] = {
    "required": True,
    "content": {media: {"schema": {"type": "string", "format": "binary"}} for media in MEDIA},
}
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_UPLOAD: Final = "upload"


class UploadRoute(StrictRoute):
    """A strict route whose body is a file: it is there when the handler begins."""

    def received(self, request: StrictRequest) -> AbstractAsyncContextManager[object]:
        """Return what holds the file on the disk for as long as the request is served."""
        return _spooled(request, _declared(request))


def upload_of(request: Request, name: str | None) -> Upload:
    """Return the file of a request, under the name that its sender gives it."""
    path, size, digest, media = getattr(request.state, _UPLOAD)
    return Upload(path, size, digest, name, media)


@asynccontextmanager
async def _spooled(request: StrictRequest, media: str | None) -> AsyncIterator[None]:
    """Write the body to a file as it arrives; the file is gone when the request is over."""
    settings = request.app.state.settings
    digest, size = hashlib.sha256(), 0
    with tempfile.NamedTemporaryFile(prefix="ntm-upload-") as file:

        def take(part: bytes) -> None:
            nonlocal size
            size += len(part)
            digest.update(part)
            try:
                file.write(part)
            except OSError as error:
                raise (_no_room() if error.errno in _FULL else error) from error

        await request.receive_all(take, settings.max_import_bytes, settings.import_seconds)
        if not size:
            raise refusal([Complaint("", "missing-field", _EMPTY)])
        file.flush()
        setattr(request.state, _UPLOAD, (Path(file.name), size, digest.hexdigest(), media))
        setattr(request.state, BODY_DIGEST, digest)
        yield


def _declared(request: Request) -> str | None:
    """Return what the file is declared to be, None where the sender leaves that to us."""
    if not has_body(request):
        raise refusal([Complaint("", "missing-field", _EMPTY)])
    kind, *parameters = request.headers.get("content-type", UNDECLARED).lower().split(";")
    media = kind.strip()
    usual = {"", "charset=utf-8"} | ({"header=present"} if media.startswith("text/") else set())
    told = {one.replace('"', "").replace(" ", "") for one in parameters}
    if media not in MEDIA or told - usual:
        raise Problem("unsupported-media-type", _media(MEDIA))
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Problem("unsupported-media-type", _PACKED)
    return MEDIA[media]


def _media(known: Iterable[str]) -> Text:
    named = ", ".join(known)
    return Text(
        "hãy gửi chính tệp làm nội dung, ví dụ curl -X POST -T tệp.xlsx, với Content-Type là một "
        f"trong: {named}; bảng mã khác UTF-8 ghi ở tham số encoding; không dùng multipart",
        "send the file itself as the body, for example by curl -X POST -T file.xlsx, with one of "
        f"these as Content-Type: {named}; name an encoding other than UTF-8 in the parameter "
        "encoding; do not use multipart",
    )


def _no_room() -> Problem:
    return Problem("storage-full", _FULL_DISK)


_EMPTY: Final = Text(
    "thiếu tệp; hãy gửi tệp làm nội dung của yêu cầu, ví dụ curl -X POST -T tệp.csv",
    "the file is missing; send it as the body of the request, for example by "
    "curl -X POST -T file.csv",
)
_PACKED: Final = Text(
    "không dùng Content-Encoding; tệp nén gzip hãy gửi với Content-Type: application/gzip",
    "do not use Content-Encoding; send a file packed by gzip as Content-Type: application/gzip",
)
_FULL_DISK: Final = Text(
    "máy chủ hết chỗ lưu tệp; hãy báo quản trị viên rồi thử lại",
    "the server has no room for the file; tell the administrator, then try again",
)
