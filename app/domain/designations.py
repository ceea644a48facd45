"""Pilot designations: decisions that chose a commune for a model; recorded, listed, withdrawn."""

from __future__ import annotations

import datetime
from typing import Any, Final

import asyncpg
import msgspec
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain import audit
from app.domain.audit import Act
from app.domain.commune_facts import RECORDING, Designation, DesignationWithdrawal, at
from app.domain.refusals import Absent, Complaint, Conflict
from app.domain.territory import EVERYWHERE, Caller, Territory, reached, visible_to
from app.domain.unit_lookup import Found, by_ids
from app.rules.errors import Text


class Wanted(msgspec.Struct, frozen=True):
    """Which designations to list."""

    on: datetime.date | None = None
    model: str | None = None
    authority: str | None = None
    under: Territory | None = None


async def designate(
    session: AsyncSession, caller: Caller, unit: Found, given: dict[str, Any]
) -> None:
    """Record a designation; raise Conflict when the same decision is on record for the unit."""
    await session.execute(select(func.pg_advisory_xact_lock(RECORDING, unit.id)))
    same = (
        select(Designation.id)
        .outerjoin(DesignationWithdrawal)
        .where(
            Designation.unit_id == unit.id,
            Designation.model == given["model"],
            Designation.decision == given["decision"],
            DesignationWithdrawal.designation_id.is_(None),
        )
    )
    if (await session.scalar(same)) is not None:
        message = Text(
            f"{unit.named} đã có quyết định này cho mô hình “{given['model']}”",
            f"{unit.named} has this decision for the model “{given['model']}” already",
        )
        raise Conflict(Complaint("/decision", "duplicate", message))
    made = Designation(**at(unit), **given, recorded_by=caller.id)
    session.add(made)
    await session.flush()
    await audit.note_in(
        session, caller, Act("designation.recorded", made.place, {"designation": made.id})
    )


async def withdraw(session: AsyncSession, caller: Caller, number: int, reason: str) -> None:
    """Withdraw a designation; raise Absent outside the territory, Conflict the second time."""
    statement = visible_to(caller, Designation).where(Designation.id == number)
    designation = (await session.scalars(statement)).one_or_none()
    if designation is None:
        message = Text(
            f"không có danh sách thí điểm số {number} trong địa bàn của bạn",
            f"there is no designation {number} in your territory",
        )
        raise Absent(Complaint("/id", "not-found", message))
    withdrawn = await session.scalar(
        insert(DesignationWithdrawal)
        .values(designation_id=number, reason=reason, recorded_by=caller.id)
        .on_conflict_do_nothing()
        .returning(DesignationWithdrawal.designation_id)
    )
    if withdrawn is None:
        message = Text("đã được rút trước đó", "it was withdrawn before")
        raise Conflict(Complaint("/id", "already-withdrawn", message))
    told = {"designation": number}
    await audit.note_in(
        session, caller, Act("designation.withdrawn", designation.place, told, reason)
    )


_DESIGNATIONS: Final = f"""
SELECT g.id, g.model, g.authority, g.decision, g.decided_on, g.source, g.unit_id,
       coalesce($1, shown.day) AS day
  FROM designation g
  CROSS JOIN LATERAL (
    SELECT coalesce(g.decided_on, (g.recorded_at AT TIME ZONE 'UTC' + interval '7 hours')::date)
  ) chosen(day)
  CROSS JOIN LATERAL (  -- a day on which the unit exists: that one, or the nearest
    SELECT least(greatest(chosen.day, v.valid_from), v.valid_to - 1)
      FROM unit_version v WHERE v.unit_id = g.unit_id
     ORDER BY abs(least(greatest(chosen.day, v.valid_from), v.valid_to - 1) - chosen.day) LIMIT 1
  ) shown(day)
 WHERE ($2::varchar IS NULL OR g.model = $2) AND ($3::varchar IS NULL OR g.authority = $3)
   AND g.id > $4
   AND {reached("g", 5)}
   AND NOT EXISTS (SELECT FROM designation_withdrawal w WHERE w.designation_id = g.id)
   AND ($1::date IS NULL OR (coalesce(g.decided_on, $1) <= $1 AND EXISTS (
        SELECT FROM unit_version v WHERE v.unit_id = g.unit_id
           AND (v.valid_from IS NULL OR v.valid_from <= $1)
           AND (v.valid_to IS NULL OR v.valid_to > $1))))
 ORDER BY g.id LIMIT $9
"""


async def page(
    connection: asyncpg.Connection, wanted: Wanted, limit: int, after: int
) -> list[dict[str, Any]]:
    """Return designations with their units, oldest record first, beginning after one.

    With a day: those decided by then, of units that exist then. Without: all, each unit as it
    was when it was chosen.
    """
    where = wanted.under or EVERYWHERE
    rows = await connection.fetch(
        _DESIGNATIONS, wanted.on, wanted.model, wanted.authority, after, *where.arrays(), limit
    )
    units = {
        (day, unit.id): unit.shown
        for day in {row["day"] for row in rows}
        for unit in await by_ids(
            connection, [row["unit_id"] for row in rows if row["day"] == day], day
        )
    }
    return [
        {
            "id": row["id"],
            "model": row["model"],
            "authority": row["authority"],
            "decision": row["decision"],
            "date": row["decided_on"],
            "source": row["source"],
            "unit": units[row["day"], row["unit_id"]],
        }
        for row in rows
    ]
