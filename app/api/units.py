"""Administrative units of Vietnam on any day, their lineage, and whom somebody means."""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    ModelWrapValidatorHandler,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from app.api.answers import answer, created, json_bytes, manners
from app.api.deps import Data, Reader, Recorder, Transaction
from app.api.errors import problem_responses
from app.api.language import InLanguage
from app.api.officials import Change
from app.api.paging import Cursor, Limit, cut, links, read_cursor
from app.api.preconditions import Meant, Version, version_of
from app.api.shapes import Day, Line, Strict
from app.api.strict import StrictRoute
from app.api.unit_shapes import On, Place, PlaceInPath, Under, UnitPage, UnitShape
from app.database import driver_in
from app.domain import identifiers, unit_listing, unit_lookup, unit_names
from app.domain.clock import today
from app.domain.unit_listing import Wanted
from app.domain.vietnamese import search_key
from app.rules.vocabulary import Level

router = APIRouter(prefix="/v1/units", tags=["units"], route_class=StrictRoute)


def _search(value: Any) -> Any:
    if isinstance(value, str) and not search_key(value):
        raise PydanticCustomError("search_empty", "something to search for")
    return value


Search = Annotated[
    str | None,
    BeforeValidator(_search),
    Query(min_length=1, max_length=200, description="Words of a name."),
]


class Relative(BaseModel):
    """A unit that another one came from or became, as a whole or in part."""

    unit: UnitShape
    extent: Literal["whole", "part"]
    effective_date: datetime.date


class LineageShape(BaseModel):
    """Where a unit came from and what it became."""

    predecessors: list[Relative]
    successors: list[Relative]


# However somebody typed it: what cannot be seen does not count, and is no reason to refuse.
Spelled = Annotated[
    str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True, strict=True)
]


class AskedIn(Strict):
    """A unit as somebody wrote it down: a code, or a name with its province and district."""

    code: Place | None = None
    name: Spelled | None = None
    province: Spelled | None = Field(default=None, description="Name or code.")
    district: Spelled | None = Field(default=None, description="Name or code.")
    on: Day | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.code is None and self.name is None:
            raise PydanticCustomError("code_or_name", "a code or a name")
        return self


