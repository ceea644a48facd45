"""Which criteria differ between two judgements, and why: each difference has its cause."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import (
    DAY,
    DISTRICTS_ENDED,
    EXEMPTING,
    RULESETS,
    SMALL,
    cases_text,
    entry,
    group,
    indicators_text,
    inputs,
    judged,
    leaf,
    member,
    required,
    rules,
    ruleset_text,
)

from app.rules.casework import outcomes
from app.rules.comparison import CAUSE_LABELS, CAUSES, CriterionDifference, Side, compare
from app.rules.facts import Ratio, Recorded
from app.rules.registry import Registry
from app.rules.verdict import Designation, Inputs

SMART = "bnn3445.selection.smart"
BRANCHED = "bnn3445.selection.smart.5"  # 50 % in mountainous areas and on islands, else 80 %
many = settings(max_examples=100, deadline=None)


def side(ruleset: str, inputs: Inputs) -> Side:
    """Return the judgement of inputs by a built-in ruleset."""
    compiled = entry(ruleset).compiled
    return Side(compiled, compiled.evaluate(inputs))


def told(facts: dict[str, Any], ruleset: str = SMALL, rules: Registry | None = None,
         **more: Any) -> Side:  # fmt: skip
    """Return the judgement of compactly written facts."""
    found = entry(ruleset) if rules is None else rules.entries[ruleset]
    return Side(found.compiled, judged(facts, ruleset, rules, **more))


def causes(one: Side, other: Side) -> dict[str, tuple[str, ...]]:
    """Return the causes by criterion; they are the same the other way round."""
    found = {difference.id: difference.causes for difference in compare(one, other)}
    assert found == {difference.id: difference.causes for difference in compare(other, one)}
    return found


# --- laws -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("ruleset", RULESETS)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_differences_have_causes_and_nothing_else_differs(
    ruleset: str, data: st.DataObject
) -> None:
    """In order, each once; a judgement differs nowhere from itself."""
    one, other = (side(ruleset, data.draw(inputs(ruleset))) for _ in range(2))
    assert compare(one, one) == ()
    found = causes(one, other)
    for named in found.values():
        assert named
        assert named == tuple(cause for cause in CAUSES if cause in named)
        assert "ruleset" not in named
        assert "threshold" not in named
    ours, theirs = outcomes(one.judgement), outcomes(other.judgement)
    ids = [criterion.id for criterion in entry(ruleset).ruleset.walk()]
    assert list(found) == [id_ for id_ in ids if id_ in found]
    assert {id_ for id_ in ids if ours[id_] != theirs[id_]} <= set(found)


@many
@given(st.sampled_from(RULESETS), st.sampled_from(RULESETS), st.data())
def test_two_rulesets_differ_in_every_criterion_that_only_one_has(
    first: str, second: str, data: st.DataObject
) -> None:
    """No built-in criterion is in two of them; those of the first come first."""
    one, other = side(first, data.draw(inputs(first))), side(second, data.draw(inputs(second)))
    if first != second:
        ids = [criterion.id for id_ in (first, second) for criterion in entry(id_).ruleset.walk()]
        assert causes(one, other) == dict.fromkeys(ids, ("ruleset",))
        assert [found.id for found in compare(one, other)] == ids


def test_every_cause_has_its_words_in_both_languages() -> None:
    assert CAUSES == (
        "value", "members", "threshold", "branch", "exemption", "day", "ruleset", "criteria",
    )  # fmt: skip
    assert set(CAUSE_LABELS) == set(CAUSES)
    assert all(label.vi and label.en for label in CAUSE_LABELS.values())
    assert len({label.vi for label in CAUSE_LABELS.values()}) == len(CAUSES)


# --- values ---------------------------------------------------------------------------------------


def rate(value: Any) -> Side:
    """Return the judgement of one share by Phú Thọ's criteria."""
    return told({"adults_smartphone_internet_rate": value}, "phutho.commune")


def test_another_value_is_a_cause_of_the_criterion_and_of_its_group() -> None:
    found = causes(rate("85/100"), rate("84/100"))
    assert found == {"phutho.1.1": ("criteria",), "phutho.1.1.1": ("value",)}


def test_another_value_with_the_same_outcome_is_a_difference() -> None:
    assert causes(rate("85/100"), rate("86/100")) == {"phutho.1.1.1": ("value",)}
    assert causes(rate("85/100"), rate("86%"))["phutho.1.1.1"] == ("value",)


def test_a_value_on_one_side_only_is_a_cause() -> None:
    one, other = told({}, "phutho.commune"), rate("85/100")
    assert causes(one, other)["phutho.1.1.1"] == ("value",)
    assert [
        (found.a and found.a.outcome, found.b and found.b.outcome)
        for found in compare(one, other)
        if found.id == "phutho.1.1.1"
    ] == [("undetermined", "met")]


