"""How many requests a minute a client may send: one token bucket for each, in memory.

A process counts for itself; several processes behind one address allow as many times more.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from fastapi import Request

from app.api.problems import Problem
from app.rules.errors import Text

_WINDOW: Final = 60.0  # seconds in which an empty bucket becomes full
_MOST: Final = 10_000  # buckets that are kept
FAILURES: Final = 20  # failed logins a minute of one client id before they are called what they are


class Allowance(NamedTuple):
    """What a client may still send, and when it may send everything again."""

    allowed: bool
    limit: int
    remaining: int
    full_in: int
    next_in: int

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return the header fields that tell it: the usual ones, and those of the IETF's draft."""
        more_in = self.full_in if self.allowed else self.next_in  # as Retry-After says it
        limit, rest, full = (b"%d" % one for one in (self.limit, self.remaining, more_in))
        return [
            (b"ratelimit-limit", limit),
            (b"ratelimit-remaining", rest),
            (b"ratelimit-reset", full),
            (b"ratelimit-policy", b'"client";q=%b;w=%d' % (limit, _WINDOW)),
            (b"ratelimit", b'"client";r=%b;t=%b' % (rest, full)),
        ]


class Buckets:
    """A bucket of `limit` tokens for each name; it fills evenly within a minute."""

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit, self._clock = limit, clock
        self._buckets: dict[str, tuple[float, float]] = {}  # tokens then, when; oldest use first

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, name: str) -> Allowance:
        """Take a token, when there is one."""
        now, pace = self._clock(), self._limit / _WINDOW
        tokens, then = self._buckets.pop(name, (float(self._limit), now))
        tokens = min(float(self._limit), tokens + (now - then) * pace)
        allowed = tokens >= 1
        tokens -= allowed
        self._buckets[name] = (tokens, now)
        self._forget(now)
        return Allowance(
            allowed,
            self._limit,
            int(tokens),
            math.ceil((self._limit - tokens) / pace),
            max(1, math.ceil((1 - tokens) / pace)),
        )

    def _forget(self, now: float) -> None:
        """Forget buckets that are full again; they stand in front, for nobody used them since."""
        for _ in range(2):  # one comes at a time, so the number only falls
            oldest = next(iter(self._buckets))
            if now - self._buckets[oldest][1] < _WINDOW and len(self._buckets) <= _MOST:
                return
            del self._buckets[oldest]


class RateLimits:
    """The buckets of a service: requests of clients, and failed logins."""

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.requests = Buckets(limit, clock) if limit else None
        self.failures = Buckets(FAILURES, clock)


def spend(request: Request, client_id: str) -> None:
    """Count a request of a client that was recognised; raise 429 when it sent too many."""
    limits: RateLimits = request.app.state.rate_limits
    if limits.requests is None:
        return
    request.state.allowance = allowance = limits.requests.take(client_id)
    if not allowance.allowed:
        raise Problem(
            "rate-limited",
            Text(
                f"quá {allowance.limit} yêu cầu một phút; hãy thử lại sau {allowance.next_in} "
                "giây, hoặc gửi nhiều số liệu trong một yêu cầu",
                f"more than {allowance.limit} requests a minute; try again in "
                f"{allowance.next_in} s, or send more values in one request",
            ),
            headers={"retry-after": str(allowance.next_in)},
        )
