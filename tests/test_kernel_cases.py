"""Cases worked by hand from the texts of the documents, each with its reckoning."""

from __future__ import annotations

from typing import Any

import pytest
from strategies import DISTRICTS_ENDED, entry, judged, member, registry, result

from app.rules.casework import outcomes
from app.rules.explain import explain
from app.rules.verdict import Designation, Judgement

MET, NOT_MET, UNDETERMINED = "met", "not_met", "undetermined"
NOT_APPLICABLE, NO_OVERALL_RULE = "not_applicable", "no_overall_rule"


def differing(judgement: Judgement, usual: str) -> dict[str, str]:
    """Return the criteria that do not come out as usual; report-only ones are left aside."""
    return {
        id_: outcome
        for id_, outcome in outcomes(judgement).items()
        if outcome not in (usual, "no_criterion", NO_OVERALL_RULE)
    }


def yes(*codes: str) -> dict[str, bool]:
    """Return facts that are all true."""
    return dict.fromkeys(codes, True)


# --- Phú Thọ: a commune exactly on every threshold ------------------------------------------------

PHU_THO: dict[str, Any] = {
    "adults_smartphone_internet_rate": "3400/4000",  # 85 %
    "commune_hamlet_cadres_smartphone_internet_rate": "34/34",
    "admin_dossiers_received_resolved_online_rate": "750/1000",  # 75 %
    "working_age_epayment_account_rate": "2975/3500",  # 85 %
    "registered_service_business_online_payment_rate": "35/50",  # 70 %
    **yes(
        "modern_electronic_one_stop",
        "commune_digital_team_decision",
        "commune_digital_team_plan_and_activities",
        "digital_platform_commune_to_hamlets",
        "commune_radio_ict_compliant",
        "commune_radio_linked_provincial_source",
        "commune_website_exists",
        "commune_website_content_current",
        "commune_website_editorial_board",
        "commune_social_media_account",
        "digital_coop_or_producer_traceability_model",
        "hamlet_security_cameras_linked_police",
        "security_feedback_channel",
        "digital_healthcare_services",
        "digital_teaching_services",
    ),
}


def phu_tho(**changed: Any) -> Judgement:
    """Judge the Phú Thọ commune with some values changed; None takes a value away."""
    facts = {code: value for code, value in {**PHU_THO, **changed}.items() if value is not None}
    return judged(facts, "phutho.commune")


def test_a_phu_tho_commune_exactly_on_every_threshold_is_met_by_inference() -> None:
    """Each group is explicit, that all four are needed is our inference."""
    found = phu_tho()
    assert differing(found, MET) == {}
    assert (found.outcome, found.basis, found.all_items) == (MET, "inferred", None)
    assert found.counts == {
        "met": 20, "not_met": 0, "undetermined": 0, "not_applicable": 0, "no_criterion": 0
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "expected", "reasons"),
    [
        # 100 * 8499 = 849,900 < 85 * 10,000 = 850,000
        ({"adults_smartphone_internet_rate": "8499/10000"},
         {"phutho.1.1.1": NOT_MET, "phutho.1.1": NOT_MET, "overall": NOT_MET}, ()),
        # 69.995 % rounds to 70.00 % and is below 70 %: 1,399,900 < 1,400,000
        ({"registered_service_business_online_payment_rate": "13999/20000"},
         {"phutho.1.3.2": NOT_MET, "phutho.1.3": NOT_MET, "overall": NOT_MET}, ()),
        # 3,600 of 3,500 people is impossible, never "102.9 % >= 85 %"
        ({"adults_smartphone_internet_rate": "3600/3500"},
         {"phutho.1.1.1": UNDETERMINED, "phutho.1.1": UNDETERMINED, "overall": UNDETERMINED},
         ("numerator_exceeds_denominator",)),
        # a commune without any registered service business
        ({"registered_service_business_online_payment_rate": "0/0"},
         {"phutho.1.3.2": UNDETERMINED, "phutho.1.3": UNDETERMINED, "overall": UNDETERMINED},
         ("denominator_zero",)),
        # the unnumbered paragraph on teaching is a condition of group 1.4
        ({"digital_teaching_services": False},
         {"phutho.1.4.u3": NOT_MET, "phutho.1.4": NOT_MET, "overall": NOT_MET}, ()),
        # a failure decides although something else is unknown
        ({"digital_teaching_services": False, "modern_electronic_one_stop": None},
         {"phutho.1.4.u3": NOT_MET, "phutho.1.4": NOT_MET, "phutho.1.2.2": UNDETERMINED,
          "phutho.1.2": UNDETERMINED, "overall": NOT_MET}, ()),
        # one of three website requirements is open
        ({"commune_website_editorial_board": None},
         {"phutho.1.2.5.b.3": UNDETERMINED, "phutho.1.2.5": UNDETERMINED,
          "phutho.1.2": UNDETERMINED, "overall": UNDETERMINED}, ("missing_value",)),
    ],
)  # fmt: skip
def test_a_phu_tho_commune_that_misses_one_thing(
    changed: dict[str, Any], expected: dict[str, str], reasons: tuple[str, ...]
) -> None:
    found = phu_tho(**changed)
    assert differing(found, MET) == expected
    assert found.reasons == reasons


