"""`ntm evaluate` on a CSV file: good files are judged, bad ones reported line by line."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pytest
from conftest import Ntm, Ran, run_here

COLUMNS = (
    "unit", "on", "period", "indicator", "value", "numerator", "denominator",
    "source", "measured_on", "note",
)  # fmt: skip
HEADER = ",".join(COLUMNS)
SMARTPHONE = "adults_smartphone_internet_rate"
WEBSITE = "commune_website_exists"
DECISION = "commune_digital_team_decision"  # counts until followed
PLAN = "commune_digital_team_plan_and_activities"  # does not
SET = "smart_contents_implemented"


def row(indicator: str, **cells: str) -> str:
    """Return one row: of commune 07894 in 2024 unless said otherwise."""
    given = {"unit": "07894", "period": "2024", "indicator": indicator, **cells}
    written = io.StringIO()
    csv.writer(written).writerow([given.get(name, "") for name in COLUMNS])
    return written.getvalue().removesuffix("\r\n")


def ratio(numerator: int, denominator: int, indicator: str = SMARTPHONE, **cells: str) -> str:
    """Return the row of a share with known counts."""
    counts = {"numerator": str(numerator), "denominator": str(denominator)}
    return row(indicator, **counts, **cells)


Evaluate = Callable[..., Ran]
Quoting = Literal[0, 1]


@pytest.fixture
def evaluate(ntm: Ntm, tmp_path: Path) -> Evaluate:
    """Write a file of these rows and evaluate it."""

    def run(*rows: str, ruleset: str = "phutho.commune", args: tuple[str, ...] = ()) -> Ran:
        path = tmp_path / "facts.csv"
        path.write_text("\n".join([HEADER, *rows]) + "\n", "utf-8")
        return ntm("evaluate", "--ruleset", ruleset, "--facts", path, *args)

    return run


def verdicts(ran: Ran) -> list[dict[str, Any]]:
    """Return the verdicts that a run printed as JSON."""
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    assert set(found) == {"items", "next"}
    assert found["next"] is None
    items: list[dict[str, Any]] = found["items"]
    return items


def criterion(verdict: dict[str, Any], id_: str) -> dict[str, Any]:
    """Return one criterion of a verdict."""
    waiting = list(verdict["criteria"])
    while waiting:
        found: dict[str, Any] = waiting.pop()
        if found["id"] == id_:
            return found
        waiting += found["criteria"]
    raise AssertionError(id_)


def complaints(ran: Ran) -> dict[int, list[tuple[str, str]]]:
    """Return what a report says of each line: column and message."""
    found: dict[int, list[tuple[str, str]]] = {}
    for cells in ran.cells():
        if len(cells) == 3 and cells[0].isdigit():
            found.setdefault(int(cells[0]), []).append((cells[1], cells[2]))
    return found


# --- good files ----------------------------------------------------------------------------------


def test_a_file_is_judged_unit_by_unit_in_its_period(evaluate: Evaluate) -> None:
    ran = evaluate(
        ratio(3400, 4000, source="Thống kê xã"),
        row(WEBSITE, value="true"),
        ratio(3250, 4000, unit="07900"),
        args=("--json",),
    )
    first, second = verdicts(ran)
    assert (first["unit"]["code"], second["unit"]["code"]) == ("07894", "07900")
    assert first["unit"]["level"] == "commune"
    assert first["period"] == "2024"
    assert first["as_of"] == "2024-12-31"
    found = criterion(first, "phutho.1.1.1")
    assert found["outcome"] == "met"
    assert found["observed"]["numerator"] == 3400
    assert found["observed"]["period"] == "2024"
    assert found["observed"]["source"] == "Thống kê xã"
    assert criterion(first, "phutho.1.2.5.b.1")["outcome"] == "met"
    assert criterion(second, "phutho.1.2.5.b.1")["outcome"] == "undetermined"
    assert criterion(second, "phutho.1.1.1")["gap"]["more"] == 150


def test_a_person_sees_every_criterion_with_what_was_observed_required_and_missing(
    evaluate: Evaluate,
) -> None:
    ran = evaluate(ratio(3250, 4000), row(WEBSITE, value="true"))
    assert ran.code == 0
    rows = {cells[0]: cells for cells in ran.cells() if cells[0].startswith("phutho.")}
    assert len(rows) > 20
    share = " ".join(rows["phutho.1.1.1"])
    assert "không đạt" in share
    assert "3250/4000 = 81.25%" in share
    assert ">= 85%" in share
    assert "150" in share
    assert "người trưởng thành" in share
    assert "chưa có số liệu" in " ".join(rows["phutho.1.2.1"])
    assert "đạt" in " ".join(rows["phutho.1.2.5.b.1"])
    assert "07894" in ran.out


def test_several_units_are_summed_up(evaluate: Evaluate) -> None:
    ran = evaluate(ratio(1, 4), ratio(2, 4, unit="07900"), ratio(4, 4, unit="07901"))
    summary = [cells for cells in ran.cells() if cells[0] in ("07894", "07900", "07901")]
    assert [cells[0] for cells in summary] == ["07894", "07900", "07901"]


KINDS = (
    row("digital_skills_classes_count", value="3"),
    row("satisfaction_software_data", value="TRUE"),
    row("local_action_group", value="false"),
    ratio(90, 100, "mobile_4g5g_coverage_rate"),
    row("internet_lines_per_household_rate", value="130.5%"),
    row("households_waste_sorting_rate", value="85.50"),
)


def test_every_kind_of_value_is_read(evaluate: Evaluate) -> None:
    ran = evaluate(*KINDS, ruleset="bnn3445.annex1", args=("--json",))
    (verdict,) = verdicts(ran)
    observed = {
        id_: criterion(verdict, f"bnn3445.annex1.{id_}")["observed"]
        for id_ in ("12.1", "1.2", "3.2", "4.2", "4.1", "16.1")
    }
    assert observed["12.1"]["value"] == 3
    assert observed["1.2"]["value"] is True
    assert observed["3.2"]["value"] is False
    assert observed["4.2"]["percent"] == "90.00"
    assert observed["4.1"]["percent"] == "130.50"
    assert observed["16.1"]["percent"] == "85.50"
    assert observed["16.1"]["counts_known"] is False


@pytest.mark.parametrize(("value", "present"), [("a1|c2", 2), ("a1 | c2 | d1", 3), ("[]", 0)])
def test_a_set_lists_its_codes(evaluate: Evaluate, value: str, present: int) -> None:
    ran = evaluate(row(SET, value=value), ruleset="bnn3445.content.smart", args=("--json",))
    (verdict,) = verdicts(ran)
    assert verdict["coverage"] == {"items": 18, "reported": 18, "present": present}


def test_area_classes_and_designations_are_rows_too(evaluate: Evaluate) -> None:
    share = ratio(60, 100, "working_age_smartphone_subscription_rate")
    island = row("area_island", value="true")
    ran = evaluate(share, island, ruleset="bnn3445.selection.smart", args=("--json",))
    (verdict,) = verdicts(ran)
    assert criterion(verdict, "bnn3445.selection.smart.5")["required"]["value"] == "50"
    for measured_on, outcome in (
        ("", "not_applicable"),
        ("2023-03-16", "not_applicable"),
        ("2025-01-01", "undetermined"),
    ):
        chosen = row("central_pilot_smart", value="969/QĐ-BNN-VPĐP", measured_on=measured_on)
        ran = evaluate(share, chosen, ruleset="bnn3445.selection.smart", args=("--json",))
        assert verdicts(ran)[0]["outcome"] == outcome, measured_on


GOOD_ROWS = (
    ratio(3400, 4000, source="Báo cáo, số 12", note='xã nói "đủ"'),
    row(WEBSITE, value="true", note="dòng một\ndòng hai"),
    row("working_age_epayment_account_rate", value="85.50", on="2024-12-31"),
)


def _table(
    delimiter: str, end: str, order: tuple[str, ...] = COLUMNS, quoting: Quoting = csv.QUOTE_MINIMAL
) -> str:
    written = io.StringIO()
    rows = csv.DictReader(io.StringIO("\n".join([HEADER, *GOOD_ROWS]), newline=""))
    table = csv.DictWriter(written, order, delimiter=delimiter, lineterminator=end, quoting=quoting)
    table.writeheader()
    table.writerows(rows)
    return written.getvalue()


PLAIN = _table(",", "\n")
FORMS = {
    "byte order mark": b"\xef\xbb\xbf" + PLAIN.encode(),
    "semicolons": _table(";", "\n").encode(),
    "semicolons, byte order mark, CRLF": b"\xef\xbb\xbf" + _table(";", "\r\n").encode(),
    "CRLF": _table(",", "\r\n").encode(),
    "CR, quotes everywhere": _table(",", "\r", quoting=csv.QUOTE_ALL).encode(),
    "no end of the last line": PLAIN.rstrip("\n").encode(),
    "other order of columns": _table(",", "\n", COLUMNS[::-1]).encode(),
    "empty lines": _table(",", "\n\n").encode(),
    "rows of nothing": (PLAIN + ",,,,,,,,,\n  ,,,,,,,,,\n").encode(),
    "decomposed letters": unicodedata.normalize("NFD", PLAIN).encode(),
    "spaces around cells": PLAIN.replace("07894,", " 07894 ,").encode(),
}


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The verdicts on the plain table."""
    path = tmp_path_factory.mktemp("csv") / "plain.csv"
    path.write_text(PLAIN, "utf-8")
    return verdicts(run_here("evaluate", "--ruleset", "phutho.commune", "--facts", path, "--json"))


