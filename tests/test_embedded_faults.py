"""An acknowledged write survives every kill -9, and the server comes back after each."""

from __future__ import annotations

import asyncio
import fcntl
import os
import random
import sys
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path

import pytest
from embedded_drills import (
    Site,
    connected,
    eventually,
    mended,
    nothing_lost,
    prepare,
    rows,
    rows_of,
    site,
    started_at,
    there,
)

ROUNDS = int(os.environ.get("NTM_DRILLS", "1"))
VICTIMS = ("postmaster", "supervisor", "supervisor and postmaster", "backend", "while mending")

pytestmark = pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="needs Linux's /proc")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A data folder without a server yet."""
    with site(tmp_path / "data", monkeypatch) as made:
        yield made


async def kill(place: Site, victim: str, socket: str, dice: random.Random) -> None:
    """Kill -9 what the drill is about."""
    match victim:
        case "postmaster":
            place.kill(place.postmaster())
        case "supervisor":
            place.kill(place.supervisor())
        case "supervisor and postmaster":
            both = [place.supervisor(), place.postmaster()]
            dice.shuffle(both)
            place.kill(*both)
        case "while mending":
            supervisor = place.supervisor()
            place.kill(place.postmaster())
            await asyncio.sleep(dice.uniform(0, 0.5))
            place.kill(supervisor)
        case "backend":
            async with connected(socket, "ntm_owner") as connection:
                place.kill(
                    await connection.fetchval(
                        "SELECT pid FROM pg_stat_activity WHERE application_name = 'writer'"
                    )
                )


@pytest.mark.parametrize("number", range(ROUNDS))
@pytest.mark.parametrize("victim", VICTIMS)
async def test_acknowledged_rows_survive_a_kill_and_the_users_go_on(
    place: Site, victim: str, number: int
) -> None:
    dice = random.Random(f"{victim} {number}")
    embedded = place.join()
    await prepare(embedded.socket_folder)
    writer = place.write()
    eventually(lambda: len(place.acknowledged()) > 20, lambda: "the writer does not write")
    await asyncio.sleep(dice.uniform(0, 0.4))

    await kill(place, victim, embedded.socket_folder, dice)
    before = place.acknowledged()

    nothing_lost(before, await rows_of(embedded))
    eventually(
        lambda: place.acknowledged()[-1] > before[-1] + 20,
        lambda: "the writer does not write any more",
    )
    writer.leave()
    nothing_lost(place.acknowledged(), await rows_of(embedded))
    place.stop()


@pytest.mark.parametrize("number", range(ROUNDS))
async def test_acknowledged_rows_survive_the_kill_of_everybody(place: Site, number: int) -> None:
    dice = random.Random(f"everybody {number}")
    holder = place.hold()
    await prepare(holder.socket)
    writer = place.write()
    eventually(lambda: len(place.acknowledged()) > 20, lambda: "the writer does not write")
    await asyncio.sleep(dice.uniform(0, 0.4))

    victims = [place.supervisor(), place.postmaster()]
    victims += [one.process.pid for one in (holder, writer)]
    dice.shuffle(victims)
    place.kill(*victims)

    nothing_lost(place.acknowledged(), await rows_of(place.join()))
    place.stop()


async def test_the_drill_notices_a_row_that_was_never_written(place: Site) -> None:
    embedded = place.join()
    await prepare(embedded.socket_folder)
    writer = place.write()
    eventually(lambda: len(place.acknowledged()) > 20, lambda: "the writer does not write")
    writer.leave()
    found = await rows_of(embedded)
    nothing_lost(place.acknowledged(), found)
    with place.acknowledgements.open("a") as acknowledgements:
        acknowledgements.write("1000000000\n")
    with pytest.raises(AssertionError, match=r"1 acknowledged rows are lost.* 1000000000"):
        nothing_lost(place.acknowledged(), found)


async def test_the_drill_notices_that_careless_commits_lose_rows(place: Site) -> None:
    """With synchronous_commit off, a kill of everybody must be seen to lose what was told."""
    holder = place.hold()
    await prepare(holder.socket)
    async with connected(holder.socket, "ntm_owner") as connection:
        await connection.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
        await connection.execute("SELECT pg_reload_conf()")
    await asyncio.sleep(1)  # for the log writer's nap under the old setting to end
    writer = place.write(synchronous_commit="off")
    eventually(lambda: len(place.acknowledged()) > 20, lambda: "the writer does not write")
    place.kill(*place.living(), writer.process.pid, holder.process.pid)

    async with mended(place.join()) as connection:
        found = await rows(connection)
    with pytest.raises(AssertionError, match="acknowledged rows are lost"):
        nothing_lost(place.acknowledged(), found)


@pytest.mark.parametrize("how", ["leave", "kill"])
@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
async def test_processes_leave_in_any_order_and_the_last_one_stops_the_server(
    place: Site, order: tuple[int, ...], how: str
) -> None:
    holders = [place.hold()]
    since = await started_at(holders[0].socket)
    holders += [place.hold() for _ in range(2)]
    assert {one.socket for one in holders} == {holders[0].socket}
    for index in order:
        assert await started_at(holders[0].socket) == since
        getattr(holders[index], how)()
        if index != order[-1]:
            await asyncio.sleep(0.5)  # some looks of the supervisor
    place.wait_until_deserted()
    assert not (place.folder / "server.json").exists()


async def test_the_users_may_come_and_go_quickly_without_ever_finding_no_server(
    place: Site,
) -> None:
    for number in range(8):
        embedded = place.join()
        await started_at(embedded.socket_folder)
        embedded.release()
        await asyncio.sleep(number * 0.05)
    place.stop()


async def test_a_server_ends_when_the_lock_of_its_users_is_removed(place: Site) -> None:
    place.join()
    for path in (place.folder / "users.lock", place.folder / "server.json"):
        path.unlink()
    place.wait_until_deserted()


async def test_a_server_that_outlived_its_supervisor_is_replaced(place: Site) -> None:
    """Where no kernel ends a server together with its supervisor, the next supervisor does."""
    place.folder.mkdir()
    patched = (
        "import sys\n"
        "from app.embedded import server, supervisor\n"
        "server.die_with_parent = lambda: None\n"
        "supervisor.supervise(supervisor.Cluster(supervisor.Path(sys.argv[2])), print)\n"
    )
    (place.folder / "users.lock").touch()
    with (place.folder / "users.lock").open() as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        orphaning = place.run(
            [sys.executable, "-c", patched, "app.embedded.supervisor", str(place.folder)]
        )
        eventually((place.folder / "server.json").exists, lambda: "no server comes")
        orphaning.kill()
    assert set(place.living().values()) == {"postgres"}
    async with mended(place.join()) as connection:
        assert await connection.fetchval("SELECT 1") == 1
        assert "supervisor" in place.living().values()
    place.stop()


async def test_the_socket_folder_of_a_start_that_was_killed_is_removed(place: Site) -> None:
    """While a server starts, server.json is not there yet."""
    holder = place.hold()
    assert there(holder.socket)
    place.kill(*place.living(), holder.process.pid)
    eventually(lambda: not place.living(), lambda: f"still alive: {place.living()}")
    (place.folder / "server.json").unlink()
    place.join()
    assert not there(holder.socket)
    place.stop()
