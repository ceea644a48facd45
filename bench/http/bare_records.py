"""Values and verdicts without anything between FastAPI and asyncpg.

The same SELECTs and INSERTs as ours, in one transaction; the bytes of a verdict and of an answer
are not made but were stored before. Nobody is recognised, nothing is judged, checked or explained.
"""

from __future__ import annotations

import datetime
import functools
import os
from pathlib import Path
from typing import Any, Final, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app.discovery import load_registry
from app.domain.commune_facts import COMMUNE_COLUMNS
from app.domain.evaluations.on_record import _VALUES
from app.domain.evaluations.reading import _COLUMNS, _SOURCE
from app.domain.scope import _LINES
from app.domain.unit_lookup import COLUMNS, SOURCE
from app.domain.unit_periods import _MATCHES
from bench.http.records import RULESET

router = APIRouter()

UNIT: Final = f"SELECT {COLUMNS} {COMMUNE_COLUMNS} {SOURCE} AND u.id = ANY($2::int[])"
ACT: Final = "INSERT INTO recording (author) VALUES ('bare') RETURNING id"
STORED: Final = """
SELECT ruleset, digest, period, outcome, leaves, unit, inputs, verdict, software
  FROM evaluation WHERE ruleset = $1 ORDER BY id LIMIT 1
"""
STORE: Final = """
INSERT INTO evaluation (recording_id, unit_id, district_id, province_id, ruleset, digest, period,
                        outcome, leaves, unit, inputs, verdict, software)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::jsonb, $10, $11, $12, $13) RETURNING id
"""
ONE: Final = f"SELECT {_COLUMNS} {_SOURCE} WHERE e.id = $1"
LIST: Final = f"SELECT {_COLUMNS} {_SOURCE} ORDER BY e.id DESC LIMIT $1"
VALUE: Final = """
INSERT INTO value (recording_id, unit_id, district_id, province_id, indicator, period,
                   period_first, period_last, truth, numerator, denominator, source)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING id
"""
CURRENT: Final = """
INSERT INTO current_value (unit_id, district_id, province_id, indicator, period, period_first,
                           period_last, value_id, status)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'reported')
ON CONFLICT (unit_id, indicator, period) DO UPDATE
   SET value_id = EXCLUDED.value_id, status = EXCLUDED.status
"""


class Strict(BaseModel):
    """A body without room for other keys."""

    model_config = ConfigDict(extra="forbid")


class Ratio(Strict):
    """A numerator and a denominator."""

    numerator: int = Field(ge=0)
    denominator: int = Field(ge=0)


class ValueIn(Strict):
    """A value of a unit."""

    unit: str = Field(pattern=r"^[0-9]{5}$")
    period: str = Field(pattern=r"^[0-9]{4}$")
    indicator: str = Field(max_length=120)
    value: bool | Ratio
    source: str = Field(min_length=1, max_length=500)


class ValuesIn(Strict):
    """Values that are recorded together."""

    values: list[ValueIn] = Field(min_length=1, max_length=1_000)


class EvaluationIn(Strict):
    """A unit to judge."""

    ruleset: Literal["phutho.commune"]
    unit: str = Field(pattern=r"^[0-9]{5}$")
    period: str = Field(pattern=r"^[0-9]{4}$")


@functools.cache
def _sent(name: str) -> bytes:
    """Return what is sent, as our service sent it."""
    return (Path(os.environ["NTM_DATA_DIR"]) / name).read_bytes()


def _answer(name: str, status: int = 200) -> Response:
    return Response(_sent(name), status, media_type="application/json")


@functools.cache
def _read() -> tuple[list[str], list[str], datetime.date]:
    """Return what the ruleset reads: indicators, provinces in scope and the day of that."""
    entry = load_registry(None).entries[RULESET]
    scope = entry.ruleset.scope
    assert scope.on is not None
    return sorted(entry.compiled.unit_codes), list(scope.provinces), scope.on


def _year(period: str) -> tuple[datetime.date, datetime.date]:
    return datetime.date(int(period), 1, 1), datetime.date(int(period), 12, 31)


@router.post("/evaluations")
async def evaluate(request: Request, body: EvaluationIn) -> Response:
    """Read what a verdict is judged from and write one that is at hand."""
    first, last = _year(body.period)
    codes, provinces, on = _read()
    state = request.app.state
    async with state.pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(_MATCHES, [body.unit], [first], [last], [first], [last])
        ids = [row["id"]]
        await connection.fetch(UNIT, last, ids)
        await connection.fetch(_VALUES, ids, codes, last)
        await connection.fetch(_LINES, ids, provinces, on)
        if not hasattr(state, "stored"):
            state.stored = await connection.fetchrow(STORED, body.ruleset)
        place = (row["id"], row["district_id"], row["province_id"])
        act = await connection.fetchval(ACT)
        await connection.fetchval(STORE, act, *place, *state.stored.values())
    return _answer("verdict", 201)


@router.get("/evaluations/{number}")
async def read_evaluation(request: Request, number: int) -> Response:
    """Read a verdict and send what is at hand."""
    async with request.app.state.pool.acquire() as connection:
        await connection.fetchrow(ONE, number)
    return _answer("verdict")


@router.get("/evaluations")
async def list_evaluations(request: Request, limit: int) -> Response:
    """Read a list of verdicts and send what is at hand."""
    async with request.app.state.pool.acquire() as connection:
        await connection.fetch(LIST, limit + 1)
    return _answer("verdicts")


@router.post("/values")
async def record_values(request: Request, body: ValuesIn) -> Response:
    """Write values, and which of them are current."""
    async with request.app.state.pool.acquire() as connection, connection.transaction():
        meant = list(dict.fromkeys((one.unit, one.period) for one in body.values))
        days = [_year(period) for _, period in meant]
        spans = [[day[0] for day in days], [day[1] for day in days]]
        rows = await connection.fetch(_MATCHES, [code for code, _ in meant], *spans, *spans)
        units = {meant[row["n"] - 1]: row for row in rows}
        act = await connection.fetchval(ACT)
        keys = [_key(units[one.unit, one.period], one) for one in body.values]
        numbers = await connection.fetchmany(
            VALUE,
            [
                (act, *key, *_fact(one), one.source)
                for key, one in zip(keys, body.values, strict=True)
            ],
        )
        written = [(*key, row["id"]) for key, row in zip(keys, numbers, strict=True)]
        await connection.executemany(CURRENT, written)
    return _answer("values", 201)


def _key(unit: Any, one: ValueIn) -> tuple[Any, ...]:
    place = (unit["id"], unit["district_id"], unit["province_id"])
    return (*place, one.indicator, one.period, *_year(one.period))


def _fact(one: ValueIn) -> tuple[bool | None, int | None, int | None]:
    if isinstance(one.value, Ratio):
        return None, one.value.numerator, one.value.denominator
    return one.value, None, None
