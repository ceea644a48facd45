"""Replaying: judge again from what was stored, and say every place at which the result differs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import asyncpg
import msgspec

from app.domain.evaluations import reading
from app.domain.refusals import Complaint, Conflict, pointer
from app.domain.ruleset_snapshots import Snapshots, damaged, is_intact
from app.domain.territory import Sight
from app.domain.values import fact_of
from app.rules.errors import Text
from app.rules.evaluate import Compiled
from app.rules.explain import explain
from app.rules.facts import Given, Recorded
from app.rules.stored import Difference, differences, leaf_outcomes, read_inputs
from app.rules.verdict import SEMANTICS, Inputs, Judgement, canonical

_ON_RECORD: Final = "SELECT * FROM value WHERE id = ANY($1::bigint[])"


async def replay(
    connection: asyncpg.Connection, snapshots: Snapshots, visible: Sight, id_: int
) -> list[Difference]:
    """Return where a verdict on record differs from one judged anew; nothing: it is the same.

    Judged from the stored inputs by the stored ruleset. The inputs are compared with the values
    they were read from as well: those never change, so that a difference is an alteration.
    """
    row = await reading.get(
        connection, visible, id_, ", e.inputs, e.outcome, e.district_id, e.province_id"
    )
    stored = reading.judgement(row)
    if stored.semantics != SEMANTICS:
        raise _other_semantics(stored.semantics)
    if not await is_intact(connection, row["digest"]):
        raise damaged(row["ruleset"])
    version = await reading.version(connection, snapshots, row)
    with reading.undamaged(id_):
        inputs = read_inputs(row["inputs"])
        now = version.compiled.evaluate(inputs)
        found = differences(_plain(version.compiled, stored), _plain(version.compiled, now))
        if not found and canonical(now) != row["verdict"]:
            found = differences(msgspec.json.decode(row["verdict"]), msgspec.to_builtins(now))
        found += differences(_columns(row), _told(now))
        key = await connection.fetchval("SELECT key FROM unit WHERE id = $1", row["unit_id"])
        found += differences(_unit(row), _judged_unit(key, inputs))
    lies = row["unit_id"], row["district_id"], row["province_id"]
    own = visible.own.holds(lies)
    return found + await _altered(connection, row["unit_id"], inputs, all_seen=own)


def _unit(row: asyncpg.Record) -> dict[str, Any]:
    """Return what is stored of the unit, as far as a verdict rests on it."""
    unit = msgspec.json.decode(row["unit"], type=dict[str, Any])
    return {"unit": {name: unit[name] for name in _RESTS_ON}}


def _judged_unit(key: str, inputs: Inputs) -> dict[str, Any]:
    """Return the same by the register and the inputs."""
    designations = [
        {"model": one.model, "decision": one.decision, "date": one.date}
        for one in inputs.designations
    ]
    unit = {
        "unit": key,
        "level": inputs.level,
        "attributes": dict(inputs.attributes),
        "designations": designations,
    }
    return {"unit": msgspec.json.decode(msgspec.json.encode(unit))}


_RESTS_ON: Final = ("unit", "level", "attributes", "designations")


def _columns(row: asyncpg.Record) -> dict[str, Any]:
    """Return what lists filter by, as it is stored beside the verdict."""
    leaves = msgspec.json.decode(row["leaves"])
    return {"listed": {"outcome": row["outcome"], "period": row["period"], "leaves": leaves}}


def _told(judgement: Judgement) -> dict[str, Any]:
    """Return the same as the verdict has it."""
    leaves = leaf_outcomes(judgement)
    return {"listed": {"outcome": judgement.outcome, "period": judgement.period, "leaves": leaves}}


def _plain(compiled: Compiled, judgement: Judgement) -> Any:
    """Return a verdict document as JSON data, without texts."""
    document = explain(compiled, judgement, {}, texts=False)
    return msgspec.json.decode(msgspec.json.encode(document))


async def _altered(
    connection: asyncpg.Connection, unit: int, inputs: Inputs, *, all_seen: bool
) -> list[Difference]:
    """Return where the inputs say something else than the values they were read from.

    Who reads by a grant does not see every value: those are left out, where others are missing.
    """
    rested = [
        (place, given)
        for place, given in _facts(inputs)
        if isinstance(given, Recorded) and type(given.value_id) is int
    ]
    rows = await connection.fetch(_ON_RECORD, [given.value_id for _, given in rested])
    known = {row["id"]: row for row in rows}
    found: list[Difference] = []
    for place, given in rested:
        row = known.get(given.value_id)
        if row is None and not all_seen:
            continue
        of_unit = place[1] == "facts"  # else of one of its members
        if row and (row["indicator"] != place[-1] or of_unit != (row["unit_id"] == unit)):
            row = None  # the value of something else
        now = _as_read(row) if row else None
        found += [
            Difference(pointer(*place) + one.pointer, one.stored, one.now)
            for one in differences(_as_judged(given), now)
        ]
    return found


def _facts(inputs: Inputs) -> Iterator[tuple[tuple[str | int, ...], Given]]:
    for code, given in inputs.facts.items():
        yield ("inputs", "facts", code), given
    for number, member in enumerate(inputs.members or ()):
        for code, given in member.facts.items():
            yield ("inputs", "members", number, "facts", code), given


def _as_judged(given: Recorded) -> dict[str, Any]:
    fact = msgspec.json.decode(canonical(given.fact))
    return {"value": fact, "period": given.period, "source": given.source}


def _as_read(row: asyncpg.Record) -> dict[str, Any]:
    fact = msgspec.json.decode(canonical(fact_of(row)))
    return {"value": fact, "period": row["period"], "source": row["source"]}


def _other_semantics(stored: int) -> Conflict:
    message = Text(
        f"kết luận này thuộc ngữ nghĩa {stored}, phần mềm hiện dùng {SEMANTICS}; hãy đánh giá lại "
        "hoặc dùng phiên bản phần mềm cũ",
        f"this verdict has semantics {stored}, this version uses {SEMANTICS}; evaluate again or "
        "use the older version",
    )
    return Conflict(Complaint("/id", "other-semantics", message))