def test_a_table_may_hold_separators_quotes_and_line_ends(expected: list[dict[str, Any]]) -> None:
    (verdict,) = expected
    found = criterion(verdict, "phutho.1.1.1")
    assert (found["outcome"], found["observed"]["source"]) == ("met", "Báo cáo, số 12")
    assert criterion(verdict, "phutho.1.2.5.b.1")["outcome"] == "met"
    assert criterion(verdict, "phutho.1.3.1")["outcome"] == "met"


@pytest.mark.parametrize("form", FORMS)
def test_the_same_table_in_another_form_is_the_same_verdict(
    ntm: Ntm, tmp_path: Path, expected: list[dict[str, Any]], form: str
) -> None:
    path = tmp_path / "other.CSV"
    path.write_bytes(FORMS[form])
    ran = ntm("evaluate", "--ruleset", "phutho.commune", "--facts", path, "--json")
    assert verdicts(ran) == expected


def test_a_ruleset_for_several_levels_takes_units_of_each(evaluate: Evaluate) -> None:
    for unit, level in (("07894", "commune"), ("249", "district")):
        fact = row("commune_advanced_15_2_met", value="true", unit=unit)
        ran = evaluate(fact, ruleset="phutho.annex01", args=("--json",))
        assert verdicts(ran)[0]["unit"]["level"] == level


