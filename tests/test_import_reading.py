"""Files as people send them: every one has its expected report, and its values are exact."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from nasty import FILES
from nasty.packing import book, row
from nasty.shapes import (
    COUNT,
    GZIP,
    LONG,
    RATE,
    SERVICES,
    TRUTH,
    Nasty,
    lines,
    long,
    text,
    values,
)
from reading_calls import Report, read_here

from app.api.uploads import MEDIA
from app.domain.reading import origins
from app.domain.reading.container import CSV, TSV, XLS, XLSX
from app.domain.values.entries import LONGEST_NOTE, LONGEST_SOURCE
from app.rules.registry import Registry


def check(report: Report, nasty: Nasty) -> None:
    """Compare a report with the expected one."""
    assert [one.code for one in report.faults] == list(nasty.faults)
    assert report.end is not None
    if nasty.faults:
        assert (report.created, report.end.cells) == (0, 0)
        return
    assert {key: tuple(rows) for key, rows in report.conflicts.items()} == dict(nasty.conflicts)
    assert {code: tuple(rows) for code, rows in report.warnings.items()} == dict(nasty.warnings)
    assert (report.created, report.rejected) == (nasty.created, nasty.rejected)
    assert (report.end.rows, report.end.cells) == (nasty.rows, nasty.created + nasty.rejected)


@pytest.mark.parametrize("nasty", FILES, ids=lambda one: one.name.replace(" ", "-"))
def test_a_nasty_file_has_its_expected_report(
    nasty: Nasty, registry: Registry, tmp_path: Path
) -> None:
    """Whatever is in a file, it is told by cause and row, and nothing of it is dropped."""
    content, media = nasty.content(), MEDIA[nasty.media]
    check(read_here(content, registry, tmp_path, media=media, **nasty.options), nasty)


def test_every_kind_of_nastiness_is_there() -> None:
    """The list has at least 45 files, of all media, and every name once."""
    assert len(FILES) >= 45
    assert len({one.name for one in FILES}) == len(FILES)
    assert {MEDIA[one.media] for one in FILES} >= {CSV, TSV, XLSX, XLS, MEDIA[GZIP], None}


@pytest.mark.parametrize(
    ("indicator", "said", "facts"),
    [
        (COUNT, ("3.400", "1.234.567"), [(2, 3400), (3, 1_234_567)]),
        (COUNT, ("3,400", "12.0"), [(2, 3400), (3, 12)]),
        (COUNT, ("3 400", "3\u00a0400", "0"), [(2, 3400), (3, 3400), (4, 0)]),
        (RATE, ("85%", "85,50 %", "0", "1"), [(2, "85"), (3, "85.50"), (4, "0")]),
        (RATE, ("0,850", "0.9", "1", "0,125"), [(2, "85.0"), (3, "90"), (4, "100"), (5, "12.5")]),
        (RATE, ("85.125", "0,5%", "90.5%"), [(2, "85.125"), (3, "0.5"), (4, "90.5")]),
        (RATE, ("3400/4000", "3 400 / 4 000"), [(2, 3400, 4000), (3, 3400, 4000)]),
        (TRUTH, ("CÓ", "chưa", " x ", "0"), [(2, True), (3, False), (4, True), (5, False)]),
        (SERVICES, ("[]", "health| culture"), [(2, ""), (3, "culture|health")]),
    ],
)
def test_what_is_written_is_what_is_read(
    indicator: str, said: tuple[str, ...], facts: list[Any], registry: Registry, tmp_path: Path
) -> None:
    """A number keeps its value and a percentage its digits: they say how exact it is."""
    assert read_here(values(indicator, *said)(), registry, tmp_path).facts == facts


def test_numbers_of_workbooks_are_the_ones_that_were_typed(
    registry: Registry, tmp_path: Path
) -> None:
    """0.1 + 0.2 is told to be rounded; the noise of binary numbers is none of anybody's digits."""
    content = book(
        row(1, "unit", RATE, COUNT),
        row(2, "07894", '<c s="1"><v>0.85499999999999998</v></c>', 1200.0),
        row(3, "07897", '<c s="1"><v>0.30000000000000004</v></c>', "<c><v>1.2E3</v></c>"),
        row(4, "07900", '<c s="1"><v>1</v></c>'),
    )
    report = read_here(content, registry, tmp_path, period="2024", source="BC")
    assert report.facts == [(2, "85.5"), (2, 1200), (3, "30.000000"), (3, 1200), (4, "100")]
    assert dict(report.warnings) == {"rounded-share": [3]}


