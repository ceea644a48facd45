"""Previews: facts in, a cited and explained verdict out, for the cases that matter most."""

from __future__ import annotations

import copy
import datetime
import re
import unicodedata
from collections.abc import Iterator
from typing import Any, Literal

import httpx
import pytest
from conftest import PREVIEW, Described, problem
from hostile import VALID

from app.settings import Settings

SMARTPHONE = "adults_smartphone_internet_rate"
ONLINE = "registered_service_business_online_payment_rate"
CADRES = "commune_hamlet_cadres_smartphone_internet_rate"
SUBSCRIPTION = "working_age_smartphone_subscription_rate"
DECISIONS = ("969/QĐ-BNN-VPĐP", "1824/QĐ-BNN-VPĐP")

# Every condition of phutho.commune, just met.
ENOUGH: dict[str, Any] = {
    SMARTPHONE: {"numerator": 3400, "denominator": 4000},
    CADRES: {"numerator": 40, "denominator": 40},
    "admin_dossiers_received_resolved_online_rate": {"numerator": 750, "denominator": 1000},
    "working_age_epayment_account_rate": {"numerator": 1700, "denominator": 2000},
    ONLINE: {"numerator": 7, "denominator": 10},
    "modern_electronic_one_stop": True,
    "commune_digital_team_decision": True,
    "commune_digital_team_plan_and_activities": True,
    "digital_platform_commune_to_hamlets": True,
    "commune_radio_ict_compliant": True,
    "commune_radio_linked_provincial_source": True,
    "commune_website_exists": True,
    "commune_website_content_current": True,
    "commune_website_editorial_board": True,
    "commune_social_media_account": True,
    "digital_coop_or_producer_traceability_model": True,
    "hamlet_security_cameras_linked_police": True,
    "security_feedback_channel": True,
    "digital_healthcare_services": True,
    "digital_teaching_services": True,
}
PERCENT = re.compile(r"\d+\.\d{2,}")
DECIMAL = re.compile(r"\d+(\.\d+)?")


