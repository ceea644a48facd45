"""Join a judgement with the texts, cites and evidence of its ruleset, for people and programs.

The shape is that of CONTRACT section 6. Percentages are displayed with two decimals (more where
the threshold has more) and never on the other side of a threshold than the exact value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction
from typing import Any

from app.rules.evaluate import Compiled
from app.rules.facts import Given, Percent, Ratio, Recorded, bare
from app.rules.indicators import Indicator
from app.rules.ruleset import Criterion, Document, Required, Ruleset
from app.rules.verdict import Coverage, Judgement, Members, Result
from app.rules.vocabulary import APPLICABILITY


def explain(
    compiled: Compiled,
    judgement: Judgement,
    unit: Mapping[str, Any],
    language: str = "vi",
    texts: bool = True,
) -> dict[str, Any]:
    """Return the verdict document: what was judged, how it came out, and what the law says."""
    ruleset = compiled.ruleset
    criteria = {criterion.id: criterion for criterion in ruleset.walk()}
    join = _Join(compiled.indicators, ruleset.document, language, texts)
    return {
        "ruleset": {
            "id": ruleset.ruleset,
            "version": ruleset.version,
            "digest": judgement.digest,
            "title": ruleset.title.model_dump(),
            "document": document(ruleset.document),
        },
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
        "counts": dict(judgement.counts),
        "coverage": _coverage(judgement.coverage),
        "criteria": [join.criterion(criteria, result) for result in judgement.criteria],
        "unused_facts": list(judgement.unused_facts),
        "inputs_digest": judgement.inputs_digest,
        "semantics": judgement.semantics,
    }


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


class _Join:
    """Joins results with their criteria in one language."""

    def __init__(
        self, indicators: Mapping[str, Indicator], source: Document, language: str, texts: bool
    ) -> None:
        self.indicators = indicators
        self.source = source
        self.language = language
        self.texts = texts

    def criterion(self, criteria: Mapping[str, Criterion], result: Result) -> dict[str, Any]:
        criterion = criteria[result.id]
        joined: dict[str, Any] = {"id": result.id}
        if self.texts:
            joined |= described(criterion, self.source, self.language, result.alternatives)
        joined |= {
            "outcome": result.outcome,
            "reasons": list(result.reasons),
            "indicator": criterion.indicator,
            "indicators": list(several(criterion)),
            "observed": self.observed(criterion, result),
            "required": required(criterion.required, result.branch),
            "gap": self.gap(criterion, result),
            "coverage": _coverage(result.coverage) if result.criteria else None,
            "combine": criterion.combine,
            "criteria": [self.criterion(criteria, child) for child in result.criteria],
        }
        return joined

    def observed(self, criterion: Criterion, result: Result) -> dict[str, Any] | None:
        given, members = result.observed, result.members
        if isinstance(given, dict):
            return _several_observed(given)
        if given is None and members is None:
            return None
        shown = _displayed(given, members, _thresholds(criterion.required))
        if members is not None:
            shown["members"] = {
                "known": members.known, "true": members.true, "unknown": members.unknown
            }  # fmt: skip
            shown["conflict"] = given is not None and conflicts(bare(given), members)
        return shown

    def gap(self, criterion: Criterion, result: Result) -> dict[str, Any] | None:
        if result.gap is None:
            return None
        code = criterion.indicator or several(criterion)[0]
        counted = self.indicators[code].numerator
        words = counted or self.indicators[code].name
        return {"more": result.gap, "of": getattr(words, self.language)}


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


def conflicts(fact: object, members: Members) -> bool:
    """Tell whether a share given directly lies outside what the members' values allow."""
    total = members.known + members.unknown
    if type(fact) is not Ratio or not fact.denominator or not total:
        return False
    share = Fraction(fact.numerator, fact.denominator)
    lowest = Fraction(members.true, total)
    return not lowest <= share <= lowest + Fraction(members.unknown, total)


def displayed_percent(exact: Fraction, thresholds: Iterable[Decimal] = ()) -> str:
    """Return a percentage with two decimals that never contradicts a comparison made exactly."""
    goals = tuple(thresholds)
    digits = max([2, *(-int(goal.normalize().as_tuple().exponent) for goal in goals)])
    scale = Decimal(1).scaleb(-digits)
    shown = _rounded(exact, scale, ROUND_HALF_UP)
    for goal in goals:
        if exact < goal <= shown:
            shown = _rounded(exact, scale, ROUND_FLOOR)
        elif exact > goal >= shown:
            shown = _rounded(exact, scale, ROUND_CEILING)
    return f"{shown:f}"


def _rounded(exact: Fraction, scale: Decimal, rounding: str) -> Decimal:
    steps = exact / Fraction(scale)
    whole, rest = divmod(steps.numerator, steps.denominator)
    up = (rounding == ROUND_CEILING and rest) or (
        rounding == ROUND_HALF_UP and 2 * rest >= steps.denominator
    )
    with localcontext(prec=60):
        return Decimal(whole + bool(up)) * scale


def _displayed(
    given: Given | None, members: Members | None, thresholds: Iterable[Decimal]
) -> dict[str, Any]:
    fact = bare(given)
    provenance = {
        "period": given.period if type(given) is Recorded else None,
        "source": given.source if type(given) is Recorded else None,
        "status": given.status if type(given) is Recorded else None,
    }
    if fact is None and members is not None:
        total = members.known + members.unknown
        counted = not members.unknown
        fact = Ratio(denominator=total, numerator=members.true)
        return _ratio(fact, thresholds, counted) | provenance
    if type(fact) is Ratio:
        return _ratio(fact, thresholds, True) | provenance
    if type(fact) is Percent:
        low, high, scale = fact.bounds(capped=Decimal(fact.percent) <= 100)
        middle = Fraction(Decimal(fact.percent))
        return {
            "numerator": None,
            "denominator": None,
            "percent": displayed_percent(middle, thresholds),
            "counts_known": False,
            "interval": [_plain(Fraction(low, scale)), _plain(Fraction(high, scale))],
        } | provenance
    return {"value": list(fact) if isinstance(fact, tuple) else fact} | provenance


def _ratio(fact: Ratio, thresholds: Iterable[Decimal], counted: bool) -> dict[str, Any]:
    percent = None
    if fact.denominator and counted:
        exact = Fraction(100 * fact.numerator, fact.denominator)
        percent = displayed_percent(exact, thresholds)
    return {
        "numerator": fact.numerator,
        "denominator": fact.denominator,
        "percent": percent,
        "counts_known": counted,
    }


def _plain(exact: Fraction) -> str:
    return f"{Decimal(exact.numerator) / Decimal(exact.denominator):f}"


def _several_observed(given: Mapping[str, Given]) -> dict[str, Any]:
    parts = [{"indicator": code} | _displayed(one, None, ()) for code, one in sorted(given.items())]
    values = [part["value"] for part in parts]
    return {
        "value": sum(values) if all(type(value) is int for value in values) else None,
        "parts": parts,
        "period": None,
        "source": None,
        "status": None,
    }


def _thresholds(found: Required | None) -> tuple[Decimal, ...]:
    if found is None:
        return ()
    values = [branch.value for branch in found.branches]
    return tuple(values) if values else (found.value,) if found.value is not None else ()


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
