"""Acts of recording: who wrote something and when, and their order for those who follow.

Numbers given while writing become visible out of order: a reader that remembers the largest one
misses what commits later. So an act is numbered after its commit, by whoever reads next, one
reader at a time; positions then only grow. ADR 0018 has the measurements.
"""

from __future__ import annotations

import datetime
from typing import Final

from sqlalchemy import BigInteger, Identity, Index, String, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base, Database

OPERATOR: Final = "ntm"  # who is shown for what the operator recorded by command


class Recording(Base):
    """One act of writing, committed as a whole; its author is a client, or the operator."""

    __tablename__ = "recording"
    __table_args__ = (
        Index("ix_recording_waiting", "id", postgresql_where=text("position IS NULL")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    recorded_at: Mapped[datetime.datetime] = mapped_column(server_default=func.clock_timestamp())
    author: Mapped[str] = mapped_column(String(collation="C"), server_default=OPERATOR)
    position: Mapped[int | None] = mapped_column(BigInteger, unique=True)


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
