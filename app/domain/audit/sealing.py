"""Sealing: the one place where the chain grows, after the transactions that wrote the entries."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import asyncpg

from app.database import EVERYTHING, Database, DatabaseFailed
from app.domain import kept_answers
from app.domain.audit.chain import COLUMNS, GENESIS, entry_of, link
from app.domain.audit.checkpoints import Checkpoints, Head
from app.domain.signing_keys import SigningKeys

_log = logging.getLogger("ntm")
AT_ONCE: Final = 2_000
_LOCK: Final = "SELECT pg_try_advisory_xact_lock(7414)"
_HEAD: Final = "SELECT position, hash FROM audit_seal ORDER BY position DESC LIMIT 1"
_COUNT: Final = "SELECT count(*) FROM audit_pending"
# An entry that was sealed, or that is gone, is left for the verification to tell about.
_TAKE: Final = f"""
SELECT {COLUMNS} FROM audit_pending p JOIN audit_entry e ON e.id = p.audit_id
 WHERE NOT EXISTS (SELECT FROM audit_seal s WHERE s.audit_id = p.audit_id)
 ORDER BY p.audit_id LIMIT {AT_ONCE:d}
"""
_SEAL: Final = """
INSERT INTO audit_seal SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bytea[])
"""
_TAKEN: Final = "DELETE FROM audit_pending WHERE audit_id = ANY ($1::bigint[])"


async def head(connection: asyncpg.Connection) -> Head:
    """Return the last position of the chain and its hash."""
    row = await connection.fetchrow(_HEAD)
    return Head(0, GENESIS) if row is None else Head(row["position"], row["hash"])


async def seal(database: Database) -> int:
    """Seal pending entries, at most AT_ONCE; return how many. None while another one seals."""
    async with database.acting_for(EVERYTHING).writing() as connection:
        if not await connection.fetchval(_LOCK):
            return 0
        last = await head(connection)
        entries = [entry_of(row) for row in await connection.fetch(_TAKE)]
        hashes = []
        before = last.hash
        for position, entry in enumerate(entries, start=last.position + 1):
            before = link(before, position, entry)
            hashes.append(before)
        if entries:
            ids = [entry.id for entry in entries]
            positions = range(last.position + 1, last.position + 1 + len(ids))
            await connection.execute(_SEAL, list(positions), ids, hashes)
            await connection.execute(_TAKEN, ids)
    return len(entries)


async def seal_all(database: Database) -> int:
    """Seal everything that is pending; return how many entries that were."""
    sealed = 0
    while some := await seal(database):
        sealed += some
    return sealed


async def check_point(database: Database, checkpoints: Checkpoints, keys: SigningKeys) -> bool:
    """Write a checkpoint of the chain's head; tell whether one was needed.

    A chain that a checkpoint contradicts gets none: that is for people to look at.
    """
    known = await asyncio.to_thread(checkpoints.newest)
    async with database.acting_for(EVERYTHING).reading() as connection:
        found = await head(connection)
    if known is not None and (
        found.position < known.position
        or (found.position == known.position and not known.agrees(found.hash))
    ):
        _log.error("the audit contradicts its newest checkpoint: run `ntm audit verify`")
        return False
    return found.position > 0 and await asyncio.to_thread(checkpoints.add, found, keys.current())


class Sealer:
    """Seals while the service runs, takes checkpoints, forgets answers kept long enough.

    It never ends by itself: what fails is logged once and tried again until it works.
    """

    def __init__(
        self,
        database: Database,
        checkpoints: Checkpoints,
        keys: SigningKeys,
        *,
        pause: float = 0.5,
        checkpoint_every: float = 60,
    ) -> None:
        """Prepare; `pause` in seconds is how long entries stay unsealed at most."""
        self._database, self._checkpoints, self._keys = database, checkpoints, keys
        self._pause = pause
        self._pending = 0
        self._stopping = asyncio.Event()
        self._failing: set[str] = set()
        # What is done now and then: how often in seconds, and when next.
        self._jobs: dict[str, tuple[float, Callable[[], Awaitable[object]]]] = {
            "checkpoint": (checkpoint_every, self._check_point),
            "forgetting": (3_600, self._forget),
        }
        self._due = dict.fromkeys(self._jobs, time.monotonic() + min(checkpoint_every, 5))

    @property
    def pending(self) -> int:
        """Return how many entries waited to be sealed when it last looked."""
        return self._pending

    def checkpoint_age(self) -> float:
        """Return the seconds since the newest checkpoint; NaN without one."""
        with contextlib.suppress(OSError):
            if (newest := self._checkpoints.newest()) is not None:
                return time.time() - newest.taken_at
        return float("nan")

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work for the length of a block; what is pending at its end is sealed and vouched for."""
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            self._stopping.set()
            await task

    async def _run(self) -> None:
        pause = self._pause
        while not self._stopping.is_set():
            good = await self._tried("sealing", self._seal)
            # Entries come at any time: idle or not, looking costs one small statement.
            pause = self._pause if good else min(pause * 2, 10)
            for name, (every, job) in self._jobs.items():
                if good and time.monotonic() >= self._due[name]:
                    await self._tried(name, job)
                    self._due[name] = time.monotonic() + every
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
        await self._finish()

    async def _finish(self) -> None:
        """Seal what is left and vouch for it, unless the database is away."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FINISHING):
                if await self._tried("sealing", self._seal):
                    await self._tried("checkpoint", self._check_point)

    async def _tried(self, name: str, job: Callable[[], Awaitable[object]]) -> bool:
        """Do something; say so when it begins to fail and when it works again."""
        try:
            await job()
        except Exception as error:
            if name not in self._failing:
                self._failing.add(name)
                known = isinstance(error, DatabaseFailed | OSError)
                why = getattr(error, "code", type(error).__name__)
                told = None if known else error  # where, only for what nobody expects
                _log.error("audit: %s fails (%s), it is tried again", name, why, exc_info=told)
            return False
        if name in self._failing:
            self._failing.remove(name)
            _log.info("audit: %s works again", name)
        return True

    async def _seal(self) -> None:
        while await self._look():
            if not await seal(self._database):
                return  # another process is at it, or nothing can be sealed

    async def _look(self) -> int:
        async with self._database.asking() as connection:
            self._pending = await connection.fetchval(_COUNT)
        return self._pending

    async def _check_point(self) -> None:
        await check_point(self._database, self._checkpoints, self._keys)

    async def _forget(self) -> None:
        async with self._database.acting_for(EVERYTHING).writing() as connection:
            await kept_answers.forget(connection)


_FINISHING: Final = 10  # seconds
