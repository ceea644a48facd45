"""The service role and the register of administrative units.

Revision ID: 0001
Revises:
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Since PostgreSQL 16 who makes a role may grant it, but not act as it, until it is granted.
# A role belongs to the whole server: other databases may use it, so taking the revision back
# leaves the role and takes its rights in this database only.
ROLE = """
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'ntm_service') THEN
    CREATE ROLE ntm_service NOLOGIN;
  END IF;
  IF NOT pg_has_role(current_user, 'ntm_service', CASE
    WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END) THEN
    EXECUTE format('GRANT ntm_service TO %I', current_user);
  END IF;
END $$
"""
PLAIN = sa.String(collation="C")


def upgrade() -> None:
    """Apply the revision."""
    op.execute(ROLE)
    op.execute("GRANT USAGE ON SCHEMA ntm TO ntm_service")
    op.create_table(
        "unit",
        sa.Column("id", sa.Integer(), sa.Identity(), nullable=False),
        sa.Column("key", PLAIN, nullable=False),
        sa.Column("level", sa.String(), nullable=False),
        sa.CheckConstraint(
            "level in ('nation', 'province', 'district', 'commune', 'hamlet')",
            name=op.f("ck_unit_level"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unit")),
        sa.UniqueConstraint("key", name=op.f("uq_unit_key")),
    )
    op.create_table(
        "unit_version",
        sa.Column("id", sa.Integer(), sa.Identity(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("code", PLAIN, nullable=False),
        sa.Column("type", sa.String(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("sort_key", PLAIN, nullable=False),
        sa.Column("loose_key", PLAIN, nullable=False),
        sa.Column("search_key", PLAIN, nullable=False),
        sa.Column("parent_id", sa.Integer(), nullable=True),
        sa.Column("district_id", sa.Integer(), nullable=True),
        sa.Column("province_id", sa.Integer(), nullable=True),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("legal_basis", sa.String(), nullable=True),
        sa.Column("latitude", sa.Numeric(9, 6), nullable=True),
        sa.Column("longitude", sa.Numeric(9, 6), nullable=True),
        sa.Column("area_km2", sa.Numeric(12, 4), nullable=True),
        sa.CheckConstraint("valid_from < valid_to", name=op.f("ck_unit_version_order")),
        sa.CheckConstraint("name is nfc normalized", name=op.f("ck_unit_version_nfc")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unit_version")),
        *(
            sa.ForeignKeyConstraint([column], ["unit.id"], name=op.f(f"fk_unit_version_{column}"))
            for column in ("unit_id", "parent_id", "district_id", "province_id")
        ),
    )
    # Without the extension btree_gist integers are compared as ranges of one number.
    op.execute(
        "ALTER TABLE unit_version ADD CONSTRAINT ex_unit_version_one_at_a_time EXCLUDE USING gist "
        "(int8range(unit_id::bigint, unit_id::bigint, '[]') WITH =, "
        "daterange(valid_from, valid_to) WITH &&)"
    )
    for column in ("unit_id", "code", "parent_id", "district_id", "province_id", "loose_key"):
        op.create_index(op.f(f"ix_unit_version_{column}"), "unit_version", [column])
    op.create_index(op.f("ix_unit_version_sort_key_code"), "unit_version", ["sort_key", "code"])
    op.create_table(
        "lineage",
        sa.Column("from_unit_id", sa.Integer(), nullable=False),
        sa.Column("to_unit_id", sa.Integer(), nullable=False),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.Column("extent", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.CheckConstraint("extent in ('whole', 'part')", name=op.f("ck_lineage_extent")),
        sa.PrimaryKeyConstraint("from_unit_id", "to_unit_id", name=op.f("pk_lineage")),
        sa.ForeignKeyConstraint(
            ["from_unit_id"], ["unit.id"], name=op.f("fk_lineage_from_unit_id")
        ),
        sa.ForeignKeyConstraint(["to_unit_id"], ["unit.id"], name=op.f("fk_lineage_to_unit_id")),
    )
    op.create_index(op.f("ix_lineage_to_unit_id"), "lineage", ["to_unit_id"])
    op.create_table(
        "unit_identifier",
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("scheme", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("unit_id", "scheme", name=op.f("pk_unit_identifier")),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("fk_unit_identifier_unit_id")),
    )
    op.create_table(
        "register",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("known_from", sa.Date(), nullable=False),
        sa.Column("loaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_register_single")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_register")),
    )
    op.execute(
        "GRANT SELECT ON unit, unit_version, lineage, unit_identifier, register, alembic_version "
        "TO ntm_service"
    )
    op.execute("GRANT INSERT ON unit, unit_version TO ntm_service")  # hamlets
    op.execute("GRANT INSERT, UPDATE ON unit_identifier TO ntm_service")
    op.execute("GRANT UPDATE (revision) ON register TO ntm_service")


def downgrade() -> None:
    """Take the revision back."""
    for table in ("register", "unit_identifier", "lineage", "unit_version", "unit"):
        op.drop_table(table)
    op.execute("REVOKE ALL ON ALL TABLES IN SCHEMA ntm FROM ntm_service")
    op.execute("REVOKE ALL ON SCHEMA ntm FROM ntm_service")
