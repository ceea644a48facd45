"""A proxy between the service and PostgreSQL that knows when a statement passes, and breaks it.

It speaks just enough of the wire protocol (version 3) to see where a statement begins and which
one commits. Whatever a driver does, it sees what PostgreSQL would see.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final, Literal

SOCKET: Final = ".s.PGSQL.5432"
Fault = Literal["cut before", "cut after", "fail"] | None

_COMMITS: Final = re.compile(rb"(?:^|;)\s*(?:COMMIT|END)\b", re.IGNORECASE)
_READS_ONLY: Final = re.compile(rb"^\s*BEGIN\b[^;]*\bREAD\s+ONLY\b", re.IGNORECASE)
_BEGINS: Final = re.compile(rb"^\s*(?:BEGIN|START\s+TRANSACTION)\b", re.IGNORECASE)
_ROLLS_BACK: Final = re.compile(rb"^\s*ROLLBACK\b(?!\s+TO)", re.IGNORECASE)
_STARTUP: Final = 196_608  # the version of the protocol, 3.0
_EXTENDED: Final = b"PBDEC"  # parse, bind, describe, execute, close
_ENDS: Final = b"SH"  # sync, flush: the server acts on what came before, and answers
_FAILING: Final = b"SELECT 'a statement that fails'::int\0"  # fails when it is parsed already


class Statement:
    """One statement on its way to the server: its text as far as it is known, what it may be."""

    def __init__(self, text: bytes, *, executes: bool, only_reads: bool) -> None:
        self.text = text
        self.executes = executes
        self.only_reads = only_reads

    @property
    def commits(self) -> bool:
        """Tell whether it commits something that may have been written."""
        return self.executes and not self.only_reads and bool(_COMMITS.search(self.text))


class Proxy:
    """A socket that leads to a server, and what shall go wrong with the statements that pass."""

    def __init__(self, upstream: str) -> None:
        self._upstream = Path(upstream) / SOCKET
        self.folder = Path(tempfile.mkdtemp(prefix="px-", dir="/tmp"))
        self.choose: Callable[[Statement], Fault] = lambda _: None
        self.down = False
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._links: set[asyncio.Task[None]] = set()

    def through(self, env: dict[str, str]) -> dict[str, str]:
        """Return the settings by which the service (not the owner) goes through the proxy."""
        address, _, _ = env["NTM_DATABASE_URL"].partition("?host=")
        return env | {"NTM_DATABASE_URL": f"{address}?host={self.folder}"}

    def freeze(self) -> None:
        """Forward nothing from now on; connections stay open."""
        self._flowing.clear()

    def thaw(self) -> None:
        """Forward again."""
        self._flowing.set()

    async def go_down(self) -> None:
        """Cut every connection and refuse new ones, as a server that is gone."""
        self.down = True
        await self._cut_all()

    def come_back(self) -> None:
        """Accept connections again."""
        self.down = False

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection of the service."""
        task = asyncio.current_task()
        assert task is not None
        self._links.add(task)
        try:
            if not self.down:
                await self._linked(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # either side has gone, or the proxy is closing
        finally:
            writer.close()
            self._links.discard(task)

    async def _linked(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_unix_connection(self._upstream)
        link = _Link(self, reader, writer, server_reader, server_writer)
        try:
            await link.run()
        finally:
            server_writer.close()

    async def flowing(self) -> None:
        """Wait while the proxy is frozen."""
        await self._flowing.wait()

    async def _cut_all(self) -> None:
        links = list(self._links)
        for one in links:
            one.cancel()
        await asyncio.gather(*links, return_exceptions=True)

    async def close(self) -> None:
        """Cut every connection and remove the socket."""
        await self._cut_all()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.asynccontextmanager
async def proxy(upstream: str) -> AsyncIterator[Proxy]:
    """Run a proxy in front of the server whose socket stands in a folder."""
    made = Proxy(upstream)
    server = await asyncio.start_unix_server(made.accept, made.folder / SOCKET)
    try:
        yield made
    finally:
        server.close()
        await made.close()


class _Cut(ConnectionError):
    """The connection shall end here."""


class _Link:
    """One connection: messages of the service one by one, answers of the server as they come."""

    def __init__(
        self,
        proxy: Proxy,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        server_reader: asyncio.StreamReader,
        server_writer: asyncio.StreamWriter,
    ) -> None:
        self._proxy = proxy
        self._reader, self._writer = reader, writer
        self._server_reader, self._server_writer = server_reader, server_writer
        self._statements: dict[bytes, bytes] = {}
        self._portals: dict[bytes, bytes] = {}
        self._held: list[bytes] = []  # messages of an extended statement before its sync
        self._only_reads = False
        self._deaf = False  # the answer is not handed on

    async def run(self) -> None:
        """Forward until one side ends."""
        ways = [asyncio.ensure_future(one) for one in (self._asked(), self._answered())]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in ways:
                one.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _asked(self) -> None:
        if not await self._greeted():
            return
        while True:
            kind = await self._reader.readexactly(1)
            length = await self._reader.readexactly(4)
            body = await self._reader.readexactly(int.from_bytes(length) - 4)
            await self._proxy.flowing()
            await self._take(kind, body, kind + length + body)

    async def _greeted(self) -> bool:
        """Forward the first packet; return whether messages follow (a cancel request is alone)."""
        while True:
            length = await self._reader.readexactly(4)
            body = await self._reader.readexactly(int.from_bytes(length) - 4)
            await self._proxy.flowing()
            await self._send(length + body)
            code = int.from_bytes(body[:4])
            if code == _STARTUP or code >> 16 == _STARTUP >> 16:
                return True
            if len(body) > 4:  # a request to cancel: the server acts on it and closes
                await self._server_reader.read()
                return False

    async def _take(self, kind: bytes, body: bytes, message: bytes) -> None:
        if kind == b"Q":
            await self._pass(body.rstrip(b"\0"), [message], executes=True)
        elif kind in _EXTENDED:
            self._remember(kind, body)
            self._held.append(message)
        elif kind in _ENDS and self._held:
            held, self._held = [*self._held, message], []
            await self._pass(*self._meaning(held))
        else:
            await self._send(message)

    def _remember(self, kind: bytes, body: bytes) -> None:
        if kind == b"P":
            name, text, _ = body.split(b"\0", 2)
            self._statements[name] = text
        elif kind == b"B":
            portal, name, _ = body.split(b"\0", 2)
            self._portals[portal] = self._statements.get(name, b"")

    def _meaning(self, held: list[bytes]) -> tuple[bytes, list[bytes], bool]:
        """Return the text that messages execute (or prepare), they themselves, whether they do."""
        for message in held:
            if message[:1] == b"E":
                portal = message[5:].split(b"\0", 1)[0]
                return self._portals.get(portal, b""), held, True
        for message in held:
            if message[:1] == b"P":
                return message[5:].split(b"\0", 2)[1], held, False
        return b"", held, False

    async def _pass(self, text: bytes, messages: list[bytes], executes: bool) -> None:
        if executes and _BEGINS.match(text):
            self._only_reads = bool(_READS_ONLY.match(text))
        statement = Statement(text, executes=executes, only_reads=self._only_reads)
        fault = self._proxy.choose(statement)
        if executes and (_COMMITS.search(text) or _ROLLS_BACK.match(text)):
            self._only_reads = False
        if fault == "cut before":
            raise _Cut
        if fault == "fail":
            messages = _failing(messages, ends=bool(_COMMITS.search(text)))
        self._deaf = fault == "cut after"
        await self._send(b"".join(messages))

    async def _send(self, data: bytes) -> None:
        self._server_writer.write(data)
        await self._server_writer.drain()

    async def _answered(self) -> None:
        heard = b""
        while data := await self._server_reader.read(65_536):
            await self._proxy.flowing()
            if self._deaf:
                heard += data
                if _is_over(heard):
                    return
                continue
            self._writer.write(data)
            await self._writer.drain()


def _failing(messages: list[bytes], *, ends: bool) -> list[bytes]:
    """Return messages in the place of others, at which the server fails as it may at any.

    A COMMIT that fails ends the transaction all the same.
    """
    if messages[-1][:1] == b"Q":
        return [_message(b"Q", b"ROLLBACK; " + _FAILING if ends else _FAILING)]
    return [_message(b"P", b"\0" + _FAILING + b"\0\0"), messages[-1]]


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + (len(body) + 4).to_bytes(4) + body


def _is_over(heard: bytes) -> bool:
    """Tell whether answers end with the server being ready for the next statement."""
    at = 0
    while len(heard) >= at + 5:
        if heard[at : at + 1] == b"Z":
            return True
        at += 1 + int.from_bytes(heard[at + 1 : at + 5])
    return False