# --- periods -------------------------------------------------------------------------------------


def test_several_periods_need_to_be_told_which_one_is_judged(evaluate: Evaluate) -> None:
    ran = evaluate(ratio(1, 4), row(WEBSITE, value="true", period="2023"))
    assert ran.code == 2
    assert "--period" in ran.err
    assert "2023" in ran.err
    assert "2024" in ran.err
    assert ran.out == ""


@pytest.mark.parametrize("period", ["2024-13", "２０２４", ""])
def test_a_period_that_is_none_is_wrong_use(evaluate: Evaluate, period: str) -> None:
    ran = evaluate(ratio(1, 4), args=("--period", period))
    assert ran.code == 2
    assert "2024-H1" in ran.err
    assert ran.out == ""


@pytest.mark.parametrize(
    ("judged", "cases"),
    [
        (
            "2024",
            {
                ("2024", "2024-H2", "2024-12"): "2024",
                ("2024-12", "2024"): "2024",
                ("2024-Q1", "2024-10"): "2024-10",
                ("2024-10", "2024-Q1", "2024-Q2"): "2024-10",
                ("2024-12", "2024-H2", "2024-Q4"): "2024-H2",
                ("2024-Q4", "2024-12", "2024-Q1"): "2024-Q4",
                ("2023", "2024-01"): "2024-01",
            },
        ),
        ("2024-Q3", {("2024-Q3", "2024-09"): "2024-Q3", ("2024-08", "2024-07"): "2024-08"}),
        ("2024-H1", {("2024-06", "2024-Q2"): "2024-Q2", ("2024-Q1", "2024-05"): "2024-05"}),
    ],
)
def test_the_value_of_exactly_the_period_counts_otherwise_the_one_ending_last(
    evaluate: Evaluate, judged: str, cases: dict[tuple[str, ...], str]
) -> None:
    rows = []
    for number, periods in enumerate(cases):
        given = [
            ratio(86 + place, 100, period=period, unit=f"xa-{number}")
            for place, period in enumerate(periods)
        ]
        rows += [*given, *(one.replace("xa-", "turned-") for one in given[::-1])]
    found = verdicts(evaluate(*rows, args=("--json", "--period", judged)))
    assert len(found) == 2 * len(cases)
    for number, (periods, counts) in enumerate(cases.items()):
        for verdict in found[2 * number : 2 * number + 2]:
            observed = criterion(verdict, "phutho.1.1.1")["observed"]
            assert observed["period"] == counts, (periods, verdict["unit"])
            assert observed["numerator"] == 86 + periods.index(counts)
            assert verdict["period"] == judged


