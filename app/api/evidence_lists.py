"""Lists of a submission: sent as JSON, CSV or XLSX, removed, shown with masked names."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request, Response

from app.api.answers import answer, created, manners
from app.api.deps import Data, LateWriter, Reader, Rules, Submitter, Writer
from app.api.errors import problem_responses
from app.api.evidence_list_calls import (
    NamesKeys,
    PartInQuery,
    by_whom,
    filters_of,
    page_of,
    place_of,
)
from app.api.evidence_list_shapes import (
    BODY,
    ListRoute,
    MaskedPage,
    SentListShape,
)
from app.api.evidence_shapes import SlotInPath
from app.api.language import InLanguage
from app.api.numbers import RecordInPath
from app.api.officials import OfficialInQuery
from app.api.paging import Cursor, Limit, cut, links, read_place
from app.api.preconditions import Meant
from app.api.problems import Problem
from app.api.strict import StrictRoute
from app.api.uploads import upload_of
from app.domain.evidence import editing, list_files, lists, masking, names, parts, slots
from app.domain.evidence.editing import Held
from app.domain.evidence.lists import Recorded
from app.domain.evidence.names import Shown
from app.domain.evidence.rows import Listed
from app.domain.strict_json import MalformedJson

_PREFIX: Final = "/v1/evidence-submissions/{id:number}"
router = APIRouter(prefix=_PREFIX, tags=["evidence"], route_class=StrictRoute)
list_router = APIRouter(prefix=_PREFIX, tags=["evidence"], route_class=ListRoute)
_MOST_TOLD: Final = 100


@list_router.put(
    "/slots/{slot}/rows",
    summary="Send a list",
    response_model=SentListShape,
    responses=problem_responses(400, 404, 409, 410, 412, 413, 415, 422, 507),
    openapi_extra={"requestBody": BODY},
)
async def send_list(
    request: Request,
    caller: Submitter,
    rules: Rules,
    data: Data,
    begin: LateWriter,
    language: InLanguage,
    keys: NamesKeys,
    meant: Meant,
    id: RecordInPath,
    slot: SlotInPath,
    part: PartInQuery = None,
    official: OfficialInQuery = None,
) -> Response:
    """Send the list of a slot, or of one of its parts, in place of the one there.

    CSV and XLSX have exactly the columns of the form. The same list again changes nothing. What
    contradicts itself and names that stand twice are told, and kept as they were sent.
    """
    async with data.reading() as connection:
        held = await editing.find(connection, caller, id)
    form = lists.form_of(slots.known(rules, held.ruleset, slot))
    sent = upload_of(request, None)
    try:
        listed, said = await list_files.read(sent.file, str(sent.media), form)
    except MalformedJson as error:
        raise Problem("malformed-json", error.complaint.message, [error.complaint]) from None
    by = by_whom(caller, official, said)
    connection = await begin()
    held = await editing.for_filling(connection, caller, id)
    meant.check(str(held.revision), None)
    found = await lists.record(connection, keys, by, held, slot, part or "", listed)
    held = await editing.find(connection, caller, id)
    return created(_recorded(held, slot, part, listed, found), language, status=200)


@router.delete(
    "/slots/{slot}/rows",
    summary="Remove a list",
    status_code=204,
    response_class=Response,
    responses=problem_responses(404, 409, 412, 422),
)
async def remove_list(
    caller: Submitter,
    rules: Rules,
    connection: Writer,
    language: InLanguage,
    meant: Meant,
    id: RecordInPath,
    slot: SlotInPath,
    part: PartInQuery = None,
    official: OfficialInQuery = None,
) -> Response:
    """Take the list of a slot, or of one of its parts, out of a draft."""
    held = await editing.for_filling(connection, caller, id)
    meant.check(str(held.revision), None)
    known = slots.known(rules, held.ruleset, slot)
    by = by_whom(caller, official)
    await lists.remove(connection, by, held, known.slot, part or "")
    return Response(status_code=204, headers=manners(language))


@router.get(
    "/slots/{slot}/rows",
    summary="Read a list with masked names",
    response_model=MaskedPage,
    responses=problem_responses(404, 410, 422),
)
async def read_list(
    request: Request,
    caller: Reader,
    rules: Rules,
    data: Data,
    language: InLanguage,
    keys: NamesKeys,
    id: RecordInPath,
    slot: SlotInPath,
    part: PartInQuery = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """Read the rows of a slot part by part: names masked (`N*** V*** A***`), notes not shown."""
    filters = filters_of("rows", id, slot, part)
    after = read_place(cursor, filters)
    async with data.reading() as connection:
        held = await editing.find(connection, caller, id)
        known = slots.known(rules, held.ruleset, slot)
        lists.form_of(known)
        parts.check_known(part or "", await parts.of(connection, id))
        found = await names.page(connection, keys, held, known.slot, part, after, limit + 1)
    items, following = cut(found.shown, place_of, limit, filters)
    body = page_of(found, [_masked(one) for one in items], following)
    return answer(request, body, language, links(request, following))


def _recorded(
    held: Held, slot: str, part: str | None, listed: Listed, found: Recorded
) -> dict[str, Any]:
    return {
        "submission": held.id,
        "slot": slot,
        "part": part,
        "rows": len(listed.rows),
        "stated_total": listed.total,
        "repeated": {"count": len(found.repeated), "numbers": found.repeated[:_MOST_TOLD]},
        "contradictions": [
            {"code": code, "message": {"vi": message.vi, "en": message.en}}
            for code, message in listed.contradictions()
        ],
        "digest": found.digest,
        "unchanged": found.unchanged,
        "at": found.at,
        "version": str(held.revision),
    }


def _masked(one: Shown) -> dict[str, Any]:
    return {
        "part": one.part or None,
        "number": one.row.number,
        "name": masking.masked(one.row.name),
        "has_note": one.row.note is not None,
    }
