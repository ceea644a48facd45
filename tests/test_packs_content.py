"""What the built-in packs encode: thirteen rulesets, ninety-nine tests, no threshold invented."""

from __future__ import annotations

import datetime
import unicodedata
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from strategies import RULESETS, entry, registry

from app.rules.ruleset import Criterion

# Leaves with a test, and leaves that are only reported.
LEAVES = {
    "bnn3445.selection.smart": (13, 0),
    "bnn3445.selection.ecom": (10, 0),
    "bnn3445.content.smart": (0, 18),
    "bnn3445.content.ecom": (0, 5),
    "bnn3445.annex1": (0, 39),
    "bnn3445.province": (1, 0),
    "phutho.commune": (20, 0),
    "phutho.district": (1, 0),
    "phutho.annex01": (0, 4),
    "travinh.hamlet": (9, 0),
    "travinh.commune": (17, 0),
    "travinh.province": (12, 1),
    "qd924.nation": (16, 2),
}
# Every threshold of the five documents, as we read it; the two selections have one by area class.
THRESHOLDS = {
    "bnn3445.province.target": ">= 1",
    "bnn3445.selection.smart.2a": ">= 50 %",
    "bnn3445.selection.smart.4a": "= 100 %",
    "bnn3445.selection.smart.4b": "= 100 %",
    "bnn3445.selection.smart.4c": "= 100 %",
    "bnn3445.selection.smart.5": ">= 50 % | 80 %",
    "bnn3445.selection.ecom.3": ">= 50 % | 80 %",
    "phutho.1.1.1": ">= 85 %",
    "phutho.1.1.2": "= 100 %",
    "phutho.1.2.1": ">= 75 %",
    "phutho.1.3.1": ">= 85 %",
    "phutho.1.3.2": ">= 70 %",
    "phutho.district.8.9": ">= 1",
    "travinh.hamlet.2a": ">= 80 %",
    "travinh.hamlet.5": ">= 80 %",
    "travinh.hamlet.7a": ">= 90 %",
    "travinh.hamlet.7b": ">= 80 %",
    "travinh.commune.2b": ">= 2",
    "travinh.commune.2d": ">= 1",
    "travinh.commune.5a.1": "= 100 %",
    "travinh.commune.5a.2": "= 100 %",
    "travinh.commune.5a.3": "= 100 %",
    "travinh.commune.5b.1": "= 100 %",
    "travinh.commune.5b.2": "= 100 %",
    "travinh.commune.5b.3": "= 100 %",
    "travinh.commune.6": "= 100 %",
    "travinh.commune.7": ">= 90 %",
    "travinh.province.1a.1": ">= 30 %",
    "travinh.province.1a.2": ">= 25 %",
    "travinh.province.1a.3": ">= 20 %",
    "travinh.province.1b.1": "= 100 %",
    "travinh.province.1b.2": ">= 50 %",
    "travinh.province.1c.1": "= 100 %",
    "travinh.province.1c.2": ">= 14 %",
    "travinh.province.1d": ">= 35 %",
    "travinh.province.2a": ">= 25 %",
    "travinh.province.2b": ">= 20 %",
    "travinh.province.3": ">= 15 %",
    "travinh.province.4": ">= 1",
    "qd924.1a.1": ">= 90 %",
    "qd924.1a.2": ">= 90 %",
    "qd924.1a.3": ">= 80 %",
    "qd924.1a.4": ">= 60 %",
    "qd924.1b.1": ">= 97 %",
    "qd924.1b.2": ">= 50 %",
    "qd924.1b.3": ">= 50 %",
    "qd924.1c.1": ">= 60 %",
    "qd924.1c.2": ">= 25 %",
    "qd924.1c.3": ">= 25 %",
    "qd924.1d": "= 100 %",
    "qd924.2a": ">= 70 %",
    "qd924.2b": ">= 70 %",
    "qd924.2c": ">= 50 %",
    "qd924.3": ">= 40 %",
    "qd924.4": "= 100 %",
}


def leaves(ruleset: str) -> list[Criterion]:
    """Return the criteria without children."""
    return [one for one in entry(ruleset).ruleset.walk() if not one.criteria]


def criteria() -> Iterator[Criterion]:
    """Yield every criterion of every ruleset."""
    for ruleset in RULESETS:
        yield from entry(ruleset).ruleset.walk()


def texts(data: Any) -> Iterator[str]:
    """Yield every string in plain data, keys included."""
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict):
        for key, value in data.items():
            yield from texts(key)
            yield from texts(value)
    elif isinstance(data, list | tuple):
        for value in data:
            yield from texts(value)


# --- how many of what -----------------------------------------------------------------------------


