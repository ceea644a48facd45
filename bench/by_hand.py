"""The ruleset written by hand, as one would who needs nothing but the overall outcome.

Straight-line code in the order of the document, exact integers, no check of what the caller
passes; the first clause that fails ends it, as no clause after it can change the outcome.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def outcome(facts: Mapping[str, Any]) -> str:
    """Return "met", "not_met" or "undetermined" from values that are bool, Ratio or absent."""
    get = facts.get
    unknown = False
    given = get("adults_smartphone_internet_rate")
    if given is None or given.denominator == 0 or given.numerator > given.denominator:
        unknown = True
    elif given.numerator * 100 < 85 * given.denominator:
        return "not_met"
    given = get("commune_hamlet_cadres_smartphone_internet_rate")
    if given is None or given.denominator == 0 or given.numerator > given.denominator:
        unknown = True
    elif given.numerator != given.denominator:
        return "not_met"
    given = get("admin_dossiers_received_resolved_online_rate")
    if given is None or given.denominator == 0 or given.numerator > given.denominator:
        unknown = True
    elif given.numerator * 100 < 75 * given.denominator:
        return "not_met"
    given = get("modern_electronic_one_stop")
    if given is None:
        unknown = True
    elif not given:
        return "not_met"
    given = get("commune_digital_team_decision")
    if given is None:
        unknown = True
    elif not given:
        return "not_met"
    given = get("commune_digital_team_plan_and_activities")
    if given is None:
        unknown = True
    elif not given:
        return "not_met"
    given = get("digital_platform_commune_to_hamlets")
    if given is None:
        unknown = True
    elif not given:
        return "not_met"
    given = get("commune_radio_ict_compliant")
    if given is None:
        unknown = True
    elif not given:
        return "not_met"
    given = get("commune_radio_linked_provincial_source")
    if given is None:
        unknown = True
    elif not given:
        return "not_met"
    given = get("commune_website_exists")
    if given is None:
        unknown = True
    elif not given:
        return "not_met"
    given = get("commune_website_content_current")
    if given is None:
        unknown = True
    elif not given:
        return "not_met"
    given = get("commune_website_editorial_board")
    if given is None:
        unknown = True
    elif not given:
        return "not_met"
    given = get("commune_social_media_account")
    if given is None:
        unknown = True
    elif not given:
        return "not_met"
    given = get("working_age_epayment_account_rate")
    if given is None or given.denominator == 0 or given.numerator > given.denominator:
        unknown = True
    elif given.numerator * 100 < 85 * given.denominator:
        return "not_met"
    given = get("registered_service_business_online_payment_rate")
    if given is None or given.denominator == 0 or given.numerator > given.denominator:
        unknown = True
    elif given.numerator * 100 < 70 * given.denominator:
        return "not_met"
    given = get("digital_coop_or_producer_traceability_model")
    if given is None:
        unknown = True
    elif not given:
        return "not_met"
    given = get("hamlet_security_cameras_linked_police")
    if given is None:
        unknown = True
    elif not given:
        return "not_met"
    given = get("security_feedback_channel")
    if given is None:
        unknown = True
    elif not given:
        return "not_met"
    given = get("digital_healthcare_services")
    if given is None:
        unknown = True
    elif not given:
        return "not_met"
    given = get("digital_teaching_services")
    if given is None:
        unknown = True
    elif not given:
        return "not_met"
    return "undetermined" if unknown else "met"
