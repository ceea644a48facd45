"""Jobs: long work, and the queue that hands it to workers.

The queue is procrastinate's, in a schema of its own, made by the SQL that comes with the installed
package. What it holds can be made anew from the table `job` (`app/domain/jobs/sweeping.py`): a
revision for a newer procrastinate drops the schema and makes it again.

Revision ID: 0010
Revises: 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from procrastinate.schema import SchemaManager
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.schema import CreateSchema

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

QUEUE = "ntm_queue"
CODE = sa.String(collation="C")
PLACES = ("unit_id", "district_id", "province_id")
WRITTEN = ("state", "done", "total", "result", "problem", "attempt", "deaths", "started_at",
           "ended_at")  # fmt: skip


def told(name: str) -> str:
    """Return the SQL that reads a setting; null when the transaction was told nothing."""
    return f"(SELECT nullif(current_setting('ntm.{name}', true), ''))"


def among(column: str, name: str) -> str:
    """Return the SQL that a column is one of the ids of a setting."""
    array = f"SELECT nullif(current_setting('ntm.{name}', true), '')::int[]"
    return f"{column} = ANY (({array})::int[])"


MINE = f"client = {told('client')}"
NATION = f"{told('nation')} IS NOT NULL"
NOBODYS = (
    f"({NATION} AND {told('client')} IS NULL)"  # the worker's own, before it acts for a client
)
LIES = " OR ".join(
    among(f"job.{column}", name)
    for column, name in zip(PLACES, ("units", "districts", "provinces"), strict=True)
)
# A job belongs to the client that made it; whoever administers where that client lies may see it.
POLICIES = {
    "SELECT": f"USING ({MINE} OR {NATION} OR {LIES})",
    "INSERT": f"WITH CHECK ({MINE})",
    "UPDATE": f"USING ({MINE} OR {NOBODYS}) WITH CHECK ({MINE} OR {NOBODYS})",
}


def upgrade() -> None:
    """Apply the revision."""
    _make_table()
    op.execute("ALTER TABLE job ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE job FORCE ROW LEVEL SECURITY")
    for command, clause in POLICIES.items():
        op.execute(f"CREATE POLICY may_{command.lower()} ON job FOR {command} {clause}")
    op.execute("GRANT SELECT, INSERT ON job TO ntm_service")
    op.execute(f"GRANT UPDATE ({', '.join(WRITTEN)}) ON job TO ntm_service")
    _make_queue()


def downgrade() -> None:
    """Take the revision back."""
    op.execute(f"DROP SCHEMA {QUEUE} CASCADE")
    op.drop_table("job")


def _make_table() -> None:
    now = sa.text("now()")
    nothing = sa.text("0")
    op.create_table(
        "job",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("kind", CODE, nullable=False),
        sa.Column("state", CODE, server_default=sa.text("'queued'"), nullable=False),
        sa.Column("done", sa.BigInteger(), server_default=nothing, nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=True),
        sa.Column("arguments", JSONB(), nullable=False),
        sa.Column("result", JSONB(), nullable=True),
        sa.Column("problem", JSONB(), nullable=True),
        sa.Column("attempt", sa.Integer(), server_default=nothing, nullable=False),
        sa.Column("deaths", sa.Integer(), server_default=nothing, nullable=False),
        sa.Column("client", CODE, nullable=False),
        sa.Column("scopes", ARRAY(sa.String()), nullable=False),
        sa.Column("official_id", sa.String(), nullable=True),
        sa.Column("official_office", sa.String(), nullable=True),
        sa.Column("official_position", sa.String(), nullable=True),
        sa.Column("request_id", CODE, nullable=True),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("district_id", sa.Integer(), nullable=True),
        sa.Column("province_id", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
        sa.CheckConstraint(
            "state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')",
            name=op.f("ck_job_state"),
        ),
        *(
            sa.ForeignKeyConstraint([column], ["unit.id"], name=op.f(f"fk_job_{column}"))
            for column in PLACES
        ),
    )
    for column in (*PLACES, "client"):
        op.create_index(op.f(f"ix_job_{column}"), "job", [column, "id"])
    op.create_index(
        "ix_job_open", "job", ["id"], postgresql_where=sa.text("state IN ('queued', 'running')")
    )


def _make_queue() -> None:
    connection = op.get_bind()
    if not sa.inspect(connection).has_schema(QUEUE):
        connection.execute(CreateSchema(QUEUE))
    before = connection.scalar(sa.text("SELECT current_setting('search_path')"))
    _work_in(connection, QUEUE)
    # Many statements in one text: only the driver itself takes them so.
    driver = connection.connection.dbapi_connection
    assert driver is not None  # noqa: S101 - a connection in use has one
    driver.run_async(lambda one: one.execute(SchemaManager.get_schema()))
    _work_in(connection, before)
    # Its functions name their tables without a schema; callers have another search path.
    names = sa.text("SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = :id")
    schema = connection.scalar(sa.text("SELECT :name ::regnamespace::oid"), {"name": QUEUE})
    for name in connection.scalars(names, {"id": schema}).all():
        op.execute(f"ALTER FUNCTION {name} SET search_path = {QUEUE}, pg_temp")
    op.execute(f"GRANT USAGE ON SCHEMA {QUEUE} TO ntm_service")
    op.execute(
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {QUEUE} TO ntm_service"
    )
    op.execute(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA {QUEUE} TO ntm_service")


def _work_in(connection: sa.Connection, path: str | None) -> None:
    """Let the transaction find names in a schema, or in several."""
    connection.execute(
        sa.text("SELECT set_config('search_path', :path, true)"), {"path": path or ""}
    )
