"""Evaluation runs: whole territories judged in one job, listed, read, compared."""

from __future__ import annotations

import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from app.api.answers import answer
from app.api.deps import Data, Kept, Reader, Rules, Writer
from app.api.errors import problem_responses
from app.api.job_shapes import JobShape, accepted
from app.api.language import InLanguage
from app.api.moments import PeriodIn, PeriodInQuery
from app.api.numbers import Number, RecordInPath
from app.api.officials import Change
from app.api.paging import LONG, Cursor, Limit, cut, links, page, read_number
from app.api.problems import refusal
from app.api.run_shapes import RunComparison, RunPage, RunShape
from app.api.shapes import Day
from app.api.strict import StrictRoute
from app.api.unit_shapes import On, Place, Under
from app.api.work import IdempotencyKey
from app.domain.clock import today
from app.domain.evaluation_runs import beginning, comparing, reading
from app.domain.evaluation_runs.beginning import Wish
from app.domain.evaluation_runs.reading import Wanted
from app.domain.evaluations.on_record import MinStatus
from app.domain.filters import Narrowing, narrow
from app.domain.jobs import listing, shown
from app.domain.previews import unknown_ruleset
from app.domain.refusals import Complaint
from app.domain.ruleset_snapshots import was_used
from app.domain.territory import EVALUATIONS

router = APIRouter(prefix="/v1/evaluation-runs", tags=["evaluations"], route_class=StrictRoute)


class RunIn(Change):
    """A territory to judge by a ruleset from the values on record.

    Judged are the units of the ruleset's levels under `under` on the last day of the period, or
    `on` another day of it. `as_of` defaults to the last day of the period, or today while the
    period lasts.
    """

    ruleset: str = Field(max_length=120)
    under: Place
    period: PeriodIn
    as_of: Day | None = None
    on: Day | None = None
    min_status: MinStatus | None = Field(
        default=None,
        description="approved: values that are not approved are shown and do not count.",
    )

    def wish(self, day: datetime.date) -> Wish:
        """Return it in the words of the domain; `day` is today."""
        as_of = self.as_of or min(day, self.period.last)
        return Wish(self.ruleset, str(self.under), self.period, as_of, self.on, self.min_status)


@router.post(
    "",
    summary="Evaluate all units of a territory",
    status_code=202,
    response_model=JobShape,
    responses=problem_responses(400, 404, 409, 413, 415, 422),
)
async def begin_run(
    caller: Reader,
    rules: Rules,
    connection: Writer,
    language: InLanguage,
    body: RunIn,
    _: IdempotencyKey = None,
) -> Response:
    """Begin a job that judges every unit of one's territory, or of a part of it, by a ruleset.

    All verdicts rest on one state of the record and come on record together. The result of the
    job names the run.
    """
    by = body.by(caller)
    job = await beginning.begin(connection, rules, by, body.wish(today()))
    return accepted(shown(await listing.get(connection, caller, job)), language)


@router.get(
    "",
    summary="List evaluation runs",
    response_model=RunPage,
    responses=problem_responses(404, 422),
)
async def list_runs(
    request: Request,
    caller: Reader,
    rules: Rules,
    kept: Kept,
    data: Data,
    language: InLanguage,
    ruleset: Annotated[str | None, Query(max_length=120, description="Id of a ruleset.")] = None,
    period: PeriodInQuery = None,
    under: Under = None,
    on: On = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """List the runs of one's territory without their criteria, the newest first.

    `under` leaves the runs of this unit and of units below it.
    """
    said = period.text if period else None
    filters = {
        "list": "runs", "ruleset": ruleset, "period": said, "under": under, "on": str(on),
    }  # fmt: skip
    after = read_number(cursor, filters, LONG)
    async with data.reading() as connection:
        if ruleset not in (None, *rules.entries) and not await was_used(connection, str(ruleset)):
            message = unknown_ruleset(rules, str(ruleset))
            raise refusal([Complaint("/ruleset", "unknown-ruleset", message)])
        narrowing = Narrowing(today(), None, under, on, period)
        narrowed = await narrow(connection, caller.sight(EVALUATIONS), narrowing)
        wanted = Wanted(caller.territory, narrowed.under, ruleset, said)
        rows = await reading.page(connection, wanted, limit + 1, after)
        some, following = cut(rows, lambda one: [str(one["id"])], limit, filters)
        items = [await reading.summary(connection, rules, kept, row) for row in some]
    body = {"items": items, "next": following}
    return answer(request, body, language, links(request, following))


@router.get(
    "/{id:number}",
    summary="Read an evaluation run",
    response_model=RunShape,
    responses=problem_responses(404, 409, 422),
)
async def read_run(
    request: Request,
    caller: Reader,
    rules: Rules,
    kept: Kept,
    data: Data,
    language: InLanguage,
    id: RecordInPath,
) -> Response:
    """Read how the units of a territory came out, criterion by criterion, and who is nearest.

    The verdicts themselves are in `/v1/evaluations?run=`.
    """
    async with data.reading() as connection:
        row = await reading.get(connection, caller.territory, id)
        body = await reading.shown(connection, rules, kept, row, language)
    return answer(request, body, language)


@router.get(
    "/{id:number}/compare",
    summary="Compare two evaluation runs",
    response_model=RunComparison,
    responses=problem_responses(404, 409, 422),
)
async def compare_runs(
    request: Request,
    caller: Reader,
    rules: Rules,
    kept: Kept,
    data: Data,
    language: InLanguage,
    id: RecordInPath,
    other: Annotated[Number, Query(alias="with", description="The run to compare with.")],
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """Say which units came out differently in another run of the ruleset, and why.

    The run in the path is `before`, the other one `after`.
    """
    filters = {"list": "compared-runs", "id": str(id), "with": str(other)}
    async with data.reading() as connection:
        found = await comparing.runs(connection, kept, caller.territory, (id, other))
        matched = await comparing.matched(connection, found)
        flips, following = page(
            matched.flips, lambda one: f"{one.verdicts[0]:0{LONG}}", limit, cursor, filters
        )
        body = {
            "before": await reading.summary(connection, rules, kept, found.before),
            "after": await reading.summary(connection, rules, kept, found.after),
            "counts": matched.counts,
            "items": await comparing.explained(connection, found, flips, language),
            "next": following,
        }
    return answer(request, body, language, links(request, following))
