"""Closures for criteria without children: presence, threshold, sum, readings, check, report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from app.rules.checks import (
    Finding,
    Measure,
    comparison,
    exactly,
    in_order,
    measure,
    weigh,
    whole,
)
from app.rules.conditions import Asked, Catalogue, asked, observer, presence, sum_of
from app.rules.errors import CheckFailed
from app.rules.facts import Given, Percent, Ratio, Recorded, bare
from app.rules.ruleset import Criterion, Required
from app.rules.verdict import Coverage, Inputs, Members, Result
from app.rules.vocabulary import (
    AMBIGUOUS_TEXT,
    ATTRIBUTE_MISSING,
    MET,
    MISSING_VALUE,
    NO_CRITERION,
    NOT_MET,
    ROUNDED_VALUE,
    UNDETERMINED,
)

Judge = Callable[[Inputs], Result]
Check = Callable[[Any, Any], bool]


def compile_leaf(criterion: Criterion, catalogue: Catalogue, checks: Mapping[str, Check]) -> Judge:
    """Return the closure that judges one criterion without children."""
    if criterion.no_criterion:
        return _report(criterion)
    if criterion.every_reading:
        return _readings(criterion, catalogue)
    if criterion.check:
        return _checked(criterion, checks[criterion.check])
    if criterion.required is None:
        return _present(criterion, catalogue)
    if criterion.required.branches:
        return _branched(criterion, criterion.required, catalogue)
    return _threshold(criterion, criterion.required, catalogue)


def alternatives(
    criterion: Criterion, catalogue: Catalogue
) -> Callable[[Inputs], tuple[str, ...]] | None:
    """Return a function that gives the outcome of each alternative reading, if there is any."""
    if not criterion.reading or not criterion.reading.alternatives:
        return None
    questions = [asked(one.condition, catalogue) for one in criterion.reading.alternatives]
    return lambda inputs: tuple([ask(inputs.facts, inputs)[0] for ask in questions])


def _present(criterion: Criterion, catalogue: Catalogue) -> Judge:
    id_, code, member = criterion.id, str(criterion.indicator), criterion.contains
    weigh_readings = alternatives(criterion, catalogue)
    # What a plain yes, no or nothing leads to never changes: shared between all evaluations.
    shared = {
        True: Result(id=id_, outcome=MET, observed=True),
        False: Result(id=id_, outcome=NOT_MET, observed=False),
        None: Result(id=id_, outcome=UNDETERMINED, reasons=(MISSING_VALUE,)),
    }

    def judge(inputs: Inputs) -> Result:
        given = inputs.facts.get(code)
        if (given is None or type(given) is bool) and not weigh_readings:
            return shared[given]
        outcome, reasons = presence(given, member)
        readings = weigh_readings(inputs) if weigh_readings else ()
        return Result(
            id=id_, outcome=outcome, alternatives=readings, observed=given, reasons=reasons
        )

    return judge


def _threshold(criterion: Criterion, required: Required, catalogue: Catalogue) -> Judge:
    id_ = criterion.id
    assert required.value is not None
    compare = comparison(required.operator, required.value)
    missing_by = _gap(required, 0)
    observe = _observe(criterion, catalogue)
    weigh_readings = alternatives(criterion, catalogue)

    def judge(inputs: Inputs) -> Result:
        observed, measured, members = observe(inputs)
        outcome, reasons = weigh(compare, measured)
        return Result(
            id=id_,
            outcome=outcome,
            alternatives=weigh_readings(inputs) if weigh_readings else (),
            gap=missing_by(measured) if outcome is NOT_MET else None,
            members=members,
            observed=observed,
            reasons=reasons,
        )

    simple = required.unit == "percent" and not (weigh_readings or criterion.sum)
    if not simple or catalogue[str(criterion.indicator)].derived:
        return judge
    return _met_at_once(id_, str(criterion.indicator), required, judge)


def _met_at_once(id_: str, code: str, required: Required, otherwise: Judge) -> Judge:
    """Return a judge that takes no detour for a share with known counts that meets its threshold.

    Batches are full of those; everything else goes to `otherwise`.
    """
    assert required.value is not None
    holds, factor, goal = exactly(required.operator, required.value)

    def judge(inputs: Inputs) -> Result:
        fact = inputs.facts.get(code)
        if type(fact) is Ratio:
            part, base = fact.numerator, fact.denominator
            if 0 < base >= part and holds(part * factor, goal * base):
                return Result(id_, MET, observed=fact)
        return otherwise(inputs)

    return judge


def _branched(criterion: Criterion, required: Required, catalogue: Catalogue) -> Judge:
    """Judge a threshold that depends on the area class; unknown class: decide if both agree."""
    id_, attributes = criterion.id, required.branches[0].when_any
    compares = [comparison(required.operator, branch.value) for branch in required.branches]
    missing_by = [_gap(required, index) for index in range(len(compares))]
    observe = _observe(criterion, catalogue)
    weigh_readings = alternatives(criterion, catalogue)

    def judge(inputs: Inputs) -> Result:
        observed, measured, members = observe(inputs)
        branch = _branch(inputs.attributes, attributes)
        if branch is None:
            outcome, reasons = _undecided_branch([weigh(one, measured) for one in compares])
        else:
            outcome, reasons = weigh(compares[branch], measured)
        failed = outcome is NOT_MET and branch is not None
        return Result(
            id=id_,
            outcome=outcome,
            alternatives=weigh_readings(inputs) if weigh_readings else (),
            branch=branch,
            gap=missing_by[branch](measured) if failed and branch is not None else None,
            members=members,
            observed=observed,
            reasons=reasons,
        )

    return judge


def _branch(known: Mapping[str, bool], attributes: tuple[str, ...]) -> int | None:
    values = [known.get(attribute) for attribute in attributes]
    if True in values:
        return 0
    return None if None in values else 1


def _undecided_branch(findings: list[Finding]) -> Finding:
    outcomes = {finding[0] for finding in findings}
    if len(outcomes) == 1 and UNDETERMINED not in outcomes:
        return outcomes.pop(), ()
    reasons = {reason for finding in findings for reason in finding[1]}
    # Where every branch fails for want of a value, the class would not help.
    differ = len(outcomes) > 1
    return UNDETERMINED, in_order(reasons | {ATTRIBUTE_MISSING} if differ else reasons)


def _observe(
    criterion: Criterion, catalogue: Catalogue
) -> Callable[[Inputs], tuple[Given | dict[str, Given] | None, Measure, Members | None]]:
    if criterion.sum:
        codes, total = criterion.sum, sum_of(criterion.sum)
        return lambda inputs: (_known(inputs, codes), total(inputs.facts), None)
    observe = observer(str(criterion.indicator), catalogue)
    return lambda inputs: observe(inputs.facts, inputs)


def _known(inputs: Inputs, codes: tuple[str, ...]) -> dict[str, Given] | None:
    return {code: inputs.facts[code] for code in codes if code in inputs.facts} or None


def _gap(required: Required, branch: int) -> Callable[[Measure], int | None]:
    """Return how many more of the numerator a failing measure needs; None where that is unknown.

    For a ratio `ceil(threshold * denominator) - numerator`; only where the counts are known and
    the threshold is a lower bound (or an exact one not reached).
    """
    value = required.branches[branch].value if required.branches else required.value
    assert value is not None
    goal, unit = whole(value)
    parts = 100 if required.unit == "percent" else 1
    strictly = required.operator == ">"

    def more(measured: Measure) -> int | None:
        low, high, scale, _ = measured
        if low != high or required.operator in ("<", "<="):
            return None
        needed = (
            goal * scale // (unit * parts) + 1 if strictly else -(-goal * scale // (unit * parts))
        )
        gap = needed - low // parts
        return gap if gap > 0 else None

    return more


def _readings(criterion: Criterion, catalogue: Catalogue) -> Judge:
    """Judge a clause with several readings: decided only when all of them agree."""
    id_ = criterion.id
    questions: list[Asked] = [asked(one.condition, catalogue) for one in criterion.every_reading]
    codes = tuple(
        sorted({code for one in criterion.every_reading for code in one.condition.codes()})
    )

    def judge(inputs: Inputs) -> Result:
        findings = [ask(inputs.facts, inputs) for ask in questions]
        outcomes = tuple([finding[0] for finding in findings])
        reasons = in_order(reason for finding in findings for reason in finding[1])
        agreed = len(set(outcomes)) == 1
        if not agreed and not reasons:
            reasons = (AMBIGUOUS_TEXT,)
        return Result(
            id=id_,
            outcome=outcomes[0] if agreed else UNDETERMINED,
            alternatives=outcomes,
            observed=_known(inputs, codes),
            reasons=reasons,
        )

    return judge


def _checked(criterion: Criterion, check: Check) -> Judge:
    """Judge by a pack's own check; it is never called when a value is missing or only rounded."""
    id_, code, name = criterion.id, str(criterion.indicator), str(criterion.check)
    required = criterion.check_with or {}

    def judge(inputs: Inputs) -> Result:
        given = inputs.facts.get(code)
        reason = _uncheckable(given)
        if reason:
            return Result(id=id_, outcome=UNDETERMINED, observed=given, reasons=(reason,))
        try:
            answer = check(_plain(given), required)
        except Exception as error:
            raise CheckFailed(id_, name) from error
        if type(answer) is not bool:
            raise CheckFailed(id_, name)
        return Result(id=id_, outcome=MET if answer else NOT_MET, observed=given)

    return judge


