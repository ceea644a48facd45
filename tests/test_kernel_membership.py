"""Which members a share counts, and how each of them comes out: the counts taken apart."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import (
    DAY,
    DISTRICTS_ENDED,
    RULESETS,
    SMALL,
    entry,
    facts_of,
    indicators_text,
    inputs,
    leaf,
    member,
    registry,
    rules,
    ruleset_text,
)

from app.rules.casework import walk
from app.rules.facts import Recorded
from app.rules.membership import MemberOutcome, members_counted, members_read
from app.rules.verdict import Inputs, Members

NATION, PROVINCE = "qd924.nation", "travinh.province"
MET, NOT_MET, UNDETERMINED = "met", "not_met", "undetermined"


def counted(members: tuple[MemberOutcome, ...] | None) -> Members | None:
    """Return how many of the members are known, true and unknown."""
    if members is None:
        return None
    told = [one.outcome for one in members]
    unknown = told.count(UNDETERMINED)
    return Members(known=len(told) - unknown, true=told.count(MET), unknown=unknown)


@pytest.mark.parametrize("ruleset", RULESETS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_the_members_counted_are_those_of_the_result(ruleset: str, data: st.DataObject) -> None:
    """For every criterion; where its result counts no members, none are listed."""
    compiled, situation = entry(ruleset).compiled, data.draw(inputs(ruleset))
    for result in walk(compiled.evaluate(situation).criteria):
        found = members_counted(compiled, result.id, situation)
        assert counted(found) == result.members
        listed = [one.member for one in found or ()]
        assert listed == [one for one in situation.members or () if one in listed]


@pytest.mark.parametrize("ruleset", RULESETS)
def test_the_groups_and_values_of_members_are_those_that_the_criteria_read(ruleset: str) -> None:
    compiled = entry(ruleset).compiled
    read = [members_read(compiled, one.id) for one in compiled.ruleset.walk()]
    assert frozenset().union(*read) <= compiled.member_codes
    assert bool(compiled.member_groups) == bool(compiled.member_codes) == any(read)
    assert len(set(compiled.member_groups)) == len(compiled.member_groups)


def test_the_groups_of_members_are_listed_once_in_order() -> None:
    """Communes of type xã, and all of the commune level where another reading counts those."""
    found = [(one.level, one.types) for one in entry(NATION).compiled.member_groups]
    assert found == [("commune", ()), ("commune", ("xa",)), ("district", ()), ("province", ())]
    assert entry("travinh.commune").compiled.member_groups == ()


def test_each_member_comes_out_with_its_reasons_in_the_order_given() -> None:
    outdated = Recorded(True, period="2019", discounted="value_outdated", value_id=3)
    members = tuple(
        msgspec.structs.replace(one, unit=f"unit {number}")
        for number, one in enumerate(
            (
                member({"commune_ntm_8_4_met": False}),
                member({"commune_ntm_8_4_met": True}, type="phuong"),
                member({"commune_ntm_8_4_met": outdated}),
                member({"commune_ntm_8_4_met": True}, "district"),
                member({"commune_ntm_8_4_met": True}, type=None),
                member({}),
            )
        )
    )
    situation = Inputs(as_of=DAY, level="nation", members=members)
    assert members_counted(entry(NATION).compiled, "qd924.1b.1", situation) == (
        MemberOutcome(members[0], NOT_MET, ()),
        MemberOutcome(members[2], UNDETERMINED, ("value_outdated",)),
        MemberOutcome(members[4], MET, ()),
        MemberOutcome(members[5], UNDETERMINED, ("missing_value",)),
    )


def test_no_members_are_counted_where_there_are_none_or_their_level_has_ended() -> None:
    compiled = entry(PROVINCE).compiled
    districts = (member({"district_ntm_9_5_met": True}, "district"),)
    for as_of, members, expected in (
        (DAY, districts, Members(known=1, true=1, unknown=0)),
        (DISTRICTS_ENDED, districts, None),
        (DAY, None, None),
        (DAY, (), Members(known=0, true=0, unknown=0)),
    ):
        situation = Inputs(as_of=as_of, level="province", members=members)
        found = members_counted(compiled, "travinh.province.1c.1", situation)
        assert counted(found) == expected


def test_a_criterion_without_a_share_counts_no_members() -> None:
    situation = Inputs(as_of=DAY, level="province", members=(member({}),))
    for id_ in ("travinh.province.1a", "travinh.province.1a.1"):
        assert members_counted(entry(PROVINCE).compiled, id_, situation) is None
        assert members_read(entry(PROVINCE).compiled, id_) == frozenset()


def test_the_values_read_from_members_are_those_of_what_must_hold() -> None:
    assert members_read(entry(PROVINCE).compiled, "travinh.province.1b.2") == {
        "commune_advanced_8_4_met",
        "commune_advanced_15_2_met",
    }


def test_a_share_that_only_readings_ask_for_is_the_first_of_them() -> None:
    """And a report of a share, which no members decide, counts none."""
    text = '{vi: "cách hiểu", en: "a reading"}'
    readings = [
        f"{{text: {text}, condition: {{share: {{of: [{{level: {level}}}], holds: "
        "{indicator: wells}}, at_least: 50}}"
        for level in ("hamlet", "district")
    ]
    derived = "ratio, derived: {of: [{level: hamlet}], holds: {indicator: wells}}"
    cases = [
        f'  - {{case: "{outcome}", ruleset: "{SMALL}", expect: {{"a": {outcome}}}, members: '
        f"[{{level: hamlet, facts: {facts}}}, {{level: district, facts: {facts}}}]}}"
        for outcome, facts in (
            (MET, "{wells: true}"),
            (NOT_MET, "{wells: false}"),
            (UNDETERMINED, "{}"),
        )
    ]
    report = f'  - {{case: "b", ruleset: "{SMALL}", expect: {{"b": no_criterion}}}}'
    small = rules(
        ruleset_text(
            leaf("a", f"every_reading: [{', '.join(readings)}]"),
            leaf("b", "indicator: rate, no_criterion: true"),
        ),
        indicators_text(wells="boolean", rate=derived),
        "\n".join(["cases:", *cases, report, ""]),
    )
    facts = facts_of(small.indicators, {"wells": True})
    members = (member({}, "district"), msgspec.structs.replace(member({}, "hamlet"), facts=facts))
    situation = Inputs(as_of=DAY, level="commune", members=members)
    compiled = small.entries[SMALL].compiled
    found = members_counted(compiled, "a", situation)
    assert found == (MemberOutcome(members[1], MET, ()),)
    assert members_read(compiled, "a") == {"wells"}
    assert members_counted(compiled, "b", situation) is None


def test_every_derived_share_is_read_by_some_criterion() -> None:
    """So that the laws above speak of all of them."""
    derived = {code for code, one in registry().indicators.items() if one.derived}
    assert derived <= {code for id_ in RULESETS for code in entry(id_).compiled.unit_codes}
