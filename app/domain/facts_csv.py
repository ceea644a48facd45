"""Values in a CSV file of the long form: one row a value, every bad row reported by line.

Columns: unit, on, period, indicator, value, numerator, denominator, source, measured_on, note.
UTF-8 with or without a byte order mark, comma or semicolon. A ratio has numerator and denominator,
or a bare percentage in `value`; a set lists its codes in `value` separated by `|` (`[]`: empty).
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from app.domain.csv_table import COLUMNS, RowComplaint, read_cells
from app.domain.refusals import no_indicator
from app.domain.unit_periods import Meant
from app.rules.errors import FactError, Text
from app.rules.facts import Fact, printable, read_fact
from app.rules.indicators import Indicator
from app.rules.period import Period, Value, read_period

_INTEGER: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_UNIT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")


class Row(msgspec.Struct, frozen=True):
    """One good row: the value of an indicator or area class, or the decision of a designation."""

    line: int
    unit: str
    period: Period
    indicator: Indicator
    measured_on: datetime.date | None
    value: Value | None = None
    decision: str | None = None
    on: datetime.date | None = None
    note: str | None = None


class Line(msgspec.Struct, frozen=True):
    """One line of the file: the row, None where it is not good; its unit where that can be read."""

    line: int
    cells: Mapping[str, str]
    row: Row | None
    meant: Meant | None


def read_lines(
    content: bytes, catalogue: Mapping[str, Indicator], complaints: list[RowComplaint]
) -> Iterator[Line]:
    """Yield every line that has the cells it should; what is wrong goes to the complaints."""
    for line, cells in read_cells(content, complaints):
        bad = len(complaints)
        row, meant = _row(line, cells, catalogue, complaints)
        yield Line(line, cells, row if len(complaints) == bad else None, meant)


def read_rows(
    content: bytes, catalogue: Mapping[str, Indicator]
) -> tuple[list[Row], list[RowComplaint]]:
    """Return the good rows and everything that is wrong with the others.

    A code stands for one unit in the whole file: no register is asked which one is meant.
    """
    complaints: list[RowComplaint] = []
    rows: list[Row] = []
    seen: dict[tuple[str, str, str], int] = {}
    days: dict[str, tuple[str, int]] = {}
    for one in read_lines(content, catalogue, complaints):
        line, cells, bad = one.line, one.cells, len(complaints)
        day, since = cells["on"], line
        if day:
            day, since = days.setdefault(cells["unit"], (day, line))
        if day != cells["on"]:
            message = Text(
                f"dòng {since} ghi ngày khác cho cùng mã đơn vị; mã có thể chỉ hai đơn vị khác "
                "nhau, hãy tách thành hai tệp",
                f"line {since} gives another day for the same code, which may mean two different "
                "units; use two files",
            )
            complaints.append(RowComplaint(line, "on", "two-days", message))
        key = (cells["unit"], cells["period"], cells["indicator"])
        first = seen.setdefault(key, line)
        if first != line:
            complaints.append(RowComplaint(line, "indicator", "duplicate-row", repeats_line(first)))
        if one.row is not None and len(complaints) == bad:
            rows.append(one.row)
    return rows, complaints


def repeats_line(first: int) -> Text:
    """Say which line a row repeats."""
    return Text(
        f"trùng với dòng {first} (cùng đơn vị, kỳ, chỉ số); chỉ giữ một dòng",
        f"repeats line {first} (same unit, period, indicator); keep one row",
    )


def _row(
    line: int,
    cells: Mapping[str, str],
    catalogue: Mapping[str, Indicator],
    complaints: list[RowComplaint],
) -> tuple[Row | None, Meant | None]:
    """Return the row, and the unit it names where unit, day and period can be read."""

    def complain(column: str, code: str, vi: str, en: str) -> None:
        complaints.append(RowComplaint(line, column, code, Text(vi, en)))

    period = read_period(cells["period"])
    if period is None:
        wanted = "2024, 2024-H1, 2024-Q3, 2024-10"
        complain("period", "invalid-period", f"kỳ phải có dạng {wanted}", f"a period is {wanted}")
    if not _UNIT.fullmatch(cells["unit"]):
        complain(
            "unit",
            "invalid-unit",
            "thiếu mã đơn vị hoặc mã có ký tự lạ; dùng chữ số 0-9",
            "the unit code is missing or has odd characters; use digits 0-9",
        )
    days = {column: read_day(cells[column]) for column in ("on", "measured_on")}
    for column, day in days.items():
        if cells[column] and day is None:
            complain(column, "invalid-date", "ngày có dạng YYYY-MM-DD", "a date is YYYY-MM-DD")
    meant = None
    if period and _UNIT.fullmatch(cells["unit"]) and bool(cells["on"]) == (days["on"] is not None):
        meant = Meant(cells["unit"], period, days["on"])
    indicator = catalogue.get(cells["indicator"])
    if indicator is None:
        wrong = no_indicator(cells["indicator"])
        complaints.append(RowComplaint(line, "indicator", "unknown-indicator", wrong))
        return None, meant
    try:
        return _good_row(line, cells, indicator, period, days), meant
    except FactError as error:
        column = error.pointer.strip("/")
        complain(
            column if column in COLUMNS else "value", error.code, error.message.vi, error.message.en
        )
        return None, meant


def _good_row(
    line: int,
    cells: Mapping[str, str],
    indicator: Indicator,
    period: Period | None,
    days: Mapping[str, datetime.date | None],
) -> Row | None:
    """Return the row, None without a period; raise FactError where the value does not fit."""
    _check_cells(indicator, cells)
    decision = cells["value"] if indicator.kind == "designation" else None
    fact = _fact(indicator, cells) if decision is None else None
    if period is None:
        return None
    value = None if fact is None else Value(fact, period, cells["source"] or None)
    return Row(
        line, cells["unit"], period, indicator, days["measured_on"], value, decision, days["on"],
        cells["note"] or None,
    )  # fmt: skip


def _check_cells(indicator: Indicator, cells: Mapping[str, str]) -> None:
    """Refuse cells that contradict each other, and missing ones."""
    counts = [name for name in ("numerator", "denominator") if cells[name]]
    if counts and indicator.kind != "ratio":
        raise FactError(
            "unexpected-cell",
            Text(
                f"{indicator.code} không phải tỷ lệ; chỉ ghi value",
                f"{indicator.code} is no ratio; give value only",
            ),
            f"/{counts[0]}",
        )
    if counts and cells["value"]:
        raise FactError(
            "unexpected-cell",
            Text(
                "chỉ ghi value hoặc numerator và denominator, không ghi cả hai",
                "give value, or numerator and denominator, not both",
            ),
            f"/{counts[0]}",
        )
    if len(counts) == 1:
        other = "denominator" if counts == ["numerator"] else "numerator"
        raise FactError("missing-cell", Text(f"thiếu {other}", f"{other} is missing"), f"/{other}")
    if not counts and not cells["value"]:
        raise FactError(
            "missing-cell",
            Text(
                "thiếu giá trị; bỏ cả dòng nếu chưa có số liệu",
                "the value is missing; leave the row out if it is not known",
            ),
            "/value",
        )


def _fact(indicator: Indicator, cells: Mapping[str, str]) -> Fact:
    value = cells["value"]
    if indicator.kind in ("boolean", "attribute"):
        return _yes_or_no(value)
    if indicator.kind == "count":
        return read_fact(indicator, _integer(value, ""))
    if indicator.kind == "ratio" and value:
        return read_fact(indicator, {"percent": value.removesuffix("%").rstrip()})
    if indicator.kind == "ratio":
        counts = ("numerator", "denominator")
        return read_fact(indicator, {name: _integer(cells[name], f"/{name}") for name in counts})
    return read_fact(indicator, [] if value == "[]" else [one.strip() for one in value.split("|")])


def _yes_or_no(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise FactError(
            "wrong-kind", Text("giá trị phải là true hoặc false", "the value must be true or false")
        )
    return text.lower() == "true"


def _integer(text: str, pointer: str) -> int:
    if not _INTEGER.fullmatch(text):
        shown = printable(text)
        raise FactError(
            "wrong-kind",
            Text(
                f"“{shown}” không phải số nguyên không âm (chữ số 0-9, không dấu chấm)",
                f"“{shown}” is no integer of 0 or more (digits 0-9, no separators)",
            ),
            pointer,
        )
    return int(text)


def read_day(text: str) -> datetime.date | None:
    """Return the day written YYYY-MM-DD; None for anything else."""
    try:
        return datetime.date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        return None
