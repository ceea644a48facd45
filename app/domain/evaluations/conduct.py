"""Conducting evaluations: units and a ruleset in, verdicts on record out; all of them or none."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from typing import Any, Final

import asyncpg
import msgspec

from app.domain import audit
from app.domain.audit import Act
from app.domain.evaluations import on_record
from app.domain.evaluations.on_record import MinStatus, OnRecord
from app.domain.evidence import attached
from app.domain.previews import check_level, known_ruleset
from app.domain.recordings import OPERATOR
from app.domain.refusals import Complaint, Refused
from app.domain.ruleset_snapshots import keep
from app.domain.scope import OUT
from app.domain.territory import Caller, Territory, outside, place
from app.domain.unit_periods import Entity, Meant, Unclear, resolve
from app.rules.errors import Text
from app.rules.evaluate import Compiled
from app.rules.evidence import NOTHING, Attached
from app.rules.period import Period
from app.rules.registry import Entry, Registry
from app.rules.stored import leaf_outcomes
from app.rules.verdict import Inputs, Judgement, canonical

SOFTWARE: Final = f"ntm-rules {metadata.version('ntm-rules')}"
MOST_UNITS: Final = 500


class Wish(msgspec.Struct, frozen=True):
    """What is to be judged: units by code or key, in a period, as of a day.

    `pointer` leads to the unit with a number in the request.
    """

    ruleset: str
    places: Sequence[str]
    period: Period
    as_of: datetime.date
    on: datetime.date | None = None
    pointer: Callable[[int], str] = lambda _: "/unit"
    min_status: MinStatus | None = None


class Conducted(msgspec.Struct, frozen=True):
    """A judgement of a unit, with what it rests on."""

    unit: Entity
    shown: Mapping[str, Any]
    inputs: Inputs
    judgement: Judgement
    min_status: MinStatus | None = None
    attached: Attached = NOTHING


class Kept(msgspec.Struct, frozen=True):
    """A verdict that was just put on record."""

    id: int
    conducted: Conducted
    created_at: datetime.datetime
    by: str
    run: int | None = None


async def conduct(
    connection: asyncpg.Connection, registry: Registry, territory: Territory, wish: Wish
) -> tuple[Entry, list[Conducted]]:
    """Judge every unit of a wish from what is on record.

    Raises Refused with everything that is wrong with it: the ruleset, a unit that is not known,
    not meant clearly, of another level, outside the territory or outside the document's scope.
    """
    complaints: list[Complaint] = []
    entry = known_ruleset(registry, wish.ruleset, complaints)
    if entry is None:
        raise Refused(complaints)
    units = await _units(connection, territory, wish, entry, complaints)
    if complaints:
        raise Refused(complaints)
    return entry, await judge(connection, entry, units, wish)


async def judge(
    connection: asyncpg.Connection, entry: Entry, units: Sequence[Entity], wish: Wish
) -> list[Conducted]:
    """Judge units by a ruleset; raise Refused for those that its document does not speak of."""
    record = await on_record.load(
        connection, [entry.compiled], units, wish.period, wish.as_of, wish.min_status
    )
    scopes = record.scopes[entry.compiled.digest]
    complaints = [
        Complaint(wish.pointer(number), "ruleset-out-of-scope", _out_of_scope(entry, unit))
        for number, unit in enumerate(units)
        if scopes[unit.id] == OUT
    ]
    if complaints:
        raise Refused(complaints)
    found = await evidence(connection, entry.compiled, units, wish.period)
    return [judged(record, entry.compiled, unit, wish.as_of, found) for unit in units]


async def evidence(
    connection: asyncpg.Connection, compiled: Compiled, units: Sequence[Entity], period: Period
) -> Mapping[int, Attached]:
    """Return the evidence that counts for units by a ruleset, beside their values."""
    ids = [unit.id for unit in units]
    return await attached.of(connection, ids, compiled.ruleset.ruleset, period.text)


def judged(
    record: OnRecord,
    compiled: Compiled,
    unit: Entity,
    as_of: datetime.date,
    evidence: Mapping[int, Attached],
) -> Conducted:
    """Judge one unit by a ruleset from what was read of it."""
    inputs = record.inputs(compiled, unit, as_of)
    judgement = compiled.evaluate(inputs)
    there = evidence.get(unit.id, NOTHING).compared(inputs.facts)
    return Conducted(unit, record.shown(unit), inputs, judgement, record.min_status, there)


async def _units(
    connection: asyncpg.Connection,
    territory: Territory,
    wish: Wish,
    entry: Entry,
    complaints: list[Complaint],
) -> list[Entity]:
    meant = [Meant(place, wish.period, wish.on) for place in wish.places]
    found = await resolve(connection, meant)
    units: list[Entity] = []
    seen: dict[int, int] = {}
    for number, one in enumerate(meant):
        where, unit = wish.pointer(number), found[one]
        if isinstance(unit, Unclear):
            place = f"/{unit.field}" if unit.field == "on" else where
            complaints.append(Complaint(place, unit.code, unit.message))
        elif not territory.reaches(unit):
            complaints.append(Complaint(where, "outside-territory", outside(unit)))
        elif seen.setdefault(unit.id, number) != number:
            complaints.append(Complaint(where, "duplicate-unit", _twice(unit)))
        else:
            check_level(entry.compiled, unit.level, where, complaints)
            units.append(unit)
    return units


def _twice(unit: Entity) -> Text:
    return Text(
        f"{unit.named} được nêu hai lần; chỉ nêu một lần",
        f"{unit.named} is named twice; name it once",
    )


def _out_of_scope(entry: Entry, unit: Entity) -> Text:
    id_, document = entry.ruleset.ruleset, entry.ruleset.document.short
    return Text(
        f"{unit.named} không thuộc phạm vi của {id_} ({document}); hãy chọn bộ quy tắc khác hoặc "
        "xem trước bằng /v1/evaluations/preview",
        f"{unit.named} is outside the scope of {id_} ({document}); choose another ruleset or use "
        "/v1/evaluations/preview",
    )


_STORE: Final = """
WITH act AS (
  INSERT INTO recording (author) VALUES ($1) RETURNING id, recorded_at
)
INSERT INTO evaluation (recording_id, unit_id, district_id, province_id, ruleset, digest, period,
                        outcome, leaves, unit, inputs, verdict, software, run_id, min_status,
                        evidence)
