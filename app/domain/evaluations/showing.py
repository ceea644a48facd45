"""Verdicts on record as the API shows them: stored bytes joined with the texts of the ruleset.

Verdicts never change, so that the last ones that were shown are remembered. What is stored is
read all the same and is a part of what is remembered: an altered verdict is not hidden.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

import asyncpg
import msgspec

from app.domain.evaluations import reading
from app.domain.evaluations.conduct import SOFTWARE, Kept
from app.domain.evaluations.reading import Followed
from app.domain.refusals import Conflict
from app.domain.ruleset_snapshots import Snapshots
from app.rules.evaluate import Compiled
from app.rules.evidence import Attached
from app.rules.explain import explain
from app.rules.stored import read_head, read_judgement
from app.rules.verdict import counted


class _Head(NamedTuple):
    """What stands in a row beside the judgement; `followed` is None in lists."""

    id: int
    created_at: datetime.datetime
    by: str
    software: str
    run: int | None
    min_status: str | None
    evidence: bytes | None
    followed: tuple[Followed, ...] | None = None


_ONLY_IN_FULL: Final = frozenset({"criteria", "unused_facts", "followed_values"})


def document(compiled: Compiled, row: asyncpg.Record, language: str, texts: bool) -> dict[str, Any]:
    """Return a verdict on record as the API shows it; raise Conflict where it was altered."""
    with reading.undamaged(row["id"]):
        unit = msgspec.json.decode(row["unit"], type=dict[str, Any])
        head, judgement = _head(row), read_judgement(row["verdict"])
        verdict = explain(compiled, judgement, unit, language, texts, _attached(head))
    return _headed(head, verdict)


@lru_cache(maxsize=256)
def _encoded(
    compiled: Compiled, head: _Head, unit: bytes, verdict: bytes, language: str, texts: bool
) -> bytes:
    described = msgspec.json.decode(unit, type=dict[str, Any])
    attached = _attached(head)
    shown = explain(compiled, read_judgement(verdict), described, language, texts, attached)
    return msgspec.json.encode(_headed(head, shown))


def encoded(
    compiled: Compiled,
    row: asyncpg.Record,
    language: str,
    texts: bool,
    followed: tuple[Followed, ...],
) -> bytes:
    """Return `document` as JSON, with what became of the values it rests on."""
    head = _head(row, followed)
    with reading.undamaged(row["id"]):
        return _encoded(compiled, head, row["unit"], row["verdict"], language, texts)


def kept(compiled: Compiled, one: Kept, language: str, texts: bool) -> dict[str, Any]:
    """Return a verdict that was just put on record, as `document` shows it."""
    conducted = one.conducted
    verdict = explain(
        compiled, conducted.judgement, conducted.shown, language, texts, conducted.attached
    )
    said = conducted.min_status, None, ()
    return _headed(_Head(one.id, one.created_at, one.by, SOFTWARE, one.run, *said), verdict)


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
    shown = explain(compiled, read_head(verdict), described, language, False, _attached(head))
    shown["counts"] = counted(list(outcomes.values()))
    return msgspec.Raw(msgspec.json.encode(summary(_headed(head, shown))))


def summary(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a verdict without its criteria, as lists show it."""
    return {name: value for name, value in document.items() if name not in _ONLY_IN_FULL}


def _head(row: asyncpg.Record, followed: tuple[Followed, ...] | None = None) -> _Head:
    return _Head(
        row["id"], row["recorded_at"], row["author"], row["software"], row["run_id"],
        row["min_status"], row["evidence"], followed,
    )  # fmt: skip


def _attached(head: _Head) -> Attached | None:
    """Return the evidence that was found; None for a verdict from before anybody looked."""
    return None if head.evidence is None else msgspec.json.decode(head.evidence, type=Attached)


def _headed(head: _Head, verdict: Mapping[str, Any]) -> dict[str, Any]:
    shown = {
        "id": head.id, "created_at": head.created_at, "by": head.by, "software": head.software,
        "run": head.run, "min_status": head.min_status,
    }  # fmt: skip
    return shown | dict(verdict) | {"followed_values": head.followed}
