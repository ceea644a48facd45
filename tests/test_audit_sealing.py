"""Sealing: the chain grows behind the writers, and checkpoints vouch for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from unchanged import fingerprint

from app.database import EVERYTHING, NOTHING, Database, driver_of
from app.domain.audit import Act, note, sealing, verifying
from app.domain.audit.checkpoints import Checkpoints
from app.domain.audit.sealing import Sealer
from app.domain.audit.verifying import Witness
from app.domain.signing_keys import SigningKeys
from app.domain.territory import EVERYWHERE, Caller


class Sealed(NamedTuple):
    """A file of checkpoints and the keys that sign them."""

    checkpoints: Checkpoints
    keys: SigningKeys


@pytest.fixture
async def sealed(database: Database, tmp_path: Path) -> AsyncIterator[Sealed]:
    """Everything sealed before the test, and a file of checkpoints of its own."""
    await sealing.seal_all(database)
    yield Sealed(Checkpoints(tmp_path / "checkpoints"), SigningKeys(tmp_path / "keys"))
    await sealing.seal_all(database)


async def _noted(database: Database, count: int) -> None:
    caller = Caller(1, "ntm-0123456789abcdef", frozenset(), EVERYWHERE)
    async with database.writing() as connection:
        acts = [Act("values.recorded", (1, None, None), {"values": [n]}) for n in range(count)]
        await note(connection, caller, acts)


async def _intact(database: Database, known: Witness | None = None) -> verifying.Report:
    async with verifying.snapshot(database) as connection:
        report = await verifying.verify(connection, known or Witness())
    assert report.good, report.damage
    return report


@pytest.mark.usefixtures("sealed")
async def test_what_is_pending_is_sealed_in_portions_and_verifies(database: Database) -> None:
    """A portion has at most so many entries; nothing is left, nothing is sealed twice."""
    before = await _intact(database)
    await _noted(database, sealing.AT_ONCE + 5)
    assert (await _intact(database)).pending == sealing.AT_ONCE + 5
    found = [await sealing.seal(database) for _ in range(3)]
    assert found == [sealing.AT_ONCE, 5, 0]
    after = await _intact(database)
    assert (after.verified, after.pending) == (before.verified + sealing.AT_ONCE + 5, 0)


@pytest.mark.usefixtures("sealed")
async def test_the_sealer_needs_no_context_of_its_database(database: Database) -> None:
    """It seals for everybody, whomever the database it was given works for."""
    await _noted(database, 3)
    assert await sealing.seal(database.acting_for(NOTHING)) == 3


@pytest.mark.usefixtures("sealed")
async def test_one_seals_at_a_time(database: Database) -> None:
    """Who finds another one sealing does nothing; racing sealers make one chain."""
    await _noted(database, 3)
    async with database.writing() as connection:
        assert await connection.fetchval("SELECT pg_try_advisory_xact_lock(7414)")
        assert await sealing.seal(database) == 0
    for _ in range(10):
        await _noted(database, 20)
        await asyncio.gather(*(sealing.seal(database) for _ in range(6)))
    await sealing.seal_all(database)
    assert (await _intact(database)).pending == 0


async def test_entries_that_came_to_light_late_are_sealed_after_later_ones(
    database: Database, sealed: Sealed
) -> None:
    """An entry with a small number may be committed last: its position tells when it was seen."""
    async with database.writing() as slow:
        await note(slow, None, [Act("values.recorded", (1, None, None))])
        await _noted(database, 1)
        assert await sealing.seal(database) == 1
    assert await sealing.seal(database) == 1
    async with database.reading() as connection:
        rows = await connection.fetch(
            "SELECT audit_id FROM audit_seal ORDER BY position DESC LIMIT 2"
        )
    assert rows[0][0] < rows[1][0]
    await _intact(database)


async def test_a_checkpoint_is_written_only_when_the_chain_grew(
    database: Database, sealed: Sealed
) -> None:
    """One line for one state; a new key is reason enough for another."""
    await _noted(database, 1)
    await sealing.seal(database)
    assert await sealing.check_point(database, *sealed)
    assert not await sealing.check_point(database, *sealed)
    sealed.keys.rotate()
    assert await sealing.check_point(database, *sealed)
    known = verifying.witness(sealed.checkpoints.lines(), sealed.keys.all())
    report = await _intact(database, known)
    assert (report.checkpoints, report.vouched) == (2, report.verified)


async def test_a_chain_that_contradicts_its_checkpoint_gets_none(
    database: Database, sealed: Sealed, caplog: pytest.LogCaptureFixture
) -> None:
    """A chain that is behind the file, or other than it, is told in the log and not vouched for."""
    async with database.reading() as connection:
        head = await sealing.head(connection)
    for other in (
        type(head)(head.position + 1, head.hash),
        type(head)(head.position, bytes(32)),
    ):
        sealed.checkpoints.path.unlink(missing_ok=True)
        sealed.checkpoints.add(other, sealed.keys.current())
        caplog.clear()
        assert not await sealing.check_point(database, *sealed)
        assert "ntm audit verify" in caplog.text
        assert len(sealed.checkpoints.lines()) == 1


async def _until(true: Any) -> None:
    async with asyncio.timeout(20):
        while not await true():  # noqa: ASYNC110 - it is the database that changes
            await asyncio.sleep(0.01)


async def test_the_sealer_seals_while_it_runs_and_vouches_when_it_stops(
    database: Database, sealed: Sealed
) -> None:
    """Entries are sealed soon after they were written; the end of the service is a checkpoint."""
    sealer = Sealer(database, *sealed, pause=0.01)

    async def nothing_pending() -> bool:
        async with database.reading() as connection:
            return not await connection.fetchval("SELECT count(*) FROM audit_pending")

    async with sealer.running():
        for _ in range(3):
            await _noted(database, 4)
            await _until(nothing_pending)
        assert sealed.checkpoints.newest() is None
        await _noted(database, 4)
    assert await nothing_pending()
    known = verifying.witness(sealed.checkpoints.lines(), sealed.keys.all())
    report = await _intact(database, known)
    assert report.vouched == report.verified > 0
    assert sealer.pending == 0
    assert sealer.checkpoint_age() < 60


async def test_the_sealer_survives_whatever_fails_and_says_so_once(
    database: Database, sealed: Sealed, caplog: pytest.LogCaptureFixture
) -> None:
    """A database that is away and comes back: one line when it went, one when it is back."""
    caplog.set_level(logging.INFO, "ntm")

    class Flaky(Database):
        """The same database, away at times."""

        def __init__(self) -> None:
            self.__dict__ |= database.__dict__
            self.away, self.asked = True, 0

        def asking(self) -> Any:
            """Fail while it is away."""
            self.asked += 1
            if self.away:
                raise OSError("away")
            return super().asking()

    flaky = Flaky()
    await _noted(database, 1)

    async def asked_often() -> bool:
        return flaky.asked > 3

    async def works() -> bool:
        return "works again" in caplog.text

    async with Sealer(flaky, *sealed, pause=0.01).running():
        await _until(asked_often)
        flaky.away = False
        await _until(works)
    said = [one.getMessage() for one in caplog.records if "audit: sealing" in one.getMessage()]
    assert said == [
        "audit: sealing fails (OSError), it is tried again",
        "audit: sealing works again",
    ]
    assert (await _intact(database)).pending == 0


async def test_the_sealer_takes_checkpoints_and_forgets_now_and_then(
    database: Database, sealed: Sealed
) -> None:
    """While it runs it writes checkpoints, and answers that were kept long enough go."""
    async with database.acting_for(EVERYTHING).as_owner() as owner:
        await (await driver_of(owner)).execute(
            "INSERT INTO kept_answer (client, key, request, status, headers, body, kept_since)"
            " VALUES ('ntm-0123456789abcdef', 'old', '', 200, '{}', '', now() - interval '30 d'),"
            " ('ntm-0123456789abcdef', 'new', '', 200, '{}', '', now())"
        )

    async def done() -> bool:
        async with database.reading() as connection:
            kept = await connection.fetch(
                "SELECT key FROM kept_answer WHERE client = 'ntm-0123456789abcdef'"
            )
        vouched = sealed.checkpoints.newest() is not None
        return vouched and [row["key"] for row in kept] == ["new"]

    await _noted(database, 1)
    async with Sealer(database, *sealed, pause=0.01, checkpoint_every=0.05).running():
        await _until(done)


async def test_a_file_that_cannot_grow_stops_no_sealing(
    database: Database, sealed: Sealed, caplog: pytest.LogCaptureFixture
) -> None:
    """The log tells of it; entries are sealed all the same."""
    sealed.checkpoints.path.mkdir()
    await _noted(database, 2)
    async with Sealer(database, *sealed, pause=0.01, checkpoint_every=0.01).running():

        async def told() -> bool:
            return "audit: checkpoint fails" in caplog.text

        await _until(told)
    assert (await _intact(database)).pending == 0


async def test_verifying_and_sealing_nothing_changes_nothing(database: Database) -> None:
    """Looking leaves no trace."""
    await sealing.seal_all(database)
    before = await fingerprint(database)
    await _intact(database)
    assert await sealing.seal(database) == 0
    assert await fingerprint(database) == before
