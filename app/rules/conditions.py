"""Conditions over facts, and shares over members, compiled once into closures.

A share counts members known true and members whose value is unknown: its measure runs from the
known-true share to known-true-plus-unknown, so it is decided only when both ends agree.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

from app.rules.checks import Finding, Measure, combined, comparison, in_order, measure, weigh
from app.rules.facts import Given, Recorded, bare
from app.rules.indicators import Condition, Indicator, Share
from app.rules.verdict import Inputs, Members
from app.rules.vocabulary import (
    DENOMINATOR_ZERO,
    LEVEL_ABOLISHED,
    MEMBER_VALUE_MISSING,
    MET,
    MISSING_VALUE,
    NOT_MET,
    UNDETERMINED,
)

Facts = Mapping[str, Given]
Catalogue = Mapping[str, Indicator]
# Facts first: the same condition is put to a unit (with its inputs) and to a member (without).
Asked = Callable[[Facts, Inputs | None], Finding]
Observation = tuple[Given | None, Measure, Members | None]
Observer = Callable[[Facts, Inputs | None], Observation]

# The district level ended with the two-level local government of 1 July 2025.
LEVEL_ENDED: Final = {"district": datetime.date(2025, 7, 1)}


def observer(code: str, catalogue: Catalogue) -> Observer:
    """Return a function that finds the value of `code`: given directly, else from the members."""
    indicator = catalogue[code]
    may_exceed = indicator.numerator_may_exceed_denominator
    share = share_of(indicator.derived, catalogue) if indicator.derived else None

    def observe(facts: Facts, inputs: Inputs | None) -> Observation:
        given = facts.get(code)
        if share is None or inputs is None or (given is not None and inputs.members is None):
            return given, measure(given, may_exceed), None
        measured, members = share(inputs)
        return given, (measured if given is None else measure(given)), members

    return observe


def share_of(
    share: Share, catalogue: Catalogue
) -> Callable[[Inputs], tuple[Measure, Members | None]]:
    """Return a function that measures a share over the members, in percent."""
    holds = asked(share.holds, catalogue)
    groups = share.of
    ends = [LEVEL_ENDED[group.level] for group in groups if group.level in LEVEL_ENDED]

    def measure_share(inputs: Inputs) -> tuple[Measure, Members | None]:
        if any(inputs.day >= end for end in ends):
            return (0, 0, 0, LEVEL_ABOLISHED), None
        if inputs.members is None:
            return (0, 0, 0, MISSING_VALUE), None
        outcomes = [
            holds(member.facts, None)[0]
            for member in inputs.members
            if any(group.covers(member.level, member.type) for group in groups)
        ]
        total, true, unknown = len(outcomes), outcomes.count(MET), outcomes.count(UNDETERMINED)
        members = Members(known=total - unknown, true=true, unknown=unknown)
        if not total:
            return (0, 0, 0, DENOMINATOR_ZERO), members
        return (true * 100, (true + unknown) * 100, total, MEMBER_VALUE_MISSING), members

    return measure_share


def asked(condition: Condition, catalogue: Catalogue) -> Asked:
    """Return a function that answers the condition with (outcome, reasons)."""
    if condition.all or condition.any:
        return _combination(condition, catalogue)
    if condition.at_least is None:
        return _presence(condition, catalogue)
    compare = comparison(">=", Decimal(condition.at_least))
    if condition.sum:
        total = sum_of(condition.sum)
        return lambda facts, inputs: weigh(compare, total(facts))
    if condition.share:
        share = share_of(condition.share, catalogue)
        return lambda facts, inputs: (
            weigh(compare, share(inputs)[0]) if inputs else (UNDETERMINED, (MISSING_VALUE,))
        )
    observe = observer(str(condition.indicator), catalogue)
    return lambda facts, inputs: weigh(compare, observe(facts, inputs)[1])


def _combination(condition: Condition, catalogue: Catalogue) -> Asked:
    combine = "all" if condition.all else "any"
    parts = [asked(part, catalogue) for part in condition.all or condition.any or ()]

    def ask(facts: Facts, inputs: Inputs | None) -> Finding:
        findings = [part(facts, inputs) for part in parts]
        outcome = combined(combine, [finding[0] for finding in findings])
        reasons = [reason for finding in findings for reason in finding[1]]
        return outcome, in_order(reasons) if outcome == UNDETERMINED else ()

    return ask


def _presence(condition: Condition, catalogue: Catalogue) -> Asked:
    code, member = str(condition.indicator), condition.contains
    return lambda facts, _inputs: presence(facts.get(code), member)


def presence(given: Given | None, member: str | None = None) -> Finding:
    """Answer "is it true", "is it not empty", or "does it contain `member`"."""
    if type(given) is Recorded and given.discounted:
        return UNDETERMINED, (given.discounted,)
    fact = bare(given)
    if fact is None:
        return UNDETERMINED, (MISSING_VALUE,)
    present = member in fact if member and isinstance(fact, tuple) else bool(fact)
    return (MET if present else NOT_MET), ()


def sum_of(codes: tuple[str, ...]) -> Callable[[Facts], Measure]:
    """Return a function that adds counts up; what is missing leaves the sum open upwards."""

    def add(facts: Facts) -> Measure:
        measures = [measure(facts.get(code)) for code in codes]
        missing = [reason for _, _, scale, reason in measures if not scale]
        known = sum(low for low, _, scale, _ in measures if scale)
        return known, (None if missing else known), 1, missing[0] if missing else ""

    return add
