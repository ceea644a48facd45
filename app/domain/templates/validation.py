"""What the cells of a template take: a wrong entry is told while it is typed, not after sending."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from xlsxwriter.utility import xl_rowcol_to_cell

from app.domain.templates import Column
from app.rules.facts import LARGEST_COUNT

YES, NO = "có", "không"
_TITLE: Final = "Số liệu không hợp lệ"
_SHARE: Final = (
    "Số nguyên từ 0; tử số không lớn hơn mẫu số. Khi đã ghi cột (%) thì để trống hai cột này."
)
_MAY_EXCEED: Final = "Số nguyên từ 0. Khi đã ghi cột (%) thì để trống tử số và mẫu số."
_PERCENT: Final = "Số từ 0 đến 100: 85 là 85%. Khi đã ghi tử số và mẫu số thì để trống cột này."
_RATE: Final = "Số từ 0: 85 là 85%. Khi đã ghi tử số và mẫu số thì để trống cột này."
_COUNT: Final = "Số nguyên từ 0 trở lên; để trống khi chưa có số liệu."
_TRUTH: Final = "Chọn “có” hoặc “không”; để trống khi chưa có số liệu."


def rule(columns: Sequence[Column], number: int, row: int) -> Mapping[str, Any] | None:
    """Return what a column takes, as xlsxwriter wants it said; None for free text.

    `number` is the column and `row` the first row it holds for, both counted from 0.
    """
    column = columns[number]
    if column.entry == "truth":
        return _told({"validate": "list", "source": [YES, NO]}, _TRUTH)
    if column.entry == "count":
        wanted = {"criteria": "between", "minimum": 0, "maximum": LARGEST_COUNT}
        return _told({"validate": "integer", **wanted}, _COUNT)
    if column.entry in ("numerator", "denominator", "percent"):
        return _share(columns, number, row)
    return None


def _share(columns: Sequence[Column], number: int, row: int) -> Mapping[str, Any]:
    """Return the rule of one of the three columns of a share; they stand beside each other."""
    column = columns[number]
    start = number - ("numerator", "denominator", "percent").index(column.entry)
    over, under, percent = (xl_rowcol_to_cell(row, start + place) for place in range(3))
    cell = xl_rowcol_to_cell(row, number)
    free = column.indicator is not None and column.indicator.numerator_may_exceed_denominator
    asked = [f"ISNUMBER({cell})", f"{cell}>=0"]
    if column.entry == "percent":
        asked += [f'{over}=""', f'{under}=""'] + ([] if free else [f"{cell}<=100"])
        return _custom(asked, _RATE if free else _PERCENT)
    asked += [f"{cell}=INT({cell})", f'{percent}=""']
    if not free:
        asked.append(f'OR({over}="",{under}="",{over}<={under})')
    return _custom(asked, _MAY_EXCEED if free else _SHARE)


def _custom(asked: Sequence[str], message: str) -> Mapping[str, Any]:
    return _told({"validate": "custom", "value": f"=AND({','.join(asked)})"}, message)


def _told(found: Mapping[str, Any], message: str) -> Mapping[str, Any]:
    return {**found, "input_message": message, "error_title": _TITLE, "error_message": message}
