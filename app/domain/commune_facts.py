"""What the register says of communes beyond names: area classes and pilot designations.

Nothing on record is changed. Of several records of an area class for one day the latest counts;
a designation recorded by mistake is followed by its withdrawal.
"""

from __future__ import annotations

import datetime
from typing import Any, Final

import asyncpg
import msgspec
from sqlalchemy import CheckConstraint, ForeignKey, Identity, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base, driver_in
from app.domain import audit
from app.domain.audit import Act
from app.domain.refusals import Absent, Complaint, Conflict
from app.domain.territory import (
    EVERYWHERE,
    Caller,
    Territorial,
    Territory,
    place,
    reached,
    visible_to,
)
from app.domain.unit_lookup import Found, by_ids, found, get_row
from app.rules.errors import Text


class UnitAttribute(Territorial, Base):
    """An area class of a unit, true or false from one day up to, not including, another."""

    __tablename__ = "unit_attribute"
    __table_args__ = (CheckConstraint("valid_from < valid_to", name="order"),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    name: Mapped[str]
    value: Mapped[bool]
    valid_from: Mapped[datetime.date]
    valid_to: Mapped[datetime.date | None]
    source: Mapped[str]
    recorded_at: Mapped[datetime.datetime] = mapped_column(server_default=func.now())
    recorded_by: Mapped[int] = mapped_column(ForeignKey("client.id"))


class Designation(Territorial, Base):
    """A decision that chose a unit for a pilot model."""

    __tablename__ = "designation"
    __table_args__ = (
        CheckConstraint("model in ('smart', 'ecom')", name="model"),
        CheckConstraint("authority in ('central', 'province')", name="authority"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    model: Mapped[str]
    authority: Mapped[str]
    decision: Mapped[str]
    decided_on: Mapped[datetime.date | None]
    source: Mapped[str]
    recorded_at: Mapped[datetime.datetime] = mapped_column(server_default=func.now())
    recorded_by: Mapped[int] = mapped_column(ForeignKey("client.id"))


class DesignationWithdrawal(Base):
    """Why a designation on record does not count."""

    __tablename__ = "designation_withdrawal"

    designation_id: Mapped[int] = mapped_column(ForeignKey("designation.id"), primary_key=True)
    reason: Mapped[str]
    recorded_at: Mapped[datetime.datetime] = mapped_column(server_default=func.now())
    recorded_by: Mapped[int] = mapped_column(ForeignKey("client.id"))


class Wanted(msgspec.Struct, frozen=True):
    """Which designations to list."""

    on: datetime.date | None = None
    model: str | None = None
    authority: str | None = None
    under: Territory | None = None


class Attribute(msgspec.Struct, frozen=True):
    """An area class as it is recorded; `until` is the first day on which it does not hold."""

    name: str
    value: bool
    since: datetime.date
    until: datetime.date | None
    source: str


async def follows(session: AsyncSession, unit: Found, attribute: Attribute) -> bool:
    """Tell whether an area class would follow another record of it, and say something else."""
    last = await _last(session, unit, attribute.name)
    return last is not None and not _same(last, attribute)


async def version(session: AsyncSession, unit: Found) -> str:
    """Return the version of what is recorded of a commune.

    Nobody else records anything of it until the transaction ends.
    """
    await session.execute(select(func.pg_advisory_xact_lock(_RECORDING, unit.id)))
    return str(await (await driver_in(session)).fetchval(f"SELECT {_VERSION}", unit.id))


async def record_attribute(
    session: AsyncSession, caller: Caller, unit: Found, attribute: Attribute
) -> None:
    """Record an area class, unless the last record says the same already."""
    last = await _last(session, unit, attribute.name)
    if last is not None and _same(last, attribute):
        return
    session.add(
        UnitAttribute(
            **_of(unit),
            name=attribute.name,
            value=attribute.value,
            valid_from=attribute.since,
            valid_to=attribute.until,
            source=attribute.source,
            recorded_by=caller.id,
        )
    )
    await session.flush()
    told = {
        "name": attribute.name, "value": attribute.value, "from": attribute.since,
        "to": attribute.until,
    }  # fmt: skip
    await audit.note_in(session, caller, Act("attribute.recorded", place(unit), told))


async def designate(
    session: AsyncSession, caller: Caller, unit: Found, given: dict[str, Any]
) -> None:
    """Record a designation; raise Conflict when the same decision is on record for the unit."""
    await session.execute(select(func.pg_advisory_xact_lock(_RECORDING, unit.id)))
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
    made = Designation(**_of(unit), **given, recorded_by=caller.id)
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


# For each unit of a list; $1 is the day. An attribute's latest record for the day counts.
COMMUNE_COLUMNS: Final = """,
(SELECT json_object_agg(a.name, json_build_object(
          'value', a.value, 'from', a.valid_from, 'to', a.valid_to, 'source', a.source))::text
   FROM (SELECT DISTINCT ON (name) * FROM unit_attribute t
          WHERE t.unit_id = u.id AND t.valid_from <= $1
            AND (t.valid_to IS NULL OR t.valid_to > $1)
          ORDER BY name, id DESC) a) AS attributes,
(SELECT json_agg(json_build_object(
          'id', g.id, 'model', g.model, 'authority', g.authority, 'decision', g.decision,
          'date', g.decided_on, 'source', g.source) ORDER BY g.id)::text
   FROM designation g
  WHERE g.unit_id = u.id AND (g.decided_on IS NULL OR g.decided_on <= $1)
    AND NOT EXISTS (SELECT FROM designation_withdrawal w WHERE w.designation_id = g.id)
) AS designations
"""
_RECORDING: Final = 7411  # the first half of an advisory lock: recording of one commune
# What was recorded of the unit $1 so far, for whichever day: numbers of the last records.
_VERSION: Final = """
(SELECT coalesce(max(id), 0) FROM unit_attribute WHERE unit_id = $1) || '.' ||
(SELECT coalesce(max(g.id), 0) || '.' || count(w.designation_id)
   FROM designation g LEFT JOIN designation_withdrawal w ON w.designation_id = g.id
  WHERE g.unit_id = $1)
"""


async def get(
    connection: asyncpg.Connection, place: str, on: datetime.date, pointer: str = "/code"
) -> dict[str, Any]:
    """Return the commune with this code or key on a day; raise Absent as `unit_lookup.get`."""
    row = await get_row(connection, place, on, pointer, COMMUNE_COLUMNS)
    now = await connection.fetchval(f"SELECT {_VERSION}", row["id"])
    return shown(found(row, on), row) | {"version": now}


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


async def designations(
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


async def _last(session: AsyncSession, unit: Found, name: str) -> UnitAttribute | None:
    found: UnitAttribute | None = await session.scalar(
        select(UnitAttribute)
        .where(UnitAttribute.unit_id == unit.id, UnitAttribute.name == name)
        .order_by(UnitAttribute.id.desc())
        .limit(1)
    )
    return found


def shown(unit: Found, row: asyncpg.Record) -> dict[str, Any]:
    """Return a commune with its area classes and designations of the day."""
    return unit.shown | {
        "attributes": msgspec.json.decode(row["attributes"] or "{}"),
        "designations": msgspec.json.decode(row["designations"] or "[]"),
    }


def _of(unit: Found) -> dict[str, Any]:
    return {
        "unit_id": unit.id,
        "district_id": unit.district_id,
        "province_id": unit.province_id,
    }


def _same(last: UnitAttribute, given: Attribute) -> bool:
    return (last.value, last.valid_from, last.valid_to, last.source) == (
        given.value,
        given.since,
        given.until,
        given.source,
    )
