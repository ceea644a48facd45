"""The parent of the reading process: starts it within its limits, listens, and ends it.

Whatever the file does to the process, here it is frames, and at the worst a `Fault`.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import IO, Final, TypeVar

import msgspec

from app.domain.hindrances import Hindered, of_files
from app.domain.reading import frames
from app.domain.reading.causes import Unreadable
from app.domain.reading.frames import End, Order, Places, Resolved, Table, Told
from app.rules.errors import Text

SILENCE: Final = 10.0  # seconds without a frame, while one is waited for
PATIENCE: Final = 300.0  # seconds of waiting for frames altogether
_AGAIN: Final = 60  # seconds until a reading that was cut off is worth another attempt
# What a process dies of by its own doing: its time is up, or it broke.
_OWN_DOING: Final = frozenset({-signal.SIGXCPU, -signal.SIGSEGV, -signal.SIGABRT})
_BUG: Final = 70  # how the process ends where it is wrong itself
_WORDS: Final = 2_000  # bytes of what the process says of its own faults
_PARTING: Final = 0.2  # seconds for a process that has nothing more to do
_BUFFER: Final = 2**18
Pipe = TypeVar("Pipe", asyncio.StreamReader, asyncio.StreamWriter)
_decoder: Final[msgspec.msgpack.Decoder[Told]] = msgspec.msgpack.Decoder(Told)
_log: Final = logging.getLogger("ntm.reading")


class ReadingFailed(RuntimeError):
    """The reading process is wrong itself: no fault of the file."""


class Reading:
    """A file that is being read. `tables` are those whose frames have come.

    A process may be killed, or be late, because the machine is in need: that is blamed on the file
    only where it `blames`.
    """

    def __init__(self, process: asyncio.subprocess.Process, *, blames: bool) -> None:
        self.tables: list[Table] = []
        self._process, self._blames = process, blames
        self._asked = asyncio.Event()  # a question to the parent is open: nothing is late
        self._waited = 0.0
        self._length: int | None = None

    @property
    def table(self) -> Table | None:
        """Return the first table, once its frame has come."""
        return self.tables[0] if self.tables else None

    async def frames(self) -> AsyncIterator[Told]:
        """Yield all that is told, up to `End`.

        Raises ReadingFailed where the process is wrong, Hindered where it may be tried again.
        """
        while True:
            frame = await self._next()
            if frame is None:
                async for last in self._death():
                    yield last
                return
            if isinstance(frame, Table):
                self.tables.append(frame)
            elif isinstance(frame, Places):
                self._asked.set()
            yield frame
            if isinstance(frame, End):
                return

    async def answer(self, places: Resolved) -> None:
        """Answer the last `Places`."""
        self._asked.clear()
        await _send(self._process, frames.packed(places))  # if it is gone, the next frame tells why

    async def _next(self) -> Told | None:
        """Return the next frame; None where none comes, or none that is one."""
        while True:
            began = time.monotonic()
            try:
                async with asyncio.timeout(max(min(SILENCE, PATIENCE - self._waited), 0)):
                    return await self._one()
            except TimeoutError:
                if not self._asked.is_set() or self._waited >= PATIENCE:
                    return None
            finally:
                if not self._asked.is_set():
                    self._waited += time.monotonic() - began

    async def _one(self) -> Told | None:
        """Read a frame; what was read of it is kept where the reading is interrupted."""
        told = _pipe(self._process.stdout)
        try:
            if self._length is None:
                self._length = frames.length(await told.readexactly(4))
            content = await told.readexactly(self._length)
            self._length = None
            return _decoder.decode(content)
        except (asyncio.IncompleteReadError, ConnectionError, ValueError):
            return None

    async def _death(self) -> AsyncIterator[Told]:
        """Yield what the end of the process without an `End` means."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), 0.5)
        if self._process.returncode == _BUG:
            raise ReadingFailed("the reading process failed")
        code = self._process.returncode
        named = signal.Signals(-code).name if code and code < 0 else code or "silence"
        if code not in _OWN_DOING and not self._blames:
            _log.warning("the reading of a file was cut off: %s", named)
            raise Hindered("reading-unavailable", _CUT_OFF, _AGAIN)
        _log.warning("a file was refused as unsafe: the process that read it ended: %s", named)
        for frame in refusal("unsafe-file"):
            yield frame


class Refusing(Reading):
    """A file that cannot be read here, whatever it is."""

    def __init__(self) -> None:
        self.tables = []

    async def frames(self) -> AsyncIterator[Told]:
        """Yield why."""
        for frame in refusal("reading-not-possible"):
            yield frame


def refusal(code: str) -> tuple[Told, ...]:
    """Return the frames by which a file is refused as a whole."""
    return (*Unreadable(code).faults, End(0, 0))


@asynccontextmanager
async def reading(file: IO[bytes], order: Order, *, blames: bool = False) -> AsyncIterator[Reading]:
    """Read an open file in a process of its own; it is ended with the context.

    The process shares the place in the file: nobody else reads on from there meanwhile. On a
    platform that cannot limit a process every file is refused. Raises Hindered where none can be
    started.
    """
    if importlib.util.find_spec("resource") is None:
        yield Refusing()
        return
    with of_files():
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            __package__,
            str(file.fileno()),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            pass_fds=(file.fileno(),),
            env={},
            limit=_BUFFER,
            start_new_session=True,  # Ctrl+C at a terminal is for the parent
        )
    words = asyncio.create_task(_listen(process))
    try:
        await _send(process, frames.packed(order))
        yield Reading(process, blames=blames)
    finally:
        await asyncio.shield(_end(process, words))


def _pipe(stream: Pipe | None) -> Pipe:
    """Return a stream of the process, all of which were opened as pipes."""
    if stream is None:
        raise ReadingFailed("the reading process has no pipe")
    return stream


async def _send(process: asyncio.subprocess.Process, content: bytes) -> None:
    """Send a frame, if the process is still there to take it."""
    pipe = _pipe(process.stdin)
    with suppress(ConnectionError):
        pipe.write(content)
        await pipe.drain()


async def _listen(process: asyncio.subprocess.Process) -> None:
    """Put into the log what the process says of its own faults, no more than a little."""
    words, said = _pipe(process.stderr), b""
    while block := await words.read(_WORDS):
        said = (said + block)[:_WORDS]
    if said:
        _log.error("the reading process failed: %s", said.decode("ascii", "replace").strip())


async def _end(process: asyncio.subprocess.Process, words: asyncio.Task[None]) -> None:
    """End the process and take what is left in its pipes, so that nothing stays open.

    One that has told everything ends by itself. It is left a moment for that: `kill` looks whether
    it has ended, and so may take its end from under whoever waits for it.
    """
    with suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), _PARTING)
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.kill()
    _pipe(process.stdin).close()
    while await _pipe(process.stdout).read(_BUFFER):
        pass
    await process.wait()
    await words


_CUT_OFF: Final = Text(
    "tiến trình đọc tệp bị dừng giữa chừng, có thể vì máy chủ quá tải hoặc hết bộ nhớ; hãy thử lại "
    "sau ít phút",
    "the process that reads the file was stopped half way, perhaps because the server is "
    "overloaded or out of memory; try again in a few minutes",
)
