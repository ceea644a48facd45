"""Turns: of one province one import at a time loads values.

Two that write the same values in different orders would wait for each other for ever.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection
from typing import Final

import asyncpg

from app.domain.hindrances import Hindered
from app.rules.errors import Text

_QUEUE: Final = 7419  # the first half of an advisory lock: imports of one province queue
_TURN: Final = "SELECT pg_try_advisory_xact_lock($1, $2)"
_PAUSE: Final = 0.2  # seconds
_LATER: Final = 5  # seconds until it is worth asking again


async def wait_for(
    connection: asyncpg.Connection, provinces: Collection[int], patience: float
) -> None:
    """Wait for the turn of an import that loads values of these provinces; it has it to its end.

    Raises Hindered after `patience` seconds.
    """
    until = time.monotonic() + patience
    for province in sorted(provinces):
        while not await connection.fetchval(_TURN, _QUEUE, province):
            if time.monotonic() > until:
                raise Hindered("province-busy", _BUSY, _LATER, passes=True)
            await asyncio.sleep(_PAUSE)


_BUSY: Final = Text(
    "một lần nhập khác của cùng tỉnh đang chạy; hãy thử lại sau ít phút",
    "another import of the same province is under way; try again in a few minutes",
)
