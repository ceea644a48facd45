"""Machine clients and their secrets.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import datetime

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the revision."""
    op.create_table(
        "client",
        sa.Column("id", sa.Integer(), sa.Identity(), nullable=False),
        sa.Column("client_id", sa.String(collation="C"), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("scopes", sa.ARRAY(sa.String()), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("created_by", sa.Integer(), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("district_id", sa.Integer(), nullable=True),
        sa.Column("province_id", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_client")),
        sa.UniqueConstraint("client_id", name=op.f("uq_client_client_id")),
        sa.ForeignKeyConstraint(["created_by"], ["client.id"], name=op.f("fk_client_created_by")),
        *(
            sa.ForeignKeyConstraint([column], ["unit.id"], name=op.f(f"fk_client_{column}"))
            for column in ("unit_id", "district_id", "province_id")
        ),
    )
    for column in ("unit_id", "district_id", "province_id"):
        op.create_index(op.f(f"ix_client_{column}"), "client", [column])
    op.create_table(
        "client_secret",
        sa.Column("id", sa.Integer(), sa.Identity(), nullable=False),
        sa.Column("client_id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("prefix", sa.String(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_client_secret")),
        sa.UniqueConstraint("digest", name=op.f("uq_client_secret_digest")),
        sa.ForeignKeyConstraint(
            ["client_id"], ["client.id"], name=op.f("fk_client_secret_client_id")
        ),
    )
    op.create_index(op.f("ix_client_secret_client_id"), "client_secret", ["client_id"])
    op.execute("GRANT SELECT, INSERT ON client, client_secret TO ntm_service")
    op.execute("GRANT UPDATE (revoked_at) ON client TO ntm_service")
    op.execute("GRANT UPDATE (retired_at) ON client_secret TO ntm_service")


def downgrade() -> None:
    """Take the revision back."""
    op.drop_table("client_secret")
    op.drop_table("client")


def _now(name: str) -> sa.Column[datetime.datetime]:
    """Return a column that says when the row was written."""
    return sa.Column(
        name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
    )
