"""Values as files: the same filters, the same order, the same rows as the list."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

import asyncpg
from fastapi import APIRouter, Request, Response

from app.api import downloads
from app.api.deps import Data, Reader, Rules
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
from app.api.language import InLanguage
from app.api.strict import StrictRoute
from app.api.value_filters import ValueFilters, ValuesWanted
from app.database import Database
from app.domain.exports import Headings, headed, values
from app.domain.grants import counting
from app.domain.territory import VALUES, Caller
from app.domain.values.listing import Wanted

router = APIRouter(prefix="/v1/values", tags=["values"], route_class=StrictRoute)


class _Values:
    """The values that a request asks for; without headings as items, not as cells."""

    def __init__(
        self, caller: Caller, data: Database, filters: ValueFilters, headings: Headings | None
    ) -> None:
        self._caller, self._data, self._filters = caller, data, filters
        self._headings: Headings | None = headings
        self._wanted: Wanted  # known once it is prepared

    async def prepare(self, connection: asyncpg.Connection) -> Sequence[str]:
        """Find out which values are meant; return the headings."""
        self._wanted, _ = await self._filters.wanted(connection, self._caller.sight(VALUES))
        return headed(values.COLUMNS, self._headings or "en")

    async def count(self, connection: asyncpg.Connection, most: int) -> int:
        """Return how many values there are, and no more than one above `most`."""
        return await values.count(connection, self._wanted, most)

    async def pages(self, connection: asyncpg.Connection) -> AsyncGenerator[Sequence[Any], None]:
        """Yield the values, counted under the grants that opened them."""
        async with aclosing(values.pages(connection, self._wanted)) as found:
            async for page in found:
                if self._headings is None:
                    shown: Sequence[Any] = [one for _, one in page]
                else:
                    shown = await values.rows(connection, page)
                await counting.count(self._data, self._caller, VALUES, values.numbers(page))
                yield shown


@router.get(
    ".csv",
    summary="Export values as CSV",
    response_class=CsvAnswer,
    response_model=CsvText,
    responses=problem_responses(404, 422),
)
async def export_values_as_csv(
    request: Request,
    caller: Reader,
    rules: Rules,
    data: Data,
    language: InLanguage,
    filters: ValuesWanted,
    headings: HeadingsInQuery = "en",
) -> Response:
    """Export every value that the list of values shows by the same filters, as it is now.

    The first ten columns are those of files of values: the file can be handed in again. An
    apostrophe stands before text that a spreadsheet would run as a formula. Without the last row
    `#sha256,…` the file was cut.
    """
    filters.check(rules)
    table = _Values(caller, data, filters, headings)
    return await downloads.csv(request, caller, language, "values.csv", table)


@router.get(
    ".xlsx",
    summary="Export values as a workbook",
    response_class=XlsxAnswer,
    response_model=Workbook,
    responses=problem_responses(404, 422),
)
async def export_values_as_xlsx(
    request: Request,
    caller: Reader,
    rules: Rules,
    data: Data,
    language: InLanguage,
    filters: ValuesWanted,
    headings: HeadingsInQuery = "en",
) -> Response:
    """Export every value that the list of values shows by the same filters, 1,000,000 at most."""
    filters.check(rules)
    table = _Values(caller, data, filters, headings)
    return await downloads.workbook(request, caller, language, "values.xlsx", table)


@router.get(
    ".ndjson",
    summary="Export values as NDJSON",
    response_class=NdjsonAnswer,
    response_model=NdjsonText,
    responses=problem_responses(404, 422),
)
async def export_values_as_ndjson(
    request: Request,
    caller: Reader,
    rules: Rules,
    data: Data,
    language: InLanguage,
    filters: ValuesWanted,
) -> Response:
    """Export every value that the list of values shows by the same filters, one a line.

    Without the last line `{"end": …}` the file was cut.
    """
    filters.check(rules)
    table = _Values(caller, data, filters, None)
    return await downloads.ndjson(request, caller, language, "values.ndjson", table)