class ResolveIn(Strict):
    """Up to 1,000 units to resolve; a bare list is taken as `items`."""

    items: Annotated[list[AskedIn], Field(min_length=1, max_length=1_000)]

    @model_validator(mode="wrap")
    @classmethod
    def _either(cls, given: Any, read: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(given, list):
            return read(given)
        try:
            return read({"items": given})
        except ValidationError as error:  # places are told in what was sent: without /items
            raise ValidationError.from_exception_data(
                cls.__name__,
                [
                    InitErrorDetails(type=_same_again(one), loc=one["loc"][1:], input=one["input"])
                    for one in error.errors()
                ],
            ) from error


def _same_again(error: ErrorDetails) -> PydanticCustomError:
    return PydanticCustomError(error["type"], "as told", error.get("ctx"))


class ResolvedShape(BaseModel):
    """The one unit meant; otherwise candidates, or what it became when it has ended."""

    unit: UnitShape | None
    candidates: list[UnitShape]
    successors: list[UnitShape]


class ResolvedPage(BaseModel):
    """One answer for each unit asked for, in the same order."""

    items: list[ResolvedShape]


class IdentifierIn(Change):
    """A unit's code in another agency's system."""

    value: Line
    version: Version = None


class UnitDetail(UnitShape):
    """A unit by itself; `version` changes with its codes in other systems."""

    version: str


@router.get(
    "", summary="List units", response_model=UnitPage, responses=problem_responses(404, 422)
)
async def list_units(
    request: Request,
    _: Reader,
    data: Data,
    language: InLanguage,
    level: Annotated[Level | None, Query(description="Level of unit.")] = None,
    parent: Annotated[Place | None, Query(description="Directly below this unit.")] = None,
    under: Under = None,
    q: Search = None,
    on: On = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """List units of a day in Vietnamese order; `q` finds names with or without diacritics."""
    filters = {
        "list": "units", "level": level, "parent": parent, "under": under, "q": q, "on": str(on),
    }  # fmt: skip
    after, day = read_cursor(cursor, filters, parts=3), on or today()
    async with data.reading() as connection:
        wanted = Wanted(
            on=day,
            level=level,
            parent=await unit_lookup.get(connection, parent, day, "/parent") if parent else None,
            under=await unit_lookup.get(connection, under, day, "/under") if under else None,
            q=q,
        )
        found = [unit for unit, _ in await unit_listing.page(connection, wanted, limit + 1, after)]
    shown, following = cut(found, unit_listing.place_in_order, limit, filters)
    body = {"items": [unit.shown for unit in shown], "next": following}
    return answer(request, body, language, links(request, following))


@router.post(
    "/resolve",
    summary="Find the units that somebody means",
    response_model=ResolvedPage,
    responses=problem_responses(400, 413, 415, 422),
)
async def resolve_units(_: Reader, data: Data, language: InLanguage, body: ResolveIn) -> Response:
    """Find units by old or new code, or by name spelled in any of the usual ways."""
    day = today()
    wanted = [
        unit_names.Asked(one.on or day, one.code, one.name, one.province, one.district)
        for one in body.items
    ]
    async with data.reading() as connection:
        found = await unit_names.resolve(connection, wanted)
    answered = {"items": [one.shown() for one in found]}
    return Response(json_bytes(answered), 200, manners(language), "application/json")


@router.get(
    "/{code}",
    summary="Read a unit",
    response_model=UnitDetail,
    responses=problem_responses(404, 422),
)
async def read_unit(
    request: Request, _: Reader, data: Data, language: InLanguage, code: PlaceInPath, on: On = None
) -> Response:
    """Read the unit that has this code (or key) on a day."""
    async with data.reading() as connection:
        unit = await unit_lookup.get(connection, code, on or today())
    return answer(request, _versioned(unit.shown), language)


@router.get(
    "/{code}/lineage",
    summary="Read where a unit came from and what it became",
    response_model=LineageShape,
    responses=problem_responses(404, 422),
)
async def read_lineage(
    request: Request, _: Reader, data: Data, language: InLanguage, code: PlaceInPath, on: On = None
) -> Response:
    """Read the direct predecessors and successors of the unit with this code on a day."""
    async with data.reading() as connection:
        unit = await unit_lookup.get(connection, code, on or today())
        body = await unit_lookup.lineage(connection, unit)
    return answer(request, body, language)


@router.put(
    "/{code}/identifiers/{scheme}",
    summary="Record a unit's code in another system",
    response_model=UnitDetail,
    responses=problem_responses(400, 404, 412, 413, 415, 422, 428),
)
async def record_identifier(
    caller: Recorder,
    session: Transaction,
    language: InLanguage,
    code: PlaceInPath,
    scheme: Annotated[
        str, Path(pattern=r"^[a-z][a-z0-9_]{0,39}$", description="Name of the other system.")
    ],
    meant: Meant,
    body: IdentifierIn,
    on: On = None,
) -> Response:
    """Record what another agency calls a unit of one's territory.

    What replaces a code on record says which state it means, by `If-Match` or `version`.
    """
    day = on or today()
    unit = await unit_lookup.get(await driver_in(session), code, day)
    caller.territory.require(unit)
    known = await identifiers.held(session, unit)
    replaces = known.get(scheme, body.value) != body.value
    meant.check(version_of(known), body.version, required=replaces)
    await identifiers.record(session, body.by(caller), unit, known, scheme, body.value)
    shown = unit.shown | {"identifiers": known | {scheme: body.value}}
    return created(_versioned(shown), language, status=200)


def _versioned(shown: dict[str, Any]) -> dict[str, Any]:
    """Return a unit with the version of what is recorded of it: its codes in other systems."""
    return shown | {"version": version_of(shown["identifiers"])}
