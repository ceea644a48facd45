"""A pack with faults is refused: every fault at once, each with file, line, place and remedy."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pytest
from strategies import faults_of, pack, registry

from app.discovery import find_packs, read_pack_path
from app.rules.errors import Fault, RulesetFaults
from app.rules.registry import build

GOOD = """\
ruleset: "thu.xa"
version: "1"
level: "commune"
title: {vi: "Thử", en: "Trial"}
document:
  number: "1/THU"
  title: "Văn bản thử"
  short: "Văn bản thử"
  issuer: "Không ai"
  issued: "2024-01-01"
  source_grade: "full"
in_force: {}
scope: {country: true}
overall: "explicit"
criteria:
  - id: "thu.1"
    text: {vi: "Tỷ lệ từ 85%", en: "Share of 85% or more"}
    section: "khoản 1"
    indicator: "thu_rate"
    required:
      operator: ">="
      value: 85
      unit: "percent"
      as_written: "từ 85%"
  - id: "thu.2"
    text: {vi: "Một trong hai", en: "Either of two"}
    section: "khoản 2"
    combine: "any"
    criteria:
      - id: "thu.2.a"
        text: {vi: "Có", en: "Is there"}
        section: "khoản 2, điểm a"
        indicator: "thu_yes"
      - id: "thu.2.b"
        text: {vi: "Có danh sách", en: "There is a list"}
        section: "khoản 2, điểm b"
        indicator: "thu_list"
        contains: "a"
indicators:
  - code: "thu_rate"
    theme: "thu"
    name: {vi: "Tỷ lệ", en: "Share"}
    kind: "ratio"
    levels: ["commune"]
    validity: "stock"
    numerator: {vi: "tử", en: "part"}
    denominator: {vi: "mẫu", en: "whole"}
  - code: "thu_yes"
    theme: "thu"
    name: {vi: "Có không", en: "Yes or no"}
    kind: "boolean"
    levels: ["commune"]
    validity: "stock"
  - code: "thu_list"
    theme: "thu"
    name: {vi: "Danh sách", en: "List"}
    kind: "set"
    levels: ["commune"]
    validity: "stock"
    members:
      - {code: "a", name: {vi: "một", en: "one"}}
cases:
  - case: "đạt"
    ruleset: "thu.xa"
    facts: {thu_rate: "85/100", thu_yes: true, thu_list: ["a"]}
    expect: {"*": "met", overall: "met"}
  - case: "không đạt"
    ruleset: "thu.xa"
    facts: {thu_rate: "84/100", thu_yes: false, thu_list: []}
    expect: {"*": "not_met", overall: "not_met"}
  - case: "chưa biết"
    ruleset: "thu.xa"
    expect: {"*": "undetermined"}
