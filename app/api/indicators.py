"""The indicator catalogue: what is measured, for which criteria, and what it is not."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel

from app.api.answers import answer
from app.api.deps import Reader, Rules
from app.api.errors import problem_responses
from app.api.language import InLanguage
from app.api.paging import Cursor, Limit, links, page
from app.api.problems import Problem, refusal
from app.api.shapes import Words
from app.api.strict import StrictRoute
from app.domain.previews import unknown_ruleset
from app.domain.refusals import Complaint
from app.domain.vietnamese import search_key
from app.rules.errors import Text
from app.rules.explain import cite
from app.rules.facts import printable
from app.rules.indicators import Indicator, Kind
from app.rules.registry import Registry
from app.rules.vocabulary import Level

router = APIRouter(prefix="/v1/indicators", tags=["indicators"], route_class=StrictRoute)


class SetMember(BaseModel):
    """A code of a set indicator."""

    code: str
    name: Words


class IndicatorSummary(BaseModel):
    """A measure; `derived` says how a share follows from the values of members."""

    code: str
    name: Words
    theme: str
    kind: str
    levels: list[str]
    validity: str | None
    model: str | None
    numerator: Words | None
    denominator: Words | None
    numerator_may_exceed_denominator: bool
    members: list[SetMember]
    derived: dict[str, Any] | None
    period: Words | None
    note: Words | None


class IndicatorPage(BaseModel):
    """One page of indicators."""

    items: list[IndicatorSummary]
    next: str | None


class Use(BaseModel):
    """A criterion that rests on the indicator."""

    ruleset: str
    criterion: str
    text: Words
    cite: str


class LookAlikeShape(BaseModel):
    """An indicator that looks the same and must never share a value."""

    code: str
    name: Words
    difference: Words


class IndicatorDetail(IndicatorSummary):
    """An indicator with its uses and look-alikes."""

    used_by: list[Use]
    look_alikes: list[LookAlikeShape]


@router.get(
    "", summary="List indicators", response_model=IndicatorPage, responses=problem_responses(422)
)
async def list_indicators(
    request: Request,
    _: Reader,
    rules: Rules,
    language: InLanguage,
    ruleset: Annotated[str | None, Query(max_length=120, description="Used by it.")] = None,
    theme: Annotated[str | None, Query(max_length=80, description="Of this theme.")] = None,
    kind: Annotated[Kind | None, Query(description="Of this kind.")] = None,
    level: Annotated[Level | None, Query(description="Recorded at this level.")] = None,
    q: Annotated[
        str | None, Query(min_length=1, max_length=200, description="Words of code or name.")
    ] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """List indicators by code; `q` finds Vietnamese with or without diacritics."""
    used = _used(rules, ruleset)
    _check_theme(rules, theme)
    found = [
        one
        for one in rules.indicators.values()
        if (used is None or one.code in used)
        and theme in (None, one.theme)
        and kind in (None, one.kind)
        and (level is None or level in one.levels)
        and (q is None or _matches(one, q))
    ]
    filters = {
        "list": "indicators",
        "ruleset": ruleset,
        "theme": theme,
        "kind": kind,
        "level": level,
        "q": q,
    }
    shown, following = page(found, lambda one: one.code, limit, cursor, filters)
    body = {"items": [_summary(one) for one in shown], "next": following}
    return answer(request, body, language, links(request, following))


@router.get(
    "/{code}",
    summary="Read an indicator",
    response_model=IndicatorDetail,
    responses=problem_responses(404, 422),
)
async def read_indicator(
    request: Request,
    _: Reader,
    rules: Rules,
    language: InLanguage,
    code: Annotated[str, Path(max_length=120, description="Code of an indicator.")],
) -> Response:
    """Read an indicator with the criteria that use it and the look-alikes it is not."""
    indicator = rules.indicators.get(code)
    if indicator is None:
        shown = printable(code)
        detail = Text(
            f"không có chỉ số “{shown}”; tìm tại /v1/indicators?q=",
            f"there is no indicator “{shown}”; search with /v1/indicators?q=",
        )
        raise Problem("indicator-not-found", detail)
    body = _summary(indicator) | {
        "used_by": [
            {
                "ruleset": entry.ruleset.ruleset,
                "criterion": criterion.id,
                "text": criterion.text.model_dump(),
                "cite": cite(criterion, entry.ruleset.document),
            }
            for entry, criterion in rules.uses(code)
        ],
        "look_alikes": [
            {
                "code": one.code,
                "name": rules.indicators[one.code].name.model_dump(),
                "difference": one.difference.model_dump(),
            }
            for one in indicator.look_alikes
        ],
    }
    return answer(request, body, language)


def _summary(indicator: Indicator) -> dict[str, Any]:
    return indicator.model_dump(mode="json", exclude={"look_alikes"})


def _used(rules: Registry, ruleset: str | None) -> frozenset[str] | None:
    if ruleset is None:
        return None
    entry = rules.entries.get(ruleset)
    if entry is None:
        message = unknown_ruleset(rules, ruleset)
        raise refusal([Complaint("/ruleset", "unknown-ruleset", message)])
    return entry.compiled.codes


def _check_theme(rules: Registry, theme: str | None) -> None:
    known = sorted({one.theme for one in rules.indicators.values()})
    if theme is not None and theme not in known:
        message = Text(
            f"“theme” phải là một trong: {', '.join(known)}",
            f"“theme” must be one of: {', '.join(known)}",
        )
        raise refusal([Complaint("/theme", "wrong-value", message)])


def _matches(indicator: Indicator, q: str) -> bool:
    text = search_key(f"{indicator.code} {indicator.name.vi} {indicator.name.en}")
    return search_key(q) in text
