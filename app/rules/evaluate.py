"""Compile a ruleset once into closures; evaluate it against the inputs of a unit.

`Compiled.evaluate` is pure: the same inputs, ruleset and `SEMANTICS` give the same canonical
bytes in every process. A missing fact alone never makes a failure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from app.rules.applicability import compile_applicability, is_exempt
from app.rules.checks import combined, in_order
from app.rules.conditions import Catalogue, alternatives
from app.rules.facts import Given
from app.rules.indicators import Condition, Share
from app.rules.leaves import Check, compile_leaf
from app.rules.ruleset import Criterion, Ruleset
from app.rules.thresholds import Judge
from app.rules.verdict import (
    SEMANTICS,
    Coverage,
    Inputs,
    Judgement,
    Result,
    canonical,
    digest,
    inputs_digest,
)
from app.rules.vocabulary import (
    EXEMPT_CENTRAL_PILOT,
    MET,
    NO_CRITERION,
    NO_OVERALL_RULE,
    NOT_APPLICABLE,
    NOT_MET,
    UNDETERMINED,
)

# 3^8 combinations of yes, no and not known: a few megabytes at the most.
_MOST_REMEMBERED: Final = 8


class Compiled:
    """A ruleset ready to judge, with the indicators it reads and the digest of both."""

    __slots__ = (
        "_applicability", "_judges", "digest", "indicators", "member_codes",
        "member_groups", "named", "ruleset", "unit_codes",
    )  # fmt: skip

    def __init__(self, ruleset: Ruleset, catalogue: Catalogue, checks: Mapping[str, Check]) -> None:
        self.ruleset = ruleset
        self.unit_codes = frozenset(codes_in(ruleset))
        shares = [share for one in ruleset.walk() for share in shares_of(one, catalogue)]
        self.member_codes = frozenset(code for one in shares for code in one.holds.codes())
        groups = {group for one in shares for group in one.of}
        self.member_groups = tuple(sorted(groups, key=lambda one: (one.level, one.types)))
        used = self.unit_codes | self.member_codes
        self.indicators = {code: catalogue[code] for code in sorted(used)}
        self.named: dict[str, Any] | None = None  # as verdicts show it, see app.rules.explain
        self.digest = digest(snapshot(ruleset, self.indicators))
        self._applicability = compile_applicability(ruleset)
        self._judges = [compile_criterion(one, catalogue, checks) for one in ruleset.criteria]

    @property
    def codes(self) -> frozenset[str]:
        """Every indicator the ruleset rests on: the unit's, its members', its area classes."""
        classes = {
            code
            for criterion in self.ruleset.walk()
            for branch in (criterion.required.branches if criterion.required else ())
            for code in branch.when_any
        }
        return self.unit_codes | self.member_codes | classes

    def results(self, inputs: Inputs) -> tuple[Result, ...]:
        """Judge every criterion; the explained result without digests and summary."""
        results = tuple([judge(inputs) for judge in self._judges])
        if inputs.designations and is_exempt(self.ruleset, inputs):
            return tuple(_exempted(result) for result in results)
        return results

    def concluded(self, results: Sequence[Result]) -> tuple[str, str | None]:
        """Return the outcome of the whole, and all_items where the document states no rule."""
        whole = combined("all", [result.outcome for result in results])
        return (NO_OVERALL_RULE, whole) if self.ruleset.overall == "none" else (whole, None)

    def evaluate(self, inputs: Inputs) -> Judgement:
        """Judge the unit: the results of all criteria, their combination, the digests."""
        results = self.results(inputs)
        outcome, all_items = self.concluded(results)
        whole = all_items or outcome
        return Judgement(
            all_items=all_items,
            applicability=self._applicability(inputs),
            as_of=inputs.as_of,
            basis=self.ruleset.overall,
            coverage=_coverage(results) if whole == NO_CRITERION else None,
            criteria=results,
            digest=self.digest,
            inputs_digest=inputs_digest(inputs),
            outcome=outcome,
            period=inputs.period,
            reasons=_reasons(whole, results),
            ruleset=self.ruleset.ruleset,
            semantics=SEMANTICS,
            unused_facts=self._unused(inputs),
        )

    def _unused(self, inputs: Inputs) -> tuple[str, ...]:
        unused: set[str] = set()
        if not inputs.facts.keys() <= self.unit_codes:
            unused |= inputs.facts.keys() - self.unit_codes
        for member in inputs.members or ():
            unused |= member.facts.keys() - self.member_codes
        return tuple(sorted(unused))


def snapshot(ruleset: Ruleset, indicators: Catalogue) -> bytes:
    """Return the canonical data of a ruleset: its criteria and the indicators they read."""
    return canonical(
        {
            "indicators": [one.model_dump(mode="json") for one in indicators.values()],
            "ruleset": ruleset.model_dump(mode="json"),
        }
    )


def codes_of(criterion: Criterion) -> set[str]:
    """Return the indicators that a criterion and everything below it reads from the unit."""
    return {code for one in criterion.walk() for code in own_codes(one)}


def own_codes(criterion: Criterion) -> list[str]:
    """Return the indicators that a criterion itself reads: that of its test first."""
    found = [criterion.indicator] if criterion.indicator else list(criterion.sum)
    for condition in conditions_of(criterion):
        found += sorted(condition.codes())
    return found


def shares_of(criterion: Criterion, catalogue: Catalogue) -> list[Share]:
    """Return the shares over members that a criterion itself reads: that of its test first."""
    derived = [catalogue[code].derived for code in own_codes(criterion)]
    asked = [share for condition in conditions_of(criterion) for share in condition.shares()]
    return [share for share in (*derived, *asked) if share]


def conditions_of(criterion: Criterion) -> list[Condition]:
    """Return the conditions of the readings of one criterion."""
    found = [one.condition for one in criterion.every_reading]
    if criterion.reading:
        found += [one.condition for one in criterion.reading.alternatives]
    return found


def codes_in(ruleset: Ruleset) -> set[str]:
    """Return the indicators that a ruleset reads from the unit."""
    return {code for criterion in ruleset.criteria for code in codes_of(criterion)}


def compile_criterion(
    criterion: Criterion, catalogue: Catalogue, checks: Mapping[str, Check]
) -> Judge:
    """Return the closure that judges one criterion and everything below it."""
    if not criterion.criteria:
        return remembered(criterion, catalogue, compile_leaf(criterion, catalogue, checks))
    judges = [compile_criterion(child, catalogue, checks) for child in criterion.criteria]
    id_, combine = criterion.id, criterion.combine
    weigh_readings = alternatives(criterion, catalogue)

    def judge(inputs: Inputs) -> Result:
        results = tuple([judge(inputs) for judge in judges])
        outcome = combined(combine, [result.outcome for result in results])
        if weigh_readings is None and (outcome is MET or outcome is NOT_MET):
            return Result(id_, outcome, criteria=results)
        return Result(
            id=id_,
            outcome=outcome,
            alternatives=weigh_readings(inputs) if weigh_readings else (),
            coverage=_coverage(results) if outcome == NO_CRITERION else None,
            criteria=results,
            reasons=_reasons(outcome, results),
        )

    return remembered(criterion, catalogue, judge)


def remembered(criterion: Criterion, catalogue: Catalogue, judge: Judge) -> Judge:
    """Let evaluations share the results of criteria that only ask a few yes-or-no questions.

    There are at most three answers to each (yes, no, not known), and results are immutable.
    """
    codes = sorted(codes_of(criterion))
    plain = all(catalogue[code].kind == "boolean" for code in codes)
    if not plain or not 1 < len(codes) <= _MOST_REMEMBERED or _asks_more(criterion):
        return judge
    memory: dict[tuple[Given | None, ...], Result] = {}

    def recall(inputs: Inputs) -> Result:
        answers = tuple(map(inputs.facts.get, codes))
        result = memory.get(answers)
        if result is None:
            result = judge(inputs)
            if all(answer is None or type(answer) is bool for answer in answers):
                memory[answers] = result
        return result

    return recall


def _asks_more(criterion: Criterion) -> bool:
    """Tell whether a result depends on more than the unit's own values."""
    return any(
        one.check is not None or any(condition.shares() for condition in conditions_of(one))
        for one in criterion.walk()
    )


def _reasons(outcome: str, results: Sequence[Result]) -> tuple[str, ...]:
    if outcome == NOT_APPLICABLE:
        return in_order(reason for result in results for reason in result.reasons)
    if outcome != UNDETERMINED:
        return ()
    return in_order(
        reason for result in results if result.outcome == UNDETERMINED for reason in result.reasons
    )


def _coverage(results: Sequence[Result]) -> Coverage:
    parts = [result.coverage for result in results if result.coverage]
    return Coverage(
        items=sum(part.items for part in parts),
        present=sum(part.present for part in parts),
        reported=sum(part.reported for part in parts),
    )


def _exempted(result: Result) -> Result:
    """Return the result for a commune outside the conditions: what is known stays shown."""
    return Result(
        id=result.id,
        outcome=NOT_APPLICABLE,
        criteria=tuple(_exempted(child) for child in result.criteria),
        members=result.members,
        observed=result.observed,
        reasons=(EXEMPT_CENTRAL_PILOT,),
        stated=result.stated,
    )
