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
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base, driver_in
from app.domain import audit
from app.domain.audit import Act
from app.domain.territory import (
    Caller,
    Territorial,
    place,
)
from app.domain.unit_lookup import Found, found, get_row


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
    await session.execute(select(func.pg_advisory_xact_lock(RECORDING, unit.id)))
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
            **at(unit),
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
RECORDING: Final = 7411  # the first half of an advisory lock: recording of one commune
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


def at(unit: Found) -> dict[str, Any]:
    """Return the columns that say where a unit lies."""
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
