"""Answers that go on: how many at once, and that a service which stops does not wait for them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Final

from app.api.problems import Problem
from app.rules.errors import Text

_MOST: Final = 100
_FULL: Final = Text(
    "đang có quá nhiều kết nối theo dõi; hãy thử lại sau ít phút, hoặc hỏi lại định kỳ tại "
    "/v1/jobs/{id}",
    "too many are following jobs at the moment; try again in a few minutes, or ask /v1/jobs/{id} "
    "now and then",
)


class Streams:
    """The answers of a process that go on until something ends."""

    def __init__(self, most: int = _MOST) -> None:
        self._most, self.open = most, 0
        self._closing = asyncio.Event()

    def check_room(self) -> None:
        """Raise Problem when there are as many as there may be."""
        if self.open >= self._most:
            raise Problem("overloaded", _FULL, headers={"retry-after": "30"})

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Count one for the length of a block."""
        self.open += 1
        try:
            yield
        finally:
            self.open -= 1

    def close(self) -> None:
        """End them all: the service stops."""
        self._closing.set()

    async def pause(self, seconds: float) -> bool:
        """Wait; tell whether to go on."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), seconds)
        return not self._closing.is_set()
