"""Attempts at random, by callers at the same time, with whatever one can learn of another.

Ids, cursors, ETags and keys of requests of others open nothing.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from typing import Final

from app.domain.clients import SCOPES
from faults.direct import Asked, Reply
from faults.isolation_bulk import KEEPING
from faults.isolation_laws import Judge, allowed
from faults.isolation_probes import DEAR, LISTS, PROBES
from faults.isolation_spots import NATION, SPOTS, UNITS_OF, reaches
from faults.isolation_world import World, measured

_NUMBERED: Final = ("values", "evaluations", "audit", "grants", "jobs", "imports",
                    "evaluation-runs", "evidence-submissions")  # fmt: skip
_WORKERS: Final = 6


def _often(operation: str) -> int:
    """Return how often an operation is attempted, compared with others.

    Lists hold the most and take long, statistics and files longer. A file that is sent costs a
    process and leaves an import behind: that is done in the matrix, once for each pair.
    """
    if operation in KEEPING:
        return 0
    return 1 if operation in DEAR else 4 if operation in LISTS else 8


_OFTEN: Final = [one for one in PROBES for _ in range(_often(one))]


class Storm:
    """Attempts at random by callers at the same time, at what is not theirs."""

    def __init__(self, world: World, judge: Judge, dice: random.Random, size: int) -> None:
        self._world, self._judge, self._dice, self._size = world, judge, dice, size
        self._cursors: list[tuple[str, str]] = []
        self._keyed: list[tuple[str, Asked]] = []

    async def blow(self) -> None:
        """Make so many attempts."""
        await self._prepare()
        await self._judge.count()
        async with self._judge.unchanged():
            await asyncio.gather(*(self._work() for _ in range(_WORKERS)))
        await self._judge.look_for_nobody()

    async def _prepare(self) -> None:
        """Let the nation leave behind what others could try: cursors of lists, keys of requests."""
        for noun in (*_NUMBERED, "clients"):
            path = f"/v1/{noun}"
            answer = await self._world.ask(NATION, Asked("GET", path, "limit=1"))
            self._cursors.append((path, answer.json()["next"]))
        for name in "ABRW":
            key = secrets.token_hex(8)
            body = {"values": [measured(SPOTS[name], "V2")]}
            asked = Asked("POST", "/v1/values", body=body, headers=(("idempotency-key", key),))
            assert (await self._world.ask(NATION, asked)).status == 201
            self._keyed.append((name, asked))

    async def _work(self) -> None:
        callers = [name for name in UNITS_OF if name != NATION]
        while self._judge.attempts < self._size:
            caller = self._dice.choice(callers)
            chosen = self._dice.random()
            if chosen < 0.03:
                await self._continued(caller)
            elif chosen < 0.06:
                await self._replayed(caller)
            elif chosen < 0.20:
                await self._guessed(caller)
            else:
                await self._attempt(caller)
            if self._dice.random() < 0.02:
                await self._judge.look_for_nobody()

    async def _attempt(self, caller: str) -> None:
        """Attempt an operation at a unit that is not the caller's; ETags of others fit nothing."""
        operation, name = self._dice.choice(_OFTEN), self._dice.choice(list(SPOTS))
        attempts = await PROBES[operation](self._world, name, False)
        fair = [one for one in attempts if self._judge.is_fair(caller, name, one)]
        mine = [one for one in fair if not one.kind or not allowed(caller, name, one)]
        if not mine:
            return
        attempt = self._dice.choice(mine)
        etag = self._world.rows[name].etags.get(attempt.kind)
        if etag and self._dice.random() < 0.5:
            headers = (*attempt.asked.headers, ("if-none-match", etag))
            attempt = attempt._replace(asked=attempt.asked._replace(headers=headers))
        scopes = (self._dice.choice(list(SCOPES)),) if self._dice.random() < 0.1 else ()
        await self._judge.judge(operation, caller, name, attempt, *scopes)

    async def _guessed(self, caller: str) -> None:
        """Ask for any number: whatever comes back holds nothing foreign."""
        noun = self._dice.choice(_NUMBERED)
        number = self._dice.randrange(1, 400)
        tail = self._dice.choice(("", "/history")) if noun == "values" else ""
        asked = Asked("GET", f"/v1/{noun}/{number}{tail}")
        await self._ask(caller, asked, (200, 404, 422))

    async def _continued(self, caller: str) -> None:
        """Go on in a list where the nation stopped: the cursor opens nothing."""
        path, cursor = self._dice.choice(self._cursors)
        await self._ask(caller, Asked("GET", path, f"limit=500&cursor={cursor}"), (200,))

    async def _replayed(self, caller: str) -> None:
        """Send a request of the nation again, under its key: it is answered as the caller's own."""
        foreign = [one for one in self._keyed if not reaches(caller, one[0])]
        name, asked = self._dice.choice(foreign)
        reply = await self._ask(caller, asked, (404, 409, 422))  # 409: its own, in flight
        if "idempotent-replayed" in reply.headers:
            self._judge.complain("an answer to another", caller, name)

    async def _ask(self, caller: str, asked: Asked, right: tuple[int, ...]) -> Reply:
        reply = await self._world.ask(caller, asked)
        self._judge.attempts += 1
        self._judge.canaries(caller, asked, reply, (caller, asked[:3]))
        if reply.status not in right:
            self._judge.complain("an odd answer", caller, asked[:3], reply.status, reply.body[:300])
        return reply
