"""The worker: takes jobs from the queue while the service runs, whatever happens to the database.

It never ends by itself. When PostgreSQL goes away the queue's own worker ends; it is opened anew,
at the address as it is then, until that works.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Final

from procrastinate import App
from procrastinate.exceptions import ConnectorException

from app.database import Database, DatabaseFailed
from app.domain.jobs.conducting import Conductor
from app.domain.jobs.queue import Pace, fetch, opened_at
from app.domain.jobs.running import Kind
from app.domain.jobs.sweeping import sweep
from app.rules.registry import Registry
from app.settings import Settings

_log = logging.getLogger("ntm")
_PAUSE: Final = 0.5  # seconds, doubled with every failure
_LONGEST: Final = 10.0
_CUTS: Final = 5
Chore = Callable[[Database, Settings], Awaitable[None]]
_ENDING: Final = 10.0  # seconds: a stop does not wait for a database that never answers


def connections(at_once: int) -> int:
    """Return how many connections jobs need: one to read, one to write, one to tell of it."""
    return 3 * at_once + 1


class Worker:
    """Works on jobs, some at once, for the length of a block; `database` is a patient one."""

    def __init__(
        self,
        database: Database,
        registry: Registry,
        settings: Settings,
        kinds: Mapping[str, Kind],
        *,
        chores: Sequence[Chore] = (),
        at_once: int = 1,
        pace: Pace | None = None,
    ) -> None:
        """Prepare; `chores` are done now and then, beside the jobs."""
        self._database, self._at_once, self._pace = database, at_once, pace or Pace()
        self._settings, self._chores = settings, chores
        self._conductor = Conductor(database, registry, settings, kinds)
        self._stopping = asyncio.Event()
        self._signed_on: set[int] = set()  # in the queue, where a death is noticed late
        self._failing = False
        self._pause = _PAUSE

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work for the length of a block; what is not done at its end is given back."""
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            self.stop()
            await _ended(task)

    def stop(self) -> None:
        """Take up nothing more, and give back what is not done."""
        self._conductor.stopping = True
        self._stopping.set()

    async def work_off(self) -> None:
        """Work until the queue is empty."""
        async with self._opened() as app:
            await fetch(app, self._pace, self._at_once, wait=False)

    async def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                await self._work()
            except Exception as error:
                self._tell_failing(error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), self._pause)
            self._pause = min(self._pause * 2, _LONGEST)

    async def _work(self) -> None:
        """Work until told to stop, or until the database is away."""
        async with self._opened() as app:
            for number in list(self._signed_on):  # ended with the database: what it held is free
                await app.job_manager.unregister_worker(number)
            await sweep(app, self._database, self._pace)
            self._tell_working()
            fetching = asyncio.create_task(fetch(app, self._pace, self._at_once))
            beside = [
                asyncio.create_task(self._sweep_often(app)),
                asyncio.create_task(self._stop_with(fetching)),
            ]
            try:
                await fetching
            except asyncio.CancelledError:
                if not self._stopping.is_set():
                    raise
            finally:
                for one in beside:
                    one.cancel()
                await asyncio.gather(*beside, return_exceptions=True)

    @contextlib.asynccontextmanager
    async def _opened(self) -> AsyncIterator[App]:
        async with self._database.asking() as connection:  # starts an embedded server that died
            await connection.fetchval("SELECT 1")
        app = opened_at(self._database.service, self._conductor.conduct, self._signed_on)
        async with app.open_async():
            yield app

    async def _stop_with(self, fetching: asyncio.Task[None]) -> None:
        await self._stopping.wait()
        fetching.cancel()

    async def _sweep_often(self, app: App) -> None:
        tidied = 0.0
        while True:
            await asyncio.sleep(self._pace.sweep)
            try:
                await sweep(app, self._database, self._pace)
                if time.monotonic() - tidied >= self._pace.tidy:
                    tidied = time.monotonic()
                    for chore in self._chores:
                        await chore(self._database, self._settings)
            except (ConnectorException, DatabaseFailed, OSError):
                _log.debug("jobs: sweeping failed, it is tried again")

    def _tell_failing(self, error: Exception) -> None:
        """Say once that jobs wait; where it happened only for what nobody expects."""
        if not self._failing:
            self._failing = True
            known = isinstance(error, ConnectorException | DatabaseFailed | OSError)
            why = getattr(error, "code", type(error).__name__)
            told = None if known else error
            _log.error("jobs: working fails (%s), it is tried again", why, exc_info=told)

    def _tell_working(self) -> None:
        self._pause = _PAUSE
        if self._failing:
            self._failing = False
            _log.info("jobs: working again")


async def _ended(task: asyncio.Task[None]) -> None:
    """Wait for a worker that stops; cut short what hangs."""
    await asyncio.wait([task], timeout=_ENDING)
    for _ in range(_CUTS):
        if task.done():
            return
        task.cancel()  # the driver waits once more for each
        await asyncio.wait([task], timeout=1)
    _log.warning("jobs: stopped without an answer of the database")