def test_a_value_comes_with_its_origin(registry: Registry, tmp_path: Path) -> None:
    """Source, day and note are those of the row; what is stated with the file fills blanks."""
    content = text(
        lines(
            "unit,indicator,value,source,measured_on,note",
            f"07894,{COUNT},1, BC   12 ,,=1+1",
            f"07897,{COUNT},2,,5/1/2025,'=2",
        )
    )()
    report = read_here(
        content, registry, tmp_path, period="2024", source="Sở NN", measured_on="2024-12-31"
    )
    told = [
        {name: said for name, said in one.items() if name in ("source", "measured_on", "note")}
        for one in report.values
    ]
    assert told == [
        {"source": "BC 12", "measured_on": "2024-12-31", "note": "=1+1"},
        {"source": "Sở NN", "measured_on": "2025-01-05", "note": "=2"},
    ]


def test_the_table_tells_how_the_file_was_understood(registry: Registry, tmp_path: Path) -> None:
    """Format, encoding, delimiter, locale, header and the meaning of each column are told."""
    content = lines("Báo cáo", f"STT;Mã xã;Năm;Nguồn;{COUNT};", "1;07894;2024;BC;1.234,0;")
    report = read_here(content.encode("utf-16"), registry, tmp_path)
    (table,) = report.tables
    assert (table.format, table.encoding, table.delimiter, table.packed) == (
        "csv", "utf-16", ";", False,
    )  # fmt: skip
    assert (table.form, table.locale, table.header_row, table.about) == ("wide", "vi", 2, 1)
    assert table.columns == ("STT", "Mã xã", "Năm", "Nguồn", COUNT, "")
    assert table.meaning == ("ignored", "unit", "period", "source", COUNT, None)
    assert report.facts == [(3, 1234)]


def test_messages_of_equal_faults_are_equal(registry: Registry, tmp_path: Path) -> None:
    """A report groups by cause: the words of a row stand in the sample, cut and printable."""
    odd = "\x1b[31m" + "y" * 200
    content = long(f"07894,2024,{TRUTH},maybe,,,BC", f'07897,2024,{TRUTH},"{odd}",,,BC')()
    report = read_here(content, registry, tmp_path)
    assert len({(one.code, one.vi, one.en) for one in report.bads}) == 1
    assert [len(one.sample or "") <= 61 for one in report.bads] == [True, True]
    assert all((one.sample or "").isprintable() for one in report.bads)


def test_what_a_scale_contradicts_is_named_with_both_camps(
    registry: Registry, tmp_path: Path
) -> None:
    """Who mends a mixed file has to know which rows are written in which way."""
    report = read_here(values(RATE, "85", "0,85", "90", "0,5")(), registry, tmp_path)
    (message,) = {one.en for one in report.bads}
    assert "(rows 2, 4)" in message
    assert "(rows 3, 5)" in message


def test_rejected_rows_come_back_as_they_were(registry: Registry, tmp_path: Path) -> None:
    """The original cells of the wanted rows, under headings by which they are known again."""
    content = long(
        "07894,2024,x,3.400,,,=1+1",
        f"07897,2024,{TRUTH},có,,,BC",
        "07900,2024,x,1",
        "a,b,c,d,e,f,g,h",
    )()
    report = read_here(content, registry, tmp_path, only_rows=((None, 2), (None, 4), (None, 5)))
    (told,) = report.originals
    assert told.header == tuple(LONG.split(","))
    assert told.rows == [
        (None, 2, ["07894", "2024", "x", "3.400", "", "", "=1+1"]),
        (None, 4, ["07900", "2024", "x", "1", "", "", ""]),
        (None, 5, ["a", "b", "c", "d", "e", "f", "g,h"]),
    ]


def test_rejected_rows_of_a_workbook_are_read_again_as_text(
    registry: Registry, tmp_path: Path
) -> None:
    """Percentages, numbers and merged names of a workbook are the same when sent again as CSV."""
    named = Nasty("", lambda: b"")
    content = next(one for one in FILES if one.name.startswith("a report with groups")).content()
    asked = tuple(("Số liệu", number) for number in (6, 7, 8))
    before = read_here(content, registry, tmp_path, period="2024")
    (told,) = read_here(content, registry, tmp_path, period="2024", only_rows=asked).originals
    assert told.header[1:3] == ("district", "name")
    again = lines(*(";".join(one) for one in (told.header, *(cells for _, _, cells in told.rows))))
    after = read_here(again.encode(), registry, tmp_path, period="2024")
    assert [fact for _, *fact in after.facts] == [fact for _, *fact in before.facts]
    assert after.rejected == named.rejected


def test_lengths_are_those_of_values(registry: Registry) -> None:
    """The reading does not load the values of the database; what it knows of them is the same."""
    assert (origins.LONGEST_SOURCE, origins.LONGEST_NOTE) == (LONGEST_SOURCE, LONGEST_NOTE)
