"""Jobs: begun with the request, done once, fenced, and ended in a way that is told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import msgspec
import pytest
from conftest import Join
from job_calls import QUEUE, begun, caller_of, change, entries, row_of
from own_database import own
from working import work_off

from app.api.problems import PROBLEMS
from app.database import Database, DatabaseFailed
from app.database.failures import UNAVAILABLE, NotYours
from app.domain.hindrances import Hindered
from app.domain.jobs import conducting
from app.domain.jobs.beginning import begin
from app.domain.jobs.conducting import Conductor
from app.domain.jobs.queue import Pace
from app.domain.jobs.running import Lost, Running
from app.domain.jobs.worker import Worker
from app.domain.refusals import Absent, Complaint, Conflict, Forbidden, Refused
from app.domain.territory import Caller, Official
from app.rules.errors import CheckFailed, Text
from app.rules.registry import Registry
from app.settings import Settings

settings, database, service = own("jobs")

Work = Callable[[Running], Awaitable[None]]
RECORD = "INSERT INTO recording (author) VALUES ($1)"
TRACES = "SELECT count(*) FROM recording WHERE author = $1"
SAID = Text("không được", "that cannot be")


class Bench:
    """A client that begins jobs, and a worker that works them off."""

    def __init__(
        self, settings: Settings, database: Database, registry: Registry, caller: Caller
    ) -> None:
        self.settings, self.database, self.registry = settings, database, registry
        self.caller = caller

    async def begin(self, **given: Any) -> int:
        """Begin a job of the kind `test`."""
        return await begun(self.database, self.caller, **given)

    async def work_off(self, work: Work) -> None:
        """Work off everything that waits; the kind `test` does this."""
        await work_off(self.settings, self.database, self.registry, {"test": work})

    def conductor(self, work: Work) -> Conductor:
        """Return what conducts one job, without a queue."""
        return Conductor(self.database, self.registry, self.settings, {"test": work})

    async def row(self, id_: int) -> asyncpg.Record:
        """Return what is on record of a job."""
        return await row_of(self.database, id_)

    async def traces(self, name: str) -> int:
        """Return how many rows jobs have written under a name."""
        async with self.database.reading() as connection:
            return int(await connection.fetchval(TRACES, name))


@pytest.fixture
async def bench(settings: Settings, database: Database, registry: Registry, join: Join) -> Bench:
    """A bench, with a client of a province."""
    return Bench(settings, database, registry, await caller_of(database, await join("25")))


async def nothing(_: Running) -> None:
    """Do nothing at all."""


def failing(error: BaseException) -> Work:
    """Return a kind that fails so."""

    async def fail(_: Running) -> None:
        raise error

    return fail


async def test_a_job_is_on_record_and_in_the_queue_or_neither(bench: Bench) -> None:
    """What begins a job and is taken back leaves neither a job nor an entry of the queue."""
    acting = bench.database.acting_for(bench.caller.context())
    id_ = 0
    with contextlib.suppress(ZeroDivisionError):
        async with acting.writing() as connection:
            id_ = await begin(connection, bench.caller, "test", {})
            raise ZeroDivisionError
    assert id_
    async with bench.database.reading() as connection:
        assert not await connection.fetchval("SELECT count(*) FROM job WHERE id = $1", id_)
    assert not await entries(bench.database, id_)
    kept = await bench.begin()
    assert (await bench.row(kept))["state"] == "queued"
    assert len(await entries(bench.database, kept)) == 1
    await bench.work_off(nothing)


async def test_a_job_knows_who_asked_for_it_and_with_which_rights(bench: Bench, join: Join) -> None:
    """A job works for its maker as the record knows it, with the scopes of its request, no more."""
    official = Official("CB-1", "UBND xã", "Chủ tịch")
    member = await join("07894", "read", "values:write")
    caller = await caller_of(bench.database, member, "read", "clients:admin")
    caller = msgspec.structs.replace(caller, official=official)
    seen: list[Running] = []

    async def look(running: Running) -> None:
        seen.append(running)

    await begun(bench.database, caller, number=7, names=["a", "b"])
    await bench.work_off(look)
    (running,) = seen
    assert running.arguments == {"number": 7, "names": ["a", "b"]}
    assert running.caller == caller
    assert running.caller.scopes == {"read"}
    assert running.caller.request_id == "request-1"


async def test_a_job_ends_with_its_result_and_leaves_the_queue(bench: Bench) -> None:
    """What a job finishes with is on record with its last transaction; the queue forgets it."""

    async def work(running: Running) -> None:
        await running.tell(1, 4)
        async with running.database.writing() as connection:
            await running.finish(connection, {"created": 4})

    id_ = await bench.begin()
    await bench.work_off(work)
    row = await bench.row(id_)
    assert (row["state"], row["done"], row["total"], row["attempt"]) == ("succeeded", 4, 4, 1)
    assert msgspec.json.decode(row["result"]) == {"created": 4}
    assert row["created_at"] <= row["started_at"] <= row["ended_at"]
    assert not await entries(bench.database, id_)


async def test_a_job_that_says_nothing_has_succeeded(bench: Bench) -> None:
    """A kind that returns without a result has done its work."""
    id_ = await bench.begin(total=3)
    await bench.work_off(nothing)
    row = await bench.row(id_)
    assert (row["state"], row["result"]) == ("succeeded", "{}")


@pytest.mark.parametrize(
    ("error", "code", "errors"),
    [
        (Refused([Complaint("/a", "wrong-value", SAID)]), "wrong-value", 1),
        (
            Refused([Complaint("/a", "wrong-value", SAID), Complaint("/b", "wrong-type", SAID)]),
            "invalid-request",
            2,
        ),
        (Absent(Complaint("/unit", "unit-not-found", SAID)), "unit-not-found", 1),
        (Conflict(Complaint("", "duplicate", SAID)), "duplicate", 1),
        (Forbidden(Complaint("", "insufficient-scope", SAID)), "insufficient-scope", 1),
        (NotYours(), "outside-territory", 0),
        (CheckFailed("check", "criterion"), "rule-check-failed", 0),
        (RuntimeError("secret words"), "internal-error", 0),
    ],
)
async def test_what_a_job_fails_of_is_told_in_both_languages(
    bench: Bench, error: Exception, code: str, errors: int
) -> None:
    """A job's own failure is put on record as a problem that the API knows, and is not repeated."""
    id_ = await bench.begin()
    await bench.work_off(failing(error))
    row = await bench.row(id_)
    assert (row["state"], row["attempt"], row["result"]) == ("failed", 1, None)
    problem = msgspec.json.decode(row["problem"])
    assert set(problem) == {"code", "detail", "errors"}
    assert problem["code"] == code
    assert code in PROBLEMS
    assert set(problem["detail"]) == {"vi", "en"}
    assert all(problem["detail"].values())
    assert len(problem["errors"]) == errors
    assert all(set(one) == {"pointer", "code", "message"} for one in problem["errors"])
    assert "secret" not in row["problem"]
    assert not await entries(bench.database, id_)