def test_there_are_exactly_thirteen_rulesets() -> None:
    assert sorted(registry().entries) == sorted(LEAVES)
    assert sorted(RULESETS) == sorted(LEAVES)


@pytest.mark.parametrize(("ruleset", "expected"), LEAVES.items())
def test_each_document_has_so_many_tests_and_report_only_items(
    ruleset: str, expected: tuple[int, int]
) -> None:
    reported = sum(one.no_criterion for one in leaves(ruleset))
    assert (len(leaves(ruleset)) - reported, reported) == expected


def test_there_are_99_tests_in_all() -> None:
    tests = [one for id_ in RULESETS for one in leaves(id_) if not one.no_criterion]
    assert len(tests) == 99


def test_the_sentences_without_a_test_are_only_reported() -> None:
    found = [one.id for id_ in ("qd924.nation", "travinh.province") for one in leaves(id_)
             if one.no_criterion]  # fmt: skip
    assert found == ["qd924.1a.0", "qd924.task.device", "travinh.province.1a.0"]


def test_annex_one_has_6_themes_18_objectives_39_indicators_and_no_threshold() -> None:
    found = entry("bnn3445.annex1").ruleset
    assert len(found.criteria) == 6
    assert [len(theme.criteria) for theme in found.criteria] == [3, 2, 7, 2, 3, 1]
    per_theme = [sum(len(one.criteria) for one in theme.criteria) for theme in found.criteria]
    assert per_theme == [7, 6, 14, 3, 7, 2]
    kinds = Counter(registry().indicators[str(one.indicator)].kind for one in leaves(found.ruleset))
    assert kinds == {"ratio": 10, "boolean": 28, "count": 1}
    assert not [one for one in found.walk() if one.required or one.combine or one.check]


def test_the_contents_of_both_models_are_the_codes_of_their_sets() -> None:
    models = (
        ("bnn3445.content.smart", "smart_contents_implemented", 6),
        ("bnn3445.content.ecom", "ecom_contents_selected", 5),
    )
    for ruleset, code, themes in models:
        assert len(entry(ruleset).ruleset.criteria) == themes
        members = [one.code for one in registry().indicators[code].members]
        assert [one.contains for one in leaves(ruleset)] == members
        assert {one.indicator for one in leaves(ruleset)} == {code}


def test_the_rows_of_phu_thos_annex_keep_their_cells_apart() -> None:
    """TT, criterion, old content, new content, requirement, target, unit in charge."""
    rows = entry("phutho.annex01").ruleset.criteria
    assert [len(row.cells) for row in rows] == [7, 7, 8, 8]
    for row in rows:
        columns = [cell.column for cell in row.cells]
        assert len(set(columns)) == len(columns)
        assert columns[0] == "TT"
        assert columns[-1] == "Đơn vị chủ trì phụ trách tiêu chí, chỉ tiêu"
    assert [row.cells[0].text for row in rows] == ["15", "9", "8", "9"]


# --- thresholds, whole, force ---------------------------------------------------------------------


def test_every_threshold_is_the_one_of_the_document() -> None:
    found = {}
    for one in criteria():
        if one.required:
            sign = " %" if one.required.unit == "percent" else ""
            values = [f"{branch.value}{sign}" for branch in one.required.branches]
            shown = " | ".join(values) or f"{one.required.value}{sign}"
            found[one.id] = f"{one.required.operator} {shown}"
    assert found == THRESHOLDS


def test_no_operator_is_claimed_that_the_words_do_not_hold() -> None:
    """Where the document prints a sign or a word, it stands in the text that is quoted."""
    parents = {child.id: one for one in criteria() for child in one.criteria}
    for one in criteria():
        if one.required is None:
            continue
        quoted = [one, *([parents[one.id]] if one.id in parents else [])]
        said = " ".join(
            [each.text.vi for each in quoted]
            + [slot.text for each in quoted for slot in each.evidence]
        )
        for piece in one.required.as_written.split("…"):
            assert piece.strip("; ").casefold() in said.casefold(), one.id


def test_the_area_classes_of_the_conditional_thresholds_are_those_of_the_text() -> None:
    for id_, criterion in (("bnn3445.selection.smart", "bnn3445.selection.smart.5"),
                           ("bnn3445.selection.ecom", "bnn3445.selection.ecom.3")):  # fmt: skip
        found = next(one for one in leaves(id_) if one.id == criterion).required
        assert found is not None
        special, others = found.branches
        assert set(special.when_any) == {"area_ethnic_minority_mountainous", "area_island"}
        assert others.when_any == ()


def test_several_readings_ask_for_the_threshold_that_is_shown() -> None:
    found = [one for one in criteria() if one.every_reading]
    assert [one.id for one in found] == ["phutho.district.8.9"]
    assert found[0].required is not None
    asked = set()
    for reading in found[0].every_reading:
        parts = reading.condition.all or reading.condition.any or (reading.condition,)
        asked |= {part.at_least for part in parts}
    assert asked == {found[0].required.value}


