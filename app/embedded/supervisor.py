"""The process that runs the embedded server: starts it, mends it, stops it after its last user.

Started by `app.embedded.Embedded` as `python -m app.embedded.supervisor FOLDER`. It tells one
line of JSON on standard output, `{"failed": null}` or `{"failed": [vi, en]}`, and goes on alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Final

from app.embedded.cluster import Cluster, EmbeddedFailed
from app.embedded.locks import Lock
from app.embedded.server import Server
from app.rules.errors import Text

_PAUSE: Final = 0.2  # seconds between looks at the server and at its users


class Stopped(Exception):
    """A signal asked the supervisor to stop."""


def supervise(cluster: Cluster, tell: Callable[[Text | None], None]) -> None:
    """Run the server of a folder until its last user has left or a signal comes."""
    mine = Lock(cluster.supervisor_lock)
    try:
        mine.take(patience=10)
    except TimeoutError:
        return  # another supervisor is there; whoever started us waits for its server
    users = Lock(cluster.users_lock)
    server = None
    try:
        _keep_last_log(cluster.log)
        server = Server(cluster)
        server.start()
        tell(None)
        while not _deserted(users, cluster):
            if not server.runs():
                server.start()
            elif not server.reachable():
                server.stop()
                server = Server(cluster)
                server.start()
            time.sleep(_PAUSE)
    except EmbeddedFailed as error:
        tell(error.text)
    except Stopped:
        pass
    except Exception as error:
        with cluster.log.open("a") as log:
            traceback.print_exc(file=log)
        tell(_surprised(cluster.log, error))
    finally:
        if server is not None:
            server.stop()
        mine.release()
        users.release()  # held until here: who comes now waits, then starts anew


def _surprised(log: Path, error: Exception) -> Text:
    said = f"{type(error).__name__}: {error}"
    return Text(
        f"cơ sở dữ liệu đi kèm gặp lỗi ngoài dự kiến ({said}); xem {log}",
        f"the embedded database met an unexpected error ({said}); see {log}",
    )


def _deserted(users: Lock, cluster: Cluster) -> bool:
    """Tell whether the last user has left; then the lock stays ours until we are done."""
    if not cluster.users_lock.exists():
        return True  # the folder was removed
    try:
        users.take()
    except TimeoutError:
        return False
    return True


def _keep_last_log(log: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        log.replace(log.with_suffix(".log.1"))


def _tell(text: Text | None) -> None:
    """Report once to whoever started us, then let go of its pipe."""
    failed = None if text is None else [text.vi, text.en]
    with contextlib.suppress(OSError):
        os.write(1, json.dumps({"failed": failed}).encode() + b"\n")
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 1)
    os.close(nowhere)


def _stop(number: int, frame: FrameType | None) -> None:
    raise Stopped


def main() -> None:
    """Leave the process that started us, then supervise."""
    if os.fork():
        os._exit(0)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _stop)
    supervise(Cluster(Path(sys.argv[1])), _tell)


if __name__ == "__main__":
    main()
