"""Spans of periods: from one to another of its kind, and those within one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from app.domain.refusals import Complaint, Refused
from app.rules.errors import Text
from app.rules.period import Period, read_period

MOST_PERIODS: Final = 60
_YEAR: Final = ("",)
_PARTS: Final = (
    _YEAR,
    ("-H1", "-H2"),
    tuple(f"-Q{quarter}" for quarter in range(1, 5)),
    tuple(f"-{month:02}" for month in range(1, 13)),
)


def between(first: Period, last: Period) -> list[Period]:
    """Return the periods from one to another of its kind, in order; raise Refused for others."""
    parts = next(parts for parts in _PARTS if first.text[4:] in parts)
    if last.text[4:] not in parts or last.first < first.first:
        raise Refused([Complaint("/to", "invalid-period", _NO_SPAN)])
    years = range(int(first.text[:4]), int(last.text[:4]) + 1)
    found = [
        one for year in years for one in _in_year(year, parts)
        if first.first <= one.first <= last.first
    ]  # fmt: skip
    if len(found) > MOST_PERIODS:
        raise Refused([Complaint("/to", "out-of-range", _TOO_LONG)])
    return found


def within(period: Period) -> list[Period]:
    """Return the periods that lie within one, itself included."""
    parts = [part for kind in _PARTS for part in kind]
    return [one for one in _in_year(int(period.text[:4]), parts) if one.within(period)]


def _in_year(year: int, parts: Sequence[str]) -> list[Period]:
    return [one for part in parts if (one := read_period(f"{year}{part}")) is not None]


_NO_SPAN: Final = Text(
    "from và to phải là hai kỳ cùng loại (năm, nửa năm, quý hoặc tháng), from không sau to",
    "from and to must be two periods of one kind (year, half-year, quarter or month), from not "
    "after to",
)
_TOO_LONG: Final = Text(
    f"một lần hỏi tối đa {MOST_PERIODS} kỳ; hãy chia khoảng thời gian",
    f"at most {MOST_PERIODS} periods are answered at once; split the span",
)
