"""The same ruleset in two rule engines, generated from the loaded data.

zen-engine: one expression per criterion in one node, so that its trace explains each of them.
datalogic-py: a template of the explained tree; JSONLogic has no local variables, so a group
repeats the conditions of its leaves.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from app.rules.ruleset import Criterion, Ruleset
from bench import Contender, plain
from bench.facts import Raw, threshold
from bench.ours import overall

Rule = dict[str, Any]
# How each engine writes the comparison of a threshold and its opposite.
OPPOSITE: Final = {">=": "<", "===": "!=="}
DATALOGIC: Final = {">=": ">=", "=": "==="}
ZEN: Final = {">=": ">=", "=": "=="}
TRACE: Final = {"trace": True}


def zen_contenders(ruleset: Ruleset, raws: Sequence[Raw]) -> list[Contender]:
    """Return zen with the decision loaded once, and as in its quickstart; none if not installed."""
    try:
        zen: Any = importlib.import_module("zen")
    except ImportError:
        return []
    graph = zen_graph(ruleset)
    evaluate = zen.ZenEngine({"loader": {"type": "static", "content": {"rules": graph}}}).evaluate
    created = zen.ZenEngine().create_decision(json.dumps(graph)).evaluate
    items = [_text(raw) for raw in raws]
    return [
        Contender(
            "zen: decision with trace",
            lambda item: evaluate("rules", item, TRACE),
            items,
            _zen_outcome,
        ),
        Contender(
            "zen: the same through create_decision",
            lambda item: created(item, TRACE),
            items,
            _zen_outcome,
        ),
    ]


def datalogic_contenders(ruleset: Ruleset, raws: Sequence[Raw]) -> list[Contender]:
    """Return datalogic from objects to objects and from text to text; none if not installed."""
    try:
        datalogic: Any = importlib.import_module("datalogic_py")
    except ImportError:
        return []
    rule = datalogic.Engine().compile_template(datalogic_template(ruleset))
    return [
        Contender(
            "datalogic: explained tree as objects",
            rule.evaluate,
            raws,
            lambda found: overall(one["outcome"] for one in found),
            lambda found: [plain(one) for one in found],
        ),
        Contender(
            "datalogic: explained tree as JSON",
            rule.evaluate_str,
            [_text(raw) for raw in raws],
            lambda found: overall(one["outcome"] for one in json.loads(found)),
            lambda found: [plain(one) for one in json.loads(found)],
        ),
    ]


def zen_graph(ruleset: Ruleset) -> Rule:
    """Return the ruleset as a JDM decision graph: input, one expression node, output."""
    expressions = [
        (_name(criterion), _zen_expression(criterion))
        for top in ruleset.criteria
        for criterion in _children_first(top)
    ]
    expressions.append(("outcome", _zen_all(ruleset.criteria)))
    criteria = {"expressions": [{"id": key, "key": key, "value": is_} for key, is_ in expressions]}
    nodes = [
        {"id": "facts", "name": "facts", "type": "inputNode", "content": {}},
        {"id": "criteria", "name": "criteria", "type": "expressionNode", "content": criteria},
        {"id": "verdict", "name": "verdict", "type": "outputNode", "content": {}},
    ]
    edges = [
        {"id": "in", "sourceId": "facts", "targetId": "criteria", "type": "edge"},
        {"id": "out", "sourceId": "criteria", "targetId": "verdict", "type": "edge"},
    ]
    return {"nodes": nodes, "edges": edges}


def datalogic_template(ruleset: Ruleset) -> list[Rule]:
    """Return the ruleset as a JSONLogic template of its explained tree."""
    return [_template(criterion) for criterion in ruleset.criteria]


def _text(raw: Raw) -> str:
    return json.dumps(raw, separators=(",", ":"))


def _name(criterion: Criterion) -> str:
    return criterion.id.replace(".", "_")


def _children_first(criterion: Criterion) -> Iterator[Criterion]:
    for child in criterion.criteria:
        yield from _children_first(child)
    yield criterion


def _zen_outcome(found: Any) -> str:
    if "criteria" not in found["trace"]:
        raise ValueError("zen gave no trace")
    return str(found["result"]["outcome"])


def _zen_expression(criterion: Criterion) -> str:
    if criterion.criteria:
        return _zen_all(criterion.criteria)
    code, asked = criterion.indicator, threshold(criterion)
    if asked is None:
        return f"{code} == null ? 'undetermined' : {code} ? 'met' : 'not_met'"
    part, base = f"{code}.numerator", f"{code}.denominator"
    reached = f"{part} * 100 {ZEN[asked[0]]} {base} * {asked[1]}"
    unusable = f"{code} == null or {base} == 0 or {part} > {base}"
    return f"{unusable} ? 'undetermined' : {reached} ? 'met' : 'not_met'"


def _zen_all(criteria: Sequence[Criterion]) -> str:
    met = " and ".join(f"$.{_name(one)} == 'met'" for one in criteria)
    failed = " or ".join(f"$.{_name(one)} == 'not_met'" for one in criteria)
    return f"{met} ? 'met' : {failed} ? 'not_met' : 'undetermined'"


def _template(criterion: Criterion) -> Rule:
    if not criterion.criteria:
        return _leaf(criterion)
    if any(one.combine == "any" for one in criterion.walk()):
        raise ValueError(f"{criterion.id}: a group by OR has not been written for the peers")
    tests = [_tests(leaf) for leaf in criterion.walk() if not leaf.criteria]
    met = {"and": [test for test, _ in tests]}
    failed = {"or": [test for _, test in tests]}
    outcome = {"if": [met, "met", failed, "not_met", "undetermined"]}
    children = [_template(child) for child in criterion.criteria]
    return {"id": criterion.id, "outcome": outcome, "criteria": children}


def _tests(leaf: Criterion) -> tuple[Rule, Rule]:
    """Return when a leaf is met and when it is not; it is undetermined otherwise."""
    value, part, base = _variables(leaf)
    asked = threshold(leaf)
    if asked is None:
        return value, {"===": [value, False]}
    operator, sides = DATALOGIC[asked[0]], [{"*": [part, 100]}, {"*": [base, asked[1]]}]
    usable = [{">": [base, 0]}, {"<=": [part, base]}]
    return {"and": [*usable, {operator: sides}]}, {"and": [*usable, {OPPOSITE[operator]: sides}]}


def _leaf(leaf: Criterion) -> Rule:
    value, _, base = _variables(leaf)
    met, failed = _tests(leaf)
    seen = {"observed": value}
    open_: Rule = {"id": leaf.id, "outcome": "undetermined"}
    missing = open_ | {"reasons": ["missing_value"]}
    decided = [met, open_ | {"outcome": "met"} | seen]
    decided += [failed, open_ | {"outcome": "not_met"} | seen]
    if threshold(leaf) is None:
        return {"if": [*decided, missing]}
    zero = open_ | seen | {"reasons": ["denominator_zero"]}
    exceeds = open_ | seen | {"reasons": ["numerator_exceeds_denominator"]}
    return {"if": [*decided, {"!": [value]}, missing, {"===": [base, 0]}, zero, exceeds]}


def _variables(leaf: Criterion) -> tuple[Rule, Rule, Rule]:
    code = str(leaf.indicator)
    return {"var": code}, {"var": f"{code}.numerator"}, {"var": f"{code}.denominator"}
