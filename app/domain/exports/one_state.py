"""A connection of its own that sees one state of the record for as long as an export takes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import asyncpg

from app.database import Context, Database
from app.database.connections import serving
from app.database.failures import translated

_CLOSING = 1.0  # seconds for a farewell to the server


@asynccontextmanager
async def one_state(database: Database, context: Context) -> AsyncIterator[asyncpg.Connection]:
    """Yield a connection in a transaction that can only read and sees nothing that comes later.

    It is no connection of the pool: exports are few and long, and whoever ends one early ends the
    connection, and with it the statement that is running. A statement is bounded as everywhere;
    who leaves the transaction idle (a reader too slow to take what was read) loses it after ten
    seconds, so that no old state is held for nobody. Raises DatabaseFailed.
    """
    with translated():
        connection = await serving(database.service, patient=True)
        try:
            await connection.execute(
                f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {context.told()}"
            )
            yield connection
        except BaseException:
            connection.terminate()
            raise
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await connection.close(timeout=_CLOSING)
