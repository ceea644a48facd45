"""Values on record: append-only, each followed by a later one or by a retraction, never edited.

`current_value` says which value of a unit, indicator and period counts; it is written in the
same transaction, because a view over millions of versions is not fast.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Final

import asyncpg
from sqlalchemy import BigInteger, ForeignKey, Identity, Index, String, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base
from app.rules.facts import Fact, Percent, Ratio

REPORTED: Final = "reported"
APPROVED: Final = "approved"
SUPERSEDED: Final = "superseded"
RETRACTED: Final = "retracted"


class _Keyed:
    """Columns that name a value: the unit and where it lay then, the indicator, the period.

    The ids come from the register in the same request and units are never deleted: foreign keys
    would only make bulk loading several times slower.
    """

    unit_id: Mapped[int]
    district_id: Mapped[int | None]
    province_id: Mapped[int | None]
    indicator: Mapped[str] = mapped_column(String(collation="C"))
    period: Mapped[str] = mapped_column(String(collation="C"))
    period_first: Mapped[datetime.date]
    period_last: Mapped[datetime.date]


class Value(_Keyed, Base):
    """A value as it was recorded; exactly one of its kinds of fact is filled in."""

    __tablename__ = "value"
    __table_args__ = (
        Index("ix_value_unit_id_indicator_period", "unit_id", "indicator", "period"),
        Index("ix_value_recording_id", "recording_id", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    recording_id: Mapped[int] = mapped_column(BigInteger)
    truth: Mapped[bool | None]
    counted: Mapped[int | None] = mapped_column(BigInteger)
    numerator: Mapped[int | None] = mapped_column(BigInteger)
    denominator: Mapped[int | None] = mapped_column(BigInteger)
    percent: Mapped[str | None] = mapped_column(String(collation="C"))
    codes: Mapped[list[str] | None] = mapped_column(ARRAY(String))
    source: Mapped[str]
    measured_on: Mapped[datetime.date | None]
    note: Mapped[str | None]


class ValueEvent(Base):
    """What happened to a value after it was recorded: its status from then on, and why."""

    __tablename__ = "value_event"
    __table_args__ = (
        Index("ix_value_event_value_id", "value_id"),
        Index("ix_value_event_recording_id", "recording_id", "value_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    recording_id: Mapped[int] = mapped_column(ForeignKey("recording.id"))
    value_id: Mapped[int] = mapped_column(ForeignKey("value.id"))
    status: Mapped[str]
    reason: Mapped[str | None]
    unit_id: Mapped[int]
    district_id: Mapped[int | None]
    province_id: Mapped[int | None]


class CurrentValue(_Keyed, Base):
    """The last value of a unit, indicator and period, and what became of it.

    `followed_id` is the value that counted until it was recorded. While submissions of evidence
    that contain it are checked (`frozen_by`), it is neither followed nor retracted: a trigger
    refuses that, whoever writes.
    """

    __tablename__ = "current_value"
    __table_args__ = tuple(
        Index(
            f"ix_current_value_{column}",
            column,
            "unit_id",
            "indicator",
            "period",
            postgresql_where=text(f"{column} IS NOT NULL"),
        )
        for column in ("district_id", "province_id")
    )

    unit_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    indicator: Mapped[str] = mapped_column(String(collation="C"), primary_key=True)
    period: Mapped[str] = mapped_column(String(collation="C"), primary_key=True)
    value_id: Mapped[int] = mapped_column(BigInteger)
    followed_id: Mapped[int | None] = mapped_column(BigInteger)
    status: Mapped[str]
    frozen_by: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), server_default=text("'{}'"))


FACT_COLUMNS: Final = ("truth", "counted", "numerator", "denominator", "percent", "codes")


def columns_of(fact: Fact) -> dict[str, Any]:
    """Return the columns of a fact, in the order of FACT_COLUMNS; those of other kinds are None."""
    columns: dict[str, Any] = dict.fromkeys(FACT_COLUMNS)
    if isinstance(fact, bool):
        columns["truth"] = fact
    elif isinstance(fact, int):
        columns["counted"] = fact
    elif isinstance(fact, Ratio):
        columns |= {"numerator": fact.numerator, "denominator": fact.denominator}
    elif isinstance(fact, Percent):
        columns["percent"] = fact.percent
    else:
        columns["codes"] = list(fact)
    return columns


def fact_of(row: asyncpg.Record | Mapping[str, Any]) -> Fact:
    """Return the fact that a row holds."""
    if row["numerator"] is not None:
        return Ratio(denominator=row["denominator"], numerator=row["numerator"])
    if row["truth"] is not None:
        return bool(row["truth"])
    if row["counted"] is not None:
        return int(row["counted"])
    if row["percent"] is not None:
        return Percent(row["percent"])
    return tuple(row["codes"])


# Joined to `current_value c`: what it says, as `v`. It is looked up by its number, whatever the
# planner believes: plans are kept, and tables that were small or just being filled when they were
# analysed would else be gone through for every row.
ITS_VALUE: Final = "CROSS JOIN LATERAL (SELECT * FROM value WHERE id = c.value_id LIMIT 1) v"
# What a value is shown with; `v` is the value. The unit is called as it was within the period.
SHOWN_COLUMNS: Final = """
v.id, v.period, v.indicator, v.truth, v.counted, v.numerator, v.denominator, v.percent, v.codes,
v.source, v.measured_on, v.note, v.unit_id, v.district_id, v.province_id, r.recorded_at, r.author,
u.key AS unit_key, u.level AS unit_level, n.code AS unit_code, n.type AS unit_type,
n.name AS unit_name
"""
SHOWN_JOINS: Final = """
  JOIN recording r ON r.id = v.recording_id
  JOIN unit u ON u.id = v.unit_id
  CROSS JOIN LATERAL (
    SELECT w.code, w.type, w.name FROM unit_version w
     WHERE w.unit_id = v.unit_id AND (w.valid_from IS NULL OR w.valid_from <= v.period_last)
     ORDER BY w.valid_from DESC NULLS LAST LIMIT 1) n
"""


_STATUS_IN_VERSION: Final = {REPORTED: 0, APPROVED: 2}


def version(number: int, status: str) -> str:
    """Return the version of a value: which one it is, and what has become of it."""
    return f"{number}.{_STATUS_IN_VERSION.get(status, 1)}"


def shown(row: asyncpg.Record, status: str) -> dict[str, Any]:
    """Return a row of SHOWN_COLUMNS as the API shows a value."""
    return {
        "id": row["id"],
        "unit": {
            "unit": row["unit_key"],
            "code": row["unit_code"],
            "level": row["unit_level"],
            "type": row["unit_type"],
            "name": row["unit_name"],
        },
        "period": row["period"],
        "indicator": row["indicator"],
        "value": fact_of(row),
        "source": row["source"],
        "measured_on": row["measured_on"],
        "note": row["note"],
        "version": version(row["id"], status),
        "status": status,
        "recorded_at": row["recorded_at"],
        "by": row["author"],
    }
