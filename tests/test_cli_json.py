"""`ntm evaluate` on a JSON file, and calling it the wrong way."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import LEAK, Ntm, Ran

SMARTPHONE = "adults_smartphone_internet_rate"
SUBJECT: dict[str, Any] = {
    "as_of": "2024-12-31",
    "unit": {"level": "commune", "code": "07894", "name": "Xã Hùng Lô"},
    "facts": {SMARTPHONE: {"numerator": 3250, "denominator": 4000}},
}

Evaluate = Callable[..., Ran]


@pytest.fixture
def evaluate(ntm: Ntm, tmp_path: Path) -> Evaluate:
    """Write a JSON file and evaluate it."""

    def run(content: Any, *arguments: str, ruleset: str = "phutho.commune") -> Ran:
        path = tmp_path / "facts.json"
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(json.dumps(content), "utf-8")
        return ntm("evaluate", "--ruleset", ruleset, "--facts", path, *arguments)

    return run


def places(ran: Ran) -> dict[str, str]:
    """Return the places that a report names, each with its message."""
    return {cells[0]: cells[1] for cells in ran.cells() if len(cells) == 2}


def test_one_object_prints_its_verdict(evaluate: Evaluate) -> None:
    ran = evaluate(SUBJECT, "--json")
    assert ran.code == 0
    verdict = json.loads(ran.out)
    assert verdict["outcome"] == "not_met"
    assert verdict["unit"]["name"] == "Xã Hùng Lô"
    assert verdict["as_of"] == "2024-12-31"
    assert verdict["criteria"][0]["criteria"][0]["gap"]["more"] == 150


@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf", b" \n\t", b"\xef\xbb\xbf\n"])
def test_one_object_prints_its_verdict_whatever_stands_before_it(
    evaluate: Evaluate, before: bytes
) -> None:
    ran = evaluate(before + json.dumps(SUBJECT).encode(), "--json")
    assert ran.code == 0
    assert json.loads(ran.out)["outcome"] == "not_met"


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_list_prints_a_list_of_verdicts(evaluate: Evaluate, count: int) -> None:
    ran = evaluate([SUBJECT] * count, "--json")
    assert ran.code == 0
    found = json.loads(ran.out)
    assert set(found) == {"items", "next"}
    assert found["next"] is None
    assert [one["outcome"] for one in found["items"]] == ["not_met"] * count


async def test_the_command_and_the_service_give_the_same_verdict(
    evaluate: Evaluate, client: Any
) -> None:
    ran = evaluate(SUBJECT, "--json")
    body = {"ruleset": "phutho.commune", **SUBJECT}
    answer = await client.post("/v1/evaluations/preview", json=body)
    assert json.loads(ran.out) == answer.json()


def test_members_are_judged_too(evaluate: Evaluate) -> None:
    member = {"unit": {"level": "commune"}, "facts": {"commune_ntm_8_4_met": True}}
    subject = {"as_of": "2023-06-30", "unit": {"level": "province"}, "members": [member] * 2}
    ran = evaluate(subject, "--json", ruleset="travinh.province")
    assert '"known": 2' in ran.out


def test_a_person_sees_the_name_and_the_gap(evaluate: Evaluate) -> None:
    ran = evaluate(SUBJECT)
    assert ran.code == 0
    assert "Xã Hùng Lô (07894)" in ran.out
    assert "3250/4000 = 81.25%" in ran.out
    assert "150" in ran.out


def test_a_person_sees_english_on_request(ntm: Ntm, tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    path.write_text(json.dumps(SUBJECT), "utf-8")
    ran = ntm("--lang", "en", "evaluate", "--ruleset", "phutho.commune", "--facts", path)
    assert ran.code == 0
    assert "not met" in ran.out
    assert "150 more" in ran.out
    assert "không đạt" not in ran.out


def test_a_name_is_shown_as_it_is_written(evaluate: Evaluate) -> None:
    names = ("Xã [bold]A[/bold]", "Xã [/A]", "Xã [red]", "[/]", "Xã [link=x]")
    ran = evaluate([{**SUBJECT, "unit": {"level": "commune", "name": name}} for name in names])
    assert ran.code == 0
    for name in names:
        assert ran.out.count(name) == 2  # above its verdict and in the summary


CONTROLS = ("\x1b[2J", "\x1b]0;x\x07", "\x9b2J", "\r", "\b")


def test_no_name_in_a_file_drives_the_terminal(evaluate: Evaluate) -> None:
    names = [f"Xã {control}A" for control in CONTROLS]
    ran = evaluate([{**SUBJECT, "unit": {"level": "commune", "name": name}} for name in names])
    assert ran.code == 0
    assert "Xã" in ran.out
    assert not [control for control in CONTROLS if control[0] in ran.said]


def test_no_complaint_about_a_file_drives_the_terminal(evaluate: Evaluate) -> None:
    keys = {f"x{control}": 1 for control in CONTROLS}
    for wrong in (
        {**SUBJECT, **keys},
        {**SUBJECT, "facts": {**keys, SMARTPHONE: keys}},
        {**SUBJECT, "unit": {"level": "commune", "attributes": dict.fromkeys(keys, True)}},
    ):
        ran = evaluate(wrong)
        assert ran.code == 1
        assert not [control for control in CONTROLS if control[0] in ran.said]


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"", "/"),
        (b"{", "/"),
        (b'{"unit":', "/"),
        (b"\xff", "/"),
        (b"{} {}", "/"),
        (b'{"unit": {"level": "commune"}, "unit": {}}', "/unit"),
        (b'{"unit": {"level": NaN}}', "/unit/level"),
        (b"{}", "/unit"),
        (b'{"unit": {"level": "commune"}, "factz": {}}', "/factz"),
        (b'{"unit": {"level": "commune"}, "ruleset": "phutho.commune"}', "/ruleset"),
        (b'{"unit": {"level": "commune", "x": 1}}', "/unit/x"),
        (b'{"unit": {"level": "commune"}, "facts": {"no_such": 1}}', "/facts/no_such"),
        (b'{"unit": {"level": "province"}}', "/unit/level"),
        (b'{"unit": {"level": "commune"}, "as_of": "2024-13-01"}', "/as_of"),
        (b'[{"unit": {"level": "commune"}}, {}]', "/1/unit"),
        (b'[{"unit": {"level": "commune"}}, {"unit": {"level": "province"}}]', "/1/unit/level"),
        (b'[{"unit": {"level": "commune"}, "facts": {"no_such": 1}}]', "/0/facts/no_such"),
        (b'[{"unit": {"level": "commune"}, "facts": []}]', "/0/facts"),
        (b"[[]]", "/0"),
        (b'["x"]', "/0"),
        (b"[" * 100_000, "/"),
    ],
    ids=lambda value: str(value[:40]),
)
def test_a_bad_file_is_reported_with_the_place_and_judges_nothing(
    evaluate: Evaluate, content: bytes, place: str
) -> None:
    ran = evaluate(content, "--json")
    assert ran.code == 1
    assert ran.out == ""
    found = places(ran)
    assert place in found, ran.err
    assert found[place].strip()
    assert LEAK.search(ran.err) is None
    assert "facts.json" in ran.err


@pytest.mark.parametrize("content", [b"null", b'"x"'])
def test_what_is_no_subject_is_refused(evaluate: Evaluate, content: bytes) -> None:
    ran = evaluate(content, "--json")
    assert ran.code == 1
    assert ran.out == ""
    assert "JSON" in ran.err
    assert "“0”" not in ran.err  # there is nothing of that name in the file


def test_every_fault_of_every_subject_is_reported_at_once(evaluate: Evaluate) -> None:
    bad = {**SUBJECT, "facts": {"no_such": 1, "commune_website_exists": "true"}}
    ran = evaluate([bad, SUBJECT, bad], "--json")
    assert ran.code == 1
    assert ran.out == ""
    assert set(places(ran)) >= {
        "/0/facts/no_such",
        "/0/facts/commune_website_exists",
        "/2/facts/no_such",
        "/2/facts/commune_website_exists",
    }


# --- wrong use -----------------------------------------------------------------------------------


@pytest.mark.parametrize("ruleset", ["phutho.xa", "", "PHUTHO.COMMUNE", "[/x]"])
def test_an_unknown_ruleset_is_wrong_use_and_told_the_known_ones(
    evaluate: Evaluate, ruleset: str
) -> None:
    ran = evaluate(SUBJECT, ruleset=ruleset)
    assert ran.code == 2
    assert ran.out == ""
    assert f"“{ruleset}”" in ran.err
    for known in ("phutho.commune", "travinh.hamlet", "qd924.nation"):
        assert known in ran.err


@pytest.mark.parametrize("name", ["nothing.csv", "nothing.json", "[/x].csv", "nothing.txt", ""])
def test_a_file_that_is_not_there_is_wrong_use(ntm: Ntm, tmp_path: Path, name: str) -> None:
    ran = ntm("evaluate", "--ruleset", "phutho.commune", "--facts", tmp_path / name)
    assert ran.code == 2
    assert ran.out == ""
    assert (name or tmp_path.name) in ran.err.replace("\n", "")


@pytest.mark.parametrize("name", ["facts.xlsx", "facts", "facts.json.gz"])
def test_a_file_of_another_kind_is_wrong_use(ntm: Ntm, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("{}", "utf-8")
    ran = ntm("evaluate", "--ruleset", "phutho.commune", "--facts", tmp_path / name)
    assert ran.code == 2
    assert ran.out == ""
    assert ".csv" in ran.err
    assert ".json" in ran.err


def test_a_period_goes_with_a_table_only(evaluate: Evaluate) -> None:
    ran = evaluate(SUBJECT, "--period", "2024")
    assert ran.code == 2
    assert "--period" in ran.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("--no-such-option",),
        ("no-such-command",),
        ("evaluate",),
        ("evaluate", "--ruleset", "phutho.commune"),
        ("evaluate", "--facts", "x.csv"),
        ("evaluate", "--no-such-option"),
        ("evaluate", "--ruleset"),
        ("rulesets", "list", "--x"),
        ("rulesets", "show"),
        ("rulesets", "check"),
        ("rulesets", "no-such-command"),
        ("serve", "--port", "0"),
        ("serve", "--port", "65536"),
        ("serve", "--port", "x"),
        ("openapi", "--x"),
        ("--lang", "fr", "rulesets", "list"),
    ],
    ids=" ".join,
)
def test_wrong_use_ends_with_2(ntm: Ntm, arguments: tuple[str, ...]) -> None:
    ran = ntm(*arguments)
    assert ran.code == 2
    assert ran.out == ""
    assert ran.err.strip()


@pytest.mark.parametrize(
    "arguments",
    [(), ("serve",), ("evaluate",), ("rulesets",), ("rulesets", "show"), ("openapi",)],
    ids=" ".join,
)
def test_help_is_always_there(ntm: Ntm, arguments: tuple[str, ...]) -> None:
    ran = ntm(*arguments, "--help")
    assert ran.code == 0
    assert "--help" in ran.out
