"""How criteria combine: AND, OR, what is left out, what the document leaves open."""

from __future__ import annotations

import functools
import itertools
from typing import Any

import pytest
from strategies import (
    RULESETS,
    SMALL,
    cases_text,
    entry,
    group,
    indicators_text,
    judged,
    leaf,
    required,
    result,
    rules,
    ruleset_text,
)

from app.rules.casework import outcomes, walk
from app.rules.explain import explain
from app.rules.facts import Recorded
from app.rules.registry import Registry
from app.rules.verdict import Coverage, Judgement

MET, NOT_MET, UNDETERMINED = "met", "not_met", "undetermined"
NO_CRITERION, NO_OVERALL_RULE = "no_criterion", "no_overall_rule"
VALUES = {MET: True, NOT_MET: False, UNDETERMINED: None}


def known(**values: bool | None) -> dict[str, Any]:
    """Return the facts that are known."""
    return {code: value for code, value in values.items() if value is not None}


@functools.cache
def logic_rules() -> Registry:
    """Return an AND and an OR of the same two questions, each beside a report-only item."""
    plain = {name: f"indicator: {name}" for name in ("first", "second")}
    report = "indicator: noted, no_criterion: true"
    children = {
        how: [leaf(f"{how}.{name}", test) for name, test in plain.items()]
        + [leaf(f"{how}.noted", report)]
        for how in ("and", "or")
    }
    covers: dict[str, list[str]] = {}
    for how in ("and", "or"):
        covers |= {f"{how}.{name}": [f"{name}: true", f"{name}: false"] for name in plain}
        covers[f"{how}.noted"] = []
    return rules(
        indicators_text(first="boolean", second="boolean", noted="boolean"),
        ruleset_text(group("and", "all", *children["and"]), group("or", "any", *children["or"])),
        cases_text(covers),
    )


@pytest.mark.parametrize(("first", "second"), list(itertools.product(VALUES, repeat=2)))
@pytest.mark.parametrize("noted", [True, False, None])
def test_and_or_follow_the_three_valued_tables_and_leave_report_only_items_out(
    first: str, second: str, noted: bool | None
) -> None:
    """AND: one failure decides, else what is open; OR: one success decides, else what is open."""
    both = {first, second}
    conjunction = NOT_MET if NOT_MET in both else UNDETERMINED if UNDETERMINED in both else MET
    disjunction = MET if MET in both else UNDETERMINED if UNDETERMINED in both else NOT_MET
    facts = known(first=VALUES[first], second=VALUES[second], noted=noted)
    found = outcomes(judged(facts, rules=logic_rules()))
    assert (found["and"], found["or"]) == (conjunction, disjunction)
    assert (found["and.noted"], found["or.noted"]) == (NO_CRITERION, NO_CRITERION)


def test_a_decided_group_gives_no_reasons_and_an_open_one_those_of_its_open_children() -> None:
    open_and = judged({"first": True}, rules=logic_rules())
    assert result(open_and, "and").reasons == ("missing_value",)
    assert result(open_and, "or").reasons == ()
    failed = result(judged({"first": False}, rules=logic_rules()), "and")
    assert (failed.outcome, failed.reasons) == (NOT_MET, ())


def test_what_is_only_reported_gives_a_group_no_reasons() -> None:
    """An outdated report stays a remark of its own."""
    outdated = Recorded(True, period="2019", discounted="value_outdated")
    found = judged({"noted": outdated}, rules=logic_rules())
    assert result(found, "and.noted").reasons == ("value_outdated",)
    assert result(found, "and").reasons == ("missing_value",)
    assert found.reasons == ("missing_value",)


@functools.cache
def nested_rules(overall: str = "explicit") -> Registry:
    """Return report-only groups beside judged ones, under every kind of combination."""
    report = [leaf(f"r{number}", f"indicator: {code}, no_criterion: true")
              for number, code in enumerate(("noted", "share", "many"), 1)]  # fmt: skip
    return rules(
        indicators_text(held="boolean", noted="boolean", share="ratio", many="count"),
        ruleset_text(
            group(
                "tested", "all", leaf("t", "indicator: held"), group("inner", "all", *report[:2])
            ),
            group("reported", "", report[2]),
            overall=overall,
        ),
        cases_text({"t": ["held: true", "held: false"], "r1": [], "r2": [], "r3": []}),
    )


