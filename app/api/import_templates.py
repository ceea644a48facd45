"""Workbooks to fill in: the units, the indicators and the law of one ruleset, ready to import."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request, Response

from app.api.answers import holds, manners
from app.api.deps import Data, Reader, Rules
from app.api.errors import problem_responses
from app.api.moments import PeriodWanted
from app.api.shapes import Day
from app.api.strict import StrictRoute
from app.api.unit_shapes import Place
from app.domain.own_files import XLSX
from app.domain.templates import LOCALE
from app.domain.templates.gathering import gather, ruleset_named
from app.domain.templates.workbook import written
from app.domain.unit_periods import Meant

router = APIRouter(prefix="/v1/import-templates", tags=["imports"], route_class=StrictRoute)

_FILE: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "A workbook to fill in and to import",
        "content": {XLSX: {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.get(
    "/{ruleset}.xlsx",
    summary="Get a workbook to fill in",
    response_class=Response,
    responses=_FILE | problem_responses(404, 422),
)
async def read_template(
    request: Request,
    caller: Reader,
    rules: Rules,
    data: Data,
    ruleset: Annotated[str, Path(max_length=120, description="Id of a ruleset.")],
    under: Annotated[
        Place, Query(description="The units of this unit: its own row, or those below it.")
    ],
    period: PeriodWanted,
    on: Annotated[
        Day | None,
        Query(
            description="Day of which the units are listed; default: the period's last day. Needed "
            "where the code of `under` means two units in the period."
        ),
    ] = None,
) -> Response:
    """Get a workbook for the values that a ruleset reads, with a row for each unit in its scope.

    Filled in, it is sent to `POST /v1/imports` as it is. It is in Vietnamese.
    """
    entry = ruleset_named(rules, ruleset)
    meant = Meant(under, period, on)
    async with data.reading() as connection:
        form = await gather(connection, caller.territory, entry, meant)
    headers = manners(LOCALE) | {
        "etag": f'"{form.tag}"',
        "cache-control": "no-cache",
        "content-disposition": f'attachment; filename="{form.file_name}"',
    }
    if holds(request, headers["etag"]):  # then it need not be made
        return Response(status_code=304, headers=headers)
    content = await asyncio.to_thread(written, form)
    return Response(content, 200, headers, XLSX)
