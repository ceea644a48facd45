"""Values from a CSV file of the long form: every bad row by line and column, repeats recognised."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import asyncpg
import msgspec

from app.domain.csv_table import COLUMNS, RowComplaint
from app.domain.facts_csv import Line, read_lines, repeats_line
from app.domain.territory import Territory
from app.domain.values.entries import (
    LONGEST_NOTE,
    LONGEST_SOURCE,
    Entry,
    Placed,
    Read,
    has_only_text,
    place,
)
from app.domain.values.recording import current, is_live, says_the_same
from app.rules.errors import FactError, Text
from app.rules.facts import check_sound, read_fact
from app.rules.registry import Registry

MOST_ROWS: Final = 20_000  # in one request; the command takes more
# What is wrong with a file as a whole.
FILE_FAULTS: Final = frozenset(
    {"not-utf-8", "not-csv", "missing-column", "unknown-column", "repeated-column", "too-many-rows"}
)


class Checked(msgspec.Struct, frozen=True):
    """A file that was read and compared with what is on record; nothing is written yet."""

    rows: int
    fresh: Sequence[Placed]
    superseding: int
    unchanged: int
    rejected: Sequence[RowComplaint]

    @property
    def unreadable(self) -> bool:
        """Tell whether the file as a whole is refused: no row of it is loaded in any case."""
        return any(one.code in FILE_FAULTS for one in self.rejected)

    @property
    def rejected_rows(self) -> int:
        """Return how many rows are bad; what is wrong with the file as a whole is none."""
        return self.rows - len(self.fresh) - self.unchanged

    def refusal(self, anyway: Text) -> Text:
        """Say that nothing was loaded and what to do; `anyway` is how to load the good rows."""
        if self.unreadable:
            return Text(
                "tệp bị từ chối, không nạp dòng nào; sửa lỗi đã nêu rồi gửi lại cả tệp",
                "the file is refused, no row was loaded; mend what is named and send all of it",
            )
        count = self.rejected_rows
        return Text(
            f"{count} dòng lỗi, không nạp dòng nào; sửa các dòng đã nêu rồi gửi lại, hoặc "
            f"{anyway.vi} để nạp các dòng tốt",
            f"{count} bad rows, none was loaded; mend those that are named and send again, or "
            f"{anyway.en} to load the good ones",
        )

    def counts(self) -> dict[str, int]:
        """Return the rows by what becomes of them."""
        return {
            "rows": self.rows,
            "created": len(self.fresh),
            "superseded": self.superseding,
            "unchanged": self.unchanged,
            "rejected": self.rejected_rows,
        }


async def check(
    connection: asyncpg.Connection,
    territory: Territory,
    registry: Registry,
    content: bytes,
    most: int | None = None,
) -> Checked:
    """Read a file and compare it with what is on record."""
    complaints: list[RowComplaint] = []
    lines = list(read_lines(content, registry.indicators, complaints))
    rows = len({one.line for one in lines} | {one.line for one in complaints if one.line > 1})
    if most is not None and rows > most:
        complaints.append(_too_many(lines[-1].line if lines else 1, rows, most))
    if any(one.code in FILE_FAULTS for one in complaints):
        return Checked(0, [], 0, 0, sorted(complaints, key=_order))
    read = Read()
    for number, line in enumerate(lines):
        _add(read, number, line)
    placed = await place(
        connection, territory, registry, read, lambda number: repeats_line(lines[number].line)
    )
    complaints += [
        RowComplaint(lines[one.number].line, _column(one.field, one.within), one.code, one.message)
        for one in read.complaints
    ]
    bad = {one.line for one in complaints}
    good = [one for one in placed if lines[one.entry.number].line not in bad]
    known = await current(connection, good)
    fresh = [one for one in good if one.key not in known or not says_the_same(one, known[one.key])]
    superseding = sum(one.key in known and is_live(known[one.key]) for one in fresh)
    return Checked(rows, fresh, superseding, len(good) - len(fresh), sorted(complaints, key=_order))


def _add(read: Read, number: int, line: Line) -> None:
    if line.meant is not None:
        read.meant[number] = line.meant
    source, note = " ".join(line.cells["source"].split()), line.cells["note"]
    if not source:
        read.complain(number, "source", "missing-cell", _NO_SOURCE)
    for field, said, longest in (("source", source, LONGEST_SOURCE), ("note", note, LONGEST_NOTE)):
        if len(said) > longest or not has_only_text(said):
            read.complain(number, field, "wrong-value", _no_text(longest))
    row = line.row
    if row is None:
        return
    try:
        if row.value is None or row.indicator.kind == "attribute":
            read_fact(row.indicator, None)  # says where area classes and designations go
            return
        check_sound(row.indicator, row.value.fact)
    except FactError as error:
        field = "indicator" if error.code == "not-a-fact" else "value"
        read.complain(number, field, error.code, error.message, error.pointer)
        return
    if line.meant is not None:
        given = (row.indicator, row.value.fact, source, row.measured_on, row.note)
        read.entries.append(Entry(number, line.meant, *given))


def _column(field: str, within: str) -> str:
    inner = within.strip("/")
    return inner if inner in COLUMNS else field


def _order(one: RowComplaint) -> tuple[int, int]:
    return one.line, COLUMNS.index(one.column) if one.column in COLUMNS else -1


_NO_SOURCE: Final = Text(
    "thiếu nguồn số liệu; ghi văn bản hoặc hệ thống mà số liệu được lấy ra",
    "the source is missing; name the document or system the value comes from",
)


def _no_text(longest: int) -> Text:
    return Text(
        f"dài quá {longest} ký tự hoặc có ký tự điều khiển; hãy rút ngắn, bỏ ký tự đó",
        f"has more than {longest} characters or control characters; shorten it, remove them",
    )


def _too_many(line: int, rows: int, most: int) -> RowComplaint:
    message = Text(
        f"tệp có {rows} dòng, tối đa {most}; hãy chia nhỏ hoặc dùng `ntm values import`",
        f"the file has {rows} rows, {most} at most; split it or use `ntm values import`",
    )
    return RowComplaint(line, "", "too-many-rows", message)
