"""The gate: so many requests run at once; others wait, as long as waiting helps anybody.

After B. Maurer, Fail at Scale (ACM Queue 2015): a burst waits and is served, and so are clients
that each wait for their answer before they ask again. When more come than are served, the queue
fills: that is overload, and waiting would make everybody late. Then newcomers are served at once or
told at once that they are not, and what is admitted stays fast.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Final

import msgspec

_ROOM: Final = 24  # how many may wait
_REFUSED: Final = 0.25  # of those who came in a period: overload has not ended


class Pace(msgspec.Struct, frozen=True):
    """Times in seconds.

    `patience`: how long anybody waits; `haste`: the same while overloaded; `period`: after which
    it is looked whether the overload has ended; `sending`: for how long a place is held for a
    body that has not arrived.
    """

    patience: float = 1.0
    haste: float = 0.003
    period: float = 1.0
    sending: float = 0.040


class Gate:
    """Lets so many in at once; others wait in a queue that is bounded in length and in time."""

    def __init__(
        self, limit: int, pace: Pace | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.limit, self.running = limit, 0
        self.pace = pace or Pace()
        self._clock = clock
        self._queue: deque[asyncio.Future[bool]] = deque()
        self._overloaded_until: float | None = None
        self._came = self._refused = 0

    @property
    def waiting(self) -> int:
        """Return how many wait at this moment."""
        return len(self._queue)

    async def enter(self) -> bool:
        """Wait for a place; tell whether there is one. Who got one gives it back by `leave`."""
        overloaded = self._is_overloaded()
        admitted = await self._admitted(self.pace.haste if overloaded else self.pace.patience)
        self._came += 1
        self._refused += not admitted
        return admitted

    def leave(self) -> None:
        """Give the place to whoever has waited longest, or back."""
        while self._queue:
            place = self._queue.popleft()
            if not place.done():
                place.set_result(True)
                return
        self.running -= 1

    async def _admitted(self, longest: float) -> bool:
        if self.running < self.limit:
            self.running += 1
            return True
        if len(self._queue) >= _ROOM:
            if self._overloaded_until is None:
                self._begin_period()
            return False
        loop = asyncio.get_running_loop()
        place: asyncio.Future[bool] = loop.create_future()
        timer = loop.call_later(longest, _give_up, place)
        self._queue.append(place)
        try:
            return await place
        except asyncio.CancelledError:
            if not place.cancelled() and place.result():
                self.leave()  # it was given in the same moment
            raise
        finally:
            timer.cancel()
            if place in self._queue:
                self._queue.remove(place)

    def _is_overloaded(self) -> bool:
        """Tell whether there is overload; at the end of a period, whether it goes on."""
        if self._overloaded_until is not None and self._clock() >= self._overloaded_until:
            if self._refused > self._came * _REFUSED:
                self._begin_period()
            else:
                self._overloaded_until = None
        return self._overloaded_until is not None

    def _begin_period(self) -> None:
        self._overloaded_until = self._clock() + self.pace.period
        self._came = self._refused = 0


def _give_up(place: asyncio.Future[bool]) -> None:
    if not place.done():
        place.set_result(False)
