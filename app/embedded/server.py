"""The PostgreSQL process of a cluster: how it is started, watched, stopped, and found dead."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from app.embedded import DATABASE, OWNER, SERVICE
from app.embedded.cluster import Cluster, EmbeddedFailed, as_user, binaries, reachable, run
from app.embedded.locks import Lock, connects
from app.rules.errors import Text

_STOPPING: Final = 30.0  # seconds a fast shutdown may take before it is made immediate
_PR_SET_PDEATHSIG: Final = 1
_SOCKET_FILES: Final = {".s.PGSQL.5432", ".s.PGSQL.5432.lock"}

# What must be so for an acknowledged write to be safe, whatever a configuration file says; nothing
# of a statement's data goes into the log; and plans, which are kept, learn soon that tables grew.
_OPTIONS: Final = (
    "listen_addresses=", "port=5432", "fsync=on", "synchronous_commit=on", "full_page_writes=on",
    "timezone=UTC", "log_timezone=UTC", "max_connections=100", "logging_collector=off",
    "log_destination=stderr", "log_min_messages=log", "log_error_verbosity=terse",
    "log_min_error_statement=panic", "log_statement=none", "log_duration=off",
    "log_min_duration_statement=-1", "log_min_duration_sample=-1", "log_checkpoints=off",
    "log_parameter_max_length=0", "log_parameter_max_length_on_error=0", "debug_print_plan=off",
    "autovacuum_naptime=10s",
)  # fmt: skip

# psql's \gexec runs what the query returns: CREATE DATABASE cannot stand in a DO block.
_BOOTSTRAP: Final = f"""
SELECT 'CREATE ROLE {SERVICE} LOGIN'
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{SERVICE}') \\gexec
SELECT 'CREATE DATABASE {DATABASE} OWNER {OWNER}'
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{DATABASE}') \\gexec
"""


class Server:
    """The server process and its socket."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._account = cluster.account()
        self._binaries = binaries(self._account)
        if not cluster.check():
            cluster.make(self._binaries, OWNER)
        self._alive = Lock(cluster.server_lock)
        self._end_orphan()
        self.socket = cluster.socket_folder()
        _write(cluster.socket, {"socket": str(self.socket)})
        self._said_before = 0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start and wait until it accepts connections; raise EmbeddedFailed when it cannot.

        Every process of a server holds `server.lock`, so a free lock means that all are gone.
        """
        self._cluster.state.unlink(missing_ok=True)
        self._wait_for_the_dying()
        (self._cluster.data / "postmaster.pid").unlink(missing_ok=True)
        self._launch()
        if not self._wait_until_ready():
            raise self._failed()
        self._bootstrap()
        _write(self._cluster.state, {"socket": str(self.socket)})

    def runs(self) -> bool:
        """Tell whether the server process lives."""
        return self._process is not None and self._process.poll() is None

    def reachable(self) -> bool:
        """Tell whether its socket is where it was made; somebody may clean up /tmp."""
        return (self.socket / ".s.PGSQL.5432").exists()

    def stop(self) -> None:
        """Shut down with a checkpoint; immediately when that takes too long."""
        self._cluster.state.unlink(missing_ok=True)
        if self._process is not None and self.runs():
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(_STOPPING)
            except subprocess.TimeoutExpired:
                self._process.send_signal(signal.SIGQUIT)
                self._process.wait()
        shutil.rmtree(self.socket, ignore_errors=True)
        self._cluster.socket.unlink(missing_ok=True)

    def _end_orphan(self) -> None:
        """Stop a server that outlived its supervisor, and remove the socket folder it left."""
        left = _socket_left(self._cluster.socket)
        with contextlib.suppress(OSError, ValueError, IndexError):
            lines = (self._cluster.data / "postmaster.pid").read_text("utf-8").splitlines()
            if not self._alive.is_free() and left and connects(left):
                os.kill(int(lines[0]), signal.SIGINT)
                self._wait_for_the_dying()
        if left:
            shutil.rmtree(left, ignore_errors=True)

    def _wait_for_the_dying(self) -> None:
        """Wait until no process of an earlier server is left; raise EmbeddedFailed if one stays."""
        try:
            self._alive.take(_STOPPING)
        except TimeoutError as error:
            raise EmbeddedFailed(
                Text(
                    f"một tiến trình PostgreSQL cũ vẫn giữ {self._cluster.data}; hãy chờ nó kết "
                    "thúc hoặc khởi động lại máy, rồi chạy lại",
                    f"a process of an earlier PostgreSQL still holds {self._cluster.data}; wait "
                    "until it has ended or restart the machine, then run again",
                )
            ) from error
        self._alive.release()

    def _launch(self) -> None:
        options = [part for option in _OPTIONS for part in ("-c", option)]
        with contextlib.ExitStack() as stack:
            path, descriptor = stack.enter_context(reachable(self._cluster.data))
            log = stack.enter_context(self._cluster.log.open("ab"))
            self._said_before = log.tell()
            alive = stack.enter_context(self._alive.held_by_children())
            self._process = subprocess.Popen(
                [self._binaries / "postgres", "-D", path, "-k", self.socket, *options],
                **as_user(self._account),
                pass_fds=(alive,) if descriptor is None else (alive, descriptor),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent(),  # noqa: PLW1509 - one thread, one system call
            )

    def _wait_until_ready(self) -> bool:
        """Wait as long as the server lives and somebody waits for it: recovery can take time."""
        users = Lock(self._cluster.users_lock)
        asked = [
            str(self._binaries / "pg_isready"), "-q", "-t", "2", "-h", str(self.socket),
            "-U", OWNER, "-d", "postgres",
        ]  # fmt: skip
        while self.runs() and not users.is_free():
            if connects(str(self.socket)) and run(asked, self._account).returncode == 0:
                return True
            time.sleep(0.02)
        return False

    def _failed(self) -> EmbeddedFailed:
        said = self._cluster.log.read_bytes()[self._said_before :].decode("utf-8", "replace")
        tail = said.strip()[-800:]
        return EmbeddedFailed(
            Text(
                f"PostgreSQL không khởi động được với {self._cluster.data}. Nếu thư mục bị hỏng, "
                "hãy chuyển nó đi nơi khác rồi chạy `ntm db restore TỆP` với bản sao lưu gần "
                f"nhất. PostgreSQL báo:\n{tail}",
                f"PostgreSQL does not start with {self._cluster.data}. If the folder is damaged, "
                "move it away and run `ntm db restore FILE` with your latest backup. "
                f"PostgreSQL says:\n{tail}",
            )
        )

    def _bootstrap(self) -> None:
        made = subprocess.run(
            [self._binaries / "psql", "-X", "-q", "-h", self.socket, "-U", OWNER, "-d", "postgres",
             "-v", "ON_ERROR_STOP=1"],
            **as_user(self._account),
            cwd="/", input=_BOOTSTRAP, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if made.returncode:
            raise EmbeddedFailed(Text(made.stderr.strip()[-500:], made.stderr.strip()[-500:]))


def _socket_left(record: Path) -> str | None:
    """Return the socket folder of a supervisor that could not remove it itself."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        left = Path(json.loads(record.read_bytes())["socket"])
        if left.name.startswith("ntm-") and set(os.listdir(left)) <= _SOCKET_FILES:
            return str(left)
    return None


def die_with_parent() -> Callable[[], None] | None:
    """Return what lets the server stop (fast, with a checkpoint) when its supervisor is killed."""
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None, use_errno=True)
    parent = os.getpid()

    def arrange() -> None:
        library.prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
        if os.getppid() != parent:
            os._exit(1)

    return arrange


def _write(path: Path, value: object) -> None:
    making = path.with_suffix(".making")
    making.write_text(json.dumps(value), "utf-8")
    making.replace(path)
