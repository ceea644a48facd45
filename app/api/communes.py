"""Communes with their area classes and pilot designations."""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, Field

from app.api.answers import answer, created
from app.api.deps import Data, Reader, Recorder, Rules, Transaction
from app.api.errors import problem_responses
from app.api.language import InLanguage
from app.api.officials import Change
from app.api.paging import Cursor, Limit, cut, links, read_cursor
from app.api.preconditions import Meant, Version
from app.api.problems import refusal
from app.api.shapes import Day, DesignationShape, Line
from app.api.strict import StrictRoute
from app.api.unit_shapes import CommuneInPath, On, Under, UnitShape
from app.api.work import IdempotencyKey
from app.database import driver_in
from app.domain import commune_facts, designations, unit_listing, unit_lookup
from app.domain.clock import today
from app.domain.commune_facts import COMMUNE_COLUMNS, Attribute
from app.domain.previews import unknown_attribute
from app.domain.refusals import Complaint
from app.domain.unit_listing import Wanted
from app.rules.errors import Text
from app.rules.registry import Registry

router = APIRouter(prefix="/v1/communes", tags=["communes"], route_class=StrictRoute)


class AttributeShape(BaseModel):
    """An area class; `to` is the first day on which it does not hold any more."""

    value: bool
    from_: datetime.date = Field(alias="from")
    to: datetime.date | None
    source: str


class CommuneShape(UnitShape):
    """A commune on a day, with what is recorded of it for that day."""

    attributes: dict[str, AttributeShape]
    designations: list[DesignationShape]


class CommuneDetail(CommuneShape):
    """A commune by itself; `version` changes with whatever is recorded of it, for any day."""

    version: str


class CommunePage(BaseModel):
    """One page of communes."""

    items: list[CommuneShape]
    next: str | None


class AttributeIn(Change):
    """An area class: true or false from a day up to, not including, another."""

    value: bool
    since: Day = Field(alias="from")
    until: Day | None = Field(default=None, alias="to")
    source: Line
    version: Version = None


class DesignationIn(Change):
    """A decision; only 969/QĐ-BNN-VPĐP and 1824/QĐ-BNN-VPĐP exempt from conditions."""

    model: Literal["smart", "ecom"]
    authority: Literal["central", "province"]
    decision: Line
    date: Day | None = None
    source: Line

    def recorded(self) -> dict[str, Any]:
        """Return it in the words of the domain."""
        return self.model_dump(exclude={"date", "acting_official"}) | {"decided_on": self.date}


@router.get(
    "", summary="List communes", response_model=CommunePage, responses=problem_responses(404, 422)
)
async def list_communes(
    request: Request,
    _: Reader,
    data: Data,
    language: InLanguage,
    under: Under = None,
    on: On = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """List communes of a day in Vietnamese order."""
    filters = {"list": "communes", "under": under, "on": str(on)}
    after, day = read_cursor(cursor, filters, parts=3), on or today()
    async with data.reading() as connection:
        above = await unit_lookup.get(connection, under, day, "/under") if under else None
        wanted = Wanted(day, "commune", under=above)
        found = await unit_listing.page(connection, wanted, limit + 1, after, COMMUNE_COLUMNS)
    shown, following = cut(found, lambda one: unit_listing.place_in_order(one[0]), limit, filters)
    items = [commune_facts.shown(unit, row) for unit, row in shown]
    return answer(request, {"items": items, "next": following}, language, links(request, following))


@router.get(
    "/{code}",
    summary="Read a commune",
    response_model=CommuneDetail,
    responses=problem_responses(404, 422),
)
async def read_commune(
    request: Request,
    _: Reader,
    data: Data,
    language: InLanguage,
    code: CommuneInPath,
    on: On = None,
) -> Response:
    """Read a commune with its area classes and designations of a day."""
    day = on or today()
    async with data.reading() as connection:
        body = await commune_facts.get(connection, code, day)
    return answer(request, body, language)


@router.put(
    "/{code}/attributes/{name}",
    summary="Record an area class",
    response_model=CommuneDetail,
    responses=problem_responses(400, 404, 412, 413, 415, 422, 428),
)
async def record_attribute(
    caller: Recorder,
    rules: Rules,
    session: Transaction,
    language: InLanguage,
    code: CommuneInPath,
    name: Annotated[str, Path(max_length=120, description="An area class of the catalogue.")],
    meant: Meant,
    body: AttributeIn,
) -> Response:
    """Record an area class of a commune of one's territory; earlier records stay on record.

    What follows an earlier record says which state it means, by `If-Match` or `version`.
    """
    _check_attribute(rules, name, body)
    connection = await driver_in(session)
    unit = await unit_lookup.get(connection, code, body.since)
    caller.territory.require(unit)
    attribute = Attribute(name, body.value, body.since, body.until, body.source)
    by, now = body.by(caller), await commune_facts.version(session, unit)
    follows = await commune_facts.follows(session, unit, attribute)
    meant.check(now, body.version, required=follows)
    await commune_facts.record_attribute(session, by, unit, attribute)
    shown = await commune_facts.get(connection, unit.key, body.since)
    return created(shown, language, status=200)


@router.post(
    "/{code}/designations",
    summary="Record a designation",
    status_code=201,
    response_model=CommuneDetail,
    responses=problem_responses(400, 404, 409, 413, 415, 422),
)
async def designate(
    caller: Recorder,
    session: Transaction,
    language: InLanguage,
    code: CommuneInPath,
    body: DesignationIn,
    _: IdempotencyKey = None,
) -> Response:
    """Record that a decision chose a commune of one's territory for a pilot model.

    The code is that of the day of the decision, or of today when the day is not known.
    """
    day = body.date or today()
    connection = await driver_in(session)
    unit = await unit_lookup.get(connection, code, day)
    caller.territory.require(unit)
    await designations.designate(session, body.by(caller), unit, body.recorded())
    shown = await commune_facts.get(connection, unit.key, day)
    return created(shown, language, f"/v1/communes/{unit.key}?on={day}")


def _check_attribute(rules: Registry, name: str, body: AttributeIn) -> None:
    complaints = []
    if (message := unknown_attribute(rules, name)) is not None:
        complaints.append(Complaint("/name", "unknown-attribute", message))
    if body.until is not None and body.until <= body.since:
        message = Text("“to” phải sau “from”", "“to” must be after “from”")
        complaints.append(Complaint("/to", "wrong-value", message))
    if complaints:
        raise refusal(complaints)
