"""Where a commune stands: every ruleset in scope, what is missing, and what would help most.

Nothing is stored: a standing is what evaluations would say if they were conducted now.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import asyncpg
import msgspec

from app.domain.evaluations import on_record
from app.domain.scope import OUT
from app.domain.unit_periods import Entity
from app.rules.evaluate import Compiled
from app.rules.explain import explain
from app.rules.period import Period
from app.rules.registry import Registry
from app.rules.verdict import Inputs
from app.rules.vocabulary import NOT_APPLICABLE, NOT_MET, UNDETERMINED
from app.rules.what_if import Step, steps

# Reasons that a value would end: it is not there, or what is there is not enough.
_WANTING: Final = frozenset(
    {"missing_value", "value_outdated", "value_not_approved", "rounded_value",
     "denominator_zero", "numerator_exceeds_denominator", "attribute_missing",
     "member_value_missing"}
)  # fmt: skip


_NAMED: Final = ("id", "version", "digest", "title")


class Standing(msgspec.Struct, frozen=True):
    """One ruleset put to a unit, with the steps that would help."""

    compiled: Compiled
    verdict: Mapping[str, Any]
    steps: tuple[Step, ...]


async def of(
    connection: asyncpg.Connection,
    registry: Registry,
    unit: Entity,
    period: Period,
    as_of: datetime.date,
    language: str,
) -> dict[str, Any]:
    """Return the standing of a unit in a period by every ruleset for its level."""
    rulesets = [
        entry.compiled
        for entry in registry.entries.values()
        if unit.level in (entry.ruleset.level, *entry.ruleset.also_levels)
    ]
    record = await on_record.load(connection, rulesets, [unit], period, as_of)
    scoped = [one for one in rulesets if record.scopes[one.digest][unit.id] != OUT]
    standings = [_standing(one, record.inputs(one, unit, as_of), language) for one in scoped]
    return {
        "unit": record.shown(unit),
        "period": period.text,
        "as_of": as_of,
        "rulesets": [_shown(one, registry, language) for one in standings],
        "out_of_scope": [one.ruleset.ruleset for one in rulesets if one not in scoped],
        "biggest_step": _biggest(standings, registry, language),
    }


def _standing(compiled: Compiled, inputs: Inputs, language: str) -> Standing:
    judgement = compiled.evaluate(inputs)
    exempt = NOT_APPLICABLE in (judgement.outcome, judgement.all_items)
    found = () if exempt else steps(compiled, inputs)
    return Standing(compiled, explain(compiled, judgement, {}, language), found)


def _shown(one: Standing, registry: Registry, language: str) -> dict[str, Any]:
    verdict = one.verdict
    head = ("applicability", "outcome", "basis", "all_items", "reasons", "counts")
    return {
        "ruleset": {name: verdict["ruleset"][name] for name in _NAMED},
        **{name: verdict[name] for name in head},
        "gaps": [
            _gap(leaf) for leaf in _leaves(verdict["criteria"]) if leaf["outcome"] == NOT_MET
        ],
        "missing": [
            _missing(leaf) for leaf in _leaves(verdict["criteria"])
            if leaf["outcome"] == UNDETERMINED and _WANTING & set(leaf["reasons"])
        ],
        "steps": [
            {
                **_with_name(step.indicator, registry, language),
                "newly_met": list(step.newly_met),
                "newly_failed": list(step.newly_failed),
                "outcome": step.outcome,
                "all_items": step.all_items,
            }
            for step in one.steps
        ],
    }  # fmt: skip


def _leaves(criteria: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for one in criteria:
        if one["criteria"]:
            yield from _leaves(one["criteria"])
        else:
            yield one


def _gap(leaf: Mapping[str, Any]) -> dict[str, Any]:
    shown = ("text", "cite", "indicator", "observed", "required", "gap")
    return {"criterion": leaf["id"]} | {name: leaf[name] for name in shown}


def _missing(leaf: Mapping[str, Any]) -> dict[str, Any]:
    codes = [leaf["indicator"]] if leaf["indicator"] else leaf["indicators"]
    shown = ("text", "cite", "reasons", "observed", "required")
    return {"criterion": leaf["id"], "indicators": codes} | {name: leaf[name] for name in shown}


def _with_name(code: str, registry: Registry, language: str) -> dict[str, str]:
    return {"indicator": code, "name": getattr(registry.indicators[code].name, language)}


def _biggest(
    standings: Iterable[Standing], registry: Registry, language: str
) -> dict[str, Any] | None:
    """Return the one value that would change most over all rulesets: wholes, then criteria."""
    by_code: dict[str, list[tuple[Standing, Step]]] = {}
    for one in standings:
        for step in one.steps:
            by_code.setdefault(step.indicator, []).append((one, step))
    if not by_code:
        return None
    code = min(by_code, key=lambda code: (*_weight(by_code[code]), code))
    return {
        **_with_name(code, registry, language),
        "newly_met": sum(len(step.newly_met) for _, step in by_code[code]),
        "rulesets": [
            {
                "id": one.compiled.ruleset.ruleset,
                "before": {name: one.verdict[name] for name in ("outcome", "all_items")},
                "after": {"outcome": step.outcome, "all_items": step.all_items},
                "newly_met": list(step.newly_met),
            }
            for one, step in by_code[code]
        ],
    }


def _weight(found: Iterable[tuple[Standing, Step]]) -> tuple[int, int]:
    pairs = [step for _, step in found]
    return -sum(step.completes for step in pairs), -sum(len(step.newly_met) for step in pairs)
