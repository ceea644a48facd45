"""Comparing two runs of one ruleset: which units came out differently, and which criteria, why.

Units are matched as legal entities: one that was merged meanwhile is in one of the runs only.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import asyncpg
import msgspec

from app.domain.evaluation_runs import reading
from app.domain.evaluation_runs.causes import Judged, changed, whole_of
from app.domain.evaluations import reading as verdicts
from app.domain.refusals import Complaint, Refused
from app.domain.ruleset_snapshots import Snapshots
from app.domain.territory import Territory
from app.rules.errors import Text
from app.rules.evaluate import Compiled
from app.rules.stored import read_inputs
from app.rules.vocabulary import NO_OVERALL_RULE

_PAUSE: Final = 100  # units that are looked at before others have their turn
# What of two runs can be told without reading the verdicts; the same leaves: the same outcome.
_MATCHED: Final = """
SELECT coalesce(a.unit_id, b.unit_id) AS unit_id, a.id AS a, b.id AS b, a.outcome AS a_outcome,
       b.outcome AS b_outcome,
       CASE WHEN a.leaves IS DISTINCT FROM b.leaves OR $3 THEN a.leaves END AS a_leaves,
       CASE WHEN a.leaves IS DISTINCT FROM b.leaves OR $3 THEN b.leaves END AS b_leaves
  FROM (SELECT * FROM evaluation WHERE run_id = $1) a
  FULL JOIN (SELECT * FROM evaluation WHERE run_id = $2) b ON b.unit_id = a.unit_id
 ORDER BY coalesce(a.id, b.id)
"""
_READ: Final = """
SELECT e.id, e.unit_id, e.ruleset, e.digest, e.unit, e.inputs, e.verdict FROM evaluation e
 WHERE e.id = ANY($1::bigint[])
"""


class Runs(msgspec.Struct, frozen=True):
    """Two runs that can be compared, each with its ruleset as it was."""

    before: asyncpg.Record
    after: asyncpg.Record
    rulesets: tuple[Compiled, Compiled]


class Flip(msgspec.Struct, frozen=True):
    """A unit that came out differently: its verdicts, and the outcome of each as a whole."""

    unit_id: int
    verdicts: tuple[int, int]
    outcomes: tuple[str, str]


class Matched(msgspec.Struct, frozen=True):
    """The units of two runs: how many came out how, and those that differ, in the run's order."""

    counts: dict[str, Any]
    flips: Sequence[Flip]


async def runs(
    connection: asyncpg.Connection,
    snapshots: Snapshots,
    own: Territory,
    ids: tuple[int, int],
) -> Runs:
    """Return two runs with their rulesets; raise Absent, Conflict, or Refused for others.

    They can be compared when they are of one ruleset, for one level, and have ended.
    """
    rows = [
        await reading.ended(connection, own, id_, pointer)
        for id_, pointer in zip(ids, ("/id", "/with"), strict=True)
    ]
    before, after = rows
    if before["ruleset"] != after["ruleset"]:
        raise Refused([Complaint("/with", "runs-not-comparable", _others(before, after))])
    first, second = [(await reading.version(connection, snapshots, row)).compiled for row in rows]
    if first.ruleset.level != second.ruleset.level:
        raise Refused([Complaint("/with", "runs-not-comparable", _other_levels(first, second))])
    return Runs(before, after, (first, second))


async def matched(connection: asyncpg.Connection, found: Runs) -> Matched:
    """Match the units of two runs and tell how many came out how.

    `counts` has the units that came out the same, those that differ by what they were and are, and
    those of one run only.
    """
    first, second = found.rulesets
    rows = await connection.fetch(
        _MATCHED, found.before["id"], found.after["id"], first.digest != second.digest
    )
    pairs: Counter[tuple[str, str]] = Counter()
    flips, only = [], Counter(only_before=0, only_after=0)
    for number, row in enumerate(rows, 1):
        if number % _PAUSE == 0:
            await asyncio.sleep(0)
        if row["a"] is None or row["b"] is None:
            only["only_after" if row["a"] is None else "only_before"] += 1
            continue
        outcomes = _outcome(first, row, "a"), _outcome(second, row, "b")
        pairs[outcomes] += 1
        if outcomes[0] != outcomes[1]:
            flips.append(Flip(row["unit_id"], (row["a"], row["b"]), outcomes))
    return Matched(_counts(pairs) | only, flips)


