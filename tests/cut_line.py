"""A line to a service that breaks when told: the request has arrived, its answer never does."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator


class CutLine:
    """Relays connections to a port; the next `cuts` answers to a request are lost with the line."""

    def __init__(self, port: int, request: bytes) -> None:
        self.cuts = 0
        self._target, self._request = port, request
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        """Accept nobody any more, and wait until the last connection has ended."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self._relay, args=(near,)))
            self._threads[-1].start()

    def _relay(self, near: socket.socket) -> None:
        far = socket.create_connection(("127.0.0.1", self._target))
        with near, far:
            asked = threading.Event()
            up = threading.Thread(target=self._up, args=(near, far, asked))
            up.start()
            with contextlib.suppress(OSError):
                while data := far.recv(65_536):
                    if asked.is_set() and self.cuts:
                        self.cuts -= 1
                        break
                    near.sendall(data)
            for line in (near, far):
                with contextlib.suppress(OSError):
                    line.shutdown(socket.SHUT_RDWR)
            up.join()

    def _up(self, near: socket.socket, far: socket.socket, asked: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := near.recv(65_536):
                if self._request in data:
                    asked.set()
                far.sendall(data)
        with contextlib.suppress(OSError):
            far.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def cut_line(port: int, request: bytes) -> Iterator[CutLine]:
    """Yield a line to a port on which the answers to some requests can be lost."""
    line = CutLine(port, request)
    try:
        yield line
    finally:
        line.close()
