"""The columns of a template: where a unit lies, then what the ruleset reads of it, as it reads.

Headings are the names of indicators; what the law says stands beside each as a comment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from app.domain.templates import IGNORED, Column, Entry
from app.rules.evaluate import own_codes
from app.rules.explain import cite
from app.rules.indicators import Indicator
from app.rules.ruleset import Criterion, Ruleset

# The levels above a unit whose names help to tell it from others, the nearest first.
ABOVE: Final[Mapping[str, Column]] = {
    "commune": Column(IGNORED, "Xã", "place"),
    "district": Column("district", "Huyện", "place"),
    "province": Column("province", "Tỉnh", "place"),
}
_UNIT: Final = Column("unit", "Mã đơn vị", "place", "Mã không đổi được; mỗi dòng là một đơn vị.")
_NAME: Final = Column("name", "Tên đơn vị", "place")
_SOURCE: Final = Column(
    "source",
    "Nguồn",
    "source",
    "Văn bản hoặc hệ thống mà số liệu của dòng này được lấy ra, ví dụ: Báo cáo 12/BC-UBND ngày "
    "15/01/2025. Bắt buộc khi dòng có số liệu.",
)
_NOTE: Final = Column("note", "Ghi chú", "note", "Không bắt buộc; đi cùng mọi số liệu của dòng.")
_LONGEST: Final = 4_000  # characters of a comment: one window on a screen


def columns_of(
    ruleset: Ruleset, catalogue: Mapping[str, Indicator], above: Iterable[str]
) -> tuple[Column, ...]:
    """Return the columns of a ruleset's template; `above` are the levels shown beside a name."""
    shown = set(above)
    places = [column for level, column in ABOVE.items() if level in shown]
    reading = _reading(ruleset)
    measured = [
        column
        for code, criteria in reading.items()
        if catalogue[code].kind not in ("attribute", "designation")
        for column in _measured(catalogue[code], _law(ruleset, catalogue[code], criteria))
    ]
    return (_UNIT, _NAME, *places, _SOURCE, *measured, _NOTE)


def _reading(ruleset: Ruleset) -> dict[str, list[Criterion]]:
    """Return the indicators in the order of the document, each with the criteria that read it."""
    found: dict[str, list[Criterion]] = {}
    for criterion in ruleset.walk():
        for code in dict.fromkeys(own_codes(criterion)):
            found.setdefault(code, []).append(criterion)
    return found


def _measured(indicator: Indicator, law: str) -> Iterator[Column]:
    code, name = indicator.code, indicator.name.vi
    if indicator.numerator is None or indicator.denominator is None:
        entries: Mapping[str, Entry] = {"boolean": "truth", "count": "count", "set": "codes"}
        yield Column(code, name, entries[indicator.kind], law, indicator)
        return
    counted = f"Tử số: {indicator.numerator.vi}.\nMẫu số: {indicator.denominator.vi}."
    said = f"{counted}\n\n{law}"
    yield Column(f"{code}.numerator", f"{name} - Tử số", "numerator", said, indicator)
    yield Column(f"{code}.denominator", f"{name} - Mẫu số", "denominator", said, indicator)
    rounded = f"Chỉ ghi tỷ lệ khi không có tử số và mẫu số: 85 là 85%.\n\n{counted}\n\n{law}"
    yield Column(code, f"{name} (%)", "percent", rounded, indicator)


def _law(ruleset: Ruleset, indicator: Indicator, criteria: Iterable[Criterion]) -> str:
    """Return what the document says of an indicator, criterion by criterion, word for word."""
    parts = []
    if indicator.derived:
        parts.append(
            "Thường được tính từ số liệu của các đơn vị thành viên; ghi ở đây khi chỉ có số liệu "
            "chung của đơn vị."
        )
    if indicator.members:
        codes = "\n".join(f"{one.code}: {one.name.vi}" for one in indicator.members)
        parts.append(f"Các mã, cách nhau bằng dấu | (không có mã nào thì ghi []):\n{codes}")
    for criterion in criteria:
        parts.append(f"{criterion.text.vi}\n({cite(criterion, ruleset.document)})")
        if criterion.required:
            parts[-1] += f"\nNgưỡng: {criterion.required.as_written}"
    said = "\n\n".join(parts)
    return said if len(said) <= _LONGEST else said[: _LONGEST - 1] + "…"
