"""`docs/bulk.md`: what it lists of the reading of files is what the code knows, and all of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, get_args

import pytest
from conftest import ROOT

from app.domain import unit_periods
from app.domain.imports import State, findings, naming, placing, taking
from app.domain.jobs import State as JobState
from app.domain.reading import causes, headings, limits, origins, places, text, words
from app.domain.reading.fault_texts import FAULTS
from app.domain.reading.limited import PATIENCE
from app.domain.reading.row_texts import WARNINGS, WRONG
from app.domain.vietnamese import search_key
from app.rules import facts as rules_facts

_PAGE: Final = (ROOT / "docs" / "bulk.md").read_text("utf-8")
_CODE: Final = re.compile(r'"([a-z]+(?:-[a-z]+)+)"')


def section(heading: str) -> str:
    """Return what stands below a heading of the page."""
    _, found, rest = _PAGE.partition(f"\n## {heading}\n")
    assert found, heading
    return rest.partition("\n## ")[0]


def rows(heading: str) -> list[list[str]]:
    """Return the cells of every row of the first table of a section."""
    found = re.search(r"(?:^\|.*\n)+", section(heading), re.MULTILINE)
    assert found, heading
    return [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in found[0].splitlines()[2:]
    ]


def quoted(told: str) -> list[str]:
    """Return what stands between backticks, in order."""
    return re.findall(r"`([^`]+)`", told)


def codes(heading: str) -> list[str]:
    """Return the codes that the first column of a section's table names."""
    return [code for row in rows(heading) for code in quoted(row[0])]


def raised(module: object, call: str) -> set[str]:
    """Return the codes with which a module complains by a call."""
    source = Path(str(vars(module)["__file__"])).read_text("utf-8")
    return {
        code
        for found in re.findall(rf"\b{call}\((.{{0,80}})", source, re.DOTALL)
        for code in _CODE.findall(found)[:1]
    }


def test_every_heading_that_is_understood_is_listed() -> None:
    """The table has each heading of the reading once, below what it means, and no other."""
    listed = {
        quoted(row[0])[0]: [headings._key(one) for one in row[1].split(", ")]
        for row in rows("Headings")
    }
    assert list(listed) == list(headings._MEANINGS)
    for meaning, known in headings._MEANINGS.items():
        assert sorted(listed[meaning]) == sorted(known), meaning


def test_every_reason_for_which_a_value_is_refused_is_explained() -> None:
    """The table has every code of a conflict that does not concern the file as a whole."""
    known = set(WRONG) - {"missing-source"}  # which is told as a missing cell
    for module in (placing, naming, unit_periods):
        known |= raised(module, "(?:Unclear|Doubtful)")
    known |= raised(taking, "_reject(?:_differing)?") | raised(rules_facts, "FactError")
    listed = codes("Why a value is refused")
    assert len(listed) == len(set(listed))
    assert set(listed) == known


def test_every_reason_for_which_a_file_is_refused_is_explained() -> None:
    """The table has every fault."""
    assert sorted(codes("Why a file is refused")) == sorted(
        {causes.SAID_AS.get(code, code) for code in FAULTS}
    )


def test_every_warning_is_explained() -> None:
    """The table has every warning of the reading, of the placing and of what is kept."""
    assert sorted(codes("Warnings")) == sorted({*WARNINGS, taking.RESTORED, findings.NOT_KEPT})


def test_the_words_for_yes_and_no_are_those_that_are_read() -> None:
    """Both lists have every word, whether or not with diacritics."""
    told = section("How cells are read").partition("**Yes or no.**")[2].partition("**Sets**")[0]
    yes, no = told.split("No:")
    assert {search_key(word) for word in quoted(yes)} == words.YES
    assert {search_key(word) for word in quoted(no)} == words.NO


def test_the_encodings_that_may_be_stated_are_those_that_are_known() -> None:
    """Besides UTF-8 and UTF-16, which are recognised, the page names every encoding."""
    told = section("How cells are read").partition("**Encoding.**")[2].partition("**Numbers.**")[0]
    known = {text.shown_encoding(name) for name in text.ENCODINGS.values()}
    listed = {word for word in quoted(told) if word in known}
    assert listed == {one for one in known if not one.startswith("utf")}


@pytest.mark.parametrize("word", ["Tổng cộng", "Cộng", "Toàn tỉnh", "Total"])
def test_rows_of_sums_begin_as_told(word: str) -> None:
    """The words that the page gives as examples of sums are such words."""
    assert f"`{word}`" in section("Tables")
    assert places.is_total(word)


@pytest.mark.parametrize(
    ("written", "period"),
    [
        ("năm 2024", "2024"),
        ("Quý III/2024", "2024-Q3"),
        ("Q3 2024", "2024-Q3"),
        ("tháng 10/2024", "2024-10"),
        ("10/2024", "2024-10"),
        ("6 tháng đầu năm 2024", "2024-H1"),
    ],
)
def test_periods_may_be_written_as_told(written: str, period: str) -> None:
    """Every way of writing a period that the page gives is read as that period."""
    assert f"`{written}`" in section("How cells are read")
    assert places.period_of(written) == period


def test_the_limits_are_those_of_the_code() -> None:
    """The table has the numbers by which files are refused."""
    told = {row[0]: row[1] for row in rows("Limits")}
    numbers = {name: re.findall(r"[0-9][0-9,]*", shown) for name, shown in told.items()}
    plain = {name: [int(one.replace(",", "")) for one in found] for name, found in numbers.items()}
    mebi = 2**20
    assert plain == {
        "bytes (`NTM_MAX_IMPORT_BYTES`)": [256],
        "bytes unpacked": [limits.MOST_UNPACKED // 2**30, limits.SMALL // mebi, limits.MOST_RATIO],
        "rows": [limits.MOST_ROWS],
        "cells of values": [limits.MOST_CELLS],
        "columns": [limits.MOST_COLUMNS],
        "sheets": [limits.MOST_SHEETS],
        "characters of a cell": [limits.LONGEST_CELL],
        "different units and periods": [limits.MOST_PLACES],
        "faults of values": [limits.MOST_BAD],
        "time to read it": [limits.SECONDS, int(PATIENCE)],
    }
    assert f"source {origins.LONGEST_SOURCE}, note {origins.LONGEST_NOTE:,} characters" in _PAGE
    assert f"the first {findings.MOST_ROWS} rows" in " ".join(_PAGE.split())


def test_every_state_is_explained() -> None:
    """The states of imports and of jobs are told, all of them."""
    assert {name for row in rows("Reports") for name in quoted(row[0])} == set(get_args(State))
    assert {name for row in rows("Jobs") for name in quoted(row[0])} == set(get_args(JobState))
