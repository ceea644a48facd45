"""A pack's own check judges values that are there; it can fail, it cannot make a verdict up."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from strategies import (
    cases_text,
    faults_of,
    indicators_text,
    judged,
    leaf,
    pack,
    result,
    rules,
    ruleset_text,
)

from app.rules.errors import CheckFailed
from app.rules.facts import Percent, Recorded
from app.rules.registry import Registry

Check = Callable[[Any, Any], bool]


class Spy:
    """A check that notes what it is called with and answers from a table."""

    def __init__(self, answer: Callable[[Any, Any], Any]) -> None:
        self.answer = answer
        self.calls: list[tuple[Any, Any]] = []

    def __call__(self, observed: Any, required: Any) -> Any:
        self.calls.append((observed, required))
        return self.answer(observed, required)


def checked(kind: str, check: Check, met: str, failed: str, more: str = "") -> Registry:
    """Return one criterion that a check of the pack judges."""
    return rules(*texts(kind, met, failed, more), checks={"mine": check})


def texts(kind: str, met: str, failed: str, more: str = "") -> tuple[str, ...]:
    """Return the files of a pack with one criterion that a check judges."""
    return (
        indicators_text(seen=kind),
        ruleset_text(leaf("a", f"indicator: seen, check: mine{more}")),
        cases_text({"a": [f"seen: {met}", f"seen: {failed}"]}),
    )


@pytest.mark.parametrize(
    ("kind", "met", "failed", "plain"),
    [
        ("count", "4", "3", 4),
        ("boolean", "true", "false", True),
        ("set", "[a, b]", "[a]", ["a", "b"]),
        ("ratio", "2/4", "3/4", {"numerator": 2, "denominator": 4}),
    ],
)
def test_a_check_decides_and_sees_plain_data(kind: str, met: str, failed: str, plain: Any) -> None:
    """A count as an int, a set as a list, a ratio as its two counts, a yes as True."""
    spy = Spy(lambda observed, _required: observed == plain)
    found = checked(kind, spy, met, failed)
    spy.calls.clear()
    assert result(judged({"seen": plain}, rules=found), "a").outcome == "met"
    assert spy.calls == [(plain, {})]
    assert type(spy.calls[0][0]) is type(plain)


def test_a_check_is_given_what_the_criterion_says() -> None:
    """`check_with` as data; numbers with a point arrive exactly."""
    spy = Spy(lambda observed, required: observed >= required["least"])
    checked("count", spy, "2", "1", ", check_with: {least: 1.10, words: [x]}")
    assert spy.calls
    assert {str(required) for _, required in spy.calls} == {
        str({"least": Decimal("1.10"), "words": ["x"]})
    }
    bare = Spy(lambda observed, required: observed > len(required))
    checked("count", bare, "1", "0")
    assert [required for _, required in bare.calls] == [{}, {}]


@pytest.mark.parametrize(
    ("kind", "value", "reason"),
    [
        ("count", None, "missing_value"),
        ("count", Recorded(4, discounted="value_outdated"), "value_outdated"),
        ("boolean", Recorded(True, discounted="value_not_approved"), "value_not_approved"),
        ("ratio", {"percent": "50"}, "rounded_value"),
        ("ratio", Recorded(Percent("50"), period="2024"), "rounded_value"),
        ("ratio", {"numerator": 0, "denominator": 0}, "denominator_zero"),
        ("ratio", {"numerator": 5, "denominator": 4}, "numerator_exceeds_denominator"),
    ],
)
def test_a_check_is_never_called_without_a_usable_value(kind: str, value: Any, reason: str) -> None:
    """Missing, outdated, not approved, only rounded, or no ratio at all: undetermined."""
    spy = Spy(lambda observed, _required: observed in (1, True, {"numerator": 1, "denominator": 1}))
    met, failed = {"count": ("1", "0"), "boolean": ("true", "false"), "ratio": ("1/1", "0/1")}[kind]
    found = checked(kind, spy, met, failed)
    spy.calls.clear()
    facts = {} if value is None else {"seen": value}
    one = result(judged(facts, rules=found), "a")
    assert (one.outcome, one.reasons) == ("undetermined", (reason,))
    assert spy.calls == []


def test_a_recorded_value_that_counts_reaches_the_check_as_plain_data() -> None:
    spy = Spy(lambda observed, _required: observed == 1)
    found = checked("count", spy, "1", "0")
    spy.calls.clear()
    given = Recorded(1, period="2024", source="báo cáo")
    assert result(judged({"seen": given}, rules=found), "a").outcome == "met"
    assert spy.calls == [(1, {})]


def test_a_share_that_may_exceed_all_reaches_the_check_when_it_does() -> None:
    """Where the part may exceed the whole, such a value is not missing."""
    spy = Spy(lambda observed, _required: observed["numerator"] > observed["denominator"])
    found = rules(
        indicators_text(seen="ratio,numerator_may_exceed_denominator: true"),
        ruleset_text(leaf("a", "indicator: seen, check: mine")),
        cases_text({"a": ["seen: 5/4", "seen: 3/4"]}),
        checks={"mine": spy},
    )
    assert result(judged({"seen": "5/4"}, rules=found), "a").outcome == "met"


def broken(answer: Any) -> Check:
    """Return a check that behaves in its cases and goes wrong on 7."""

    def check(observed: Any, _required: Any) -> Any:
        if observed == 7:
            if isinstance(answer, Exception):
                raise answer
            return answer
        return observed == 1

    return check


WRONG = [1, 0, None, "met", (), Decimal(1), ValueError("no"), ZeroDivisionError(),
         RecursionError(), CheckFailed("x", "y")]  # fmt: skip


@pytest.mark.parametrize("answer", WRONG, ids=repr)
def test_a_check_that_raises_or_answers_no_bool_makes_an_error_never_a_verdict(answer: Any) -> None:
    found = checked("count", broken(answer), "1", "0")
    assert result(judged({"seen": 1}, rules=found), "a").outcome == "met"
    with pytest.raises(CheckFailed) as error:
        judged({"seen": 7}, rules=found)
    assert (error.value.criterion, error.value.check) == ("a", "mine")


@pytest.mark.parametrize("answer", [1, ValueError("no")], ids=repr)
def test_a_check_that_fails_in_a_worked_case_refuses_the_pack(answer: Any) -> None:
    cases = cases_text({"a": ["seen: 7", "seen: 0"]})
    files = (*texts("count", "1", "0")[:2], cases)
    found = faults_of(pack(*files, checks={"mine": broken(answer)}))
    failed = [one for one in found if one.code == "check-failed"]
    assert [(one.file, one.line, one.place) for one in failed] == [("thu/3.yaml", 2, "a met")]
    assert "no" not in failed[0].message.vi.split()  # what the check says stays inside


def test_a_check_that_changes_what_it_is_given_changes_nothing() -> None:
    """Neither the facts of the unit nor what the criterion says."""

    def greedy(observed: Any, required: Any) -> bool:
        enough: bool = len(observed) >= required["least"]
        observed.clear()
        required["least"] = 0
        return enough

    found = checked("set", greedy, "[a, b]", "[a]", ", check_with: {least: 2}")
    for _ in range(2):
        one = result(judged({"seen": ["a"]}, rules=found), "a")
        assert one.outcome == "not_met"
        assert one.observed == ("a",)


def test_a_value_that_a_check_reads_is_used() -> None:
    found = checked("count", broken(1), "1", "0")
    assert judged({"seen": 1}, rules=found).unused_facts == ()
    assert result(judged({"seen": 1}, rules=found), "a").observed == 1