@pytest.mark.parametrize(
    ("overall", "rulesets"),
    [
        ("explicit", {"bnn3445.selection.smart", "bnn3445.selection.ecom", "bnn3445.province",
                      "phutho.district"}),
        ("inferred", {"phutho.commune"}),
        ("none", {"bnn3445.content.smart", "bnn3445.content.ecom", "bnn3445.annex1",
                  "phutho.annex01", "travinh.hamlet", "travinh.commune", "travinh.province",
                  "qd924.nation"}),
    ],
)  # fmt: skip
def test_a_pass_rule_is_claimed_only_where_the_document_has_one(
    overall: str, rulesets: set[str]
) -> None:
    assert {id_ for id_ in RULESETS if entry(id_).ruleset.overall == overall} == rulesets


def test_targets_to_strive_for_carry_their_due_date_and_requirements_none() -> None:
    strive = {"bnn3445.province": 2025, "travinh.province": 2023, "qd924.nation": 2025}
    for id_ in RULESETS:
        for one in leaves(id_):
            if one.required is None:
                continue
            due = strive.get(id_) if one.id != "travinh.province.4" else 2025
            wanted = datetime.date(due, 12, 31) if due else None
            force = "strive" if due else "must"
            assert (one.required.force, one.required.due) == (force, wanted), one.id


def test_only_the_decision_known_from_a_news_report_is_a_secondary_source() -> None:
    grades = {id_: entry(id_).ruleset.document.source_grade for id_ in RULESETS}
    assert {id_ for id_, grade in grades.items() if grade == "secondary"} == {"qd924.nation"}


@pytest.mark.parametrize(
    ("prefix", "number", "issued", "provinces"),
    [
        ("bnn3445.", "3445/BNN-VPĐP", "2023-05-29", ()),
        ("phutho.", "/HD-STTTT", "2024-10", ("25",)),
        ("travinh.", "Kế hoạch năm 2023 (bản sao không có số)", "2023", ("84",)),
        ("qd924.", "924/QĐ-TTg", "2022-08-02", ()),
    ],
)
def test_number_and_date_are_given_as_far_as_the_copies_print_them(
    prefix: str, number: str, issued: str, provinces: tuple[str, ...]
) -> None:
    found = [entry(id_).ruleset for id_ in RULESETS if id_.startswith(prefix)]
    assert found
    for one in found:
        assert (one.document.number, one.document.issued) == (number, issued)
        assert one.scope.provinces == provinces
        assert one.scope.country is (not provinces)


@pytest.mark.parametrize(
    ("level", "rulesets"),
    [
        ("hamlet", {"travinh.hamlet"}),
        ("district", {"phutho.district", "phutho.annex01"}),
        ("province", {"bnn3445.province", "travinh.province"}),
        ("nation", {"qd924.nation"}),
        ("commune", {"bnn3445.selection.smart", "bnn3445.selection.ecom", "bnn3445.content.smart",
                     "bnn3445.content.ecom", "bnn3445.annex1", "phutho.commune",
                     "travinh.commune", "phutho.annex01"}),
    ],
)  # fmt: skip
def test_each_ruleset_is_for_the_level_its_text_speaks_of(level: str, rulesets: set[str]) -> None:
    found = {
        id_
        for id_ in RULESETS
        if level in (entry(id_).ruleset.level, *entry(id_).ruleset.also_levels)
    }
    assert found == rulesets


# --- words ----------------------------------------------------------------------------------------


def test_all_text_is_nfc() -> None:
    found = [entry(id_).ruleset.model_dump() for id_ in RULESETS]
    found += [one.model_dump() for one in registry().indicators.values()]
    found += [worked.case.model_dump() for id_ in RULESETS for worked in entry(id_).cases]
    strings = list(texts(found))
    assert len(strings) > 10_000
    assert [one for one in strings if not unicodedata.is_normalized("NFC", one)] == []


def test_every_text_is_given_in_both_languages_and_as_people_write() -> None:
    """No placeholder, no text that is only a copy, no stray white space."""
    for one in criteria():
        assert one.text.vi != one.text.en, one.id
        assert one.section.strip(), one.id
        for words in (one.text.vi, one.text.en, one.section):
            assert words == words.strip(), one.id
            assert "\n" not in words, one.id
            assert "TODO" not in words, one.id


def test_every_leaf_has_its_own_place_in_the_document() -> None:
    """Only the first 90 % of Decision 924 serves two levels."""
    shared = []
    for ruleset in RULESETS:
        places = Counter(one.section for one in leaves(ruleset))
        shared += [one.id for one in leaves(ruleset) if places[one.section] > 1]
    assert shared == ["qd924.1a.1", "qd924.1a.2"]


