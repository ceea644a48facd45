"""Jobs: work that takes longer than a request, on record from its beginning to its end.

A job is begun in the transaction of a request and handed to a worker by procrastinate, whose
tables are only the queue: what is said of a job stands in the table `job`, and stays there.
"""

from __future__ import annotations

import datetime
from typing import Any, Final, Literal

import asyncpg
import msgspec
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    String,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base
from app.domain.territory import Territorial

State = Literal["queued", "running", "succeeded", "failed", "cancelled"]
QUEUED: Final[State] = "queued"
RUNNING: Final[State] = "running"
SUCCEEDED: Final[State] = "succeeded"
FAILED: Final[State] = "failed"
CANCELLED: Final[State] = "cancelled"
ENDED: Final = frozenset({SUCCEEDED, FAILED, CANCELLED})
_Code = String(collation="C")
_OPEN: Final = "state IN ('queued', 'running')"


class Job(Territorial, Base):
    """A piece of work, who asked for it and in which request; it lies where its client lies.

    `attempt` counts how often a worker took it up, and is what a worker proves itself by;
    `deaths` counts the attempts since the last progress that never told how they ended.
    """

    __tablename__ = "job"
    __table_args__ = (
        CheckConstraint(
            "state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')", name="state"
        ),
        Index("ix_job_open", "id", postgresql_where=text(_OPEN)),
        Index("ix_job_client", "client", "id"),
        Index("ix_job_unit_id", "unit_id", "id"),
        Index("ix_job_district_id", "district_id", "id"),
        Index("ix_job_province_id", "province_id", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    kind: Mapped[str] = mapped_column(_Code)
    state: Mapped[str] = mapped_column(_Code, server_default=QUEUED)
    done: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    total: Mapped[int | None] = mapped_column(BigInteger)
    arguments: Mapped[dict[str, Any]] = mapped_column(JSONB)
    result: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    problem: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    attempt: Mapped[int] = mapped_column(server_default=text("0"))
    deaths: Mapped[int] = mapped_column(server_default=text("0"))
    client: Mapped[str] = mapped_column(_Code)
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    district_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    province_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    scopes: Mapped[list[str]] = mapped_column(ARRAY(String))
    official_id: Mapped[str | None]
    official_office: Mapped[str | None]
    official_position: Mapped[str | None]
    request_id: Mapped[str | None] = mapped_column(_Code)
    created_at: Mapped[datetime.datetime] = mapped_column(server_default=func.now())
    started_at: Mapped[datetime.datetime | None]
    ended_at: Mapped[datetime.datetime | None]


def shown(row: asyncpg.Record, *, whole: bool = True) -> dict[str, Any]:
    """Return a job as it is shown, with its result unless that is left out.

    What a problem says, it says in both languages.
    """
    result = {"result": _read(row["result"])} if whole else {}
    return {
        "id": row["id"],
        "kind": row["kind"],
        "state": row["state"],
        "progress": {"done": row["done"], "total": row["total"]},
        **result,
        "problem": _read(row["problem"]),
        "created_by": row["client"],
        "created_at": row["created_at"],
        "started_at": row["started_at"],
        "ended_at": row["ended_at"],
        "attempts": row["attempt"],
    }


def _read(written: str | None) -> Any:
    return None if written is None else msgspec.json.decode(written)
