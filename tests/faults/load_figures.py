"""What was measured under load, and by which bounds it is judged."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

from faults.shooting import Sample

BOUND: Final = 3.0  # times the unloaded p99 that an admitted request may take
SHED: Final = 0.050  # seconds until a refusal
GOODPUT: Final = 0.9  # of the capacity
BACK: Final = 2.0  # seconds until everything is as before


class Volley(NamedTuple):
    """What came back of one load."""

    samples: Sequence[Sample]
    seconds: float
    most: int  # requests that were under way at once
    unsent: int = 0

    def and_(self, later: Volley) -> Volley:
        """Return both as one."""
        return Volley(
            [*self.samples, *later.samples],
            self.seconds + later.seconds,
            max(self.most, later.most),
            self.unsent + later.unsent,
        )

    @property
    def good(self) -> list[float]:
        """Return how long each took that was served."""
        return [one.seconds for one in self.samples if 200 <= one.status < 300]

    @property
    def shed(self) -> list[float]:
        """Return how long each took that was refused for lack of room."""
        return [one.seconds for one in self.samples if one.status == 503]

    @property
    def rate(self) -> float:
        """Return how many a second were served."""
        return len(self.good) / self.seconds

    @property
    def odd(self) -> Counter[str]:
        """Return what came back that must not: neither served nor refused as it should be."""
        wrong = Counter(
            f"{one.kind}: {one.status}" for one in self.samples
            if not (200 <= one.status < 300 or one.status in (429, 503))
        )  # fmt: skip
        untold = sum(not one.told for one in self.samples)
        return wrong + Counter({"503 without code or Retry-After": untold} if untold else {})


class Loaded(NamedTuple):
    """Everything that was measured of one service."""

    alone: Volley
    capacity: Volley
    load: Volley
    after: Volley
    ill: int  # answers of /livez that were none, or not 200
    asked: int  # how often health was asked
    said: str  # traces in its log
    flood: Volley | None = None

    @property
    def stretch(self) -> float:
        """Return how many times longer the slowest admitted take than the slowest alone."""
        return p99(self.load.good) / p99(self.alone.and_(self.after).good)

    @property
    def held(self) -> list[str]:
        """Return what broke a law that holds on any machine."""
        odd = sum((volley.odd for volley in self._all), Counter[str]())
        wrong = [f"{what} {number} times" for what, number in odd.items()]
        if self.ill or not self.asked:
            wrong.append(f"health failed {self.ill} of {self.asked} times")
        if any(one.status >= 300 for one in self.after.samples) or not self.after.good:
            wrong.append("not back to normal")
        return wrong + ([f"traces: {self.said}"] if self.said else [])

    @property
    def _all(self) -> list[Volley]:
        volleys = [self.alone, self.capacity, self.load, self.after]
        return [*volleys, self.flood] if self.flood else volleys

    @property
    def slow(self) -> list[str]:
        """Return which figures miss their bounds."""
        found = []
        if self.stretch > BOUND:
            found.append("admitted p99")
        if self.load.shed and p99(self.load.shed) > SHED:
            found.append("shed p99")
        if self.load.rate < GOODPUT * self.capacity.rate:
            found.append("goodput")
        if p99(self.after.good) > BOUND * p99(self.alone.good):
            found.append("not as before")
        return found

    def told(self) -> str:
        """Return the figures in a line."""
        flood = f", at ten times {self.flood.rate:.0f}/s" if self.flood else ""
        return (
            f"alone p99 {ms(self.alone.good)}, capacity {self.capacity.rate:.0f}/s; admitted p99 "
            f"{ms(self.load.good)} ({self.stretch:.1f}x), goodput {self.load.rate:.0f}/s "
            f"({self.load.rate / self.capacity.rate:.0%}), {len(self.load.shed)} shed p99 "
            f"{ms(self.load.shed)}, at most {self.load.most} under way, after p99 "
            f"{ms(self.after.good)}{flood}"
        )


def p99(seconds: Sequence[float]) -> float:
    """Return the time within which 99 of 100 were answered."""
    if not seconds:
        return math.inf
    return sorted(seconds)[math.ceil(0.99 * len(seconds)) - 1]


def ms(seconds: Sequence[float]) -> str:
    """Return that time for people."""
    return f"{1000 * p99(seconds):.0f} ms" if seconds else "-"
