"""Verdicts on record as the API shows them: stored bytes joined with the texts of the ruleset.

Verdicts never change, so that the last ones that were shown are remembered. What is stored is
read all the same and is a part of what is remembered: an altered verdict is not hidden.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import asyncpg
import msgspec

from app.domain.evaluations import reading
from app.domain.evaluations.conduct import SOFTWARE, Kept
from app.domain.refusals import Conflict
from app.domain.ruleset_snapshots import Snapshots
from app.rules.evaluate import Compiled
from app.rules.explain import explain
from app.rules.stored import read_head, read_judgement
from app.rules.verdict import counted

_Head = tuple[int, datetime.datetime, str, str, int | None]
_ONLY_IN_FULL: Final = frozenset({"criteria", "unused_facts"})


def document(compiled: Compiled, row: asyncpg.Record, language: str, texts: bool) -> dict[str, Any]:
    """Return a verdict on record as the API shows it; raise Conflict where it was altered."""
    with reading.undamaged(row["id"]):
        unit = msgspec.json.decode(row["unit"], type=dict[str, Any])
        verdict = explain(compiled, read_judgement(row["verdict"]), unit, language, texts)
    return _headed(*_head(row), verdict)


@lru_cache(maxsize=256)
def _encoded(
    compiled: Compiled, head: _Head, unit: bytes, verdict: bytes, language: str, texts: bool
) -> bytes:
    described = msgspec.json.decode(unit, type=dict[str, Any])
    shown = explain(compiled, read_judgement(verdict), described, language, texts)
    return msgspec.json.encode(_headed(*head, shown))


def encoded(compiled: Compiled, row: asyncpg.Record, language: str, texts: bool) -> bytes:
    """Return `document` as JSON."""
    with reading.undamaged(row["id"]):
        return _encoded(compiled, _head(row), row["unit"], row["verdict"], language, texts)


def kept(compiled: Compiled, one: Kept, language: str, texts: bool) -> dict[str, Any]:
    """Return a verdict that was just put on record, as `document` shows it."""
    shown = one.conducted.shown
    verdict = explain(compiled, one.conducted.judgement, shown, language, texts)
    return _headed(one.id, one.created_at, one.by, SOFTWARE, one.run, verdict)


async def summarised(
    connection: asyncpg.Connection,
    snapshots: Snapshots,
    rows: Sequence[asyncpg.Record],
    language: str,
) -> tuple[list[msgspec.Raw], list[dict[str, Any]]]:
    """Return verdicts as lists show them, and those that cannot be read, with the reason."""
    items, damaged = [], []
    for row in rows:
        try:
            compiled = (await reading.version(connection, snapshots, row)).compiled
            items.append(_in_short(compiled, row, language))
        except Conflict as error:  # one of them must not hide all the others
            complaint = error.complaint
            message = getattr(complaint.message, language)
            damaged.append({"id": row["id"], "code": complaint.code, "message": message})
    return items, damaged


def _in_short(compiled: Compiled, row: asyncpg.Record, language: str) -> msgspec.Raw:
    """Return a verdict without its criteria as JSON, remembered like a whole one."""
    with reading.undamaged(row["id"]):
        return _summary(compiled, _head(row), row["unit"], row["leaves"], row["verdict"], language)


@lru_cache(maxsize=4_096)
def _summary(
    compiled: Compiled, head: _Head, unit: bytes, leaves: str, verdict: bytes, language: str
) -> msgspec.Raw:
    described = msgspec.json.decode(unit, type=dict[str, Any])
    outcomes = msgspec.json.decode(leaves, type=dict[str, str])
    shown = explain(compiled, read_head(verdict), described, language, texts=False)
    shown["counts"] = counted(list(outcomes.values()))
    return msgspec.Raw(msgspec.json.encode(summary(_headed(*head, shown))))


def summary(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a verdict without its criteria, as lists show it."""
    return {name: value for name, value in document.items() if name not in _ONLY_IN_FULL}


def _head(row: asyncpg.Record) -> _Head:
    return row["id"], row["recorded_at"], row["author"], row["software"], row["run_id"]


def _headed(
    id_: int,
    at: datetime.datetime,
    by: str,
    software: str,
    run: int | None,
    verdict: Mapping[str, Any],
) -> dict[str, Any]:
    return {"id": id_, "created_at": at, "by": by, "software": software, "run": run, **verdict}
