"""Statistics for dashboards: outcomes, completeness, series over periods; nothing is stored."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from app.api.answers import answer
from app.api.deps import Data, Reader, Rules
from app.api.errors import problem_responses
from app.api.language import InLanguage
from app.api.moments import PeriodIn, PeriodWanted
from app.api.paging import Cursor, Limit, links, page
from app.api.shapes import TrueOrFalse
from app.api.statistics_shapes import (
    Below,
    CompletenessPage,
    CriterionAsked,
    Grouping,
    LevelAsked,
    OnDay,
    OutcomesPage,
    RulesetAsked,
    SeriesPage,
)
from app.api.strict import StrictRoute
from app.domain.clock import today
from app.domain.grants import counting
from app.domain.statistics import Asked, completeness, outcomes, series, sums, verdicts
from app.domain.statistics.spans import between
from app.domain.territory import EVALUATIONS, VALUES
from app.rules.period import Period
from app.rules.registry import Entry

IndicatorAsked = Annotated[
    str | None, Query(max_length=120, description="Code of an indicator; or a ruleset.")
]
router = APIRouter(prefix="/v1/statistics", tags=["statistics"], route_class=StrictRoute)


@router.get(
    "/outcomes",
    summary="Count outcomes",
    response_model=OutcomesPage,
    responses=problem_responses(404, 422),
)
async def count_outcomes(
    request: Request,
    caller: Reader,
    rules: Rules,
    data: Data,
    language: InLanguage,
    period: PeriodWanted,
    ruleset: RulesetAsked = None,
    under: Below = None,
    level: LevelAsked = None,
    by: Grouping = "none",
    criteria: Annotated[
        TrueOrFalse, Query(description="true counts the outcomes of every criterion, too.")
    ] = False,
    criterion: CriterionAsked = None,
    on: OnDay = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """Count the latest verdict of each unit by ruleset, level and period.

    The units are those of the last day of the period; a verdict counts in exactly its period.
    """
    filters = {
        "list": "outcomes", "period": period.text, "ruleset": ruleset, "under": under,
        "level": level, "by": by, "criteria": str(criteria), "criterion": criterion,
        "on": str(on),
    }  # fmt: skip
    sight = caller.sight(EVALUATIONS)
    asked = Asked(today(), period.last, period.last, under, on, period, by)
    wanted = outcomes.Wanted(asked, period, ruleset, level, criteria, criterion)
    async with data.reading() as connection:
        found = await outcomes.cells(connection, rules, sight, wanted)
        shown, following = page(found, lambda one: one.key, limit, cursor, filters)
        items, read = await outcomes.count(connection, sight, shown, wanted)
    await counting.count(data, caller, EVALUATIONS, read)
    return _answered(request, items, following, language)


@router.get(
    "/completeness",
    summary="Count values that are there",
    response_model=CompletenessPage,
    responses=problem_responses(404, 422),
)
async def count_completeness(
    request: Request,
    caller: Reader,
    rules: Rules,
    data: Data,
    language: InLanguage,
    ruleset: Annotated[str, Query(max_length=120, description="Id of a ruleset.")],
    period: PeriodWanted,
    under: Below = None,
    level: LevelAsked = None,
    by: Grouping = "none",
    details: Annotated[
        TrueOrFalse, Query(description="false leaves criteria and indicators out.")
    ] = True,
    on: OnDay = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """Count of how many units the values are there that a ruleset reads, by the rule of periods.

    A value counts when its period lies within the period asked for; a standing one until it is
    followed. What follows from the values of members is not expected.
    """
    filters = {
        "list": "completeness", "period": period.text, "ruleset": ruleset, "under": under,
        "level": level, "by": by, "details": str(details), "on": str(on),
    }  # fmt: skip
    sight = caller.sight(VALUES)
    asked = Asked(today(), period.last, period.last, under, on, period, by)
    wanted = completeness.Wanted(asked, period, ruleset, level, details)
    async with data.reading() as connection:
        found = await completeness.cells(connection, rules, sight, wanted)
        shown, following = page(found, lambda one: one.key, limit, cursor, filters)
        tallies, read = await completeness.count(connection, rules, sight, shown, wanted)
    await counting.count(data, caller, VALUES, read)
    items = [one.shown(period.text, language) for one in tallies]
    return _answered(request, items, following, language)


@router.get(
    "/series",
    summary="Count over periods",
    response_model=SeriesPage,
    response_model_exclude_unset=True,
    responses=problem_responses(404, 422),
)
async def count_series(
    request: Request,
    caller: Reader,
    rules: Rules,
    data: Data,
    language: InLanguage,
    first: Annotated[PeriodIn, Query(alias="from", description="The first period.")],
    last: Annotated[PeriodIn, Query(alias="to", description="The last one, of the same kind.")],
    indicator: IndicatorAsked = None,
    ruleset: RulesetAsked = None,
    criterion: CriterionAsked = None,
    under: Below = None,
    level: LevelAsked = None,
    by: Grouping = "none",
    on: OnDay = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """Count an indicator, a ruleset or a criterion over periods, up to 60 of one kind.

    In each period the units are those of its last day, and the value that an evaluation in it
    would use counts. A code in `under` is read on the day `on`, by default today.
    """
    filters = {
        "list": "series", "from": first.text, "to": last.text, "indicator": indicator,
        "ruleset": ruleset, "criterion": criterion, "under": under, "level": level, "by": by,
        "on": str(on),
    }  # fmt: skip
    periods: list[Period] = between(first, last)
    asked = Asked(today(), periods[0].last, periods[-1].last, under, on, None, by)
    wanted = series.wanted(rules, asked, periods, indicator, ruleset, criterion, level)
    of = wanted.of
    resource = EVALUATIONS if isinstance(of, Entry) else VALUES
    sight = caller.sight(resource)
    async with data.reading() as connection:
        found = await series.cells(connection, sight, wanted)
        shown, following = page(found, lambda one: one.order, limit, cursor, filters)
        points, read = (
            await verdicts.verdicts(connection, sight, shown, wanted, of)
            if isinstance(of, Entry)
            else await sums.sums(connection, sight, shown, wanted, of)
        )
    await counting.count(data, caller, resource, read)
    return _answered(request, wanted.items(shown, points), following, language)


def _answered(
    request: Request, items: list[dict[str, Any]], following: str | None, language: str
) -> Response:
    body = {"items": items, "next": following}
    return answer(request, body, language, links(request, following))
