"""Reading evaluation runs: one, and lists, joined with the texts of their ruleset.

A run belongs to the territory that it covers: who does not reach the unit above sees nothing of
it. One that has not ended is seen by whoever sees its job; the state is that of the job.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import asyncpg
import msgspec

from app.domain.conditions import Conditions
from app.domain.newest import newest
from app.domain.refusals import Absent, Complaint, Conflict
from app.domain.ruleset_snapshots import Snapshots, Version
from app.domain.ruleset_snapshots import damaged as ruleset_damaged
from app.domain.territory import Territory
from app.rules.errors import Text
from app.rules.evaluate import Compiled
from app.rules.explain import cite, gap, named
from app.rules.registry import Registry
from app.rules.ruleset import Criterion

_NAMED: Final = ("id", "version", "digest", "title")


class Wanted(msgspec.Struct, frozen=True):
    """Which runs: those that fit everything that is given, within the caller's own territory."""

    own: Territory
    under: Territory | None = None
    ruleset: str | None = None
    period: str | None = None

    def conditions(self) -> Conditions:
        """Return the conditions on runs `x` beside the territory they are looked for in."""
        found = Conditions()
        found.within(self.own, "x")
        found.add(_TOLD)
        for name in ("ruleset", "period"):
            if (value := getattr(self, name)) is not None:
                found.add(f"x.{name} = {{}}", value)
        return found


# Of a run that has not ended everything but its job could only be guessed.
_TOLD: Final = "(x.ended_at IS NOT NULL OR EXISTS (SELECT FROM job j WHERE j.id = x.job_id))"
_HEAD: Final = """
r.id, r.job_id, r.ruleset, r.digest, r.period, r.as_of, r.min_status, r.day, r.client, r.units,
r.out_of_scope,
r.outcomes, r.all_items, r.created_at, r.ended_at, coalesce(j.state, 'succeeded') AS state,
u.key AS unit_key, u.level AS unit_level, n.code AS unit_code, n.type AS unit_type,
n.name AS unit_name
"""
_SOURCE: Final = """
  FROM ({}) found
 CROSS JOIN LATERAL (SELECT * FROM evaluation_run WHERE id = found.id LIMIT 1) r
  LEFT JOIN job j ON j.id = r.job_id
  JOIN unit u ON u.id = r.unit_id
 CROSS JOIN LATERAL (
    SELECT w.code, w.type, w.name FROM unit_version w
     WHERE w.unit_id = r.unit_id AND (w.valid_from IS NULL OR w.valid_from <= r.day)
     ORDER BY w.valid_from DESC NULLS LAST LIMIT 1) n
"""
_WHOLE: Final = f"SELECT {_HEAD}, r.criteria, r.nearest {_SOURCE}"
_IN_SHORT: Final = f"SELECT {_HEAD} {_SOURCE} ORDER BY r.id DESC"  # what is long is left out


async def get(
    connection: asyncpg.Connection, own: Territory, id_: int, pointer: str = "/id"
) -> asyncpg.Record:
    """Return the row of a run; raise Absent."""
    where = Wanted(own).conditions()
    where.add("x.id = {}", id_)
    found = f"SELECT x.id FROM evaluation_run x WHERE {where}"
    row = await connection.fetchrow(_WHOLE.format(found), *where.parameters)
    if row is None:
        message = Text(
            f"không có lượt đánh giá số {id_} trong địa bàn của bạn; xem danh sách tại "
            "/v1/evaluation-runs",
            f"there is no evaluation run {id_} in your territory; see the list at "
            "/v1/evaluation-runs",
        )
        raise Absent(Complaint(pointer, "evaluation-run-not-found", message))
    return row


async def ended(
    connection: asyncpg.Connection, own: Territory, id_: int, pointer: str = "/id"
) -> asyncpg.Record:
    """Return the row of a run that has ended; raise Absent, Conflict."""
    row = await get(connection, own, id_, pointer)
    if row["ended_at"] is None:
        message = Text(
            f"lượt đánh giá số {id_} chưa có kết quả (trạng thái: {row['state']}); theo dõi tại "
            f"/v1/jobs/{row['job_id']}",
            f"the evaluation run {id_} has no result yet (its state: {row['state']}); follow it "
            f"at /v1/jobs/{row['job_id']}",
        )
        raise Conflict(Complaint(pointer, "evaluation-run-not-ended", message))
    return row