def test_69_995_percent_is_shown_as_69_99() -> None:
    found = phu_tho(registered_service_business_online_payment_rate="13999/20000")
    shown = explain(entry("phutho.commune").compiled, found, {})["criteria"][2]["criteria"][1]
    assert (shown["id"], shown["observed"]["percent"]) == ("phutho.1.3.2", "69.99")
    assert shown["gap"]["more"] == 1


# --- 3445: who may be selected --------------------------------------------------------------------

ORDINARY = {"area_ethnic_minority_mountainous": False, "area_island": False}
SELECTION: dict[str, Any] = {
    "ntm_advanced_recognized_2016_2020": False,
    "households_internet_connected_rate": "1000/2000",  # 50 %
    "officials_smartphone_use_rate": "25/25",
    "officials_official_email_use_rate": "25/25",
    "officials_e_office_use_rate": "25/25",
    "working_age_smartphone_subscription_rate": "4000/5000",  # 80 %
    **yes(
        "ntm_advanced_recognized_2021_2025",
        "ntm_advanced_2021_2025_levels_fully_met",
        "digital_provider_mobilizable",
        "smart_facilities_adequate",
        "smart_workforce_adequate",
        "local_gov_resources_ready",
        "smart_model_commitment",
        "ecom_internet_network_adequate",
        "ecom_transport_routes_convenient",
        "ecom_workforce_adequate",
        "agri_products_ecom_ready",
        "ecom_local_gov_ready",
        "ecom_long_term_commitment",
    ),
}
# What is different between the two models: the number of the condition on subscriptions.
SUBSCRIPTIONS = {"smart": "5", "ecom": "3"}


def selection(model: str, changed: dict[str, Any], **more: Any) -> Judgement:
    """Judge the selection of a commune with some values changed; None takes a value away."""
    facts = {code: value for code, value in {**SELECTION, **changed}.items() if value is not None}
    more.setdefault("attributes", ORDINARY)
    return judged(facts, f"bnn3445.selection.{model}", **more)


def named(model: str, **expected: str) -> dict[str, str]:
    """Return expected outcomes under full ids: `c1b_i` is condition 1b.i."""
    return {
        id_
        if id_ == "overall"
        else f"bnn3445.selection.{model}.{id_[1:].replace('_', '.')}": outcome
        for id_, outcome in expected.items()
    }


@pytest.mark.parametrize("model", ["smart", "ecom"])
def test_an_ordinary_commune_exactly_at_50_and_80_percent_may_be_selected(model: str) -> None:
    """Condition 1 holds through the first half; recognition in 2016-2020 is then not needed."""
    found = selection(model, {})
    assert (found.outcome, found.basis) == (MET, "explicit")
    assert differing(found, MET) == named(model, c1b_i=NOT_MET, c1b=NOT_MET)


@pytest.mark.parametrize("model", ["smart", "ecom"])
@pytest.mark.parametrize("special", sorted(ORDINARY))
@pytest.mark.parametrize(
    ("fact", "outcome"), [("2500/5000", MET), ("2499/5000", NOT_MET), ("3999/5000", MET)]
)
def test_in_the_mountains_and_on_islands_50_percent_is_enough(
    model: str, special: str, fact: str, outcome: str
) -> None:
    """49.98 % is not."""
    found = selection(
        model,
        {"working_age_smartphone_subscription_rate": fact},
        attributes={**ORDINARY, special: True},
    )
    condition = f"bnn3445.selection.{model}.{SUBSCRIPTIONS[model]}"
    assert (found.outcome, result(found, condition).outcome) == (outcome, outcome)


