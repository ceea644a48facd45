"""Made-up facts of communes for one ruleset: always the same, with every outcome among them."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, Final

from app.rules.indicators import Indicator
from app.rules.ruleset import Criterion, Ruleset

COMMUNES: Final = 3321
SEED: Final = 924
MISSING: Final = 0.03
TRUE: Final = 0.95

Raw = dict[str, Any]


def threshold(leaf: Criterion) -> tuple[str, int] | None:
    """Return operator and percentage of a leaf, None where it asks for a plain yes."""
    if leaf.indicator is None or leaf.check or leaf.contains or leaf.no_criterion:
        raise ValueError(f"{leaf.id}: the comparison does not cover this kind of criterion")
    required = leaf.required
    if required is None:
        return None
    if required.unit != "percent" or required.value is None or required.value % 1:
        raise ValueError(f"{leaf.id}: the comparison does not cover this kind of threshold")
    return required.operator, int(required.value)


def raw_facts(
    ruleset: Ruleset, indicators: Mapping[str, Indicator], communes: int = COMMUNES
) -> list[Raw]:
    """Return the facts of each commune as JSON data; an indicator left out has no value."""
    dice = random.Random(SEED)
    goals = {
        str(one.indicator): asked[1]
        for one in ruleset.walk()
        if not one.criteria and (asked := threshold(one))
    }
    return [_commune(dice, indicators, goals) for _ in range(communes)]


def _commune(
    dice: random.Random, indicators: Mapping[str, Indicator], goals: Mapping[str, int]
) -> Raw:
    raw: Raw = {}
    for code, indicator in indicators.items():
        if dice.random() < MISSING:
            continue
        if indicator.kind == "boolean":
            raw[code] = dice.random() < TRUE
        elif indicator.kind == "ratio":
            raw[code] = _ratio(dice, goals[code])
        else:
            raise ValueError(f"no made-up facts for {code}: its kind is {indicator.kind}")
    return raw


def _ratio(dice: random.Random, goal: int) -> dict[str, int]:
    """Return a share near the threshold: mostly reached, often exactly, now and then unusable."""
    draw = dice.random()
    base = 20 * dice.randint(1, 900)
    exact = base * goal // 100
    if draw < 0.004:
        return {"numerator": 0, "denominator": 0}
    if draw < 0.008:
        return {"numerator": base + dice.randint(1, 9), "denominator": base}
    if draw < 0.20:
        return {"numerator": exact, "denominator": base}
    if draw < 0.24:
        return {"numerator": exact - 1, "denominator": base}
    if draw < 0.90:
        return {"numerator": dice.randint(exact, base), "denominator": base}
    return {"numerator": dice.randint(exact * 4 // 5, exact), "denominator": base}
