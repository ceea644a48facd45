"""How much of what takes long goes on at once: so much in a process, and so much of one client."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from app.api.problems import Problem
from app.rules.errors import Text


class ConcurrencyLimit:
    """What goes on in a process at this moment, and of which clients.

    `full` and `enough` are what is told where no more may begin, and where the client has as many
    as it may; `soon` is after how many seconds it is worth trying again.
    """

    def __init__(self, most: int, of_one: int, full: Text, enough: Text, soon: int) -> None:
        self._most, self._of_one = most, of_one
        self._full, self._enough = full, enough
        self._again = {"retry-after": str(soon)}
        self._by_client: Counter[str] = Counter()

    @property
    def running(self) -> int:
        """Return how many go on at this moment."""
        return self._by_client.total()

    @contextmanager
    def one_more(self, client: str) -> Iterator[None]:
        """Let one more of a client go on while the block lasts; raise 429 or 503 at the limit."""
        if self._by_client[client] >= self._of_one:
            raise Problem("rate-limited", self._enough, headers=self._again)
        if self.running >= self._most:
            raise Problem("overloaded", self._full, headers=self._again)
        self._by_client[client] += 1
        try:
            yield
        finally:
            self._by_client[client] -= 1
            self._by_client += Counter()  # whoever has none is forgotten