@pytest.mark.parametrize("model", ["smart", "ecom"])
@pytest.mark.parametrize("fact", ["3999/5000", "2500/5000"])
def test_elsewhere_79_98_percent_is_too_little(model: str, fact: str) -> None:
    found = selection(model, {"working_age_smartphone_subscription_rate": fact})
    condition = f"bnn3445.selection.{model}.{SUBSCRIPTIONS[model]}"
    assert (found.outcome, result(found, condition).outcome) == (NOT_MET, NOT_MET)


@pytest.mark.parametrize(
    ("fact", "outcome"), [("1000/2000", MET), ("999/2000", NOT_MET), ("50%", UNDETERMINED)]
)
def test_half_of_the_households_need_internet_also_in_the_mountains(
    fact: str, outcome: str
) -> None:
    found = selection(
        "smart",
        {"households_internet_connected_rate": fact},
        attributes={**ORDINARY, "area_ethnic_minority_mountainous": True},
    )
    assert result(found, "bnn3445.selection.smart.2a").outcome == outcome
    assert found.outcome == outcome


def test_a_commune_chosen_for_the_smart_pilot_is_still_judged_for_the_e_commerce_one() -> None:
    """2.1 speaks of those chosen for the smart model only: 3,500 of 5,000 is 70 % < 80 %."""
    low = {"working_age_smartphone_subscription_rate": "3500/5000"}
    chosen = (Designation(None, "969/QĐ-BNN-VPĐP", "smart"),)
    smart = selection("smart", low, designations=chosen)
    assert set(outcomes(smart).values()) == {NOT_APPLICABLE}
    ecom = selection("ecom", low, designations=chosen)
    assert differing(ecom, MET) == named(
        "ecom", c1b_i=NOT_MET, c1b=NOT_MET, c3=NOT_MET, overall=NOT_MET
    )


@pytest.mark.parametrize("model", ["smart", "ecom"])
@pytest.mark.parametrize(
    ("levels", "outcome"), [(True, MET), (False, NOT_MET), (None, UNDETERMINED)]
)
def test_recognised_in_2016_2020_the_later_levels_must_be_met_too(
    model: str, levels: bool | None, outcome: str
) -> None:
    found = selection(
        model,
        {
            "ntm_advanced_recognized_2021_2025": False,
            "ntm_advanced_recognized_2016_2020": True,
            "ntm_advanced_2021_2025_levels_fully_met": levels,
        },
    )
    expected = named(model, c1a=NOT_MET)
    if outcome != MET:
        expected |= named(model, c1b_ii=outcome, c1b=outcome, c1=outcome, overall=outcome)
    assert differing(found, MET) == expected


# --- Trà Vinh -------------------------------------------------------------------------------------

HAMLET: dict[str, Any] = {
    "best_model_automated_stages_rate": "8/10",  # "từ 80%"
    "circular_auto_irrigation_model": False,
    "working_age_info_access_hamlet_rate": "400/500",  # "từ 80% trở lên"
    "households_cashless_electricity_or_water_hamlet_rate": "1799/2000",  # 89.95 % < 90 %
    "admin_dossiers_submitted_online_hamlet_rate": "80/100",
    **yes(
        "hamlet_model_ntm_criteria_completed",
        "hamlet_network_covers_households",
        "free_public_wifi_hamlet",
        "hamlet_digital_team_established",
    ),
}


def hamlet(**changed: Any) -> Judgement:
    """Judge the Trà Vinh hamlet with some values changed; None takes a value away."""
    facts = {code: value for code, value in {**HAMLET, **changed}.items() if value is not None}
    return judged(facts, "travinh.hamlet")


