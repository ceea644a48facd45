"""A database that does not answer, is locked or gone, and callers that hang up.

Everybody gets an answer in time, others go on, and the service finds back by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, cast

import asyncpg
import httpx
import pytest
from conftest import problem
from sqlalchemy.pool import QueuePool

from app.database import connections
from faults.ambiguous_commit import Ground, ground
from faults.goals import Outcome, Stage
from faults.ledger import LOOSE, PATIENCE, as_owner, communes_of
from faults.writes import Write, writes

CANCELLED: Final = (500, 10_000)
ROUNDS: Final = (1, 20)
# Longer than waiting for a connection (2 s) and for its answer (6 s) together.
_HANGS: Final = 10.0
_TOGETHER: Final = 6
_PLACE: Final = "/v1/units/25"
_VALUES: Final = "/v1/values?limit=1"
_OURS: Final = "datname = current_database() AND application_name = 'ntm'"


class Drill:
    """One round of everything, on one service; what was wrong is collected."""

    def __init__(self, found: Ground, watcher: asyncpg.Connection[asyncpg.Record]) -> None:
        self._found, self._http, self._watcher = found, found.http, watcher
        self._dice = random.Random(1)
        self.wrong: list[str] = []
        self.longest = 0.0
        self.healed = 0.0
        self.seen: Counter[str] = Counter()

    async def all(self) -> None:
        """Run one round; the service says all the time that it lives."""
        async with self._alive():
            for fault in (self.backend, self.everything, self.lock, self.gone):
                await fault()

    async def backend(self) -> None:
        """Stop one backend of several: who meets it waits in vain, the others go on."""
        await self._together()
        rows = await self._watcher.fetch(f"SELECT pid FROM pg_stat_activity WHERE {_OURS}")
        pid = self._dice.choice(rows)["pid"]
        os.kill(pid, signal.SIGSTOP)
        try:
            codes = await self._together()
            self._expect("a stopped backend", codes, {"200", "query-timeout", "overloaded"})
            if "200" not in codes:
                self.wrong.append("a stopped backend: nobody else was served")
        finally:
            os.kill(pid, signal.SIGCONT)
        await self._heals("a stopped backend")

    async def everything(self) -> None:
        """Freeze every connection; each request is given up."""
        await self._together()
        self._found.way.freeze()
        try:
            codes = await self._together()
            self._expect("a frozen database", codes, UNSERVED)
            ready = await self._ask("/readyz")
            self._expect("readiness of a frozen database", Counter([ready]), UNSERVED)
        finally:
            self._found.way.thaw()
        await self._heals("a frozen database")

    async def lock(self) -> None:
        """Hold a lock on a table: who needs it is told that the query took too long."""
        async with self._watcher.transaction():
            await self._watcher.execute("LOCK TABLE value IN ACCESS EXCLUSIVE MODE")
            locked, other = await asyncio.gather(self._ask(_VALUES), self._ask(_PLACE))
            self._expect("a locked table", Counter([locked]), {"query-timeout"})
            self._expect("a table beside a locked one", Counter([other]), {"200"})
        await self._heals("a locked table", _VALUES)

    async def gone(self) -> None:
        """Let the database be gone: nobody is served, the service says that it is not ready."""
        await self._found.way.go_down()
        try:
            codes = await self._together()
            self._expect("a database that is gone", codes, {"database-unavailable"})
            ready = await self._ask("/readyz")
            self._expect("readiness without a database", Counter([ready]), {"database-unavailable"})
        finally:
            self._found.way.come_back()
        await self._heals("a database that is gone", "/readyz")

    async def hangs(self) -> bool:
        """Tell whether a request to a frozen database is not answered in time."""
        await self._together()
        self._found.way.freeze()
        try:
            codes = await self._together()
            self.seen += codes
            return "hung" in codes
        finally:
            self._found.way.thaw()

    async def _together(self) -> Counter[str]:
        return Counter(await asyncio.gather(*(self._ask(_PLACE) for _ in range(_TOGETHER))))

    async def _ask(self, path: str) -> str:
        """Return 200, the code of a problem, or that no answer came; keep how long it took."""
        since = time.monotonic()
        try:
            async with asyncio.timeout(_HANGS):
                answer = await self._http.get(path)
        except TimeoutError:
            return "hung"
        finally:
            took = time.monotonic() - since
            self.longest = max(self.longest, took)
        if took > _HANGS:  # being cancelled was taken for an answer
            return "hung"
        if answer.status_code == 200:
            return "200"
        if answer.status_code == 503 and not answer.headers.get("retry-after", "").isdigit():
            self.wrong.append(f"{path}: 503 without Retry-After")
        return str(problem(answer)["code"])

    def _expect(self, what: str, codes: Counter[str], allowed: set[str]) -> None:
        self.seen += codes
        if unexpected := set(codes) - allowed:
            self.wrong.append(f"{what}: {', '.join(sorted(unexpected))}")

    async def _heals(self, what: str, path: str = _PLACE) -> None:
        """Note when nobody is served again in time."""
        since = time.monotonic()
        while time.monotonic() < since + PATIENCE:
            if await self._ask(path) == "200" and set(await self._together()) == {"200"}:
                self.healed = max(self.healed, time.monotonic() - since)
                return
            await asyncio.sleep(0.05)
        self.wrong.append(f"{what}: not healed after {PATIENCE:.0f} s")

    @contextlib.asynccontextmanager
    async def _alive(self) -> AsyncIterator[None]:
        """Ask all the time, for the length of a block, whether the service lives."""

        async def keep_asking() -> None:
            while True:
                if await self._ask("/livez") != "200":
                    self.wrong.append("/livez")
                await asyncio.sleep(0.05)

        asking = asyncio.create_task(keep_asking())
        try:
            yield
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)


UNSERVED: Final = {"query-timeout", "overloaded", "database-unavailable"}


async def hang_up(found: Ground, watcher: asyncpg.Connection[asyncpg.Record], times: int) -> str:
    """Cancel so many requests at random moments; return what they left, or nothing."""
    dice, usual, cut = random.Random(times), 0.01, 0
    source = writes(await communes_of(watcher), lines=10)
    while cut < times:
        tasks = [asyncio.create_task(_send(found.http, next(source))) for _ in range(_TOGETHER)]
        since = time.monotonic()
        for one in tasks:
            asyncio.get_running_loop().call_later(dice.uniform(0, 1.2 * usual), one.cancel)
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        cut += sum(isinstance(one, asyncio.CancelledError) for one in ended)
        usual += 0.1 * (time.monotonic() - since - usual) if cut < times else 0
        usual = max(usual, 0.005)
    return await left(found, watcher)


async def _send(http: httpx.AsyncClient, write: Write) -> None:
    headers = {"content-type": write.media, "idempotency-key": write.key}
    await http.post(write.path, content=write.content, headers=headers)


async def left(found: Ground, watcher: asyncpg.Connection[asyncpg.Record]) -> str:
    """Return what is still open although nobody waits for it, and what is half done."""

    async def idle() -> int:
        number: int = await watcher.fetchval(
            f"SELECT count(*) FROM pg_stat_activity WHERE {_OURS} AND state <> 'idle'"
        )
        return number

    def lent() -> int:
        sessions = cast(QueuePool, found.served.engine.pool)
        return found.served.connections.in_use + sessions.checkedout()

    end = time.monotonic() + 2
    while (await idle() or lent()) and time.monotonic() < end:  # noqa: ASYNC110 - PostgreSQL's
        await asyncio.sleep(0.02)
    loose = await watcher.fetchval(LOOSE)
    numbers = {"in transaction": await idle(), "not given back": lent(), "half done": loose}
    return ", ".join(f"{number} {what}" for what, number in numbers.items() if number)


async def _on_ground(
    stage: Stage, work: Callable[[Drill, Ground], Awaitable[str]]
) -> tuple[Drill, str]:
    async with ground(stage, "frozen") as found:
        watcher = await as_owner(found.database.owner.parameters())
        try:
            drill = Drill(found, watcher)
            return drill, await work(drill, found)
        finally:
            await watcher.close()


async def run(stage: Stage, full: bool) -> Outcome:
    """Freeze, lock and hang up; then see that waiting without an end is found out."""

    async def everything(drill: Drill, found: Ground) -> str:
        for _ in range(ROUNDS[full]):
            await drill.all()
        return await hang_up(found, drill._watcher, CANCELLED[full])

    async def hangs(drill: Drill, _: Ground) -> str:
        return "hung" if await drill.hangs() else ""

    drill, open_ = await _on_ground(stage, everything)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connections, "_COMMAND", None)
        _, hung = await _on_ground(stage, hangs)
    wrong = drill.wrong + ([open_] if open_ else [])
    return Outcome(
        f"{ROUNDS[full]} rounds of 4 faults, {CANCELLED[full]} requests cancelled",
        f"{'; '.join(wrong[:6]) or '0 wrong'} (answers {dict(drill.seen)}, at last after "
        f"{drill.longest:.1f} s, healed within {drill.healed:.1f} s)",
        not wrong,
        "no command timeout: " + (hung or "answered"),
        bool(hung),
    )
