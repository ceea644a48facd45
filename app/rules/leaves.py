"""Closures for criteria without children: presence, readings, a pack's check, report."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from app.rules.checks import in_order, measure
from app.rules.conditions import Catalogue, alternatives, asked, presence
from app.rules.errors import CheckFailed
from app.rules.facts import Given, Percent, Ratio, Recorded, bare
from app.rules.ruleset import Criterion
from app.rules.shares import Asked
from app.rules.thresholds import Judge, compile_threshold, known
from app.rules.verdict import Coverage, Inputs, Result
from app.rules.vocabulary import (
    AMBIGUOUS_TEXT,
    MET,
    MISSING_VALUE,
    NO_CRITERION,
    NOT_MET,
    ROUNDED_VALUE,
    UNDETERMINED,
)

Check = Callable[[Any, Any], bool]


def compile_leaf(criterion: Criterion, catalogue: Catalogue, checks: Mapping[str, Check]) -> Judge:
    """Return the closure that judges one criterion without children."""
    if criterion.no_criterion:
        return _report(criterion)
    if criterion.every_reading:
        return _readings(criterion, catalogue)
    if criterion.check:
        return _checked(criterion, checks[criterion.check], catalogue)
    if criterion.required is None:
        return _present(criterion, catalogue)
    return compile_threshold(criterion, criterion.required, catalogue)


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
            observed=known(inputs, codes),
            reasons=reasons,
        )

    return judge


def _checked(criterion: Criterion, check: Check, catalogue: Catalogue) -> Judge:
    """Judge by a pack's own check; it is never called when a value is missing or only rounded."""
    id_, code, name = criterion.id, str(criterion.indicator), str(criterion.check)
    may_exceed = catalogue[code].numerator_may_exceed_denominator

    def judge(inputs: Inputs) -> Result:
        given = inputs.facts.get(code)
        reason = _uncheckable(given, may_exceed)
        if reason:
            return Result(id=id_, outcome=UNDETERMINED, observed=given, reasons=(reason,))
        try:
            answer = check(_plain(given), copy.deepcopy(criterion.check_with or {}))
        except Exception as error:
            raise CheckFailed(id_, name) from error
        if type(answer) is not bool:
            raise CheckFailed(id_, name)
        return Result(id=id_, outcome=MET if answer else NOT_MET, observed=given)

    return judge


def _uncheckable(given: Given | None, may_exceed: bool) -> str | None:
    if given is None:
        return MISSING_VALUE
    if type(given) is Recorded and given.discounted:
        return given.discounted
    fact = bare(given)
    if type(fact) is Percent:
        return ROUNDED_VALUE
    return measure(fact, may_exceed)[3] or None if type(fact) is Ratio else None


def _plain(given: Given | None) -> Any:
    fact = bare(given)
    if type(fact) is Ratio:
        return {"numerator": fact.numerator, "denominator": fact.denominator}
    return list(fact) if type(fact) is tuple else fact


def _listed(given: Given | None, member: str) -> Given | None:
    """Return whether a list contains `member`, with the provenance of the list."""
    fact = bare(given)
    if not isinstance(fact, tuple):
        return None
    if isinstance(given, Recorded):
        return msgspec.structs.replace(given, fact=member in fact)
    return member in fact


def _report(criterion: Criterion) -> Judge:
    """Report a value without judging it: the document sets no threshold for it."""
    id_, code, member = criterion.id, str(criterion.indicator), criterion.contains

    def judge(inputs: Inputs) -> Result:
        given = inputs.facts.get(code)
        if member is not None:
            given = _listed(given, member)
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
