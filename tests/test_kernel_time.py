"""Days and periods: when a document speaks, which value counts, when an exemption holds."""

from __future__ import annotations

import datetime
import functools
import itertools
from typing import Any

import msgspec
import pytest
from strategies import (
    DAY,
    EXEMPTING,
    RULESETS,
    cases_text,
    entry,
    indicators_text,
    judged,
    leaf,
    rules,
    ruleset_text,
)

from app.rules.casework import outcomes, walk
from app.rules.explain import explain
from app.rules.facts import Fact, Recorded
from app.rules.period import Period, Value, choose, read_period
from app.rules.registry import Registry
from app.rules.verdict import Designation

Day = datetime.date


# --- applicability -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ruleset", "as_of", "status"),
    [
        # 3445: signed 29 May 2023; states no day of effect; to the end of 2025.
        ("bnn3445.selection.smart", Day(2023, 5, 28), "before_issue"),
        ("bnn3445.selection.smart", Day(2023, 5, 29), "in_period"),
        ("bnn3445.selection.smart", Day(2025, 12, 31), "in_period"),
        ("bnn3445.selection.smart", Day(2026, 1, 1), "after_period"),
        # Phú Thọ: October 2024, the day left blank.
        ("phutho.commune", Day(2024, 9, 30), "before_issue"),
        ("phutho.commune", Day(2024, 10, 1), "not_stated"),
        ("phutho.commune", Day(2024, 10, 30), "not_stated"),
        ("phutho.commune", Day(2024, 10, 31), "in_period"),
        ("phutho.commune", Day(2026, 1, 1), "after_period"),
        # Trà Vinh: a plan for 2023 that names its period, its day of issue unknown.
        ("travinh.commune", Day(2022, 12, 31), "before_issue"),
        ("travinh.commune", Day(2023, 1, 1), "in_period"),
        ("travinh.commune", Day(2023, 12, 31), "in_period"),
        ("travinh.commune", Day(2024, 1, 1), "after_period"),
        # Decision 924: signed 2 August 2022, to the end of 2025.
        ("qd924.nation", Day(2022, 8, 1), "before_issue"),
        ("qd924.nation", Day(2022, 8, 2), "in_period"),
        ("qd924.nation", Day(2026, 1, 1), "after_period"),
    ],
)
def test_a_document_speaks_from_its_issue_to_the_end_of_its_period(
    ruleset: str, as_of: Day, status: str
) -> None:
    assert judged({}, ruleset, as_of=as_of).applicability == status


@functools.cache
def dated_rules(issued: str, in_force: str) -> Registry:
    """Return a document with this date of issue and these days in force."""
    document = (
        '{number: "1/THU", title: "Thử", short: "Thử", issuer: "Không ai", '
        f'issued: "{issued}", source_grade: "full"}}'
    )
    return rules(
        indicators_text(held="boolean"),
        ruleset_text(leaf("a", "indicator: held"), document=document, in_force=in_force),
        cases_text({"a": ("held: true", "held: false")}),
    )


@pytest.mark.parametrize(
    ("issued", "in_force", "statuses"),
    [
        # in force only some time after its issue
        ("2024-01-15", "{since: 2024-03-01, until: 2024-12-31}",
         {"2024-01-14": "before_issue", "2024-02-29": "before_issue", "2024-03-01": "in_period",
          "2024-12-31": "in_period", "2025-01-01": "after_period"}),
        # in force for days before its issue: it could not be known then
        ("2024-06-01", "{since: 2024-01-01, until: 2024-12-31}",
         {"2024-05-31": "before_issue", "2024-06-01": "in_period"}),
        # no end: what holds on a later day is not stated
        ("2024-01-15", "{since: 2024-03-01}",
         {"2024-02-29": "before_issue", "2024-03-01": "not_stated", "2030-01-01": "not_stated"}),
        ("2024-01-15", "{}", {"2024-01-14": "before_issue", "2024-01-15": "not_stated"}),
        # the day, or the month, of issue left blank
        ("2024-12", "{until: 2025-06-30}",
         {"2024-11-30": "before_issue", "2024-12-01": "not_stated", "2024-12-30": "not_stated",
          "2024-12-31": "in_period", "2025-07-01": "after_period"}),
        ("2023", "{until: 2024-06-30}",
         {"2022-12-31": "before_issue", "2023-06-01": "not_stated", "2023-12-30": "not_stated",
          "2023-12-31": "in_period"}),
    ],
)  # fmt: skip
def test_what_a_document_leaves_open_about_its_days_stays_open(
    issued: str, in_force: str, statuses: dict[str, str]
) -> None:
    found = {
        day: judged({}, rules=dated_rules(issued, in_force), as_of=Day.fromisoformat(day))
        for day in statuses
    }
    assert {day: one.applicability for day, one in found.items()} == statuses


