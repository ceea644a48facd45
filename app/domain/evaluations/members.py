"""The members that a share of a verdict counted, one by one, from the stored inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import asyncpg
import msgspec

from app.domain.evaluations import reading
from app.domain.refusals import Complaint, Refused
from app.domain.ruleset_snapshots import Snapshots
from app.domain.territory import Sight
from app.rules.errors import Text
from app.rules.evaluate import Compiled
from app.rules.facts import Given, Recorded, bare, printable
from app.rules.membership import MemberOutcome, members_counted, members_read
from app.rules.stored import read_inputs
from app.rules.verdict import Inputs
from app.rules.vocabulary import MET, UNDETERMINED

# $2 is the last day of the period: members are called as they were within it.
_NAMED: Final = """
SELECT DISTINCT ON (u.id) u.key AS unit, v.code, u.level, v.type, v.name
  FROM unit u JOIN unit_version v ON v.unit_id = u.id
 WHERE u.key = ANY($1::text[]) AND (v.valid_from IS NULL OR v.valid_from <= $2)
 ORDER BY u.id, v.valid_from DESC NULLS LAST
"""


class Counted(msgspec.Struct, frozen=True):
    """What a share counted: how many, and the members with their outcomes in order."""

    counts: dict[str, int]
    members: Sequence[MemberOutcome]
    codes: frozenset[str]
    inputs: Inputs


async def counted(
    connection: asyncpg.Connection,
    snapshots: Snapshots,
    visible: Sight,
    id_: int,
    criterion: str,
) -> Counted:
    """Return the members that a criterion of a verdict on record counted.

    Raises Absent for the verdict, Refused for a criterion that is unknown or counts no members.
    """
    row = await reading.get(connection, visible, id_, ", e.inputs")
    compiled = (await reading.version(connection, snapshots, row)).compiled
    if criterion not in {one.id for one in compiled.ruleset.walk()}:
        raise Refused([Complaint("/criterion", "unknown-criterion", _unknown(compiled, criterion))])
    with reading.undamaged(id_):
        inputs = read_inputs(row["inputs"])
        found = members_counted(compiled, criterion, inputs)
    if found is None:
        raise Refused([Complaint("/criterion", "no-members", _no_members(criterion))])
    outcomes = [one.outcome for one in found]
    unknown = outcomes.count(UNDETERMINED)
    counts = {"known": len(found) - unknown, "true": outcomes.count(MET), "unknown": unknown}
    return Counted(counts, found, members_read(compiled, criterion), inputs)


async def shown(
    connection: asyncpg.Connection, found: Counted, members: Sequence[MemberOutcome]
) -> list[dict[str, Any]]:
    """Return members with their names and the values that were read of them."""
    keys = [one.member.unit for one in members if one.member.unit]
    rows = await connection.fetch(_NAMED, keys, found.inputs.period_end or found.inputs.as_of)
    units = {row["unit"]: dict(row) for row in rows}
    return [_shown(one, found.codes, units) for one in members]


def _shown(
    one: MemberOutcome, codes: frozenset[str], units: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    member = one.member
    unknown = {"unit": member.unit, "level": member.level, "type": member.type}
    return {
        "unit": units.get(str(member.unit), {"code": None, "name": None} | unknown),
        "outcome": one.outcome,
        "reasons": list(one.reasons),
        "values": [
            {"indicator": code} | _value(member.facts[code])
            for code in sorted(codes)
            if code in member.facts
        ],
    }


def _value(given: Given) -> dict[str, Any]:
    recorded = given if isinstance(given, Recorded) else Recorded(given)
    return {
        "value": bare(given),
        "period": recorded.period,
        "source": recorded.source,
        "status": recorded.status,
        "value_id": recorded.value_id,
    }


def _unknown(compiled: Compiled, criterion: str) -> Text:
    id_ = compiled.ruleset.ruleset
    return Text(
        f"{id_} không có tiêu chí “{printable(criterion)}”; xem /v1/rulesets/{id_}",
        f"{id_} has no criterion “{printable(criterion)}”; see /v1/rulesets/{id_}",
    )


def _no_members(criterion: str) -> Text:
    return Text(
        f"tiêu chí {criterion} không đếm đơn vị thành viên; chọn tiêu chí có observed.members",
        f"the criterion {criterion} counts no members; choose one with observed.members",
    )
