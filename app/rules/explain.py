"""Join a judgement with the texts, cites and evidence of its ruleset, for people and programs.

The shape is that of the public contract; `app.rules.figures` shows the numbers.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from typing import Any, Final

from app.rules import evidence
from app.rules.document import Document
from app.rules.errors import Text
from app.rules.evaluate import Compiled
from app.rules.evidence import Attached
from app.rules.figures import observed
from app.rules.indicators import Indicator
from app.rules.ruleset import Criterion, Required, Ruleset
from app.rules.verdict import Coverage, Judgement, Result
from app.rules.vocabulary import APPLICABILITY


def explain(
    compiled: Compiled,
    judgement: Judgement,
    unit: Mapping[str, Any],
    language: str = "vi",
    texts: bool = True,
    attached: Attached | None = None,
) -> dict[str, Any]:
    """Return the verdict document: what was judged, how it came out, and what the law says.

    `attached` is the evidence that was found when it was judged; None where nobody looked.
    """
    ruleset = compiled.ruleset
    criteria = {one.id: one for one in ruleset.walk()} if judgement.criteria else {}
    join = _Join(compiled.indicators, ruleset.document, language, texts, judgement.as_of, attached)
    return {
        "ruleset": named(compiled) | {"digest": judgement.digest},
        "unit": dict(unit),
        "period": judgement.period,
        "as_of": judgement.as_of.isoformat(),
        "applicability": {
            "status": judgement.applicability,
            "reason": applicability_reason(ruleset, judgement.applicability, language),
        },
        "outcome": judgement.outcome,
        "basis": judgement.basis,
        "all_items": judgement.all_items,
        "reasons": list(judgement.reasons),
        "counts": judgement.counts,
        "coverage": _coverage(judgement.coverage),
        "evidence_complete": evidence.is_complete(ruleset, attached),
        "evidence_submission": evidence.submission(attached),
        "criteria": [join.criterion(criteria, result) for result in judgement.criteria],
        "unused_facts": list(judgement.unused_facts),
        "inputs_digest": judgement.inputs_digest,
        "semantics": judgement.semantics,
    }


def named(compiled: Compiled) -> dict[str, Any]:
    """Return id, version, digest, title and document of a ruleset; worked out once."""
    if compiled.named is None:
        ruleset = compiled.ruleset
        compiled.named = {
            "id": ruleset.ruleset,
            "version": ruleset.version,
            "digest": compiled.digest,
            "title": ruleset.title.model_dump(),
            "document": document(ruleset.document),
        }
    return compiled.named


def document(found: Document) -> dict[str, Any]:
    """Return the five contract fields of a document and what stands beside them."""
    return {
        "number": found.number,
        "title": found.title,
        "issuer": found.issuer,
        "issued": found.issued,
        "source_grade": found.source_grade,
        "short": found.short,
        "based_on": list(found.based_on),
        "note": found.note.model_dump() if found.note else None,
    }


def applicability_reason(ruleset: Ruleset, status: str, language: str) -> str | None:
    """Say why the status is not simply "in period", with the document's own note on its period."""
    if status == "in_period":
        return None
    label: str = getattr(APPLICABILITY[status], language)
    note = ruleset.in_force.note
    return f"{label}. {getattr(note, language)}" if note else label


_BEFORE_DUE: Final = Text(
    "Chưa đến hạn ({due}): kết quả chỉ là so sánh tại ngày đánh giá.",
    "Not due yet ({due}): the outcome only compares the day of evaluation.",
)


