"""What callers wrote and were told, and whether the database agrees: nothing lost, nothing twice.

Every write has a mark of its own that is found again in the rows it made.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import asyncpg
import httpx

from faults.writes import Commune, Write

PATIENCE: Final = 10.0  # seconds until a service that could work again must
_DONE: Final = (200, 201)


@dataclasses.dataclass
class Ledger:
    """What was tried and what came back."""

    tried: list[Write] = dataclasses.field(default_factory=list)
    acknowledged: set[str] = dataclasses.field(default_factory=set)
    statuses: Counter[int] = dataclasses.field(default_factory=Counter)
    replayed: int = 0
    broken: int = 0  # connections that ended with a service that was killed
    wrong: list[str] = dataclasses.field(default_factory=list)
    kills: int = 0  # of the service itself: callers lose their connections then
    down: bool = False  # killed and not back yet
    asked: float = math.inf  # since when an answer is waited for
    served: float | None = None  # when something asked since then was acknowledged

    async def serves(self) -> float:
        """Return after how many seconds something that is asked from now on is acknowledged.

        Four times the promise are waited, so that a late answer is told apart from none.
        """
        self.asked, self.served = time.monotonic(), None
        end = self.asked + 4 * PATIENCE
        while self.served is None and time.monotonic() < end:  # noqa: ASYNC110 - answers are many
            await asyncio.sleep(0.01)
        return math.inf if self.served is None else self.served - self.asked


async def carry_out(
    http: httpx.AsyncClient, write: Write, ledger: Ledger, *, pause: float = 0.02
) -> None:
    """Send a write with its key until it is acknowledged; remember every answer that is wrong."""
    ledger.tried.append(write)
    for attempt in itertools.count():
        headers = {
            "content-type": write.media,
            "idempotency-key": write.key,
            "x-request-id": f"{write.key}.{attempt}",
        }
        kills, down, since = ledger.kills, ledger.down, time.monotonic()
        try:
            answer = await http.post(write.path, content=write.content, headers=headers)
        except httpx.TransportError as error:
            # A service that was killed meanwhile, or was not back yet, cannot answer.
            killed = down or ledger.kills > kills
            if isinstance(error, httpx.TimeoutException) or not killed:
                ledger.wrong.append(f"{write.path}: {error!r} after {time.monotonic() - since:.1f}")
                return
            ledger.broken += 1
        else:
            if _is_settled(answer, write, ledger, since):
                return
        await asyncio.sleep(5 * pause if ledger.down else pause)


def _is_settled(answer: httpx.Response, write: Write, ledger: Ledger, since: float) -> bool:
    """Note an answer; tell whether there is nothing to try again."""
    ledger.statuses[answer.status_code] += 1
    if answer.status_code in _DONE:
        ledger.acknowledged.add(write.key)
        ledger.replayed += answer.headers.get("idempotent-replayed") == "true"
        if since >= ledger.asked and ledger.served is None:
            ledger.served = time.monotonic()
        return True
    waits = answer.headers.get("retry-after", "").isdigit()
    in_flight = answer.status_code == 409 and "idempotency-in-progress" in answer.text
    if (answer.status_code == 503 or in_flight) and waits:
        return False
    ledger.wrong.append(f"{write.path}: {answer.status_code} {answer.text[:200]}")
    return True


class Findings(NamedTuple):
    """What does not fit between callers and database."""

    acknowledged: int
    lost: int
    doubled: int
    partial: int
    loose: int
    unaudited: int
    wrong: int
    said: str

    @property
    def good(self) -> bool:
        """Tell whether everything fits, and anything was tried."""
        return self.acknowledged > 0 and not any(self[1:7])

    def told(self) -> str:
        """Return it as words of a table."""
        names = self._fields[:7]
        told = ", ".join(f"{self[at]} {name}" for at, name in enumerate(names))
        return f"{told} {self.said}".rstrip()


async def as_owner(parameters: Mapping[str, Any]) -> asyncpg.Connection[asyncpg.Record]:
    """Connect as the owner, who sees every row."""
    settings = {"ntm.nation": "on", "search_path": "ntm", "application_name": "judge"}
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(
        **parameters, timeout=30, server_settings=settings
    )
    return connection


async def communes_of(
    connection: asyncpg.Connection[asyncpg.Record], most: int = 240
) -> list[Commune]:
    """Return old communes of Phú Thọ."""
    rows = await connection.fetch(
        "SELECT DISTINCT v.unit_id, v.code FROM unit_version v JOIN unit u ON u.id = v.unit_id "
        "JOIN unit p ON p.id = v.province_id "
        "WHERE p.key = 'province-25' AND u.level = 'commune' ORDER BY 2 LIMIT $1",
        most,
    )
    return [Commune(row["unit_id"], row["code"]) for row in rows]


# A value that no row of the current values shows, or that was followed without an event, and acts
# of recording that recorded nothing.
LOOSE: Final = """
SELECT (SELECT count(*) FROM (
          SELECT unit_id, indicator, period, max(id) AS id FROM value GROUP BY 1, 2, 3) v
          FULL JOIN current_value c USING (unit_id, indicator, period)
         WHERE v.id IS DISTINCT FROM c.value_id)
     + (SELECT count(*) FROM value v
          LEFT JOIN current_value c ON c.value_id = v.id
          LEFT JOIN (SELECT value_id, count(*) AS times FROM value_event
                      WHERE status = 'superseded' GROUP BY 1) e ON e.value_id = v.id
         WHERE coalesce(e.times, 0) <> CASE WHEN c.value_id IS NULL THEN 1 ELSE 0 END)
     + (SELECT count(*) FROM recording r
         WHERE NOT EXISTS (SELECT FROM value v WHERE v.recording_id = r.id)
           AND NOT EXISTS (SELECT FROM evaluation e WHERE e.recording_id = r.id)
           AND NOT EXISTS (SELECT FROM value_event e WHERE e.recording_id = r.id))