def test_evidence_slots_are_unique() -> None:
    slots = Counter(slot.slot for one in criteria() for slot in one.evidence)
    assert slots
    assert [slot for slot, times in slots.items() if times > 1] == []


def test_each_piece_of_evidence_belongs_to_the_criterion_it_names() -> None:
    for one in criteria():
        for slot in one.evidence:
            assert slot.slot.startswith(f"{one.id}."), slot.slot


def test_confirmations_say_whether_the_text_or_the_form_demands_them() -> None:
    """1.1.1: the form adds the residential area; 1.3.2: only the text asks for it."""
    found = {
        slot.slot: (slot.form, {each.who: each.required_by for each in slot.confirmed_by})
        for one in criteria()
        for slot in one.evidence
        if slot.confirmed_by
    }
    assert found == {
        "phutho.1.1.1.list": ("Phụ lục 03", {"UBND xã": "both", "khu dân cư": "form"}),
        "phutho.1.1.2.list": ("Phụ lục 04", {"UBND xã": "both"}),
        "phutho.1.3.1.list": ("Phụ lục 05", {"UBND xã": "both", "khu dân cư": "both"}),
        "phutho.1.3.2.list": ("Phụ lục 06", {"UBND xã": "both", "khu dân cư": "text"}),
        "phutho.1.3.3.list": ("Phụ lục 07", {"UBND xã": "form"}),
    }


@pytest.mark.parametrize(
    "criterion",
    ["phutho.1.2.5", "phutho.1.4.1", "phutho.1.4.u3", "phutho.district.8.9",
     "travinh.province.1b.1", "travinh.province.1b.2", "travinh.province.1c.2",
     "travinh.province.3", "qd924.1b.1", "qd924.1b.2", "qd924.1b.3", "qd924.2a", "qd924.3"],
)  # fmt: skip
def test_texts_with_another_reading_show_it(criterion: str) -> None:
    found = registry().criterion(criterion)
    assert found is not None
    one = found[1]
    others = one.every_reading or (one.reading.alternatives if one.reading else ())
    assert others


# --- the catalogue --------------------------------------------------------------------------------


def test_the_catalogue_has_145_codes() -> None:
    kinds = Counter(one.kind for one in registry().indicators.values())
    assert len(registry().indicators) == 145
    assert (kinds["attribute"], kinds["designation"]) == (2, 2)
    assert sum(one.derived is not None for one in registry().indicators.values()) == 13


def test_look_alikes_are_named_on_both_sides() -> None:
    """Two indicators that must never share a value say so of each other, each in its own words."""
    pairs = {
        (code, other.code): (other.difference.vi, other.difference.en)
        for code, one in registry().indicators.items()
        for other in one.look_alikes
    }
    assert len(pairs) > 100
    assert [pair for pair in pairs if pair[::-1] not in pairs] == []
    assert [pair for pair in pairs if pair[0] == pair[1]] == []
    assert [pair for pair, words in pairs.items() if words == pairs[pair[::-1]]] == []


def test_no_two_indicators_have_the_same_name() -> None:
    for language in ("vi", "en"):
        names = Counter(getattr(one.name, language) for one in registry().indicators.values())
        assert [name for name, times in names.items() if times > 1] == []


def test_every_stored_indicator_is_used_by_some_criterion() -> None:
    """A code that nothing reads would be a value collected for nothing."""
    exempting = {"central_pilot_smart", "central_pilot_ecom"}
    unused = [code for code in registry().indicators if not list(registry().uses(code))]
    assert set(unused) <= exempting | {"district_advanced_8_4_pt_met"} - {
        "district_advanced_8_4_pt_met"
    }


def test_every_criterion_reads_indicators_of_its_own_level() -> None:
    """A commune's ruleset reads a commune's values; Phú Thọ's annex speaks of two levels."""
    for id_ in RULESETS:
        ruleset = entry(id_).ruleset
        levels = {ruleset.level, *ruleset.also_levels}
        for one in leaves(id_):
            codes = [one.indicator] if one.indicator else list(one.sum)
            for code in codes:
                assert levels & set(registry().indicators[str(code)].levels), one.id


def test_recognitions_and_decisions_stand_until_followed() -> None:
    standing = {code for code, one in registry().indicators.items() if one.validity == "standing"}
    assert {"ntm_advanced_recognized_2021_2025", "ntm_advanced_recognized_2016_2020"} <= standing
    assert "commune_digital_team_decision" in standing
    assert not standing & {code for code, one in registry().indicators.items()
                           if one.kind in ("ratio", "count")}  # fmt: skip