def test_a_tra_vinh_hamlet_needs_one_branch_of_each_or() -> None:
    found = hamlet()
    assert differing(found, MET) == {"travinh.hamlet.2b": NOT_MET, "travinh.hamlet.7a": NOT_MET}
    assert (found.outcome, found.basis, found.all_items) == (NO_OVERALL_RULE, "none", MET)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        # neither branch: 79 of 100 dossiers
        ({"admin_dossiers_submitted_online_hamlet_rate": "79/100"},
         {"travinh.hamlet.7b": NOT_MET, "travinh.hamlet.7": NOT_MET, "all_items": NOT_MET}),
        # the other branch alone: 1,800 of 2,000 households is 90 %
        ({"admin_dossiers_submitted_online_hamlet_rate": "0/100",
          "households_cashless_electricity_or_water_hamlet_rate": "1800/2000"},
         {"travinh.hamlet.7b": NOT_MET, "travinh.hamlet.7a": MET}),
        # one branch failed, the other open
        ({"admin_dossiers_submitted_online_hamlet_rate": None},
         {"travinh.hamlet.7b": UNDETERMINED, "travinh.hamlet.7": UNDETERMINED,
          "all_items": UNDETERMINED}),
        # one branch met, the other open
        ({"circular_auto_irrigation_model": None}, {"travinh.hamlet.2b": UNDETERMINED}),
        ({"best_model_automated_stages_rate": "7/10"},
         {"travinh.hamlet.2a": NOT_MET, "travinh.hamlet.2": NOT_MET, "all_items": NOT_MET}),
        ({"best_model_automated_stages_rate": "0/10", "circular_auto_irrigation_model": True},
         {"travinh.hamlet.2a": NOT_MET, "travinh.hamlet.2b": MET}),
        ({"working_age_info_access_hamlet_rate": "399/500"},
         {"travinh.hamlet.5": NOT_MET, "all_items": NOT_MET}),
    ],
)  # fmt: skip
def test_a_tra_vinh_hamlet_with_other_branches(
    changed: dict[str, Any], expected: dict[str, str]
) -> None:
    usual = {"travinh.hamlet.2b": NOT_MET, "travinh.hamlet.7a": NOT_MET}
    wanted = {id_: one for id_, one in {**usual, **expected}.items() if one != MET}
    assert differing(hamlet(**changed), MET) == wanted


COMMUNE: dict[str, Any] = {
    "dx_articles_per_month_min_count": 2,
    "radio_dx_broadcasts_per_week_min_count": 1,
    **dict.fromkeys(
        ("staff_computer_internet_rate", "staff_official_email_account_rate",
         "staff_ioffice_use_rate", "ntm_staff_dx_trained_commune_rate"),
        "30/30",
    ),
    **dict.fromkeys(
        ("computers_dedicated_network_rate", "computers_antimalware_rate",
         "computers_malware_info_sharing_rate"),
        "32/32",
    ),
    "households_smartphone_rate": "1800/2000",  # 90 %
    **yes(
        "commune_model_ntm_criteria_completed",
        "commune_website_exists",
        "radio_dx_segment_exists",
        "fibre_internet_to_hamlets",
        "mobile_4g5g_to_hamlets",
        "lan_infosec_dossier_appraised",
        "lan_infosec_dossier_approved",
    ),
}  # fmt: skip


def test_a_tra_vinh_commune_exactly_on_every_threshold_has_all_items() -> None:
    found = judged(COMMUNE, "travinh.commune")
    assert differing(found, MET) == {}
    assert (found.outcome, found.all_items) == (NO_OVERALL_RULE, MET)


def test_a_tra_vinh_commune_with_one_weak_month_and_one_missing_approval() -> None:
    """One item in the weakest month; approval unknown; 31 of 32 computers; 89.95 % of homes."""
    changed = {
        "dx_articles_per_month_min_count": 1,
        "computers_malware_info_sharing_rate": "31/32",
        "households_smartphone_rate": "1799/2000",
    }
    facts = {**COMMUNE, **changed}
    del facts["lan_infosec_dossier_approved"]
    found = judged(facts, "travinh.commune")
    assert differing(found, MET) == {
        "travinh.commune.2b": NOT_MET,
        "travinh.commune.2": NOT_MET,
        "travinh.commune.4b": UNDETERMINED,
        "travinh.commune.4": UNDETERMINED,
        "travinh.commune.5b.3": NOT_MET,
        "travinh.commune.5b": NOT_MET,
        "travinh.commune.5": NOT_MET,
        "travinh.commune.7": NOT_MET,
        "all_items": NOT_MET,
    }
    assert found.outcome == NO_OVERALL_RULE
    assert result(found, "travinh.commune.2b").gap == 1
    assert result(found, "travinh.commune.7").gap == 1


