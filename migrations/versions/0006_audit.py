"""The audit: entries that nobody may change, what is not sealed yet, and the seals.

Revision ID: 0006
Revises: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

CODE = sa.String(collation="C")
KEPT = ("audit_entry", "audit_seal")
# The owner and a superuser are refused as well: what they do about it is found by the seals.
REFUSE = """
CREATE FUNCTION audit_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the audit is only added to' USING ERRCODE = 'insufficient_privilege';
END $$
"""


def upgrade() -> None:
    """Apply the revision."""
    op.create_table(
        "audit_entry",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column(
            "at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("client", CODE, nullable=False),
        sa.Column("official_id", sa.String(), nullable=True),
        sa.Column("official_office", sa.String(), nullable=True),
        sa.Column("official_position", sa.String(), nullable=True),
        sa.Column("action", CODE, nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=True),
        sa.Column("district_id", sa.Integer(), nullable=True),
        sa.Column("province_id", sa.Integer(), nullable=True),
        sa.Column("request_id", CODE, nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("details", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entry")),
    )
    for column in ("unit_id", "district_id", "province_id"):
        op.create_index(f"ix_audit_entry_{column}", "audit_entry", [column, "id"])
    op.create_table(
        "audit_pending",
        sa.Column("audit_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("audit_id", name=op.f("pk_audit_pending")),
    )
    op.create_table(
        "audit_seal",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("audit_id", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_audit_seal")),
        sa.UniqueConstraint("audit_id", name=op.f("uq_audit_seal_audit_id")),
    )
    op.execute(REFUSE)
    for table in KEPT:
        op.execute(
            f"CREATE TRIGGER kept BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION audit_is_kept()"
        )
    op.execute("GRANT SELECT, INSERT ON audit_entry, audit_seal TO ntm_service")
    op.execute("GRANT SELECT, INSERT, DELETE ON audit_pending TO ntm_service")


def downgrade() -> None:
    """Take the revision back."""
    for table in ("audit_seal", "audit_pending", "audit_entry"):
        op.drop_table(table)
    op.execute("DROP FUNCTION audit_is_kept()")
