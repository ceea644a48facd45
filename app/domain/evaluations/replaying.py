"""Replaying: judge again from what was stored, and say every place at which the result differs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import asyncpg
import msgspec

from app.domain.evaluations import reading
from app.domain.refusals import Complaint, Conflict, pointer
from app.domain.ruleset_snapshots import Snapshots, damaged
from app.domain.territory import Territory
from app.domain.values import fact_of
from app.rules.errors import Text
from app.rules.evaluate import Compiled
from app.rules.explain import explain
from app.rules.facts import Given, Recorded
from app.rules.stored import Difference, Unreadable, differences, read_inputs
from app.rules.verdict import SEMANTICS, Inputs, Judgement, canonical

_ON_RECORD: Final = "SELECT * FROM value WHERE id = ANY($1::bigint[])"


async def replay(
    connection: asyncpg.Connection, snapshots: Snapshots, visible: Territory, id_: int
) -> list[Difference]:
    """Return where a verdict on record differs from one judged anew; nothing: it is the same.

    Judged from the stored inputs by the stored ruleset. The inputs are compared with the values
    they were read from as well: those never change, so that a difference is an alteration.
    """
    row = await reading.get(connection, visible, id_, ", e.inputs")
    stored = reading.judgement(row)
    if stored.semantics != SEMANTICS:
        raise _other_semantics(stored.semantics)
    version = await snapshots.of(connection, row["ruleset"], row["digest"])
    if version is None:
        raise damaged(row["ruleset"])
    try:
        inputs = read_inputs(row["inputs"])
    except Unreadable as error:
        raise reading.damaged(id_) from error
    now = version.compiled.evaluate(inputs)
    found = differences(_plain(version.compiled, stored), _plain(version.compiled, now))
    if not found and canonical(now) != row["verdict"]:
        found = differences(msgspec.json.decode(row["verdict"]), msgspec.to_builtins(now))
    return found + await _altered(connection, inputs)


def _plain(compiled: Compiled, judgement: Judgement) -> Any:
    """Return a verdict document as JSON data, without texts."""
    document = explain(compiled, judgement, {}, texts=False)
    return msgspec.json.decode(msgspec.json.encode(document))


async def _altered(connection: asyncpg.Connection, inputs: Inputs) -> list[Difference]:
    """Return where the inputs say something else than the values they were read from."""
    rested = [
        (place, given, given.value_id)
        for place, given in _facts(inputs)
        if isinstance(given, Recorded) and given.value_id is not None
    ]
    rows = await connection.fetch(_ON_RECORD, [number for _, _, number in rested])
    known = {row["id"]: row for row in rows}
    found: list[Difference] = []
    for place, given, number in rested:
        row = known.get(number)
        code = place[-1]
        now = None if row is None or row["indicator"] != code else _as_read(row)
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
