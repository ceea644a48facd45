"""Comparing two verdicts on record: which criteria differ, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import asyncpg

from app.domain.evaluations import reading, showing
from app.domain.ruleset_snapshots import Snapshots
from app.domain.territory import Sight
from app.rules.comparison import CAUSE_LABELS, CriterionDifference, Side, compare

_COMPARED = ("outcome", "reasons", "observed", "required", "gap")


async def compared(
    connection: asyncpg.Connection,
    snapshots: Snapshots,
    visible: Sight,
    ids: tuple[int, int],
    language: str,
) -> dict[str, Any]:
    """Return both verdicts in short and every criterion that differs; raise Absent."""
    sides, documents = [], []
    for id_ in ids:
        row = await reading.get(connection, visible, id_)
        compiled = (await reading.version(connection, snapshots, row)).compiled
        sides.append(Side(compiled, reading.judgement(row)))
        documents.append(showing.document(compiled, row, language, texts=True))
    with reading.undamaged(ids[0]):
        found = compare(*sides)
    shown = [_by_id(document) for document in documents]
    first, second = documents
    return {
        "a": showing.summary(first),
        "b": showing.summary(second),
        "same_outcome": (first["outcome"], first["all_items"])
        == (second["outcome"], second["all_items"]),
        "differences": [_shown(one, shown[0], shown[1], language) for one in found],
    }


def _by_id(document: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    waiting = list(document["criteria"])
    while waiting:
        one = waiting.pop()
        found[one["id"]] = one
        waiting.extend(one["criteria"])
    return found


def _shown(
    found: CriterionDifference,
    first: Mapping[str, Mapping[str, Any]],
    second: Mapping[str, Mapping[str, Any]],
    language: str,
) -> dict[str, Any]:
    sides = [of.get(found.id) for of in (first, second)]
    named = next(side for side in sides if side is not None)
    a, b = (side and {name: side[name] for name in _COMPARED} for side in sides)
    return {
        "criterion": found.id,
        "text": named["text"],
        "cite": named["cite"],
        "flipped": a is None or b is None or a["outcome"] != b["outcome"],
        "causes": [
            {"cause": cause, "text": getattr(CAUSE_LABELS[cause], language)}
            for cause in found.causes
        ],
        "a": a,
        "b": b,
    }