def test_a_group_of_report_only_items_is_no_criterion_and_is_left_out_above() -> None:
    found = outcomes(judged({"held": True, "noted": False, "share": "0/5"}, rules=nested_rules()))
    assert found["inner"] == NO_CRITERION
    assert found["tested"] == MET
    assert found["reported"] == NO_CRITERION
    assert found["overall"] == MET


def test_a_group_reports_how_many_of_its_items_are_reported_and_how_many_are_present() -> None:
    found = judged({"held": True, "noted": True, "share": "0/5"}, rules=nested_rules())
    assert result(found, "inner").coverage == Coverage(items=2, present=1, reported=2)
    assert result(found, "reported").coverage == Coverage(items=1, present=0, reported=0)
    assert found.coverage is None  # the whole is judged
    absent = judged({"noted": False, "many": 4}, rules=nested_rules())
    assert result(absent, "inner").coverage == Coverage(items=2, present=0, reported=1)
    assert result(absent, "reported").coverage == Coverage(items=1, present=0, reported=1)


@pytest.mark.parametrize(
    ("facts", "whole"), [({"held": True}, MET), ({"held": False}, NOT_MET), ({}, UNDETERMINED)]
)
def test_without_a_stated_rule_the_whole_is_only_a_summary(
    facts: dict[str, bool], whole: str
) -> None:
    """`none`: no overall rule and a computed `all_items`; otherwise the outcome itself."""
    for overall in ("explicit", "inferred"):
        stated = judged(facts, rules=nested_rules(overall))
        assert (stated.outcome, stated.all_items, stated.basis) == (whole, None, overall)
    silent = judged(facts, rules=nested_rules("none"))
    assert (silent.outcome, silent.all_items, silent.basis) == (NO_OVERALL_RULE, whole, "none")


@pytest.mark.parametrize("ruleset", RULESETS)
def test_nothing_known_fails_nothing(ruleset: str) -> None:
    """Missing facts alone never make a failure, in any document."""
    found = judged({}, ruleset)
    assert {one.outcome for one in walk(found.criteria)} <= {UNDETERMINED, NO_CRITERION}
    leaves = [one for one in walk(found.criteria) if not one.criteria]
    assert sum(found.counts.values()) == len(leaves)
    assert found.counts[UNDETERMINED] == sum(one.outcome == UNDETERMINED for one in leaves)


def test_counts_count_the_leaves_and_not_the_groups() -> None:
    found = judged({"first": True, "second": False}, rules=logic_rules())
    assert found.counts == {
        "met": 2, "not_met": 2, "undetermined": 0, "not_applicable": 0, "no_criterion": 2
    }  # fmt: skip


# --- thresholds that depend on the area class ---------------------------------------------------

SUBSCRIPTIONS = "working_age_smartphone_subscription_rate"
MOUNTAIN, ISLAND = "area_ethnic_minority_mountainous", "area_island"


def subscriptions(fact: str | None, attributes: dict[str, bool]) -> tuple[str, tuple[str, ...]]:
    """Return outcome and reasons of condition 5 of the smart commune."""
    facts = {SUBSCRIPTIONS: fact} if fact else {}
    found = judged(facts, "bnn3445.selection.smart", attributes=attributes)
    one = result(found, "bnn3445.selection.smart.5")
    return one.outcome, one.reasons


ORDINARY = {MOUNTAIN: False, ISLAND: False}
SPECIAL = [{MOUNTAIN: True, ISLAND: False}, {MOUNTAIN: False, ISLAND: True}, {ISLAND: True},
           {MOUNTAIN: True}, {MOUNTAIN: True, ISLAND: True}]  # fmt: skip
UNKNOWN: list[dict[str, bool]] = [{}, {MOUNTAIN: False}, {ISLAND: False}]


@pytest.mark.parametrize("attributes", SPECIAL)
def test_in_special_areas_half_is_enough(attributes: dict[str, bool]) -> None:
    """One known class is enough; the other one need not be known."""
    assert subscriptions("1/2", attributes) == (MET, ())
    assert subscriptions("2499/5000", attributes) == (NOT_MET, ())


