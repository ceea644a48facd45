"""Values: recorded, listed, followed, retracted; never edited."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from app.api.answers import answer, created
from app.api.deps import Data, Reader, Recorder, Rules, Writer
from app.api.errors import problem_responses
from app.api.language import InLanguage
from app.api.moments import PeriodInQuery, UpdatedSince
from app.api.numbers import RecordInPath
from app.api.officials import Change
from app.api.paging import (
    LONG,
    Cursor,
    Limit,
    cut,
    links,
    read_number,
    read_position,
    read_value_key,
)
from app.api.preconditions import Meant
from app.api.problems import refusal
from app.api.shapes import TrueOrFalse, today
from app.api.strict import StrictRoute
from app.api.unit_shapes import (
    On,
    Under,
    UnitInQuery,
)
from app.api.value_shapes import (
    HistoryPage,
    RetractionIn,
    ValueIn,
    ValueList,
    ValuePage,
    ValueShape,
)
from app.api.work import IdempotencyKey
from app.domain import recordings
from app.domain.filters import Narrowing, narrow
from app.domain.grants import counting
from app.domain.refusals import Complaint, Refused, no_indicator
from app.domain.territory import VALUES, Sight
from app.domain.values import RETRACTED, entries, lineage, listing, recording, version
from app.domain.values.entries import Read, as_complaints
from app.domain.values.listing import Wanted
from app.rules.errors import Text
from app.rules.registry import Registry

router = APIRouter(prefix="/v1/values", tags=["values"], route_class=StrictRoute)


class ValuesIn(Change):
    """Values to record together: all of them or none."""

    values: list[ValueIn] = Field(min_length=1, max_length=1_000)


IndicatorInQuery = Annotated[str | None, Query(max_length=120, description="Code of an indicator.")]


@router.post(
    "",
    summary="Record values",
    status_code=201,
    response_model=ValueList,
    responses=problem_responses(400, 404, 409, 413, 415, 422),
)
async def record_values(
    caller: Recorder,
    rules: Rules,
    connection: Writer,
    language: InLanguage,
    body: ValuesIn,
    _: IdempotencyKey = None,
) -> Response:
    """Put values of units of one's territory on record, all or nothing.

    A value for a unit, indicator and period that has one already follows it; both stay on record.
    """
    read = Read()
    for number, one in enumerate(body.values):
        read.add(rules.indicators, number, vars(one))
    placed = await entries.place(connection, caller.territory, rules, read)
    if read.complaints:
        raise Refused(as_complaints(read.complaints, "values"))
    stored = await recording.record(connection, body.by(caller), placed)
    return created({"items": [one.shown() for one in stored]}, language)


@router.get(
    "",
    summary="List values",
    response_model=ValuePage,
    response_model_exclude_unset=True,
    responses=problem_responses(404, 422),
)
async def list_values(
    request: Request,
    caller: Reader,
    rules: Rules,
    data: Data,
    language: InLanguage,
    unit: UnitInQuery = None,
    under: Under = None,
    indicator: IndicatorInQuery = None,
    period: PeriodInQuery = None,
    status: Annotated[
        Literal["reported", "superseded", "retracted"] | None,
        Query(description="Of this status; without it those that count."),
    ] = None,
    updated_since: UpdatedSince = None,
    with_predecessors: Annotated[
        TrueOrFalse,
        Query(description="With `unit`: also values of what it descends from, and their sums."),
    ] = False,
    on: On = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """List the current values of one's territory by unit, indicator and period.

    With `updated_since`: every value that was recorded, followed or retracted since, each once,
    in the order of its last change.
    """
    _check_filters(rules, indicator, unit, with_predecessors)
    said, sight = period.text if period else None, caller.sight(VALUES)
    filters = {
        "list": "values", "unit": unit, "under": under, "indicator": indicator,
        "period": said, "status": status, "on": str(on),
        "updated_since": str(updated_since), "with_predecessors": str(with_predecessors),
    }  # fmt: skip
    read = read_position if updated_since is not None else read_value_key
    after: Any = read(cursor, filters)
    if updated_since is not None:
        await recordings.number(data)
    async with data.reading() as connection:
        # Predecessors are those of a unit of a day; the period only says which of their values.
        named_in = None if with_predecessors else period
        narrowing = Narrowing(today(), unit, under, on, named_in)
        narrowed = await narrow(connection, sight, narrowing)
        units = narrowed.units
        if with_predecessors and narrowed.unit is not None:
            units = await lineage.predecessors(connection, narrowed.unit)
        wanted = Wanted(sight, units, narrowed.under, indicator, said, status)
        if updated_since is not None:
            found = await listing.changes(connection, wanted, updated_since, limit + 1, after)
        else:
            found = await listing.page(connection, wanted, limit + 1, after)
        computed = None
        if with_predecessors and narrowed.unit is not None:
            computed = await lineage.sums(connection, narrowed.unit, wanted)
    shown, following = cut(
        found, lambda one: one[0], limit, filters, endless=updated_since is not None
    )
    body: dict[str, Any] = {"items": [item for _, item in shown], "next": following}
    if computed is not None:
        body["computed"] = computed
    summed = [number for one in computed or () for number in one["values"]]
    await counting.count(data, caller, VALUES, [*(item["id"] for _, item in shown), *summed])
    return answer(request, body, language, links(request, following))


@router.get(
    "/{id:number}",
    summary="Read a value",
    response_model=ValueShape,
    responses=problem_responses(404, 422),
)
async def read_value(
    request: Request, caller: Reader, data: Data, language: InLanguage, id: RecordInPath
) -> Response:
    """Read a value of one's territory with its status."""
    async with data.reading() as connection:
        _, shown = await listing.get(connection, caller.sight(VALUES), id)
    await counting.count(data, caller, VALUES, [id])
    return answer(request, shown, language)


