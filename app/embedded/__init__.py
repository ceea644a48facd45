"""A PostgreSQL that comes along: started from a wheel, shared by processes, stopped by the last.

Whoever uses it holds a shared lock on `users.lock`; a supervisor process (`supervisor.py`) runs
the server and stops it when nobody holds that lock any more. The kernel drops the locks of
a process however it ends, so there is nothing to clean up after kill -9.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final, cast

from app.embedded.cluster import Cluster, EmbeddedFailed
from app.embedded.locks import Lock, connects
from app.rules.errors import Text

__all__ = ["Embedded", "EmbeddedFailed"]

DATABASE: Final = "ntm"
OWNER: Final = "ntm_owner"
SERVICE: Final = "ntm_service"
_PATIENCE: Final = 120.0  # recovery after a crash replays the log, which can take its time


class Embedded:
    """The server of one data folder, kept running while this object holds it."""

    def __init__(self, folder: Path) -> None:
        """Start the server of `folder` or join it; raise EmbeddedFailed when it cannot run."""
        self.cluster = Cluster(folder)
        self.cluster.prepare_folder()
        self._user = Lock(self.cluster.users_lock)
        try:
            self._user.share(_PATIENCE)
            self.socket_folder = self.ensure()
        except TimeoutError as error:
            raise self._late() from error
        except BaseException:
            self._user.release()
            raise

    def ensure(self) -> str:
        """Return the folder of a socket that answers, after starting the server if need be."""
        found = self._answering()
        if found is None:
            with Lock(self.cluster.start_lock).held(_PATIENCE):
                found = self._answering() or self._started()
        self.socket_folder = found
        return found

    def release(self) -> None:
        """Leave; the server stops soon when this was its last user."""
        self._user.release()

    def _answering(self) -> str | None:
        """Return the socket folder of a server that runs and has a supervisor to care for it."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            found = str(json.loads(self.cluster.state.read_bytes())["socket"])
            if not Lock(self.cluster.supervisor_lock).is_free() and connects(found):
                return found
        return None

    def _started(self) -> str:
        """Start a supervisor, or wait for the one that is mending the server."""
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            if Lock(self.cluster.supervisor_lock).is_free():
                _spawn(self.cluster.folder, end)
            if found := self._answering():
                return found
            time.sleep(0.05)
        raise self._late()

    def _late(self) -> EmbeddedFailed:
        return EmbeddedFailed(
            Text(
                f"cơ sở dữ liệu đi kèm chưa sẵn sàng sau {_PATIENCE:.0f} giây; "
                f"xem {self.cluster.log} rồi chạy lại",
                f"the embedded database was not ready after {_PATIENCE:.0f} seconds; "
                f"see {self.cluster.log} and try again",
            )
        )


def _spawn(folder: Path, end: float) -> None:
    """Run a supervisor that outlives this process; return when the server is ready."""
    with _detached(folder) as report:
        readable, _, _ = select.select([report], [], [], max(end - time.monotonic(), 0))
        line = report.readline() if readable else b""
    if line:
        told = json.loads(line)
        if told["failed"]:
            raise EmbeddedFailed(Text(*told["failed"]))


@contextlib.contextmanager
def _detached(folder: Path) -> Iterator[IO[bytes]]:
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "app.embedded.supervisor", str(folder)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd="/",
        env=_plain_environment(),
    ) as process:
        yield cast(IO[bytes], process.stdout)


def _plain_environment() -> dict[str, str]:
    """Return the environment without what was set for other PostgreSQL servers (PGPORT, ...)."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return kept | {"PYTHONUTF8": "1"}
