"""Lists of a submission: recorded once however often they are sent, followed, removed.

Only counts and a keyed digest stand in the open; the rows themselves are sealed.
"""

from __future__ import annotations

import asyncio
import datetime
from typing import Final

import asyncpg
import msgspec

from app.domain import audit
from app.domain.audit import Act
from app.domain.evidence import editing, names, parts, rows, sealing
from app.domain.evidence.editing import Held
from app.domain.evidence.keys import Keys
from app.domain.evidence.rows import Listed
from app.domain.refusals import Absent, Complaint, Conflict, Refused
from app.domain.territory import Caller
from app.rules.errors import Text
from app.rules.forms import Form, Slot

MOST: Final = 1_000_000  # rows of a slot, in all its parts


class Recorded(msgspec.Struct, frozen=True):
    """A list as it is on record; `unchanged` where it was so before."""

    digest: str
    unchanged: bool
    repeated: list[int]
    at: datetime.datetime


_CURRENT: Final = """
SELECT id, part, digest, rows, at FROM evidence_list
 WHERE submission_id = $1 AND slot = $2 AND ended_at IS NULL
"""
_END: Final = "UPDATE evidence_list SET ended_at = clock_timestamp(), marks = '' WHERE id = $1"
_MARKS: Final = """
SELECT id, marks, repeated_before FROM evidence_list
 WHERE submission_id = $1 AND slot = $2 AND ended_at IS NULL ORDER BY part
"""
_SET_BEFORE: Final = """
UPDATE evidence_list l SET repeated_before = w.count
  FROM unnest($1::bigint[], $2::int[]) w (id, count) WHERE l.id = w.id
"""
_DROP: Final = "DELETE FROM evidence_list_chunk WHERE list_id = $1"
_ADD: Final = """
INSERT INTO evidence_list
       (submission_id, slot, part, digest, rows, stated_total, repeated, repeated_before, marks,
        client)
VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9) RETURNING id, at
"""
_ADD_CHUNKS: Final = """
INSERT INTO evidence_list_chunk (list_id, number, submission_id, content)
SELECT $1, number - 1, $2, content FROM unnest($3::bytea[]) WITH ORDINALITY c(content, number)
"""


def form_of(slot: Slot) -> Form:
    """Return the form of a slot's list; raise Refused for a slot that takes none."""
    if "list" not in slot.needs or slot.form is None:
        raise Refused([Complaint("/slot", "slot-takes-no-list", _NO_LIST)])
    return slot.form


async def record(
    connection: asyncpg.Connection,
    keys: Keys,
    caller: Caller,
    held: Held,
    slot: str,
    part: str,
    listed: Listed,
) -> Recorded:
    """Put a list, or that of a part, on record in place of the one there.

    Raises Refused for an unknown part, Conflict where a whole list meets lists by part, or where
    names were deleted, Hindered where the key is missing.
    """
    names.check_kept(held)
    parts.check_known(part, await parts.of(connection, held.id))
    current = {row["part"]: row for row in await connection.fetch(_CURRENT, held.id, slot)}
    _check_apart(part, set(current))
    _check_size(len(listed.rows) + sum(current[one]["rows"] for one in current.keys() - {part}))
    key = await names.key_for_writing(connection, keys, held)
    digest, repeated = await asyncio.to_thread(lambda: (listed.digest(key), listed.repeated()))
    former = current.get(part)
    if former is not None and former["digest"] == digest:
        return Recorded(digest, True, repeated, former["at"])
    if former is not None:
        await _end(connection, former["id"])
    marks = await asyncio.to_thread(listed.marks, key)
    (row,) = await connection.fetch(
        _ADD, held.id, slot, part, digest, len(listed.rows), listed.total, len(repeated), marks,
        caller.client_id,
    )  # fmt: skip
    chunks = await asyncio.to_thread(sealing.seal, key, held.id, row["id"], listed.rows)
    await connection.execute(_ADD_CHUNKS, row["id"], held.id, chunks)
    await _compare(connection, held, slot)
    await editing.touch(connection, held)
    told = {
        "submission": held.id, "slot": slot, "part": part or None, "rows": len(listed.rows),
        "digest": digest,
    }  # fmt: skip
    await audit.note(connection, caller, [Act("evidence.list-recorded", held.place, told)])
    return Recorded(digest, False, repeated, row["at"])


async def remove(
    connection: asyncpg.Connection, caller: Caller, held: Held, slot: str, part: str
) -> None:
    """Take a list, or that of a part, out of a submission; raise Absent where there is none."""
    current = {row["part"]: row for row in await connection.fetch(_CURRENT, held.id, slot)}
    if part not in current:
        raise Absent(Complaint("/part", "list-not-found", _NONE_THERE))
    await _end(connection, current[part]["id"])
    await _compare(connection, held, slot)
    await editing.touch(connection, held)
    told = {"submission": held.id, "slot": slot, "part": part or None}
    await audit.note(connection, caller, [Act("evidence.list-removed", held.place, told)])


async def _end(connection: asyncpg.Connection, list_: int) -> None:
    await connection.execute(_END, list_)
    await connection.execute(_DROP, list_)


async def _compare(connection: asyncpg.Connection, held: Held, slot: str) -> None:
    """Count anew, of each part, the names that stand in a part before it."""
    lists = await connection.fetch(_MARKS, held.id, slot)
    if len(lists) < 2 and not any(row["repeated_before"] for row in lists):
        return
    found = await asyncio.to_thread(rows.repeated_before, [row["marks"] for row in lists])
    await connection.execute(_SET_BEFORE, [row["id"] for row in lists], found)


def _check_size(total: int) -> None:
    """Raise Refused where the lists of a slot would have too many rows together."""
    if total > MOST:
        raise Refused([Complaint("", "too-many-rows", _TOO_MANY)])


def _check_apart(part: str, there: set[str]) -> None:
    """Raise Conflict where a list of all meets lists by part: which of them counts is unclear."""
    if part and "" in there:
        raise Conflict(Complaint("/part", "list-in-one-piece", _IN_ONE_PIECE))
    if not part and there - {""}:
        raise Conflict(Complaint("/part", "list-in-parts", _IN_PARTS))


_TOO_MANY: Final = Text(
    f"các danh sách của mục này có tổng cộng hơn {MOST:,} dòng; hãy kiểm tra lại".replace(",", "."),
    f"the lists of the slot have more than {MOST:,} rows in all; check them",
)
_NO_LIST: Final = Text(
    "mục minh chứng này không cần danh sách; xem needs tại …/slots",
    "this slot takes no list; see needs at …/slots",
)
_NONE_THERE: Final = Text(
    "chưa có danh sách này; xem các danh sách đã có tại …/slots",
    "there is no such list; see those that there are at …/slots",
)
_IN_ONE_PIECE: Final = Text(
    "mục này đã có một danh sách chung; hãy xoá nó (DELETE …/rows) trước khi nộp theo khu dân cư",
    "the slot has one list of all; remove it (DELETE …/rows) before lists come part by part",
)
_IN_PARTS: Final = Text(
    "mục này đã có danh sách theo khu dân cư; hãy nêu part, hoặc xoá từng danh sách "
    "(DELETE …/rows?part=…) trước khi nộp danh sách chung",
    "the slot has lists part by part; give part, or remove each of them (DELETE …/rows?part=…) "
    "before one list of all comes",
)