def test_an_older_value_is_shown_and_does_not_count(evaluate: Evaluate) -> None:
    rows = (ratio(100, 100, period="2023"), row(PLAN, value="true", period="2022"))
    (verdict,) = verdicts(evaluate(*rows, args=("--json", "--period", "2024")))
    for id_, period in (("phutho.1.1.1", "2023"), ("phutho.1.2.3.b", "2022")):
        found = criterion(verdict, id_)
        assert found["outcome"] == "undetermined"
        assert found["reasons"] == ["value_outdated"]
        assert found["observed"]["period"] == period
        assert found["gap"] is None
    assert criterion(verdict, "phutho.1.1.1")["observed"]["numerator"] == 100


def test_an_older_value_of_a_standing_indicator_counts_until_followed(
    evaluate: Evaluate,
) -> None:
    old = row(DECISION, value="true", period="2022")
    (verdict,) = verdicts(evaluate(old, args=("--json", "--period", "2024")))
    found = criterion(verdict, "phutho.1.2.3.a")
    assert (found["outcome"], found["observed"]["period"]) == ("met", "2022")
    followed = row(DECISION, value="false", period="2023")
    (verdict,) = verdicts(evaluate(followed, old, args=("--json", "--period", "2024")))
    found = criterion(verdict, "phutho.1.2.3.a")
    assert (found["outcome"], found["observed"]["period"]) == ("not_met", "2023")


def test_a_value_within_the_period_comes_before_an_older_one(evaluate: Evaluate) -> None:
    rows = (ratio(100, 100, period="2023"), ratio(1, 100, period="2024-01"))
    (verdict,) = verdicts(evaluate(*rows, args=("--json", "--period", "2024")))
    found = criterion(verdict, "phutho.1.1.1")
    assert (found["outcome"], found["observed"]["period"]) == ("not_met", "2024-01")


@pytest.mark.parametrize("period", ["2025", "2024-H1"])
def test_values_of_other_periods_are_named_and_not_used(evaluate: Evaluate, period: str) -> None:
    rows = (row(WEBSITE, value="true", period="2024-Q1"), ratio(100, 100, period=period))
    ran = evaluate(*rows, args=("--json", "--period", "2024-Q1"))
    (verdict,) = verdicts(ran)
    assert criterion(verdict, "phutho.1.1.1")["observed"] is None
    assert criterion(verdict, "phutho.1.1.1")["outcome"] == "undetermined"
    assert "3" in ran.err
    assert "2024-Q1" in ran.err


