"""Area classes and pilot designations of communes.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import datetime

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

PLACES = ("unit_id", "district_id", "province_id")


def upgrade() -> None:
    """Apply the revision."""
    op.create_table(
        "unit_attribute",
        sa.Column("id", sa.Integer(), sa.Identity(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.Boolean(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        *_recorded("unit_attribute"),
        sa.CheckConstraint("valid_from < valid_to", name=op.f("ck_unit_attribute_order")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unit_attribute")),
    )
    op.create_table(
        "designation",
        sa.Column("id", sa.Integer(), sa.Identity(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("authority", sa.String(), nullable=False),
        sa.Column("decision", sa.String(), nullable=False),
        sa.Column("decided_on", sa.Date(), nullable=True),
        *_recorded("designation"),
        sa.CheckConstraint("model in ('smart', 'ecom')", name=op.f("ck_designation_model")),
        sa.CheckConstraint(
            "authority in ('central', 'province')", name=op.f("ck_designation_authority")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_designation")),
    )
    for table in ("unit_attribute", "designation"):
        for column in PLACES:
            op.create_index(op.f(f"ix_{table}_{column}"), table, [column])
    op.create_table(
        "designation_withdrawal",
        sa.Column("designation_id", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        _now("recorded_at"),
        sa.Column("recorded_by", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("designation_id", name=op.f("pk_designation_withdrawal")),
        sa.ForeignKeyConstraint(
            ["designation_id"], ["designation.id"],
            name=op.f("fk_designation_withdrawal_designation_id"),
        ),
        sa.ForeignKeyConstraint(
            ["recorded_by"], ["client.id"], name=op.f("fk_designation_withdrawal_recorded_by")
        ),
    )  # fmt: skip
    op.execute(
        "GRANT SELECT, INSERT ON unit_attribute, designation, designation_withdrawal TO ntm_service"
    )


def downgrade() -> None:
    """Take the revision back."""
    op.drop_table("designation_withdrawal")
    op.drop_table("designation")
    op.drop_table("unit_attribute")


def _recorded(table: str) -> list[sa.schema.SchemaItem]:
    """Return what every record of a unit carries: where it lay, the source, who recorded it."""
    return [
        sa.Column("source", sa.String(), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("recorded_by", sa.Integer(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("district_id", sa.Integer(), nullable=True),
        sa.Column("province_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["recorded_by"], ["client.id"], name=op.f(f"fk_{table}_recorded_by")
        ),
        *(
            sa.ForeignKeyConstraint([column], ["unit.id"], name=op.f(f"fk_{table}_{column}"))
            for column in PLACES
        ),
    ]


def _now(name: str) -> sa.Column[datetime.datetime]:
    """Return a column that says when the row was written."""
    return sa.Column(
        name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
    )
