"""Places for what takes long: so many in a process, and of those so many for one client."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from app.api.problems import Problem
from app.rules.errors import Text


class Places:
    """The places of a process, and who has taken them.

    `full` and `enough` are what is told where all are taken, and where the client has as many as
    it may; `soon` is after how many seconds it is worth trying again.
    """

    def __init__(self, most: int, of_one: int, full: Text, enough: Text, soon: int) -> None:
        self._most, self._of_one = most, of_one
        self._full, self._enough = full, enough
        self._again = {"retry-after": str(soon)}
        self._taken: Counter[str] = Counter()

    @property
    def running(self) -> int:
        """Return how many are taken at this moment."""
        return self._taken.total()

    @contextmanager
    def place(self, client: str) -> Iterator[None]:
        """Take a place for as long as the block lasts; raise 429 or 503 when there is none."""
        if self._taken[client] >= self._of_one:
            raise Problem("rate-limited", self._enough, headers=self._again)
        if self.running >= self._most:
            raise Problem("overloaded", self._full, headers=self._again)
        self._taken[client] += 1
        try:
            yield
        finally:
            self._taken[client] -= 1
            self._taken += Counter()  # whoever has none is forgotten