@pytest.mark.parametrize(
    ("indicator", "value"),
    [("area_island", "true"), ("central_pilot_smart", "969/QĐ-BNN-VPĐP")],
)
def test_information_about_the_unit_of_a_later_period_is_named_and_not_used(
    evaluate: Evaluate, indicator: str, value: str
) -> None:
    share = ratio(60, 100, "working_age_smartphone_subscription_rate")
    later = row(indicator, value=value, period="2025")
    options = {"ruleset": "bnn3445.selection.smart", "args": ("--json", "--period", "2024")}
    ran = evaluate(share, later, **options)
    assert "3" in ran.err  # said not to be used
    (with_it,) = verdicts(ran)
    (without_it,) = verdicts(evaluate(share, **options))
    assert with_it["outcome"] == without_it["outcome"]
    id_ = "bnn3445.selection.smart.5"
    assert criterion(with_it, id_)["outcome"] == criterion(without_it, id_)["outcome"]


# --- bad rows ------------------------------------------------------------------------------------


class Bad(NamedTuple):
    """A bad row, the columns of which one is to blame, and what the message must contain."""

    name: str
    row: str
    columns: frozenset[str]
    remedy: str


def _counts(numerator: str, denominator: str = "4000") -> dict[str, str]:
    return {"numerator": numerator, "denominator": denominator}


def _bad() -> list[Bad]:
    found: list[Bad] = []

    def bad(name: str, indicator: str, columns: str, remedy: str, **cells: str) -> None:
        unit = cells.pop("unit", f"xa-{len(found)}")
        written = row(indicator, unit=unit, **cells)
        found.append(Bad(name, written, frozenset(columns.split()), remedy))

    for number in ("3.400", "3,400", "3 400", "3400.0", "3400,0", "1e3", "-5", "+5", "0x10",
                   "3_400", "03400", "３４００", "٣٤٠٠", "3400 người", "½", "²"):  # fmt: skip
        bad(f"numerator {number}", SMARTPHONE, "numerator", "0-9", **_counts(number))
        bad(f"denominator {number}", SMARTPHONE, "denominator", "0-9", **_counts("1", number))
    bad(
        "numerator 2^53", SMARTPHONE, "numerator", "9007199254740991", **_counts("9007199254740992")
    )
    bad("huge numerator", SMARTPHONE, "numerator", "", **_counts("9" * 5_000))
    for number in ("12.5", "-1", "1 000", "１２", "true", "12%"):
        bad(f"count {number}", "digital_skills_classes_count", "value", "0-9", value=number)
    for value in ("có", "1", "yes", "x", "TRUE!", "đúng"):
        bad(f"boolean {value}", WEBSITE, "value", "true", value=value)
        bad(f"area class {value}", "area_island", "value", "true", value=value)
    for value in ("85,5", "085", "８５", "1e1", "-1", "85.", "3400/4000", "true", "85%%"):
        bad(f"percent {value}", SMARTPHONE, "value", "85.50", value=value)
    bad("percent 100.01", SMARTPHONE, "value", "100", value="100.01")
    bad("unknown set member", SET, "value", "dd1", value="a1|z9")
    bad("duplicate set member", SET, "value", "a1", value="a1|b1|a1")
    bad("set with commas", SET, "value", "dd1", value="a1,b1")
    bad("no value", WEBSITE, "value", "", value="")
    bad("no count", "digital_skills_classes_count", "value", "")
    bad("no codes", SET, "value", "")
    bad("no share", SMARTPHONE, "value numerator", "")
    bad("no denominator", SMARTPHONE, "denominator", "", numerator="1")
    bad("no numerator", SMARTPHONE, "numerator", "", denominator="1")
    bad("value and counts", SMARTPHONE, "value numerator denominator", "value", value="85.00",
        **_counts("3400"))  # fmt: skip
    bad("value and numerator", SMARTPHONE, "value numerator", "value", value="85", numerator="1")
    bad("counts of a boolean", WEBSITE, "numerator", "value", **_counts("1"))
    bad("counts beside a boolean", WEBSITE, "numerator", "value", value="true", **_counts("1"))
    bad("counts of a count", "digital_skills_classes_count", "denominator", "value", value="1",
        denominator="2")  # fmt: skip
    for indicator in ("no_such", "", "ADULTS_SMARTPHONE_INTERNET_RATE", "adults smartphone",
                      "[/]", "ntm_advanced_recognized_２０２１_2025"):  # fmt: skip
        bad(f"indicator {indicator}", indicator, "indicator", f"“{indicator}”", value="true")
    for period in ("", "20x", "2024-13", "2024-00", "2024-1", "2024-Q5", "2024-H3", "2024/2025",
                   "24", "0２024", "２０２４", "0001", "2024-H1-Q1", "năm 2024"):  # fmt: skip
        bad(f"period {period}", WEBSITE, "period", "2024-H1", value="true", period=period)
    for day in ("31/12/2024", "2024-13-01", "2024-02-30", "2024-1-1", "20241231", "２０２４-12-31",
                "2024-12-31T00:00", "45657", "x"):  # fmt: skip
        bad(f"on {day}", WEBSITE, "on", "YYYY-MM-DD", value="true", on=day)
        bad(f"measured_on {day}", WEBSITE, "measured_on", "YYYY-MM-DD", value="true",
            measured_on=day)  # fmt: skip
    for unit in ("", "07 894", "０７８９４", "٠٧٨٩٤", "Xã Hùng Lô", "07894;", "a/b", "x" * 200):
        bad(f"unit {unit}", WEBSITE, "unit", "0-9", value="true", unit=unit)
    for unit in ("25", "249", "07894-01", "VN"):
        bad(f"unit {unit} of another level", WEBSITE, "unit", "commune", value="true", unit=unit)
    return found


