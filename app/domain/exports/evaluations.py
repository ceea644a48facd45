"""Evaluations for export: every verdict that fits the filters of a list, the newest first.

A verdict that cannot be read any more stands in its place with what is wrong with it: it hides no
other, and no other hides it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Final

import asyncpg
import msgspec

from app.domain.evaluations import reading, showing
from app.domain.evaluations.reading import Wanted
from app.domain.exports import Column, Row, instant
from app.domain.refusals import Conflict
from app.domain.ruleset_snapshots import Snapshots
from app.rules.evaluate import Compiled
from app.rules.vocabulary import MET, NO_CRITERION, NOT_APPLICABLE, NOT_MET, UNDETERMINED

COLUMNS: Final = (
    Column("id", "Số hiệu"),
    Column("unit", "Khoá đơn vị"),
    Column("code", "Mã đơn vị"),
    Column("name", "Tên đơn vị"),
    Column("level", "Cấp"),
    Column("type", "Loại đơn vị"),
    Column("province", "Tỉnh"),
    Column("district", "Huyện"),
    Column("ruleset", "Bộ quy tắc"),
    Column("version", "Phiên bản"),
    Column("digest", "Mã băm bộ quy tắc"),
    Column("period", "Kỳ"),
    Column("as_of", "Ngày đánh giá"),
    Column("applicability", "Thời gian, phạm vi áp dụng"),
    Column("outcome", "Kết luận"),
    Column("basis", "Căn cứ kết luận"),
    Column("all_items", "Tổng hợp các tiêu chí"),
    Column(MET, "Số tiêu chí đạt"),
    Column(NOT_MET, "Số tiêu chí không đạt"),
    Column(UNDETERMINED, "Số tiêu chí chưa xác định"),
    Column(NOT_APPLICABLE, "Số tiêu chí không áp dụng"),
    Column(NO_CRITERION, "Số tiêu chí không có ngưỡng"),
    Column("reasons", "Lý do"),
    Column("created_at", "Thời điểm ghi"),
    Column("by", "Máy khách"),
    Column("software", "Phần mềm"),
    Column("run", "Lượt đánh giá"),
    Column("min_status", "Trạng thái số liệu tối thiểu"),
    Column("evidence_complete", "Đủ minh chứng"),
    Column("evidence_submission", "Hồ sơ minh chứng"),
    Column("damaged", "Hỏng dữ liệu"),
)
_COUNTED: Final = (MET, NOT_MET, UNDETERMINED, NOT_APPLICABLE, NO_CRITERION)
_PAGE: Final = 50  # verdicts are long; a slow reader takes some seconds for a part
_AT_A_TIME: Final = 25  # joined with their texts before anybody else has a turn
_DIGESTS: Final = "SELECT DISTINCT digest FROM ruleset_snapshot WHERE ruleset = $1 ORDER BY digest"
_TOGETHER: Final = 10_000  # evaluations that one statement counts: none takes long
_COUNT: Final = "SELECT e.id FROM evaluation e WHERE {where} ORDER BY e.id DESC LIMIT {size:d}"


async def pages(
    connection: asyncpg.Connection, wanted: Wanted
) -> AsyncGenerator[list[asyncpg.Record], None]:
    """Yield the rows of the evaluations wanted, 50 at a time."""
    after = 0
    while found := await reading.page(connection, wanted, _PAGE, after):
        yield found
        after = found[-1]["id"]


async def count(connection: asyncpg.Connection, wanted: Wanted, most: int) -> int:
    """Return how many evaluations are wanted, and no more than one above `most`."""
    found, last = 0, None
    while found <= most:
        where = wanted.conditions()
        if last is not None:
            where.add("e.id < {}", last)
        size = min(_TOGETHER, most + 1 - found)
        rows = await connection.fetch(_COUNT.format(where=where, size=size), *where.parameters)
        found += len(rows)
        if len(rows) < size:
            break
        last = rows[-1]["id"]
    return found


async def leaves(
    connection: asyncpg.Connection, snapshots: Snapshots, ruleset: str, current: Compiled | None
) -> list[Column]:
    """Return a column for each criterion without children of any version of a ruleset on record.

    Those of the installed version come first, in the order of the document.
    """
    versions = [] if current is None else [current]
    for row in await connection.fetch(_DIGESTS, ruleset):
        try:
            found = await snapshots.of(connection, ruleset, row["digest"])
        except Conflict:  # no verdict that rests on it can be read either, and says so
            continue
        if found is not None and found.intact:
            versions.append(found.compiled)
    columns: dict[str, Column] = {}
    for compiled in versions:
        for one in compiled.ruleset.walk():
            if not one.criteria:
                columns.setdefault(one.id, Column(one.id, f"{one.id} {one.text.vi}"))
    return list(columns.values())


async def items(
    connection: asyncpg.Connection,
    snapshots: Snapshots,
    page: Sequence[asyncpg.Record],
    language: str,
) -> list[Any]:
    """Return verdicts as lists show them; one that cannot be read as `{"damaged": {...}}`."""
    found: list[Any] = []
    for first in range(0, len(page), _AT_A_TIME):
        for row in page[first : first + _AT_A_TIME]:
            shown, damaged = await showing.summarised(connection, snapshots, [row], language)
            found += shown or [{"damaged": one} for one in damaged]
        await asyncio.sleep(0)
    return found


async def rows(
    connection: asyncpg.Connection,
    snapshots: Snapshots,
    page: Sequence[asyncpg.Record],
    language: str,
    criteria: Sequence[Column] = (),
) -> list[Row]:
    """Return verdicts as rows of a table, with the outcomes of criteria as further columns."""
    found: list[Row] = []
    for row, item in zip(page, await items(connection, snapshots, page, language), strict=True):
        if isinstance(item, msgspec.Raw):
            leaf = msgspec.json.decode(row["leaves"], type=dict[str, str]) if criteria else {}
            outcomes = [leaf.get(column.name) for column in criteria]
            found.append((*_row(msgspec.json.decode(item)), *outcomes))
        else:
            found.append((*_damaged(row, item["damaged"]), *(None for _ in criteria)))
    return found


def _row(shown: Mapping[str, Any]) -> Row:
    unit, ruleset = shown["unit"], shown["ruleset"]
    above = {one["level"]: one["name"] for one in unit.get("path", ())}
    return (
        shown["id"], unit.get("unit"), unit.get("code"), unit.get("name"), unit.get("level"),
        unit.get("type"), above.get("province"), above.get("district"),
        ruleset["id"], ruleset["version"], ruleset["digest"],
        shown["period"], shown["as_of"], shown["applicability"]["status"],
        shown["outcome"], shown["basis"], shown["all_items"],
        *(shown["counts"][outcome] for outcome in _COUNTED),
        "|".join(shown["reasons"]), shown["created_at"], shown["by"], shown["software"],
        shown["run"], shown["min_status"], _WRITTEN[shown["evidence_complete"]],
        (shown["evidence_submission"] or {}).get("id"), None,
    )  # fmt: skip


_WRITTEN: Final = {True: "true", False: "false", None: None}


def _damaged(row: asyncpg.Record, damaged: Mapping[str, Any]) -> Row:
    """Return what the columns of a row say, and nothing of what its bytes say."""
    known = {
        "id": row["id"], "ruleset": row["ruleset"], "digest": row["digest"],
        "period": row["period"], "created_at": instant(row["recorded_at"]),
        "by": row["author"], "software": row["software"], "run": row["run_id"],
        "min_status": row["min_status"], "damaged": damaged["code"],
    }  # fmt: skip
    return [known.get(column.name) for column in COLUMNS]