def _uncheckable(given: Given | None) -> str | None:
    if given is None:
        return MISSING_VALUE
    if type(given) is Recorded and given.discounted:
        return given.discounted
    fact = bare(given)
    if type(fact) is Percent:
        return ROUNDED_VALUE
    return measure(fact)[3] or None if type(fact) is Ratio else None


def _plain(given: Given | None) -> Any:
    fact = bare(given)
    if type(fact) is Ratio:
        return {"numerator": fact.numerator, "denominator": fact.denominator}
    return list(fact) if type(fact) is tuple else fact


def _report(criterion: Criterion) -> Judge:
    """Report a value without judging it: the document sets no threshold for it."""
    id_, code, member = criterion.id, str(criterion.indicator), criterion.contains

    def judge(inputs: Inputs) -> Result:
        given = inputs.facts.get(code)
        if member is not None and given is not None:
            outcome, _ = presence(given, member)
            given = None if outcome == UNDETERMINED else outcome == MET
        discounted = given.discounted if type(given) is Recorded else None
        reported = given is not None and not discounted
        return Result(
            id=id_,
            outcome=NO_CRITERION,
            coverage=Coverage(
                items=1, present=int(reported and bare(given) is True), reported=int(reported)
            ),
            observed=given,
            reasons=(discounted,) if discounted else (),
        )

    return judge
