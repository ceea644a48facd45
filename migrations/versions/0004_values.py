"""Values on record: acts of recording, values, what happened to them, which one is current.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

CODE = sa.String(collation="C")


def upgrade() -> None:
    """Apply the revision."""
    op.create_table(
        "recording",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("recorded_by", sa.Integer(), nullable=True),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recording")),
        sa.UniqueConstraint("position", name=op.f("uq_recording_position")),
        sa.ForeignKeyConstraint(
            ["recorded_by"], ["client.id"], name=op.f("fk_recording_recorded_by")
        ),
    )
    op.create_index(
        "ix_recording_waiting", "recording", ["id"], postgresql_where=sa.text("position IS NULL")
    )
    op.create_table(
        "value",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("recording_id", sa.BigInteger(), nullable=False),
        *_place(),
        *_key(),
        sa.Column("truth", sa.Boolean(), nullable=True),
        sa.Column("counted", sa.BigInteger(), nullable=True),
        sa.Column("numerator", sa.BigInteger(), nullable=True),
        sa.Column("denominator", sa.BigInteger(), nullable=True),
        sa.Column("percent", CODE, nullable=True),
        sa.Column("codes", ARRAY(sa.String()), nullable=True),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("measured_on", sa.Date(), nullable=True),
        sa.Column("note", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_value")),
        sa.CheckConstraint(
            "num_nonnulls(truth, counted, numerator, percent, codes) = 1"
            " and (numerator is null) = (denominator is null)",
            name=op.f("ck_value_one_fact"),
        ),
        sa.CheckConstraint(
            "least(counted, numerator, denominator) >= 0", name=op.f("ck_value_no_negative")
        ),
    )
    op.create_index(
        "ix_value_unit_id_indicator_period", "value", ["unit_id", "indicator", "period"]
    )
    op.create_index("ix_value_recording_id", "value", ["recording_id"])
    op.create_table(
        "value_event",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("recording_id", sa.BigInteger(), nullable=False),
        sa.Column("value_id", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        *_place(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_value_event")),
        sa.CheckConstraint(
            "status in ('superseded', 'retracted')", name=op.f("ck_value_event_status")
        ),
        sa.ForeignKeyConstraint(
            ["recording_id"], ["recording.id"], name=op.f("fk_value_event_recording_id")
        ),
        sa.ForeignKeyConstraint(["value_id"], ["value.id"], name=op.f("fk_value_event_value_id")),
    )
    op.create_index("ix_value_event_value_id", "value_event", ["value_id"])
    op.create_index("ix_value_event_recording_id", "value_event", ["recording_id"])
    op.create_table(
        "current_value",
        *_place(),
        *_key(),
        sa.Column("value_id", sa.BigInteger(), nullable=False),
        sa.Column("followed_id", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("unit_id", "indicator", "period", name=op.f("pk_current_value")),
        sa.CheckConstraint(
            "status in ('reported', 'retracted')", name=op.f("ck_current_value_status")
        ),
    )
    for column in ("district_id", "province_id"):
        op.create_index(
            f"ix_current_value_{column}",
            "current_value",
            [column, "unit_id", "indicator", "period"],
            postgresql_where=sa.text(f"{column} IS NOT NULL"),
        )
    op.execute("GRANT SELECT, INSERT ON value, value_event TO ntm_service")
    op.execute("GRANT SELECT, INSERT, UPDATE (position) ON recording TO ntm_service")
    op.execute("GRANT SELECT, INSERT, UPDATE ON current_value TO ntm_service")


def downgrade() -> None:
    """Take the revision back."""
    for table in ("current_value", "value_event", "value", "recording"):
        op.drop_table(table)


def _place() -> list[sa.Column[int]]:
    """Return where a row lay when it was written; without foreign keys, see ADR 0019."""
    return [
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("district_id", sa.Integer(), nullable=True),
        sa.Column("province_id", sa.Integer(), nullable=True),
    ]


def _key() -> list[sa.Column[object]]:
    """Return what, besides the unit, names a value: indicator and period."""
    return [
        sa.Column("indicator", CODE, nullable=False),
        sa.Column("period", CODE, nullable=False),
        sa.Column("period_first", sa.Date(), nullable=False),
        sa.Column("period_last", sa.Date(), nullable=False),
    ]
