"""Which single value would change most: every hypothetical value is judged, none is guessed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from app.rules.casework import walk
from app.rules.evaluate import Compiled, codes_of
from app.rules.facts import LARGEST_COUNT, Fact, Given, Ratio, bare
from app.rules.indicators import Indicator
from app.rules.verdict import Inputs, Result
from app.rules.vocabulary import MET, NO_CRITERION, NOT_APPLICABLE, NOT_MET


class Step(msgspec.Struct, frozen=True):
    """What would follow if one indicator had its best value and everything else stayed.

    `newly_met` and `newly_failed` are ids of criteria, groups included.
    """

    indicator: str
    outcome: str
    all_items: str | None
    newly_met: tuple[str, ...]
    newly_failed: tuple[str, ...]

    @property
    def completes(self) -> bool:
        """Tell whether the whole would be met."""
        return MET in (self.outcome, self.all_items)


def steps(compiled: Compiled, inputs: Inputs) -> tuple[Step, ...]:
    """Return the steps by which some criterion would be met, those that help most first."""
    before = compiled.results(inputs)
    found = []
    for code in sorted(_open_codes(compiled, before)):
        tries = [
            _step(compiled, inputs, before, code, fact)
            for fact in _best_facts(compiled.indicators[code], inputs.facts.get(code))
        ]
        if tries:
            found.append(min(tries, key=_rank))
    return tuple(sorted((step for step in found if step.newly_met), key=_rank))


# What there is nothing to gain from.
_SETTLED: Final = (MET, NOT_APPLICABLE, NO_CRITERION)


def _open_codes(compiled: Compiled, results: tuple[Result, ...]) -> set[str]:
    """Return the indicators on which criteria without children rest that could still be met."""
    open_ids = {one.id for one in walk(results) if one.outcome not in _SETTLED}
    return {
        code
        for criterion in compiled.ruleset.walk()
        if not criterion.criteria and criterion.id in open_ids
        for code in codes_of(criterion)
    }


def _best_facts(indicator: Indicator, given: Given | None) -> tuple[Fact, ...]:
    """Return the facts that could be best: everything, or nothing at all."""
    if indicator.kind == "boolean":
        return (True,)
    if indicator.kind == "set":
        return (tuple(sorted(one.code for one in indicator.members)),)
    if indicator.kind == "count":
        return LARGEST_COUNT, 0
    if indicator.kind == "ratio":
        fact = bare(given)
        base = fact.denominator if isinstance(fact, Ratio) and fact.denominator else 1
        return tuple(Ratio(denominator=base, numerator=part) for part in (base, 0))
    return ()


def _step(
    compiled: Compiled, inputs: Inputs, before: tuple[Result, ...], code: str, fact: Fact
) -> Step:
    changed = msgspec.structs.replace(inputs, facts={**inputs.facts, code: fact})
    after = compiled.results(changed)
    return Step(
        code,
        *compiled.concluded(after),
        newly_met=tuple(_turned(before, after, MET)),
        newly_failed=tuple(_turned(before, after, NOT_MET)),
    )


def _turned(before: tuple[Result, ...], after: tuple[Result, ...], outcome: str) -> Iterator[str]:
    """Yield the criteria that have the outcome now and had another one."""
    for old, new in zip(walk(before), walk(after), strict=True):
        if new.outcome == outcome != old.outcome:
            yield new.id


def _rank(step: Step) -> tuple[bool, int, int, str]:
    return not step.completes, -len(step.newly_met), len(step.newly_failed), step.indicator