def test_elsewhere_four_fifths_are_needed() -> None:
    assert subscriptions("4/5", ORDINARY) == (MET, ())
    assert subscriptions("3999/5000", ORDINARY) == (NOT_MET, ())


@pytest.mark.parametrize("attributes", UNKNOWN)
def test_with_an_unknown_class_the_threshold_decides_only_where_both_agree(
    attributes: dict[str, bool],
) -> None:
    assert subscriptions("4/5", attributes) == (MET, ())
    assert subscriptions("2499/5000", attributes) == (NOT_MET, ())
    assert subscriptions("3999/5000", attributes) == (UNDETERMINED, ("attribute_missing",))
    assert subscriptions("1/2", attributes) == (UNDETERMINED, ("attribute_missing",))


def test_with_an_unknown_class_and_a_rounded_value_both_reasons_are_given() -> None:
    found = subscriptions("80%", {})
    assert (found[0], set(found[1])) == (UNDETERMINED, {"attribute_missing", "rounded_value"})


def test_with_an_unknown_class_and_no_value_the_value_is_what_is_missing() -> None:
    assert subscriptions(None, {}) == (UNDETERMINED, ("missing_value",))
    assert subscriptions("0/0", {}) == (UNDETERMINED, ("denominator_zero",))


def test_the_branch_that_applied_is_shown_with_its_value_and_its_gap() -> None:
    compiled = entry("bnn3445.selection.smart").compiled
    for attributes, value, gap in ((ORDINARY, "80", 1000), (SPECIAL[0], "50", 1), ({}, None, None)):
        fact = "3000/5000" if attributes == ORDINARY else "2499/5000"
        found = judged({SUBSCRIPTIONS: fact}, "bnn3445.selection.smart", attributes=attributes)
        shown = explain(compiled, found, {})["criteria"][4]
        assert shown["required"]["value"] == value
        assert (shown["required"]["branch"] is None) == (value is None)
        assert (shown["gap"] and shown["gap"]["more"]) == gap
        assert [one["value"] for one in shown["required"]["branches"]] == ["50", "80"]


# --- several readings, sums ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("communes", "hamlets", "expected"),
    [
        (1, 1, (MET, ())),
        (3, 2, (MET, ())),
        (0, 0, (NOT_MET, ())),
        (1, 0, (UNDETERMINED, ("ambiguous_text",))),
        (0, 5, (UNDETERMINED, ("ambiguous_text",))),
        (1, None, (UNDETERMINED, ("missing_value",))),
        (None, 1, (UNDETERMINED, ("missing_value",))),
        (0, None, (UNDETERMINED, ("missing_value",))),
        (None, 0, (UNDETERMINED, ("missing_value",))),
        (None, None, (UNDETERMINED, ("missing_value",))),
    ],
)
def test_a_text_with_two_readings_is_decided_only_when_both_agree(
    communes: int | None, hamlets: int | None, expected: tuple[str, tuple[str, ...]]
) -> None:
    """8.9 of the district: "at least one model of a smart commune, smart hamlet"."""
    values = {
        "smart_commune_models_district_count": communes,
        "smart_hamlet_models_district_count": hamlets,
    }
    facts = {code: value for code, value in values.items() if value is not None}
    found = result(judged(facts, "phutho.district"), "phutho.district.8.9")
    assert (found.outcome, found.reasons) == expected


def test_each_reading_is_shown_with_its_own_outcome() -> None:
    facts = {"smart_commune_models_district_count": 1, "smart_hamlet_models_district_count": 0}
    compiled = entry("phutho.district").compiled
    shown = explain(compiled, judged(facts, "phutho.district"), {})["criteria"][0]
    found = {one["text"]: one["outcome"] for one in shown["reading"]["alternatives"]}
    assert list(found.values()) == [NOT_MET, MET]
    assert "Ít nhất một mô hình thuộc một trong hai loại" in found


def test_a_reading_shown_beside_the_criterion_never_decides_it() -> None:
    """1.4.1 of the commune: the requirement wants both parts; that one would do is only shown."""
    facts = {"hamlet_security_cameras_linked_police": True, "security_feedback_channel": False}
    found = result(judged(facts, "phutho.commune"), "phutho.1.4.1")
    assert (found.outcome, found.alternatives) == (NOT_MET, (MET,))


