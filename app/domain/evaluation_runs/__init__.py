"""Evaluation runs: every unit of a territory judged by one ruleset, from one state of the record.

A run is put on record with the request that asks for it, and what came out is filled in once, in
the transaction that stores its verdicts: either all of them are there or none.
"""

from __future__ import annotations

import datetime
from typing import Any, Final

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, String, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base
from app.domain.jobs import Job
from app.domain.territory import Territorial

KIND: Final = "evaluation_run"  # of the jobs that conduct them


class EvaluationRun(Territorial, Base):
    """A run: of whom, by what, in which period and as of which day; then what came out.

    The unit is the one above all that are judged, as it was on `day`.
    """

    __tablename__ = "evaluation_run"
    __table_args__ = (
        Index("ix_evaluation_run_unit_id", "unit_id", "id"),
        Index("ix_evaluation_run_district_id", "district_id", "id"),
        Index("ix_evaluation_run_province_id", "province_id", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey(Job.id), unique=True)
    ruleset: Mapped[str] = mapped_column(String(collation="C"))
    digest: Mapped[str | None] = mapped_column(ForeignKey("ruleset_snapshot.digest"))
    period: Mapped[str] = mapped_column(String(collation="C"))
    min_status: Mapped[str | None] = mapped_column(String(collation="C"))
    as_of: Mapped[datetime.date]
    day: Mapped[datetime.date]
    client: Mapped[str] = mapped_column(String(collation="C"))
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    district_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    province_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    units: Mapped[int | None]
    out_of_scope: Mapped[int | None]
    outcomes: Mapped[dict[str, int] | None] = mapped_column(JSONB)
    all_items: Mapped[dict[str, int] | None] = mapped_column(JSONB)
    criteria: Mapped[list[Any] | None] = mapped_column(JSONB)
    nearest: Mapped[list[Any] | None] = mapped_column(JSONB)
    created_at: Mapped[datetime.datetime] = mapped_column(server_default=func.clock_timestamp())
    ended_at: Mapped[datetime.datetime | None]