@router.get(
    "/{id:number}/history",
    summary="Read the history of a value",
    response_model=HistoryPage,
    responses=problem_responses(404, 422),
)
async def read_history(
    request: Request,
    caller: Reader,
    data: Data,
    language: InLanguage,
    id: RecordInPath,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """Read every value of the same unit, indicator and period, oldest first, with its events."""
    filters = {"list": "history", "id": str(id)}
    after = read_number(cursor, filters, LONG)
    async with data.reading() as connection:
        row, _ = await listing.get(connection, caller.sight(VALUES), id)
        found = await listing.history(connection, row, limit + 1, after)
    shown, following = cut(found, lambda one: [str(one["id"])], limit, filters)
    await counting.count(data, caller, VALUES, [one["id"] for one in shown])
    return answer(request, {"items": shown, "next": following}, language, links(request, following))


@router.post(
    "/{id:number}/retract",
    summary="Retract a value",
    response_model=ValueShape,
    responses=problem_responses(400, 404, 409, 412, 413, 415, 422),
)
async def retract_value(
    caller: Recorder,
    connection: Writer,
    language: InLanguage,
    id: RecordInPath,
    meant: Meant,
    body: RetractionIn,
    _: IdempotencyKey = None,
) -> Response:
    """Retract the current value of one's territory; none counts then until a new one follows."""
    row, shown = await listing.get(connection, Sight(caller.territory), id)
    meant.check(shown["version"], body.version)
    await recording.retract(connection, body.by(caller), row, body.reason)
    changed = {"status": RETRACTED, "version": version(id, RETRACTED)}
    return created(shown | changed, language, status=200)


def _check_filters(
    rules: Registry,
    indicator: str | None,
    unit: str | None,
    with_predecessors: bool,
) -> None:
    complaints = []
    if indicator is not None and indicator not in rules.indicators:
        complaints.append(Complaint("/indicator", "unknown-indicator", no_indicator(indicator)))
    if with_predecessors and unit is None:
        message = Text("with_predecessors cần kèm unit", "with_predecessors needs unit")
        complaints.append(Complaint("/with_predecessors", "missing-field", message))
    if complaints:
        raise refusal(complaints)
