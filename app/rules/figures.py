"""Numbers as they are shown: exact counts, and percentages that never contradict an outcome.

A percentage is displayed with two decimals (more where the threshold has more) and never on the
other side of a threshold than the exact value: 69.995 % under >= 70 shows 69.99.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction
from typing import Any

from app.rules.checks import measure
from app.rules.facts import Given, Percent, Ratio, Recorded, bare
from app.rules.ruleset import Criterion, Required
from app.rules.verdict import Members, Result


def observed(
    criterion: Criterion, result: Result, may_exceed: bool = False
) -> dict[str, Any] | None:
    """Return what an outcome rests on; None where nothing is known.

    `may_exceed`: the indicator's numerator may be greater than its denominator.
    """
    given, members = result.observed, result.members
    if isinstance(given, dict):
        return _several(given)
    if given is None and members is None:
        return None
    goals = _thresholds(criterion.required)
    shown = _displayed(given, members, goals, may_exceed)
    if members is not None:
        beside = given if given is not None else result.stated
        shown["members"] = {
            "known": members.known,
            "true": members.true,
            "unknown": members.unknown,
        }
        shown["stated"] = _displayed(result.stated, None, goals) if result.stated else None
        shown["conflict"] = beside is not None and conflicts(beside, members)
    return shown


def conflicts(fact: Given | None, members: Members) -> bool:
    """Tell whether a share given directly lies outside what the members' values allow."""
    low, high, scale, _ = measure(fact)
    total = members.known + members.unknown
    if not scale or high is None or not total:
        return False
    fewest, most = 100 * members.true, 100 * (members.true + members.unknown)
    return high * total < fewest * scale or low * total > most * scale


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
    given: Given | None,
    members: Members | None,
    thresholds: Iterable[Decimal],
    may_exceed: bool = False,
) -> dict[str, Any]:
    fact = bare(given)
    provenance = {
        "period": given.period if type(given) is Recorded else None,
        "source": given.source if type(given) is Recorded else None,
        "status": given.status if type(given) is Recorded else None,
        "value_id": given.value_id if type(given) is Recorded else None,
    }
    if fact is None and members is not None:
        total = members.known + members.unknown
        counted = not members.unknown
        fact = Ratio(denominator=total, numerator=members.true)
        return _ratio(fact, thresholds, counted) | provenance
    if type(fact) is Ratio:
        return _ratio(fact, thresholds, True) | provenance
    if type(fact) is Percent:
        low, high, scale = fact.bounds(capped=not may_exceed)
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


def _several(given: Mapping[str, Given]) -> dict[str, Any]:
    parts = [{"indicator": code} | _displayed(one, None, ()) for code, one in sorted(given.items())]
    values = [part.get("value") for part in parts]
    return {
        "value": sum(values) if all(type(value) is int for value in values) else None,
        "parts": parts,
        "period": None,
        "source": None,
        "status": None,
        "value_id": None,
    }


def _thresholds(found: Required | None) -> tuple[Decimal, ...]:
    if found is None:
        return ()
    values = [branch.value for branch in found.branches]
    return tuple(values) if values else (found.value,) if found.value is not None else ()
