"""Conditions over facts, compiled once into closures: presence, thresholds from below, AND, OR."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from app.rules.checks import Comparison, Finding, Measure, combined, comparison, in_order, weigh
from app.rules.checks import measure as measure_of
from app.rules.facts import Given, Recorded, bare
from app.rules.indicators import Condition, Indicator
from app.rules.ruleset import Criterion
from app.rules.shares import Asked, Facts, measured_share, weighed_share
from app.rules.verdict import Inputs
from app.rules.vocabulary import MET, MISSING_VALUE, NOT_MET, UNDETERMINED

Catalogue = Mapping[str, Indicator]


def asked(condition: Condition, catalogue: Catalogue) -> Asked:
    """Return a function that answers the condition with (outcome, reasons)."""
    if condition.all or condition.any:
        return _combination(condition, catalogue)
    if condition.at_least is None:
        return _presence(condition)
    compare = comparison(">=", Decimal(condition.at_least))
    if condition.sum:
        total = sum_of(condition.sum)
        return lambda facts, _: weigh(compare, total(facts))
    if condition.share:
        share = measured_share(condition.share, asked(condition.share.holds, catalogue))
        return lambda _, inputs: weigh(compare, share(inputs)[0]) if inputs else _UNKNOWN
    return _at_least(catalogue[str(condition.indicator)], compare, catalogue)


def alternatives(
    criterion: Criterion, catalogue: Catalogue
) -> Callable[[Inputs], tuple[str, ...]] | None:
    """Return a function that gives the outcome of each alternative reading, if there is any."""
    if not criterion.reading or not criterion.reading.alternatives:
        return None
    questions = [asked(one.condition, catalogue) for one in criterion.reading.alternatives]
    return lambda inputs: tuple([ask(inputs.facts, inputs)[0] for ask in questions])


def presence(given: Given | None, member: str | None = None) -> Finding:
    """Answer "is it true", "is it not empty", or "does it contain `member`"."""
    if isinstance(given, Recorded) and given.discounted:
        return UNDETERMINED, (given.discounted,)
    fact = bare(given)
    if fact is None:
        return _UNKNOWN
    present = member in fact if member and isinstance(fact, tuple) else bool(fact)
    return (MET if present else NOT_MET), ()


def sum_of(codes: tuple[str, ...]) -> Callable[[Facts], Measure]:
    """Return a function that adds counts up; what is missing leaves the sum open upwards."""

    def add(facts: Facts) -> Measure:
        measures = [measure_of(facts.get(code)) for code in codes]
        missing = [reason for _, _, scale, reason in measures if not scale]
        known = sum(low for low, _, scale, _ in measures if scale)
        return known, (None if missing else known), 1, missing[0] if missing else ""

    return add


_UNKNOWN: Finding = (UNDETERMINED, (MISSING_VALUE,))


def _presence(condition: Condition) -> Asked:
    code, member = str(condition.indicator), condition.contains
    return lambda facts, _: presence(facts.get(code), member)


def _at_least(indicator: Indicator, compare: Comparison, catalogue: Catalogue) -> Asked:
    code, may_exceed = indicator.code, indicator.numerator_may_exceed_denominator
    if indicator.derived is None:
        return lambda facts, _: weigh(compare, measure_of(facts.get(code), may_exceed))
    share = measured_share(indicator.derived, asked(indicator.derived.holds, catalogue))
    weigh_share = weighed_share(code, share, compare)

    def ask(facts: Facts, inputs: Inputs | None) -> Finding:
        if inputs is None:
            return _UNKNOWN
        found = weigh_share(facts, inputs)
        return found.outcome, found.reasons

    return ask


def _combination(condition: Condition, catalogue: Catalogue) -> Asked:
    combine = "all" if condition.all else "any"
    parts = [asked(part, catalogue) for part in condition.all or condition.any or ()]

    def ask(facts: Facts, inputs: Inputs | None) -> Finding:
        findings = [part(facts, inputs) for part in parts]
        outcome = combined(combine, [finding[0] for finding in findings])
        if outcome != UNDETERMINED:
            return outcome, ()
        return outcome, in_order(reason for finding in findings for reason in finding[1])

    return ask
