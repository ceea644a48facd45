"""Where Alembic finds the connection and the tables.

`app.database.schema` hands the connection over; the command `alembic` itself opens one as owner.
"""

from __future__ import annotations

import asyncio

from alembic import context
from sqlalchemy import Connection, inspect
from sqlalchemy.schema import CreateSchema

from app.database import SCHEMA, Base, Database
from app.domain import (
    audit,
    clients,
    commune_facts,
    evaluation_runs,
    evaluations,
    evidence,
    grants,
    imports,
    jobs,
    kept_answers,
    recordings,
    units,
    values,
)
from app.settings import Settings

# Imported, their tables stand in Base.metadata.
TABLES_OF = (
    audit, clients, commune_facts, evaluation_runs, evaluations, evidence, grants, imports, jobs,
    kept_answers, recordings, units, values,
)  # fmt: skip


def migrate(connection: Connection) -> None:
    """Run the revisions on a connection, in the transaction it is in."""
    if not inspect(connection).has_schema(SCHEMA):
        connection.execute(CreateSchema(SCHEMA))
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        compare_type=True,
        compare_server_default=True,
    )
    with context.begin_transaction():
        context.run_migrations()


async def migrate_as_owner() -> None:
    """Open the database as its owner, and run the revisions."""
    async with Database(Settings()) as database, database.as_owner() as connection:
        await connection.run_sync(migrate)


given = context.config.attributes.get("connection")
if given is None:
    asyncio.run(migrate_as_owner())
else:
    migrate(given)