async def test_one_that_fails_does_not_stop_the_others(bench: Bench) -> None:
    """The failure of one job, whatever it is, leaves the worker to the next one."""
    ids = [await bench.begin(number=number) for number in range(3)]

    async def work(running: Running) -> None:
        if running.arguments["number"] == 1:
            raise RuntimeError

    await bench.work_off(work)
    states = [(await bench.row(id_))["state"] for id_ in ids]
    assert states == ["succeeded", "failed", "succeeded"]


async def test_a_kind_that_nobody_knows_fails(bench: Bench) -> None:
    """A job of a kind that this version has not is failed, not left to turn for ever."""
    id_ = await begun(bench.database, bench.caller, "unheard_of")
    await bench.work_off(nothing)
    assert (await bench.row(id_))["state"] == "failed"


async def test_while_the_database_is_away_a_job_is_tried_again(bench: Bench) -> None:
    """What fails because the database is away is no failure of the job and no death of it."""
    id_ = await bench.begin()
    await bench.work_off(failing(DatabaseFailed(*UNAVAILABLE)))
    row = await bench.row(id_)
    assert (row["state"], row["attempt"], row["deaths"]) == ("running", 1, 0)
    (entry,) = await entries(bench.database, id_)
    assert entry["status"] == "todo"
    assert entry["scheduled_at"] is not None
    await change(bench.database, f"UPDATE {QUEUE} SET scheduled_at = NULL")
    await bench.work_off(nothing)
    assert (await bench.row(id_))["state"] == "succeeded"


