"""Whether anything in the database changed: row counts and a hash of every table."""

from __future__ import annotations

from app.database import SCHEMA, Database, driver_of

_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = $1 ORDER BY tablename"


async def fingerprint(database: Database) -> dict[str, tuple[int, str]]:
    """Return for every table its number of rows and a hash of everything in them."""
    found = {}
    async with database.as_owner() as connection:
        driver = await driver_of(connection)
        for (table,) in await driver.fetch(_TABLES, SCHEMA):
            statement = (
                "SELECT count(*), sum(hash_record_extended(t, 0))::text"
                f' FROM "{SCHEMA}"."{table}" t'
            )
            row = await driver.fetchrow(statement)
            assert row is not None
            found[table] = (row[0], row[1])
    return found
