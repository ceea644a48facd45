"""Files of evidence on their way out: as attachments, whole or not at all, so many at once."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from typing import Final
from urllib.parse import quote

from fastapi import Request, Response

from app.api.answers import manners
from app.api.concurrency import ConcurrencyLimit
from app.api.downloads import Cut, Download, make_room
from app.api.evidence_file_shapes import digest_field, is_text
from app.domain.evidence.files import File
from app.domain.evidence.store import Store, lost
from app.rules.errors import Text

_LONGEST: Final = 1_800.0  # seconds, from the request to the last byte


class FileDownloads(ConcurrencyLimit):
    """The files of evidence that are sent in this process; none needs the database for it."""

    def __init__(self) -> None:
        super().__init__(48, 16, _BUSY, _ENOUGH, 5)


def store_of(request: Request) -> Store:
    """Return where contents lie."""
    found: Store = request.app.state.store
    return found


async def download(
    request: Request, client: str, stored: str, file: File, headers: dict[str, str]
) -> Response:
    """Answer with a content; what can go wrong before its first part is a problem document."""
    until = asyncio.get_running_loop().time() + _LONGEST
    limit: FileDownloads = request.app.state.file_downloads
    make_room(request)
    async with AsyncExitStack() as opened:
        opened.enter_context(limit.one_more(client))
        parts = _whole(store_of(request).open(stored), file)
        opened.push_async_callback(parts.aclose)
        try:
            first = await anext(parts)
        except Cut:  # nothing is sent yet: it can still be told
            raise lost() from None
        sent = headers | {"content-length": str(file.size)}
        return Download(opened.pop_all(), first, parts, sent, until)


async def _whole(pieces: AsyncGenerator[bytes, None], file: File) -> AsyncGenerator[bytes, None]:
    """Yield a content; its last piece only when all of it is what was sent."""
    digest, size, waiting = hashlib.sha256(), 0, b""
    async with aclosing(pieces):
        async for piece in pieces:
            digest.update(piece)
            size += len(piece)
            if waiting:
                yield waiting
            waiting = piece
    if size != file.size or digest.hexdigest() != file.sha256:
        raise Cut("a content in the store is not what was sent")
    yield waiting


def headers_of(file: File, language: str) -> dict[str, str]:
    """Return the headers of a file as an attachment; what may show names is kept by nobody."""
    charset = "; charset=utf-8" if is_text(file.media) else ""
    plain = "".join(one if one.isascii() else "_" for one in file.name)
    return manners(language) | {
        "content-type": file.media + charset,
        "content-disposition": f'attachment; filename="{plain}"; '
        f"filename*=UTF-8''{quote(file.name, safe='')}",
        "content-security-policy": "sandbox; default-src 'none'",
        "cache-control": "no-store" if file.personal else "private, no-cache",
        "etag": f'"{file.sha256}"',
        "repr-digest": digest_field(file.sha256),
    }


_ENOUGH: Final = Text(
    "bạn đang tải số tệp tối đa được phép cùng lúc; hãy chờ một tệp tải xong rồi gọi lại",
    "you are downloading as many files as may run at once; ask again when one of them has ended",
)
_BUSY: Final = Text(
    "đang có nhiều lượt tải tệp; hãy thử lại sau ít giây",
    "several files are being downloaded; try again in a few seconds",
)
