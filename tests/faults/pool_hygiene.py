"""Many transactions of many callers over few connections, a good third cancelled or failed.

Whatever ended a transaction, the next one on its connection knows nothing of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import gc
import logging
import random
import time
import warnings
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any, Final, cast

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import QueuePool

from app.cli.clients import make
from app.database import EVERYTHING, NOTHING, Context, Database, DatabaseFailed
from faults.goals import Outcome, Stage
from faults.ledger import as_owner

SIZES: Final = (6_000, 200_000)
_CONTROL: Final = 400
_WORKERS: Final = 8
_POOL: Final = 4  # fewer than workers: some are cancelled while they wait
_PLACES: Final = 8
_LEAST: Final = 0.3  # of all transactions are cancelled or fail
_NAMES: Final = ("client", "nation", "units", "districts", "provinces", "grants")
_SETTINGS: Final = ", ".join(
    f"coalesce(current_setting('ntm.{name}', true), '') AS {name}" for name in _NAMES
)
# A client is a row that belongs to a territory; there is one in each place.
_SEEN: Final = (
    f"SELECT {_SETTINGS}, (SELECT array_agg(unit_id) FROM client WHERE name = 'drill') AS places"
)
_TODAY: Final = """
SELECT v.unit_id, v.code FROM unit_version v JOIN unit u ON u.id = v.unit_id
 WHERE u.level = 'commune' AND v.valid_to IS NULL ORDER BY v.code LIMIT $1
"""
_FAILS: Final = "SELECT 1/0"
_OURS: Final = "datname = current_database() AND application_name = 'ntm'"


class Planned(Exception):
    """A failure in the caller's own code, amid a transaction."""


@dataclasses.dataclass
class Found:
    """What was seen that must not be, and how transactions ended."""

    ended: Counter[str] = dataclasses.field(default_factory=Counter)
    wrong: Counter[str] = dataclasses.field(default_factory=Counter)
    seconds: float = 0.002  # that a transaction takes, about

    @property
    def share(self) -> float:
        """Return which share of the transactions did not end well."""
        return 1 - self.ended["done"] / max(self.ended.total(), 1)