@pytest.mark.parametrize("scope", ["out_of_scope", "partly_in_scope"])
@pytest.mark.parametrize("as_of", [Day(2020, 1, 1), DAY, Day(2030, 1, 1)])
def test_a_unit_outside_the_scope_is_said_to_be_outside_on_any_day(scope: str, as_of: Day) -> None:
    assert judged({}, "phutho.commune", as_of=as_of, scope=scope).applicability == scope


@pytest.mark.parametrize("ruleset", RULESETS)
def test_applicability_is_shown_and_changes_no_outcome(ruleset: str) -> None:
    """Judged for the same period on any day and in any scope, the criteria come out the same."""
    compiled, worked = entry(ruleset).compiled, entry(ruleset).cases[0]
    found = [
        compiled.evaluate(
            msgspec.structs.replace(
                worked.inputs, as_of=as_of, period_end=Day(2022, 12, 31), scope=scope
            )
        )
        for as_of in (Day(2023, 1, 1), Day(2024, 12, 31), Day(2026, 1, 1))
        for scope in (None, "out_of_scope")
    ]
    assert len({one.applicability for one in found}) > 1
    assert len({str(outcomes(one)) for one in found}) == 1


def test_the_reason_of_the_status_carries_the_note_of_the_document() -> None:
    compiled = entry("phutho.commune").compiled
    note = compiled.ruleset.in_force.note
    assert note is not None
    for as_of, given in ((Day(2024, 10, 15), True), (DAY, False)):
        shown = explain(compiled, judged({}, "phutho.commune", as_of=as_of), {})["applicability"]
        assert (shown["reason"] is not None and note.vi in shown["reason"]) is given


# --- periods --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2024", Day(2024, 1, 1), Day(2024, 12, 31)),
        ("2024-H1", Day(2024, 1, 1), Day(2024, 6, 30)),
        ("2024-H2", Day(2024, 7, 1), Day(2024, 12, 31)),
        ("2024-Q1", Day(2024, 1, 1), Day(2024, 3, 31)),
        ("2024-Q3", Day(2024, 7, 1), Day(2024, 9, 30)),
        ("2024-Q4", Day(2024, 10, 1), Day(2024, 12, 31)),
        ("2024-02", Day(2024, 2, 1), Day(2024, 2, 29)),
        ("2023-02", Day(2023, 2, 1), Day(2023, 2, 28)),
        ("2024-10", Day(2024, 10, 1), Day(2024, 10, 31)),
        ("2024-12", Day(2024, 12, 1), Day(2024, 12, 31)),
    ],
)
def test_a_period_is_a_year_half_year_quarter_or_month(text: str, first: Day, last: Day) -> None:
    assert read_period(text) == Period(first, last, text)


@pytest.mark.parametrize(
    "text",
    ["", "24", "2024-", "2024-1", "2024-00", "2024-13", "2024-H0", "2024-H3", "2024-Q0", "2024-Q5",
     "2024-h1", "2024-10-31", " 2024", "2024 ", "2024\n", "20240", "0000", "２０２４", "٢٠٢٤",
     "2024/10", "2024–10"],
)  # fmt: skip
def test_anything_else_is_no_period(text: str) -> None:
    assert read_period(text) is None


def values(*periods: str) -> list[Value]:
    """Return one value for each period; its source says for which."""
    return [Value(True, _period(text), f"of {text}", "approved") for text in periods]


def chosen(period: str, *periods: str, standing: bool = False) -> tuple[str | None, str | None]:
    """Return the period and the mark of the value that counts, whatever the order of the values."""
    found = {
        str(choose(order, _period(period), standing))
        for order in itertools.permutations(values(*periods))
    }
    assert len(found) == 1
    best = choose(values(*periods), _period(period), standing)
    return (best.period, best.discounted) if best else (None, None)


@pytest.mark.parametrize(
    ("period", "recorded", "counts"),
    [
        ("2024", ("2024", "2024-H2", "2024-12"), "2024"),  # the one for exactly the period
        ("2024", ("2024-H1", "2024-Q1", "2024-08"), "2024-08"),  # else the one that ends last
        ("2024", ("2024-Q4", "2024-H2", "2024-12"), "2024-H2"),  # the longer on a tie
        ("2024", ("2023", "2024-01"), "2024-01"),  # one within before any older one
        ("2024-Q3", ("2024-Q3", "2024-09"), "2024-Q3"),
        ("2024-H1", ("2024-Q2", "2024-06", "2024-H2"), "2024-Q2"),
    ],
)
def test_the_value_within_the_period_that_fits_it_best_counts(
    period: str, recorded: tuple[str, ...], counts: str
) -> None:
    assert chosen(period, *recorded) == (counts, None)
    assert chosen(period, *recorded, standing=True) == (counts, None)


@pytest.mark.parametrize(
    ("recorded", "counts"),
    [(("2022", "2023-H1"), "2023-H1"), (("2023-Q4", "2023"), "2023"), (("2019",), "2019")],
)
def test_an_older_value_counts_only_where_it_stands_until_followed(
    recorded: tuple[str, ...], counts: str
) -> None:
    """Recognitions and decisions stand; shares, presence and flows are shown as outdated."""
    assert chosen("2024", *recorded) == (counts, "value_outdated")
    assert chosen("2024", *recorded, standing=True) == (counts, None)


