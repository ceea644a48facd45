"""Locks between processes and probes of a socket: facts about the living, never about pids."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast


class Lock:
    """A lock on a file or folder (flock); the kernel drops it however the process ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def share(self, patience: float) -> None:
        """Hold it together with others; raise TimeoutError after `patience` seconds."""
        self._take(fcntl.LOCK_SH, patience)

    def take(self, patience: float = 0) -> None:
        """Hold it alone; raise TimeoutError after `patience` seconds."""
        self._take(fcntl.LOCK_EX, patience)

    def release(self) -> None:
        """Let go of it."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    @contextlib.contextmanager
    def held(self, patience: float) -> Iterator[None]:
        """Hold it alone for the length of a block."""
        self.take(patience)
        try:
            yield
        finally:
            self.release()

    @contextlib.contextmanager
    def held_by_children(self) -> Iterator[int]:
        """Hold it alone and yield its descriptor, for children that keep holding it by itself.

        An flock belongs to the open file: it is free when every process that got it has ended.
        """
        self.take(patience=5)  # somebody may be asking whether it is free
        try:
            yield cast(int, self._file)
        finally:
            self.release()

    def is_free(self) -> bool:
        """Tell whether nobody holds it at this moment."""
        try:
            self.take()
        except TimeoutError:
            return False
        self.release()
        return True

    def _take(self, kind: int, patience: float) -> None:
        how = os.O_RDONLY if self._path.is_dir() else os.O_RDWR | os.O_CREAT
        file = os.open(self._path, how | os.O_CLOEXEC, 0o600)
        end = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(file, kind | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= end:
                    os.close(file)
                    raise TimeoutError(f"{self._path} is held by another process") from None
                time.sleep(0.02)
            except BaseException:
                os.close(file)
                raise
        self._file = file


def connects(folder: str) -> bool:
    """Tell whether a server accepts connections on its socket in `folder`."""
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as probe:
        probe.settimeout(2)
        try:
            probe.connect(f"{folder}/.s.PGSQL.5432")
        except OSError:
            return False
        return True