async def test_what_hinders_a_job_is_tried_again_and_not_for_ever(bench: Bench) -> None:
    """What passes by itself never counts; what fails six times in the same way ends the job."""
    passing, lasting = (
        Hindered("province-busy", SAID, 5, passes=True), Hindered("storage-full", SAID, 60)
    )  # fmt: skip
    for error, states in ((passing, ["running"] * 6), (lasting, ["running"] * 5 + ["failed"])):
        id_ = await bench.begin()
        for state in states:
            with contextlib.suppress(Hindered):
                await bench.conductor(failing(error)).conduct(id_)
            row = await bench.row(id_)
            assert row["state"] == state
        assert row["deaths"] == (0 if error.passes else 6)
        await change(bench.database, CANCELLED, id_)
    assert msgspec.json.decode(row["problem"])["code"] == "storage-full"
    id_ = await bench.begin()
    await bench.work_off(failing(lasting))
    (entry,) = await entries(bench.database, id_)
    assert (entry["scheduled_at"] - row["ended_at"]).total_seconds() > 30
    await change(bench.database, CANCELLED, id_)


async def test_progress_never_falls_back(bench: Bench) -> None:
    """What begins anew, in one attempt or in another, tells nothing before it is further on."""

    async def work(running: Running) -> None:
        for done in (5, 3):
            await running.tell(done, 9)
        async with running.database.writing() as connection:
            await running.mark(connection, 4)
        raise Hindered("province-busy", SAID, 5, passes=True)

    id_ = await bench.begin()
    await bench.work_off(work)
    row = await bench.row(id_)
    assert (row["done"], row["total"]) == (5, 9)
    await change(bench.database, CANCELLED, id_)


# --- the fence -----------------------------------------------------------------------------------


async def _late(bench: Bench, spoil: str, write: Work | None = None) -> tuple[str, int]:
    """Let a job write after it was spoiled; return its state and what it left."""
    id_ = await bench.begin()
    lost: list[str] = []

    async def work(running: Running) -> None:
        await change(bench.database, spoil, running.id)
        try:
            if write is not None:
                await write(running)
            else:
                async with running.database.writing() as connection:
                    await connection.execute(RECORD, f"late-{id_}")
                    await running.finish(connection, {})
        except Lost:
            lost.append("lost")
            raise

    await bench.work_off(work)
    assert lost == ["lost"]
    return (await bench.row(id_))["state"], await bench.traces(f"late-{id_}")


TAKEN_OVER = "UPDATE job SET attempt = attempt + 1 WHERE id = $1"
CANCELLED = "UPDATE job SET state = 'cancelled', ended_at = now() WHERE id = $1"


async def test_the_late_commit_of_a_worker_that_was_replaced_is_taken_back(bench: Bench) -> None:
    """An attempt that another worker has taken over commits nothing and ends nothing."""
    assert await _late(bench, TAKEN_OVER) == ("running", 0)


async def test_without_its_last_statement_the_late_commit_would_stay(bench: Bench) -> None:
    """The control: a job that writes without `mark` or `finish` has no fence."""

    async def careless(running: Running) -> None:
        async with running.database.writing() as connection:
            await connection.execute(RECORD, f"late-{running.id}")
        await running.tell(1)

    assert await _late(bench, TAKEN_OVER, careless) == ("running", 1)


async def test_what_a_cancelled_job_has_not_committed_it_never_will(bench: Bench) -> None:
    """A job that is cancelled while it runs is over at its next word, and stays cancelled."""
    assert await _late(bench, CANCELLED) == ("cancelled", 0)


