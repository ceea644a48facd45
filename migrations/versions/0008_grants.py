"""Grants: a part of a territory's data opened to another client or territory, and every read.

Revision ID: 0008
Revises: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

CODE = sa.String(collation="C")
PLACES = ("unit_id", "district_id", "province_id")


def upgrade() -> None:
    """Apply the revision."""
    op.create_table(
        "data_grant",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("district_id", sa.Integer(), nullable=True),
        sa.Column("province_id", sa.Integer(), nullable=True),
        sa.Column("units", ARRAY(sa.Integer()), nullable=False),
        sa.Column("districts", ARRAY(sa.Integer()), nullable=False),
        sa.Column("provinces", ARRAY(sa.Integer()), nullable=False),
        sa.Column("to_client", CODE, nullable=True),
        sa.Column("to_unit_id", sa.Integer(), nullable=True),
        sa.Column("resources", ARRAY(sa.String()), nullable=False),
        sa.Column("rulesets", ARRAY(sa.String()), nullable=True),
        sa.Column("indicators", ARRAY(sa.String()), nullable=True),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until_day", sa.Date(), nullable=True),
        sa.Column("granted_at", sa.DateTime(timezone=True), server_default=sa.text("now()"),
                  nullable=False),
        sa.Column("granted_by", CODE, nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_by", CODE, nullable=True),
        sa.Column("revoked_because", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_data_grant")),
        sa.CheckConstraint(
            "num_nonnulls(to_client, to_unit_id) = 1", name=op.f("ck_data_grant_one_receiver")
        ),
        sa.CheckConstraint(
            "resources <@ ARRAY['values', 'evaluations']::varchar[] and resources <> '{}'",
            name=op.f("ck_data_grant_resources"),
        ),
        *(
            sa.ForeignKeyConstraint([column], ["unit.id"], name=op.f(f"fk_data_grant_{column}"))
            for column in (*PLACES, "to_unit_id")
        ),
    )  # fmt: skip
    for column in (*PLACES, "to_unit_id", "to_client"):
        op.create_index(op.f(f"ix_data_grant_{column}"), "data_grant", [column])
    op.create_table(
        "data_grant_read",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("grant_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("client", CODE, nullable=False),
        sa.Column("request_id", CODE, nullable=True),
        sa.Column("resource", sa.String(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_data_grant_read")),
        sa.ForeignKeyConstraint(
            ["grant_id"], ["data_grant.id"], name=op.f("fk_data_grant_read_grant_id")
        ),
    )
    op.create_index(op.f("ix_data_grant_read_grant_id"), "data_grant_read", ["grant_id", "at"])
    op.execute("GRANT SELECT, INSERT ON data_grant, data_grant_read TO ntm_service")
    op.execute(
        "GRANT UPDATE (revoked_at, revoked_by, revoked_because) ON data_grant TO ntm_service"
    )


def downgrade() -> None:
    """Take the revision back."""
    op.drop_table("data_grant_read")
    op.drop_table("data_grant")