class Drill:
    """Workers that begin transactions for everybody, and end them in every way."""

    def __init__(self, database: Database, places: list[int], size: int) -> None:
        self._database, self._places, self._size = database, places, size
        self._dice = random.Random(size)
        self.found = Found()

    async def run(self) -> Found:
        """Run so many transactions; return what was seen."""
        with _collected() as said:
            await asyncio.gather(*(self._work() for _ in range(_WORKERS)))
            await self._settle()
            gc.collect()
            self.found.wrong["left to the garbage collector"] += len(said)
        self.found.wrong += Counter()  # what never happened is not told
        return self.found

    async def _work(self) -> None:
        while self.found.ended.total() < self._size:
            await self._ended()
            if self._dice.random() < 0.3:
                await self._look_outside()

    async def _ended(self) -> None:
        """Run one transaction to whatever end the dice choose for it."""
        chosen = self._dice.random()
        within = "fail" if chosen < 0.06 else "raise" if chosen < 0.12 else ""
        task = asyncio.create_task(self._transaction(self._context(), within))
        if chosen > 0.6:
            loop = asyncio.get_running_loop()
            loop.call_later(self._dice.uniform(0, 1.5 * self.found.seconds), task.cancel)
        since = time.monotonic()
        try:
            await task
        except asyncio.CancelledError:
            self.found.ended["cancelled"] += 1
        except (Planned, asyncpg.PostgresError, SQLAlchemyError, DatabaseFailed):
            self.found.ended["failed"] += 1
        else:
            self.found.ended["done"] += 1
            self.found.seconds += 0.05 * (time.monotonic() - since - self.found.seconds)

    def _context(self) -> Context:
        place = self._dice.choice(self._places)
        most = Context(client=f"drill-{place}", units=(place,), provinces=(place,))
        return self._dice.choice((most, most, most, NOTHING, EVERYTHING))

    async def _transaction(self, context: Context, within: str) -> None:
        """Look around in a transaction; then end it well, or by a failure."""
        way = self._dice.choice((self._reading, self._writing, self._session))
        async with way(self._database.acting_for(context)) as ask:
            self._compare(context, await ask(_SEEN))
            if within == "raise":
                raise Planned
            if within == "fail":
                await ask(_FAILS)

    @contextlib.asynccontextmanager
    async def _reading(self, database: Database) -> AsyncIterator[Callable[[str], Any]]:
        async with database.reading() as connection:
            yield connection.fetchrow

    @contextlib.asynccontextmanager
    async def _writing(self, database: Database) -> AsyncIterator[Callable[[str], Any]]:
        async with database.writing() as connection:
            await connection.fetchval("SELECT pg_current_xact_id()")
            yield connection.fetchrow

    @contextlib.asynccontextmanager
    async def _session(self, database: Database) -> AsyncIterator[Callable[[str], Any]]:
        async with database.transaction() as session:

            async def ask(statement: str) -> Mapping[str, Any]:
                return dict((await session.execute(text(statement))).mappings().one())

            yield ask

    def _compare(self, context: Context, seen: Mapping[str, Any]) -> None:
        """Note a context that is not ours, a foreign row, a row of ours that is missing."""
        told = context.settings()
        if any(seen[name] != told[f"ntm.{name}"] for name in _NAMES):
            self.found.wrong["foreign context"] += 1
        places = set(seen["places"] or ())
        mine = set(self._places) if context.nation else set(context.units)
        if not context.nation and places - mine:
            self.found.wrong["foreign rows"] += 1
        if mine - places:
            self.found.wrong["rows not seen"] += 1

    async def _look_outside(self) -> None:
        """Ask without a context, over either pool: nothing of an earlier one may be left."""
        if self._dice.random() < 0.5:
            async with self._database.asking() as connection:
                row = dict(await connection.fetchrow(_SEEN) or {})
        else:
            async with self._database.engine.connect() as session:
                row = dict((await session.execute(text(_SEEN))).mappings().one())
        if any(row[name] for name in _NAMES):
            self.found.wrong["stale context"] += 1
        if row["places"]:
            self.found.wrong["rows without a context"] += 1

    async def _settle(self) -> None:
        """Note what is still open although nobody works any more."""
        connections = self._database.connections
        pool = cast(QueuePool, self._database.engine.pool)
        self.found.wrong["not given back"] += connections.in_use + pool.checkedout()
        watcher = await as_owner(self._database.owner.parameters())
        try:
            for _ in range(100):  # a connection that was cut ends when PostgreSQL notices
                rows = await watcher.fetch(f"SELECT state FROM pg_stat_activity WHERE {_OURS}")
                open_ = connections.idle + pool.checkedin()
                if len(rows) <= open_:
                    break
                await asyncio.sleep(0.05)
            idle = sum(row["state"].startswith("idle in") for row in rows)
            self.found.wrong["idle in transaction"] += idle
            self.found.wrong["connections leaked"] += max(len(rows) - open_, 0)
        finally:
            await watcher.close()


@contextlib.contextmanager
def _collected() -> Iterator[list[str]]:
    """Collect what is said about connections that nobody gave back."""
    said: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "garbage collector" in (told := record.getMessage()):
                said.append(told)

    listener = Listener()
    logging.getLogger().addHandler(listener)
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            yield said
        said += [str(one.message) for one in warned if one.category is not DeprecationWarning]
    finally:
        logging.getLogger().removeHandler(listener)


async def drill(stage: Stage, size: int) -> Found:
    """Run so many transactions on a database of their own."""
    env = await stage.clone("hygiene")
    settings = stage.settings(env, database_pool=_POOL)
    async with Database(settings) as database:
        owner = await as_owner(database.owner.parameters())
        rows = await owner.fetch(_TODAY, _PLACES)
        await owner.close()
        everywhere = database.acting_for(EVERYTHING)
        for row in rows:
            await make(everywhere, "drill", row["code"], ["read"])
        return await Drill(database, [row["unit_id"] for row in rows], size).run()


def _stays(context: Context) -> str:
    """Tell a context as a careless hand would: for the connection, not for the transaction."""
    calls = (f"set_config('{name}', '{word}', false)" for name, word in context.settings().items())
    return f"SELECT {', '.join(calls)}"


async def run(stage: Stage, full: bool) -> Outcome:
    """Run the transactions; then see that a context that stays on its connection is found out."""
    found = await drill(stage, SIZES[full])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Context, "told", _stays)
        planted = await drill(stage, _CONTROL)
    told = ", ".join(f"{number} {what}" for what, number in found.wrong.items())
    return Outcome(
        f"{found.ended.total()} transactions, {found.share:.0%} cancelled or failed",
        told or "0 stale contexts, 0 foreign rows, 0 left open",
        not found.wrong and found.share >= _LEAST,
        f"is_local=false: {planted.wrong['stale context']} stale contexts",
        planted.wrong["stale context"] > 0,
    )