@pytest.mark.parametrize("spoil", [TAKEN_OVER, CANCELLED])
async def test_progress_of_an_attempt_that_is_over_is_refused(bench: Bench, spoil: str) -> None:
    """Neither way of telling progress lets an attempt that is over go on."""

    async def tell(running: Running) -> None:
        await running.tell(1)

    async def mark(running: Running) -> None:
        async with running.database.writing() as connection:
            await connection.execute(RECORD, f"late-{running.id}")
            await running.mark(connection, 1)

    assert (await _late(bench, spoil, tell))[1] == 0
    assert (await _late(bench, spoil, mark))[1] == 0


async def test_a_job_that_has_ended_is_not_done_again(bench: Bench) -> None:
    """A queue that hands out a job twice has it done once."""
    id_ = await bench.begin()
    done: list[int] = []

    async def work(running: Running) -> None:
        done.append(running.id)

    await bench.work_off(work)
    conductor = bench.conductor(work)
    await conductor.conduct(id_)
    await conductor.conduct(id_)
    assert done == [id_]
    assert (await bench.row(id_))["attempt"] == 1


# --- deaths, stops, forgetting -------------------------------------------------------------------

CLAIM = conducting._CLAIM


async def _die(bench: Bench, id_: int) -> None:
    """Take a job up and never be heard of again."""
    await change(bench.database, CLAIM, id_, -1)


async def test_a_job_that_its_workers_die_of_is_given_up(bench: Bench) -> None:
    """After six deaths without progress a job has failed; five are not enough."""
    spared, given_up = await bench.begin(), await bench.begin()
    for _ in range(5):
        await _die(bench, spared)
    for _ in range(6):
        await _die(bench, given_up)
    await bench.work_off(nothing)
    assert (await bench.row(spared))["state"] == "succeeded"
    row = await bench.row(given_up)
    assert (row["state"], row["attempt"]) == ("failed", 7)
    assert msgspec.json.decode(row["problem"])["code"] == "job-failed"


async def test_progress_on_record_shows_that_a_job_does_not_kill(bench: Bench) -> None:
    """Deaths count since the last progress only: long work outlives many restarts."""
    id_ = await bench.begin()
    for _ in range(5):
        await _die(bench, id_)

    async def work(running: Running) -> None:
        async with running.database.writing() as connection:
            await running.mark(connection, 1)
        raise DatabaseFailed(*UNAVAILABLE)

    await bench.work_off(work)
    assert (await bench.row(id_))["deaths"] == 0
    await change(bench.database, CANCELLED, id_)


async def test_a_job_of_a_revoked_client_fails(bench: Bench) -> None:
    """Whoever may no longer do something has no job doing it."""
    id_ = await bench.begin()
    done: list[int] = []

    async def work(running: Running) -> None:
        done.append(running.id)

    revoke = "UPDATE client SET revoked_at = now() WHERE client_id = $1"
    await change(bench.database, revoke, bench.caller.client_id)
    await bench.work_off(work)
    assert not done
    assert msgspec.json.decode((await bench.row(id_))["problem"])["code"] == "client-revoked"


QUICK = Pace(poll=0.05, heartbeat=0.1, stalled=0.5, sweep=0.1, grace=0.2)


def _worker(bench: Bench, work: Work) -> Worker:
    return Worker(
        bench.database, bench.registry, bench.settings, {"test": work}, at_once=2, pace=QUICK
    )


async def _until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await holds():  # noqa: ASYNC110 - what is waited for is on record only
            await asyncio.sleep(0.02)


async def test_a_worker_that_stops_gives_back_what_it_has(bench: Bench) -> None:
    """A stop interrupts a job between two transactions or takes one back; another goes on."""
    polite, stubborn = await bench.begin(polite=True), await bench.begin(polite=False)
    begun_: set[int] = set()

    async def work(running: Running) -> None:
        begun_.add(running.id)
        if running.arguments["polite"]:
            while True:
                await running.tell(1)
                await asyncio.sleep(0.01)
        async with running.database.writing() as connection:
            await connection.execute(RECORD, f"late-{running.id}")
            await running.mark(connection, 1)
            await asyncio.sleep(60)

    async def both() -> bool:
        return begun_ == {polite, stubborn}

    async with _worker(bench, work).running():
        await _until(both)
    for id_ in (polite, stubborn):
        row = await bench.row(id_)
        assert (row["state"], row["attempt"], row["deaths"]) == ("running", 1, 0)
        (entry,) = await entries(bench.database, id_)
        assert entry["status"] == "todo"
    assert await bench.traces(f"late-{stubborn}") == 0
    await bench.work_off(nothing)
    for id_ in (polite, stubborn):
        row = await bench.row(id_)
        assert (row["state"], row["attempt"]) == ("succeeded", 2)