BAD = _bad()
SHORT, LONG = "07894,,2024", row(WEBSITE, value="true", unit="xa-long") + ",,"
FIRST = ratio(1, 2, unit="xa-twice")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """The report on one file with a good row before each bad one."""
    lines = [HEADER]
    for number, bad in enumerate(BAD):
        lines += [row(WEBSITE, value="true", unit=f"good-{number}"), bad.row]
    lines += [SHORT, LONG, FIRST, ratio(3, 4, unit="xa-twice")]
    path = tmp_path_factory.mktemp("csv") / "bad.csv"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return run_here("evaluate", "--ruleset", "phutho.commune", "--facts", path, "--json")


def test_good_and_bad_rows_together_evaluate_nothing(report: Ran) -> None:
    assert report.code == 1
    assert report.out == ""
    assert "bad.csv" in report.err


@pytest.mark.parametrize("number", range(len(BAD)), ids=[bad.name for bad in BAD])
def test_a_bad_row_is_reported_with_line_column_and_remedy(report: Ran, number: int) -> None:
    bad, line = BAD[number], 2 * number + 3
    found = complaints(report).get(line, [])
    assert found, bad.row
    assert {column for column, _ in found} <= bad.columns
    assert all(message for _, message in found)
    assert any(bad.remedy in message for _, message in found), found


def test_a_good_row_is_not_reported(report: Ran) -> None:
    good = {2 * number + 2 for number in range(len(BAD))}
    first_of_two = 2 * len(BAD) + 4
    assert not (good | {1, first_of_two}) & set(complaints(report))


def test_a_row_with_too_few_or_too_many_cells_is_reported(report: Ran) -> None:
    line = 2 * len(BAD) + 2
    for place, cells in ((line, "3"), (line + 1, "12")):
        ((_, message),) = complaints(report)[place]
        assert cells in message
        assert "10" in message


def test_a_repeated_row_names_the_line_that_it_repeats(report: Ran) -> None:
    first = 2 * len(BAD) + 4
    ((_, message),) = complaints(report)[first + 1]
    assert str(first) in message


