"""The database: where it is, connections to it, what its failures mean.

Reads and writes of the service run as the role `ntm_service`, which has no DDL; migrations and
the loading of the register run as the owner. All tables stand in the schema `ntm`.
"""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, ClassVar, Final, Self, cast

import asyncpg
from sqlalchemy import DateTime, MetaData
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import (
    AsyncConnection,
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import DeclarativeBase

from app.database.failures import DatabaseFailed, PoolExhausted, logging_in, translated
from app.embedded import DATABASE, OWNER, SERVICE, Embedded, EmbeddedFailed
from app.rules.errors import Text
from app.settings import Settings

__all__ = ["OWNER", "SCHEMA", "SERVICE", "Base", "Database", "DatabaseFailed", "driver_of", "plain"]

SCHEMA: Final = "ntm"
_CONNECTING: Final = 5.0  # seconds until an unreachable host is given up
_WAITING: Final = 2.0  # seconds a request waits for a connection of its own
_COMMAND: Final = 6.0  # seconds until a server that does not answer at all is given up
_PAUSES: Final = (0.1, 0.3, 0.6)  # seconds between attempts while the embedded server comes back

# A statement or lock that takes longer than this harms every other caller (milliseconds).
_SERVICE_LIMITS: Final = {
    "statement_timeout": "5000",
    "lock_timeout": "2000",
    "idle_in_transaction_session_timeout": "10000",
}
_OWNER_LIMITS: Final = {"lock_timeout": "10000"}


class Base(DeclarativeBase):
    """The tables of the institution; every constraint has a name, so that it can be changed."""

    type_annotation_map: ClassVar = {datetime.datetime: DateTime(timezone=True)}
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


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


class Database:
    """The database of a run of the service or of a command, and what was opened in it."""

    def __init__(self, settings: Settings) -> None:
        """Find it; raise DatabaseFailed when it cannot be used. Nothing is connected yet."""
        given = _url(settings.database_url)
        owner = _url(settings.database_owner_url) or given
        self.embedded = None if given else _embedded(settings)
        self.service = Address(given, self.embedded, SERVICE)
        self.owner = Address(owner, self.embedded, OWNER)
        self.engine = _engine(self.service, settings.database_pool, as_service=True)
        self.session = async_sessionmaker(self.engine, expire_on_commit=False)
        self._readers = Readers(self.service, settings.database_pool)

    async def __aenter__(self) -> Self:
        """Use it for the length of a block."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close every connection and leave the embedded server."""
        await self.close()

    async def disconnect(self) -> None:
        """Close every connection; the next use, in this event loop or another, opens new ones."""
        await self._readers.close()
        await self.engine.dispose()

    async def close(self) -> None:
        """Close every connection and leave the embedded server."""
        await self.disconnect()
        if self.embedded is not None:
            self.embedded.release()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """Yield a session as the service; commit at the end of the block."""
        with translated():
            async with self.session.begin() as session:
                yield session

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[asyncpg.Connection]:
        """Yield a plain connection as the service, for single statements that only read."""
        with translated():
            async with self._readers.lent() as connection:
                yield connection

    @asynccontextmanager
    async def as_owner(self) -> AsyncIterator[AsyncConnection]:
        """Yield a connection as the owner in one transaction, for migrations and loading."""
        engine = _engine(self.owner, 1, as_service=False)
        try:
            with translated():
                async with engine.begin() as connection:
                    yield connection
        finally:
            await engine.dispose()


async def plain(session: AsyncSession) -> asyncpg.Connection:
    """Return the driver's connection of a session, for a statement within its transaction."""
    return await driver_of(await session.connection())


async def driver_of(connection: AsyncConnection) -> asyncpg.Connection:
    """Return the driver's connection, for what the driver alone can do (COPY) or does faster."""
    pooled = await connection.get_raw_connection()
    return cast(asyncpg.Connection, pooled.driver_connection)


class Readers:
    """Connections that only read, one statement at a time: nothing to reset between two loans."""

    def __init__(self, address: Address, size: int) -> None:
        self._address, self._size = address, size
        self._pool: asyncpg.Pool | None = None
        self._opening = asyncio.Lock()

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[asyncpg.Connection]:
        """Lend a connection; raise PoolExhausted when none becomes free in time."""
        pool = self._pool or await self._opened()
        try:
            connection = await pool.acquire(timeout=_WAITING)
        except TimeoutError as error:
            raise PoolExhausted from error
        try:
            yield cast(asyncpg.Connection, connection)
        finally:
            await pool.release(connection)

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
        return await self._address.connect(**_options(as_service=True))


async def _nothing_to_reset(connection: asyncpg.Connection) -> None:
    """Leave a connection as it is."""


def _options(*, as_service: bool) -> dict[str, Any]:
    settings = {
        "application_name": "ntm",
        "search_path": SCHEMA,
        "timezone": "UTC",
        "jit": "off",
        **(_SERVICE_LIMITS | {"role": SERVICE} if as_service else _OWNER_LIMITS),
    }
    return {"server_settings": settings} | ({"command_timeout": _COMMAND} if as_service else {})


def _engine(address: Address, pool: int, *, as_service: bool) -> AsyncEngine:
    async def connect() -> asyncpg.Connection:
        return await address.connect(**_options(as_service=as_service))

    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connect,
        pool_size=pool,
        max_overflow=0,
        pool_timeout=_WAITING,
        hide_parameters=True,
    )


def _embedded(settings: Settings) -> Embedded:
    try:
        return Embedded(settings.data_dir)
    except EmbeddedFailed as error:
        raise DatabaseFailed("database-unusable", error.text) from error


def _url(given: Any) -> URL | None:
    if given is None:
        return None
    try:
        url = make_url(given.get_secret_value())
    except (ArgumentError, ValueError):
        url = None
    if url is None or url.drivername not in _DRIVERS or not url.database:
        raise DatabaseFailed(
            "database-unusable",
            Text(
                "địa chỉ cơ sở dữ liệu không hợp lệ; hãy viết NTM_DATABASE_URL dạng "
                "postgresql://người_dùng:mật_khẩu@máy:5432/tên",
                "the database address is not valid; write NTM_DATABASE_URL as "
                "postgresql://user:password@host:5432/name",
            ),
        )
    return url


_DRIVERS: Final = ("postgresql", "postgres", "postgresql+asyncpg")
