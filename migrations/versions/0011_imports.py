"""Imports: files as they were sent, what became of them, what was refused.

Revision ID: 0011
Revises: 0010
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

CODE = sa.String(collation="C")
PLACE = {"unit_id": "units", "district_id": "districts", "province_id": "provinces"}
# What is not known before the file was read; a dry run is gone through once more.
WRITTEN = ("state", "dry_run", "mode", "on_conflict", "job_id", "report", "headers", "ended_at",
           "freed_at")  # fmt: skip
PARTS = ("value_import_chunk", "value_import_rejection")


def told(name: str) -> str:
    """Return the SQL that reads a setting; null when the transaction was told nothing."""
    return f"(SELECT nullif(current_setting('ntm.{name}', true), ''))"


def lies() -> str:
    """Return the SQL that an import lies in the territory that the transaction works for."""
    among = (f"{column} = ANY (({told(name)}::int[])::int[])" for column, name in PLACE.items())
    return f"({NATION} OR {' OR '.join(among)})"


NATION = f"{told('nation')} IS NOT NULL"
MINE = f"(client = {told('client')} OR {NATION} AND {told('client')} IS NULL)"
# What belongs to an import is seen and written by whoever sees, or sent, the import itself.
SEEN = "EXISTS (SELECT FROM value_import i WHERE i.id = import_id)"
OWN = f"EXISTS (SELECT FROM value_import i WHERE i.id = import_id AND {MINE})"


def upgrade() -> None:
    """Apply the revision."""
    _make_import()
    _make_parts()
    _protect("value_import", {
        "SELECT": f"USING ({MINE} OR {lies()})",
        "INSERT": f"WITH CHECK ({MINE})",
        "UPDATE": f"USING ({MINE}) WITH CHECK ({MINE})",
    })  # fmt: skip
    for part in PARTS:
        _protect(part, {
            "SELECT": f"USING ({SEEN})",
            "INSERT": f"WITH CHECK ({OWN})",
            "DELETE": f"USING ({OWN})",
        })  # fmt: skip
    op.execute("GRANT SELECT, INSERT ON value_import TO ntm_service")
    op.execute(f"GRANT UPDATE ({', '.join(WRITTEN)}) ON value_import TO ntm_service")
    op.execute(f"GRANT SELECT, INSERT, DELETE ON {', '.join(PARTS)} TO ntm_service")


def downgrade() -> None:
    """Take the revision back."""
    for table in (*PARTS, "value_import"):
        op.drop_table(table)


def _make_import() -> None:
    op.create_table(
        "value_import",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("state", CODE, nullable=False),
        sa.Column("dry_run", sa.Boolean(), nullable=False),
        sa.Column("mode", CODE, nullable=False),
        sa.Column("on_conflict", CODE, nullable=False),
        sa.Column("options", JSONB(), nullable=False),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("media", sa.String(), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", CODE, nullable=False),
        sa.Column("job_id", sa.BigInteger(), nullable=True),
        sa.Column("report", JSONB(), nullable=True),
        sa.Column("headers", JSONB(), nullable=True),
        sa.Column("client", CODE, nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=name != "unit_id") for name in PLACE),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("freed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_value_import")),
        sa.CheckConstraint(
            "state in ('pending', 'checked', 'committed', 'refused')",
            name=op.f("ck_value_import_state"),
        ),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_value_import_job_id")),
        *(
            sa.ForeignKeyConstraint([name], ["unit.id"], name=op.f(f"fk_value_import_{name}"))
            for name in PLACE
        ),
    )
    for name in (*PLACE, "client"):
        op.create_index(op.f(f"ix_value_import_{name}"), "value_import", [name, "id"])
    op.create_index(
        "ix_value_import_kept",
        "value_import",
        ["ended_at"],
        postgresql_where=sa.text("freed_at IS NULL"),
    )
    op.create_index(op.f("ix_value_import_job_id"), "value_import", ["job_id"])


def _make_parts() -> None:
    op.create_table(
        "value_import_chunk",
        sa.Column("import_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("import_id", "number", name=op.f("pk_value_import_chunk")),
        sa.ForeignKeyConstraint(
            ["import_id"], ["value_import.id"], name=op.f("fk_value_import_chunk_import_id")
        ),
    )
    # Files that are large are packed already, or read once: packing them costs more than it saves.
    op.execute("ALTER TABLE value_import_chunk ALTER content SET STORAGE EXTERNAL")
    op.create_table(
        "value_import_rejection",
        sa.Column("import_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("sheet", sa.String(), nullable=True),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("cells", JSONB(), nullable=False),
        sa.Column("reasons", JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("import_id", "number", name=op.f("pk_value_import_rejection")),
        sa.ForeignKeyConstraint(
            ["import_id"], ["value_import.id"], name=op.f("fk_value_import_rejection_import_id")
        ),
    )


def _protect(table: str, policies: dict[str, str]) -> None:
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    for command, clause in policies.items():
        op.execute(f"CREATE POLICY may_{command.lower()} ON {table} FOR {command} {clause}")