@pytest.mark.parametrize(
    ("communes", "hamlets", "expected"),
    [
        (1, 0, (MET, ())),
        (0, 1, (MET, ())),
        (1, None, (MET, ())),
        (None, 2, (MET, ())),
        (0, 0, (NOT_MET, ())),
        (0, None, (UNDETERMINED, ("missing_value",))),
        (None, None, (UNDETERMINED, ("missing_value",))),
    ],
)
def test_a_sum_is_decided_as_soon_as_its_known_part_suffices(
    communes: int | None, hamlets: int | None, expected: tuple[str, tuple[str, ...]]
) -> None:
    """Trà Vinh II.4: 01 model of a commune or a hamlet; what is unknown can only add."""
    values = {
        "smart_commune_pilot_models_count": communes,
        "smart_hamlet_models_province_count": hamlets,
    }
    facts = {code: value for code, value in values.items() if value is not None}
    found = result(judged(facts, "travinh.province"), "travinh.province.4")
    assert (found.outcome, found.reasons) == expected
    assert found.gap == (1 if found.outcome == NOT_MET else None)


def test_readings_of_shares_are_explained_like_readings_of_counts() -> None:
    condition = "condition: {indicator: rate, at_least: 50}"
    other = "condition: {indicator: rate, at_least: 80}"
    text = '{vi: "cách hiểu", en: "reading"}'
    small = rules(
        indicators_text(rate="ratio"),
        ruleset_text(
            leaf("a", f"every_reading: [{{text: {text}, {condition}}}, {{text: {text}, {other}}}]")
        ),
        cases_text({"a": ["rate: 4/5", "rate: 1/5"]}),
    )
    found = judged({"rate": "3/5"}, rules=small)
    shown = explain(small.entries[SMALL].compiled, found, {})["criteria"][0]
    assert (shown["outcome"], shown["reasons"]) == (UNDETERMINED, ["ambiguous_text"])
    assert shown["observed"]["parts"][0]["numerator"] == 3


@functools.cache
def upper_sum_rules() -> Registry:
    """Return a sum that must stay below a bound."""
    return rules(
        indicators_text(one="count", two="count"),
        ruleset_text(leaf("a", f"sum: [one, two], {required('<=', 5, 'count')}")),
        cases_text({"a": ["one: 2, two: 3", "one: 3, two: 3"]}),
    )


@pytest.mark.parametrize(
    ("facts", "outcome"),
    [
        ({"one": 2, "two": 3}, MET),
        ({"one": 3, "two": 3}, NOT_MET),
        ({"one": 6}, NOT_MET),
        ({"one": 0}, UNDETERMINED),
        ({"one": 6, "two": Recorded(9, discounted="value_outdated")}, NOT_MET),
        ({"one": 0, "two": Recorded(9, discounted="value_outdated")}, UNDETERMINED),
    ],
)
def test_an_upper_bound_on_a_sum_is_never_met_while_a_part_is_unknown(
    facts: dict[str, Any], outcome: str
) -> None:
    assert result(judged(facts, rules=upper_sum_rules()), "a").outcome == outcome


def test_a_sum_shows_its_parts() -> None:
    facts = {"smart_commune_pilot_models_count": 2, "smart_hamlet_models_province_count": 3}
    compiled = entry("travinh.province").compiled
    shown = explain(compiled, judged(facts, "travinh.province"), {})["criteria"][-1]
    assert shown["observed"]["value"] == 5
    assert {one["indicator"]: one["value"] for one in shown["observed"]["parts"]} == facts


# --- report-only documents, codes of sets, unused facts -----------------------------------------


def test_annex_one_reports_and_never_judges() -> None:
    facts = {
        "partial_online_public_services_available": True,
        "satisfaction_software_data": False,
        "households_waste_sorting_rate": "0/100",
        "digital_skills_classes_count": 0,
        "internet_lines_per_household_rate": "120/100",
    }
    found = judged(facts, "bnn3445.annex1")
    assert (found.outcome, found.all_items) == (NO_OVERALL_RULE, NO_CRITERION)
    assert {one.outcome for one in walk(found.criteria)} == {NO_CRITERION}
    assert found.counts[NO_CRITERION] == 39
    assert found.coverage == Coverage(items=39, present=1, reported=5)
    assert result(found, "bnn3445.annex1.a").coverage == Coverage(items=7, present=1, reported=2)
    assert result(found, "bnn3445.annex1.e").coverage == Coverage(items=2, present=0, reported=0)