"""
_MARKS: Final = """
SELECT substr(source, 7) AS key, count(*) FROM value WHERE source LIKE 'drill %' GROUP BY 1
"""
_AUDITED: Final = """
SELECT split_part(request_id, '.', 1) AS key, count(DISTINCT request_id) AS times
  FROM audit_entry WHERE request_id LIKE '%.%' GROUP BY 1
"""


async def judge(connection: asyncpg.Connection[asyncpg.Record], ledger: Ledger) -> Findings:
    """Compare what callers were told with what is on record."""
    marks = Counter[str]()
    for row in await connection.fetch(_MARKS):
        marks[row["key"]] = row["count"]
    verdicts = {
        (row["unit_id"], row["period"]): row["count"]
        for row in await connection.fetch(
            "SELECT unit_id, period, count(*) FROM evaluation GROUP BY 1, 2"
        )
    }
    audited = {row["key"]: row["times"] for row in await connection.fetch(_AUDITED)}
    found = Counter[str]()
    for write in ledger.tried:
        each = (
            [marks[write.key]]
            if write.kind == "values"
            else [write.rows * verdicts.get(one, 0) for one in write.judged]
        )
        found["lost"] += write.key in ledger.acknowledged and min(each) < write.rows
        found["doubled"] += max(each) > write.rows
        found["partial"] += min(each) < max(each) or 0 < min(each) < write.rows
        found["unaudited"] += audited.get(write.key, 0) != (max(each) > 0)
    loose = await connection.fetchval(LOOSE)
    return Findings(
        len(ledger.acknowledged),
        found["lost"],
        found["doubled"],
        found["partial"],
        loose,
        found["unaudited"],
        len(ledger.wrong),
        f"(answers {dict(sorted(ledger.statuses.items()))}, {ledger.replayed} replayed"
        + (f", wrong: {ledger.wrong[:2]}" if ledger.wrong else "")
        + ")",
    )


async def keep_writing(
    http: httpx.AsyncClient,
    source: Iterator[Write],
    ledger: Ledger,
    goes_on: Callable[[], bool],
    *,
    pause: float = 0.02,
) -> None:
    """Carry out one write after the other."""
    while goes_on():
        await carry_out(http, next(source), ledger, pause=pause)
