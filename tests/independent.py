"""A second evaluator, written from the rules in plain fractions, to compare the kernel with.

It shares no code with the kernel's arithmetic or logic: it reads only the models of the pack
format and the facts. A criterion that is judged is a number from 0 (not met) to 2 (met), 1 being
undetermined, so that AND is the smallest and OR the greatest; `None` means "left out". What a
value can be is a pair of fractions; what it is compared with decides which answers are possible.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from fractions import Fraction

from app.rules.facts import Given, Percent, Ratio, Recorded
from app.rules.indicators import Condition, Indicator, Share
from app.rules.ruleset import Criterion, Ruleset
from app.rules.verdict import Inputs, Member

Catalogue = Mapping[str, Indicator]
# The least and the greatest that a value can be; None where nothing bounds it from above.
Span = tuple[Fraction, Fraction | None]

NO, PERHAPS, YES = 0, 1, 2
WORDS = {NO: "not_met", PERHAPS: "undetermined", YES: "met"}
END_OF_DISTRICTS = datetime.date(2025, 7, 1)


def outcomes(ruleset: Ruleset, catalogue: Catalogue, inputs: Inputs) -> dict[str, str]:
    """Return the outcome of every criterion by id, and `overall` (and `all_items`)."""
    judge = _Judge(catalogue, inputs)
    found: dict[str, str] = {}
    marks = [judge.criterion(one, found) for one in ruleset.criteria]
    judged = [mark for mark in marks if mark is not None]
    whole = WORDS[min(judged)] if judged else "no_criterion"
    if _outside(ruleset, inputs):
        found = dict.fromkeys(found, "not_applicable")
        whole = "not_applicable"
    if ruleset.overall == "none":
        return {**found, "overall": "no_overall_rule", "all_items": whole}
    return {**found, "overall": whole}


def _outside(ruleset: Ruleset, inputs: Inputs) -> bool:
    """Tell whether the centre had chosen the commune for the pilot of this model by that day."""
    if ruleset.exemption is None:
        return False
    chosen = [
        (one.model, one.decision)
        for one in inputs.designations
        if one.date is None or not one.date > inputs.as_of
    ]
    return any((ruleset.exemption.model, one) in chosen for one in ruleset.exemption.decisions)


class _Judge:
    def __init__(self, catalogue: Catalogue, inputs: Inputs) -> None:
        self.catalogue = catalogue
        self.inputs = inputs

    def criterion(self, criterion: Criterion, found: dict[str, str]) -> int | None:
        if criterion.criteria:
            marks = [self.criterion(child, found) for child in criterion.criteria]
            judged = [mark for mark in marks if mark is not None]
            fold = max if criterion.combine == "any" else min
            mark = fold(judged) if judged and criterion.combine else None
        else:
            mark = None if criterion.no_criterion else self.leaf(criterion)
        found[criterion.id] = "no_criterion" if mark is None else WORDS[mark]
        return mark

    def leaf(self, criterion: Criterion) -> int:
        if criterion.every_reading:
            marks = {self.condition(one.condition) for one in criterion.every_reading}
            return marks.pop() if len(marks) == 1 else PERHAPS
        if criterion.required is None:
            return present(self.inputs.facts.get(str(criterion.indicator)), criterion.contains)
        goals = [criterion.required.value]
        if criterion.required.branches:
            goals = [
                criterion.required.branches[number].value for number in self.branches(criterion)
            ]
        marks = {
            self.against(criterion, criterion.required.operator, Fraction(goal))
            for goal in goals
            if goal is not None
        }
        return marks.pop() if len(marks) == 1 else PERHAPS

    def against(self, asked: Criterion | Condition, operator: str, goal: Fraction) -> int:
        """Compare what is asked for with a threshold."""
        if asked.sum:
            return compared(operator, self.total(asked.sum), goal)
        return self.value_against(str(asked.indicator), operator, goal)

    def branches(self, criterion: Criterion) -> list[int]:
        """Return which of the two thresholds can be the one that applies."""
        assert criterion.required is not None
        classes = [
            self.inputs.attributes.get(code) for code in criterion.required.branches[0].when_any
        ]
        if any(classes):
            return [0]
        return [1] if all(one is False for one in classes) else [0, 1]

    def value_against(self, code: str, operator: str, goal: Fraction) -> int:
        """Compare a value: a share over members by the members first, then as it was stated."""
        indicator = self.catalogue[code]
        if indicator.derived is not None:
            mark = compared(operator, self.share(indicator.derived), goal)
            if mark != PERHAPS:
                return mark
        span = span_of(self.inputs.facts.get(code), indicator.numerator_may_exceed_denominator)
        return compared(operator, span, goal)

    def total(self, codes: tuple[str, ...]) -> Span:
        """Return what a sum of counts can be: an unknown count is any number from 0 up."""
        spans = [span_of(self.inputs.facts.get(code)) for code in codes]
        known = sum((span[0] for span in spans if span is not None), Fraction(0))
        return known, None if None in spans else known

    def share(self, share: Share) -> Span | None:
        """Return what a share over the members can be, in percent."""
        end = self.inputs.period_end
        day = self.inputs.as_of if end is None or end > self.inputs.as_of else end
        if day >= END_OF_DISTRICTS and "district" in {group.level for group in share.of}:
            return None
        marks = [self.of_member(share.holds, one) for one in self.counted(share)]
        if not marks:
            return None
        whole = len(marks)
        least, most = marks.count(YES), whole - marks.count(NO)
        return Fraction(100 * least, whole), Fraction(100 * most, whole)

    def counted(self, share: Share) -> Iterator[Member]:
        for one in self.inputs.members or ():
            kind = one.type or ("xa" if one.level == "commune" else None)
            for group in share.of:
                if group.level == one.level and (not group.types or kind in group.types):
                    yield one
                    break

    def of_member(self, condition: Condition, member: Member) -> int:
        return _Judge(self.catalogue, Inputs(DAY, member.level, facts=member.facts)).condition(
            condition
        )

    def condition(self, condition: Condition) -> int:
        if condition.all:
            return min(self.condition(part) for part in condition.all)
        if condition.any:
            return max(self.condition(part) for part in condition.any)
        if condition.at_least is None:
            return present(self.inputs.facts.get(str(condition.indicator)), condition.contains)
        goal = Fraction(condition.at_least)
        if condition.share:
            return compared(">=", self.share(condition.share), goal)
        return self.against(condition, ">=", goal)


DAY = datetime.date(2024, 12, 31)  # a member's own facts do not depend on a day


def fact_of(given: Given | None) -> Given | None:
    """Return the fact that counts: none where the value is outdated or not approved."""
    if isinstance(given, Recorded):
        return None if given.discounted else given.fact
    return given


def present(given: Given | None, code: str | None) -> int:
    """Answer a plain question: is it so, is there any, is `code` among them."""
    fact = fact_of(given)
    if fact is None:
        return PERHAPS
    if isinstance(fact, tuple):
        return YES if (code in fact if code else len(fact) > 0) else NO
    return YES if fact is True else NO


def span_of(given: Given | None, may_exceed: bool = False) -> Span | None:
    """Return what a value can be: shares in percent, counts as they are; None for no value."""
    fact = fact_of(given)
    if isinstance(fact, Ratio):
        if fact.denominator == 0 or (fact.numerator > fact.denominator and not may_exceed):
            return None
        exact = Fraction(fact.numerator, fact.denominator) * 100
        return exact, exact
    if isinstance(fact, Percent):
        decimals = len(fact.percent.partition(".")[2])
        half = Fraction(1, 2 * 10**decimals)
        least, most = Fraction(fact.percent) - half, Fraction(fact.percent) + half
        return max(least, Fraction(0)), most if may_exceed else min(most, Fraction(100))
    return (Fraction(fact), Fraction(fact)) if isinstance(fact, int) else None


def compared(operator: str, span: Span | None, goal: Fraction) -> int:
    """Say whether all, none or some of what a value can be satisfies the threshold."""
    if span is None:
        return PERHAPS
    least, most = span
    below = least < goal
    equal = least <= goal and (most is None or goal <= most)
    above = most is None or most > goal
    satisfied = {
        ">=": equal or above,
        ">": above,
        "=": equal,
        "<": below,
        "<=": below or equal,
    }[operator]
    violated = {
        ">=": below,
        ">": below or equal,
        "=": below or above,
        "<": equal or above,
        "<=": above,
    }[operator]
    return PERHAPS if satisfied and violated else YES if satisfied else NO