def flat(criteria: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield every criterion of a verdict."""
    for one in criteria:
        yield one
        yield from flat(one["criteria"])


class Verdict:
    """A verdict, with its criteria by id."""

    def __init__(self, answer: httpx.Response) -> None:
        assert answer.status_code == 200, answer.text[:500]
        self.body: dict[str, Any] = answer.json()
        self.criteria = {one["id"]: one for one in flat(self.body["criteria"])}

    def __getitem__(self, id_: str) -> dict[str, Any]:
        found: dict[str, Any] = self.criteria[id_]
        return found

    def outcome(self, id_: str) -> tuple[str, list[str]]:
        """Return outcome and reasons of one criterion."""
        return self[id_]["outcome"], self[id_]["reasons"]


async def judged(
    client: httpx.AsyncClient,
    ruleset: str,
    facts: dict[str, Any] | None = None,
    *,
    level: str = "commune",
    as_of: str | None = "2024-12-31",
    members: list[dict[str, Any]] | None = None,
    language: str = "vi",
    query: str = "",
    **unit: Any,
) -> Verdict:
    """Return the verdict on these facts."""
    body: dict[str, Any] = {"ruleset": ruleset, "unit": {"level": level, **unit}}
    body |= {"as_of": as_of} if as_of else {}
    body |= {"facts": facts} if facts is not None else {}
    body |= {"members": members} if members is not None else {}
    headers = {"accept-language": language}
    return Verdict(await client.post(PREVIEW + query, json=body, headers=headers))


def member(facts: dict[str, Any], level: str = "commune", **unit: str) -> dict[str, Any]:
    """Return a member with these facts."""
    return {"unit": {"level": level, **unit}, "facts": facts}


def _ratio(numerator: int, denominator: int) -> dict[str, int]:
    return {"numerator": numerator, "denominator": denominator}


# --- the shape -----------------------------------------------------------------------------------


def _check_observed(found: dict[str, Any]) -> None:
    assert {"period", "source", "status"} <= set(found)
    if "counts_known" in found:
        assert {"numerator", "denominator", "percent"} <= set(found)
        assert isinstance(found["counts_known"], bool)
        assert found["percent"] is None or PERCENT.fullmatch(found["percent"])
        for name in ("numerator", "denominator"):
            assert found[name] is None or type(found[name]) is int
    else:
        assert isinstance(found["value"], bool | int | list)
    if "members" in found:
        assert set(found["members"]) == {"known", "true", "unknown"}
        assert all(type(one) is int for one in found["members"].values())


def _check_required(found: dict[str, Any]) -> None:
    assert {"operator", "value", "unit", "branch", "as_written", "force", "due"} <= set(found)
    assert found["operator"] in (">=", "=", "<=", ">", "<")
    assert found["value"] is None or DECIMAL.fullmatch(found["value"])
    assert found["unit"] in ("percent", "count")
    assert found["force"] in ("must", "strive")
    assert found["due"] is None or datetime.date.fromisoformat(found["due"])


def _check_criterion(found: dict[str, Any]) -> None:
    assert {
        "id", "text", "cite", "outcome", "reasons", "reading", "indicator", "observed", "required",
        "gap", "evidence", "combine", "criteria",
    } <= set(found)  # fmt: skip
    assert set(found["text"]) == {"vi", "en"}
    assert found["cite"].strip()
    assert found["outcome"] in (
        "met", "not_met", "undetermined", "not_applicable", "no_criterion"
    )  # fmt: skip
    assert isinstance(found["reasons"], list)
    assert (found["outcome"] in ("undetermined", "not_applicable")) <= bool(found["reasons"])
    if found["reading"] is not None:
        for one in found["reading"]["alternatives"]:
            assert set(one) == {"text", "outcome"}
            assert one["outcome"]
    if found["observed"] is not None:
        _check_observed(found["observed"])
    if found["required"] is not None:
        _check_required(found["required"])
    if found["gap"] is not None:
        assert set(found["gap"]) == {"more", "of"}
        assert type(found["gap"]["more"]) is int
        assert found["gap"]["more"] > 0
        assert found["outcome"] == "not_met"
    for one in found["evidence"]:
        assert {"slot", "form", "text", "confirmed_by", "verification", "present"} <= set(one)
        for confirmed in one["confirmed_by"]:
            assert confirmed["required_by"] in ("text", "form", "both")
            assert confirmed["who"].strip()
    assert (found["combine"] is None) or found["criteria"]


@pytest.mark.parametrize("facts", ["none", "some", "all"])
async def test_a_verdict_has_every_key_of_the_contract_in_its_type(
    client: httpx.AsyncClient, described: Described, facts: str
) -> None:
    given = {"none": {}, "some": dict(list(ENOUGH.items())[::2]), "all": ENOUGH}[facts]
    body = {"ruleset": "phutho.commune", "as_of": "2024-12-31", "unit": {"level": "commune"}}
    answer = await client.post(PREVIEW, json={**body, "facts": given})
    described.judge(answer)
    verdict = Verdict(answer)
    found = verdict.body
    assert {
        "ruleset", "unit", "period", "as_of", "applicability", "outcome", "basis", "all_items",
        "reasons", "counts", "criteria", "unused_facts", "inputs_digest", "semantics",
    } <= set(found)  # fmt: skip
    assert {"id", "version", "digest", "title", "document"} <= set(found["ruleset"])
    assert set(found["applicability"]) == {"status", "reason"}
    assert found["period"] is None
    assert datetime.date.fromisoformat(found["as_of"])
    assert re.fullmatch(r"[0-9a-f]{64}", found["inputs_digest"])
    assert found["semantics"] == 1
    for one in verdict.criteria.values():
        _check_criterion(one)


async def test_counts_are_those_of_the_criteria_without_children(
    client: httpx.AsyncClient,
) -> None:
    for ruleset, level in (
        ("phutho.commune", "commune"),
        ("qd924.nation", "nation"),
        ("bnn3445.annex1", "commune"),
    ):
        verdict = await judged(client, ruleset, {SMARTPHONE: _ratio(1, 2)}, level=level)
        leaves = [one for one in verdict.criteria.values() if not one["criteria"]]
        counts = verdict.body["counts"]
        assert set(counts) == {"met", "not_met", "undetermined", "not_applicable", "no_criterion"}
        assert sum(counts.values()) == len(leaves)
        for outcome, count in counts.items():
            assert count == sum(one["outcome"] == outcome for one in leaves)


async def test_the_unit_is_repeated_as_described(client: httpx.AsyncClient) -> None:
    verdict = Verdict(await client.post(PREVIEW, json=VALID))
    assert verdict.body["unit"].items() >= VALID["unit"].items()


async def test_a_verdict_is_not_stored_by_anyone_on_the_way(client: httpx.AsyncClient) -> None:
    answer = await client.post(PREVIEW, json=VALID)
    assert "no-store" in answer.headers["cache-control"]
    assert answer.headers["x-content-type-options"] == "nosniff"


# --- a whole commune -----------------------------------------------------------------------------


async def test_a_commune_that_just_meets_every_condition_meets_the_whole(
    client: httpx.AsyncClient,
) -> None:
    verdict = await judged(client, "phutho.commune", ENOUGH)
    assert {one["outcome"] for one in verdict.criteria.values()} == {"met"}
    assert verdict.body["outcome"] == "met"
    assert verdict.body["basis"] == "inferred"
    assert verdict.body["all_items"] is None
    assert verdict.body["reasons"] == []
    assert verdict.body["unused_facts"] == []
    assert verdict.body["counts"]["met"] == 20
    assert verdict.body["applicability"]["status"] == "in_period"


async def test_nothing_known_is_undetermined_and_never_a_failure(
    client: httpx.AsyncClient,
) -> None:
    for item in (await client.get("/v1/rulesets")).json()["items"]:
        verdict = await judged(client, item["id"], {}, level=item["level"])
        outcomes = {one["outcome"] for one in verdict.criteria.values()}
        assert outcomes <= {"undetermined", "no_criterion"}, item["id"]
        assert all(one["gap"] is None for one in verdict.criteria.values())


@pytest.mark.parametrize("code", sorted(ENOUGH))
async def test_one_failing_condition_fails_its_groups_and_the_whole(
    client: httpx.AsyncClient, code: str
) -> None:
    worse = False if ENOUGH[code] is True else _ratio(1, 4)
    verdict = await judged(client, "phutho.commune", {**ENOUGH, code: worse})
    failed = {one["id"] for one in verdict.criteria.values() if one["outcome"] == "not_met"}
    leaf = next(one for one in verdict.criteria.values() if one["indicator"] == code)
    above = {id_ for id_ in verdict.criteria if leaf["id"].startswith(f"{id_}.")}
    assert failed >= {leaf["id"]} | above
    assert verdict.body["outcome"] == "not_met"
    assert verdict.body["counts"]["not_met"] == 1


async def test_a_failure_outweighs_what_is_missing(client: httpx.AsyncClient) -> None:
    verdict = await judged(client, "phutho.commune", {"commune_website_exists": False})
    assert verdict.outcome("phutho.1.2") == ("not_met", [])
    assert verdict.outcome("phutho.1.1") == ("undetermined", ["missing_value"])
    assert verdict.body["outcome"] == "not_met"


async def test_an_alternative_is_enough_for_a_group_of_any(client: httpx.AsyncClient) -> None:
    verdict = await judged(
        client, "travinh.hamlet", {"circular_auto_irrigation_model": True}, level="hamlet"
    )
    assert verdict.outcome("travinh.hamlet.2") == ("met", [])
    assert verdict["travinh.hamlet.2"]["combine"] == "any"
    assert verdict.body["outcome"] == "no_overall_rule"
    assert verdict.body["basis"] == "none"
    assert verdict.body["all_items"] == "undetermined"


# --- thresholds ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("numerator", "denominator", "outcome", "percent", "more"),
    [
        (3400, 4000, "met", "85.00", None),
        (8500, 10000, "met", "85.00", None),
        (17, 20, "met", "85.00", None),
        (4000, 4000, "met", "100.00", None),
        (8499, 10000, "not_met", "84.99", 1),
        (3399, 4000, "not_met", "84.98", 1),
        (3250, 4000, "not_met", "81.25", 150),
        (84, 99, "not_met", "84.85", 1),
        (0, 4000, "not_met", "0.00", 3400),
        (84999999, 100000000, "not_met", "84.99", 1),
        (85000001, 100000000, "met", "85.01", None),
        (7656119366529842, 9007199254740991, "not_met", "84.99", 1),
    ],
)
async def test_a_share_is_compared_exactly_and_the_gap_is_counted(
    client: httpx.AsyncClient,
    numerator: int,
    denominator: int,
    outcome: str,
    percent: str,
    more: int | None,
) -> None:
    facts = {SMARTPHONE: _ratio(numerator, denominator)}
    found = (await judged(client, "phutho.commune", facts))["phutho.1.1.1"]
    assert found["outcome"] == outcome
    assert found["reasons"] == []
    assert found["observed"]["numerator"] == numerator
    assert found["observed"]["denominator"] == denominator
    assert found["observed"]["counts_known"] is True
    assert found["observed"]["percent"] == percent
    if more is None:
        assert found["gap"] is None
    else:
        assert found["gap"]["more"] == more
        assert "người trưởng thành" in found["gap"]["of"]


async def test_the_gap_is_what_must_be_added_to_meet_the_condition(
    client: httpx.AsyncClient,
) -> None:
    for numerator, denominator in ((1, 3), (10, 13), (801, 997), (0, 1), (65, 77)):
        facts = {SMARTPHONE: _ratio(numerator, denominator)}
        gap = (await judged(client, "phutho.commune", facts))["phutho.1.1.1"]["gap"]["more"]
        for added, outcome in ((gap, "met"), (gap - 1, "not_met")):
            facts = {SMARTPHONE: _ratio(numerator + added, denominator)}
            verdict = await judged(client, "phutho.commune", facts)
            assert verdict["phutho.1.1.1"]["outcome"] == outcome


@pytest.mark.parametrize(
    ("numerator", "denominator", "percent", "outcome"),
    [
        (13999, 20000, "69.99", "not_met"),
        (14000, 20000, "70.00", "met"),
        (14001, 20000, "70.01", "met"),
        (1, 3, "33.33", "not_met"),
        (2, 3, "66.67", "not_met"),
    ],
)
async def test_a_percentage_is_never_shown_on_the_other_side_of_its_threshold(
    client: httpx.AsyncClient, numerator: int, denominator: int, percent: str, outcome: str
) -> None:
    facts = {ONLINE: _ratio(numerator, denominator)}
    found = (await judged(client, "phutho.commune", facts))["phutho.1.3.2"]
    assert (found["observed"]["percent"], found["outcome"]) == (percent, outcome)


@pytest.mark.parametrize(
    ("percent", "outcome"),
    [
        ("85", "undetermined"),
        ("85.0", "undetermined"),
        ("85.00", "undetermined"),
        ("84.5", "not_met"),
        ("84.9", "not_met"),
        ("85.1", "met"),
        ("85.5", "met"),
        ("86", "met"),
        ("84", "not_met"),
        ("0", "not_met"),
        ("100", "met"),
    ],
)
async def test_a_rounded_percentage_stands_for_half_a_unit_of_its_last_digit(
    client: httpx.AsyncClient, percent: str, outcome: str
) -> None:
    verdict = await judged(client, "phutho.commune", {SMARTPHONE: {"percent": percent}})
    found = verdict["phutho.1.1.1"]
    reasons = ["rounded_value"] if outcome == "undetermined" else []
    assert verdict.outcome("phutho.1.1.1") == (outcome, reasons)
    assert found["observed"]["counts_known"] is False
    assert found["observed"]["numerator"] is None
    assert found["observed"]["denominator"] is None
    assert found["gap"] is None


@pytest.mark.parametrize(("percent", "outcome"), [("100", "undetermined"), ("99.4", "not_met")])
async def test_all_of_them_cannot_be_told_from_a_rounded_percentage(
    client: httpx.AsyncClient, percent: str, outcome: str
) -> None:
    verdict = await judged(client, "phutho.commune", {CADRES: {"percent": percent}})
    assert verdict["phutho.1.1.2"]["outcome"] == outcome


async def test_all_of_them_is_met_by_all_and_missed_by_one(client: httpx.AsyncClient) -> None:
    for numerator, outcome, more in ((41, "met", None), (40, "not_met", 1)):
        verdict = await judged(client, "phutho.commune", {CADRES: _ratio(numerator, 41)})
        found = verdict["phutho.1.1.2"]
        assert found["outcome"] == outcome
        assert (found["gap"] or {"more": None})["more"] == more


@pytest.mark.parametrize(
    ("numerator", "denominator", "reason"),
    [
        (4001, 4000, "numerator_exceeds_denominator"),
        (1, 0, None),
        (0, 0, "denominator_zero"),
        (9007199254740991, 1, "numerator_exceeds_denominator"),
    ],
)
async def test_counts_that_cannot_be_a_share_are_judged_undetermined_and_not_refused(
    client: httpx.AsyncClient, numerator: int, denominator: int, reason: str | None
) -> None:
    facts = {SMARTPHONE: _ratio(numerator, denominator)}
    verdict = await judged(client, "phutho.commune", facts)
    outcome, reasons = verdict.outcome("phutho.1.1.1")
    assert outcome == "undetermined"
    assert reasons == [reason] if reason else len(reasons) == 1
    assert verdict["phutho.1.1.1"]["gap"] is None


async def test_a_share_that_may_exceed_its_base_is_shown_above_a_hundred(
    client: httpx.AsyncClient,
) -> None:
    code = "internet_lines_per_household_rate"
    found = (await judged(client, "bnn3445.annex1", {code: _ratio(1300, 1000)}))[
        "bnn3445.annex1.4.1"
    ]
    assert found["observed"]["percent"] == "130.00"
    assert found["outcome"] == "no_criterion"
    found = (await judged(client, "bnn3445.annex1", {code: {"percent": "130.5"}}))[
        "bnn3445.annex1.4.1"
    ]
    assert found["observed"]["percent"] == "130.50"


async def test_a_count_is_compared_with_its_threshold(client: httpx.AsyncClient) -> None:
    for count, outcome, more in ((3, "met", None), (2, "met", None), (0, "not_met", 2)):
        facts = {"dx_articles_per_month_min_count": count}
        found = (await judged(client, "travinh.commune", facts, as_of="2023-06-01"))[
            "travinh.commune.2b"
        ]
        assert found["outcome"] == outcome
        assert found["observed"]["value"] == count
        assert (found["gap"] or {"more": None})["more"] == more


async def test_a_sum_is_decided_as_soon_as_what_is_known_reaches_the_threshold(
    client: httpx.AsyncClient,
) -> None:
    one, other = "smart_commune_pilot_models_count", "smart_hamlet_models_province_count"
    for facts, outcome in (
        ({one: 1}, "met"),
        ({one: 0}, "undetermined"),
        ({one: 0, other: 0}, "not_met"),
        ({one: 0, other: 2}, "met"),
    ):
        verdict = await judged(client, "travinh.province", facts, level="province")
        assert verdict["travinh.province.4"]["outcome"] == outcome


# --- the area class ------------------------------------------------------------------------------

ISLAND = "các xã vùng đồng bào dân tộc thiểu số và miền núi, hải đảo"
OTHERS = "các xã còn lại"
CLASSES = ("area_island", "area_ethnic_minority_mountainous")


@pytest.mark.parametrize(
    ("island", "mountainous", "branch", "value", "outcome"),
    [
        (True, False, ISLAND, "50", "met"),
        (False, True, ISLAND, "50", "met"),
        (True, True, ISLAND, "50", "met"),
        (True, None, ISLAND, "50", "met"),
        (None, True, ISLAND, "50", "met"),
        (False, False, OTHERS, "80", "not_met"),
    ],
)
async def test_the_threshold_is_that_of_the_area_class_in_the_words_of_the_document(
    client: httpx.AsyncClient,
    island: bool | None,
    mountainous: bool | None,
    branch: str,
    value: str,
    outcome: str,
) -> None:
    known = dict(zip(CLASSES, (island, mountainous), strict=True))
    attributes = {code: one for code, one in known.items() if one is not None}
    facts = {SUBSCRIPTION: _ratio(60, 100)}
    for ruleset, id_ in (
        ("bnn3445.selection.smart", "bnn3445.selection.smart.5"),
        ("bnn3445.selection.ecom", "bnn3445.selection.ecom.3"),
    ):
        found = (await judged(client, ruleset, facts, attributes=attributes))[id_]
        assert found["required"]["branch"] == branch
        assert found["required"]["value"] == value
        assert found["outcome"] == outcome
        assert (found["gap"] or {"more": None})["more"] == (None if outcome == "met" else 20)


@pytest.mark.parametrize(
    ("numerator", "outcome", "reasons"),
    [
        (85, "met", []),
        (80, "met", []),
        (79, "undetermined", ["attribute_missing"]),
        (60, "undetermined", ["attribute_missing"]),
        (50, "undetermined", ["attribute_missing"]),
        (49, "not_met", []),
        (40, "not_met", []),
    ],
)
@pytest.mark.parametrize("attributes", [{}, {"area_island": False}])
async def test_an_unknown_area_class_decides_only_where_every_branch_agrees(
    client: httpx.AsyncClient,
    numerator: int,
    outcome: str,
    reasons: list[str],
    attributes: dict[str, bool],
) -> None:
    facts = {SUBSCRIPTION: _ratio(numerator, 100)}
    verdict = await judged(client, "bnn3445.selection.smart", facts, attributes=attributes)
    found = verdict["bnn3445.selection.smart.5"]
    assert verdict.outcome("bnn3445.selection.smart.5") == (outcome, reasons)
    assert found["required"]["value"] is None
    assert found["required"]["branch"] is None
    assert found["required"]["branches"] == [
        {"branch": ISLAND, "value": "50"},
        {"branch": OTHERS, "value": "80"},
    ]
    assert found["gap"] is None


# --- the exemption -------------------------------------------------------------------------------


@pytest.mark.parametrize("decision", DECISIONS)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("date", [None, "2023-03-16", "2024-12-31"])
async def test_a_commune_chosen_by_the_centre_is_exempt(
    client: httpx.AsyncClient, decision: str, form: Literal["NFC", "NFD"], date: str | None
) -> None:
    written = unicodedata.normalize(form, decision)
    chosen = {"model": "smart", "decision": written} | ({"date": date} if date else {})
    verdict = await judged(client, "bnn3445.selection.smart", designations=[chosen])
    for one in verdict.criteria.values():
        assert one["outcome"] == "not_applicable"
        assert one["reasons"] == ["exempt_central_pilot"]
        assert one["gap"] is None
    assert verdict.body["outcome"] == "not_applicable"
    assert verdict.body["reasons"] == ["exempt_central_pilot"]
    assert verdict.body["counts"]["not_applicable"] == sum(verdict.body["counts"].values())
    assert verdict.body["unit"]["designations"][0]["decision"] == decision


@pytest.mark.parametrize(
    "chosen",
    [
        {"model": "ecom", "decision": DECISIONS[0]},
        {"model": "smart", "decision": "970/QĐ-BNN-VPĐP"},
        {"model": "smart", "decision": "969/QD-BNN-VPDP"},
        {"model": "smart", "decision": "969"},
        {"model": "smart", "decision": DECISIONS[0], "date": "2025-01-01"},
    ],
    ids=["other model", "other decision", "no diacritics", "number only", "later"],
)
async def test_no_other_designation_exempts(
    client: httpx.AsyncClient, chosen: dict[str, str]
) -> None:
    verdict = await judged(client, "bnn3445.selection.smart", designations=[chosen])
    assert verdict.body["outcome"] == "undetermined"
    assert not [one for one in verdict.criteria.values() if one["outcome"] == "not_applicable"]


async def test_the_exemption_concerns_the_conditions_of_selection_only(
    client: httpx.AsyncClient,
) -> None:
    chosen = [{"model": "smart", "decision": DECISIONS[0]}]
    for ruleset in ("phutho.commune", "bnn3445.content.smart", "bnn3445.selection.ecom"):
        verdict = await judged(client, ruleset, designations=chosen)
        assert verdict.body["counts"]["not_applicable"] == 0, ruleset


# --- members -------------------------------------------------------------------------------------

YES, NO = {"commune_ntm_8_4_met": True}, {"commune_ntm_8_4_met": False}


@pytest.mark.parametrize(
    ("members", "outcome", "reasons", "counts"),
    [
        ([YES, YES, YES], "met", [], (3, 3, 0)),
        ([YES, YES, NO], "not_met", [], (3, 2, 0)),
        ([YES, YES, {}], "undetermined", ["member_value_missing"], (2, 2, 1)),
        ([YES, NO, {}], "not_met", [], (2, 1, 1)),
        ([{}, {}], "undetermined", ["member_value_missing"], (0, 0, 2)),
        ([], "undetermined", ["denominator_zero"], (0, 0, 0)),
    ],
)
async def test_a_share_follows_from_its_members_and_says_how_many_are_known(
    client: httpx.AsyncClient,
    members: list[dict[str, bool]],
    outcome: str,
    reasons: list[str],
    counts: tuple[int, int, int],
) -> None:
    given = [member(facts) for facts in members]
    verdict = await judged(
        client, "travinh.province", level="province", as_of="2023-06-30", members=given
    )
    found = verdict["travinh.province.1b.1"]
    assert verdict.outcome("travinh.province.1b.1") == (outcome, reasons)
    known, true, unknown = counts
    assert found["observed"]["members"] == {"known": known, "true": true, "unknown": unknown}
    assert found["observed"]["counts_known"] is (unknown == 0)


async def test_only_members_of_the_level_and_type_are_counted(client: httpx.AsyncClient) -> None:
    members = [
        member(YES),
        member(YES, type="xa"),
        member(NO, type="phuong"),
        member(NO, type="thi_tran"),
        member(NO, type="dac_khu"),
        member({"district_ntm_9_5_met": False}, level="district"),
    ]
    verdict = await judged(
        client, "travinh.province", level="province", as_of="2023-06-30", members=members
    )
    found = verdict["travinh.province.1b.1"]
    assert found["outcome"] == "met"
    assert found["observed"]["members"] == {"known": 2, "true": 2, "unknown": 0}
    assert verdict["travinh.province.1c.1"]["outcome"] == "not_met"


async def test_a_share_is_decided_early_only_when_no_missing_member_could_change_it(
    client: httpx.AsyncClient,
) -> None:
    both = {"commune_advanced_8_4_met": True, "commune_advanced_15_2_met": True}
    none = {"commune_advanced_8_4_met": False}
    for members, outcome in (
        ([both, both, {}, {}], "met"),
        ([both, {}, {}, {}], "undetermined"),
        ([none, none, none, {}], "not_met"),
        ([none, none, both, {}], "undetermined"),
    ):
        verdict = await judged(
            client,
            "travinh.province",
            level="province",
            as_of="2023-06-30",
            members=[member(facts) for facts in members],
        )
        assert verdict["travinh.province.1b.2"]["outcome"] == outcome, members


async def test_a_share_may_be_given_directly(client: httpx.AsyncClient) -> None:
    for fact, outcome in ((_ratio(85, 85), "met"), (_ratio(84, 85), "not_met")):
        facts = {"communes_ntm_8_4_rate": fact}
        verdict = await judged(client, "travinh.province", facts, level="province")
        found = verdict["travinh.province.1b.1"]
        assert found["outcome"] == outcome
        assert found["observed"]["numerator"] == fact["numerator"]
        assert verdict.body["unused_facts"] == []


@pytest.mark.parametrize(
    ("as_of", "outcome", "reasons"),
    [
        ("2025-06-30", "met", []),
        ("2025-07-01", "undetermined", ["level_abolished"]),
        ("2030-01-01", "undetermined", ["level_abolished"]),
    ],
)
async def test_there_is_no_share_of_districts_after_30_june_2025(
    client: httpx.AsyncClient, as_of: str, outcome: str, reasons: list[str]
) -> None:
    members = [member({"district_ntm_9_5_met": True}, level="district"), member(YES)]
    verdict = await judged(
        client, "travinh.province", level="province", as_of=as_of, members=members
    )
    assert verdict.outcome("travinh.province.1c.1") == (outcome, reasons)
    assert verdict["travinh.province.1b.1"]["outcome"] == "met"


async def test_a_share_of_provinces_counts_those_with_at_least_one_model(
    client: httpx.AsyncClient,
) -> None:
    code = "smart_commune_pilot_models_count"
    for counts, outcome in (([1, 2, 5], "met"), ([1, 0, 5], "not_met")):
        members = [member({code: count}, level="province") for count in counts]
        verdict = await judged(client, "qd924.nation", level="nation", members=members)
        assert verdict["qd924.4"]["outcome"] == outcome


# --- readings ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("communes", "hamlets", "outcome", "reasons", "readings"),
    [
        (1, 1, "met", [], ["met", "met"]),
        (0, 0, "not_met", [], ["not_met", "not_met"]),
        (1, 0, "undetermined", ["ambiguous_text"], ["not_met", "met"]),
        (0, 3, "undetermined", ["ambiguous_text"], ["not_met", "met"]),
        (2, None, "undetermined", ["missing_value"], ["undetermined", "met"]),
        (None, None, "undetermined", ["missing_value"], ["undetermined", "undetermined"]),
    ],
)
async def test_a_clause_with_several_readings_is_decided_only_when_they_agree(
    client: httpx.AsyncClient,
    communes: int | None,
    hamlets: int | None,
    outcome: str,
    reasons: list[str],
    readings: list[str],
) -> None:
    known = {
        "smart_commune_models_district_count": communes,
        "smart_hamlet_models_district_count": hamlets,
    }
    facts = {code: count for code, count in known.items() if count is not None}
    verdict = await judged(client, "phutho.district", facts, level="district")
    assert verdict.outcome("phutho.district.8.9") == (outcome, reasons)
    alternatives = verdict["phutho.district.8.9"]["reading"]["alternatives"]
    assert [one["outcome"] for one in alternatives] == readings
    assert len({one["text"] for one in alternatives}) == 2


async def test_another_reading_is_shown_with_its_outcome_and_does_not_decide(
    client: httpx.AsyncClient,
) -> None:
    facts = {**ENOUGH, "commune_website_editorial_board": False}
    verdict = await judged(client, "phutho.commune", facts)
    found = verdict["phutho.1.2.5"]
    assert found["outcome"] == "not_met"
    assert [one["outcome"] for one in found["reading"]["alternatives"]] == ["met"]
    assert verdict.body["outcome"] == "not_met"


# --- documents without thresholds ----------------------------------------------------------------


async def test_contents_without_a_threshold_are_counted_and_not_judged(
    client: httpx.AsyncClient,
) -> None:
    facts: dict[str, Any] = {"smart_contents_implemented": ["c2", "a1"]}
    verdict = await judged(client, "bnn3445.content.smart", facts)
    assert verdict.body["outcome"] == "no_overall_rule"
    assert verdict.body["all_items"] == "no_criterion"
    assert verdict.body["coverage"] == {"items": 18, "reported": 18, "present": 2}
    assert {one["outcome"] for one in verdict.criteria.values()} == {"no_criterion"}
    assert verdict["bnn3445.content.smart.a1"]["observed"]["value"] is True
    assert verdict["bnn3445.content.smart.a2"]["observed"]["value"] is False
    group = verdict["bnn3445.content.smart.a"]
    assert sum(one["coverage"]["items"] for one in verdict.body["criteria"]) == 18
    assert group["required"] is None
    assert group["gap"] is None


async def test_an_empty_list_is_reported_as_none_and_a_missing_one_not_at_all(
    client: httpx.AsyncClient,
) -> None:
    verdict = await judged(client, "bnn3445.content.ecom", {"ecom_contents_selected": []})
    assert verdict.body["coverage"] == {"items": 5, "reported": 5, "present": 0}
    verdict = await judged(client, "bnn3445.content.ecom", {})
    assert verdict.body["coverage"] == {"items": 5, "reported": 0, "present": 0}


async def test_an_annex_without_thresholds_shows_what_was_reported(
    client: httpx.AsyncClient,
) -> None:
    facts = {
        "satisfaction_software_data": True,
        "local_action_group": False,
        "mobile_4g5g_coverage_rate": _ratio(90, 100),
        "digital_skills_classes_count": 3,
    }
    verdict = await judged(client, "bnn3445.annex1", facts)
    coverage = verdict.body["coverage"]
    assert coverage["items"] == sum(verdict.body["counts"].values()) == 39
    assert coverage["reported"] == 4
    assert coverage["present"] == 1
    assert verdict["bnn3445.annex1.4.2"]["observed"]["percent"] == "90.00"
    assert verdict["bnn3445.annex1.12.1"]["observed"]["value"] == 3


# --- what is asked for ---------------------------------------------------------------------------


def _stripped(value: Any) -> Any:
    if isinstance(value, list):
        return [_stripped(one) for one in value]
    if not isinstance(value, dict):
        return value
    gone = {"text", "cite", "reading", "evidence", "notes", "cells"}
    return {key: _stripped(one) for key, one in value.items() if key not in gone}


async def test_texts_false_leaves_texts_cites_readings_and_evidence_out_and_nothing_else(
    client: httpx.AsyncClient,
) -> None:
    full = await judged(client, "phutho.commune", ENOUGH)
    short = await judged(client, "phutho.commune", ENOUGH, query="?texts=false")
    for one in short.criteria.values():
        assert not {"text", "cite", "reading", "evidence"} & set(one)
    assert _stripped(short.body["criteria"]) == short.body["criteria"]
    assert _stripped(full.body) == _stripped(short.body)
    assert {"text", "cite", "reading", "evidence"} <= set(full["phutho.1.1.1"])
    same = await judged(client, "phutho.commune", ENOUGH, query="?texts=true")
    assert same.body == full.body


@pytest.mark.parametrize("texts", ["", "no thanks", "False ", "2", "null", "ｆalse"])
async def test_texts_is_true_or_false(client: httpx.AsyncClient, texts: str) -> None:
    answer = await client.post(PREVIEW, json=VALID, params={"texts": texts})
    found = problem(answer)
    assert answer.status_code == 422
    assert found["errors"][0]["pointer"] == "/texts"
    assert "true" in found["detail"]


async def test_known_facts_that_the_ruleset_does_not_use_are_listed(
    client: httpx.AsyncClient,
) -> None:
    facts = {**ENOUGH, "ecom_contents_selected": ["1"], "hamlet_digital_team_established": True}
    members = [member({"commune_ntm_8_4_met": True})]
    verdict = await judged(client, "phutho.commune", facts, members=members)
    assert verdict.body["unused_facts"] == [
        "commune_ntm_8_4_met",
        "ecom_contents_selected",
        "hamlet_digital_team_established",
    ]
    assert verdict.body["outcome"] == "met"


async def test_readings_gaps_and_problems_are_english_on_request(
    client: httpx.AsyncClient,
) -> None:
    facts = {SMARTPHONE: _ratio(1, 100)}
    vi = await judged(client, "phutho.commune", facts, as_of="2026-01-01")
    en = await judged(client, "phutho.commune", facts, as_of="2026-01-01", language="en")
    one, other = vi["phutho.1.1.1"], en["phutho.1.1.1"]
    assert one["gap"]["more"] == other["gap"]["more"] == 84
    assert one["gap"]["of"] != other["gap"]["of"]
    assert other["gap"]["of"].isascii()
    assert one["reading"]["text"] != other["reading"]["text"]
    assert other["reading"]["text"].startswith("The indicator")
    assert one["text"] == other["text"]
    assert one["cite"] == other["cite"]
    assert vi.body["applicability"]["reason"] != en.body["applicability"]["reason"]
    assert vi.body["inputs_digest"] == en.body["inputs_digest"]
    headers = {"accept-language": "en"}
    bad = {**VALID, "facts": {"no_such": 1}}
    found = problem(await client.post(PREVIEW, json=bad, headers=headers), "en")
    assert found["errors"][0]["message"].startswith("there is no indicator")


async def test_as_of_is_today_in_viet_nam_unless_it_is_given(client: httpx.AsyncClient) -> None:
    zone = datetime.timezone(datetime.timedelta(hours=7))
    before = datetime.datetime.now(zone).date()
    verdict = await judged(client, "phutho.commune", as_of=None)
    after = datetime.datetime.now(zone).date()
    assert before <= datetime.date.fromisoformat(verdict.body["as_of"]) <= after
    verdict = await judged(client, "phutho.commune", as_of="2024-11-30")
    assert verdict.body["as_of"] == "2024-11-30"


@pytest.mark.parametrize(
    ("ruleset", "level", "as_of", "status"),
    [
        ("phutho.commune", "commune", "2024-09-30", "before_issue"),
        ("phutho.commune", "commune", "2024-10-15", "not_stated"),
        ("phutho.commune", "commune", "2024-11-01", "in_period"),
        ("phutho.commune", "commune", "2025-12-31", "in_period"),
        ("phutho.commune", "commune", "2026-01-01", "after_period"),
        ("travinh.commune", "commune", "2022-12-31", "before_issue"),
        ("travinh.commune", "commune", "2023-01-01", "in_period"),
        ("travinh.commune", "commune", "2023-12-31", "in_period"),
        ("travinh.commune", "commune", "2024-01-01", "after_period"),
        ("qd924.nation", "nation", "2022-08-01", "before_issue"),
        ("qd924.nation", "nation", "2022-08-02", "in_period"),
        ("qd924.nation", "nation", "2026-01-01", "after_period"),
        ("bnn3445.annex1", "commune", "2023-05-28", "before_issue"),
        ("bnn3445.annex1", "commune", "2023-05-29", "in_period"),
    ],
)
async def test_applicability_says_whether_the_document_speaks_of_the_day(
    client: httpx.AsyncClient, ruleset: str, level: str, as_of: str, status: str
) -> None:
    verdict = await judged(client, ruleset, level=level, as_of=as_of)
    found = verdict.body["applicability"]
    assert found["status"] == status
    assert (found["reason"] is None) == (status == "in_period")


async def test_applicability_never_changes_an_outcome(client: httpx.AsyncClient) -> None:
    days = ("2001-01-01", "2024-10-15", "2024-12-31", "2026-01-01")
    verdicts = [await judged(client, "phutho.commune", ENOUGH, as_of=day) for day in days]
    assert {one.body["outcome"] for one in verdicts} == {"met"}
    assert len({one.body["applicability"]["status"] for one in verdicts}) == 4


async def test_a_preview_without_a_code_is_never_out_of_scope(client: httpx.AsyncClient) -> None:
    for item in (await client.get("/v1/rulesets")).json()["items"]:
        verdict = await judged(client, item["id"], level=item["level"])
        assert verdict.body["applicability"]["status"] not in ("out_of_scope", "partly_in_scope")


async def test_the_same_inputs_have_the_same_digest_in_any_order(
    client: httpx.AsyncClient,
) -> None:
    members = [member(YES), member(NO), member({})]
    first = await judged(client, "phutho.commune", ENOUGH, members=members)
    turned = dict(reversed(ENOUGH.items()))
    second = await judged(client, "phutho.commune", turned, members=members[::-1])
    assert first.body["inputs_digest"] == second.body["inputs_digest"]
    for other in (
        {**ENOUGH, SMARTPHONE: _ratio(3401, 4000)},
        {**ENOUGH, SMARTPHONE: _ratio(6800, 8000)},
        {code: fact for code, fact in ENOUGH.items() if code != SMARTPHONE},
    ):
        third = await judged(client, "phutho.commune", other, members=members)
        assert third.body["inputs_digest"] != first.body["inputs_digest"]


async def test_the_same_request_has_the_same_answer(client: httpx.AsyncClient) -> None:
    answers = {(await client.post(PREVIEW, json=VALID)).content for _ in range(3)}
    assert len(answers) == 1


async def test_text_is_answered_composed_however_it_was_sent(client: httpx.AsyncClient) -> None:
    body = copy.deepcopy(VALID)
    body["unit"]["name"] = unicodedata.normalize("NFD", "Xã Hùng Lô")
    assert body["unit"]["name"] != "Xã Hùng Lô"
    verdict = Verdict(await client.post(PREVIEW, json=body))
    assert verdict.body["unit"]["name"] == "Xã Hùng Lô"
    body["unit"]["name"] = "Xã 😀"
    assert Verdict(await client.post(PREVIEW, json=body)).body["unit"]["name"] == "Xã 😀"


async def test_optional_parts_may_be_left_out_or_null(client: httpx.AsyncClient) -> None:
    short = await judged(client, "phutho.commune")
    body: dict[str, Any] = {
        "ruleset": "phutho.commune",
        "as_of": "2024-12-31",
        "unit": {
            "level": "commune",
            "type": None,
            "code": None,
            "name": None,
            "attributes": {},
            "designations": [],
        },
        "facts": {},
        "members": None,
    }
    long = Verdict(await client.post(PREVIEW, json=body))
    assert long.body == short.body


async def test_a_body_up_to_the_limit_is_read_and_one_byte_more_is_not(
    client: httpx.AsyncClient,
) -> None:
    limit = Settings().max_body_bytes
    headers = {"content-type": "application/json"}
    content = httpx.Request("POST", "http://x", json=VALID).content
    padded = content + b" " * (limit - len(content))
    assert (await client.post(PREVIEW, content=padded, headers=headers)).status_code == 200
    answer = await client.post(PREVIEW, content=padded + b" ", headers=headers)
    assert (answer.status_code, problem(answer)["code"]) == (413, "payload-too-large")
    assert str(limit) in problem(answer)["detail"]


async def test_twenty_thousand_members_are_judged(client: httpx.AsyncClient) -> None:
    members = [member(YES)] * 20_000
    verdict = await judged(
        client,
        "travinh.province",
        level="province",
        as_of="2023-06-30",
        members=members,
        query="?texts=false",
    )
    found = verdict["travinh.province.1b.1"]
    assert found["observed"]["members"] == {"known": 20_000, "true": 20_000, "unknown": 0}
    assert found["outcome"] == "met"


# --- what a unit is, and when a target is due ----------------------------------------------------


@pytest.mark.parametrize(
    ("level", "type_"), [("commune", "huyen"), ("district", "xa"), ("hamlet", "tinh")]
)
async def test_a_type_that_no_unit_of_the_level_has_is_refused(
    client: httpx.AsyncClient, level: str, type_: str
) -> None:
    """It would leave the member out of “số xã” in silence."""
    body = {
        "ruleset": "travinh.province",
        "unit": {"level": "province"},
        "members": [member({}, level, type=type_)],
    }
    found = problem(await client.post(PREVIEW, json=body))
    assert (found["status"], found["code"]) == (422, "wrong-value")
    assert [one["pointer"] for one in found["errors"]] == ["/members/0/unit/type"]


async def test_a_member_given_twice_is_refused(client: httpx.AsyncClient) -> None:
    twice = [member({}, code="07894"), member({}, code="07894")]
    body = {"ruleset": "travinh.province", "unit": {"level": "province"}, "members": twice}
    found = problem(await client.post(PREVIEW, json=body))
    assert [one["pointer"] for one in found["errors"]] == ["/members/1/unit/code"]


async def test_what_is_known_of_an_exempted_commune_stays_shown(client: httpx.AsyncClient) -> None:
    chosen = {"model": "smart", "decision": DECISIONS[0], "date": "2023-03-16"}
    body = {
        "ruleset": "bnn3445.selection.smart",
        "as_of": "2024-12-31",
        "unit": {"level": "commune", "designations": [chosen]},
        "facts": {SUBSCRIPTION: _ratio(60, 100)},
    }
    verdict = (await client.post(PREVIEW, json=body)).json()
    found = {one["id"]: one for one in flat(verdict["criteria"])}["bnn3445.selection.smart.5"]
    assert (found["outcome"], found["observed"]["percent"]) == ("not_applicable", "60.00")


@pytest.mark.parametrize(("as_of", "said"), [("2025-12-30", True), ("2025-12-31", False)])
async def test_a_target_judged_before_its_day_says_so(
    client: httpx.AsyncClient, as_of: str, said: bool
) -> None:
    body = {
        "ruleset": "qd924.nation",
        "as_of": as_of,
        "unit": {"level": "nation"},
        "facts": {"work_files_online_central_rate": _ratio(1, 100)},
    }
    verdict = (await client.post(PREVIEW, json=body)).json()
    found = {one["id"]: one for one in flat(verdict["criteria"])}["qd924.1a.1"]
    assert any("31/12/2025" in note for note in found["notes"]) is said
