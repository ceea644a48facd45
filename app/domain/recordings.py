"""Acts of recording: who wrote something and when, and their order for those who follow.

Numbers given while writing become visible out of order: a reader that remembers the largest one
misses what commits later. So an act is numbered after its commit, by whoever reads next, one
reader at a time; positions then only grow. ADR 0018 has the measurements.
"""

from __future__ import annotations

import datetime
from typing import Final

import asyncpg
from sqlalchemy import BigInteger, ForeignKey, Identity, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base, Database


class Recording(Base):
    """One act of writing, committed as a whole; without `recorded_by` it was the operator's."""

    __tablename__ = "recording"
    __table_args__ = (
        Index("ix_recording_waiting", "id", postgresql_where=text("position IS NULL")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    recorded_at: Mapped[datetime.datetime] = mapped_column(server_default=func.clock_timestamp())
    recorded_by: Mapped[int | None] = mapped_column(ForeignKey("client.id"))
    position: Mapped[int | None] = mapped_column(BigInteger, unique=True)


OPERATOR: Final = "ntm"  # who is shown for what the operator recorded by command
_WAITING: Final = "SELECT EXISTS (SELECT FROM recording WHERE position IS NULL)"
_NUMBERING: Final = 7412  # the advisory lock of the one who numbers
_NUMBER: Final = """
UPDATE recording r SET position = n.position
  FROM (SELECT id, (SELECT coalesce(max(position), 0) FROM recording)
                   + row_number() OVER (ORDER BY id) AS position
          FROM recording WHERE position IS NULL) n
 WHERE r.id = n.id
"""


async def number(database: Database) -> None:
    """Give a position to every act of recording that was committed since the last time."""
    async with database.reading() as connection:
        if not await connection.fetchval(_WAITING):
            return
    async with database.writing() as connection:
        # Two statements: the second must see what the holder of the lock before us committed.
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _NUMBERING)
        await connection.execute(_NUMBER)


def author(row: asyncpg.Record) -> str:
    """Return who recorded something: the id of a client, or the operator."""
    return str(row["recorded_by"] or OPERATOR)