@pytest.mark.parametrize("signed_off", [True, False])
async def test_what_a_dead_worker_held_is_done_by_another(bench: Bench, signed_off: bool) -> None:
    """An entry whose worker shows no life, or is not known any more, goes back to the queue."""
    id_ = await bench.begin()
    async with bench.database.writing() as connection:
        number = await connection.fetchval(
            "INSERT INTO ntm_queue.procrastinate_workers (last_heartbeat) "
            "VALUES (now() - interval '1 minute') RETURNING id"
        )
        await connection.execute(
            f"UPDATE {QUEUE} SET status = 'doing', worker_id = $2 WHERE args = "
            "jsonb_build_object('job', $1::bigint)",
            id_,
            None if signed_off else number,
        )
    await _die(bench, id_)

    async def done() -> bool:
        return bool((await bench.row(id_))["state"] == "succeeded")

    async with _worker(bench, nothing).running():
        await _until(done)
    assert (await bench.row(id_))["attempt"] == 2


async def test_what_the_queue_forgot_is_done_still(bench: Bench) -> None:
    """The record counts: a job that is open and not in the queue is put there again, once."""
    waiting, held = await bench.begin(), await bench.begin()
    await _die(bench, held)
    await change(bench.database, f"DELETE FROM {QUEUE}")
    done: list[int] = []

    async def work(running: Running) -> None:
        done.append(running.id)

    async def both() -> bool:
        return len(done) >= 2

    async with _worker(bench, work).running():
        await _until(both)
    assert sorted(done) == [waiting, held]


async def test_a_worker_goes_on_after_its_connections_were_cut(bench: Bench) -> None:
    """A worker that loses all its connections while it works ends its job, and takes up others."""
    cut: list[int] = []

    async def work(running: Running) -> None:
        if not cut:
            cut.append(running.id)
            with contextlib.suppress(DatabaseFailed):
                await change(
                    bench.database,
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = "
                    "current_user AND datname = current_database() AND pid <> pg_backend_pid()",
                )
        await running.tell(1)

    first = await bench.begin()

    async def done(id_: int) -> bool:
        with contextlib.suppress(DatabaseFailed):
            return bool((await bench.row(id_))["state"] == "succeeded")
        return False

    async with _worker(bench, work).running():
        await _until(lambda: done(first))
        second = await bench.begin()
        await _until(lambda: done(second))
    assert cut == [first]
    await bench.database.disconnect()  # what else was cut is nobody's who comes after


# --- the queue's tables --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE ntm_queue.mine (id integer)",
        "CREATE FUNCTION ntm_queue.mine() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "ALTER TABLE ntm_queue.procrastinate_jobs ADD COLUMN mine integer",
        "TRUNCATE ntm_queue.procrastinate_jobs",
        "DROP SCHEMA ntm_queue CASCADE",
        "DELETE FROM ntm.job",
        "UPDATE ntm.job SET client = 'x'",
        "UPDATE ntm.job SET arguments = '{}'",
    ],
)
async def test_the_service_has_no_more_rights_than_it_needs(bench: Bench, statement: str) -> None:
    """The service uses the queue and cannot change how it works, nor who asked for a job."""
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await change(bench.database, statement)


async def test_the_queue_finds_its_tables_whatever_the_search_path_is(bench: Bench) -> None:
    """Every function of the queue works in its own schema: requests call it from another one."""
    async with bench.database.reading() as connection:
        rows = await connection.fetch(
            "SELECT proname, proconfig FROM pg_proc WHERE pronamespace = 'ntm_queue'::regnamespace"
        )
    assert len(rows) > 10
    for row in rows:
        assert row["proconfig"] == ["search_path=ntm_queue, pg_temp"], row["proname"]