@pytest.mark.parametrize(
    ("period", "recorded"),
    [
        ("2024-H1", ("2025",)),
        ("2024-H1", ("2024-07", "2024-H2")),
        ("2024-H1", ("2024",)),
        ("2024-H2", ("2024",)),  # begins before and ends with it
        ("2024-Q2", ("2024-H1", "2024")),
        ("2024-H1", ()),
    ],
)
@pytest.mark.parametrize("standing", [True, False])
def test_a_value_that_is_not_yet_known_or_wider_than_the_period_does_not_count(
    period: str, recorded: tuple[str, ...], standing: bool
) -> None:
    assert chosen(period, *recorded, standing=standing) == (None, None)


def test_the_value_that_counts_keeps_its_source_and_status() -> None:
    assert choose(values("2024"), _period("2024"), standing=False) == Recorded(
        True, "2024", "of 2024", "approved", None
    )


def test_values_are_valid_as_the_catalogue_says() -> None:
    """Recognition stands, presence is a state, dossiers are a flow of the period."""
    known = entry("phutho.commune").compiled.indicators
    assert known["admin_dossiers_received_resolved_online_rate"].validity == "flow"
    assert known["modern_electronic_one_stop"].validity == "stock"
    chosen_ones = entry("bnn3445.selection.smart").compiled.indicators
    assert chosen_ones["ntm_advanced_recognized_2021_2025"].validity == "standing"


def _period(text: str) -> Period:
    found = read_period(text)
    assert found is not None
    return found


# --- communes chosen by the centre ----------------------------------------------------------------

FAILING: dict[str, Fact] = {"digital_provider_mobilizable": False}


def selection(model: str, *designations: Designation, **more: Any) -> str:
    """Return the overall outcome of the selection conditions of a model."""
    found = judged({}, f"bnn3445.selection.{model}", designations=designations, **more)
    return found.outcome


@pytest.mark.parametrize("decision", EXEMPTING)
@pytest.mark.parametrize("model", ["smart", "ecom"])
def test_a_commune_chosen_by_the_centre_is_outside_the_conditions_of_that_model(
    model: str, decision: str
) -> None:
    other = {"smart": "ecom", "ecom": "smart"}[model]
    one = Designation(Day(2023, 3, 16), decision, model)
    assert selection(model, one) == "not_applicable"
    assert selection(other, one) == "undetermined"


@pytest.mark.parametrize(
    "decision", ["12/QĐ-UBND", "969/QĐ-BNN", "969", "924/QĐ-TTg", "1824/QĐ-BNN-VPĐP ", ""]
)
def test_no_other_decision_exempts(decision: str) -> None:
    """A province's own approval exempts nobody."""
    assert selection("smart", Designation(Day(2023, 3, 16), decision, "smart")) == "undetermined"


@pytest.mark.parametrize(
    ("date", "as_of", "outcome"),
    [
        (Day(2023, 5, 11), Day(2023, 5, 10), "undetermined"),
        (Day(2023, 5, 11), Day(2023, 5, 11), "not_applicable"),
        (None, Day(2023, 5, 10), "not_applicable"),
    ],
)
def test_the_exemption_holds_from_the_day_of_the_decision(
    date: Day | None, as_of: Day, outcome: str
) -> None:
    assert selection("smart", Designation(date, EXEMPTING[1], "smart"), as_of=as_of) == outcome


def test_one_exempting_designation_among_others_is_enough() -> None:
    others = (Designation(None, "12/QĐ-UBND", "smart"), Designation(None, EXEMPTING[0], "ecom"))
    assert selection("smart", *others) == "undetermined"
    assert selection("smart", *others, Designation(None, EXEMPTING[1], "smart")) == "not_applicable"


def test_an_exempted_commune_is_never_met_nor_failed_whatever_is_known_of_it() -> None:
    one = Designation(None, EXEMPTING[0], "smart")
    found = judged(FAILING, "bnn3445.selection.smart", designations=(one,))
    assert {result.outcome for result in walk(found.criteria)} == {"not_applicable"}
    assert {result.reasons for result in walk(found.criteria)} == {("exempt_central_pilot",)}
    assert (found.reasons, found.basis) == (("exempt_central_pilot",), "explicit")
    assert found.counts["not_applicable"] == 13


def test_only_the_two_selections_know_an_exemption() -> None:
    found = {id_: entry(id_).ruleset.exemption for id_ in RULESETS}
    exempting = {id_: one for id_, one in found.items() if one is not None}
    assert {(id_, one.model) for id_, one in exempting.items()} == {
        ("bnn3445.selection.smart", "smart"),
        ("bnn3445.selection.ecom", "ecom"),
    }
    assert {one.decisions for one in exempting.values()} == {EXEMPTING}
