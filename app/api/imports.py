"""Imports: files of values, checked and loaded; their reports, and what was refused of them."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Query, Request, Response
from starlette.responses import StreamingResponse

from app.api.answers import answer, created, manners
from app.api.deps import Data, Reader, Recorder, Rules, Writer
from app.api.errors import problem_responses, render
from app.api.import_shapes import REFUSED, ImportPage, ImportShape, shown
from app.api.job_shapes import JobShape, accepted
from app.api.language import InLanguage, Language
from app.api.moments import PeriodInQuery
from app.api.numbers import RecordInPath
from app.api.officials import OfficialInQuery
from app.api.paging import LONG, Cursor, Limit, cut, links, read_number
from app.api.preferences import Prefer, wants_job
from app.api.problems import Problem
from app.api.shapes import Day, Line, TrueOrFalse
from app.api.strict import StrictRoute
from app.api.uploads import BODY, UploadRoute, upload_of
from app.api.value_shapes import Source
from app.api.work import IdempotencyKey
from app.domain.imports import (
    CHECKED,
    COMMITTED,
    Mode,
    OnConflict,
    State,
    beginning,
    rejecting,
    storing,
)
from app.domain.imports.beginning import Begun
from app.domain.imports.storing import Options, Stored, Wanted
from app.domain.refusals import Complaint, pointer
from app.rules.errors import Text
from app.settings import Settings

router = APIRouter(prefix="/v1/imports", tags=["imports"], route_class=StrictRoute)
upload_router = APIRouter(prefix="/v1/imports", tags=["imports"], route_class=UploadRoute)

FileName = Annotated[
    Line | None, Query(description="The name of the file, as people know it.", max_length=200)
]
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    202: {"model": JobShape, "description": "A job does it; follow it at Location"},
    422: REFUSED,
}


@upload_router.post(
    "",
    summary="Import a file of values",
    status_code=201,
    response_model=ImportShape,
    responses=problem_responses(400, 409, 413, 415, 507) | _ANSWERS,
    openapi_extra={"requestBody": BODY},
)
async def create_import(
    request: Request,
    caller: Recorder,
    rules: Rules,
    connection: Writer,
    language: InLanguage,
    dry_run: Annotated[TrueOrFalse, Query(description="Check it only; commit it later.")] = False,
    mode: Annotated[
        Mode, Query(description="all: a bad row keeps all others out; partial: it does not.")
    ] = "all",
    on_conflict: Annotated[
        OnConflict,
        Query(description="What becomes of values that differ from those on record."),
    ] = "new_version",
    encoding: Annotated[
        Line | None, Query(max_length=40, description="Where it is not UTF-8 or UTF-16.")
    ] = None,
    locale: Annotated[
        Language | None, Query(description="vi: 1.234,5 and 31/12/2024; en: 1,234.5.")
    ] = None,
    sheet: Annotated[
        str | None, Query(max_length=200, description="Name of the one sheet to read.")
    ] = None,
    period: PeriodInQuery = None,
    on: Annotated[Day | None, Query(description="A day on which the units exist.")] = None,
    source: Annotated[Source | None, Query(description="Where no column says it.")] = None,
    measured_on: Annotated[Day | None, Query(description="Where no column says it.")] = None,
    name: FileName = None,
    official: OfficialInQuery = None,
    prefer: Prefer = None,
    _: IdempotencyKey = None,
) -> Response:
    """Check a file, and put its values on record unless it is a dry run.

    A small file is answered at once, a large one by a job. The body is the file itself.
    """
    said = Options(
        encoding, locale, sheet, period.text if period else None, on, source, measured_on
    )
    wanted = Wanted(said, dry_run, mode, on_conflict)
    by = msgspec.structs.replace(caller, official=official)
    settings: Settings = request.app.state.settings
    upload = upload_of(request, name)
    at_once = upload.size <= settings.import_at_once_bytes and not wants_job(request)
    begun = await beginning.begin(connection, by, rules, upload, wanted, at_once=at_once)
    return _answered(request, begun, language, CHECKED if dry_run else COMMITTED)


@router.post(
    "/{id:number}/commit",
    summary="Load what was checked",
    response_model=ImportShape,
    responses=problem_responses(404, 409) | _ANSWERS,
)
async def commit_import(
    request: Request,
    caller: Recorder,
    rules: Rules,
    connection: Writer,
    language: InLanguage,
    id: RecordInPath,
    mode: Annotated[
        Mode | None, Query(description="In place of what the dry run was asked for.")
    ] = None,
    on_conflict: Annotated[
        OnConflict | None, Query(description="In place of what the dry run was asked for.")
    ] = None,
    official: OfficialInQuery = None,
    prefer: Prefer = None,
    _: IdempotencyKey = None,
) -> Response:
    """Put the values of a dry run on record, from the file as it was sent.

    They are compared anew with what is on record now. What is refused stays checked: it can be
    committed in another mode, or when what stood in its way is gone.
    """
    settings: Settings = request.app.state.settings
    by = msgspec.structs.replace(caller, official=official)
    most = 0 if wants_job(request) else settings.import_at_once_bytes
    begun = await beginning.commit(connection, by, rules, id, most, mode, on_conflict)
    return _answered(request, begun, language, COMMITTED, status=200)


@router.get(
    "",
    summary="List imports",
    response_model=ImportPage,
    responses=problem_responses(422),
)
async def list_imports(
    request: Request,
    caller: Reader,
    data: Data,
    language: InLanguage,
    state: Annotated[State | None, Query(description="Only those of this state.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """List the imports of one's own, and of clients of one's territory, newest first."""
    filters = {"list": "imports", "state": state}
    before = read_number(cursor, filters, LONG)
    async with data.reading() as connection:
        found = await storing.page(connection, caller, state, before, limit + 1)
    items, following = cut(found, lambda one: [str(one.id)], limit, filters)
    body = {"items": [shown(one, whole=False) for one in items], "next": following}
    return answer(request, body, language, links(request, following))


@router.get(
    "/{id:number}",
    summary="Read an import",
    response_model=ImportShape,
    responses=problem_responses(404, 422),
)
async def read_import(
    request: Request, caller: Reader, data: Data, language: InLanguage, id: RecordInPath
) -> Response:
    """Read an import with its report."""
    async with data.reading() as connection:
        stored = await storing.get(connection, caller, id)
    return answer(request, shown(stored), language)


@router.get(
    "/{id:number}/rejected.csv",
    summary="Read the refused rows of an import",
    response_class=StreamingResponse,
    responses=problem_responses(404, 410, 422)
    | {
        200: {
            "description": "The rows as they were sent, and a column `reason`",
            "content": {"text/csv": {"schema": {"type": "string"}}},
        }
    },
)
async def read_rejected(
    caller: Reader, data: Data, language: InLanguage, id: RecordInPath
) -> Response:
    """Read the refused rows as CSV, with their own columns and the reason: mend, and send again."""
    async with data.reading() as connection:
        stored = await storing.get(connection, caller, id)
    rejecting.check(stored)
    headers = manners(language) | {
        "content-disposition": f'attachment; filename="rejected-{id}.csv"',
        "cache-control": "no-cache",
    }
    lines = rejecting.as_csv(data, stored, language)
    return StreamingResponse(lines, 200, headers, "text/csv; charset=utf-8")


def _answered(
    request: Request, begun: Begun, language: str, wanted: State, status: int = 201
) -> Response:
    """Answer with the job that does it, with the report, or with the report as a problem."""
    if begun.job is not None:
        response = accepted(begun.job, language)
        if wants_job(request):
            response.headers["preference-applied"] = "respond-async"
        return response
    stored = begun.stored
    report = shown(stored)
    if stored.state != wanted:
        response = render(request, _refusal(stored), report)
        response.headers["location"] = f"/v1/imports/{stored.id}"
        return response
    return created(report, language, f"/v1/imports/{stored.id}", status)


def _refusal(stored: Stored) -> Problem:
    """Return the problem of an import of which nothing was loaded; every cause is an error."""
    report = stored.report or {}
    complaints = [
        Complaint(
            pointer(
                *([one["sheet"]] if one["sheet"] else []), *one["rows"][:1], one["column"] or "-"
            ),
            one["code"],
            Text(one["message"]["vi"], one["message"]["en"]),
        )
        for one in report["conflicts"]
    ]
    fault = report["fault"]
    if fault is not None:
        detail = next(one.message for one in complaints if one.code == fault)
        return Problem(
            "unsafe-file" if fault == "unsafe-file" else "invalid-file", detail, complaints
        )
    count = report["counts"]["rejected"]
    advice = _STILL_CHECKED if stored.state == CHECKED else _NOTHING_LOADED
    return Problem("invalid-rows", advice.format(count=count, id=stored.id), complaints)


_NOTHING_LOADED: Final = Text(
    "{count} số liệu bị từ chối, không nạp số liệu nào; tải các dòng lỗi tại "
    "/v1/imports/{id}/rejected.csv, sửa rồi gửi lại cả tệp, hoặc thêm mode=partial để nạp phần tốt",
    "{count} values are refused, none was loaded; fetch the bad rows from "
    "/v1/imports/{id}/rejected.csv, mend them and send the whole file again, or add mode=partial "
    "to load the good ones",
)
_STILL_CHECKED: Final = Text(
    "{count} số liệu bị từ chối, không nạp số liệu nào; hãy nạp phần tốt bằng "
    "POST /v1/imports/{id}/commit?mode=partial, hoặc tải các dòng lỗi tại "
    "/v1/imports/{id}/rejected.csv, sửa rồi gửi lại cả tệp",
    "{count} values are refused, none was loaded; load the good ones by "
    "POST /v1/imports/{id}/commit?mode=partial, or fetch the bad rows from "
    "/v1/imports/{id}/rejected.csv, mend them and send the whole file again",
)
