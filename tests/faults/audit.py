"""The audit tampered with, in every way, by somebody who rules the database (G9)."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from typing import Final, NamedTuple, cast

import asyncpg
from conftest import calling, shipped

from app.cli.clients import make
from app.database import EVERYTHING, Database
from app.domain.audit import Act, note, sealing, verifying
from app.domain.audit.chain import GENESIS, Entry, link
from app.domain.audit.checkpoints import Checkpoints
from app.domain.audit.sealing import Sealer
from app.domain.audit.verifying import Witness
from app.domain.clients import SCOPES
from app.domain.signing_keys import SigningKeys
from app.domain.territory import EVERYWHERE, Caller, Official, Place
from app.main import create_app
from faults import tampering
from faults.goals import Outcome, Stage
from faults.tampering import Audit

SIZES: Final = (1_000, 10_000)  # tamperings
_PARTS: Final = (17, 19, 24)  # entries before each checkpoint
_WRITES: Final = 40
_ROWS: Final = 1_000_000  # verified, in full size
_MOST_SECONDS: Final = 60.0  # for that
_MOST_LAG: Final = 1.0  # seconds from a write to its seal, p99


class Ground(NamedTuple):
    """A sealed chain: the database, a superuser's connection with triggers off, checkpoints."""

    database: Database
    connection: asyncpg.Connection
    checkpoints: Checkpoints
    keys: SigningKeys

    def witness(self) -> Witness:
        """Return what the checkpoints say."""
        return verifying.witness(self.checkpoints.lines(), self.keys.all())


class Tampered(NamedTuple):
    """How many tamperings were not found, and which were told wrongly."""

    done: int
    missed: Counter[str]
    wrong: Counter[str]

    @property
    def found(self) -> int:
        """Return how many were found and told rightly."""
        return self.done - self.missed.total() - self.wrong.total()


async def run(stage: Stage, full: bool) -> Outcome:
    """Tamper so many times; every write is one entry; in full size also the figures of speed."""
    size = SIZES[full]
    async with _ground(stage) as ground:
        tampered = await tamper(ground, ground.witness(), size)
        blind = await tamper(ground, Witness(), len(tampering.EVERY) * 4)
        intact = (await verifying.verify(ground.connection, ground.witness())).good
        entries = await _entries_of_writes(stage)
        lag = await seal_lag(ground, 20 if full else 2)
    said = [
        f"{tampered.found} of {size} found and named",
        "chain intact afterwards" if intact else "CHAIN DAMAGED AFTERWARDS",
        f"{entries} entries for {_WRITES} writes",
        f"seal lag p99 {lag:.2f} s",
        *(f"missed: {name}" for name in tampered.missed),
        *(f"told wrongly: {name}" for name in tampered.wrong),
    ]
    good = tampered.found == size and intact and entries == _WRITES
    if full:
        seconds = await _seconds_to_verify(stage, _ROWS)
        said.append(f"{_ROWS:,} entries verified in {seconds:.1f} s")
        good = good and seconds <= _MOST_SECONDS and lag <= _MOST_LAG
    control = f"without checkpoints missed: {', '.join(sorted(blind.missed)) or 'nothing'}"
    return Outcome(
        f"{size:,} tamperings", "; ".join(said), good, control, "cut_the_end" in blind.missed
    )


async def tamper(ground: Ground, witness: Witness, times: int) -> Tampered:
    """Tamper so many times, each taken back; return what the verification did not tell."""
    connection = ground.connection
    ids = [row[0] for row in await connection.fetch(_SEALED)]
    at = [one.position for one in ground.witness().checkpoints]
    audit, result = (
        Audit(connection, ids, at, random.Random(times)),
        Tampered(times, Counter(), Counter()),
    )
    for number in range(times):
        act = tampering.EVERY[number % len(tampering.EVERY)]
        change = connection.transaction()
        await change.start()
        try:
            expected = await act(audit)
            report = await verifying.verify(connection, witness)
        finally:
            await change.rollback()
        if report.good:
            result.missed[act.__name__] += 1
        elif not expected.is_told(report):
            result.wrong[f"{act.__name__}: {report.damage} for {expected}"] += 1
    return result


_SEALED: Final = "SELECT audit_id FROM audit_seal ORDER BY position"


@contextlib.asynccontextmanager
async def _ground(stage: Stage) -> AsyncIterator[Ground]:
    """Yield a database of one's own with a chain that several checkpoints vouch for."""
    env = await stage.clone("audit")
    settings = stage.settings(env)
    keys = SigningKeys(settings.keys)
    checkpoints = Checkpoints(settings.checkpoints)
    connection = await asyncpg.connect(
        env["NTM_DATABASE_OWNER_URL"], server_settings={"search_path": "ntm"}
    )
    try:
        await connection.execute("SET session_replication_role = replica")  # triggers are off
        async with Database(settings) as opened:
            database = opened.acting_for(EVERYTHING)
            ground = Ground(database, connection, checkpoints, keys)
            for part in _PARTS:
                await _write(database, part)
                await sealing.seal_all(database)
                assert await sealing.check_point(database, checkpoints, keys)
            yield ground
    finally:
        await connection.close()


