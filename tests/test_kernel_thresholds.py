"""Comparison with a threshold is exact: what meets it, what fails it, what cannot be told."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from strategies import (
    SMALL,
    cases_text,
    facts_of,
    indicators_text,
    judged,
    leaf,
    registry,
    required,
    result,
    rules,
    ruleset_text,
)

from app.rules.explain import explain
from app.rules.facts import LARGEST_COUNT, Recorded
from app.rules.registry import Registry

OPERATORS = (">=", ">", "=", "<", "<=")
# Facts that meet and that fail 85.5 %, for the cases that every pack must carry.
COVERS = {
    ">=": ("rate: 171/200", "rate: 170/200"),
    ">": ("rate: 172/200", "rate: 171/200"),
    "=": ("rate: 171/200", "rate: 170/200"),
    "<": ("rate: 170/200", "rate: 171/200"),
    "<=": ("rate: 171/200", "rate: 172/200"),
}
MET, NOT_MET, UNDETERMINED = "met", "not_met", "undetermined"


@functools.cache
def percent_rules(operator: str, may_exceed: bool = False) -> Registry:
    """Return one criterion `rate <operator> 85.5 %`; the share may exceed 100 % if told so."""
    more = "numerator_may_exceed_denominator: true" if may_exceed else ""
    return rules(
        indicators_text(rate=f"ratio,{more}"),
        ruleset_text(leaf("a", f"indicator: rate, {required(operator, 85.5)}")),
        cases_text({"a": COVERS[operator]}),
    )


@functools.cache
def count_rules(operator: str) -> Registry:
    """Return one criterion `many <operator> 3`."""
    cover = {">=": (3, 2), ">": (4, 3), "=": (3, 4), "<": (2, 3), "<=": (3, 4)}[operator]
    return rules(
        indicators_text(many="count"),
        ruleset_text(leaf("a", f"indicator: many, {required(operator, 3, 'count')}")),
        cases_text({"a": [f"many: {value}" for value in cover]}),
    )


def told(rules: Registry, facts: dict[str, Any]) -> tuple[str, tuple[str, ...]]:
    """Return outcome and reasons of the only criterion."""
    found = result(judged(facts, rules=rules), "a")
    return found.outcome, found.reasons


@pytest.mark.parametrize(
    ("fact", "expected"),
    [
        ("171/200", (MET, NOT_MET, MET, NOT_MET, MET)),
        ("342/400", (MET, NOT_MET, MET, NOT_MET, MET)),
        ("170/200", (NOT_MET, NOT_MET, NOT_MET, MET, MET)),
        ("172/200", (MET, MET, NOT_MET, NOT_MET, NOT_MET)),
        ("85499999/100000000", (NOT_MET, NOT_MET, NOT_MET, MET, MET)),
        ("85500001/100000000", (MET, MET, NOT_MET, NOT_MET, NOT_MET)),
        ("0/7", (NOT_MET, NOT_MET, NOT_MET, MET, MET)),
        ("7/7", (MET, MET, NOT_MET, NOT_MET, NOT_MET)),
    ],
)
def test_a_ratio_is_compared_exactly_by_every_operator(
    fact: str, expected: tuple[str, ...]
) -> None:
    assert tuple(told(percent_rules(one), {"rate": fact})[0] for one in OPERATORS) == expected


def test_the_largest_counts_are_compared_without_rounding() -> None:
    """One person in nine quadrillion decides; floating point would not see the difference."""
    needed = -(-LARGEST_COUNT * 855 // 1000)
    assert 100 * (needed - 1) / LARGEST_COUNT == 85.5  # in floating point
    assert told(percent_rules(">="), {"rate": f"{needed}/{LARGEST_COUNT}"})[0] == MET
    assert told(percent_rules(">="), {"rate": f"{needed - 1}/{LARGEST_COUNT}"})[0] == NOT_MET


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (2, (NOT_MET, NOT_MET, NOT_MET, MET, MET)),
        (3, (MET, NOT_MET, MET, NOT_MET, MET)),
        (4, (MET, MET, NOT_MET, NOT_MET, NOT_MET)),
        (0, (NOT_MET, NOT_MET, NOT_MET, MET, MET)),
        (LARGEST_COUNT, (MET, MET, NOT_MET, NOT_MET, NOT_MET)),
    ],
)
def test_a_count_is_compared_exactly_by_every_operator(
    count: int, expected: tuple[str, ...]
) -> None:
    assert tuple(told(count_rules(one), {"many": count})[0] for one in OPERATORS) == expected


@pytest.mark.parametrize(
    ("fact", "expected"),
    [
        # 85 % is anything from 84.5 to 85.5: its upper end is exactly the threshold.
        ("85%", (UNDETERMINED, NOT_MET, UNDETERMINED, UNDETERMINED, MET)),
        # 86 % is anything from 85.5 to 86.5: its lower end is exactly the threshold.
        ("86%", (MET, UNDETERMINED, UNDETERMINED, NOT_MET, UNDETERMINED)),
        ("85.5%", (UNDETERMINED,) * 5),
        ("85.500000%", (UNDETERMINED,) * 5),
        ("84%", (NOT_MET, NOT_MET, NOT_MET, MET, MET)),
        ("85.4%", (NOT_MET, NOT_MET, NOT_MET, MET, MET)),
        ("87%", (MET, MET, NOT_MET, NOT_MET, NOT_MET)),
        ("85.6%", (MET, MET, NOT_MET, NOT_MET, NOT_MET)),
        ("85.499999%", (NOT_MET, NOT_MET, NOT_MET, MET, MET)),
        ("85.500001%", (MET, MET, NOT_MET, NOT_MET, NOT_MET)),
    ],
)
def test_a_bare_percentage_is_half_a_unit_of_its_last_digit_either_way_ends_included(
    fact: str, expected: tuple[str, ...]
) -> None:
    found = [told(percent_rules(one), {"rate": fact}) for one in OPERATORS]
    assert tuple(outcome for outcome, _ in found) == expected
    for outcome, reasons in found:
        assert reasons == (("rounded_value",) if outcome == UNDETERMINED else ())


@functools.cache
def end_rules(operator: str, value: int, may_exceed: bool = False) -> Registry:
    """Return one criterion `rate <operator> 0 %` or `100 %`, where that can be met and failed."""
    more = "numerator_may_exceed_denominator: true" if may_exceed else ""
    met, failed = {
        ">=": ("rate: 1/1", "rate: 0/1"),
        "=": ("rate: 1/1", "rate: 0/1") if value else ("rate: 0/1", "rate: 1/1"),
        "<=": ("rate: 0/1", "rate: 1/1"),
        "<": ("rate: 0/1", "rate: 1/1"),
        ">": ("rate: 2/1", "rate: 1/1") if value else ("rate: 1/1", "rate: 0/1"),
    }[operator]
    return rules(
        indicators_text(rate=f"ratio,{more}"),
        ruleset_text(leaf("a", f"indicator: rate, {required(operator, value)}")),
        cases_text({"a": (met, failed)}),
    )


def test_a_bare_percentage_never_stands_for_less_than_0_or_more_than_100() -> None:
    """0 % is 0 to 0.5 and 100 % is 99.5 to 100: nobody can have more than all."""
    assert told(end_rules("<=", 0), {"rate": "0%"})[0] == UNDETERMINED
    assert told(end_rules("<", 100), {"rate": "100%"})[0] == UNDETERMINED
    assert told(end_rules(">=", 100), {"rate": "100%"})[0] == UNDETERMINED
    assert told(end_rules("=", 100), {"rate": "99%"})[0] == NOT_MET
    assert told(end_rules(">", 0), {"rate": "0%"})[0] == UNDETERMINED
    compiled = end_rules(">=", 100).entries[SMALL].compiled
    for fact, interval in (("0%", ["0", "0.5"]), ("100%", ["99.5", "100"])):
        judgement = judged({"rate": fact}, rules=end_rules(">=", 100))
        shown = explain(compiled, judgement, {})["criteria"][0]["observed"]
        assert (shown["interval"], shown["counts_known"]) == (interval, False)


def test_a_share_that_may_exceed_all_is_not_cut_off_at_100_percent() -> None:
    """Internet lines per household: 100 % then means 99.5 to 100.5, and 120 % is a value."""
    assert told(end_rules(">", 100, may_exceed=True), {"rate": "100%"})[0] == UNDETERMINED
    assert told(end_rules(">", 100, may_exceed=True), {"rate": "101%"})[0] == MET
    assert told(end_rules(">", 100, may_exceed=True), {"rate": "120%"})[0] == MET


def test_the_interval_shown_is_the_interval_judged() -> None:
    small = end_rules(">", 100, may_exceed=True)
    found = judged({"rate": "100%"}, rules=small)
    shown = explain(small.entries[SMALL].compiled, found, {})["criteria"][0]["observed"]
    assert shown["interval"] == ["99.5", "100.5"]


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("fact", ["0/0", "5/0"])
@pytest.mark.parametrize("may_exceed", [False, True])
def test_a_share_of_nobody_is_undetermined(operator: str, fact: str, may_exceed: bool) -> None:
    found = told(percent_rules(operator, may_exceed), {"rate": fact})
    assert found == (UNDETERMINED, ("denominator_zero",))


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("fact", ["3600/3500", "3501/3500"])
def test_a_part_greater_than_the_whole_is_undetermined_never_a_percentage(
    operator: str, fact: str
) -> None:
    found = told(percent_rules(operator), {"rate": fact})
    assert found == (UNDETERMINED, ("numerator_exceeds_denominator",))


def test_a_part_greater_than_the_whole_counts_where_the_indicator_allows_it() -> None:
    found = [told(percent_rules(one, may_exceed=True), {"rate": "3600/3500"}) for one in OPERATORS]
    assert [outcome for outcome, _ in found] == [MET, MET, NOT_MET, NOT_MET, NOT_MET]


def test_only_internet_lines_per_household_may_exceed_one_in_the_catalogue() -> None:
    found = [
        code for code, one in registry().indicators.items() if one.numerator_may_exceed_denominator
    ]
    assert found == ["internet_lines_per_household_rate"]


@pytest.mark.parametrize("operator", OPERATORS)
def test_a_missing_value_is_undetermined_for_every_operator(operator: str) -> None:
    assert told(percent_rules(operator), {}) == (UNDETERMINED, ("missing_value",))
    assert told(count_rules(operator), {}) == (UNDETERMINED, ("missing_value",))


@pytest.mark.parametrize("reason", ["value_outdated", "value_not_approved"])
@pytest.mark.parametrize("value", [True, False])
def test_a_value_that_does_not_count_is_shown_and_leaves_the_criterion_undetermined(
    reason: str, value: bool
) -> None:
    given = Recorded(value, period="2019", source="báo cáo", status="draft", discounted=reason)
    judgement = judged({"modern_electronic_one_stop": given}, "phutho.commune")
    found = result(judgement, "phutho.1.2.2")
    assert (found.outcome, found.reasons) == (UNDETERMINED, (reason,))
    shown = _shown("phutho.commune", judgement, "phutho.1.2.2")
    assert shown == {
        "value": value,
        "period": "2019",
        "source": "báo cáo",
        "status": "draft",
        "value_id": None,
    }


@pytest.mark.parametrize("fact", ["99/100", "1/100", "99%", "0/0"])
@pytest.mark.parametrize("reason", ["value_outdated", "value_not_approved"])
def test_a_share_that_does_not_count_never_decides(fact: str, reason: str) -> None:
    raw = facts_of(registry().indicators, {"adults_smartphone_internet_rate": fact})
    given = Recorded(raw["adults_smartphone_internet_rate"], discounted=reason)  # type: ignore[arg-type]
    judgement = judged({"adults_smartphone_internet_rate": given}, "phutho.commune")
    assert result(judgement, "phutho.1.1.1").reasons == (reason,)


def test_provenance_changes_no_outcome() -> None:
    """A recorded value that counts is judged as the bare value is."""
    for fact, outcome in ((True, MET), (False, NOT_MET)):
        given = Recorded(fact, period="2024", source="báo cáo", status="approved")
        judgement = judged({"modern_electronic_one_stop": given}, "phutho.commune")
        assert result(judgement, "phutho.1.2.2").outcome == outcome


@pytest.mark.parametrize(
    ("operator", "fact", "gap"),
    [
        (">=", "8499/10000", 51),  # ceil(85.5 % of 10,000) = 8,550
        (">=", "170/200", 1),
        (">=", "0/7", 6),  # ceil(5.985)
        (">=", "0/1", 1),
        (">=", "171/200", None),
        (">", "171/200", 1),  # exactly on the threshold is one short of "more than"
        (">", "0/7", 6),
        ("=", "170/200", 1),
        ("=", "172/200", None),  # there is nothing to add to a value that is too great
        ("<", "172/200", None),
        ("<=", "172/200", None),
        (">=", "84%", None),  # the counts are not known
        (">=", "0/0", None),
    ],
)
def test_the_gap_is_how_many_more_the_threshold_takes(
    operator: str, fact: str, gap: int | None
) -> None:
    assert result(judged({"rate": fact}, rules=percent_rules(operator)), "a").gap == gap


@pytest.mark.parametrize(
    ("operator", "count", "gap"),
    [(">=", 1, 2), (">", 3, 1), (">", 1, 3), ("=", 0, 3), (">=", 3, None)],
)
def test_the_gap_of_a_count_is_what_is_missing_from_it(
    operator: str, count: int, gap: int | None
) -> None:
    assert result(judged({"many": count}, rules=count_rules(operator)), "a").gap == gap


def test_the_gap_says_of_what_in_the_words_of_the_numerator() -> None:
    judgement = judged({"adults_smartphone_internet_rate": "3250/4000"}, "phutho.commune")
    compiled = registry().entries["phutho.commune"].compiled
    shown = explain(compiled, judgement, {})["criteria"][0]["criteria"][0]
    assert shown["gap"]["more"] == 150
    numerator = registry().indicators["adults_smartphone_internet_rate"].numerator
    assert numerator is not None
    assert shown["gap"]["of"] == numerator.vi


@pytest.mark.parametrize(
    ("criterion", "code", "fact", "percent"),
    [
        (
            "phutho.1.3.2",
            "registered_service_business_online_payment_rate",
            "13999/20000",
            "69.99",
        ),
        (
            "phutho.1.1.2",
            "commune_hamlet_cadres_smartphone_internet_rate",
            "99999/100000",
            "99.99",
        ),
        ("phutho.1.1.1", "adults_smartphone_internet_rate", "8499/10000", "84.99"),
        ("phutho.1.1.1", "adults_smartphone_internet_rate", "3400/4000", "85.00"),
        ("phutho.1.1.1", "adults_smartphone_internet_rate", "2/3", "66.67"),
    ],
)
def test_a_displayed_percentage_never_rounds_across_its_threshold(
    criterion: str, code: str, fact: str, percent: str
) -> None:
    judgement = judged({code: fact}, "phutho.commune")
    assert _shown("phutho.commune", judgement, criterion)["percent"] == percent


def test_a_threshold_with_more_decimals_is_displayed_with_as_many() -> None:
    small = rules(
        indicators_text(rate="ratio"),
        ruleset_text(leaf("a", f"indicator: rate, {required('>=', '33.3333')}")),
        cases_text({"a": ("rate: 1/3", "rate: 333332/1000000")}),
    )
    found = judged({"rate": "333332999/1000000000"}, rules=small)
    shown = explain(small.entries[SMALL].compiled, found, {})["criteria"][0]
    assert (shown["outcome"], shown["observed"]["percent"]) == (NOT_MET, "33.3332")
    assert shown["required"]["value"] == "33.3333"


def _shown(ruleset: str, judgement: Any, criterion: str) -> dict[str, Any]:
    """Return the observed part of one criterion of the verdict document."""
    waiting = explain(registry().entries[ruleset].compiled, judgement, {})["criteria"]
    while waiting:
        one = waiting.pop()
        if one["id"] == criterion:
            observed: dict[str, Any] = one["observed"]
            return observed
        waiting.extend(one["criteria"])
    raise AssertionError(criterion)
