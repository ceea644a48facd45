"""Grants: a commune, district or province opens a part of its data, for a purpose and until a time.

What a grant covers is fixed when it is given. It ends by itself, by the clock of the database, or
when its giver revokes it; either holds from the next request on.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import Final

import asyncpg
from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, String, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Integer

from app.database import Base, Database
from app.domain.territory import Grant, Territorial, Territory

_Code = String(collation="C")


class DataGrant(Territorial, Base):
    """A grant; the unit is the giver's, `units`, `districts`, `provinces` are what it opens."""

    __tablename__ = "data_grant"
    __table_args__ = (
        CheckConstraint("num_nonnulls(to_client, to_unit_id) = 1", name="one_receiver"),
        CheckConstraint(
            "resources <@ ARRAY['values', 'evaluations']::varchar[] and resources <> '{}'",
            name="resources",
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    units: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    districts: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    provinces: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    to_client: Mapped[str | None] = mapped_column(_Code, index=True)
    to_unit_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"), index=True)
    resources: Mapped[list[str]] = mapped_column(ARRAY(String))
    rulesets: Mapped[list[str] | None] = mapped_column(ARRAY(String))
    indicators: Mapped[list[str] | None] = mapped_column(ARRAY(String))
    purpose: Mapped[str]
    until: Mapped[datetime.datetime]
    until_day: Mapped[datetime.date | None]
    granted_at: Mapped[datetime.datetime] = mapped_column(server_default=func.now())
    granted_by: Mapped[str] = mapped_column(_Code)
    revoked_at: Mapped[datetime.datetime | None]
    revoked_by: Mapped[str | None] = mapped_column(_Code)
    revoked_because: Mapped[str | None]


class DataGrantRead(Base):
    """A read under a grant: by whom, in which request, how many rows it opened."""

    __tablename__ = "data_grant_read"
    __table_args__ = (Index("ix_data_grant_read_grant_id", "grant_id", "at"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    grant_id: Mapped[int] = mapped_column(ForeignKey("data_grant.id"))
    at: Mapped[datetime.datetime] = mapped_column(server_default=func.clock_timestamp())
    client: Mapped[str] = mapped_column(_Code)
    request_id: Mapped[str | None] = mapped_column(_Code)
    resource: Mapped[str]
    rows: Mapped[int]


_HELD: Final = """
SELECT id, units, districts, provinces, resources, rulesets, indicators
  FROM data_grant WHERE id = ANY($1::bigint[])
"""
_KEPT: Final = 4096


class Grants:
    """Grants already read; what a grant opens never changes, only whether it still holds."""

    def __init__(self) -> None:
        self._known: dict[int, Grant] = {}

    async def of(self, database: Database, ids: Iterable[int]) -> tuple[Grant, ...]:
        """Return grants by their numbers, read as their receiver, for whom the database acts."""
        wanted = list(ids)
        missing = [one for one in wanted if one not in self._known]
        if missing:
            if len(self._known) + len(missing) > _KEPT:
                self._known = {}
                missing = wanted
            async with database.reading() as connection:
                for row in await connection.fetch(_HELD, missing):
                    self._known[row["id"]] = _grant(row)
        return tuple(self._known[one] for one in wanted if one in self._known)


def _grant(row: asyncpg.Record) -> Grant:
    reached = (frozenset(row[name]) for name in ("units", "districts", "provinces"))
    return Grant(
        row["id"],
        frozenset(row["resources"]),
        Territory(False, *reached),
        None if row["rulesets"] is None else frozenset(row["rulesets"]),
        None if row["indicators"] is None else frozenset(row["indicators"]),
    )
