"""What the tests of the embedded server share: who is alive, who holds it, who writes, who is lost.

Processes are found by what they are for (a supervisor's last word is the data folder, a server's
working folder is in it), so that nothing else on the machine is ever touched.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, Any, cast

import asyncpg
import pytest

import app.embedded
from app.embedded import Embedded

DEADLINE = 40.0  # for what must happen at last; nothing is said about how fast

HOLD = """
import json, sys
from pathlib import Path
from app.embedded import Embedded, EmbeddedFailed
try:
    held = Embedded(Path(sys.argv[1]))
except EmbeddedFailed as error:
    print(json.dumps({"failed": [error.text.vi, error.text.en]}), flush=True)
    sys.exit(1)
print(json.dumps({"socket": held.socket_folder}), flush=True)
sys.stdin.read()
held.release()
"""

# Numbers that may have been written or not (no acknowledgement came) are not used again.
WRITE = """
import asyncio, json, os, sys, traceback
from pathlib import Path
import asyncpg
from app.embedded import Embedded

held = Embedded(Path(sys.argv[1]))
acknowledged = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
number = 0

async def write():
    global number
    connection = await asyncpg.connect(
        host=held.ensure(), port=5432, user="ntm_service", database="ntm", timeout=10,
        server_settings={"application_name": "writer", "synchronous_commit": sys.argv[3]},
    )
    try:
        while True:
            number += 1
            await connection.execute("INSERT INTO drill VALUES ($1)", number)
            os.write(acknowledged, b"%d\\n" % number)
    finally:
        connection.terminate()

async def keep_writing():
    while True:
        try:
            await write()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError,
                asyncpg.InternalClientError):  # the last one: its answer to a FATAL between queries
            await asyncio.sleep(0.05)
        except Exception:
            traceback.print_exc()
            os._exit(1)

async def main():
    writing = asyncio.create_task(keep_writing())
    await asyncio.to_thread(sys.stdin.read)
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)

print(json.dumps({"socket": held.socket_folder}), flush=True)
asyncio.run(main())
held.release()
"""


class Process:
    """Another process that uses the server: tells what it got, leaves on request, or is killed."""

    def __init__(self, command: list[str], **options: Any) -> None:
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options
        )
        self._told: dict[str, Any] | None = None

    @property
    def told(self) -> dict[str, Any]:
        """What it said when it was ready (or failed)."""
        if self._told is None:
            line = cast(IO[bytes], self.process.stdout).readline()
            assert line, "a process ended without a word"
            self._told = json.loads(line)
        return self._told

    @property
    def socket(self) -> str:
        """The folder of the socket it got."""
        assert "socket" in self.told, self.told
        return str(self.told["socket"])

    def leave(self) -> None:
        """Let it end in good order."""
        cast(IO[bytes], self.process.stdin).close()
        assert self.process.wait(DEADLINE) == 0
        self.kill()

    def kill(self) -> None:
        """Kill it -9, if it is still there."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                cast(IO[bytes], pipe).close()


class Site:
    """A data folder, a folder for its sockets only, and everybody who uses them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sockets = Path(tempfile.mkdtemp(prefix="drill-", dir="/tmp"))
        self.sockets.chmod(0o755)
        self.acknowledgements = self.sockets.with_name(f"{self.sockets.name}.acknowledged")
        self._held: list[Embedded] = []
        self._processes: list[Process] = []

    @property
    def data(self) -> Path:
        """PostgreSQL's own folder."""
        return self.folder / "postgres"

    def join(self) -> Embedded:
        """Use the server from this process."""
        joined = Embedded(self.folder)
        self._held.append(joined)
        return joined

    def hold(self, command: tuple[str, ...] = (sys.executable,), **options: Any) -> Process:
        """Use the server from another process."""
        return self.run([*command, "-c", HOLD, str(self.folder)], **options)

    def write(self, synchronous_commit: str = "on") -> Process:
        """Write numbers from another process, whatever happens to the server."""
        written = [str(self.folder), str(self.acknowledgements), synchronous_commit]
        return self.run([sys.executable, "-c", WRITE, *written])

    def run(self, command: list[str], **options: Any) -> Process:
        """Run a process that will not survive the test."""
        process = Process(command, **options)
        self._processes.append(process)
        return process

    def acknowledged(self) -> list[int]:
        """Return the numbers whose writing was acknowledged."""
        if not self.acknowledgements.exists():
            return []
        whole, _, _ = self.acknowledgements.read_text("ascii").rpartition("\n")
        return [int(line) for line in whole.split()]

    def living(self) -> dict[int, str]:
        """Return the supervisors and the processes of PostgreSQL of this folder."""
        return living(self.folder)

    def supervisor(self) -> int:
        """Return the supervisor's process id."""
        (found,) = [pid for pid, kind in self.living().items() if kind == "supervisor"]
        return found

    def postmaster(self) -> int:
        """Return the process id of the server's first process."""
        return int((self.data / "postmaster.pid").read_text("utf-8").split("\n", 1)[0])

    def kill(self, *pids: int) -> None:
        """Kill processes -9; one that is already dead is no matter."""
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def wait_until_deserted(self) -> None:
        """Fail unless at last no process and no socket folder is left."""
        eventually(lambda: not self.living(), lambda: f"still alive: {self.living()}")
        eventually(
            lambda: not os.listdir(self.sockets),
            lambda: f"socket folders left: {os.listdir(self.sockets)}",
            seconds=5,
        )

    def stop(self) -> None:
        """Let this process's users leave and wait for the end of the server."""
        while self._held:
            self._held.pop().release()
        self.wait_until_deserted()

    def clean(self) -> None:
        """End whatever is left, however the test ended."""
        while self._held:
            self._held.pop().release()
        for process in self._processes:
            process.kill()
        end = time.monotonic() + DEADLINE
        while (left := self.living()) and time.monotonic() < end:
            self.kill(*left)
            time.sleep(0.05)
        shutil.rmtree(self.sockets, ignore_errors=True)
        self.acknowledgements.unlink(missing_ok=True)
        assert not left, left


