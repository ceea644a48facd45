"""Evaluation runs: whole territories judged in one job.

Revision ID: 0012
Revises: 0011
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

CODE = sa.String(collation="C")
PLACE = ("unit_id", "district_id", "province_id")
REACHED = {"unit_id": "units", "district_id": "districts", "province_id": "provinces"}
# The first key of a stored verdict, so that verdicts can be counted without being read.
ALL_ITEMS = """
(regexp_match(encode(substr(verdict, 1, 40), 'escape'::text), '^{"all_items":"([a-z_]+)"'::text))[1]
""".strip()
# What is not known before every unit was judged; it is filled in once.
RESULT = (
    "digest", "units", "out_of_scope", "outcomes", "all_items", "criteria", "nearest", "ended_at",
)  # fmt: skip


def lies() -> str:
    """Return the SQL that a run lies in the territory that the transaction works for."""
    told = "SELECT nullif(current_setting('ntm.{}', true), '')"
    among = [
        f"{column} = ANY (({told.format(name)}::int[])::int[])" for column, name in REACHED.items()
    ]
    return f"(({told.format('nation')}) IS NOT NULL OR {' OR '.join(among)})"


def upgrade() -> None:
    """Apply the revision."""
    op.create_table(
        "evaluation_run",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        *(sa.Column(column, sa.Integer(), nullable=column != "unit_id") for column in PLACE),
        sa.Column("ruleset", CODE, nullable=False),
        sa.Column("digest", CODE, nullable=True),
        sa.Column("period", CODE, nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("client", CODE, nullable=False),
        *(sa.Column(column, sa.Integer(), nullable=True) for column in ("units", "out_of_scope")),
        *(
            sa.Column(column, JSONB(), nullable=True)
            for column in ("outcomes", "all_items", "criteria", "nearest")
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evaluation_run")),
        sa.UniqueConstraint("job_id", name=op.f("uq_evaluation_run_job_id")),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_evaluation_run_job_id")),
        sa.ForeignKeyConstraint(
            ["digest"], ["ruleset_snapshot.digest"], name=op.f("fk_evaluation_run_digest")
        ),
        *(
            sa.ForeignKeyConstraint([column], ["unit.id"], name=op.f(f"fk_evaluation_run_{column}"))
            for column in PLACE
        ),
    )
    for column in PLACE:
        op.create_index(op.f(f"ix_evaluation_run_{column}"), "evaluation_run", [column, "id"])
    _extend_evaluation()
    op.execute("GRANT SELECT, INSERT ON evaluation_run TO ntm_service")
    op.execute(f"GRANT UPDATE ({', '.join(RESULT)}) ON evaluation_run TO ntm_service")
    _protect()


def _extend_evaluation() -> None:
    computed = sa.Computed(ALL_ITEMS, persisted=True)
    op.add_column("evaluation", sa.Column("all_items", CODE, computed))
    op.add_column("evaluation", sa.Column("run_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        op.f("fk_evaluation_run_id"), "evaluation", "evaluation_run", ["run_id"], ["id"]
    )
    op.create_index(
        "ix_evaluation_run_id",
        "evaluation",
        ["run_id", "id"],
        postgresql_where=sa.text("run_id IS NOT NULL"),
    )


def _protect() -> None:
    """Let everyone see and write the runs of the own territory; what has ended stays as it is."""
    op.execute("ALTER TABLE evaluation_run ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE evaluation_run FORCE ROW LEVEL SECURITY")
    for command, clause in (
        ("SELECT", f"USING ({lies()})"),
        ("INSERT", f"WITH CHECK ({lies()})"),
        ("UPDATE", f"USING ({lies()} AND ended_at IS NULL) WITH CHECK ({lies()})"),
    ):
        op.execute(f"CREATE POLICY may_{command.lower()} ON evaluation_run FOR {command} {clause}")


def downgrade() -> None:
    """Take the revision back."""
    op.drop_index("ix_evaluation_run_id", "evaluation")
    op.drop_column("evaluation", "run_id")
    op.drop_column("evaluation", "all_items")
    op.drop_table("evaluation_run")
