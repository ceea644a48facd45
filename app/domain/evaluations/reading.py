"""Reading verdicts on record: one, lists, and changes in order; as rows."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import asyncpg
import msgspec

from app.domain.conditions import Conditions
from app.domain.refusals import Absent, Complaint, Conflict
from app.domain.ruleset_snapshots import Snapshots, Version
from app.domain.ruleset_snapshots import damaged as ruleset_damaged
from app.domain.territory import Sight, Territory
from app.rules.errors import Text
from app.rules.facts import Recorded
from app.rules.stored import read_inputs, read_judgement
from app.rules.verdict import Inputs, Judgement


class Followed(msgspec.Struct, frozen=True):
    """A value that a verdict rests on and that counts no more: what became of it, and when."""

    indicator: str
    unit: str
    period: str
    value_id: int
    status: str
    followed_by: int | None
    at: datetime.datetime


class Wanted(msgspec.Struct, frozen=True):
    """Which verdicts: those that fit everything that is given, within what the caller may see."""

    visible: Sight
    units: tuple[int, ...] | None = None
    under: Territory | None = None
    ruleset: str | None = None
    period: str | None = None
    outcome: str | None = None
    latest: bool = False
    run: int | None = None

    def conditions(self) -> Conditions:
        """Return the conditions on evaluations."""
        found = Conditions()
        found.seen(self.visible, "e")
        found.within(self.under, "e")
        if self.units is not None:
            found.add("e.unit_id = ANY({}::int[])", list(self.units))
        for name in ("ruleset", "period", "outcome"):
            if (value := getattr(self, name)) is not None:
                found.add(f"e.{name} = {{}}", value)
        if self.run is not None:
            found.add("e.run_id = {}", self.run)
        if self.latest:
            found.add(_LATEST)
        return found


_LATEST: Final = """
NOT EXISTS (SELECT FROM evaluation l WHERE l.unit_id = e.unit_id AND l.ruleset = e.ruleset
               AND l.period = e.period AND l.id > e.id)
"""
_SOURCE: Final = """
  FROM evaluation e JOIN recording r ON r.id = e.recording_id
"""
_COLUMNS: Final = """
e.id, e.unit_id, e.ruleset, e.digest, e.period, e.unit, e.leaves, e.verdict, e.software,
e.run_id, e.min_status, e.evidence, r.recorded_at, r.author
"""


async def get(
    connection: asyncpg.Connection, visible: Sight, id_: int, more_columns: str = ""
) -> asyncpg.Record:
    """Return the row of an evaluation; raise Absent."""
    where = Conditions()
    where.seen(visible, "e")
    where.add("e.id = {}", id_)
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} {more_columns} {_SOURCE} WHERE {where}", *where.parameters
    )
    if row is None:
        message = Text(
            f"không có kết luận số {id_} trong địa bàn của bạn",
            f"there is no evaluation {id_} in your territory",
        )
        raise Absent(Complaint("/id", "evaluation-not-found", message))
    return row


_FOLLOWED: Final = """
SELECT v.indicator, u.key AS unit, v.period, v.id AS value_id, e.status, a.recorded_at AS at,
       (SELECT n.id FROM value n
         WHERE (n.unit_id, n.indicator, n.period) = (v.unit_id, v.indicator, v.period)
           AND n.id > v.id ORDER BY n.id LIMIT 1) AS followed_by
  FROM value v JOIN unit u ON u.id = v.unit_id
 CROSS JOIN LATERAL (SELECT * FROM value_event WHERE value_id = v.id
                        AND status IN ('superseded', 'retracted')
                      ORDER BY id DESC LIMIT 1) e
  JOIN recording a ON a.id = e.recording_id
 WHERE v.id = ANY($1::bigint[]) ORDER BY v.id
"""


async def followed(connection: asyncpg.Connection, row: asyncpg.Record) -> tuple[Followed, ...]:
    """Return the values that a verdict rests on and that were followed or retracted since.

    `row` has the inputs too. Values that the caller does not see are not named.
    """
    with undamaged(row["id"]):
        ids = list(_values_of(read_inputs(row["inputs"])))
    return tuple(Followed(**one) for one in await connection.fetch(_FOLLOWED, ids))


def _values_of(inputs: Inputs) -> Iterator[int]:
    for facts in (inputs.facts, *(one.facts for one in inputs.members or ())):
        for one in facts.values():
            if isinstance(one, Recorded) and one.value_id is not None:
                if type(one.value_id) is not int or not 0 < one.value_id < 2**63:
                    raise ValueError("this is no number of a value")
                yield one.value_id


async def page(
    connection: asyncpg.Connection, wanted: Wanted, limit: int, after: int
) -> list[asyncpg.Record]:
    """Return the rows of evaluations, the newest first, that are older than number `after`."""
    where = wanted.conditions()
    if after:
        where.add("e.id < {}", after)
    return list(
        await connection.fetch(
            f"SELECT {_COLUMNS} {_SOURCE} WHERE {where} ORDER BY e.id DESC LIMIT {limit:d}",
            *where.parameters,
        )
    )


async def changes(
    connection: asyncpg.Connection,
    wanted: Wanted,
    since: datetime.datetime,
    limit: int,
    after: tuple[int, int],
) -> list[asyncpg.Record]:
    """Return the rows of evaluations in the order in which they came on record.

    `after` is the place of the last one seen: the position of its act of recording, its number.
    """
    where = wanted.conditions()
    where.add("r.recorded_at >= {}", since)
    where.add("r.position >= {} AND (r.position > {} OR e.id > {})", after[0], *after)
    return list(
        await connection.fetch(
            f"SELECT {_COLUMNS}, r.position {_SOURCE} WHERE {where}"
            f" ORDER BY r.position, e.id LIMIT {limit:d}",
            *where.parameters,
        )
    )


async def version(
    connection: asyncpg.Connection, snapshots: Snapshots, row: asyncpg.Record
) -> Version:
    """Return the ruleset that a verdict was judged by, as it was; raise Conflict otherwise."""
    found = await snapshots.of(connection, row["ruleset"], row["digest"])
    if found is None or not found.intact:
        raise ruleset_damaged(row["ruleset"])
    return found


@contextmanager
def undamaged(id_: int) -> Iterator[None]:
    """Raise Conflict where what is stored of a verdict cannot be what was written.

    Altered bytes may still be well-formed: then what stands in them is of no use to the kernel.
    """
    try:
        yield
    except (msgspec.MsgspecError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise damaged(id_) from error


def judgement(row: asyncpg.Record) -> Judgement:
    """Return the judgement of a row; raise Conflict where the bytes were damaged."""
    with undamaged(row["id"]):
        return read_judgement(row["verdict"])


def damaged(id_: int) -> Conflict:
    """Say that what is stored of a verdict is not what was written."""
    message = Text(
        f"dữ liệu lưu của kết luận số {id_} đã bị hỏng hoặc bị sửa; hãy báo quản trị viên và đánh "
        "giá lại",
        f"what is stored of evaluation {id_} was damaged or altered; tell the administrator and "
        "evaluate again",
    )
    return Conflict(Complaint("/id", "evaluation-damaged", message))


def number(row: asyncpg.Record) -> list[str]:
    """Return the place of a verdict in the order of numbers."""
    return [str(row["id"])]


def position(row: asyncpg.Record) -> list[str]:
    """Return the place of a verdict in the order in which verdicts came on record."""
    return [str(row["position"]), str(row["id"])]
