"""A generator of load, run as a process of its own so that it takes nothing from the service.

It reads what to send from standard input and writes what came back to standard output. An open
loop sends by the clock, whatever comes back: a request that has to wait counts from when it was
due, so that a slow service is not spared.
"""

from __future__ import annotations

import asyncio
import base64
import collections
import contextlib
import itertools
import json
import sys
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple, cast

COUNTER: Final = b"@@@@@@@@@"  # in a body: replaced by a number that no other request has
_MOST: Final = 6_000  # requests under way; more are not sent, and counted
_TICK: Final = 0.002
_PATIENCE: Final = 30.0
_numbers = itertools.count(time.time_ns() // 1_000_000 % 400_000_000)


class Sample(NamedTuple):
    """One request: what it was, when it was due, how long it took, what came back.

    Status 0: nothing. `told` is whether a refusal says that the service is overloaded and when to
    come again; it is true of everything else.
    """

    kind: str
    at: float
    seconds: float
    status: int
    told: bool


class Line(asyncio.Protocol):
    """A connection on which one request is under way."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self.lost = False
        self._answer, self._asked = b"", 0.0
        self._done: asyncio.Future[bytes] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way out."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Collect an answer until it is whole."""
        self._answer += data
        head, found, body = self._answer.partition(b"\r\n\r\n")
        if not found or self._done is None or self._done.done():
            return
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        if len(body) >= int(length or 0):
            self._done.set_result(self._answer)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits that nothing comes; nothing more is sent here."""
        self.lost = True
        if self._done is not None and not self._done.done():
            self._done.set_exception(ConnectionError("hung up"))

    async def ask(self, request: bytes) -> bytes:
        """Send a request; return the answer."""
        assert self._transport is not None
        self._answer, self._done = b"", asyncio.get_running_loop().create_future()
        self._asked = time.perf_counter()
        self._transport.write(request)
        return await self._done

    def give_up(self, before: float) -> None:
        """Hang up when what was asked before then is still not answered."""
        if self._asked < before and self._done is not None and not self._done.done():
            self._done.set_exception(TimeoutError())  # it is not asked again elsewhere
            self.close()

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()


class Shooter:
    """Sends requests in turn over as many connections as it takes."""

    def __init__(self, given: dict[str, Any]) -> None:
        self._port = int(given["port"])
        self._requests = [(kind, base64.b64decode(one)) for kind, one in given["requests"]]
        self._turn = itertools.cycle(self._requests)
        self._idle: collections.deque[Line] = collections.deque()
        self._lines: list[Line] = []
        self._begun = time.perf_counter()
        self.samples: list[Sample] = []
        self.most = self.under_way = self.unsent = 0

    async def closed(self, connections: int, seconds: float) -> None:
        """Send one after the other on so many connections."""
        end = time.perf_counter() + seconds

        async def one() -> None:
            while time.perf_counter() < end:
                await self._shoot(time.perf_counter())

        await asyncio.gather(*(one() for _ in range(connections)))

    async def open(self, rate: float, seconds: float) -> None:
        """Send so many a second, by the clock."""
        begun, sent, tasks = time.perf_counter(), 0, set()
        while (now := time.perf_counter()) < begun + seconds:
            while begun + sent / rate <= now:
                if self.under_way < _MOST:
                    task = asyncio.create_task(self._shoot(begun + sent / rate))
                    tasks.add(task)
                    task.add_done_callback(tasks.discard)
                else:
                    self.unsent += 1
                sent += 1
            await asyncio.sleep(_TICK)
        await asyncio.gather(*tasks)

    async def _shoot(self, due: float) -> None:
        kind, request = next(self._turn)
        request = request.replace(COUNTER, b"%09d" % next(_numbers))
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            answer = await self._answer(request)
        except OSError:
            answer = b"HTTP/1.1 000 nothing"
        finally:
            self.under_way -= 1
        took, status = time.perf_counter() - due, int(answer[9:12])
        told = status != 503 or (b'"overloaded"' in answer and b"\r\nretry-after: " in answer)
        self.samples.append(Sample(kind, due - self._begun, took, status, told))

    async def _answer(self, request: bytes) -> bytes:
        """Send over a connection that is idle, or a new one where that was closed meanwhile."""
        while self._idle:
            line = self._idle.pop()
            if not line.lost:
                with contextlib.suppress(ConnectionError):
                    answer = await line.ask(request)
                    self._idle.append(line)
                    return answer
        line = await self._connected()
        answer = await line.ask(request)
        self._idle.append(line)
        return answer

    async def _connected(self) -> Line:
        loop = asyncio.get_running_loop()
        _, line = await loop.create_connection(Line, "127.0.0.1", self._port)
        self._lines.append(line)
        return line

    async def watch(self) -> None:
        """Give up what nobody answers: one watch for all costs the service's machine less."""
        while True:
            await asyncio.sleep(1)
            for line in self._lines:
                line.give_up(time.perf_counter() - _PATIENCE)

    def close(self) -> None:
        """Hang up everywhere."""
        for line in self._lines:
            line.close()


async def _run(given: dict[str, Any]) -> dict[str, Any]:
    shooter = Shooter(given)
    way: Callable[..., Any] = shooter.open if given["way"] == "open" else shooter.closed
    watch = asyncio.create_task(shooter.watch())
    await way(given["much"], given["seconds"])
    watch.cancel()
    shooter.close()
    return {"samples": shooter.samples, "most": shooter.most, "unsent": shooter.unsent}


def main() -> None:
    """Do what is asked on standard input."""
    if sys.platform != "win32":
        import uvloop  # noqa: PLC0415 - not everywhere

        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    json.dump(asyncio.run(_run(json.load(sys.stdin))), sys.stdout)


if __name__ == "__main__":
    main()