async def _write(database: Database, entries: int) -> None:
    """Put entries of many kinds on record: with and without each column that may be empty."""
    official = Official("CB-1", "UBND xã “Hùng Lô”", "Chủ tịch")
    caller = Caller(1, "ntm-0123456789abcdef", frozenset(), EVERYWHERE, (), "r-1", official)
    async with database.writing() as connection:
        for number in range(entries):
            where = (number or None, None if number % 2 else 2, None if number % 3 else 3)
            reason = (None, "", 'nhầm \\ "số"')[number % 3]
            # Every column that may be empty is, sometimes; no act of ours is without a unit.
            act = Act("values.recorded", cast(Place, where), {"values": [number]}, reason)
            await note(connection, caller if number % 2 else None, [act])


# --- one entry for each write --------------------------------------------------------------------


async def _entries_of_writes(stage: Stage) -> int:
    """Write over HTTP; return how many entries came of it."""
    settings = stage.settings(await stage.clone("audit_http"), rate_limit=0)
    async with Database(settings) as opened:
        database = opened.acting_for(EVERYTHING)
        made = await make(database, "drill", "VN", list(SCOPES))
        app = create_app(settings, shipped(), opened)
        before = await _count(database)
        token = app.state.tokens.issue(made["client_id"], list(SCOPES))
        async with calling(app, token=token) as http:
            for number in range(_WRITES):
                body = {
                    "unit": "07894", "on": "2025-08-01", "period": "2025", "source": "BC",
                    "indicator": "digital_teaching_services", "value": True, "note": f"{number}",
                }  # fmt: skip
                answer = await http.post("/v1/values", json={"values": [body]})
                assert answer.status_code == 201, answer.text
        return await _count(database) - before


async def _count(database: Database) -> int:
    async with database.reading() as connection:
        return int(await connection.fetchval("SELECT count(*) FROM audit_entry"))


# --- speed ---------------------------------------------------------------------------------------


async def seal_lag(ground: Ground, seconds: float) -> float:
    """Write while a sealer seals; return the age of the oldest unsealed entry, p99 of looks."""
    database, ages = ground.database, []
    sealer = Sealer(database, ground.checkpoints, ground.keys)
    end = time.monotonic() + seconds
    async with sealer.running():
        while time.monotonic() < end:
            await _write(database, 5)
            ages.append(float(await ground.connection.fetchval(_OLDEST)))
            await asyncio.sleep(0.02)
    return sorted(ages)[int(len(ages) * 0.99)]


_OLDEST: Final = """
SELECT coalesce(extract(epoch FROM clock_timestamp() - min(e.at)), 0)
  FROM audit_pending p JOIN audit_entry e ON e.id = p.audit_id
"""


async def _seconds_to_verify(stage: Stage, rows: int) -> float:
    """Return how long a chain of so many entries takes to verify."""
    settings = stage.settings(await stage.clone("audit_long"))
    async with Database(settings, patient=True) as database:
        async with database.as_owner() as owner:
            raw = await owner.get_raw_connection()
            driver = raw.driver_connection
            assert driver is not None
            await _long_chain(driver, rows)
        since = time.perf_counter()
        async with verifying.snapshot(database) as connection:
            report = await verifying.verify(connection, Witness())
        assert report.good, report.damage
        assert report.verified == rows
        return time.perf_counter() - since


async def _long_chain(connection: asyncpg.Connection, rows: int) -> None:
    columns = list(Entry.__struct_fields__)
    columns[1] = "at"
    before, seals = GENESIS, []
    entries = []
    for number, entry in enumerate(_made(rows), start=1):
        before = link(before, number, entry)
        seals.append((number, entry.id, before))
        entries.append(entry)
    await connection.execute(
        "CREATE TEMP TABLE made (LIKE audit_entry); ALTER TABLE made ALTER at TYPE bigint USING 0"
    )
    records = [tuple(getattr(one, name) for name in columns) for one in entries]
    await connection.copy_records_to_table("made", records=records, columns=columns)
    named = ", ".join(one for one in columns if one != "at")
    await connection.execute(
        f"INSERT INTO audit_entry ({named}, at) OVERRIDING SYSTEM VALUE"
        f" SELECT {named}, 'epoch'::timestamptz + at * interval '1 microsecond' FROM made",
        timeout=600,
    )
    await connection.copy_records_to_table("audit_seal", records=seals)
    await connection.execute("ANALYZE audit_entry, audit_seal", timeout=600)


def _made(rows: int) -> Iterable[Entry]:
    """Yield entries as clients make them."""
    for number in range(1, rows + 1):
        yield Entry(
            number, 1_760_000_000_000_000 + number * 1_000, "ntm-0123456789abcdef", None, None,
            None, "values.recorded", number % 9_000, None, number % 34,
            f"{number:032x}", None, f'{{"values":[{number}]}}',
        )  # fmt: skip