# --- Decision 924 ---------------------------------------------------------------------------------

NATION: dict[str, Any] = {
    "work_files_online_central_rate": "900/1000",
    "work_files_online_province_rate": "9/10",
    "work_files_online_district_rate": "80/100",
    "work_files_online_commune_rate": "60/100",
    "communes_ntm_8_4_rate": "97/100",
    "communes_advanced_8_4_rate": "50/100",
    "communes_advanced_15_2_rate": "1/2",
    "districts_ntm_9_5_rate": "60/100",
    "districts_advanced_6_5_rate": "25/100",
    "districts_advanced_9_2_rate": "25/100",
    "ntm_managers_dx_trained_rate": "5000/5000",
    "communes_with_cooperative_rate": "70/100",
    "districts_with_linkage_model_rate": "70/100",
    "linkage_models_digital_rate": "50/100",
    "units_online_service_and_survey_rate": "40/100",
}


def provinces(*models: int | None) -> tuple[Any, ...]:
    """Return provinces with so many pilot models each; None is not known."""
    code = "smart_commune_pilot_models_count"
    return tuple(
        member({} if one is None else {code: one}, "province", type=None) for one in models
    )


def test_decision_924_judges_every_target_by_itself() -> None:
    """89.99 % of provincial files, 49 % for 15.2, 62 of 63 provinces: three targets are missed."""
    changed = {
        "work_files_online_province_rate": "8999/10000",
        "communes_advanced_15_2_rate": "49/100",
        "provinces_with_smart_pilot_rate": "62/63",
    }
    found = judged({**NATION, **changed}, "qd924.nation")
    assert differing(found, MET) == {
        "qd924.1a.2": NOT_MET,
        "qd924.1a": NOT_MET,
        "qd924.1b.3": NOT_MET,
        "qd924.4": NOT_MET,
        "all_items": NOT_MET,
    }
    assert result(found, "qd924.4").gap == 1


@pytest.mark.parametrize(
    ("models", "outcome", "reasons"),
    [
        ((1,) * 62 + (0,), NOT_MET, ()),
        ((1,) * 63, MET, ()),
        ((1, 1, 1, None), UNDETERMINED, ("member_value_missing",)),
        ((1, 2, 0, None), NOT_MET, ()),
        ((1, 1, 3, 1), MET, ()),
        ((), UNDETERMINED, ("denominator_zero",)),
    ],
)
def test_each_province_means_every_province(
    models: tuple[int | None, ...], outcome: str, reasons: tuple[str, ...]
) -> None:
    """One known to have none fails; one not known leaves it open; none at all decides nothing."""
    found = judged(NATION, "qd924.nation", members=provinces(*models))
    assert (result(found, "qd924.4").outcome, result(found, "qd924.4").reasons) == (
        outcome,
        reasons,
    )
    assert found.all_items == outcome
    assert differing(found, MET) == (
        {} if outcome == MET else {"qd924.4": outcome, "all_items": outcome}
    )


def test_work_files_are_pooled_figures_that_outlive_the_district_level() -> None:
    """They are given, not worked out from districts: 80 of 100 files count on any day."""
    found = judged(NATION, "qd924.nation", as_of=DISTRICTS_ENDED)
    assert result(found, "qd924.1a.3").outcome == MET


def test_the_same_value_serves_every_document_that_measures_the_same_thing() -> None:
    """30 % of provincial files meets Trà Vinh's 2023 target and misses that of Decision 924."""
    facts = {"work_files_online_province_rate": "30/100"}
    assert outcomes(judged(facts, "travinh.province"))["travinh.province.1a.1"] == MET
    assert outcomes(judged(facts, "qd924.nation"))["qd924.1a.2"] == NOT_MET
    used = {
        entry.ruleset.ruleset for entry, _ in registry().uses("work_files_online_province_rate")
    }
    assert used == {"travinh.province", "qd924.nation"}
