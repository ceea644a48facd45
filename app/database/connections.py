"""Connections: where a database is, as whom to connect, how long anything may take."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, cast

import asyncpg
from sqlalchemy import event
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from app.database.context import Context
from app.database.failures import PoolExhausted, logging_in
from app.embedded import DATABASE, SERVICE, Embedded

SCHEMA: Final = "ntm"
QUEUE: Final = "ntm_queue"  # the schema of the queue of jobs, which is procrastinate's
_CONNECTING: Final = 5.0  # seconds until an unreachable host is given up
_WAITING: Final = 2.0  # seconds a request waits for a connection of its own
_COMMAND: Final = 6.0  # seconds until a server that does not answer at all is given up
_ROLLING_BACK: Final = 1.0  # seconds until a connection that does not roll back is given up
_PAUSES: Final = (0.1, 0.3, 0.6)  # seconds between attempts while the embedded server comes back

# A statement or lock that takes longer than this harms every other caller (milliseconds).
_SERVICE_LIMITS: Final = {
    "statement_timeout": "5000",
    "lock_timeout": "2000",
    "idle_in_transaction_session_timeout": "10000",
    "client_connection_check_interval": "1000",  # nobody waits for the answer any more
}
_TRANSACTION: Final = 30_000  # milliseconds, all statements of a request together
_LIMITS_TRANSACTIONS: Final = 17  # the release of PostgreSQL that can limit them
# The service's statements are constants with parameters: planning each of them anew takes longer
# than running it (measured: reads of a unit 2.2 ms instead of 0.3).
_SERVICE_PLANS: Final = {"plan_cache_mode": "force_generic_plan"}
# The owner migrates, loads, backs up: row security, which binds it too, lets it see everything.
_OWNER_LIMITS: Final = {"lock_timeout": "10000", "ntm.nation": "on"}


class Address:
    """Where a database is and as whom to connect; for the embedded one, asked anew each time."""

    def __init__(self, url: URL | None, embedded: Embedded | None, user: str) -> None:
        self._url, self._embedded, self._user = url, embedded, user

    async def connect(self, **options: Any) -> asyncpg.Connection:
        """Open a connection; the embedded server is started again when it has died."""
        with logging_in(self.shown()):
            if self._embedded is None:
                return await self._connect(**options)
            for pause in _PAUSES:
                try:
                    return await self._connect(**options)
                except (OSError, asyncpg.CannotConnectNowError):
                    await asyncio.sleep(pause)  # one that is shutting down accepts for a moment
                    await asyncio.to_thread(self._embedded.ensure)
            return await self._connect(**options)

    async def _connect(self, **options: Any) -> asyncpg.Connection:
        return await asyncpg.connect(**self.parameters(), timeout=_CONNECTING, **options)

    def parameters(self) -> dict[str, Any]:
        """Return host, port, user, password and database, as asyncpg and libpq name them."""
        if self._embedded is not None:
            return {"host": self._embedded.socket_folder, "user": self._user, "database": DATABASE}
        url = cast(URL, self._url)
        named = {
            "host": url.query.get("host") or url.host,
            "port": url.port,
            "user": url.username,
            "password": url.password,
            "database": url.database,
            "ssl": url.query.get("sslmode") or url.query.get("ssl"),
        }
        return {name: value for name, value in named.items() if value is not None}

    def shown(self) -> str:
        """Return the address without its password."""
        if self._embedded is not None:
            return str(self._embedded.cluster.data)
        return self._url.render_as_string(hide_password=True) if self._url else "-"


class Connections:
    """Plain connections of the service, lent for one transaction each.

    There is nothing to reset between two loans: whatever is set, is set for a transaction.
    """

    def __init__(self, address: Address, size: int, *, patient: bool = False) -> None:
        self._address, self._size, self._patient = address, size, patient
        self._pool: asyncpg.Pool | None = None
        self._opening = asyncio.Lock()

    @property
    def in_use(self) -> int:
        """Return how many connections are lent at this moment."""
        return 0 if self._pool is None else self._pool.get_size() - self._pool.get_idle_size()

    @property
    def idle(self) -> int:
        """Return how many connections are open and lent to nobody."""
        return 0 if self._pool is None else self._pool.get_idle_size()

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[asyncpg.Connection]:
        """Lend a connection; raise PoolExhausted when none becomes free in time."""
        pool = self._pool or await self._opened()
        try:
            connection = await pool.acquire(timeout=_WAITING)
        except TimeoutError as error:
            if pool.get_size() < self._size:
                raise ConnectionError("the server does not answer") from error
            raise PoolExhausted from error
        try:
            yield cast(asyncpg.Connection, connection)
        finally:
            if connection.is_in_transaction():  # its end was cut short: nobody may inherit it
                connection.terminate()
            await pool.release(connection)

    @asynccontextmanager
    async def begun(self, context: Context, mode: str) -> AsyncIterator[asyncpg.Connection]:
        """Lend a connection in a transaction that knows its context; commit, or take all back.

        Beginning and telling the context travel together: one round trip.
        """
        async with self.lent() as connection:
            await connection.execute(f"BEGIN {mode}; {context.told()}")
            try:
                yield connection
            except BaseException:
                with suppress(Exception):  # a connection that cannot is ended when it comes back
                    await asyncio.wait_for(connection.execute("ROLLBACK"), _ROLLING_BACK)
                raise
            if await connection.execute("COMMIT") != "COMMIT":
                raise asyncpg.InFailedSQLTransactionError("it failed before its commit")

    async def close(self) -> None:
        """Close every connection."""
        pool, self._pool = self._pool, None
        self._opening = asyncio.Lock()
        if pool is not None:
            await pool.close()

    async def _opened(self) -> asyncpg.Pool:
        async with self._opening:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    connect=self._connect, reset=_nothing_to_reset, min_size=0, max_size=self._size
                )
            return self._pool

    async def _connect(self, *_: Any, **__: Any) -> asyncpg.Connection:
        return await serving(self._address, patient=self._patient)


async def serving(address: Address, *, patient: bool) -> asyncpg.Connection:
    """Open a connection of the service; a patient one lets a transaction take its time."""
    connection = await address.connect(**_options(as_service=True))
    if not patient and connection.get_server_version().major >= _LIMITS_TRANSACTIONS:
        try:
            await connection.execute(f"SET transaction_timeout = {_TRANSACTION}")
        except BaseException:
            connection.terminate()  # it belongs to no pool yet: nobody else would end it
            raise
    return connection


async def _nothing_to_reset(connection: asyncpg.Connection) -> None:
    """Leave a connection as it is."""


def _options(*, as_service: bool) -> dict[str, Any]:
    settings = {
        "application_name": "ntm",
        "search_path": SCHEMA,
        "timezone": "UTC",
        "jit": "off",
        **(_SERVICE_LIMITS | _SERVICE_PLANS | {"role": SERVICE} if as_service else _OWNER_LIMITS),
    }
    return {"server_settings": settings} | ({"command_timeout": _COMMAND} if as_service else {})


def engine(address: Address, pool: int, *, as_service: bool, patient: bool = False) -> AsyncEngine:
    """Return SQLAlchemy's engine for an address; nothing is connected before its first use."""

    async def connect() -> asyncpg.Connection:
        if as_service:
            return await serving(address, patient=patient)
        return await address.connect(**_options(as_service=False))

    made = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connect,
        pool_size=pool,
        max_overflow=0,
        pool_timeout=_WAITING,
        hide_parameters=True,
    )
    event.listen(made.sync_engine, "checkin", _inherit_nothing)
    return made


def _inherit_nothing(connection: Any, record: ConnectionPoolEntry) -> None:
    """End a connection that is, or that its driver believes to be, in a transaction still.

    After a BEGIN that was answered with an error the driver believes so for ever.
    """
    driver = connection and connection.driver_connection
    if driver and (driver._top_xact is not None or driver.is_in_transaction()):
        record.invalidate()