def test_every_fault_of_a_row_is_reported_at_once(evaluate: Evaluate) -> None:
    ran = evaluate(row(WEBSITE, unit="", period="x", on="y", measured_on="z", value="w"))
    assert ran.code == 1
    columns = {column for column, _ in complaints(ran)[2]}
    assert columns == {"unit", "period", "on", "measured_on", "value"}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_are_counted_as_an_editor_counts_them(ntm: Ntm, tmp_path: Path, end: str) -> None:
    note = f"một{end}hai{end}ba"
    lines = [HEADER, row(WEBSITE, value="true", note=note), "", row("no_such", value="true")]
    path = tmp_path / "lines.csv"
    path.write_bytes(end.join(lines).encode())
    ran = ntm("evaluate", "--ruleset", "phutho.commune", "--facts", path)
    assert ran.code == 1
    assert set(complaints(ran)) == {6}


def test_two_days_for_one_code_are_refused(evaluate: Evaluate) -> None:
    """A code can mean two units; none of the two values is chosen in silence."""
    ran = evaluate(
        ratio(1, 2, on="2024-01-01"),
        row(WEBSITE, value="true"),
        row(WEBSITE, value="true", unit="08497", on="2024-12-31"),
        ratio(1, 2, on="2024-12-31"),
    )
    assert ran.code == 1
    assert set(complaints(ran)) == {5}


# --- files that are no such table ----------------------------------------------------------------


def _file(ntm: Ntm, tmp_path: Path, content: bytes) -> Ran:
    path = tmp_path / "broken.csv"
    path.write_bytes(content)
    ran = ntm("evaluate", "--ruleset", "phutho.commune", "--facts", path, "--json")
    assert ran.code == 1
    assert ran.out == ""
    return ran


@pytest.mark.parametrize("missing", ["unit", "denominator", "note"])
def test_a_missing_column_is_named(ntm: Ntm, tmp_path: Path, missing: str) -> None:
    header = ",".join(name for name in COLUMNS if name != missing)
    ran = _file(ntm, tmp_path, f"{header}\n07894,,2024\n".encode())
    assert [column for column, _ in complaints(ran)[1]] == [missing]


def test_an_unknown_column_is_named_with_those_that_are_known(ntm: Ntm, tmp_path: Path) -> None:
    names = ("ghi_chú", "Unit", "unit.", "[/x]", "đơn vị")
    header = ",".join([HEADER, *names])
    found = complaints(_file(ntm, tmp_path, f"{header}\n{GOOD_ROWS[2]}\n".encode()))[1]
    assert {column for column, _ in found} == set(names)
    for _, message in found:
        assert all(known in message for known in COLUMNS)


def test_a_repeated_column_is_named(ntm: Ntm, tmp_path: Path) -> None:
    ran = _file(ntm, tmp_path, f"{HEADER},value\n{GOOD_ROWS[2]},\n".encode())
    assert [column for column, _ in complaints(ran)[1]] == ["value"]


def test_every_fault_of_the_header_is_reported_at_once(ntm: Ntm, tmp_path: Path) -> None:
    header = HEADER.replace("note", "value").replace("unit", "xa")
    ran = _file(ntm, tmp_path, f"{header}\n".encode())
    assert {column for column, _ in complaints(ran)[1]} == {"note", "unit", "value", "xa"}


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"   \n"])
def test_an_empty_file_is_told_its_columns(ntm: Ntm, tmp_path: Path, content: bytes) -> None:
    ran = _file(ntm, tmp_path, content)
    assert {column for column, _ in complaints(ran)[1]} >= set(COLUMNS)


