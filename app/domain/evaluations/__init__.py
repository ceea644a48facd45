"""Evaluations on record: what was judged, from what, by which ruleset, and how it came out.

Nothing of them is ever changed. The canonical bytes of verdict and inputs, and the ruleset under
its digest, are enough for another system to judge again and compare.
"""

from __future__ import annotations

import datetime
from typing import Final

from sqlalchemy import (
    BigInteger,
    Computed,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    String,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base
from app.domain.territory import Territorial

# It is the first key of a stored verdict: sorted keys, no white space (ADR 0006). Written
# as PostgreSQL writes it: so a difference from the schema is noticed.
_ALL_ITEMS: Final = """
(regexp_match(encode(substr(verdict, 1, 40), 'escape'::text), '^{"all_items":"([a-z_]+)"'::text))[1]
""".strip()


class RulesetSnapshot(Base):
    """A ruleset with its indicators, as canonical bytes under their digest."""

    __tablename__ = "ruleset_snapshot"

    digest: Mapped[str] = mapped_column(String(collation="C"), primary_key=True)
    ruleset: Mapped[str] = mapped_column(String(collation="C"))
    package: Mapped[str]
    content: Mapped[bytes] = mapped_column(LargeBinary)
    kept_since: Mapped[datetime.datetime] = mapped_column(server_default=func.now())


class Evaluation(Territorial, Base):
    """One verdict: `unit` as it was shown, `inputs` and `verdict` as canonical bytes.

    `all_items` repeats what the verdict says, to be counted. `min_status` is the least status of
    the values that counted; `evidence` what was attached, in bytes beside those of the verdict.
    `run_id` is the evaluation run that
    it belongs to, if it was judged in one.
    """

    __tablename__ = "evaluation"
    __table_args__ = (
        Index("ix_evaluation_unit_id_ruleset_period", "unit_id", "ruleset", "period", "id"),
        Index("ix_evaluation_recording_id", "recording_id"),
        Index("ix_evaluation_district_id", "district_id", "id"),
        Index("ix_evaluation_province_id", "province_id", "id"),
        Index("ix_evaluation_run_id", "run_id", "id", postgresql_where=text("run_id IS NOT NULL")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    recording_id: Mapped[int] = mapped_column(ForeignKey("recording.id"))
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    district_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    province_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    ruleset: Mapped[str] = mapped_column(String(collation="C"))
    digest: Mapped[str] = mapped_column(ForeignKey("ruleset_snapshot.digest"))
    period: Mapped[str] = mapped_column(String(collation="C"))
    outcome: Mapped[str] = mapped_column(String(collation="C"))
    leaves: Mapped[dict[str, str]] = mapped_column(JSONB)
    unit: Mapped[bytes] = mapped_column(LargeBinary)
    inputs: Mapped[bytes] = mapped_column(LargeBinary)
    verdict: Mapped[bytes] = mapped_column(LargeBinary)
    all_items: Mapped[str | None] = mapped_column(
        String(collation="C"), Computed(_ALL_ITEMS, persisted=True)
    )
    software: Mapped[str]
    run_id: Mapped[int | None] = mapped_column(ForeignKey("evaluation_run.id"))
    min_status: Mapped[str | None] = mapped_column(String(collation="C"))
    evidence: Mapped[bytes | None] = mapped_column(LargeBinary)
