"""Reading ahead: while a frame is loaded, the next ones are made."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Final, TypeVar

import asyncpg

Item = TypeVar("Item")
_FRAMES: Final = 2  # that wait to be loaded, at most
_PATIENCE: Final = 3.0  # seconds after which the database hears of us; it gives idle ones up


@asynccontextmanager
async def read_ahead(
    source: AsyncIterator[Item], connection: asyncpg.Connection
) -> AsyncIterator[AsyncIterator[Item]]:
    """Give what a source yields, read ahead of whoever takes it, until the end of a block.

    Meanwhile the transaction of the connection is kept from being idle, as not every item is a
    matter of the database.
    """
    waiting: asyncio.Queue[Item | None] = asyncio.Queue(_FRAMES)

    async def read() -> None:
        try:
            async for item in source:
                await waiting.put(item)
        finally:
            # Whoever waits must not wait for ever; a full queue is looked at anyway.
            with suppress(asyncio.QueueFull):
                waiting.put_nowait(None)

    reading = asyncio.create_task(read())
    try:
        async with aclosing(_taken(waiting, reading, connection)) as taken:
            yield taken
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def _taken(
    waiting: asyncio.Queue[Item | None],
    reading: asyncio.Task[None],
    connection: asyncpg.Connection,
) -> AsyncGenerator[Item, None]:
    heard = time.monotonic()
    while not (reading.done() and waiting.empty()):
        try:
            item = await asyncio.wait_for(waiting.get(), _PATIENCE)
        except TimeoutError:
            item = None
        if time.monotonic() - heard >= _PATIENCE:
            await connection.execute("SELECT 1")
            heard = time.monotonic()
        if item is not None:
            yield item
    await reading
