"""Forms of lists as the documents print them, and templates of them to fill in."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request, Response

from app.api.answers import answer, holds, manners
from app.api.deps import Reader, Rules
from app.api.errors import problem_responses
from app.api.evidence_list_shapes import FormPage
from app.api.language import InLanguage
from app.api.paging import Cursor, Limit, links, sliced
from app.api.strict import StrictRoute
from app.domain.evidence import templates
from app.domain.own_files import XLSX
from app.domain.refusals import Absent, Complaint
from app.rules.errors import Text
from app.rules.forms import Form
from app.rules.registry import Registry

router = APIRouter(prefix="/v1/evidence-forms", tags=["evidence"], route_class=StrictRoute)
FormInPath = Annotated[str, Path(max_length=120, description="Id of a form.")]
_CSV: Final = "text/csv; charset=utf-8"


def _file(media: str) -> dict[int | str, dict[str, Any]]:
    schema = {"schema": {"type": "string", "format": "binary"}}
    return {200: {"description": "The form to fill in", "content": {media: schema}}}


@router.get(
    "",
    summary="List the forms of evidence",
    response_model=FormPage,
    responses=problem_responses(422),
)
async def list_forms(
    request: Request,
    _: Reader,
    rules: Rules,
    language: InLanguage,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """List the forms on which documents demand lists: columns and lines as printed, their slots."""
    items: dict[str, dict[str, Any]] = {}
    for ruleset, slots in rules.slots.items():
        for slot in slots.values():
            if slot.form is not None:
                shown = items.setdefault(slot.form.form, _shown(slot.form))
                shown["slots"].append(
                    {"ruleset": ruleset, "slot": slot.slot, "criterion": slot.criterion}
                )
    found = [items[form] for form in sorted(items)]
    page, following = sliced(found, limit, cursor, {"list": "forms"})
    body = {"items": page, "next": following}
    return answer(request, body, language, links(request, following))


@router.get(
    "/{form}/template.csv",
    summary="Get a form as CSV",
    response_class=Response,
    responses=_file("text/csv") | problem_responses(404, 422),
)
async def read_csv_template(
    request: Request, _: Reader, rules: Rules, language: InLanguage, form: FormInPath
) -> Response:
    """Get a form to fill in; filled in, it is sent to `PUT …/slots/{slot}/rows` as it is."""
    return await _template(request, _named(rules, form), "csv", _CSV, templates.as_csv)


@router.get(
    "/{form}/template.xlsx",
    summary="Get a form as a workbook",
    response_class=Response,
    responses=_file(XLSX) | problem_responses(404, 422),
)
async def read_xlsx_template(
    request: Request, _: Reader, rules: Rules, language: InLanguage, form: FormInPath
) -> Response:
    """Get a form to fill in; filled in, it is sent to `PUT …/slots/{slot}/rows` as it is."""
    return await _template(request, _named(rules, form), "xlsx", XLSX, templates.as_xlsx)


async def _template(
    request: Request, form: Form, ending: str, media: str, write: Callable[[Form], bytes]
) -> Response:
    content = await asyncio.to_thread(write, form)
    headers = manners("vi") | {
        "etag": f'"{hashlib.sha256(content).hexdigest()[:32]}"',
        "cache-control": "no-cache",
        "content-disposition": f'attachment; filename="{form.form}.{ending}"',
    }
    if holds(request, headers["etag"]):
        return Response(status_code=304, headers=headers)
    return Response(content, 200, headers, media)


def _named(rules: Registry, form: str) -> Form:
    for slots in rules.slots.values():
        for slot in slots.values():
            if slot.form is not None and slot.form.form == form:
                return slot.form
    message = Text(
        "không có biểu mẫu này; xem danh sách tại /v1/evidence-forms",
        "there is no such form; see the list at /v1/evidence-forms",
    )
    raise Absent(Complaint("/form", "form-not-found", message))


def _shown(form: Form) -> dict[str, Any]:
    population = form.population
    return {
        "form": form.form,
        "called": form.called,
        "title": form.title,
        "section": form.section,
        "lists": form.lists,
        "columns": [{"column": one.column, "label": one.label} for one in form.columns],
        "total": form.total,
        "confirmed_by": form.confirmed_by,
        "population": population and {"vi": population.vi, "en": population.en},
        "slots": [],
    }
