"""Values: recorded, listed, followed, retracted; never edited."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import Field

from app.api.answers import answer, created
from app.api.deps import Data, Reader, Recorder, Rules, Writer
from app.api.errors import problem_responses
from app.api.language import InLanguage
from app.api.moments import UpdatedSince
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
from app.api.strict import StrictRoute
from app.api.value_filters import ValuesWanted
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
from app.domain.grants import counting
from app.domain.refusals import Refused
from app.domain.territory import VALUES, Sight
from app.domain.values import RETRACTED, entries, lineage, listing, recording, version
from app.domain.values.entries import Read, as_complaints

router = APIRouter(prefix="/v1/values", tags=["values"], route_class=StrictRoute)


class ValuesIn(Change):
    """Values to record together: all of them or none."""

    values: list[ValueIn] = Field(min_length=1, max_length=1_000)


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
    filters: ValuesWanted,
    updated_since: UpdatedSince = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """List the current values of one's territory by unit, indicator and period.

    With `updated_since`: every value that was recorded, followed or retracted since, each once,
    in the order of its last change.
    """
    filters.check(rules)
    sight = caller.sight(VALUES)
    bound = {"list": "values", **filters.said(), "updated_since": str(updated_since)}
    read = read_position if updated_since is not None else read_value_key
    after: Any = read(cursor, bound)
    if updated_since is not None:
        await recordings.number(data)
    async with data.reading() as connection:
        wanted, heir = await filters.wanted(connection, sight)
        if updated_since is not None:
            found = await listing.changes(connection, wanted, updated_since, limit + 1, after)
        else:
            found = await listing.page(connection, wanted, limit + 1, after)
        computed = None if heir is None else await lineage.sums(connection, heir, wanted)
    shown, following = cut(
        found, lambda one: one[0], limit, bound, endless=updated_since is not None
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
