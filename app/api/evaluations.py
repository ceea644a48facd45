"""Evaluations on record: conducted, listed, replayed, compared."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from app.api.answers import answer, created
from app.api.deps import Data, Kept, Reader, Rules, Writer
from app.api.errors import problem_responses
from app.api.evaluation_filters import EvaluationsWanted
from app.api.language import InLanguage
from app.api.moments import PeriodIn, UpdatedSince
from app.api.numbers import RecordInPath
from app.api.officials import Change
from app.api.paging import LONG, Cursor, Limit, cut, links, read_number, read_position
from app.api.shapes import Day
from app.api.strict import StrictRoute
from app.api.unit_shapes import Place
from app.api.verdict_shapes import (
    StoredVerdict,
    Texts,
    VerdictList,
    VerdictPage,
)
from app.api.work import IdempotencyKey
from app.domain import recordings
from app.domain.clock import today
from app.domain.evaluations import conduct, reading, showing
from app.domain.evaluations.conduct import Wish
from app.domain.evaluations.on_record import MinStatus
from app.domain.grants import counting
from app.domain.territory import EVALUATIONS

router = APIRouter(prefix="/v1/evaluations", tags=["evaluations"], route_class=StrictRoute)


class EvaluationIn(Change):
    """One unit, or up to 500, to judge by a ruleset from the values on record.

    `as_of` defaults to the last day of the period, or today while the period lasts.
    """

    ruleset: str = Field(max_length=120)
    unit: Place | None = None
    units: list[Place] | None = Field(default=None, min_length=1, max_length=conduct.MOST_UNITS)
    on: Day | None = None
    period: PeriodIn
    as_of: Day | None = None
    min_status: MinStatus | None = Field(
        default=None,
        description="approved: values that are not approved are shown and do not count.",
    )

    @model_validator(mode="after")
    def _one_form(self) -> EvaluationIn:
        if (self.unit is None) == (self.units is None):
            raise PydanticCustomError("unit_or_units", "either unit or units")
        return self

    def wish(self, day: datetime.date) -> Wish:
        """Return it in the words of the domain; `day` is today."""
        as_of = self.as_of or min(day, self.period.last)
        given = self.period, as_of, self.on
        if self.units is None:
            places: Sequence[str] = [str(self.unit)]
            return Wish(self.ruleset, places, *given, min_status=self.min_status)
        within: Callable[[int], str] = "/units/{}".format
        return Wish(self.ruleset, self.units, *given, within, self.min_status)


@router.post(
    "",
    summary="Evaluate what is on record",
    status_code=201,
    response_model=StoredVerdict | VerdictList,
    responses=problem_responses(400, 404, 409, 413, 415, 422),
)
async def evaluate(
    caller: Reader,
    rules: Rules,
    kept: Kept,
    connection: Writer,
    language: InLanguage,
    body: EvaluationIn,
    texts: Texts = True,
    _: IdempotencyKey = None,
) -> Response:
    """Judge units of one's territory and put the verdicts on record: all of them or none.

    With `unit` the answer is the verdict, with `units` a list of them.
    """
    wish = body.wish(today())
    entry, conducted = await conduct.conduct(connection, rules, caller.territory, wish)
    known = await kept.is_kept(connection, entry)
    stored = await conduct.store(connection, body.by(caller), entry, conducted, kept=known)
    items = [showing.kept(entry.compiled, one, language, texts) for one in stored]
    if body.units is not None:
        return created({"items": items}, language)
    return created(items[0], language, f"/v1/evaluations/{stored[0].id}")


@router.get(
    "",
    summary="List evaluations",
    response_model=VerdictPage,
    responses=problem_responses(404, 409, 422),
)
async def list_evaluations(
    request: Request,
    caller: Reader,
    rules: Rules,
    kept: Kept,
    data: Data,
    language: InLanguage,
    filters: EvaluationsWanted,
    updated_since: UpdatedSince = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """List verdicts of one's territory without their criteria, the newest first.

    With `updated_since` the oldest first, in the order in which they came on record. Verdicts
    that cannot be read any more are named under `damaged`.
    """
    sight = caller.sight(EVALUATIONS)
    bound = {"list": "evaluations", **filters.said(), "updated_since": str(updated_since)}
    if updated_since is None:
        after: Any = read_number(cursor, bound, LONG)
    else:
        after = read_position(cursor, bound)
        await recordings.number(data)
    async with data.reading() as connection:
        wanted = await filters.wanted(connection, rules, sight)
        if updated_since is None:
            rows = await reading.page(connection, wanted, limit + 1, after)
        else:
            rows = await reading.changes(connection, wanted, updated_since, limit + 1, after)
        endless = updated_since is not None
        place = reading.position if endless else reading.number
        shown, following = cut(rows, place, limit, bound, endless=endless)
        items, damaged = await showing.summarised(connection, kept, shown, language)
    await counting.count(data, caller, EVALUATIONS, [row["id"] for row in shown])
    body = {"items": items, "next": following, "damaged": damaged}
    return answer(request, body, language, links(request, following))


@router.get(
    "/{id:number}",
    summary="Read an evaluation",
    response_model=StoredVerdict,
    responses=problem_responses(404, 409, 422),
)
async def read_evaluation(
    request: Request,
    caller: Reader,
    kept: Kept,
    data: Data,
    language: InLanguage,
    id: RecordInPath,
    texts: Texts = True,
) -> Response:
    """Read a verdict of one's territory, with the texts of the ruleset it was judged by."""
    async with data.reading() as connection:
        row = await reading.get(connection, caller.sight(EVALUATIONS), id, ", e.inputs")
        version = await reading.version(connection, kept, row)
        followed = await reading.followed(connection, row)
    await counting.count(data, caller, EVALUATIONS, [id])
    body = showing.encoded(version.compiled, row, language, texts, followed)
    return answer(request, body, language)
