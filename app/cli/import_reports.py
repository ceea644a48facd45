"""Reports on imported files as people read them: counts, what is wrong and where, a summary."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import msgspec
from rich.console import Group
from rich.table import Table
from rich.text import Text as Styled

from app.cli.console import err, language, out, phrase, plain, say
from app.rules.errors import Text

_RUNS: Final = 12  # runs of row numbers in one cell


class Counts(msgspec.Struct, frozen=True):
    """What became of the values of a file."""

    created: int
    superseded: int
    unchanged: int
    skipped: int
    rejected: int

    def cells(self) -> list[str]:
        """Return them in the order of their headings."""
        return [str(one) for one in msgspec.structs.astuple(self)]


class Cause(msgspec.Struct, frozen=True):
    """One thing wrong, with the rows it is wrong in: the first ones, and how many there are."""

    code: str
    message: dict[str, str]
    rows: list[int]
    count: int
    column: str | None = None
    sheet: str | None = None
    sample: str | None = None


class Report(msgspec.Struct, frozen=True):
    """What is shown of a report; the rest of it is for programs."""

    id: int
    state: str
    rows: int
    counts: Counts
    conflicts: list[Cause]
    warnings: list[Cause]
    rejected: str | None = None


class Sent(msgspec.Struct, frozen=True):
    """What became of one file: the report on it, or why there is none.

    `told` is all that was told of it, as JSON; `mend` the file with the rows that were rejected.
    """

    name: str
    told: Mapping[str, Any]
    report: Report | None = None
    failure: Text = Text("", "")
    mend: str | None = None

    @property
    def good(self) -> bool:
        """Tell whether everything of the file was loaded, or could be."""
        found = self.report
        return found is not None and found.state in _GOOD and not found.counts.rejected


def show(sent: Sent) -> None:
    """Print what became of a file."""
    report = sent.report
    if report is None:
        said = Styled(phrase("Lỗi", "Error") + f" ({sent.name}): ", "red")
        err().print(said + plain(say(sent.failure)), soft_wrap=True)
        return
    counts = Table()
    for heading in (phrase("Dòng", "Rows"), *_headings()):
        counts.add_column(heading, justify="right")
    counts.add_row(str(report.rows), *report.counts.cells())
    parts: list[Table | Styled] = [plain(f"{sent.name}: {_lead(report)}"), counts]
    if report.conflicts:
        parts.append(_grouped(phrase("Không nạp được", "Not loaded"), "red", report.conflicts))
    if report.warnings:
        parts.append(_grouped(phrase("Cần xem lại", "Please check"), "yellow", report.warnings))
    if sent.mend:
        told = phrase("Các dòng bị từ chối, để sửa và gửi lại", "Rows to mend and send again")
        parts.append(plain(f"{told}: {sent.mend}"))
    out().print(Group(*parts))


def summarise(found: Sequence[Sent]) -> None:
    """Print one line a file."""
    table = Table(title=phrase("Tổng hợp", "Summary"), title_justify="left")
    table.add_column(phrase("Tệp", "File"), overflow="fold")
    table.add_column(phrase("Kết quả", "Outcome"), overflow="fold")
    for heading in _headings():
        table.add_column(heading, justify="right")
    for one in found:
        said = _lead(one.report) if one.report else phrase("lỗi, xem trên", "failed, see above")
        cells = one.report.counts.cells() if one.report else []
        table.add_row(plain(one.name), Styled(said, "green" if one.good else "red"), *cells)
    out().print(table)


_GOOD: Final = ("checked", "committed")
_STATES: Final = {
    "checked": Text("chạy thử, chưa ghi gì", "dry run, nothing written"),
    "committed": Text("đã nạp", "loaded"),
    "refused": Text("bị từ chối, không nạp gì", "refused, nothing was loaded"),
    "pending": Text("đang xử lý", "under way"),
    "failed": Text("không xử lý được, không nạp gì", "failed, nothing was loaded"),
}


def _lead(report: Report) -> str:
    return say(_STATES[report.state]) if report.state in _STATES else report.state


def _headings() -> tuple[str, ...]:
    return (
        phrase("Ghi mới", "Created"),
        phrase("trong đó thay số cũ", "of them follow another"),
        phrase("Không đổi", "Unchanged"),
        phrase("Bỏ qua", "Skipped"),
        phrase("Bị từ chối", "Rejected"),
    )


def _grouped(title: str, style: str, found: Iterable[Cause]) -> Table:
    """Return what is wrong, one line a cause, with the rows as the file or sheet counts them."""
    table = Table(title=Styled(title, style), title_justify="left")
    table.add_column(phrase("Cột", "Column"), overflow="fold")
    table.add_column(phrase("Dòng", "Rows"), overflow="fold")
    table.add_column(phrase("Số lượng", "Count"), justify="right")
    table.add_column(phrase("Vì sao, sửa thế nào", "Why, and the remedy"), overflow="fold")
    table.add_column(phrase("Ví dụ", "For example"), overflow="fold")
    for one in found:
        where = ": ".join(part for part in (one.sheet, one.column) if part)
        said = one.message.get(language(), "")
        table.add_row(
            plain(where or "-"),
            runs(one.rows, one.count),
            str(one.count),
            plain(f"{said} [{one.code}]"),
            plain(one.sample or ""),
        )
    return table


def runs(rows: Sequence[int], count: int) -> str:
    """Return row numbers in short, 2-5, 9; with … where there are more."""
    if not rows:
        return "-"
    numbers = sorted(set(rows))
    gaps = [(before, after) for before, after in pairwise(numbers) if after != before + 1]
    starts = [numbers[0], *(after for _, after in gaps)]
    ends = [*(before for before, _ in gaps), numbers[-1]]
    found = [
        str(since) if since == until else f"{since}-{until}"
        for since, until in zip(starts, ends, strict=True)
    ]
    more = len(found) > _RUNS or count > len(rows)
    return ", ".join(found[:_RUNS]) + (" …" if more else "")
