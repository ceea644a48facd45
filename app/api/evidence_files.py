"""Files of evidence: sent, listed, read, taken back; each stands in a slot of a submission."""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import StreamingResponse

from app.api.answers import answer, created, holds, manners
from app.api.deps import Data, LateWriter, Reader, Rules, Submitter, Today, Writer
from app.api.downloads import make_room
from app.api.errors import problem_responses
from app.api.evidence_downloads import download, headers_of, store_of
from app.api.evidence_file_shapes import (
    FILE_BODY,
    FILES,
    READ,
    EvidenceFilePage,
    NameInPath,
    RecordedEvidenceFile,
    Sha256,
    StatedDigests,
)
from app.api.evidence_list_calls import PurposeText, by_whom
from app.api.evidence_shapes import SlotInPath
from app.api.language import InLanguage
from app.api.numbers import RecordInPath
from app.api.officials import OfficialInQuery
from app.api.paging import Cursor, Limit, links, sliced
from app.api.preconditions import Meant
from app.api.problems import Problem, refusal
from app.api.strict import StrictRoute
from app.api.uploads import Taken, UploadRoute, upload_of
from app.domain.evidence import editing, file_names, files, names, slots
from app.domain.evidence.files import File
from app.domain.evidence.sending import Sender, Sent
from app.domain.refusals import Complaint
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


@upload_router.put(
    "/{name:filename}",
    summary="Send a file of evidence",
    response_model=RecordedEvidenceFile,
    responses=problem_responses(404, 409, 410, 412, 413, 415, 422, 507)
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
    meant: Meant,
    official: OfficialInQuery = None,
) -> Response:
    """Send a file as the body: the commune into its draft, or an office for what it found there.

    What it is, is told by its content and must fit its name. The same content under the same name
    changes nothing; another one takes its place. A file that arrives cut off leaves nothing.
    """
    make_room(request)
    upload = upload_of(request, None)
    sent = Sent(
        id, slot, name, upload.file, upload.size, upload.sha256, upload.media, stated,
        lambda version: meant.check(version, None),
    )  # fmt: skip
    by = by_whom(caller, official)
    done = await Sender(rules, store_of(request), by, day).send(data, begin, sent)
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
    day: Today,
    id: RecordInPath,
    slot: SlotInPath,
    name: NameInPath,
    sha256: Annotated[
        Sha256 | None, Query(description="A former content, as a submitted version names it.")
    ] = None,
    purpose: Annotated[
        PurposeText | None,
        Query(description="What for: of a file with `personal_data`; it is kept in the audit."),
    ] = None,
    official: OfficialInQuery = None,
) -> Response:
    """Read a file as it was sent, as an attachment; no browser shows it in place.

    In a slot of a list of persons (`personal_data`) it may show their names, and is read as they
    are: with the scope `evidence:names`, by the offices on the chain, for a purpose; only the
    client that sent it reads it back without. Each such reading stands in the audit.
    """
    wanted = file_names.normal(name)
    async with data.reading() as connection:
        held = await editing.find(connection, caller, id)
        known = slots.known(rules, held.ruleset, slot)
        digest = sha256 and sha256.lower()
        found = await files.current(connection, id, known.slot, wanted, digest)
    if found.stored is None:
        raise Problem("file-deleted", _DELETED)
    if found.personal and found.client != caller.client_id:  # who sent it knows what is in it
        names.check_reader(caller, held, day)
        if purpose is None:
            raise refusal([Complaint("/purpose", "missing-field", _WHAT_FOR)])
    if found.personal or purpose is not None or official is not None:
        async with data.writing() as connection:
            await files.note_reading(connection, by_whom(caller, official), held, found, purpose)
    headers = headers_of(found, language)
    if holds(request, headers["etag"]):
        return Response(status_code=304, headers=headers)
    return await download(request, caller.client_id, found.stored, found, headers)


@router.delete(
    "/{name:filename}",
    summary="Take a file of evidence back",
    status_code=204,
    responses=problem_responses(404, 409, 412, 422),
)
async def remove_file(
    caller: Submitter,
    rules: Rules,
    connection: Writer,
    language: InLanguage,
    meant: Meant,
    id: RecordInPath,
    slot: SlotInPath,
    name: NameInPath,
    official: OfficialInQuery = None,
) -> Response:
    """Take a file of the commune out of its draft; versions that were submitted keep it."""
    by = by_whom(caller, official)
    held = await editing.for_filling(connection, by, id)
    meant.check(str(held.revision), None)
    known = slots.known(rules, held.ruleset, slot)
    await files.remove(connection, by, held, known.slot, file_names.normal(name))
    return Response(status_code=204, headers=manners(language))


def _address(file: File) -> str:
    slot = f"/v1/evidence-submissions/{file.submission_id}/slots/{file.slot}"
    return f"{slot}/files/{quote(file.name, safe='')}"


_DELETED: Final = Text(
    "nội dung tệp đã hết hạn lưu và đã bị xoá; hồ sơ vẫn giữ tên, dung lượng và mã SHA-256 của tệp",
    "the content was kept for its time and is deleted; its name, size and SHA-256 stay on record",
)
_WHAT_FOR: Final = Text(
    "tệp ở mục có danh sách người nên có thể có họ tên; hãy nêu mục đích đọc (purpose)",
    "the file stands in a slot of a list of persons and may show names; say what for (purpose)",
)
