"""The database: where it is, connections to it, what its failures mean.

Reads and writes of the service run as the role `ntm_service`, which has no DDL, each in a
transaction that knows for whom it works; migrations and the loading of the register run as the
owner. All tables stand in the schema `ntm`.
"""

from __future__ import annotations

import copy
import datetime
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, ClassVar, Final, Self, cast

import asyncpg
from sqlalchemy import Connection, DateTime, MetaData, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_sessionmaker
from sqlalchemy.orm import DeclarativeBase, Session, SessionTransaction

from app.database.connections import SCHEMA, Address, Connections, engine
from app.database.context import EVERYTHING, NOTHING, Context
from app.database.failures import DatabaseFailed, translated
from app.embedded import OWNER, SERVICE, Embedded, EmbeddedFailed
from app.rules.errors import Text
from app.settings import Settings

__all__ = [
    "EVERYTHING",
    "NOTHING",
    "OWNER",
    "SCHEMA",
    "SERVICE",
    "Base",
    "Context",
    "Database",
    "DatabaseFailed",
    "driver_in",
    "driver_of",
]


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


class Database:
    """The database of a run of the service or of a command, and what was opened in it."""

    def __init__(self, settings: Settings, *, patient: bool = False, least: int = 1) -> None:
        """Find it; raise DatabaseFailed when it cannot be used. Nothing is connected yet.

        A patient one lets a transaction take its time: commands do, requests may not. `least` is
        how many connections whoever uses it must be able to hold at once.
        """
        given = _url(settings.database_url)
        owner = _url(settings.database_owner_url) or given
        self.split = settings.database_owner_url is not None
        self.embedded = None if given else _embedded(settings)
        self.service = Address(given, self.embedded, SERVICE)
        self.owner = Address(owner, self.embedded, OWNER)
        pool = max(settings.database_pool, least)
        self.engine = engine(self.service, pool, as_service=True, patient=patient)
        self.session = async_sessionmaker(self.engine, expire_on_commit=False)
        self.connections = Connections(self.service, pool, patient=patient)
        self._context = NOTHING

    def acting_for(self, context: Context) -> Self:
        """Return the same database, the same connections, for another context."""
        other = copy.copy(self)
        other._context = context
        return other

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
        await self.connections.close()
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
                session.info[_CONTEXT] = self._context
                yield session

    @asynccontextmanager
    async def asking(self) -> AsyncIterator[asyncpg.Connection]:
        """Yield a plain connection for single statements, each a transaction of its own.

        They see what everyone may see, and what they tell themselves that they work for.
        """
        with translated():
            async with self.connections.lent() as connection:
                yield connection

    @asynccontextmanager
    async def reading(self, *, one_state: bool = False) -> AsyncIterator[asyncpg.Connection]:
        """Yield a plain connection as the service in a transaction that can only read.

        With `one_state` every statement sees what was on record when the first one began.
        """
        mode = "ISOLATION LEVEL REPEATABLE READ, READ ONLY" if one_state else "READ ONLY"
        with translated():
            async with self.connections.begun(self._context, mode) as connection:
                yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[asyncpg.Connection]:
        """Yield a plain connection as the service in a transaction, committed after the block.

        For the few hot writes whose statements are written out; `transaction` is for the others.
        """
        with translated():
            async with self.connections.begun(self._context, "READ WRITE") as connection:
                yield connection

    @asynccontextmanager
    async def as_owner(self) -> AsyncIterator[AsyncConnection]:
        """Yield a connection as the owner in one transaction, for migrations and loading."""
        connections = engine(self.owner, 1, as_service=False)
        try:
            with translated():
                async with connections.begin() as connection:
                    yield connection
        finally:
            await connections.dispose()


_CONTEXT: Final = "context"


@event.listens_for(Session, "after_begin")
def _tell_context(session: Session, _: SessionTransaction, connection: Connection) -> None:
    """Tell every transaction of a session for whom it works."""
    context: Context = session.info.get(_CONTEXT, NOTHING)
    connection.exec_driver_sql(context.told())


async def driver_in(session: AsyncSession) -> asyncpg.Connection:
    """Return the driver's connection of a session, for a statement within its transaction."""
    return await driver_of(await session.connection())


async def driver_of(connection: AsyncConnection) -> asyncpg.Connection:
    """Return the driver's connection, for what the driver alone can do (COPY) or does faster."""
    pooled = await connection.get_raw_connection()
    return cast(asyncpg.Connection, pooled.driver_connection)


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
    port = (url.port if url else None) or 0
    if url is None or url.drivername not in _DRIVERS or not url.database or port > 65_535:
        raise DatabaseFailed(
            "wrong-setting",
            Text(
                "địa chỉ cơ sở dữ liệu không hợp lệ; hãy viết NTM_DATABASE_URL dạng "
                "postgresql://người_dùng:mật_khẩu@máy:5432/tên",
                "the database address is not valid; write NTM_DATABASE_URL as "
                "postgresql://user:password@host:5432/name",
            ),
        )
    return url


_DRIVERS: Final = ("postgresql", "postgres", "postgresql+asyncpg")
