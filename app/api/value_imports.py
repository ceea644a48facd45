"""Values from a CSV file: checked as a whole, loaded as a whole, or as far as the rows are good."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Body, Query, Response

from app.api.answers import created
from app.api.deps import Recorder, Rules, Writer
from app.api.errors import problem_responses
from app.api.language import InLanguage
from app.api.officials import OfficialInQuery
from app.api.problems import Problem
from app.api.shapes import TrueOrFalse
from app.api.strict import CsvRoute
from app.api.value_shapes import ImportReport
from app.api.work import IdempotencyKey
from app.domain.csv_table import RowComplaint
from app.domain.refusals import Complaint, pointer
from app.domain.values import files
from app.domain.values.files import MOST_ROWS, Checked
from app.domain.values.recording import record_in_parts
from app.rules.errors import Text

router = APIRouter(prefix="/v1/values", tags=["values"], route_class=CsvRoute)


@router.post(
    "/import",
    summary="Record the values of a CSV file",
    response_model=ImportReport,
    responses=problem_responses(400, 409, 413, 415, 422),
)
async def import_values(
    caller: Recorder,
    rules: Rules,
    connection: Writer,
    language: InLanguage,
    body: Annotated[
        bytes,
        Body(
            media_type="text/csv",
            description="Long form: unit, on, period, indicator, value, numerator, denominator, "
            "source, measured_on, note; UTF-8, comma or semicolon, at most 20,000 rows.",
        ),
    ],
    partial: Annotated[
        TrueOrFalse, Query(description="Load the good rows although others are bad.")
    ] = False,
    dry_run: Annotated[TrueOrFalse, Query(description="Only say what would be done.")] = False,
    official: OfficialInQuery = None,
    _: IdempotencyKey = None,
) -> Response:
    """Put the values of a file on record; rows that repeat what is on record change nothing.

    Nothing is loaded when any row is bad, unless `partial`.
    """
    checked = await files.check(connection, caller.territory, rules, body, MOST_ROWS)
    if checked.unreadable or (checked.rejected and not partial):
        raise _bad_rows(checked)
    if not dry_run:
        by = msgspec.structs.replace(caller, official=official)
        await record_in_parts(connection, by, checked.fresh, lambda *_: None)
    report = {
        "dry_run": dry_run,
        "partial": partial,
        "counts": checked.counts(),
        "rejected": [
            {
                "line": one.line,
                "column": one.column,
                "code": one.code,
                "message": getattr(one.message, language),
            }
            for one in checked.rejected
        ],
    }
    return created(report, language, status=200)


def _bad_rows(checked: Checked) -> Problem:
    """Return the problem that lists every bad row; a pointer is /line/column."""
    detail = checked.refusal(Text("thêm partial=true", "add partial=true"))
    return Problem("invalid-rows", detail, [_complaint(one) for one in checked.rejected])


def _complaint(one: RowComplaint) -> Complaint:
    vi, en = f"dòng {one.line}", f"line {one.line}"
    if one.column:
        vi, en = f"{vi}, cột {one.column}", f"{en}, column {one.column}"
    said = Text(f"{vi}: {one.message.vi}", f"{en}: {one.message.en}")
    return Complaint(pointer(one.line, one.column or "-"), one.code, said)
