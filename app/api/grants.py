"""Grants: a part of a territory's data opened to others on purpose, until a time."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from app.api.answers import answer, created
from app.api.deps import Administrator, Data, Reader, Rules, Writer
from app.api.errors import problem_responses
from app.api.grant_shapes import GrantIn, GrantPage, GrantShape, Resource
from app.api.language import InLanguage
from app.api.numbers import RecordInPath
from app.api.officials import EndingIn
from app.api.paging import LONG, Cursor, Limit, cut, links, read_number
from app.api.preconditions import Meant
from app.api.strict import StrictRoute
from app.api.work import IdempotencyKey
from app.domain import unit_lookup
from app.domain.clock import today
from app.domain.grants import giving, listing
from app.domain.grants.giving import Until, Wish
from app.domain.grants.listing import Direction, State, Wanted

router = APIRouter(prefix="/v1/grants", tags=["grants"], route_class=StrictRoute)


@router.post(
    "",
    summary="Grant access to data",
    status_code=201,
    response_model=GrantShape,
    responses=problem_responses(400, 404, 409, 413, 415, 422),
)
async def give_grant(
    caller: Administrator,
    rules: Rules,
    connection: Writer,
    language: InLanguage,
    body: GrantIn,
    _: IdempotencyKey = None,
) -> Response:
    """Open values or evaluations of one's territory for reading, for a purpose and until a time.

    What a unit descends from is opened with it. The receiver reads at the same addresses; each
    read is counted. It ends by itself, or on the request after it was revoked.
    """
    by, day = body.by(caller), today()
    opened = await unit_lookup.get(connection, body.from_territory, day, "/from_territory")
    to_unit = None
    if body.to_territory is not None:
        to_unit = await unit_lookup.get(connection, body.to_territory, day, "/to_territory")
    wish = Wish(
        opened, body.to_client, to_unit, body.resources, body.rulesets, body.indicators,
        body.purpose, Until.of(body.until),
    )  # fmt: skip
    id_ = await giving.give(connection, rules, by, wish)
    row = await listing.get(connection, by, id_, day)
    return created(listing.shown(row), language, f"/v1/grants/{id_}")


@router.get("", summary="List grants", response_model=GrantPage, responses=problem_responses(422))
async def list_grants(
    request: Request,
    caller: Reader,
    data: Data,
    language: InLanguage,
    direction: Annotated[
        Direction | None, Query(description="From one's territory, or to oneself.")
    ] = None,
    state: Annotated[State | None, Query(description="Of this state.")] = None,
    resource: Annotated[Resource | None, Query(description="Those that open it.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """List the grants from one's territory and those one receives, the newest first."""
    filters = {"list": "grants", "direction": direction, "state": state, "resource": resource}
    after = read_number(cursor, filters, LONG)
    wanted = Wanted(direction, state, resource)
    async with data.reading() as connection:
        found = await listing.page(connection, caller, wanted, today(), limit + 1, after)
    some, following = cut(found, lambda one: [str(one["id"])], limit, filters)
    body = {"items": [listing.shown(one) for one in some], "next": following}
    return answer(request, body, language, links(request, following))


@router.get(
    "/{id:number}",
    summary="Read a grant",
    response_model=GrantShape,
    responses=problem_responses(404, 422),
)
async def read_grant(
    request: Request, caller: Reader, data: Data, language: InLanguage, id: RecordInPath
) -> Response:
    """Read a grant from one's territory or to oneself, and how much was read under it."""
    async with data.reading() as connection:
        row = await listing.get(connection, caller, id, today())
    return answer(request, listing.shown(row), language)


@router.post(
    "/{id:number}/revoke",
    summary="Revoke a grant",
    response_model=GrantShape,
    responses=problem_responses(400, 404, 409, 412, 413, 415, 422),
)
async def revoke_grant(
    caller: Administrator,
    connection: Writer,
    language: InLanguage,
    id: RecordInPath,
    meant: Meant,
    body: EndingIn | None = None,
    _: IdempotencyKey = None,
) -> Response:
    """End a grant from one's territory: on the next request it opens nothing.

    One that was revoked or ended before stays as it is.
    """
    ending, day = body or EndingIn(), today()
    row = await listing.get(connection, caller, id, day)
    giving.check_giver(row)
    await giving.lock(connection, id)
    row = await listing.get(connection, caller, id, day)  # as it is by now
    meant.check(listing.version(row), ending.version)
    await giving.revoke(connection, ending.by(caller), row, ending.reason)
    row = await listing.get(connection, caller, id, day)
    return created(listing.shown(row), language, status=200)
