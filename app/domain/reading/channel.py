"""What this process says to its parent, frame by frame, and the answers it waits for."""

from __future__ import annotations

import time
from typing import BinaryIO, Final

import msgspec

from app.domain.reading import frames
from app.domain.reading.frames import Alive, Order, Place, Places, Resolved, Told

_TOGETHER: Final = 2**16  # bytes
_OFTEN: Final = 1.0  # seconds between two signs of life


class Channel:
    """The two pipes to the parent."""

    def __init__(self, incoming: BinaryIO, outgoing: BinaryIO) -> None:
        self._incoming, self._outgoing = incoming, outgoing
        self._waiting = bytearray()
        self._last = time.monotonic()

    def order(self) -> Order:
        """Return what to read."""
        return msgspec.msgpack.decode(frames.read(self._incoming), type=Order)

    def send(self, frame: Told) -> None:
        """Send a frame, together with others where they are small."""
        self._waiting += frames.packed(frame)
        if len(self._waiting) >= _TOGETHER:
            self.flush()

    def flush(self) -> None:
        """Send what waits."""
        self._outgoing.write(self._waiting)
        self._outgoing.flush()
        self._waiting.clear()
        self._last = time.monotonic()

    def alive(self, rows: int) -> None:
        """Say now and then that the file is still being read."""
        if time.monotonic() - self._last > _OFTEN:
            self.send(Alive(rows))
            self.flush()

    def ask(self, first: int, places: list[Place]) -> list[tuple[int, int] | None]:
        """Return the units of places, as the parent finds them."""
        self.send(Places(first, tuple(places)))
        self.flush()
        answer = msgspec.msgpack.decode(frames.read(self._incoming), type=Resolved)
        if len(answer.units) != len(places):
            raise ValueError("an answer has another number of units than there are places")
        return answer.units
