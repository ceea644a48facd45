"""Made-up values for real communes: with gaps, values exactly on a threshold, contradictions.

Nothing is random: every figure follows from the unit and the indicator, so that a demonstration
looks the same everywhere. Every value says in its source that it is synthetic.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final

from app.rules.conditions import Catalogue
from app.rules.evaluate import Compiled
from app.rules.facts import Fact, Percent, Ratio

SOURCE: Final = "Số liệu giả định để minh hoạ, không phải số liệu thật (synthetic)"
_GAPS: Final = 6  # of a hundred values, so many are missing
_ON_THRESHOLD: Final = 14  # ... lie exactly on the threshold
_JUST_BELOW: Final = 18  # ... of those up to here one person or household is missing
_ONLY_PERCENT: Final = 21  # ... of those up to here only a percentage is known


def facts(
    unit: str, codes: Iterable[str], thresholds: Mapping[str, Decimal], known: Catalogue
) -> Iterable[tuple[str, Fact]]:
    """Yield made-up values of a unit; strong units do well in most things, weak ones do not."""
    strength = _number(unit, "strength", 50, 99)
    for code in sorted(codes):
        indicator = known[code]
        lot = _number(unit, f"lot {code}", 0, 99)
        if indicator.derived or lot < _GAPS:
            continue
        if indicator.kind == "boolean":
            yield code, _number(unit, code, 0, 99) < min(strength + 12, 99)
        elif indicator.kind == "count":
            yield code, _number(unit, code, 0, 2) + strength // 30
        elif indicator.kind == "set":
            members = [one.code for one in indicator.members]
            there = [one for one in sorted(members) if _number(unit, one, 0, 99) < strength]
            yield code, tuple(there)
        elif indicator.kind == "ratio":
            yield code, _ratio(unit, code, strength, lot, thresholds.get(code, Decimal(80)))


def _ratio(unit: str, code: str, strength: int, lot: int, threshold: Decimal) -> Fact:
    base = 20 * _number(unit, code, 10, 250)
    least = min(-(-int(threshold * base) // 100), base)
    if lot < _ON_THRESHOLD:
        return Ratio(denominator=base, numerator=least)
    if lot < _JUST_BELOW:
        return Ratio(denominator=base, numerator=max(least - 1, 0))
    share = int(threshold) + (strength - 65) // 2 + _number(unit, f"share {code}", -5, 9)
    share = max(min(share, 100), 0)
    if lot < _ONLY_PERCENT and share < 100:
        return Percent(f"{share}.{_number(unit, f'digit {code}', 0, 9)}")
    return Ratio(denominator=base, numerator=base * share // 100)


def thresholds(rulesets: Iterable[Compiled]) -> dict[str, Decimal]:
    """Return the highest threshold in percent of every indicator that has one."""
    found: dict[str, Decimal] = {}
    for ruleset in rulesets:
        for criterion in ruleset.ruleset.walk():
            required = criterion.required
            if criterion.indicator and required and required.unit == "percent":
                values = [required.value, *(branch.value for branch in required.branches)]
                known = [value for value in values if value is not None]
                found[criterion.indicator] = max(*known, found.get(criterion.indicator, Decimal(0)))
    return found


def _number(unit: str, about: str, low: int, high: int) -> int:
    """Return a number from low to high that only depends on the unit and what it is about."""
    digest = hashlib.sha256(f"{unit}|{about}".encode()).digest()
    return low + int.from_bytes(digest[:8], "big") % (high - low + 1)
