"""Exact comparison and three-valued logic: the whole arithmetic of a verdict is in this file.

A measure is an interval `low/scale .. high/scale` of exact integers; a value whose counts are
known has low = high. `high` is None where nothing bounds it from above. Adding what is missing
can only shrink the interval, so a decided outcome is never overturned.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final

from app.rules.facts import Given, Percent, Ratio, Recorded
from app.rules.vocabulary import (
    DENOMINATOR_ZERO,
    MET,
    MISSING_VALUE,
    NO_CRITERION,
    NOT_APPLICABLE,
    NOT_MET,
    NUMERATOR_EXCEEDS_DENOMINATOR,
    ROUNDED_VALUE,
    UNDETERMINED,
    VALUE_NOT_APPROVED,
    VALUE_OUTDATED,
    Operator,
)

# (low, high, scale, why it is no single number); scale 0 means that there is nothing to compare.
Measure = tuple[int, int | None, int, str]
Comparison = Callable[[int, int | None, int], str]
Finding = tuple[str, tuple[str, ...]]

# The order in which reasons are listed when several apply.
REASON_ORDER: Final = (
    MISSING_VALUE,
    VALUE_OUTDATED,
    VALUE_NOT_APPROVED,
    DENOMINATOR_ZERO,
    NUMERATOR_EXCEEDS_DENOMINATOR,
    "level_abolished",
    "attribute_missing",
    ROUNDED_VALUE,
    "ambiguous_text",
    "member_value_missing",
    "exempt_central_pilot",
)


def whole(threshold: Decimal) -> tuple[int, int]:
    """Return the threshold as an exact fraction (numerator, denominator > 0)."""
    return threshold.as_integer_ratio()


_HOLDS: Final[Mapping[Operator, Callable[[int, int], bool]]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
}


def exactly(word: Operator, threshold: Decimal) -> tuple[Callable[[int, int], bool], int, int]:
    """Return (holds, factor, goal) for a threshold in percent.

    A share meets it exactly when
    `holds(part * factor, goal * base)`.
    """
    goal, unit = whole(threshold)
    return _HOLDS[word], 100 * unit, goal


def comparison(word: Operator, threshold: Decimal) -> Comparison:
    """Return a function that says on which side of the threshold the whole interval lies."""
    goal, unit = whole(threshold)

    def at_least(low: int, high: int | None, scale: int) -> str:
        if low * unit >= goal * scale:
            return MET
        return UNDETERMINED if high is None or high * unit >= goal * scale else NOT_MET

    def above(low: int, high: int | None, scale: int) -> str:
        if low * unit > goal * scale:
            return MET
        return UNDETERMINED if high is None or high * unit > goal * scale else NOT_MET

    def equal(low: int, high: int | None, scale: int) -> str:
        below, beyond = low * unit, None if high is None else high * unit
        if below == beyond == goal * scale:
            return MET
        outside = below > goal * scale or (beyond is not None and beyond < goal * scale)
        return NOT_MET if outside else UNDETERMINED

    def negated(compare: Comparison) -> Comparison:
        opposite = {MET: NOT_MET, NOT_MET: MET, UNDETERMINED: UNDETERMINED}
        return lambda low, high, scale: opposite[compare(low, high, scale)]

    by_operator: dict[Operator, Comparison] = {
        ">=": at_least,
        ">": above,
        "=": equal,
        "<": negated(at_least),
        "<=": negated(above),
    }
    return by_operator[word]


def measure(given: Given | None, may_exceed: bool = False) -> Measure:
    """Return what a fact amounts to: a ratio or percentage in percent, a count as it is."""
    if isinstance(given, Recorded):
        reason = given.discounted
        return (0, 0, 0, reason) if reason else measure(given.fact, may_exceed)
    if isinstance(given, Ratio):
        return _measure_ratio(given.numerator, given.denominator, may_exceed)
    if isinstance(given, Percent):
        return (*given.bounds(capped=not may_exceed), ROUNDED_VALUE)
    if isinstance(given, int):
        return given, given, 1, ""
    return 0, 0, 0, MISSING_VALUE


def _measure_ratio(part: int, base: int, may_exceed: bool) -> Measure:
    if base == 0:
        return 0, 0, 0, DENOMINATOR_ZERO
    if part > base and not may_exceed:
        return 0, 0, 0, NUMERATOR_EXCEEDS_DENOMINATOR
    return part * 100, part * 100, base, ""


def weigh(compare: Comparison, measured: Measure) -> Finding:
    """Compare a measure with a threshold; undetermined carries the reason."""
    low, high, scale, reason = measured
    outcome = compare(low, high, scale) if scale else UNDETERMINED
    return outcome, (reason,) if outcome is UNDETERMINED else ()


def combined(combine: str | None, outcomes: Sequence[str]) -> str:
    """Combine outcomes by AND (`all`) or OR (`any`).

    AND: any not_met, else any undetermined, else met; OR: any met, else any undetermined, else
    not_met. Children that are not_applicable or no_criterion are left out; a group with none left
    takes that outcome (not_applicable only when every child is).
    """
    decisive, otherwise = (MET, NOT_MET) if combine == "any" else (NOT_MET, MET)
    if combine is not None:
        for outcome in (decisive, UNDETERMINED, otherwise):
            if outcome in outcomes:
                return outcome
    return NO_CRITERION if NO_CRITERION in outcomes else NOT_APPLICABLE


def in_order(reasons: Iterable[str]) -> tuple[str, ...]:
    """Return the reasons once each, in the order of the vocabulary."""
    given = set(reasons)
    return tuple(reason for reason in REASON_ORDER if reason in given)