SELECT act.id, w.unit_id, w.district_id, w.province_id, $2, $3, $4, w.outcome,
       w.leaves::jsonb, w.unit, w.inputs, w.verdict, $5, $14::bigint, $15::text,
       w.evidence
  FROM act, unnest($6::int[], $7::int[], $8::int[], $9::text[], $10::text[], $11::bytea[],
                   $12::bytea[], $13::bytea[], $16::bytea[])
       WITH ORDINALITY w(unit_id, district_id, province_id, outcome, leaves, unit, inputs,
                         verdict, evidence, number)
 ORDER BY w.number
RETURNING id, unit_id, (SELECT recorded_at FROM act) AS recorded_at
"""


async def store(
    connection: asyncpg.Connection,
    caller: Caller | None,
    entry: Entry,
    conducted: Sequence[Conducted],
    *,
    kept: bool = False,
    run: int | None = None,
) -> list[Kept]:
    """Put verdicts on record as one act, those of an evaluation run with its number.

    `kept` tells that the ruleset is stored already.
    """
    if not conducted:
        return []
    if not kept:
        await keep(connection, entry)
    rows = await connection.fetch(
        _STORE,
        caller.client_id if caller else OPERATOR,
        entry.ruleset.ruleset,
        entry.compiled.digest,
        conducted[0].judgement.period,
        SOFTWARE,
        [one.unit.id for one in conducted],
        [one.unit.district_id for one in conducted],
        [one.unit.province_id for one in conducted],
        [one.judgement.outcome for one in conducted],
        [_leaves(one.judgement) for one in conducted],
        [canonical(one.shown) for one in conducted],
        [canonical(one.inputs) for one in conducted],
        [canonical(one.judgement) for one in conducted],
        run,
        conducted[0].min_status,
        [canonical(one.attached) for one in conducted],
    )
    stored = {row["unit_id"]: row for row in rows}
    acts = [
        Act("evaluation.conducted", place(one.unit), {"evaluation": stored[one.unit.id]["id"]})
        for one in conducted
    ]
    await audit.note(connection, caller, acts)
    by = caller.client_id if caller else OPERATOR
    return [
        Kept(stored[one.unit.id]["id"], one, stored[one.unit.id]["recorded_at"], by, run)
        for one in conducted
    ]


def _leaves(judgement: Judgement) -> str:
    return msgspec.json.encode(leaf_outcomes(judgement)).decode()
