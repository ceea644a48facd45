"""Names in lists: read by the offices on the chain of approval, for a purpose; deleted for good."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request, Response

from app.api.answers import created, manners
from app.api.deps import NameReader, Rules, Today, Writer
from app.api.errors import problem_responses
from app.api.evidence_list_calls import (
    NamesKeys,
    PartInQuery,
    Purpose,
    by_whom,
    filters_of,
    page_of,
    place_of,
)
from app.api.evidence_list_shapes import NamedPage
from app.api.evidence_shapes import SlotInPath
from app.api.language import InLanguage
from app.api.numbers import RecordInPath
from app.api.officials import OfficialInQuery
from app.api.paging import Cursor, Limit, cut, read_place
from app.api.preconditions import Meant
from app.api.strict import StrictRoute
from app.domain.evidence import editing, lists, names, parts, slots
from app.domain.evidence.names import Shown
from app.domain.evidence.store import Store

_PREFIX: Final = "/v1/evidence-submissions/{id:number}"
router = APIRouter(prefix=_PREFIX, tags=["evidence"], route_class=StrictRoute)


@router.get(
    "/slots/{slot}/names",
    summary="Read a list with names",
    response_model=NamedPage,
    responses=problem_responses(404, 410, 422),
)
async def read_names(
    caller: NameReader,
    rules: Rules,
    connection: Writer,
    language: InLanguage,
    keys: NamesKeys,
    day: Today,
    id: RecordInPath,
    slot: SlotInPath,
    purpose: Purpose,
    part: PartInQuery = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    official: OfficialInQuery = None,
) -> Response:
    """Read names of a slot: the offices of its commune, district and province alone.

    Each page that is read stands in the audit, with its purpose, before it is answered.
    """
    filters = filters_of("names", id, slot, part)
    after = read_place(cursor, filters)
    held = await editing.find(connection, caller, id)
    known = slots.known(rules, held.ruleset, slot)
    lists.form_of(known)
    by = by_whom(caller, official)
    parts.check_known(part or "", await parts.of(connection, id))
    found = await names.read(
        connection, keys, by, held, known.slot, part, after, limit, purpose, day
    )
    items, following = cut(found.shown, place_of, limit, filters)
    shown = page_of(found, [_named(one) for one in items], following)
    answered = created(shown, language, status=200)
    answered.headers["cache-control"] = "no-store"
    return answered


@router.delete(
    "/names",
    summary="Delete the names of a submission",
    status_code=204,
    response_class=Response,
    responses=problem_responses(404, 409, 412, 422),
)
async def delete_names(
    request: Request,
    caller: NameReader,
    connection: Writer,
    language: InLanguage,
    keys: NamesKeys,
    day: Today,
    meant: Meant,
    id: RecordInPath,
    purpose: Purpose,
    official: OfficialInQuery = None,
) -> Response:
    """Delete the names of all lists of a submission for good: their key is shredded.

    The contents of files in slots of lists of persons go with them. Not while it is being checked.
    Counts, digests and the audit stay; it cannot be undone.
    """
    held = await editing.hold(connection, caller, id)
    meant.check(str(held.revision), None)
    names.check_on_the_chain(caller, held, day)
    store: Store = request.app.state.store
    await names.delete(connection, keys, store, by_whom(caller, official), held, purpose)
    return Response(status_code=204, headers=manners(language))


def _named(one: Shown) -> dict[str, Any]:
    return {
        "part": one.part or None,
        "number": one.row.number,
        "name": one.row.name,
        "note": one.row.note,
    }
