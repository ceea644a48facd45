"""Evaluations as files: the same filters, the same order, the same verdicts as the list."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Annotated, Any

import asyncpg
from fastapi import APIRouter, Query, Request, Response

from app.api import downloads
from app.api.deps import Data, Kept, Reader, Rules
from app.api.download_shapes import (
    CsvAnswer,
    CsvText,
    HeadingsInQuery,
    NdjsonAnswer,
    NdjsonText,
    Workbook,
    XlsxAnswer,
)
from app.api.errors import problem_responses
from app.api.evaluation_filters import EvaluationFilters, EvaluationsWanted
from app.api.language import InLanguage
from app.api.problems import refusal
from app.api.shapes import TrueOrFalse
from app.api.strict import StrictRoute
from app.database import Database
from app.domain.evaluations.reading import Wanted
from app.domain.exports import Column, Headings, evaluations, headed
from app.domain.grants import counting
from app.domain.refusals import Complaint
from app.domain.ruleset_snapshots import Snapshots
from app.domain.territory import EVALUATIONS, Caller
from app.rules.errors import Text
from app.rules.registry import Registry

router = APIRouter(prefix="/v1/evaluations", tags=["evaluations"], route_class=StrictRoute)

CriteriaInQuery = Annotated[
    TrueOrFalse,
    Query(description="With `ruleset`: a column for the outcome of each criterion as well."),
]


class _Evaluations:
    """The evaluations that a request asks for; without headings as items, not as cells."""

    def __init__(
        self,
        caller: Caller,
        data: Database,
        rules: Registry,
        snapshots: Snapshots,
        filters: EvaluationFilters,
        language: str,
        headings: Headings | None = None,
        criteria: bool = False,
    ) -> None:
        if criteria and filters.ruleset is None:
            raise refusal([Complaint("/criteria", "missing-field", _WITH_RULESET)])
        self._caller, self._data, self._filters = caller, data, filters
        self._rules, self._snapshots, self._language = rules, snapshots, language
        self._headings: Headings | None = headings
        self._with_criteria = criteria
        self._wanted: Wanted  # known once it is prepared
        self._criteria: Sequence[Column] = ()

    async def prepare(self, connection: asyncpg.Connection) -> Sequence[str]:
        """Find out which evaluations are meant; return the headings."""
        sight = self._caller.sight(EVALUATIONS)
        self._wanted = await self._filters.wanted(connection, self._rules, sight)
        if self._with_criteria:
            ruleset = str(self._filters.ruleset)
            entry = self._rules.entries.get(ruleset)
            self._criteria = await evaluations.leaves(
                connection, self._snapshots, ruleset, entry.compiled if entry else None
            )
        return headed((*evaluations.COLUMNS, *self._criteria), self._headings or "en")

    async def count(self, connection: asyncpg.Connection, most: int) -> int:
        """Return how many evaluations there are, and no more than one above `most`."""
        return await evaluations.count(connection, self._wanted, most)

    async def pages(self, connection: asyncpg.Connection) -> AsyncGenerator[Sequence[Any], None]:
        """Yield the evaluations, counted under the grants that opened them."""
        async with aclosing(evaluations.pages(connection, self._wanted)) as found:
            async for page in found:
                told = (connection, self._snapshots, page, self._language)
                if self._headings is None:
                    shown: Sequence[Any] = await evaluations.items(*told)
                else:
                    shown = await evaluations.rows(*told, self._criteria)
                numbers = [row["id"] for row in page]
                await counting.count(self._data, self._caller, EVALUATIONS, numbers)
                yield shown


@router.get(
    ".csv",
    summary="Export evaluations as CSV",
    response_class=CsvAnswer,
    response_model=CsvText,
    responses=problem_responses(404, 409, 422),
)
async def export_evaluations_as_csv(
    request: Request,
    caller: Reader,
    rules: Rules,
    kept: Kept,
    data: Data,
    language: InLanguage,
    filters: EvaluationsWanted,
    headings: HeadingsInQuery = "en",
    criteria: CriteriaInQuery = False,
) -> Response:
    """Export every verdict that the list of evaluations shows by the same filters, as it is now.

    A verdict that cannot be read any more has its reason in the column `damaged`. Without the
    last row `#sha256,…` the file was cut.
    """
    table = _Evaluations(caller, data, rules, kept, filters, language, headings, criteria)
    return await downloads.csv(request, caller, language, "evaluations.csv", table)


@router.get(
    ".xlsx",
    summary="Export evaluations as a workbook",
    response_class=XlsxAnswer,
    response_model=Workbook,
    responses=problem_responses(404, 409, 422),
)
async def export_evaluations_as_xlsx(
    request: Request,
    caller: Reader,
    rules: Rules,
    kept: Kept,
    data: Data,
    language: InLanguage,
    filters: EvaluationsWanted,
    headings: HeadingsInQuery = "en",
    criteria: CriteriaInQuery = False,
) -> Response:
    """Export every verdict that the list shows by the same filters, 1,000,000 at most."""
    table = _Evaluations(caller, data, rules, kept, filters, language, headings, criteria)
    return await downloads.workbook(request, caller, language, "evaluations.xlsx", table)


@router.get(
    ".ndjson",
    summary="Export evaluations as NDJSON",
    response_class=NdjsonAnswer,
    response_model=NdjsonText,
    responses=problem_responses(404, 409, 422),
)
async def export_evaluations_as_ndjson(
    request: Request,
    caller: Reader,
    rules: Rules,
    kept: Kept,
    data: Data,
    language: InLanguage,
    filters: EvaluationsWanted,
) -> Response:
    """Export every verdict that the list shows by the same filters, one a line.

    One that cannot be read any more is `{"damaged": …}`. Without the last line `{"end": …}` the
    file was cut.
    """
    table = _Evaluations(caller, data, rules, kept, filters, language)
    return await downloads.ndjson(request, caller, language, "evaluations.ndjson", table)


_WITH_RULESET = Text("criteria cần kèm ruleset", "criteria needs ruleset")
