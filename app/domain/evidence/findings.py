"""Findings: field checks (kiểm tra thực tế) and system checks; who, when, where, what was seen.

Which office makes them no document says: any office of the chain may, and each says who it was.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any, Final, Literal

import asyncpg
import msgspec

from app.domain import audit
from app.domain.audit import Act
from app.domain.evidence import duties, editing
from app.domain.evidence.editing import Held
from app.domain.refusals import Complaint, Refused
from app.domain.territory import Caller, Official
from app.rules.errors import Text
from app.rules.forms import Slot

Kind = Literal["field", "system"]


class Finding(msgspec.Struct, frozen=True):
    """A finding as it is handed in; `holds`: what the document demands was seen."""

    official: Official
    kind: Kind
    found_on: datetime.date
    place: str
    seen: str
    holds: bool
    photos: Sequence[str] = ()


_ADD: Final = """
INSERT INTO evidence_finding
       (submission_id, slot, kind, found_on, place, seen, holds, photos, step, client,
        official_id, official_office, official_position)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
RETURNING id
"""
_SHOWN: Final = ("id", "slot", "kind", "found_on", "place", "seen", "holds", "photos", "step", "at")
_OF: Final = """
SELECT id, slot, kind, found_on, place, seen, holds, photos, step, client, official_id,
       official_office, official_position, at
  FROM evidence_finding WHERE submission_id = $1 AND slot = $2 AND id > $3 ORDER BY id LIMIT $4
"""
_FILES: Final = """
SELECT name FROM evidence_file
 WHERE submission_id = $1 AND slot = $2 AND name = ANY($3) AND ended_at IS NULL
"""


async def add(
    connection: asyncpg.Connection,
    caller: Caller,
    held: Held,
    slot: Slot,
    one: Finding,
    day: datetime.date,
) -> dict[str, Any]:
    """Put a finding on record and return it.

    Raises Refused with what is wrong with it, Forbidden for who acted at another step.
    """
    await _check(connection, held, slot, one, day)
    acts = await duties.acted(connection, held.id)
    duties.check(acts, held.step, caller, one.official, "/acting_official")
    id_ = await connection.fetchval(
        _ADD, held.id, slot.slot, one.kind, one.found_on, one.place, one.seen, one.holds,
        list(one.photos), held.step, caller.client_id,
        one.official.id, one.official.office, one.official.position,
    )  # fmt: skip
    await editing.touch(connection, held)
    told = {"submission": held.id, "slot": slot.slot, "finding": id_, "holds": one.holds}
    await audit.note(connection, caller, [Act("evidence.found", held.place, told)])
    (stored,) = await page(connection, held.id, slot.slot, id_ - 1, 1)
    return stored


async def page(
    connection: asyncpg.Connection, submission: int, slot: str, after: int, limit: int
) -> list[dict[str, Any]]:
    """Return the findings of a slot, oldest first, beginning after one."""
    return [_shown(row) for row in await connection.fetch(_OF, submission, slot, after, limit)]


def _shown(row: asyncpg.Record) -> dict[str, Any]:
    return {name: row[name] for name in _SHOWN} | {
        "by": row["client"],
        "official": {name: row[f"official_{name}"] for name in ("id", "office", "position")},
    }


async def _check(
    connection: asyncpg.Connection, held: Held, slot: Slot, one: Finding, day: datetime.date
) -> None:
    complaints = []
    if one.found_on > day:
        complaints.append(Complaint("/found_on", "future-day", _FUTURE))
    rows = await connection.fetch(_FILES, held.id, slot.slot, list(one.photos))
    there = {row["name"] for row in rows}
    complaints += [
        Complaint(f"/photos/{number}", "unknown-file", _NO_PHOTO)
        for number, name in enumerate(one.photos)
        if name not in there
    ]
    if complaints:
        raise Refused(complaints)


_FUTURE: Final = Text(
    "ngày kiểm tra ở tương lai; hãy ghi ngày đã kiểm tra",
    "the day is to come; give the day of the check",
)
_NO_PHOTO: Final = Text(
    "mục minh chứng không có tệp tên này; hãy gửi tệp bằng PUT …/files/{name} trước",
    "the slot has no file of this name; send it by PUT …/files/{name} first",
)