def _outcome(compiled: Compiled, row: asyncpg.Record, side: str) -> str:
    """Return how a verdict came out as a whole; unread where both sides have the same leaves."""
    outcome: str = row[f"{side}_outcome"]
    leaves = row[f"{side}_leaves"]
    if outcome != NO_OVERALL_RULE or leaves is None:
        return outcome
    return whole_of(compiled.ruleset, msgspec.json.decode(leaves, type=dict[str, str]))


def _counts(pairs: Mapping[tuple[str, str], int]) -> dict[str, Any]:
    changes = [
        {"before": before, "after": after, "units": units}
        for (before, after), units in sorted(pairs.items())
        if before != after
    ]
    return {
        "same": sum(units for (before, after), units in pairs.items() if before == after),
        "flipped": sum(one["units"] for one in changes),
        "to_met": sum(one["units"] for one in changes if one["after"] == "met"),
        "from_met": sum(one["units"] for one in changes if one["before"] == "met"),
        "changes": changes,
    }


async def explained(
    connection: asyncpg.Connection, found: Runs, flips: Sequence[Flip], language: str
) -> list[dict[str, Any]]:
    """Return units that came out differently with the criteria that did, and why.

    Raises Conflict where a verdict is not what was stored.
    """
    numbers = [id_ for one in flips for id_ in one.verdicts]
    rows = {row["id"]: row for row in await connection.fetch(_READ, numbers)}
    items = []
    for one in flips:
        await asyncio.sleep(0)
        sides = [
            _judged(rows[id_], compiled)
            for id_, compiled in zip(one.verdicts, found.rulesets, strict=True)
        ]
        before, after = (
            {
                "evaluation": id_,
                "outcome": outcome,
                "applicability": side.judgement.applicability,
            }
            for id_, outcome, side in zip(one.verdicts, one.outcomes, sides, strict=True)
        )
        items.append(
            {
                "unit": _unit(rows[one.verdicts[1]]),
                "before": before,
                "after": after,
                "criteria": changed(sides[0], sides[1], language),
            }
        )
    return items


def _judged(row: asyncpg.Record, compiled: Compiled) -> Judged:
    judgement = verdicts.judgement(row)
    with verdicts.undamaged(row["id"]):
        return Judged(compiled, judgement, read_inputs(row["inputs"]))


def _unit(row: asyncpg.Record) -> dict[str, Any]:
    with verdicts.undamaged(row["id"]):
        unit = msgspec.json.decode(row["unit"], type=dict[str, Any])
        return {name: unit[name] for name in ("unit", "code", "level", "type", "name")}


def _others(before: asyncpg.Record, after: asyncpg.Record) -> Text:
    ids = before["ruleset"], after["ruleset"]
    return Text(
        f"chỉ so sánh được các lượt của cùng một bộ quy tắc: {ids[0]} khác {ids[1]}; hãy chọn lượt "
        f"khác tại /v1/evaluation-runs?ruleset={ids[0]}",
        f"only runs of one ruleset can be compared: {ids[0]} is not {ids[1]}; choose another run "
        f"from /v1/evaluation-runs?ruleset={ids[0]}",
    )


def _other_levels(first: Compiled, second: Compiled) -> Text:
    levels = first.ruleset.level, second.ruleset.level
    return Text(
        f"bộ quy tắc đã đổi từ cấp {levels[0]} sang cấp {levels[1]}; hãy chọn lượt cùng cấp",
        f"the ruleset was for the level {levels[0]} and is for {levels[1]} now; choose a run of "
        "the same level",
    )
