"""Shares over the members of a province or of the nation: bounds, who counts, who is gone."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from strategies import DAY, DISTRICTS_ENDED, entry, judged, member, registry, result

from app.rules.casework import outcomes
from app.rules.explain import explain
from app.rules.facts import Percent, Recorded
from app.rules.verdict import Judgement, Member, Members

MET, NOT_MET, UNDETERMINED = "met", "not_met", "undetermined"
COMMUNES = "communes_ntm_8_4_rate"  # travinh.province.1b.1: = 100 % of communes meet item 8.4
DISTRICTS = "districts_ntm_9_5_rate"  # travinh.province.1c.1: = 100 % of districts meet item 9.5


def communes(true: int, false: int = 0, unknown: int = 0, **kind: Any) -> tuple[Member, ...]:
    """Return communes of which item 8.4 is met, not met, and not known."""
    return (
        *[member({"commune_ntm_8_4_met": True}, **kind)] * true,
        *[member({"commune_ntm_8_4_met": False}, **kind)] * false,
        *[member({}, **kind)] * unknown,
    )


def districts(true: int, false: int = 0, unknown: int = 0) -> tuple[Member, ...]:
    """Return districts of which item 9.5 is met, not met, and not known."""
    return (
        *[member({"district_ntm_9_5_met": True}, "district")] * true,
        *[member({"district_ntm_9_5_met": False}, "district")] * false,
        *[member({}, "district")] * unknown,
    )


def nation(members: tuple[Member, ...] | None, facts: dict[str, Any] | None = None) -> Judgement:
    """Judge the nation by Decision 924: at least 97 % of communes meet item 8.4."""
    return judged(facts or {}, "qd924.nation", members=members)


@pytest.mark.parametrize(
    ("true", "false", "unknown", "expected"),
    [
        (97, 3, 0, (MET, ())),
        (96, 4, 0, (NOT_MET, ())),
        (97, 0, 3, (MET, ())),  # enough are known to be true
        (0, 4, 96, (NOT_MET, ())),  # even all unknown ones would not be enough
        (96, 3, 1, (UNDETERMINED, ("member_value_missing",))),
        (0, 0, 5, (UNDETERMINED, ("member_value_missing",))),
        (0, 0, 0, (UNDETERMINED, ("denominator_zero",))),
    ],
)
def test_a_share_over_members_is_decided_when_both_bounds_agree(
    true: int, false: int, unknown: int, expected: tuple[str, tuple[str, ...]]
) -> None:
    found = result(nation(communes(true, false, unknown)), "qd924.1b.1")
    assert (found.outcome, found.reasons) == expected
    assert found.members == Members(known=true + false, true=true, unknown=unknown)


def test_without_members_a_share_is_a_missing_value() -> None:
    found = result(nation(None), "qd924.1b.1")
    assert (found.outcome, found.reasons) == (UNDETERMINED, ("missing_value",))
    assert found.members is None


def test_a_member_whose_value_does_not_count_is_an_unknown_one() -> None:
    outdated = Recorded(True, period="2019", discounted="value_outdated")
    found = result(
        nation((*communes(96), *[member({"commune_ntm_8_4_met": outdated})] * 4)), "qd924.1b.1"
    )
    assert found.members == Members(known=96, true=96, unknown=4)
    assert found.reasons == ("member_value_missing",)


@pytest.mark.parametrize("other", ["phuong", "thi_tran", "dac_khu"])
def test_communes_are_the_units_of_type_xa(other: str) -> None:
    """Wards, townships and special zones count neither for nor against."""
    mixed = (*communes(97, 3), *communes(0, 50, type=other))
    assert result(nation(mixed), "qd924.1b.1").outcome == MET
    assert result(nation(mixed), "qd924.1b.1").members == Members(known=100, true=97, unknown=0)
    nobody = result(nation(communes(5, type=other)), "qd924.1b.1")
    assert nobody.reasons == ("denominator_zero",)


def test_a_commune_without_a_type_is_a_xa() -> None:
    found = result(nation(communes(97, 3, type=None)), "qd924.1b.1")
    assert found.members == Members(known=100, true=97, unknown=0)


def test_the_reading_over_every_commune_level_unit_is_shown_beside() -> None:
    mixed = (*communes(97, 3), *communes(0, 50, type="phuong"))
    assert result(nation(mixed), "qd924.1b.1").alternatives == (NOT_MET,)


def test_members_of_other_levels_do_not_count() -> None:
    mixed = (*communes(1), *districts(0, 3), member({"commune_ntm_8_4_met": False}, "hamlet"))
    assert result(nation(mixed), "qd924.1b.1").members == Members(known=1, true=1, unknown=0)


def test_two_conditions_on_a_member_must_hold_of_the_same_member() -> None:
    """Trà Vinh 1b.2: communes that meet both 8.4 and 15.2; one that fails either is known false."""
    both = {"commune_advanced_8_4_met": True, "commune_advanced_15_2_met": True}
    members = (
        member(both),
        member({**both, "commune_advanced_8_4_met": False}),
        member({"commune_advanced_15_2_met": False}),
        member({"commune_advanced_8_4_met": True}),
    )
    found = result(judged({}, "travinh.province", members=members), "travinh.province.1b.2")
    assert found.members == Members(known=3, true=1, unknown=1)
    assert found.outcome == UNDETERMINED


def test_a_district_and_its_communes_are_pooled_where_the_clause_pools_them() -> None:
    """Trà Vinh II.3: at least 15 % of units (districts, communes) provide an essential service."""
    provides = {"essential_services_provided": ["health"]}
    members = (
        member(provides, "district"),
        *[member(provides)] * 2,
        *[member({"essential_services_provided": []})] * 16,
        member(provides, type="phuong"),
    )
    found = result(judged({}, "travinh.province", members=members), "travinh.province.3")
    assert found.members == Members(known=19, true=3, unknown=0)
    assert found.outcome == MET  # 3 of 19 is 15.8 %


def test_one_district_of_nine_is_below_14_percent() -> None:
    true = {"district_advanced_6_5_met": True, "district_advanced_9_2_met": True}
    false = {**true, "district_advanced_6_5_met": False}
    members = (member(true, "district"), *[member(false, "district")] * 8)
    found = result(judged({}, "travinh.province", members=members), "travinh.province.1c.2")
    assert (found.outcome, found.gap) == (NOT_MET, 1)


# --- the district level ended on 1 July 2025 ------------------------------------------------------


@pytest.mark.parametrize(
    ("as_of", "period_end", "outcome"),
    [
        (DISTRICTS_ENDED - datetime.timedelta(days=1), None, MET),
        (DISTRICTS_ENDED, None, UNDETERMINED),
        (datetime.date(2026, 1, 1), None, UNDETERMINED),
        # What counts is the period that is judged, not the day on which it is judged.
        (datetime.date(2026, 1, 1), DAY, MET),
        (datetime.date(2026, 1, 1), datetime.date(2025, 6, 30), MET),
        (datetime.date(2026, 1, 1), datetime.date(2025, 12, 31), UNDETERMINED),
        (datetime.date(2025, 6, 30), datetime.date(2025, 12, 31), MET),
    ],
)
def test_a_share_of_districts_is_undetermined_from_1_july_2025(
    as_of: datetime.date, period_end: datetime.date | None, outcome: str
) -> None:
    found = result(
        judged({}, "travinh.province", as_of=as_of, period_end=period_end, members=districts(9)),
        "travinh.province.1c.1",
    )
    assert found.outcome == outcome
    assert found.reasons == (("level_abolished",) if outcome == UNDETERMINED else ())


@pytest.mark.parametrize(
    ("fact", "outcome"), [("9/9", MET), ("8/9", NOT_MET), ("99%", NOT_MET), ("100%", UNDETERMINED)]
)
@pytest.mark.parametrize("members", [None, districts(0, 9)])
def test_a_share_of_districts_given_directly_still_counts_afterwards(
    fact: str, outcome: str, members: tuple[Member, ...] | None
) -> None:
    found = judged({DISTRICTS: fact}, "travinh.province", as_of=DISTRICTS_ENDED, members=members)
    assert result(found, "travinh.province.1c.1").outcome == outcome


def test_a_share_that_pools_districts_with_communes_ends_with_them() -> None:
    members = (*communes(3), member({"essential_services_provided": ["health"]}))
    for as_of, reason in ((DAY, "member_value_missing"), (DISTRICTS_ENDED, "level_abolished")):
        found = judged({}, "travinh.province", as_of=as_of, members=(*members, *districts(9)))
        assert result(found, "travinh.province.3").reasons == (reason,)


def test_shares_of_communes_go_on_after_the_district_level_ended() -> None:
    found = judged({}, "travinh.province", as_of=DISTRICTS_ENDED, members=communes(3))
    assert result(found, "travinh.province.1b.1").outcome == MET


# --- a share given directly, and members ----------------------------------------------------------


def test_a_share_may_be_given_directly_like_any_ratio() -> None:
    for fact, outcome in (("97/100", MET), ("9699/10000", NOT_MET), ("0/0", UNDETERMINED)):
        assert outcomes(nation(None, {COMMUNES: fact}))["qd924.1b.1"] == outcome


@pytest.mark.parametrize("stated", ["0/100", "100/100", "97%", "0/0"])
@pytest.mark.parametrize(("true", "false", "outcome"), [(97, 3, MET), (96, 4, NOT_MET)])
def test_what_the_members_decide_a_stated_share_never_overturns(
    stated: str, true: int, false: int, outcome: str
) -> None:
    found = result(nation(communes(true, false), {COMMUNES: stated}), "qd924.1b.1")
    assert found.outcome == outcome


@pytest.mark.parametrize(
    ("stated", "outcome"), [("97/100", MET), ("96/100", NOT_MET), ("97%", UNDETERMINED)]
)
def test_a_stated_share_fills_in_where_the_members_leave_it_open(stated: str, outcome: str) -> None:
    found = result(nation(communes(96, 3, 1), {COMMUNES: stated}), "qd924.1b.1")
    assert found.outcome == outcome
    assert found.members == Members(known=99, true=96, unknown=1)


def test_a_stated_share_that_does_not_count_leaves_the_members_their_say() -> None:
    outdated = Recorded(Percent("100"), period="2019", discounted="value_outdated")
    assert outcomes(nation(communes(96, 4), {COMMUNES: outdated}))["qd924.1b.1"] == NOT_MET
    assert outcomes(nation(communes(96, 3, 1), {COMMUNES: outdated}))["qd924.1b.1"] == UNDETERMINED


@pytest.mark.parametrize(
    ("stated", "conflict"),
    [
        ("96/100", False),
        ("97/100", False),
        ("95/100", True),
        ("98/100", True),
        ("9601/10000", False),
        ("96.5%", False),
        ("97.0%", False),  # 96.95 to 97.05: part of it can be
        ("90%", True),
        ("99%", True),
    ],
)
def test_a_stated_share_outside_what_the_members_allow_is_marked(
    stated: str, conflict: bool
) -> None:
    """96 of 100 are true and one is unknown: anything from 96 % to 97 % can be."""
    assert _observed(nation(communes(96, 3, 1), {COMMUNES: stated}))["conflict"] is conflict


def test_a_stated_share_is_shown_beside_the_members_that_decided() -> None:
    found = _observed(nation(communes(97, 3), {COMMUNES: "90/100"}))
    assert (found["numerator"], found["denominator"], found["percent"]) == (97, 100, "97.00")
    assert found["members"] == {"known": 100, "true": 97, "unknown": 0}
    assert (found["stated"]["numerator"], found["conflict"]) == (90, True)


def test_a_share_with_unknown_members_shows_no_percentage() -> None:
    found = _observed(nation(communes(96, 3, 1)))
    assert (found["numerator"], found["denominator"], found["percent"]) == (96, 100, None)
    assert found["counts_known"] is False


def test_the_gap_of_a_share_is_a_number_of_members() -> None:
    found = result(nation(communes(90, 10)), "qd924.1b.1")
    assert (found.outcome, found.gap) == (NOT_MET, 7)
    open_upwards = result(nation(communes(90, 8, 2)), "qd924.1b.1")
    assert (open_upwards.outcome, open_upwards.gap) == (NOT_MET, None)


def test_facts_of_members_that_nothing_reads_are_listed() -> None:
    found = nation((member({"free_public_wifi_commune": True, "commune_ntm_8_4_met": True}),))
    assert found.unused_facts == ("free_public_wifi_commune",)


def test_a_fact_is_read_where_it_belongs() -> None:
    """A commune's own value given for the nation is not read, nor the nation's for a commune."""
    found = nation((member({COMMUNES: "1/1"}),), {"commune_ntm_8_4_met": True})
    assert found.unused_facts == ("commune_ntm_8_4_met", COMMUNES)


def test_every_derived_share_counts_the_xa_or_every_unit_of_a_level() -> None:
    """Thirteen shares: of communes only those of type xã, of districts and provinces every one."""
    derived = [one.derived for one in registry().indicators.values() if one.derived]
    assert len(derived) == 13
    kinds = {(group.level, group.types) for share in derived for group in share.of}
    assert kinds == {("commune", ("xa",)), ("district", ()), ("province", ())}


def _observed(judgement: Judgement) -> dict[str, Any]:
    """Return what item 1b.1 of Decision 924 is shown to rest on."""
    criteria = explain(entry("qd924.nation").compiled, judgement, {})["criteria"]
    found: dict[str, Any] = next(one for one in criteria if one["id"] == "qd924.1b.1")["observed"]
    return found
