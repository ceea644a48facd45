"""Closures for criteria with a threshold: a share, a count, a sum, by area class, over members."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import cast

from app.rules.checks import (
    Finding,
    Measure,
    comparison,
    exactly,
    in_order,
    measure,
    weigh,
    whole,
)
from app.rules.conditions import Catalogue, alternatives, asked, sum_of
from app.rules.facts import Given, Ratio
from app.rules.ruleset import Criterion, Required
from app.rules.shares import measured_share, weighed_share
from app.rules.verdict import Inputs, Result
from app.rules.vocabulary import ATTRIBUTE_MISSING, MET, NOT_MET, UNDETERMINED

Judge = Callable[[Inputs], Result]
Observe = Callable[[Inputs], tuple[Given | dict[str, Given] | None, Measure]]


def compile_threshold(criterion: Criterion, required: Required, catalogue: Catalogue) -> Judge:
    """Return the closure for a criterion with a threshold."""
    if required.branches:
        return _branched(criterion, required, catalogue)
    value = cast(Decimal, required.value)  # the model of the pack format has one or the other
    if criterion.indicator and catalogue[criterion.indicator].derived:
        return _over_members(criterion, required, value, catalogue)
    judge = _plain(criterion, required, value, catalogue)
    if required.unit == "percent" and not (criterion.reading and criterion.reading.alternatives):
        return _decided_at_once(criterion, required, value, judge)
    return judge


def known(inputs: Inputs, codes: tuple[str, ...]) -> dict[str, Given] | None:
    """Return those of the values that are given, None where none is."""
    return {code: inputs.facts[code] for code in codes if code in inputs.facts} or None


def _plain(criterion: Criterion, required: Required, value: Decimal, catalogue: Catalogue) -> Judge:
    id_ = criterion.id
    compare, missing = comparison(required.operator, value), _gap(required, value)
    observe = _observer(criterion, catalogue)
    weigh_readings = alternatives(criterion, catalogue)

    def judge(inputs: Inputs) -> Result:
        observed, measured = observe(inputs)
        outcome, reasons = weigh(compare, measured)
        return Result(
            id=id_,
            outcome=outcome,
            alternatives=weigh_readings(inputs) if weigh_readings else (),
            gap=missing(measured) if outcome == NOT_MET else None,
            observed=observed,
            reasons=reasons,
        )

    return judge


def _decided_at_once(
    criterion: Criterion, required: Required, value: Decimal, otherwise: Judge
) -> Judge:
    """Return a judge that takes no detour for a share whose counts are known and sound.

    Batches are full of those; everything else goes to `otherwise`.
    """
    id_, code = criterion.id, str(criterion.indicator)
    holds, factor, goal = exactly(required.operator, value)
    missing = _gap(required, value)

    def judge(inputs: Inputs) -> Result:
        fact = inputs.facts.get(code)
        if type(fact) is Ratio:
            part, base = fact.numerator, fact.denominator
            if 0 < base >= part:
                if holds(part * factor, goal * base):
                    return Result(id_, MET, observed=fact)
                gap = missing((part * 100, part * 100, base, ""))
                return Result(id_, NOT_MET, gap=gap, observed=fact)
        return otherwise(inputs)

    return judge


def _over_members(
    criterion: Criterion, required: Required, value: Decimal, catalogue: Catalogue
) -> Judge:
    id_, code = criterion.id, str(criterion.indicator)
    derived = catalogue[code].derived
    assert derived is not None
    share = measured_share(derived, asked(derived.holds, catalogue))
    weigh_share = weighed_share(code, share, comparison(required.operator, value))
    missing = _gap(required, value)
    weigh_readings = alternatives(criterion, catalogue)

    def judge(inputs: Inputs) -> Result:
        found = weigh_share(inputs.facts, inputs)
        return Result(
            id=id_,
            outcome=found.outcome,
            alternatives=weigh_readings(inputs) if weigh_readings else (),
            gap=missing(found.measured) if found.outcome == NOT_MET else None,
            members=found.members,
            observed=found.observed,
            reasons=found.reasons,
            stated=found.stated,
        )

    return judge


def _branched(criterion: Criterion, required: Required, catalogue: Catalogue) -> Judge:
    """Judge a threshold that depends on the area class; unknown class: decide if both agree."""
    id_, attributes = criterion.id, required.branches[0].when_any
    compares = [comparison(required.operator, one.value) for one in required.branches]
    missing = [_gap(required, one.value) for one in required.branches]
    observe = _observer(criterion, catalogue)
    weigh_readings = alternatives(criterion, catalogue)

    def judge(inputs: Inputs) -> Result:
        observed, measured = observe(inputs)
        branch = _branch(inputs.attributes, attributes)
        gap = None
        if branch is None:
            outcome, reasons = _either([weigh(compare, measured) for compare in compares])
        else:
            outcome, reasons = weigh(compares[branch], measured)
            gap = missing[branch](measured) if outcome == NOT_MET else None
        return Result(
            id=id_,
            outcome=outcome,
            alternatives=weigh_readings(inputs) if weigh_readings else (),
            branch=branch,
            gap=gap,
            observed=observed,
            reasons=reasons,
        )

    return judge


def _branch(classes: Mapping[str, bool], attributes: tuple[str, ...]) -> int | None:
    """Return the branch that applies: the first with any class true, the second with all false."""
    values = [classes.get(attribute) for attribute in attributes]
    if True in values:
        return 0
    return None if None in values else 1


def _either(findings: list[Finding]) -> Finding:
    """Return what holds in every branch; otherwise the class is what is missing."""
    outcomes = {finding[0] for finding in findings}
    if len(outcomes) == 1 and UNDETERMINED not in outcomes:
        return outcomes.pop(), ()
    reasons = {reason for finding in findings for reason in finding[1]}
    # Where every branch fails for want of a value, the class would not help.
    return UNDETERMINED, in_order(reasons | {ATTRIBUTE_MISSING} if len(outcomes) > 1 else reasons)


def _observer(criterion: Criterion, catalogue: Catalogue) -> Observe:
    if criterion.sum:
        codes, total = criterion.sum, sum_of(criterion.sum)
        return lambda inputs: (known(inputs, codes), total(inputs.facts))
    code = str(criterion.indicator)
    may_exceed = catalogue[code].numerator_may_exceed_denominator

    def observe(inputs: Inputs) -> tuple[Given | None, Measure]:
        given = inputs.facts.get(code)
        return given, measure(given, may_exceed)

    return observe


def _gap(required: Required, value: Decimal) -> Callable[[Measure], int | None]:
    """Return how many more of the numerator a failing measure needs; None where that is unknown.

    For a ratio `ceil(threshold * denominator) - numerator`; only where the counts are known and
    the threshold is a lower bound (or an exact one not reached).
    """
    goal, unit = whole(value)
    parts = unit * (100 if required.unit == "percent" else 1)
    bounded_above = required.operator in ("<", "<=")
    strictly = required.operator == ">"

    def more(measured: Measure) -> int | None:
        low, high, scale, _ = measured
        if low != high or bounded_above:
            return None
        needed = goal * scale // parts + 1 if strictly else -(-goal * scale // parts)
        gap = needed - low * unit // parts
        return gap if gap > 0 else None

    return more
