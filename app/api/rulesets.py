"""Rulesets: which documents are encoded, and every criterion with its text, cite and threshold."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field

from app.api.answers import answer
from app.api.deps import Data, Kept, Reader, Rules
from app.api.errors import problem_responses
from app.api.language import InLanguage
from app.api.paging import Cursor, Limit, links, page
from app.api.problems import Problem
from app.api.shapes import ClauseShape, DocumentShape, ReadingShape, RequiredShape, Words
from app.api.strict import StrictRoute
from app.domain.ruleset_snapshots import Version, damaged
from app.rules.document import Document
from app.rules.errors import Text
from app.rules.explain import described, document, required, several
from app.rules.facts import printable
from app.rules.registry import Entry
from app.rules.ruleset import Criterion, Ruleset
from app.rules.vocabulary import Level

router = APIRouter(prefix="/v1/rulesets", tags=["rulesets"], route_class=StrictRoute)


class RulesetSummary(BaseModel):
    """A ruleset and the document it encodes."""

    id: str
    title: Words
    level: str
    levels: list[str] = Field(description="Every level of unit it can be put to.")
    document: DocumentShape
    version: str
    digest: str = Field(description="SHA-256 of the canonical data of the ruleset.")
    overall: str
    package: str


class RulesetPage(BaseModel):
    """One page of rulesets."""

    items: list[RulesetSummary]
    next: str | None


class CriterionDefinition(ClauseShape):
    """A criterion as the document states it."""

    id: str
    indicator: str | None
    indicators: list[str]
    required: RequiredShape | None
    no_criterion: bool
    combine: str | None
    criteria: list[CriterionDefinition]


class StatementShape(BaseModel):
    """The sentence that opens the criteria and says how they combine, if it does."""

    text: Words
    cite: str
    reading: ReadingShape | None
    notes: list[str]


class ExemptionShape(BaseModel):
    """Communes that the conditions do not concern."""

    model: str
    decisions: list[str]
    text: Words
    cite: str


class RulesetDetail(RulesetSummary):
    """A ruleset with its criteria."""

    in_force: dict[str, Any]
    scope: dict[str, Any]
    statement: StatementShape | None
    exemption: ExemptionShape | None
    criteria: list[CriterionDefinition]


@router.get(
    "",
    summary="List rulesets",
    response_model=RulesetPage,
    responses=problem_responses(422),
)
async def list_rulesets(
    request: Request,
    _: Reader,
    rules: Rules,
    language: InLanguage,
    level: Annotated[Level | None, Query(description="Level of unit.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """List every ruleset of every installed pack, by id."""
    entries = [
        entry
        for entry in rules.entries.values()
        if level is None or level in _levels(entry.ruleset)
    ]
    filters = {"list": "rulesets", "level": level}
    shown, following = page(entries, lambda entry: entry.ruleset.ruleset, limit, cursor, filters)
    body = {
        "items": [_summary(Version(entry.compiled, entry.package)) for entry in shown],
        "next": following,
    }
    return answer(request, body, language, links(request, following))


@router.get(
    "/{id}",
    summary="Read a ruleset",
    response_model=RulesetDetail,
    responses=problem_responses(404, 409, 422),
)
async def read_ruleset(
    request: Request,
    _: Reader,
    rules: Rules,
    kept: Kept,
    data: Data,
    language: InLanguage,
    id: Annotated[str, Path(max_length=120, description="Id of a ruleset.")],
    digest: Annotated[
        str | None, Query(pattern="^[0-9a-f]{64}$", description="A version by its digest.")
    ] = None,
) -> Response:
    """Read a ruleset with the tree of its criteria, word for word; any that a verdict rests on."""
    entry = rules.entries.get(id)
    version = Version(entry.compiled, entry.package) if entry else None
    if digest is not None and (version is None or version.compiled.digest != digest):
        async with data.reading() as connection:
            version = await kept.of(connection, id, digest)
    if version is not None and not version.intact:
        raise damaged(id)
    if version is None:
        raise _absent(id, digest, entry)
    ruleset = version.compiled.ruleset
    body = _summary(version) | {
        "in_force": _period(ruleset, language),
        "scope": ruleset.scope.model_dump(mode="json"),
        "statement": _statement(ruleset, language),
        "exemption": _exemption(ruleset),
        "criteria": [
            definition(criterion, ruleset.document, language) for criterion in ruleset.criteria
        ],
    }
    return answer(request, body, language)


def definition(criterion: Criterion, source: Document, language: str) -> dict[str, Any]:
    """Return a criterion as the document states it, with everything below it."""
    return {
        "id": criterion.id,
        **described(criterion, source, language),
        "indicator": criterion.indicator,
        "indicators": list(several(criterion)),
        "required": required(criterion.required),
        "no_criterion": criterion.no_criterion,
        "combine": criterion.combine,
        "criteria": [definition(child, source, language) for child in criterion.criteria],
    }


def _levels(ruleset: Ruleset) -> list[str]:
    return [ruleset.level, *ruleset.also_levels]


def _summary(version: Version) -> dict[str, Any]:
    ruleset = version.compiled.ruleset
    return {
        "id": ruleset.ruleset,
        "title": ruleset.title.model_dump(),
        "level": ruleset.level,
        "levels": _levels(ruleset),
        "document": document(ruleset.document),
        "version": ruleset.version,
        "digest": version.compiled.digest,
        "overall": ruleset.overall,
        "package": version.package,
    }


def _period(ruleset: Ruleset, language: str) -> dict[str, Any]:
    note = ruleset.in_force.note
    return ruleset.in_force.model_dump(mode="json") | {
        "note": getattr(note, language) if note else None
    }


def _statement(ruleset: Ruleset, language: str) -> dict[str, Any] | None:
    found = ruleset.statement
    if found is None:
        return None
    text = getattr(found.reading, language) if found.reading else None
    return {
        "text": found.text.model_dump(),
        "cite": f"{ruleset.document.short}, {found.section}",
        "reading": {"text": text, "alternatives": []} if text else None,
        "notes": [getattr(note, language) for note in found.notes],
    }


def _exemption(ruleset: Ruleset) -> dict[str, Any] | None:
    found = ruleset.exemption
    if found is None:
        return None
    return {
        "model": found.model,
        "decisions": list(found.decisions),
        "text": found.text.model_dump(),
        "cite": f"{ruleset.document.short}, {found.section}",
    }


def _absent(id_: str, digest: str | None, entry: Entry | None) -> Problem:
    shown = printable(id_)
    if entry is None:
        detail = Text(
            f"không có bộ quy tắc “{shown}”; xem danh sách tại /v1/rulesets",
            f"there is no ruleset “{shown}”; see the list at /v1/rulesets",
        )
    else:
        detail = Text(
            f"không có bản nào của “{shown}” với digest {digest}; bản hiện hành: "
            f"{entry.compiled.digest}",
            f"there is no version of “{shown}” with digest {digest}; the current one is "
            f"{entry.compiled.digest}",
        )
    return Problem("ruleset-not-found", detail)