def test_where_a_value_comes_from_is_no_difference() -> None:
    fact = Ratio(denominator=100, numerator=85)
    recorded = [
        Recorded(fact),
        Recorded(fact, "2024", "báo cáo", "approved", value_id=1),
        Recorded(fact, "2023", "điều tra", "draft", value_id=2),
    ]
    assert {compare(rate(one), rate(other)) for one in recorded for other in recorded} == {()}
    assert compare(rate("85/100"), rate(recorded[1])) == ()


def test_whether_a_value_counts_is_a_difference() -> None:
    fact = Ratio(denominator=100, numerator=85)
    found = causes(rate(Recorded(fact, "2019", discounted="value_outdated")), rate(Recorded(fact)))
    assert found["phutho.1.1.1"] == ("value",)


def test_one_value_of_several_is_a_cause() -> None:
    small = rules(
        ruleset_text(leaf("a", f"sum: [one, two], {required('>=', 3, 'count')}")),
        indicators_text(one="count", two="count"),
        cases_text({"a": ("one: 1, two: 2", "one: 1, two: 1")}),
    )
    first, second = ({"one": 1, "two": 2}, {"one": 2, "two": 1})
    assert causes(told(first, rules=small), told(second, rules=small)) == {"a": ("value",)}
    assert causes(told({}, rules=small), told(first, rules=small)) == {"a": ("value",)}


# --- members, days, exemptions, branches ----------------------------------------------------------


def nation(true: int, false: int, **more: Any) -> Side:
    """Judge the nation by communes of which item 8.4 is met or not."""
    yes, no = (member({"commune_ntm_8_4_met": value}) for value in (True, False))
    return told(more, "qd924.nation", members=(*[yes] * true, *[no] * false))


def test_the_counts_of_members_are_a_cause() -> None:
    assert causes(nation(97, 3), nation(96, 4))["qd924.1b.1"] == ("members",)
    assert causes(nation(97, 3), nation(98, 2))["qd924.1b.1"] == ("members",)
    assert compare(nation(97, 3), nation(97, 3)) == ()


def test_a_stated_share_beside_the_members_is_a_value() -> None:
    one, other = (nation(97, 3, communes_ntm_8_4_rate=stated) for stated in ("97/100", "96/100"))
    assert causes(one, other) == {"qd924.1b.1": ("value",)}


def test_the_end_of_the_district_level_is_a_cause_where_one_side_is_judged_after_it() -> None:
    districts = (member({"district_ntm_9_5_met": True}, "district"),) * 9
    days = (DAY, DAY - datetime.timedelta(days=1), DISTRICTS_ENDED)
    before, earlier, after = (
        told({}, "travinh.province", members=districts, as_of=day) for day in days
    )
    assert causes(before, after)["travinh.province.1c.1"] == ("members", "day")
    assert compare(before, earlier) == ()
    without = told({}, "travinh.province")
    assert causes(without, after)["travinh.province.1c.1"] == ("day",)


def test_an_exemption_on_one_side_is_the_cause_for_every_criterion() -> None:
    facts = {"working_age_smartphone_subscription_rate": "60/100"}
    classes = {"area_ethnic_minority_mountainous": True, "area_island": False}
    chosen = (Designation(None, EXEMPTING[0], "smart"),)
    exempt = told(facts, SMART, designations=chosen, attributes=classes)
    found = causes(exempt, told(facts, SMART, attributes=classes))
    assert list(found) == [criterion.id for criterion in entry(SMART).ruleset.walk()]
    assert found[BRANCHED] == ("exemption",)
    assert set(found.values()) == {("exemption",), ("exemption", "criteria")}
    assert compare(exempt, exempt) == ()


def test_another_branch_of_the_threshold_is_a_cause() -> None:
    facts = {"working_age_smartphone_subscription_rate": "60/100"}
    known = {"area_ethnic_minority_mountainous": False}
    island, inland, unknown = (
        told(facts, SMART, attributes=classes)
        for classes in ({"area_island": True}, {"area_island": False, **known}, {})
    )
    assert causes(island, inland) == {BRANCHED: ("branch",)}
    assert causes(island, unknown) == {BRANCHED: ("branch",)}


# --- two rulesets with the same criteria ----------------------------------------------------------


def amended(
    test: str,
    met: str = "one: 5/5",
    failed: str = "one: 0/5",
    given: str = "4/5",
    **more: str,
) -> Side:
    """Return the judgement of `one` by a ruleset whose criterion `a` has this test."""
    kinds = {"one": "ratio", "two": "ratio", "three": "count", "four": "boolean"} | more
    small = rules(
        ruleset_text(leaf("a", test)), indicators_text(**kinds), cases_text({"a": (met, failed)})
    )
    return told({"one": given}, rules=small)


