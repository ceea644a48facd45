"""The queue that hands jobs to workers: procrastinate, in a schema of its own.

It holds the numbers of jobs, nothing else. Whatever a worker tells the queue, it tells as the one
that holds the entry: one that seemed dead and comes back ends nobody else's.
"""

from __future__ import annotations

import asyncio
import datetime
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, LiteralString

import msgspec
from procrastinate import App, BaseRetryStrategy, JobContext, PsycopgConnector, RetryDecision
from procrastinate.connector import BaseConnector
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager, NotificationCallback

from app.database.connections import QUEUE, Address
from app.domain.hindrances import Hindered
from app.domain.jobs.running import Interrupted
from app.embedded import SERVICE

_NAME: Final = "jobs"
_TASK: Final = "work"
_CONNECTING: Final = 5  # seconds until an unreachable host is given up
_LONGEST: Final = 30  # seconds between two attempts while the database is away
_PATIENCE: Final = 600.0  # seconds until the last jobs of an emptied queue are given up
_OPTIONS: Final = {
    "role": SERVICE, "search_path": QUEUE, "timezone": "UTC", "jit": "off",
    "statement_timeout": "5000", "lock_timeout": "2000",
    "idle_in_transaction_session_timeout": "10000",
}  # fmt: skip
_LIBPQ: Final = {"database": "dbname", "ssl": "sslmode"}
_log = logging.getLogger("ntm")


class Pace(msgspec.Struct, frozen=True):
    """How often a worker looks for jobs, shows that it lives, looks for those of the dead, tidies.

    All in seconds; without a sign of life for `stalled` seconds a worker counts as dead.
    """

    poll: float = 1
    heartbeat: float = 10
    stalled: float = 30
    sweep: float = 10
    tidy: float = 60
    grace: float = 5  # how long a worker that stops lets its jobs come to their next transaction


def deferred(id_: str) -> str:
    """Return the SQL that puts the job whose number is `id_` into the queue."""
    row = f"'{_NAME}', '{_TASK}', 0, NULL, NULL, jsonb_build_object('job', {id_}::bigint), NULL"
    kind = f"{QUEUE}.procrastinate_job_to_defer_v1"
    return f"{QUEUE}.procrastinate_defer_jobs_v1(ARRAY[ROW({row})::{kind}])"


def opened_at(address: Address, work: Callable[[int], Awaitable[None]], workers: set[int]) -> App:
    """Return procrastinate at an address, as it is at this moment; `work` is given each job.

    `workers` are the numbers of those that have signed on and not off again.
    """
    given = address.parameters()
    connector = PsycopgConnector(
        kwargs={_LIBPQ.get(name, name): value for name, value in given.items()}
        | {
            "application_name": "ntm",
            "connect_timeout": _CONNECTING,
            "keepalives_idle": 30,  # over TCP a host that is gone says nothing
            "keepalives_interval": 10,
            "keepalives_count": 3,
            "options": " ".join(f"-c {name}={value}" for name, value in _OPTIONS.items()),
        },
        min_size=1,
        max_size=3,
        timeout=_CONNECTING,
    )
    app = App(connector=connector)
    app.job_manager = Held(connector, workers)

    @app.task(name=_TASK, queue=_NAME, pass_context=True, retry=_Again())
    async def hand_over(_: JobContext, job: int) -> None:
        await work(job)

    return app


async def fetch(app: App, pace: Pace, at_once: int, *, wait: bool = True) -> None:
    """Take jobs from the queue until cancelled; without `wait`, until the queue is empty."""
    await app.run_worker_async(
        queues=[_NAME],
        concurrency=at_once,
        wait=wait,
        fetch_job_polling_interval=pace.poll,
        abort_job_polling_interval=3_600,  # nobody aborts by the queue: jobs are cancelled in `job`
        shutdown_graceful_timeout=pace.grace if wait else _PATIENCE,
        delete_jobs="always",  # the record is the table `job`
        install_signal_handlers=False,
        update_heartbeat_interval=pace.heartbeat,
        stalled_worker_timeout=pace.stalled,
    )


class _Again(BaseRetryStrategy):
    """Whatever a job's own failures are, `work` has put on record: what it raises is tried again.

    At once where a worker stopped; otherwise the longer the more often it failed.
    """

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision:
        """Return when a job is tried again."""
        if isinstance(exception, Interrupted | asyncio.CancelledError):
            return RetryDecision()
        seconds = min(2 ** min(job.attempts, 10), _LONGEST)
        if isinstance(exception, Hindered):
            seconds = max(seconds, exception.seconds)
        return RetryDecision(retry_in={"seconds": seconds})


_MINE: Final = """
  FROM procrastinate_jobs
 WHERE id = %(job_id)s AND status = 'doing' AND worker_id IS NOT DISTINCT FROM %(worker_id)s
   FOR UPDATE
"""
_FINISH: Final = f"SELECT procrastinate_finish_job_v1(id, %(status)s, %(delete_job)s) {_MINE}"
_RETRY: Final = f"""
SELECT procrastinate_retry_job_v2(id, %(retry_at)s, %(priority)s, %(queue)s, %(lock)s) {_MINE}
"""


class Held(JobManager):
    """Procrastinate's manager, with a fence: an entry is ended by the worker that holds it only.

    Nothing of it fails because the database is away: what could not be told is found by the next
    sweep, and a worker that lost its database ends by itself.
    """

    def __init__(self, connector: BaseConnector, workers: set[int]) -> None:
        """Prepare; `workers` are those that have signed on and not off again."""
        super().__init__(connector)
        self._workers = workers

    async def register_worker(self) -> int:
        """Sign a worker on; return its number."""
        number = await super().register_worker()
        self._workers.add(number)
        return number

    async def unregister_worker(self, worker_id: int) -> None:
        """Sign a worker off: what it held may be taken at once."""
        await super().unregister_worker(worker_id)
        self._workers.discard(worker_id)

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:
        """Take an entry out of the queue, if it is still the worker's."""
        await self._tell(_FINISH, job, status=status.value, delete_job=delete_job)

    async def retry_job(
        self,
        job: Job,
        retry_at: datetime.datetime | None = None,
        priority: int | None = None,
        queue: str | None = None,
        lock: str | None = None,
    ) -> None:
        """Give an entry back to the queue, if it is still the worker's."""
        await self._tell(_RETRY, job, retry_at=retry_at, priority=priority, queue=queue, lock=lock)

    async def update_heartbeat(self, worker_id: int) -> None:
        """Show that a worker lives; one that cannot tries again next time."""
        try:
            await super().update_heartbeat(worker_id)
        except ConnectorException:
            _log.debug("jobs: no sign of life could be given")

    async def listen_for_jobs(
        self, *, on_notification: NotificationCallback, queues: Iterable[str] | None = None
    ) -> None:
        """Listen for new jobs, again after every outage; jobs are looked for by time as well."""
        while True:
            try:
                await super().listen_for_jobs(on_notification=on_notification, queues=queues)
            except ConnectorException:
                await asyncio.sleep(_CONNECTING)

    async def _tell(self, query: LiteralString, job: Job, **arguments: Any) -> None:
        held = {"job_id": job.id, "worker_id": job.worker_id}
        try:
            await self.connector.execute_query_async(query, **held, **arguments)
        except ConnectorException:
            _log.warning("jobs: the queue could not be told how a job ended, it is swept later")
