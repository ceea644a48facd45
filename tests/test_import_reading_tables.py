"""Tables as reports have them: what headings mean, where a table begins, which rows are none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from nasty.packing import book, merged, row
from nasty.shapes import COUNT, COUNT_NAME, RATE, RATE_NAME, TRUTH, TRUTH_NAME, lines, text
from reading_calls import ordered, read_here

from app.domain.reading.frames import Measure
from app.domain.reading.headings import UNKNOWN, Headings, Meaning
from app.domain.reading.places import day_of, period_of
from app.rules.registry import Registry

_DISTRICT: Any = "district_has_linkage_model"


@pytest.fixture(scope="module")
def headings(registry: Registry) -> Headings:
    """The headings of the whole catalogue."""
    return Headings(ordered(registry).catalogue)


@pytest.mark.parametrize(
    ("heading", "word"),
    [
        ("Mã xã", "unit"), ("MÃ  ĐƠN VỊ", "unit"), ("ma xa", "unit"), ("Xã/Phường", "name"),
        ("Tên xã, phường", "name"), ("Huyện", "district"), ("Mã tỉnh", "province_code"),
        ("Kỳ", "period"), ("Năm", "period"), ("Chỉ tiêu", "indicator"), ("Giá trị", "value"),
        ("Tử số", "numerator"), ("Mẫu số", "denominator"), ("Nguồn", "source"),
        ("Ngày đo", "measured_on"), ("Ghi chú", "note"), ("STT", "ignored"), ("Số TT", "ignored"),
        ("reason", "ignored"), ("measured_on", "measured_on"),
    ],
)  # fmt: skip
def test_headings_of_the_long_form_are_known(heading: str, word: str, headings: Headings) -> None:
    """Case, white space, diacritics and marks between words make no difference."""
    assert headings.meaning(heading) == Meaning(word)


@pytest.mark.parametrize(
    ("heading", "code", "part", "percent"),
    [
        (RATE, RATE, "value", False), (RATE_NAME, RATE, "value", False),
        (RATE_NAME.upper(), RATE, "value", False), (f"{RATE_NAME} (%)", RATE, "value", True),
        (f"Internet [{RATE}]", RATE, "value", False),
        (f"{RATE}.numerator", RATE, "numerator", False),
        (f"{RATE_NAME} - Tử số", RATE, "numerator", False),
        (f"{RATE_NAME} (mẫu số)", RATE, "denominator", False),
        (f"{RATE_NAME}: TỬ SỐ", RATE, "numerator", False), (TRUTH_NAME, TRUTH, "value", False),
    ],
)  # fmt: skip
def test_headings_that_name_an_indicator_are_known(
    heading: str, code: str, part: str, percent: bool, headings: Headings, registry: Registry
) -> None:
    """Code, name, both, the parts of a share, and what says that numbers are percentages."""
    (index,) = headings.indicator(code)
    assert headings.meaning(heading) == Meaning(None, (index,), part, percent)


def test_every_indicator_is_known_by_its_names(headings: Headings, registry: Registry) -> None:
    """No two indicators share a heading, in whatever language or spelling it is written."""
    for index, one in enumerate(registry.indicators.values()):
        for name in (one.code, one.name.vi, one.name.en, f"{one.name.vi} ({one.code})"):
            assert headings.meaning(name) == Meaning(None, (index,)), name
    assert headings.meaning("Dân số") == UNKNOWN
    assert headings.near("Ma xaa") == "Mã đơn vị"
    assert headings.near("households_internet_conected_rate") == RATE


def test_a_name_of_two_indicators_is_no_heading() -> None:
    """Where a name means two indicators, both codes are told and nobody chooses."""
    two = [Measure(code, "count", "Số lớp", "Classes") for code in ("a_count", "b_count")]
    assert Headings(two).meaning("Số lớp").indicators == (0, 1)


@pytest.mark.parametrize(
    ("said", "period"),
    [
        ("2024", "2024"), ("2024-H1", "2024-H1"), ("Năm 2024", "2024"), ("Quý 3/2024", "2024-Q3"),
        ("quý IV năm 2024", "2024-Q4"), ("Q1/2024", "2024-Q1"), ("Tháng 9/2024", "2024-09"),
        ("10/2024", "2024-10"), ("6 tháng đầu năm 2024", "2024-H1"), ("Quý 5/2024", None),
        ("13/2024", None), ("hai nghìn", None), ("24", None),
    ],
)  # fmt: skip
def test_periods_are_read_as_they_are_written(said: str, period: str | None) -> None:
    """A year, half-year, quarter or month, in the words of reports too; nothing else."""
    assert period_of(said) == period


@pytest.mark.parametrize(
    ("said", "day"),
    [
        ("2024-12-31", "2024-12-31"), ("31/12/2024", "2024-12-31"), ("5.1.2024", "2024-01-05"),
        ("12/31/2024", None), ("31/12/24", None), ("2024-02-30", None), ("45385", None),
    ],
)  # fmt: skip
def test_days_come_before_months(said: str, day: str | None) -> None:
    """A date is written as the country writes it or as the API does; two digits are no year."""
    assert day_of(said) == day


def test_groups_that_are_no_indicators_only_bind_columns_together(
    registry: Registry, tmp_path: Path
) -> None:
    """Below a heading such as “Hạ tầng số” stand the indicators themselves."""
    content = book(
        row(1, "Mã xã", "Hạ tầng số", None, "Ghi chú"),
        row(2, None, TRUTH_NAME, COUNT_NAME),
        row(3, "07894", "x", 3, "tốt"),
        after=merged("A1:A2", "B1:C1", "D1:D2"),
    )
    report = read_here(content, registry, tmp_path, period="2024", source="BC")
    assert [one.code for one in report.faults] == []
    assert report.facts == [(3, True), (3, 3)]
    assert report.tables[0].columns == ("Mã xã", TRUTH_NAME, COUNT_NAME, "Ghi chú")


def test_a_header_on_every_page_is_passed_over(registry: Registry, tmp_path: Path) -> None:
    """Reports repeat the header; it is told, and no row of values."""
    page = (f"Mã xã;{TRUTH};{COUNT}", "07894;x;3")
    content = lines(*page, page[0], "07897;;4").encode()
    report = read_here(content, registry, tmp_path, period="2024", source="BC")
    assert dict(report.warnings) == {"repeated-header": [3]}
    assert not report.bads
    assert report.facts == [(2, True), (2, 3), (4, 4)]


def test_codes_stand_for_the_names_beside_them(registry: Registry, tmp_path: Path) -> None:
    """The lists of the statistics office have both; that the names are not used is told."""
    content = lines(
        "Mã tỉnh,Tỉnh,Mã huyện,Huyện,Mã xã,Xã,Chỉ số,Giá trị",
        f"25,Tỉnh Phú Thọ,227,Thành phố Việt Trì,07894,Phường Nông Trang,{TRUTH},x",
    ).encode()
    report = read_here(content, registry, tmp_path, period="2024", source="BC")
    assert report.created == 1
    assert list(report.warnings) == ["column-not-used"]
    (place,) = report.places
    assert (place.code, place.district, place.province) == ("07894", "227", "25")
    assert report.tables[0].meaning[:4] == ("province", "ignored", "district", "ignored")


@pytest.mark.parametrize(
    ("header", "cells", "place"),
    [
        ("Mã huyện", "227", ("227", None, None, None)),
        ("Huyện,Tỉnh", "Việt Trì,Phú Thọ", (None, None, "Việt Trì", "Phú Thọ")),
        ("Xã", "07894", ("07894", None, None, None)),
        ("Đơn vị,Cấp", "Phú Thọ,tỉnh", (None, "Phú Thọ", None, None)),
    ],
)
def test_a_row_is_of_the_lowest_unit_that_it_names(
    header: str, cells: str, place: tuple[Any, ...], registry: Registry, tmp_path: Path
) -> None:
    """Districts and provinces have values as well; a code may stand in a column of names."""
    content = lines(f"{header},indicator,value", f"{cells},{_DISTRICT},x").encode()
    (found,) = read_here(content, registry, tmp_path, period="2024", source="BC").places
    assert (found.code, found.name, found.district, found.province) == place
    assert found.level == ("province" if "Cấp" in header else None)


@pytest.mark.parametrize(
    ("content", "options", "fault"),
    [
        (text(lines("unit,indicator,value", "07894,x,1")), {"sheet": "1"}, "invalid-option"),
        (lambda: book(row(1, "unit", COUNT)), {"encoding": "utf-8"}, "invalid-option"),
        (text(lines("unit,indicator,value")), {"period": "24"}, "invalid-option"),
        (text(lines("unit,indicator,value")), {"locale": "fr"}, "invalid-option"),
        (text(lines("unit,indicator,value")), {"measured_on": "5/2024"}, "invalid-option"),
        (text(lines("unit,indicator,value")), {"source": "x" * 501}, "invalid-option"),
        (text(lines(f"unit,indicator,value,{COUNT}", "07894,x,1,2")), {}, "mixed-forms"),
    ],
)
def test_what_does_not_go_together_is_refused(
    content: Any, options: dict[str, str], fault: str, registry: Registry, tmp_path: Path
) -> None:
    """Nothing that is stated with a file is ignored, and nobody chooses between two readings."""
    stated = {"period": "2024", "source": "BC"} | options
    report = read_here(content(), registry, tmp_path, **stated)
    assert [one.code for one in report.faults] == [fault]


def test_values_of_a_sheet_twice_are_found_across_sheets_and_spellings(
    registry: Registry, tmp_path: Path
) -> None:
    """The same commune by code and by name is the same one, wherever in the file it stands."""
    content = book(
        row(1, "Xã", "Huyện", COUNT),
        row(2, "07921", None, 3),
        row(3, "Xã Phượng Lâu", "Việt Trì", 3),
        row(4, "xã phượng lâu", "TP Việt Trì", 3),
    )
    report = read_here(content, registry, tmp_path, period="2024", source="BC")
    assert report.facts == [(2, 3)]
    assert dict(report.conflicts) == {("duplicate-value", COUNT): [3, 4]}
    assert [one.sample for one in report.bads] == ["2", "2"]