def test_another_threshold_is_a_cause_even_with_the_same_outcome() -> None:
    base = amended(f"indicator: one, {required('>=', 70)}")
    for word, value in ((">=", 80), (">=", 90), (">", 70), ("=", 100)):
        other = amended(f"indicator: one, {required(word, value)}")
        assert causes(base, other) == {"a": ("threshold",)}


def test_other_words_for_the_same_test_are_no_difference() -> None:
    base = amended(f"indicator: one, {required('>=', 70)}")
    words = 'notes: [{vi: "ghi chú", en: "a note"}]'
    assert compare(base, amended(f"indicator: one, {required('>=', '70.0')}, {words}")) == ()


def test_another_definition_is_a_cause() -> None:
    base = amended(f"indicator: one, {required('>=', 70)}")
    other = amended(f"indicator: two, {required('>=', 70)}", "two: 5/5", "two: 0/5")
    assert causes(base, other) == {"a": ("value", "ruleset")}
    plain = amended("indicator: four", "four: true", "four: false")
    assert causes(base, plain) == {"a": ("value", "ruleset")}


def test_an_indicator_that_measures_otherwise_is_another_definition() -> None:
    base = amended(f"indicator: one, {required('>=', 80)}")
    beyond = "ratio, numerator_may_exceed_denominator: true"
    other = amended(f"indicator: one, {required('>=', 80)}", one=beyond)
    assert compare(base, other) == ()
    below, exceeding = (
        amended(f"indicator: one, {required('>=', 80)}", given="6/5", **kind)
        for kind in ({}, {"one": beyond})
    )
    assert causes(below, exceeding) == {"a": ("ruleset",)}
    assert causes(base, exceeding) == {"a": ("value", "ruleset")}


def combined(combine: str, **given: bool) -> Side:
    """Return the judgement of a group of two by a ruleset that combines them like this."""
    children = [leaf(f"g.{code}", f"indicator: {code}") for code in ("one", "two")]
    covers = {f"g.{code}": (f"{code}: true", f"{code}: false") for code in ("one", "two")}
    small = rules(
        ruleset_text(group("g", combine, *children)),
        indicators_text(one="boolean", two="boolean"),
        cases_text(covers),
    )
    return told(given, rules=small)


def test_a_group_that_combines_otherwise_is_another_definition() -> None:
    every, some = (combined(word, one=True, two=False) for word in ("all", "any"))
    assert causes(every, some) == {"g": ("ruleset",)}
    assert causes(every, combined("any", one=True, two=True)) == {
        "g": ("ruleset", "criteria"),
        "g.two": ("value",),
    }


def test_a_pack_s_own_check_that_answers_otherwise_is_another_definition() -> None:
    sides = []
    for least in (1, 2):
        small = rules(
            ruleset_text(leaf("a", "indicator: wells, check: enough")),
            indicators_text(wells="count"),
            cases_text({"a": ("wells: 9", "wells: 0")}),
            checks={"enough": lambda observed, _, least=least: observed >= least},  # type: ignore[misc]
        )
        sides.append(told({"wells": 1}, rules=small))
    assert causes(*sides) == {"a": ("ruleset",)}


def test_members_that_only_a_reading_counts_are_a_cause() -> None:
    """No counts are shown there, yet nothing else differs."""
    text = '{vi: "cách hiểu", en: "a reading"}'
    condition = "{share: {of: [{level: hamlet}], holds: {indicator: wells}}, at_least: 50}"
    cases = [
        f'  - {{case: "{outcome}", ruleset: "{SMALL}", expect: {{"a": {outcome}}}, members: '
        f"[{{level: hamlet, facts: {facts}}}]}}"
        for outcome, facts in (
            ("met", "{wells: true}"),
            ("not_met", "{wells: false}"),
            ("undetermined", "{}"),
        )
    ]
    small = rules(
        ruleset_text(leaf("a", f"every_reading: [{{text: {text}, condition: {condition}}}]")),
        indicators_text(wells="boolean"),
        "\n".join(["cases:", *cases, ""]),
    )
    worked = small.entries[SMALL].cases
    compiled = small.entries[SMALL].compiled
    one, other = (Side(compiled, compiled.evaluate(case.inputs)) for case in worked[:2])
    assert causes(one, other) == {"a": ("members",)}


def test_a_difference_shows_both_results() -> None:
    one, other = rate("85/100"), rate("84/100")
    found = next(each for each in compare(one, other) if each.id == "phutho.1.1.1")
    assert isinstance(found, CriterionDifference)
    assert found.a is not None
    assert found.b is not None
    assert (found.a.outcome, found.b.outcome, found.b.gap) == ("met", "not_met", 1)
