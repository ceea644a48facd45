"""The audit: who changed what, in the transaction of the change; nothing in it is ever changed.

Entries are sealed into a chain of hashes afterwards, by one sealer at a time, so that writers do
not wait for each other. What is not sealed yet stands in `audit_pending`.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any, Final

import asyncpg
import msgspec
from sqlalchemy import BigInteger, Identity, Index, LargeBinary, String, func
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base, driver_in
from app.domain.recordings import OPERATOR
from app.domain.territory import Caller, Place

_Code = String(collation="C")


class AuditEntry(Base):
    """One change: who made it, of which unit, in which request, why, and what in JSON."""

    __tablename__ = "audit_entry"
    __table_args__ = tuple(
        Index(f"ix_audit_entry_{column}", column, "id")
        for column in ("unit_id", "district_id", "province_id")
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    at: Mapped[datetime.datetime] = mapped_column(server_default=func.clock_timestamp())
    client: Mapped[str] = mapped_column(_Code)
    official_id: Mapped[str | None]
    official_office: Mapped[str | None]
    official_position: Mapped[str | None]
    action: Mapped[str] = mapped_column(_Code)
    unit_id: Mapped[int | None]
    district_id: Mapped[int | None]
    province_id: Mapped[int | None]
    request_id: Mapped[str | None] = mapped_column(_Code)
    reason: Mapped[str | None]
    details: Mapped[str]


class AuditPending(Base):
    """An entry that no seal covers yet."""

    __tablename__ = "audit_pending"

    audit_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)


class AuditSeal(Base):
    """The place of an entry in the chain, and the hash of everything up to it."""

    __tablename__ = "audit_seal"

    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    audit_id: Mapped[int] = mapped_column(BigInteger, unique=True)
    hash: Mapped[bytes] = mapped_column(LargeBinary)


class Act(msgspec.Struct, frozen=True):
    """What was done to a unit: the action, what it concerned, and why where that was said."""

    action: str
    place: Place
    details: Mapping[str, Any] = {}
    reason: str | None = None


_NOTE: Final = """
WITH noted AS (
  INSERT INTO audit_entry (client, official_id, official_office, official_position, request_id,
                           action, unit_id, district_id, province_id, reason, details)
  SELECT $1, $2, $3, $4, $5, w.*
    FROM unnest($6::text[], $7::int[], $8::int[], $9::int[], $10::text[], $11::text[]) w
  RETURNING id
)
INSERT INTO audit_pending SELECT id FROM noted
"""


async def note_in(session: AsyncSession, caller: Caller | None, act: Act) -> None:
    """Put an act on record in the transaction of a session."""
    await note(await driver_in(session), caller, [act])


async def note(connection: asyncpg.Connection, caller: Caller | None, acts: Sequence[Act]) -> None:
    """Put acts on record in the transaction they happen in; without a caller: the operator's."""
    official = caller.official if caller else None
    await connection.execute(
        _NOTE,
        caller.client_id if caller else OPERATOR,
        official and official.id,
        official and official.office,
        official and official.position,
        caller and caller.request_id,
        [one.action for one in acts],
        *([one.place[part] for one in acts] for part in range(3)),
        [one.reason for one in acts],
        [msgspec.json.encode(one.details, order="deterministic").decode() for one in acts],
    )
