"""What was refused, as a file to mend and send again: the rows as they were sent, and why."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, Final

import asyncpg
import msgspec

from app.database import Database
from app.domain.formulas import guarded
from app.domain.imports.ahead import read_ahead
from app.domain.imports.findings import Findings, Reason
from app.domain.imports.ordering import Task
from app.domain.imports.placing import parts
from app.domain.imports.storing import Stored
from app.domain.reading.frames import Fault, Order, Originals, Table
from app.domain.reading.limited import ReadingFailed, reading
from app.domain.refusals import Absent, Complaint
from app.rules.errors import Text

Headers = list[tuple[str | None, Sequence[str]]]
Column = tuple[str, int]  # a heading, and how many columns before it have the same
REASON: Final = "reason"
_TOGETHER: Final = 1_000
_BOM: Final = "\ufeff"
_DROP: Final = "DELETE FROM value_import_rejection WHERE import_id = $1"
_KEEP: Final = """
INSERT INTO value_import_rejection (import_id, number, sheet, row, cells, reasons)
SELECT $1, * FROM unnest($2::int[], $3::text[], $4::int[], $5::jsonb[], $6::jsonb[])
"""
_SAME: Final = """
SELECT freed_at IS NULL AND ended_at IS NOT DISTINCT FROM $2 FROM value_import WHERE id = $1
"""
_READ: Final = """
SELECT number, sheet, row, cells, reasons FROM value_import_rejection
 WHERE import_id = $1 AND number > $2 ORDER BY number LIMIT $3
"""


async def keep(
    connection: asyncpg.Connection, task: Task, found: Findings, tables: Sequence[Table]
) -> Headers:
    """Keep the refused rows of a file as they were sent; return the headings of each sheet.

    They take the place of those of an attempt before. The file is read once more: what it says is
    not kept in memory until somebody may ask for it. What the sender said of the whole file
    stands in columns: the rows can be sent without it.
    """
    await connection.execute(_DROP, task.id)
    if not found.rejections:
        return []
    rows = tuple(sorted(found.rejections, key=lambda key: (key[0] or "", key[1])))
    headers: dict[str | None, Sequence[str]] = {}
    number = 0
    order = msgspec.structs.replace(task.order(), only_rows=rows)
    stated = {table.sheet: _stated(order, table) for table in tables}
    async with (
        reading(task.upload.file, order) as read,
        read_ahead(read.frames(), connection) as frames,
    ):
        async for frame in frames:
            if isinstance(frame, Fault):  # what could be read a moment ago
                raise ReadingFailed("the refused rows could not be read again")
            if isinstance(frame, Originals):
                for part in parts(frame.rows, _TOGETHER):
                    sheet = part[0][0]  # a frame is of one sheet
                    said = {w: text for w, text in stated[sheet].items() if w not in frame.header}
                    headers[sheet] = (*frame.header, *said)
                    columns = _columns(number, part, tuple(said.values()), found)
                    await connection.execute(_KEEP, task.id, *columns)
                    number += len(part)
    return list(headers.items())


def _stated(order: Order, table: Table) -> dict[str, str]:
    """Return what was said of the whole file and no column of a table says."""
    said = {
        "period": order.period,
        "on": order.on,
        "source": order.source,
        "measured_on": order.measured_on,
    }
    return {word: text for word, text in said.items() if text and word not in table.meaning}


def _columns(
    first: int,
    rows: Sequence[tuple[str | None, int, list[str]]],
    said: Sequence[str],
    found: Findings,
) -> list[list[Any]]:
    return [
        list(range(first + 1, first + len(rows) + 1)),
        [sheet for sheet, _, _ in rows],
        [row for _, row, _ in rows],
        [_json([*cells, *said]) for _, _, cells in rows],
        [_json([_told(one) for one in found.rejections[sheet, row]]) for sheet, row, _ in rows],
    ]


def _told(reason: Reason) -> dict[str, str | None]:
    cause, sample = reason if isinstance(reason, tuple) else (reason, None)
    return {
        "column": cause.column,
        "vi": cause.message.vi,
        "en": cause.message.en,
        "sample": sample,
    }


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def check(stored: Stored) -> None:
    """Raise Absent where the refused rows of an import are kept no longer."""
    if stored.freed_at is not None:
        raise _gone()


async def as_csv(database: Database, stored: Stored, language: str) -> AsyncIterator[bytes]:
    """Yield the refused rows as CSV for spreadsheets: their own columns, and the reason.

    Several sheets share one file: it has the columns of all of them, and the reason names the
    sheet. Raises Absent when they are no longer those that were asked for: the file is cut off.
    """
    headers = {sheet: _counted(names) for sheet, names in stored.headers}
    columns = [
        column
        for column in dict.fromkeys(column for of_sheet in headers.values() for column in of_sheet)
        if column[0].lower() != REASON  # of a file of refused rows that was sent again
    ]
    yield (_BOM + _lines([[*(name for name, _ in columns), REASON]])).encode()
    after = 0
    while True:
        # No connection is held while the caller is slow.
        async with database.reading(one_state=True) as connection:
            if not await connection.fetchval(_SAME, stored.id, stored.ended_at):
                raise _gone()
            rows = await connection.fetch(_READ, stored.id, after, _TOGETHER)
        if not rows:
            return
        yield _lines(_row(one, columns, headers, language) for one in rows).encode()
        after = rows[-1]["number"]


def _counted(names: Sequence[str]) -> list[Column]:
    """Return headings as columns: of several with one heading none is lost."""
    return [(name, names[:place].count(name)) for place, name in enumerate(names)]


def _row(
    row: asyncpg.Record,
    columns: Sequence[Column],
    headers: Mapping[str | None, Sequence[Column]],
    language: str,
) -> list[str]:
    cells = dict(zip(headers[row["sheet"]], msgspec.json.decode(row["cells"]), strict=True))
    place = row["sheet"] and f"{row['sheet']}!{row['row']}"
    reasons = [_reason(one, language) for one in msgspec.json.decode(row["reasons"])]
    told = "; ".join(dict.fromkeys(reasons))
    return [*(cells.get(column, "") for column in columns), f"{place}: {told}" if place else told]


def _reason(one: Mapping[str, str | None], language: str) -> str:
    sample = f" (“{one['sample']}”)" if one["sample"] else ""
    column = f"{one['column']}: " if one["column"] else ""
    return f"{column}{one[language]}{sample}"


def _lines(rows: Iterable[Sequence[str]]) -> str:
    written = io.StringIO()
    csv.writer(written).writerows([guarded(cell) for cell in row] for row in rows)
    return written.getvalue()


def _gone() -> Absent:
    return Absent(Complaint("/id", "refused-rows-freed", _GONE))


_GONE: Final = Text(
    "các dòng bị từ chối của lần nhập này không còn được lưu: đã hết hạn, hoặc tệp đã được nạp "
    "lại; hãy xem lại lần nhập, hoặc gửi lại tệp",
    "the refused rows of this import are kept no longer: their time is over, or the file was "
    "loaded anew; read the import again, or send the file again",
)
