"""Answers that go on: how many at once, and that a service which stops does not wait for them.

An answer is counted before anything is read, and until it ends, however it ends.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Final

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from app.api.concurrency import ConcurrencyLimit
from app.rules.errors import Text

EVENTS: Final = "text/event-stream"
_MOST: Final = 100
_OF_ONE: Final = 20  # of one client
_SOON: Final = 30  # seconds
_FULL: Final = Text(
    "đang có quá nhiều kết nối theo dõi; hãy thử lại sau ít phút, hoặc hỏi lại định kỳ tại "
    "/v1/jobs/{id}",
    "too many are following jobs at the moment; try again in a few minutes, or ask /v1/jobs/{id} "
    "now and then",
)


_ENOUGH: Final = Text(
    f"bạn đang theo dõi {_OF_ONE} công việc cùng lúc; hãy đóng bớt kết nối, hoặc hỏi lại định kỳ "
    "tại /v1/jobs/{id}",
    f"you follow {_OF_ONE} jobs at once; close some of the connections, or ask /v1/jobs/{{id}} "
    "now and then",
)


class Streams(ConcurrencyLimit):
    """The answers of a process that go on until something ends."""

    def __init__(self, most: int = _MOST, of_one: int = _OF_ONE) -> None:
        super().__init__(most, of_one, _FULL, _ENOUGH, _SOON)
        self._closing = asyncio.Event()

    def close(self) -> None:
        """End them all: the service stops."""
        self._closing.set()

    async def pause(self, seconds: float) -> bool:
        """Wait; tell whether to go on."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), seconds)
        return not self._closing.is_set()


class EventStream(StreamingResponse):
    """Server-sent events; `opened` ends with them, however they end."""

    def __init__(
        self,
        opened: contextlib.ExitStack,
        events: AsyncIterator[bytes],
        headers: Mapping[str, str],
    ) -> None:
        super().__init__(events, 200, headers, EVENTS)
        self._opened = opened

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events while somebody takes them."""
        with self._opened:
            await super().__call__(scope, receive, send)
