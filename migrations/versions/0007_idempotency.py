"""Answers kept under the key that a caller gave its request.

Revision ID: 0007
Revises: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

CODE = sa.String(collation="C")


def upgrade() -> None:
    """Apply the revision."""
    op.create_table(
        "kept_answer",
        sa.Column("client", CODE, nullable=False),
        sa.Column("key", CODE, nullable=False),
        sa.Column("request", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("headers", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column(
            "kept_since",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("client", "key", name=op.f("pk_kept_answer")),
    )
    op.create_index("ix_kept_answer_kept_since", "kept_answer", ["kept_since"])
    op.execute("GRANT SELECT, INSERT, DELETE ON kept_answer TO ntm_service")


def downgrade() -> None:
    """Take the revision back."""
    op.drop_table("kept_answer")