"""

# (what is changed, into what, the code, the line it is named at, the place it is named by)
SLIPS = {
    "an unknown key": (
        "      value: 85", "      valeu: 85\n      value: 85",
        "unknown-key", "valeu", "thu.1/required/valeu"),
    "an unknown key at the top": (
        'version: "1"', 'verison: "1"\nversion: "1"', "unknown-key", "verison", "verison"),
    "a missing key": ('    section: "khoản 1"\n', "", "missing-key", "thu.1", "thu.1/section"),
    "no English": (', en: "Is there"', "", "missing-key", "Có\"", "thu.2.a/text/en"),
    "a value of another type": (
        "value: 85", 'value: "85"', "wrong-value", "value", "thu.1/required/value"),
    "a number that is none": ("value: 85", "value: .nan", "unquoted-id", ".nan",
                              "criteria/0/required/value"),
    "an operator that does not exist": (
        'operator: ">="', 'operator: "=>"', "wrong-value", "=>", "thu.1/required/operator"),
    "an unquoted id": ('id: "thu.1"', "id: 1.10", "unquoted-id", "1.10", "1.10/id"),
    "an unquoted version": ('version: "1"', "version: 1", "unquoted-id", "version", "version"),
    "an unquoted date of issue": (
        'issued: "2024-01-01"', "issued: 2024-01-01", "unquoted-id", "issued", "document/issued"),
    "an unquoted indicator": (
        'indicator: "thu_yes"', "indicator: 12", "unquoted-id", "12", "thu.2.a/indicator"),
    "an unquoted code": ('code: "thu_rate"', "code: 7", "unquoted-id", "7", "7/code"),
    "an unquoted key": (
        'expect: {"*": "undetermined"}', 'expect: {1.10: "met"}', "unquoted-id", "1.10",
        "cases/2/expect/1.10"),
    "a key given twice": (
        '    section: "khoản 1"', '    section: "khoản 1"\n    section: "khoản 9"',
        "duplicate-key", "khoản 9", "criteria/0/section"),
    "a key that is no word": ("in_force: {}", "in_force: {[a]: 1}", "bad-key", "[a]", "in_force"),
    "an id given twice": ('id: "thu.2.b"', 'id: "thu.1"', "duplicate-id", 9, "thu.1/id"),
    "an indicator nobody declares": (
        'indicator: "thu_yes"', 'indicator: "thu_no"', "unknown-indicator", "thu_no",
        "thu.2.a/indicator"),
    "an indicator of another kind": (
        'indicator: "thu_rate"', 'indicator: "thu_yes"', "wrong-kind", "indicator: \"thu_yes",
        "thu.1/indicator"),
    "a count for a share": ('unit: "percent"', 'unit: "count"', "wrong-kind", "thu_rate",
                            "thu.1/indicator"),
    "a code that the set does not have": (
        'contains: "a"', 'contains: "z"', "wrong-kind", 'indicator: "thu_list',
        "thu.2.b/indicator"),
    "a check the pack does not ship": (
        'indicator: "thu_yes"', 'indicator: "thu_yes"\n        check: "no_such_check"',
        "unknown-check", "no_such_check", "thu.2.a/check"),
    "a group with tests that says not how they combine": (
        '    combine: "any"\n', "", "misfit", "thu.2", "thu.2"),
    "a criterion of two forms": (
        'indicator: "thu_rate"', 'indicator: "thu_rate"\n    sum: ["thu_rate", "thu_yes"]',
        "misfit", "thu.1", "thu.1"),
    "a threshold without a value": (
        "      value: 85\n", "", "misfit", "operator", "thu.1/required"),
    "a report with a threshold": (
        'indicator: "thu_rate"', 'indicator: "thu_rate"\n    no_criterion: true',
        "misfit", "thu.1", "thu.1"),
    "a scope of nowhere": ("country: true", "country: false", "misfit", "scope", "scope"),
    "a look-alike nobody declares": (
        '    kind: "boolean"',
        '    kind: "boolean"\n    look_alikes: [{code: "thu_no", difference: {vi: "k", en: "d"}}]',
        "unknown-indicator", "look_alikes", "thu_no/code"),
    "an unknown file kind": (GOOD, "law: 1\n", "unknown-file-kind", "law", ""),
    "a list instead of a file": (GOOD, "- 1\n", "unknown-file-kind", "- 1", ""),
    "broken YAML": ("in_force: {}", "in_force: {", "not-yaml", None, ""),
    "two documents": ("in_force: {}", "---\nin_force: {}", "not-yaml", "---", ""),
    "a failing case": (
        '"85/100"', '"84/100"', "case-failed", 'case: "đạt"', "đạt"),
    "a case with another reason": (
        '    expect: {"*": "undetermined"}',
        '    expect: {"*": "undetermined"}\n    reasons: {"thu.1": ["value_outdated"]}',
        "case-failed", 'case: "chưa biết"', "chưa biết"),
    "a case of no ruleset": (
        'case: "chưa biết"\n    ruleset: "thu.xa"', 'case: "khác"\n    ruleset: "thu.huyen"',
        "unknown-ruleset", "thu.huyen", "khác/ruleset"),
    "two cases of one name": (
        'case: "chưa biết"', 'case: "đạt"', "duplicate-case", -1, "đạt/case"),
    "a case built on nothing": (
        '    expect: {"*": "undetermined"}',
        '    given: "không có"\n    expect: {"*": "undetermined"}',
        "case-unusable", "given", "chưa biết/given"),
    "a case with a fact of another kind": (
        'thu_yes: true, thu_list: ["a"]', 'thu_yes: 1, thu_list: ["a"]',
        "case-unusable", "thu_yes: 1", "đạt/facts/thu_yes"),
    "a case with a fact that is not read": (
        "thu_yes: true,", "thu_yes: true, commune_website_exists: true,",
        "case-unusable", "commune_website", "đạt/facts/commune_website_exists"),
    "a case with an unknown outcome": (
        'expect: {"*": "undetermined"}', 'expect: {"*": "maybe"}', "wrong-value", "maybe",
        "chưa biết/expect/*"),
}  # fmt: skip
# These slips necessarily leave an outcome uncovered as well.
ALSO_UNCOVERED = {
    "a case of no ruleset",
    "two cases of one name",
    "a case built on nothing",
    "a case with a fact of another kind",
    "a case with a fact that is not read",
}


def line_of(text: str, marker: str | int | None) -> int | None:
    """Return the line that holds the marker."""
    if not isinstance(marker, str):
        return marker
    return text[: text.index(marker)].count("\n") + 1


def test_the_pack_without_a_slip_is_accepted() -> None:
    assert faults_of(pack(GOOD)) == ()


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_named_with_file_line_place_and_code(slip: str) -> None:
    old, new, code, marker, place = SLIPS[slip]
    assert old in GOOD
    text = GOOD.replace(old, new, 1)
    found = [one for one in faults_of(pack(text)) if one.code != "uncovered"]
    assert {(one.file, one.code, one.place) for one in found} == {("thu/1.yaml", code, place)}
    if isinstance(marker, str):
        assert found[0].line == line_of(text, marker)
    uncovered = [one for one in faults_of(pack(text)) if one.code == "uncovered"]
    assert bool(uncovered) is (slip in ALSO_UNCOVERED)


@pytest.mark.parametrize("slip", SLIPS)
def test_a_fault_is_told_in_both_languages_on_one_line(slip: str) -> None:
    old, new, *_ = SLIPS[slip]
    for fault in faults_of(pack(GOOD.replace(old, new, 1))):
        vi, en = fault.describe("vi"), fault.describe("en")
        assert vi != en
        for told in (vi, en):
            assert "\n" not in told
            assert told.startswith(f"thu/1.yaml:{fault.line}: " if fault.line else "thu/1.yaml: ")
            assert told.endswith(f" [{fault.code}]")
        assert not re.search(r"pydantic|msgspec|Tuple|None", fault.message.en)


def test_every_outcome_of_a_leaf_must_be_covered() -> None:
    """Without the case that knows nothing, each of the three leaves lacks one."""
    text = GOOD[: GOOD.index('  - case: "chưa biết"')]
    found = faults_of(pack(text))
    assert [(one.code, one.place, one.line) for one in found] == [
        ("uncovered", place, line_of(GOOD, f'id: "{place}"'))
        for place in ("thu.1", "thu.2.a", "thu.2.b")
    ]
    assert all("undetermined" in one.message.en for one in found)


def test_a_report_only_item_must_be_covered_too() -> None:
    """Some case must expect it to be reported without a finding."""
    text = GOOD.replace('indicator: "thu_yes"', 'indicator: "thu_yes"\n        no_criterion: true')
    assert faults_of(pack(text)) == ()  # `*` stands for it as well
    silent = re.sub(r'\{"\*": ("\w+")', r'{"thu.1": \1, "thu.2.b": \1, "thu.2": \1', text)
    assert [(one.code, one.place) for one in faults_of(pack(silent))] == [("uncovered", "thu.2.a")]


def test_a_file_that_is_not_utf_8_is_named() -> None:
    found = faults_of(pack(GOOD.encode("utf-16")), pack(GOOD.encode("cp1258", "replace"), name="b"))
    assert [(one.file, one.code) for one in found] == [
        ("b/1.yaml", "not-utf-8"),
        ("thu/1.yaml", "not-utf-8"),
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: \x07\n", ""),
        ("a: b\x00\n", ""),
        ("[" * 5_000, "nested too deep"),
        ("{a: " * 100_000, "nested too deep"),  # libyaml itself would crash
        ("a: b: c", "mapping values"),
        ("a: *b", "undefined alias"),
    ],
    ids=["bell", "nul", "deep", "deepest", "colon", "alias"],
)
def test_a_file_that_cannot_be_read_is_named_and_told_why(text: str, why: str) -> None:
    """And nothing else happens: no crash, no endless loop."""
    found = faults_of(pack(text))
    assert [one.code for one in found] == ["not-yaml"]
    assert why in found[0].message.en
    assert ("nested" in found[0].message.en) is ("nested" in why)


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [*a]\n",
        "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 64)),
    ],
    ids=["cycle", "growth"],
)
def test_an_alias_is_refused_however_much_it_stands_for(text: str) -> None:
    """Sixty lines that stand for 2^64 words are read as quickly as any other sixty lines."""
    assert {one.code for one in faults_of(pack(text))} == {"yaml-alias"}


def test_yaml_runs_no_code_and_makes_no_objects() -> None:
    """A tag is ignored: what it stands on is read as plain text or a plain list."""
    text = GOOD.replace('version: "1"', 'version: !!python/object/apply:os.getcwd ["x"]')
    found = faults_of(pack(text))
    assert [(one.code, one.place) for one in found] == [("wrong-value", "version")]


def test_thresholds_are_read_exactly_as_they_are_written() -> None:
    text = GOOD.replace("value: 85\n", "value: 85.10\n").replace('"85/100"', '"851/1000"')
    text = text.replace('"84/100"', '"850999/1000000"')
    assert faults_of(pack(text)) == ()


def test_text_is_brought_to_composed_letters() -> None:
    """An editor that writes decomposed letters changes neither the texts nor the digest."""
    plain, decomposed = (build([pack(text)]) for text in (GOOD, unicodedata.normalize("NFD", GOOD)))
    one, other = plain.entries["thu.xa"].compiled, decomposed.entries["thu.xa"].compiled
    assert one.digest == other.digest


# --- faults between packs -------------------------------------------------------------------------


def test_ids_are_unique_over_all_packs() -> None:
    """Each place is named, with file and line of the other one: neither pack wins."""
    found = [one for one in faults_of(pack(GOOD, name="a"), pack(GOOD, name="b"))
             if one.code == "duplicate-id"]  # fmt: skip
    for file, other in (("a/1.yaml", "b/1.yaml"), ("b/1.yaml", "a/1.yaml")):
        here = [one for one in found if one.file == file]
        assert [one.place for one in here] == [
            "ruleset", "thu.1/id", "thu.2/id", "thu.2.a/id", "thu.2.b/id"
        ]  # fmt: skip
        assert all(f"{other}:{one.line}" in one.message.en for one in here)


def test_an_id_given_twice_in_one_file_is_named_at_both_places() -> None:
    text = GOOD.replace('id: "thu.2.b"', 'id: "thu.1"')
    lines = {number for number, line in enumerate(text.splitlines(), 1) if '"thu.1"' in line}
    assert {one.line for one in faults_of(pack(text)) if one.code == "duplicate-id"} == lines


def test_a_built_in_id_cannot_be_taken_over() -> None:
    text = GOOD.replace('id: "thu.1"', 'id: "phutho.1.1.1"')
    found = [one for one in faults_of(*find_packs(None), pack(text, name="zz"))
             if one.file == "zz/1.yaml"]  # fmt: skip
    assert [(one.code, one.place) for one in found] == [("duplicate-id", "phutho.1.1.1/id")]
    assert "phu_tho/commune.yaml" in found[0].message.en


def test_an_indicator_may_be_declared_twice_alike_but_not_differently() -> None:
    other = GOOD.replace("thu.", "khac.")
    assert faults_of(pack(GOOD, name="a"), pack(other, name="b")) == ()
    changed = other.replace('kind: "boolean"', 'kind: "boolean"\n    note: {vi: "k", en: "n"}')
    found = faults_of(pack(GOOD, name="a"), pack(changed, name="b"))
    assert [(one.code, one.file, one.place) for one in found] == [
        ("redefined-indicator", "b/1.yaml", "thu_yes/code")
    ]
    assert found[0].line == line_of(changed, '"thu_yes"\n    theme')


def test_cases_belong_to_rulesets_of_their_own_pack() -> None:
    """One pack cannot change what is expected of another."""
    alien = GOOD[GOOD.index("cases:") :]
    found = faults_of(pack(GOOD, name="a"), pack(alien, name="b"))
    assert {(one.code, one.file) for one in found} == {("unknown-ruleset", "b/1.yaml")}
    assert len(found) == 3


def test_a_check_belongs_to_its_own_pack() -> None:
    asks = GOOD.replace('indicator: "thu_yes"', 'indicator: "thu_yes"\n        check: "theirs"')
    other = GOOD.replace("thu.", "khac.")
    found = faults_of(
        pack(asks, name="a"), pack(other, name="b", checks={"theirs": lambda _o, _r: True})
    )
    assert [(one.code, one.file) for one in found] == [("unknown-check", "a/1.yaml")]


@pytest.mark.parametrize(
    "word", ["all", "any", "sum", "share", "indicator", "contains", "required", "no_criterion", "=",
             ">=", "<=", ">", "<", "check", "every_reading"]
)  # fmt: skip
def test_a_check_does_not_take_the_name_of_a_word_of_the_format(word: str) -> None:
    found = faults_of(pack(GOOD, checks={word: lambda _o, _r: True}))
    assert [(one.code, one.file, one.place) for one in found] == [
        ("shadowed-word", "thu", f"CHECKS[{word!r}]")
    ]


def test_a_check_is_a_function() -> None:
    found = faults_of(pack(GOOD, checks={"mine": 3}))  # type: ignore[dict-item]
    assert [one.code for one in found] == ["not-a-function"]


# --- what does not go together --------------------------------------------------------------------

ODD = {
    "a sum of shares": 'sum: ["thu_rate", "thu_rate"]',
    "a sum with a percentage": 'sum: ["thu_count", "thu_count"]',
}


@pytest.mark.parametrize("form", ODD.values(), ids=ODD)
def test_only_counts_are_summed(form: str) -> None:
    """A sum of percentages means nothing."""
    text = GOOD.replace('indicator: "thu_rate"', form)
    assert "misfit" in {one.code for one in faults_of(pack(text))}
    counted = text.replace('unit: "percent"', 'unit: "count"')
    codes = {one.code for one in faults_of(pack(counted))}
    assert codes & {"wrong-kind", "unknown-indicator"}


def reading(condition: str, text: str = GOOD) -> str:
    """Return the pack with an alternative reading of its first criterion."""
    return text.replace(
        'indicator: "thu_rate"',
        'indicator: "thu_rate"\n    reading: {vi: "đọc", en: "read", alternatives: '
        f'[{{text: {{vi: "khác", en: "other"}}, condition: {condition}}}]}}',
    )


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        ("{indicator: thu_no}", "unknown-indicator"),
        ("{any: [{indicator: thu_yes}, {indicator: thu_no}]}", "unknown-indicator"),
        ("{indicator: thu_rate}", "wrong-kind"),
        ("{indicator: thu_yes, at_least: 1}", "wrong-kind"),
        ("{sum: [thu_rate, thu_rate], at_least: 1}", "wrong-kind"),
        ("{indicator: thu_list, contains: z}", "wrong-kind"),
        ("{indicator: thu_yes, contains: a}", "wrong-kind"),
        ("{share: {of: [{level: hamlet}], holds: {indicator: thu_no}}, at_least: 1}",
         "unknown-indicator"),
        ("{share: {of: [{level: hamlet}], holds: {indicator: thu_yes}}}", "misfit"),
        ("{indicator: thu_yes, sum: [thu_yes, thu_yes]}", "misfit"),
        ("{all: [{indicator: thu_yes}, {indicator: thu_list}], at_least: 1}", "misfit"),
        ("{}", "misfit"),
    ],
)  # fmt: skip
def test_a_condition_asks_what_its_indicators_can_answer(condition: str, code: str) -> None:
    assert code in {one.code for one in faults_of(pack(reading(condition)))}


def test_a_condition_that_fits_is_accepted() -> None:
    for condition in ("{indicator: thu_rate, at_least: 50}", "{indicator: thu_list, contains: a}"):
        assert faults_of(pack(reading(condition))) == ()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('indicator: "thu_rate"', 'indicator: "thu_rate"\n    contains: "a"'),
        ('indicator: "thu_rate"', 'indicator: "thu_rate"\n    check_with: {least: 1}'),
        ('combine: "any"', 'combine: "any"\n    contains: "a"'),
        ('combine: "any"', 'combine: "any"\n    check_with: {least: 1}'),
    ],
)
def test_a_part_that_would_be_passed_over_in_silence_is_refused(old: str, new: str) -> None:
    """`contains` beside a threshold or on a group, `check_with` without a check."""
    assert faults_of(pack(GOOD.replace(old, new, 1))) != ()


def test_a_case_with_an_area_class_that_does_not_exist_is_named() -> None:
    """A slip in a class would leave the case without the class it is about."""
    text = GOOD.replace('    facts: {thu_rate: "85', '    attributes: {no_such_class: true}\n'
                        '    facts: {thu_rate: "85')  # fmt: skip
    assert [(one.code, one.place) for one in faults_of(pack(text)) if one.code != "uncovered"] == [
        ("case-unusable", "đạt/attributes/no_such_class")
    ]


def test_a_share_over_members_asks_for_no_other_share() -> None:
    derived = 'derived: {of: [{level: hamlet}], holds: {indicator: "thu_rate", at_least: 1}}'
    text = GOOD.replace('numerator: {vi: "tử"', f'{derived}\n    numerator: {{vi: "tử"')
    assert {one.code for one in faults_of(pack(text))} == {"misfit"}


BRANCHES = {
    "a class nobody declares": (
        "[{when_any: [thu_no], text: a, value: 50}, {text: b, value: 80}]", "unknown-indicator"),
    "a class that is a value": (
        "[{when_any: [thu_yes], text: a, value: 50}, {text: b, value: 80}]", "wrong-kind"),
    "one branch": ("[{when_any: [area], text: a, value: 50}]", "misfit"),
    "no class at all": ("[{text: a, value: 50}, {text: b, value: 80}]", "misfit"),
    "two classes and no rest": (
        "[{when_any: [area], text: a, value: 50}, {when_any: [area], text: b, value: 80}]",
        "misfit"),
}  # fmt: skip


@pytest.mark.parametrize(("branches", "code"), BRANCHES.values(), ids=BRANCHES)
def test_a_threshold_by_area_class_has_a_class_and_a_rest(branches: str, code: str) -> None:
    text = GOOD.replace("value: 85", f"branches: {branches}")
    assert code in {one.code for one in faults_of(pack(text))}


READINGS = {
    "another threshold shown": "every_reading: [{text: {vi: k, en: o}, condition: "
    "{indicator: thu_rate, at_least: 80}}]",
    "readings that decide beside one that does not": "every_reading: [{text: {vi: k, en: o}, "
    "condition: {indicator: thu_rate, at_least: 85}}]\n    reading: {vi: đọc, en: read, "
    "alternatives: [{text: {vi: k, en: o}, condition: {indicator: thu_yes}}]}",
}


@pytest.mark.parametrize("readings", READINGS.values(), ids=READINGS)
def test_several_readings_agree_with_what_is_shown_beside_them(readings: str) -> None:
    text = GOOD.replace('indicator: "thu_rate"', readings, 1)
    assert {(one.code, one.place) for one in faults_of(pack(text))} == {("misfit", "thu.1")}


# --- all at once ----------------------------------------------------------------------------------


def test_one_report_names_every_fault_of_every_pack() -> None:
    """Nothing stops at the first: a person repairs everything in one round."""
    packs = [
        pack(b"\xff\xfe\x00", name="not-utf-8"),
        pack(GOOD, name="checks", checks={"any": lambda _o, _r: True}),
    ]
    expected: list[tuple[str, str, str, int | None]] = [
        ("not-utf-8/1.yaml", "not-utf-8", "", None),
        ("checks", "shadowed-word", "CHECKS['any']", None),
    ]
    for number, (old, new, code, marker, place) in enumerate(SLIPS.values()):
        name = f"p{number:02}"

        def own(words: str, name: str = name) -> str:
            return re.sub(r"\bthu\.(?=[12x])", f"{name}.", words)

        text = own(GOOD.replace(old, new, 1))
        packs.append(pack(text, name=name))
        line = line_of(text, own(marker)) if isinstance(marker, str) else None
        expected.append((f"{name}/1.yaml", code, own(place), line))
    with pytest.raises(RulesetFaults) as refused:
        build(packs)
    report = refused.value.faults
    for file, code, place, line in expected:
        named = [one for one in report if (one.file, one.code, one.place) == (file, code, place)]
        assert named, (file, code, place)
        assert line is None or line in {one.line for one in named}
    assert list(report) == sorted(report, key=_order)
    assert len(str(refused.value).splitlines()) == len(report)


def _order(fault: Fault) -> tuple[str, int, str, str]:
    return fault.file, fault.line or 0, fault.place, fault.code


def test_the_order_of_packs_changes_nothing_in_the_report() -> None:
    """Nor does it decide which of two definitions is the right one."""
    other = GOOD.replace("thu.", "khac.").replace('validity: "stock"', 'validity: "flow"', 1)
    packs = [pack(GOOD, name="a"), pack(other, name="b"), pack("law: 1", name="c")]
    assert faults_of(*packs) == faults_of(*packs[::-1]) != ()


def test_a_good_pack_beside_a_bad_one_does_not_start_either() -> None:
    """The service starts with all packs or with none."""
    assert faults_of(pack(GOOD, name="a"), pack("law: 1", name="b")) != ()


# --- paths ----------------------------------------------------------------------------------------


def test_a_path_without_yaml_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("x", "utf-8")
    for path in (tmp_path / "absent", tmp_path / "empty", tmp_path):
        with pytest.raises(RulesetFaults) as refused:
            read_pack_path(path)
        assert [(one.code, one.file) for one in refused.value.faults] == [
            ("nothing-here", str(path))
        ]


def test_the_registry_says_where_each_criterion_is_written() -> None:
    path, line = registry().entries["phutho.commune"].origin("phutho.1.1.1")
    text = Path(path).read_text("utf-8").splitlines()
    assert line is not None
    assert text[line - 1].strip() == '- id: "phutho.1.1.1"'


@pytest.mark.parametrize("issued", ["2024-13", "2024-00", "2024-02-30", "0000"])
def test_a_day_of_issue_that_no_calendar_has_is_refused(issued: str) -> None:
    text = re.sub(r'issued: "[^"]+"', f'issued: "{issued}"', GOOD)
    assert text != GOOD
    assert [(one.code, one.place) for one in faults_of(pack(text))] == [
        ("misfit", "document/issued")
    ]
