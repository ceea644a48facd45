"""Evaluations on record, and the rulesets they were judged by.

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

CODE = sa.String(collation="C")


def upgrade() -> None:
    """Apply the revision."""
    op.create_table(
        "ruleset_snapshot",
        sa.Column("digest", CODE, nullable=False),
        sa.Column("ruleset", CODE, nullable=False),
        sa.Column("package", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column(
            "kept_since",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_ruleset_snapshot")),
    )
    op.create_table(
        "evaluation",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("recording_id", sa.BigInteger(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("district_id", sa.Integer(), nullable=True),
        sa.Column("province_id", sa.Integer(), nullable=True),
        sa.Column("ruleset", CODE, nullable=False),
        sa.Column("digest", CODE, nullable=False),
        sa.Column("period", CODE, nullable=False),
        sa.Column("outcome", CODE, nullable=False),
        sa.Column("leaves", JSONB(), nullable=False),
        sa.Column("unit", sa.LargeBinary(), nullable=False),
        sa.Column("inputs", sa.LargeBinary(), nullable=False),
        sa.Column("verdict", sa.LargeBinary(), nullable=False),
        sa.Column("software", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evaluation")),
        sa.ForeignKeyConstraint(
            ["recording_id"], ["recording.id"], name=op.f("fk_evaluation_recording_id")
        ),
        sa.ForeignKeyConstraint(
            ["digest"], ["ruleset_snapshot.digest"], name=op.f("fk_evaluation_digest")
        ),
        *(
            sa.ForeignKeyConstraint([column], ["unit.id"], name=op.f(f"fk_evaluation_{column}"))
            for column in ("unit_id", "district_id", "province_id")
        ),
    )
    op.create_index(
        "ix_evaluation_unit_id_ruleset_period", "evaluation", ["unit_id", "ruleset", "period", "id"]
    )
    op.create_index("ix_evaluation_recording_id", "evaluation", ["recording_id"])
    for column in ("district_id", "province_id"):
        op.create_index(f"ix_evaluation_{column}", "evaluation", [column, "id"])
    op.execute("GRANT SELECT, INSERT ON ruleset_snapshot, evaluation TO ntm_service")


def downgrade() -> None:
    """Take the revision back."""
    op.drop_table("evaluation")
    op.drop_table("ruleset_snapshot")