class _Join:
    """Joins results with their criteria in one language."""

    def __init__(
        self,
        indicators: Mapping[str, Indicator],
        source: Document,
        language: str,
        texts: bool,
        as_of: datetime.date,
        attached: Attached | None,
    ) -> None:
        self.indicators = indicators
        self.source = source
        self.language = language
        self.texts = texts
        self.as_of = as_of
        self.attached = attached

    def criterion(self, criteria: Mapping[str, Criterion], result: Result) -> dict[str, Any]:
        criterion = criteria[result.id]
        joined: dict[str, Any] = {"id": result.id}
        if self.texts:
            joined |= described(criterion, self.source, self.language, result.alternatives)
            joined["notes"] += self.before_due(criterion)
            joined["evidence"] = [
                one | evidence.of_slot(self.attached, one["slot"]) for one in joined["evidence"]
            ]
        joined |= {
            "outcome": result.outcome,
            "reasons": list(result.reasons),
            "indicator": criterion.indicator,
            "indicators": list(several(criterion)),
            "observed": observed(criterion, result, self.may_exceed(criterion)),
            "required": required(criterion.required, result.branch),
            "gap": gap(self.indicators, criterion, result.gap, self.language),
            "coverage": _coverage(result.coverage) if result.criteria else None,
            "combine": criterion.combine,
            "criteria": [self.criterion(criteria, child) for child in result.criteria],
        }
        return joined

    def before_due(self, criterion: Criterion) -> list[str]:
        """Say that a target whose day is still to come is only compared with today."""
        due = criterion.required.due if criterion.required else None
        if due is None or self.as_of >= due:
            return []
        return [str(getattr(_BEFORE_DUE.format(due=f"{due:%d/%m/%Y}"), self.language))]

    def may_exceed(self, criterion: Criterion) -> bool:
        code = criterion.indicator
        return code is not None and self.indicators[code].numerator_may_exceed_denominator


def gap(
    indicators: Mapping[str, Indicator], criterion: Criterion, more: int | None, language: str
) -> dict[str, Any] | None:
    """Return how many more are needed and of what; None where that is not known."""
    if more is None:
        return None
    code = criterion.indicator or several(criterion)[0]
    words = indicators[code].numerator or indicators[code].name
    return {"more": more, "of": getattr(words, language)}


def described(
    criterion: Criterion, source: Document, language: str, outcomes: Iterable[str] | None = None
) -> dict[str, Any]:
    """Return text, cite, reading and evidence of a criterion; outcomes go to the alternatives."""
    return {
        "text": criterion.text.model_dump(),
        "cite": cite(criterion, source),
        "reading": _reading(criterion, language, outcomes),
        "notes": [getattr(note, language) for note in criterion.notes],
        "cells": [cell.model_dump() for cell in criterion.cells],
        "evidence": [
            {
                "slot": one.slot,
                "form": one.form,
                "text": one.text,
                "confirmed_by": [confirmation.model_dump() for confirmation in one.confirmed_by],
                "verification": getattr(one.verification, language) if one.verification else None,
                "present": None,
            }
            for one in criterion.evidence
        ],
    }


def cite(criterion: Criterion, source: Document) -> str:
    """Return document, section and clause in one line, with what the clause itself cites."""
    place = f"{source.short}, {criterion.section}"
    return f"{place}; dẫn {', '.join(criterion.also_cites)}" if criterion.also_cites else place


def several(criterion: Criterion) -> tuple[str, ...]:
    """Return the indicators of a criterion that reads more than one of the unit's values."""
    if criterion.every_reading:
        codes = {code for one in criterion.every_reading for code in one.condition.codes()}
        return tuple(sorted(codes))
    return criterion.sum


def required(found: Required | None, branch: int | None = None) -> dict[str, Any] | None:
    """Return the threshold; where it depends on the area class, the branch that applied."""
    if found is None:
        return None
    applied = found.branches[branch] if branch is not None else None
    value = applied.value if applied else found.value
    return {
        "operator": found.operator,
        "operator_as_written": found.operator_as_written,
        "value": None if value is None else f"{value:f}",
        "unit": found.unit,
        "branch": applied.text if applied else None,
        "branches": [{"branch": one.text, "value": f"{one.value:f}"} for one in found.branches],
        "as_written": found.as_written,
        "force": found.force,
        "due": found.due.isoformat() if found.due else None,
    }


def _reading(
    criterion: Criterion, language: str, outcomes: Iterable[str] | None
) -> dict[str, Any] | None:
    """Return the reading and its alternatives, in the order in which the kernel weighs them."""
    alternatives = [*criterion.every_reading]
    told = criterion.reading
    texts = [one.text for one in alternatives] + [
        one.text for one in (told.alternatives if told else ())
    ]
    if told is None and not texts:
        return None
    known = list(outcomes or ())
    return {
        "text": getattr(told, language) if told else None,
        "alternatives": [
            {
                "text": getattr(text, language),
                "outcome": known[place] if place < len(known) else None,
            }
            for place, text in enumerate(texts)
        ],
    }


def _coverage(found: Coverage | None) -> dict[str, int] | None:
    if found is None:
        return None
    return {"items": found.items, "reported": found.reported, "present": found.present}
