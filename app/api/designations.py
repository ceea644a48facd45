"""Pilot designations across communes, and their withdrawal."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from app.api.answers import answer, created
from app.api.deps import Data, Reader, Recorder, Transaction
from app.api.errors import problem_responses
from app.api.language import InLanguage
from app.api.officials import Change
from app.api.paging import Cursor, Limit, cut, links, read_number
from app.api.shapes import DesignationShape, Line
from app.api.strict import StrictRoute
from app.api.unit_shapes import NumberInPath, On, Under, UnitShape
from app.api.work import IdempotencyKey
from app.domain import designations, territory, unit_lookup
from app.domain.clock import today
from app.domain.designations import Wanted

router = APIRouter(prefix="/v1/designations", tags=["communes"], route_class=StrictRoute)


class DesignationOfUnit(DesignationShape):
    """A designation and the unit that was chosen."""

    unit: UnitShape


class DesignationPage(BaseModel):
    """One page of designations."""

    items: list[DesignationOfUnit]
    next: str | None


class WithdrawalIn(Change):
    """Why the designation does not count."""

    reason: Line


class WithdrawalShape(BaseModel):
    """A designation that was withdrawn."""

    id: int
    reason: str


@router.get(
    "",
    summary="List designations",
    response_model=DesignationPage,
    responses=problem_responses(404, 422),
)
async def list_designations(
    request: Request,
    _: Reader,
    data: Data,
    language: InLanguage,
    model: Annotated[Literal["smart", "ecom"] | None, Query(description="Pilot model.")] = None,
    authority: Annotated[
        Literal["central", "province"] | None, Query(description="Who decided.")
    ] = None,
    under: Under = None,
    on: On = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """List designations with their units, oldest record first.

    With `on`: those decided by then, of units that exist then. Without: all, each unit as it was
    when it was chosen. `under` reaches what the unit descends from.
    """
    filters = {
        "list": "designations", "model": model, "authority": authority, "under": under,
        "on": str(on),
    }  # fmt: skip
    after = read_number(cursor, filters)
    async with data.reading() as connection:
        within = None
        if under:
            above = await unit_lookup.get(connection, under, on or today(), "/under")
            within = await territory.resolve(connection, above.id, above.level)
        wanted = Wanted(on, model, authority, within)
        found = await designations.page(connection, wanted, limit + 1, after)
    shown, following = cut(found, lambda one: [str(one["id"])], limit, filters)
    return answer(request, {"items": shown, "next": following}, language, links(request, following))


@router.post(
    "/{id}/withdraw",
    summary="Withdraw a designation recorded by mistake",
    response_model=WithdrawalShape,
    responses=problem_responses(400, 404, 409, 413, 415, 422),
)
async def withdraw_designation(
    caller: Recorder,
    session: Transaction,
    language: InLanguage,
    id: NumberInPath,
    body: WithdrawalIn,
    _: IdempotencyKey = None,
) -> Response:
    """Withdraw a designation of a commune of one's territory; both stay on record."""
    await designations.withdraw(session, body.by(caller), id, body.reason)
    return created({"id": id, "reason": body.reason}, language, status=200)
