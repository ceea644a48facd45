"""Whether anything in the database changed: row counts and a hash of every table."""

from __future__ import annotations

import asyncpg

from app.database import SCHEMA, Database, driver_of
from app.database.connections import QUEUE

# Who works on jobs is no part of the record, and says so again and again.
_TABLES = """
SELECT schemaname, tablename FROM pg_tables
 WHERE schemaname = ANY($1) AND tablename <> 'procrastinate_workers'
 ORDER BY schemaname, tablename
"""


async def fingerprint(database: Database) -> dict[str, tuple[int, str]]:
    """Return for every table its number of rows and a hash of everything in them.

    Those of the queue, in which a job waits, are among them.
    """
    async with database.as_owner() as connection:
        return await digest(await driver_of(connection))


async def digest(connection: asyncpg.Connection[asyncpg.Record]) -> dict[str, tuple[int, str]]:
    """Return the same over a connection that sees everything."""
    tables = await connection.fetch(_TABLES, [SCHEMA, QUEUE])
    found = await connection.fetch(
        " UNION ALL ".join(
            f"SELECT '{name}', count(*), sum(hash_record_extended(t, 0))::text"
            f' FROM "{schema}"."{name}" t'
            for schema, name in tables
        )
    )
    return {name: (count, hashed) for name, count, hashed in found}