def test_the_contents_of_a_smart_commune_are_covered_by_the_codes_reported() -> None:
    found = judged({"smart_contents_implemented": ["a1", "d4", "e1"]}, "bnn3445.content.smart")
    assert found.coverage == Coverage(items=18, present=3, reported=18)
    present = {one.id for one in walk(found.criteria) if one.observed is True}
    assert present == {f"bnn3445.content.smart.{code}" for code in ("a1", "d4", "e1")}
    nothing = judged({}, "bnn3445.content.smart")
    assert nothing.coverage == Coverage(items=18, present=0, reported=0)
    empty = judged({"smart_contents_implemented": []}, "bnn3445.content.smart")
    assert empty.coverage == Coverage(items=18, present=0, reported=18)


@pytest.mark.parametrize("value", [True, False])
def test_a_report_of_a_value_that_does_not_count_is_shown_but_not_counted(value: bool) -> None:
    given = Recorded(value, period="2019", discounted="value_outdated")
    found = judged({"district_ntm_9_5_met": given}, "phutho.annex01")
    one = result(found, "phutho.annex01.2")
    assert (one.observed, one.reasons) == (given, ("value_outdated",))
    assert found.coverage == Coverage(items=4, present=0, reported=0)


def test_an_outdated_list_of_contents_is_shown_as_outdated_item_by_item() -> None:
    """What holds for a plain report holds for an item of a list: shown, with its reason."""
    given = Recorded(("a1",), period="2019", source="báo cáo", discounted="value_outdated")
    found = judged({"smart_contents_implemented": given}, "bnn3445.content.smart")
    assert found.coverage == Coverage(items=18, present=0, reported=0)
    assert result(found, "bnn3445.content.smart.a1").reasons == ("value_outdated",)


def test_an_item_of_a_list_shows_where_the_list_comes_from() -> None:
    """The verdict names period, source and status of what was observed."""
    given = Recorded(("1",), period="2024", source="báo cáo", status="approved")
    found = judged({"ecom_contents_selected": given}, "bnn3445.content.ecom")
    compiled = entry("bnn3445.content.ecom").compiled
    shown = explain(compiled, found, {})["criteria"][0]["observed"]
    assert shown == {
        "value": True,
        "period": "2024",
        "source": "báo cáo",
        "status": "approved",
        "value_id": None,
    }


@functools.cache
def set_rules() -> Registry:
    """Return questions about a set: is it not empty, does it contain a code."""
    return rules(
        indicators_text(list="set"),
        ruleset_text(
            leaf("some", "indicator: list"), leaf("this", 'indicator: list, contains: "a"')
        ),
        cases_text({"some": ["list: [b]", "list: []"], "this": ["list: [a]", "list: [b]"]}),
    )


@pytest.mark.parametrize(
    ("codes", "some", "this"),
    [(["a", "b"], MET, MET), (["b"], MET, NOT_MET), ([], NOT_MET, NOT_MET)],
)
def test_a_set_is_asked_whether_it_is_empty_or_contains_a_code(
    codes: list[str], some: str, this: str
) -> None:
    found = outcomes(judged({"list": codes}, rules=set_rules()))
    assert (found["some"], found["this"]) == (some, this)


def test_values_that_no_criterion_reads_are_listed() -> None:
    facts = {"adults_smartphone_internet_rate": "1/2", "free_public_wifi_hamlet": True,
             "commune_has_cooperative": True}  # fmt: skip
    found: Judgement = judged(facts, "phutho.commune")
    assert found.unused_facts == ("commune_has_cooperative", "free_public_wifi_hamlet")


def test_the_small_pack_is_a_ruleset_like_any_other() -> None:
    found = judged({"first": True}, rules=logic_rules())
    assert (found.ruleset, found.semantics) == (SMALL, 1)
