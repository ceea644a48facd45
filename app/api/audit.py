"""The audit within one's territory: who changed what, when, for which official, and why."""

from __future__ import annotations

import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from app.api.answers import answer
from app.api.deps import Data, Reader
from app.api.errors import problem_responses
from app.api.language import InLanguage
from app.api.moments import Instant
from app.api.numbers import RecordInPath
from app.api.paging import LONG, Cursor, Limit, cut, links, read_number
from app.api.strict import StrictRoute
from app.api.unit_shapes import Ancestor, On, Under, UnitInQuery
from app.domain.audit import listing
from app.domain.audit.listing import Wanted
from app.domain.clock import today
from app.domain.filters import Narrowing, narrow
from app.domain.territory import Sight

router = APIRouter(prefix="/v1/audit", tags=["audit"], route_class=StrictRoute)

ClientInQuery = Annotated[
    str | None,
    Query(
        pattern=r"^ntm(-[0-9a-f]{16})?$",
        description="By this client; `ntm`: by the operator of the service.",
    ),
]
ActionInQuery = Annotated[
    str | None,
    Query(
        pattern=r"^[a-z]+(-[a-z]+)*\.[a-z]+(-[a-z]+)*$",
        max_length=60,
        description="Of this kind, such as `values.recorded`.",
    ),
]
Since = Annotated[Instant | None, Query(description="Made at this instant or later.")]


class ActingOfficial(BaseModel):
    """For whom the client said that it acted."""

    id: str
    office: str
    position: str


class SealShape(BaseModel):
    """The place of an entry in the chain, and the SHA-256 that vouches for all up to it."""

    position: int
    hash: str


class AuditEntryShape(BaseModel):
    """A change as it was put on record; `sealed` follows within a second, and never changes."""

    id: int
    at: datetime.datetime
    client: str
    acting_official: ActingOfficial | None
    action: str
    unit: Ancestor | None
    request_id: str | None
    reason: str | None
    details: dict[str, Any]
    sealed: SealShape | None


class AuditPage(BaseModel):
    """One page of entries."""

    items: list[AuditEntryShape]
    next: str | None


@router.get(
    "", summary="List the audit", response_model=AuditPage, responses=problem_responses(404, 422)
)
async def list_audit(
    request: Request,
    caller: Reader,
    data: Data,
    language: InLanguage,
    unit: UnitInQuery = None,
    under: Under = None,
    client: ClientInQuery = None,
    action: ActionInQuery = None,
    since: Since = None,
    on: On = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """List changes of what lies in one's territory, the newest first."""
    filters = {
        "list": "audit", "unit": unit, "under": under, "client": client, "action": action,
        "since": str(since), "on": str(on),
    }  # fmt: skip
    after = read_number(cursor, filters, LONG)
    async with data.reading() as connection:
        narrowed = await narrow(
            connection, Sight(caller.territory), Narrowing(today(), unit, under, on)
        )
        wanted = Wanted(caller.territory, narrowed.unit, narrowed.under, client, action, since)
        found = await listing.page(connection, wanted, limit + 1, after)
    some, following = cut(found, lambda one: [str(one["id"])], limit, filters)
    return answer(request, {"items": some, "next": following}, language, links(request, following))


@router.get(
    "/{id:number}",
    summary="Read an audit entry",
    response_model=AuditEntryShape,
    responses=problem_responses(404, 422),
)
async def read_audit_entry(
    request: Request, caller: Reader, data: Data, language: InLanguage, id: RecordInPath
) -> Response:
    """Read one change of what lies in one's territory."""
    async with data.reading() as connection:
        found = await listing.get(connection, caller.territory, id)
    return answer(request, found, language)
