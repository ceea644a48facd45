"""Files of evidence: sent, listed, read, taken back; each stands in a slot of a submission."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from typing import Annotated, Final
from urllib.parse import quote

import msgspec
from fastapi import APIRouter, Query, Request, Response
from starlette.responses import StreamingResponse

from app.api.answers import answer, created, holds, manners
from app.api.concurrency import ConcurrencyLimit
from app.api.deps import Data, LateWriter, Reader, Rules, Submitter, Today, Writer
from app.api.downloads import Cut, Download, make_room
from app.api.errors import problem_responses
from app.api.evidence_file_shapes import (
    FILE_BODY,
    FILES,
    READ,
    EvidenceFilePage,
    NameInPath,
    RecordedEvidenceFile,
    Sha256,
    StatedDigests,
    digest_field,
    is_text,
)
from app.api.evidence_shapes import SlotInPath
from app.api.language import InLanguage
from app.api.numbers import RecordInPath
from app.api.officials import OfficialInQuery
from app.api.paging import Cursor, Limit, links, sliced
from app.api.problems import Problem
from app.api.strict import StrictRoute
from app.api.uploads import Taken, UploadRoute, upload_of
from app.domain.evidence import editing, file_names, files, slots
from app.domain.evidence.files import File
from app.domain.evidence.sending import Sender, Sent
from app.domain.evidence.store import Store, lost
from app.rules.errors import Text


class FileRoute(UploadRoute):
    """A strict route whose body is a file of evidence."""

    @property
    def taken(self) -> Taken:
        """What it takes: any file here; what is in it decides."""
        return FILES


_FILES: Final = "/v1/evidence-submissions/{id:number}/slots/{slot}/files"
router = APIRouter(prefix=_FILES, tags=["evidence"], route_class=StrictRoute)
upload_router = APIRouter(prefix=_FILES, tags=["evidence"], route_class=FileRoute)
_LONGEST: Final = 1_800.0  # seconds, from the request to the last byte


class FileDownloads(ConcurrencyLimit):
    """The files of evidence that are sent in this process; none needs the database for it."""

    def __init__(self) -> None:
        super().__init__(48, 16, _BUSY, _ENOUGH, 5)


@upload_router.put(
    "/{name:filename}",
    summary="Send a file of evidence",
    response_model=RecordedEvidenceFile,
    responses=problem_responses(404, 409, 413, 415, 422, 507)
    | {201: {"model": RecordedEvidenceFile, "description": "The slot has one more file"}},
    openapi_extra={"requestBody": FILE_BODY},
)
async def send_file(
    request: Request,
    caller: Reader,
    rules: Rules,
    data: Data,
    begin: LateWriter,
    language: InLanguage,
    day: Today,
    id: RecordInPath,
    slot: SlotInPath,
    name: NameInPath,
    stated: StatedDigests,
    official: OfficialInQuery = None,
) -> Response:
    """Send a file as the body: the commune into its draft, or an office for what it found there.

    What it is, is told by its content and must fit its name. The same content under the same name
    changes nothing; another one takes its place. A file that arrives cut off leaves nothing.
    """
    make_room(request)
    upload = upload_of(request, None)
    sent = Sent(id, slot, name, upload.file, upload.size, upload.sha256, upload.media, stated)
    by = msgspec.structs.replace(caller, official=official)
    done = await Sender(rules, _store(request), by, day).send(data, begin, sent)
    body = done.file.shown() | {"unchanged": done.unchanged}
    return created(body, language, _address(done.file), 201 if done.is_new else 200)


@router.get(
    "",
    summary="List the files of a slot",
    response_model=EvidenceFilePage,
    responses=problem_responses(404, 422),
)
async def list_files(
    request: Request,
    caller: Reader,
    rules: Rules,
    data: Data,
    language: InLanguage,
    id: RecordInPath,
    slot: SlotInPath,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """List the files that stand in a slot, by name, and which office sent them."""
    async with data.reading() as connection:
        held = await editing.find(connection, caller, id)
        known = slots.known(rules, held.ruleset, slot)
        found = await files.of_slot(connection, id, known.slot)
    filters = {"list": "files", "id": str(id), "slot": slot}
    shown, following = sliced(found, limit, cursor, filters)
    body = {"items": [one.shown() for one in shown], "next": following}
    return answer(request, body, language, links(request, following))


@router.get(
    "/{name:filename}",
    summary="Read a file of evidence",
    response_class=StreamingResponse,
    responses=problem_responses(404, 410, 422) | READ,
)
async def read_file(
    request: Request,
    caller: Reader,
    rules: Rules,
    data: Data,
    language: InLanguage,
    id: RecordInPath,
    slot: SlotInPath,
    name: NameInPath,
    sha256: Annotated[
        Sha256 | None, Query(description="A former content, as a submitted version names it.")
    ] = None,
) -> Response:
    """Read a file as it was sent, as an attachment; no browser shows it in place."""
    wanted = file_names.normal(name)
    async with data.reading() as connection:
        held = await editing.find(connection, caller, id)
        known = slots.known(rules, held.ruleset, slot)
        digest = sha256 and sha256.lower()
        found = await files.current(connection, id, known.slot, wanted, digest)
    if found.stored is None:
        raise Problem("file-deleted", _DELETED)
    headers = _headers(found, language)
    if holds(request, headers["etag"]):
        return Response(status_code=304, headers=headers)
    return await _download(request, caller.client_id, found.stored, found, headers)


@router.delete(
    "/{name:filename}",
    summary="Take a file of evidence back",
    status_code=204,
    responses=problem_responses(404, 409, 422),
)
async def remove_file(
    caller: Submitter,
    rules: Rules,
    connection: Writer,
    language: InLanguage,
    id: RecordInPath,
    slot: SlotInPath,
    name: NameInPath,
    official: OfficialInQuery = None,
) -> Response:
    """Take a file of the commune out of its draft; versions that were submitted keep it."""
    by = msgspec.structs.replace(caller, official=official)
    held = await editing.for_filling(connection, by, id)
    known = slots.known(rules, held.ruleset, slot)
    await files.remove(connection, by, held, known.slot, file_names.normal(name))
    return Response(status_code=204, headers=manners(language))


async def _download(
    request: Request, client: str, stored: str, file: File, headers: dict[str, str]
) -> Response:
    """Answer with a content; what can go wrong before its first part is a problem document."""
    until = asyncio.get_running_loop().time() + _LONGEST
    limit: FileDownloads = request.app.state.file_downloads
    make_room(request)
    async with AsyncExitStack() as opened:
        opened.enter_context(limit.one_more(client))
        parts = _whole(_store(request).open(stored), file)
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


def _headers(file: File, language: str) -> dict[str, str]:
    charset = "; charset=utf-8" if is_text(file.media) else ""
    plain = "".join(one if one.isascii() else "_" for one in file.name)
    return manners(language) | {
        "content-type": file.media + charset,
        "content-disposition": f'attachment; filename="{plain}"; '
        f"filename*=UTF-8''{quote(file.name, safe='')}",
        "content-security-policy": "sandbox; default-src 'none'",
        "cache-control": "private, no-cache",
        "etag": f'"{file.sha256}"',
        "repr-digest": digest_field(file.sha256),
    }


def _address(file: File) -> str:
    slot = f"/v1/evidence-submissions/{file.submission_id}/slots/{file.slot}"
    return f"{slot}/files/{quote(file.name, safe='')}"


def _store(request: Request) -> Store:
    found: Store = request.app.state.store
    return found


_DELETED: Final = Text(
    "nội dung tệp đã hết hạn lưu và đã bị xoá; hồ sơ vẫn giữ tên, dung lượng và mã SHA-256 của tệp",
    "the content was kept for its time and is deleted; its name, size and SHA-256 stay on record",
)
_ENOUGH: Final = Text(
    "bạn đang tải số tệp tối đa được phép cùng lúc; hãy chờ một tệp tải xong rồi gọi lại",
    "you are downloading as many files as may run at once; ask again when one of them has ended",
)
_BUSY: Final = Text(
    "đang có nhiều lượt tải tệp; hãy thử lại sau ít giây",
    "several files are being downloaded; try again in a few seconds",
)