@contextlib.contextmanager
def site(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Yield a data folder to be used; nothing of it lives on afterwards."""
    made = Site(folder)
    patch.setenv("TMPDIR", str(made.sockets))
    try:
        yield made
    finally:
        made.clean()


def be_impatient(patch: pytest.MonkeyPatch, seconds: float = 10) -> None:
    """Let a server that never comes fail a test sooner than it would fail a user."""
    patch.setattr(app.embedded, "_PATIENCE", seconds)


def living(folder: Path) -> dict[int, str]:
    """Return which processes of a data folder live: its supervisors and PostgreSQL's."""
    named, real = os.fsencode(folder.absolute()), os.fsencode(os.path.realpath(folder))
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if b"app.embedded.supervisor" in words and named in words:
                found[int(entry.name)] = "supervisor"
            elif os.readlink(os.fsencode(entry / "cwd")).startswith(real + b"/postgres"):
                found[int(entry.name)] = "postgres"
    return found


def there(path: str | Path) -> bool:
    """Tell whether something has this name, be it a link to nowhere."""
    return os.path.lexists(path)


def eventually(holds: Any, complaint: Any, seconds: float = DEADLINE) -> None:
    """Wait until something holds; complain when it never does."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, complaint()
        time.sleep(0.05)


# What the driver says, in one way or another, when the server has gone.
GONE = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


@contextlib.asynccontextmanager
async def connected(
    socket: str, user: str = "ntm_service"
) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """Connect to the server of a socket."""
    connection = await asyncpg.connect(
        host=socket, port=5432, user=user, database="ntm", timeout=30
    )
    try:
        yield connection
    finally:
        with contextlib.suppress(*GONE):
            await connection.close(timeout=10)


@contextlib.asynccontextmanager
async def mended(embedded: Embedded) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """Connect as the service does after a fault: ask for the server again until it answers."""
    end = time.monotonic() + DEADLINE
    async with contextlib.AsyncExitStack() as stack:
        while True:
            try:
                socket = embedded.ensure()
                connection = await stack.enter_async_context(connected(socket, "ntm_owner"))
                await connection.fetchval("SELECT 1")
                break
            except GONE:
                assert time.monotonic() < end, "no server answers any more"
                await asyncio.sleep(0.05)
        yield connection


async def started_at(socket: str) -> datetime:
    """Return when the server was started: the same for the same server."""
    async with connected(socket) as connection:
        found: datetime = await connection.fetchval("SELECT pg_postmaster_start_time()")
        return found


def nothing_lost(acknowledged: Iterable[int], found: Iterable[int]) -> None:
    """Fail when a row was acknowledged and is not there."""
    lost = sorted(set(acknowledged) - set(found))
    assert not lost, f"{len(lost)} acknowledged rows are lost, the first is {lost[0]}"


async def rows(connection: asyncpg.Connection[asyncpg.Record]) -> list[int]:
    """Return the numbers in the table of the drill."""
    return [row["number"] for row in await connection.fetch("SELECT number FROM drill")]


async def rows_of(embedded: Embedded) -> list[int]:
    """Return the numbers in the table; a server that is on its way out is asked again."""
    end = time.monotonic() + DEADLINE
    while True:
        try:
            async with mended(embedded) as connection:
                return await rows(connection)
        except GONE:
            assert time.monotonic() < end, "the rows cannot be read any more"


async def prepare(socket: str) -> None:
    """Make the table of the drill, as its owner, for the service to write."""
    async with connected(socket, "ntm_owner") as connection:
        await connection.execute("CREATE TABLE drill (number bigint PRIMARY KEY)")
        await connection.execute("GRANT INSERT, SELECT ON drill TO ntm_service")