@pytest.mark.parametrize("rest", ["", "\n\n,,,,,,,,,\n"])
def test_a_header_without_rows_is_told_so(ntm: Ntm, tmp_path: Path, rest: str) -> None:
    ran = _file(ntm, tmp_path, (HEADER + rest).encode())
    assert ran.err.strip()


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        ([GOOD_ROWS[2], '07894,,2024,commune_website_exists,"true"x,,,,,'], 3),
        ([GOOD_ROWS[2], '07894,,2024,commune_website_exists,true,,,,,"không đóng', "07894"], 4),
    ],
    ids=["text after a quote", "a quote that does not end"],
)
def test_broken_quotes_are_reported_with_their_line(
    ntm: Ntm, tmp_path: Path, rows: list[str], line: int
) -> None:
    ran = _file(ntm, tmp_path, "\n".join([HEADER, *rows]).encode())
    assert max(complaints(ran)) in (line - 1, line)
    assert "nháy" in ran.err


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "cp1258", "latin-1"])
def test_a_file_that_is_not_utf_8_is_told_to_become_it(
    ntm: Ntm, tmp_path: Path, encoding: str
) -> None:
    text = f"{HEADER}\n07894,,2024,{WEBSITE},true,,,Xã Hùng,,\n"
    content = text.encode(encoding, "replace")
    if encoding == "latin-1":
        content = content.replace(b"?", b"\xf9")
    ran = _file(ntm, tmp_path, content)
    assert "UTF-8" in ran.err


def test_the_line_of_a_byte_that_is_not_utf_8_is_named(ntm: Ntm, tmp_path: Path) -> None:
    content = f"{HEADER}\n{GOOD_ROWS[2]}\n".encode() + b"07894,,2024,\xff,,,,,,\n"
    assert set(complaints(_file(ntm, tmp_path, content))) == {3}


def test_a_table_of_another_kind_is_reported_and_not_guessed(ntm: Ntm, tmp_path: Path) -> None:
    for content in ("unit\tperiod\n07894\t2024\n", '{"unit": {}}'):
        assert complaints(_file(ntm, tmp_path, content.encode()))[1]


# --- how it is called ----------------------------------------------------------------------------


def test_an_installed_command_prints_pure_json_and_the_rest_beside_it(
    process: Ntm, tmp_path: Path
) -> None:
    path = tmp_path / "facts.csv"
    rows = [HEADER, ratio(1, 4), row(WEBSITE, value="true", period="2025")]
    path.write_text("\n".join(rows), "utf-8")
    arguments = ("evaluate", "--ruleset", "phutho.commune", "--facts", path, "--period", "2024")
    ran = process(*arguments, "--json")
    assert len(verdicts(ran)) == 1
    assert ran.out.endswith("}\n")
    assert "3" in ran.err
    assert "Hướng dẫn /HD-STTTT" in ran.out  # letters, not escapes


def test_an_installed_command_ends_with_1_on_bad_rows_without_a_trace(
    process: Ntm, tmp_path: Path
) -> None:
    path = tmp_path / "facts.csv"
    path.write_text("\n".join([HEADER, row("no_such", value="true")]), "utf-8")
    ran = process("evaluate", "--ruleset", "phutho.commune", "--facts", path)
    assert ran.code == 1
    assert ran.out == ""
    assert "Traceback" not in ran.err
    assert set(complaints(ran)) == {2}


def test_messages_are_english_on_request(ntm: Ntm, tmp_path: Path) -> None:
    path = tmp_path / "facts.csv"
    path.write_text("\n".join([HEADER, row("no_such", value="true")]), "utf-8")
    arguments = ("evaluate", "--ruleset", "phutho.commune", "--facts", path)
    english = ntm("--lang", "en", *arguments)
    assert english.code == 1
    assert "there is no indicator" in english.err
    assert "không" not in english.err
    assert "there is no indicator" in ntm(*arguments, env={"NTM_LANG": "en"}).err
    assert "không có chỉ số" in ntm(*arguments).err


def test_the_demonstration_is_judged_and_says_that_it_is_made_up(ntm: Ntm) -> None:
    root = Path(__file__).resolve().parents[1]
    folder = root / "app" / "domain" / "demonstration"
    files = sorted([*folder.glob("*.csv"), *folder.glob("*.json")])
    assert files
    for file in files:
        ran = ntm("evaluate", "--ruleset", "phutho.commune", "--facts", file, "--json")
        found = verdicts(ran)
        assert {one["outcome"] for one in found} >= {"met", "not_met"}
        assert "giả định" in file.read_text("utf-8")
