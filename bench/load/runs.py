"""Evaluation runs over all communes, beside a bare SELECT of the values and COPY of the bytes.

The bare side judges nothing: it fetches the same values and writes the same verdicts, which were
made before, to a table of the same shape with the same indexes.
"""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Mapping, Sequence
from typing import Final

from app.rules.period import read_period
from app.rules.registry import Registry
from bench.load import packs
from bench.load.filling import FIRST_YEAR
from bench.load.goals import Figure, ratio, seconds
from bench.load.serving import Caller, Place, Server

GOAL: Final = 10.0  # times the bare side
BYTES: Final = 4_096  # of a verdict
PERIOD: Final = str(FIRST_YEAR)
_COLUMNS: Final = (
    "recording_id", "unit_id", "district_id", "province_id", "ruleset", "digest", "period",
    "outcome", "leaves", "unit", "inputs", "verdict", "software",
)  # fmt: skip
_MAKE: Final = """
DROP SCHEMA IF EXISTS bare CASCADE;
CREATE SCHEMA bare;
CREATE TABLE bare.evaluation (LIKE ntm.evaluation INCLUDING ALL);
"""
_VALUES: Final = """
SELECT v.unit_id, v.indicator, v.period, v.period_first, v.period_last, v.truth, v.counted,
       v.numerator, v.denominator, v.percent, v.codes, v.source, v.id
  FROM current_value c JOIN value v ON v.id = c.value_id
 WHERE c.indicator = ANY($1::text[]) AND c.period_last <= $2
"""
_WRITTEN: Final = "SELECT {} FROM evaluation WHERE ruleset = '{}'"
_SIZES: Final = """
SELECT count(*) AS verdicts,
       avg(octet_length(verdict) + octet_length(inputs) + octet_length(unit)) AS written,
       pg_total_relation_size('evaluation') / count(*) AS stored
  FROM evaluation e
"""


def measure(server: Server, registry: Registry, rounds: int) -> list[Figure]:
    """Return what runs of all synthetic rulesets took, beside the bare side."""
    caller = server.join("VN")
    ours, bare = [], []
    _runs(caller)  # once unmeasured: it also makes the bytes that the bare side writes
    codes = {id_: sorted(registry.entries[id_].compiled.unit_codes) for id_ in packs.RULESETS}
    prepared = asyncio.run(_bytes(server.at))
    for number in range(rounds):
        for way in ("ours", "bare") if number % 2 else ("bare", "ours"):
            if way == "ours":
                ours.append(_runs(caller))
            else:
                bare.append(asyncio.run(_bare(server.at, codes, prepared)))
    verdicts, written, stored = asyncio.run(_sizes(server.at))
    beside = 1 / ratio(ours, bare)
    return [
        Figure(f"runs of {len(packs.RULESETS)} rulesets, {verdicts:,} verdicts", seconds(ours)),
        Figure("SELECT of the same values and COPY of the same bytes", seconds(bare)),
        Figure("runs beside that", f"{beside:.1f} times", f"< {GOAL:g} times", beside < GOAL),
        Figure("bytes of a verdict on the disk, with its indexes", f"{stored:,.0f}",
               f"<= {BYTES:,}", stored <= BYTES),
        Figure("bytes of verdict, inputs and unit before compression", f"{written:,.0f}"),
    ]  # fmt: skip


def _runs(caller: Caller) -> float:
    """Judge all communes by every ruleset, one run after the other; return the seconds."""
    begun = time.perf_counter()
    for id_ in packs.RULESETS:
        body = {"ruleset": id_, "under": "VN", "period": PERIOD}
        caller.done(caller.ask("/v1/evaluation-runs", body))
    return time.perf_counter() - begun


async def _bytes(at: Place) -> dict[str, bytes]:
    """Return the rows of the verdicts on record, as COPY writes them."""
    connection = await at.as_superuser()
    await connection.execute(_MAKE)
    found = {}
    for id_ in packs.RULESETS:
        content = io.BytesIO()
        statement = _WRITTEN.format(", ".join(_COLUMNS), id_)
        await connection.copy_from_query(statement, output=content, format="binary")
        found[id_] = content.getvalue()
    await connection.close()
    return found


async def _bare(
    at: Place, codes: Mapping[str, Sequence[str]], prepared: Mapping[str, bytes]
) -> float:
    """Fetch the values and write the verdicts, ruleset by ruleset; return the seconds."""
    period = read_period(PERIOD)
    assert period is not None
    connection = await at.as_superuser()
    begun = time.perf_counter()
    for id_ in packs.RULESETS:
        async with connection.transaction():
            await connection.fetch(_VALUES, codes[id_], period.last)
            await connection.copy_to_table(
                "evaluation", schema_name="bare", source=io.BytesIO(prepared[id_]),
                columns=_COLUMNS, format="binary",
            )  # fmt: skip
    taken = time.perf_counter() - begun
    await connection.close()
    return taken


async def _sizes(at: Place) -> tuple[int, float, float]:
    """Return how many verdicts one round puts on record, and the bytes of one."""
    connection = await at.as_superuser()
    row = await connection.fetchrow(_SIZES)
    rounds = await connection.fetchval(
        "SELECT count(*) FROM evaluation_run WHERE ruleset = $1", packs.RULESETS[0]
    )
    await connection.close()
    assert row is not None
    return row["verdicts"] // rounds, float(row["written"]), float(row["stored"])
