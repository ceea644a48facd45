"""Hamlets below a commune: listed, and entered by those who know them."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Request, Response
from pydantic import StringConstraints

from app.api.answers import answer, created
from app.api.deps import Data, Reader, Recorder, Transaction
from app.api.errors import problem_responses
from app.api.language import InLanguage
from app.api.officials import Change
from app.api.paging import Cursor, Limit, cut, links, read_cursor
from app.api.shapes import Day, Line
from app.api.strict import StrictRoute
from app.api.unit_shapes import CommuneInPath, On, UnitPage, UnitShape
from app.api.work import IdempotencyKey
from app.database import driver_in
from app.domain import hamlets, unit_listing, unit_lookup
from app.domain.clock import today
from app.domain.unit_listing import Wanted

router = APIRouter(prefix="/v1/communes", tags=["communes"], route_class=StrictRoute)


class HamletIn(Change):
    """A hamlet: its code is the commune's and two or three digits."""

    code: Annotated[str, StringConstraints(pattern=r"^[0-9]{5}-[0-9]{2,3}$")]
    name: Line
    type: Literal["ap", "thon", "khu_dan_cu"]
    valid_from: Day


@router.get(
    "/{code}/hamlets",
    summary="List the hamlets of a commune",
    response_model=UnitPage,
    responses=problem_responses(404, 422),
)
async def list_hamlets(
    request: Request,
    _: Reader,
    data: Data,
    language: InLanguage,
    code: CommuneInPath,
    on: On = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """List the hamlets of a commune on a day, in Vietnamese order."""
    filters = {"list": "hamlets", "code": code, "on": str(on)}
    after, day = read_cursor(cursor, filters, parts=3), on or today()
    async with data.reading() as connection:
        commune = await unit_lookup.get(connection, code, day)
        wanted = Wanted(day, "hamlet", parent=commune)
        found = [unit for unit, _ in await unit_listing.page(connection, wanted, limit + 1, after)]
    shown, following = cut(found, unit_listing.place_in_order, limit, filters)
    body = {"items": [unit.shown for unit in shown], "next": following}
    return answer(request, body, language, links(request, following))


@router.post(
    "/{code}/hamlets",
    summary="Enter a hamlet",
    status_code=201,
    response_model=UnitShape,
    responses=problem_responses(400, 404, 409, 413, 415, 422),
)
async def add_hamlet(
    caller: Recorder,
    session: Transaction,
    language: InLanguage,
    code: CommuneInPath,
    body: HamletIn,
    _: IdempotencyKey = None,
) -> Response:
    """Enter a hamlet of a commune of one's territory; the commune is that of `valid_from`."""
    connection = await driver_in(session)
    commune = await unit_lookup.get(connection, code, body.valid_from)
    caller.territory.require(commune)
    id_ = await hamlets.add(
        session, body.by(caller), commune, body.code, body.name, body.type, body.valid_from
    )
    entered = (await unit_lookup.by_ids(connection, [id_], body.valid_from))[0]
    return created(entered.shown, language, f"/v1/units/{entered.key}?on={body.valid_from}")