async def page(
    connection: asyncpg.Connection, wanted: Wanted, limit: int, after: int
) -> list[asyncpg.Record]:
    """Return the rows of runs in short, the newest first, that are older than number `after`."""
    where = wanted.conditions()
    found = newest("evaluation_run", where, wanted.under or wanted.own, limit, after)
    return list(await connection.fetch(_IN_SHORT.format(found), *where.parameters))


async def version(
    connection: asyncpg.Connection, snapshots: Snapshots, row: asyncpg.Record
) -> Version:
    """Return the ruleset by which a run that has ended was judged; raise Conflict otherwise."""
    found = await snapshots.of(connection, row["ruleset"], row["digest"])
    if found is None or not found.intact:
        raise ruleset_damaged(row["ruleset"])
    return found


async def summary(
    connection: asyncpg.Connection, registry: Registry, snapshots: Snapshots, row: asyncpg.Record
) -> dict[str, Any]:
    """Return a run without criteria and nearest units, as lists show it.

    A run that has not ended names the ruleset as it is now: by that it will be judged.
    """
    entry = registry.entries.get(row["ruleset"])
    compiled = entry.compiled if entry else None
    if row["digest"] is not None:
        known = await snapshots.of(connection, row["ruleset"], row["digest"])
        compiled = known.compiled if known else None
    return _head(row, compiled)


async def shown(
    connection: asyncpg.Connection,
    registry: Registry,
    snapshots: Snapshots,
    row: asyncpg.Record,
    language: str,
) -> dict[str, Any]:
    """Return a run with its criteria and the units nearest to passing; both null before its end."""
    if row["ended_at"] is None:
        head = await summary(connection, registry, snapshots, row)
        return head | {"criteria": None, "nearest": None}
    compiled = (await version(connection, snapshots, row)).compiled
    criteria = {one.id: one for one in compiled.ruleset.walk()}
    return _head(row, compiled) | {
        "criteria": [_criterion(compiled, criteria, one) for one in _read(row["criteria"])],
        "nearest": [_near(compiled, criteria, one, language) for one in _read(row["nearest"])],
    }


def _head(row: asyncpg.Record, compiled: Compiled | None) -> dict[str, Any]:
    ruleset = {name: named(compiled)[name] for name in _NAMED} if compiled else None
    unknown = {"id": row["ruleset"], "version": None, "digest": row["digest"], "title": None}
    return {
        "id": row["id"],
        "job": row["job_id"],
        "state": row["state"],
        "ruleset": ruleset or unknown,
        "under": {
            name: row[f"unit_{name}"] for name in ("code", "level", "type", "name")
        } | {"unit": row["unit_key"]},
        "period": row["period"],
        "as_of": row["as_of"],
        "min_status": row["min_status"],
        "on": row["day"],
        "units": row["units"],
        "out_of_scope": row["out_of_scope"],
        "outcomes": _read(row["outcomes"]),
        "all_items": _read(row["all_items"]),
        "created_at": row["created_at"],
        "ended_at": row["ended_at"],
        "by": row["client"],
    }  # fmt: skip


def _read(written: str | None) -> Any:
    return None if written is None else msgspec.json.decode(written)


def _criterion(
    compiled: Compiled, criteria: Mapping[str, Criterion], counted: Mapping[str, Any]
) -> dict[str, Any]:
    criterion = criteria[counted["id"]]
    return {
        "id": criterion.id,
        "text": criterion.text.model_dump(),
        "cite": cite(criterion, compiled.ruleset.document),
        "leaf": not criterion.criteria,
        **{name: one for name, one in counted.items() if name != "id"},
    }


def _near(
    compiled: Compiled, criteria: Mapping[str, Criterion], near: Mapping[str, Any], language: str
) -> dict[str, Any]:
    return {
        "unit": near["unit"],
        "evaluation": near["evaluation"],
        "lacking": [
            {
                "criterion": one["criterion"],
                "text": criteria[one["criterion"]].text.model_dump(),
                "outcome": one["outcome"],
                "reasons": one["reasons"],
                "gap": gap(compiled.indicators, criteria[one["criterion"]], one["more"], language),
            }
            for one in near["lacking"]
        ],
    }
