"""Connections cut just before and just after COMMIT reached PostgreSQL: the caller retries.

After such a cut nobody can know whether the transaction is on record. The answer is 503, and the
key that the caller sends again decides.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator
from typing import Final, Literal, NamedTuple

import httpx
from conftest import Served, calling, shipped

from app.cli.clients import make
from app.database import EVERYTHING, Database
from app.domain.clients import SCOPES
from app.main import create_app
from faults.careless import TABLE, CheckThenAct
from faults.goals import Outcome, Stage
from faults.ledger import Findings, Ledger, as_owner, communes_of, judge, keep_writing
from faults.proxy import Fault, Proxy, Statement, proxy
from faults.writes import writes

CUTS: Final = (200, 2_000)
_CONTROL: Final = 40  # cuts after which the planted bug must have doubled something
_CALLERS: Final = 6


class Scissors:
    """Cuts half of the connections before and half after a COMMIT, until there were enough."""

    def __init__(self, cuts: int) -> None:
        self.cuts = cuts
        self.made: Counter[str] = Counter()
        self._dice = random.Random(cuts)

    @property
    def done(self) -> bool:
        """Tell whether there were enough."""
        return self.made.total() >= self.cuts

    def choose(self, statement: Statement) -> Fault:
        """Cut about every third COMMIT."""
        if self.done or not statement.commits or self._dice.random() < 0.66:
            return None
        fault: Literal["cut before", "cut after"]
        fault = "cut before" if self.made.total() % 2 else "cut after"
        self.made[fault] += 1
        return fault


class Ground(NamedTuple):
    """A service in this process whose connections go through a proxy."""

    database: Database
    served: Database  # through the proxy
    way: Proxy
    http: httpx.AsyncClient


@contextlib.asynccontextmanager
async def ground(stage: Stage, name: str, *, careless: bool = False) -> AsyncIterator[Ground]:
    """Run a service on a database of its own, with a caller of the whole nation."""
    env = await stage.clone(name)
    async with contextlib.AsyncExitStack() as stack:
        straight = await stack.enter_async_context(Database(stage.settings(env)))
        made = await make(straight.acting_for(EVERYTHING), "Thử", "VN", list(SCOPES))
        way = await stack.enter_async_context(proxy(stage.cluster.socket_folder))
        settings = stage.settings(way.through(env), rate_limit=0, max_running=2 * _CALLERS)
        database = await stack.enter_async_context(Database(settings))
        app = create_app(settings, shipped(), database)
        token = app.state.tokens.issue(made["client_id"], list(SCOPES))
        served: Served = app
        if careless:
            connection = await as_owner(straight.owner.parameters())
            await connection.execute(TABLE)
            await connection.close()
            served = minding = CheckThenAct(app, straight.service.parameters())
            stack.push_async_callback(minding.close)
        http = await stack.enter_async_context(calling(served, token=token))
        yield Ground(straight, database, way, http)


async def drill(stage: Stage, cuts: int, *, careless: bool = False) -> tuple[Findings, Scissors]:
    """Let callers write while connections are cut; return what does not fit afterwards."""
    scissors, ledger = Scissors(cuts), Ledger()
    async with ground(stage, "cut", careless=careless) as found:
        connection = await as_owner(found.database.owner.parameters())
        try:
            source = writes(await communes_of(connection), lines=10)
            found.way.choose = scissors.choose
            callers = [
                keep_writing(found.http, source, ledger, lambda: not scissors.done, pause=0.005)
                for _ in range(_CALLERS)
            ]
            await asyncio.gather(*callers)
            return await judge(connection, ledger), scissors
        finally:
            await connection.close()


async def run(stage: Stage, full: bool) -> Outcome:
    """Cut many connections; then see that keys kept in transactions of their own double writes."""
    cuts = CUTS[full]
    found, scissors = await drill(stage, cuts)
    planted, _ = await drill(stage, _CONTROL, careless=True)
    return Outcome(
        f"{cuts} cuts ({scissors.made['cut before']} before, {scissors.made['cut after']} after)",
        found.told(),
        found.good and scissors.done,
        f"key in transactions of its own, {_CONTROL} cuts: {planted.doubled} doubled",
        planted.doubled > 0,
    )
