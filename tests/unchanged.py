"""Whether anything in the database changed: row counts and a hash of every table."""

from __future__ import annotations

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
    found = {}
    async with database.as_owner() as connection:
        driver = await driver_of(connection)
        for schema, table in await driver.fetch(_TABLES, [SCHEMA, QUEUE]):
            statement = (
                "SELECT count(*), sum(hash_record_extended(t, 0))::text"
                f' FROM "{schema}"."{table}" t'
            )
            row = await driver.fetchrow(statement)
            assert row is not None
            found[table] = (row[0], row[1])
    return found
