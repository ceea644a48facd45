"""What a submission contains at this moment: the state of its slots, the values it rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import asyncpg
import msgspec

from app.domain.evaluations import on_record
from app.domain.evidence import slots
from app.domain.evidence.attached import ContainedValue, Content, SlotState
from app.domain.evidence.editing import Held
from app.domain.evidence.slots import Filled
from app.domain.refusals import Absent, Complaint, Conflict
from app.rules.errors import Text
from app.rules.facts import Recorded
from app.rules.registry import Entry, Registry
from app.rules.verdict import canonical

_ADD: Final = """
INSERT INTO evidence_version (submission_id, number, content) VALUES ($1, $2, $3)
"""
_READ: Final = "SELECT content FROM evidence_version WHERE submission_id = $1 AND number = $2"


async def of(connection: asyncpg.Connection, registry: Registry, held: Held) -> Content:
    """Return what a submission contains now; raise Conflict where its ruleset has lost slots."""
    entry = entry_of(registry, held)
    facts = await _facts(connection, entry, held)
    filled = await slots.filled(connection, held.id)
    if lost := filled.slots() - registry.slots.get(held.ruleset, {}).keys():
        raise Conflict(Complaint("/ruleset", "ruleset-changed", _changed(held, sorted(lost))))
    return Content(
        digest=entry.compiled.digest,
        slots=_states(registry, held, filled, facts),
        values=tuple(
            ContainedValue(code, str(one.period), one.value_id)
            for code, one in sorted(facts.items())
            if one.value_id is not None and not one.discounted
        ),
    )


async def slot_states(
    connection: asyncpg.Connection, registry: Registry, held: Held
) -> tuple[SlotState, ...]:
    """Return the state of every slot of a submission, in the order of the document."""
    facts = await _facts(connection, entry_of(registry, held), held)
    return _states(registry, held, await slots.filled(connection, held.id), facts)


def _states(
    registry: Registry, held: Held, filled: Filled, facts: Mapping[str, Recorded]
) -> tuple[SlotState, ...]:
    claims = {code: one.fact for code, one in facts.items() if not one.discounted}
    return slots.states(registry.slots.get(held.ruleset, {}).values(), filled, claims)


async def keep(connection: asyncpg.Connection, held: Held, number: int, content: Content) -> None:
    """Keep what is submitted under its number; it never changes."""
    await connection.execute(_ADD, held.id, number, canonical(content))


async def version(connection: asyncpg.Connection, held: Held, number: int, name: str) -> Content:
    """Return what was submitted under a number; raise Absent."""
    content = await connection.fetchval(_READ, held.id, number)
    if content is None:
        message = Text(
            f"hồ sơ số {held.id} không có lần nộp số {number}; đã nộp {held.version} lần",
            f"submission {held.id} was not submitted {number} times; it was {held.version} times",
        )
        raise Absent(Complaint(f"/{name}", "version-not-found", message))
    return msgspec.json.decode(content, type=Content)


def entry_of(registry: Registry, held: Held) -> Entry:
    """Return the ruleset of a submission as it is installed; raise Conflict where it is not."""
    entry = registry.entries.get(held.ruleset)
    if entry is None:
        message = Text(
            f"bộ quy tắc {held.ruleset} không còn được cài đặt; hãy báo quản trị viên",
            f"the ruleset {held.ruleset} is not installed any more; tell the administrator",
        )
        raise Conflict(Complaint("/ruleset", "ruleset-missing", message))
    return entry


def _changed(held: Held, lost: Sequence[str]) -> Text:
    return Text(
        f"bộ quy tắc {held.ruleset} nay không còn các mục minh chứng {', '.join(lost)} mà hồ sơ số "
        f"{held.id} đã có nội dung; hãy rút hồ sơ này và lập hồ sơ khác",
        f"the ruleset {held.ruleset} has no more the slots {', '.join(lost)}, which submission "
        f"{held.id} has filled; withdraw it and open another",
    )


async def _facts(
    connection: asyncpg.Connection, entry: Entry, held: Held
) -> Mapping[str, Recorded]:
    compiled = entry.compiled
    found = await on_record.values(
        connection, [held.unit_id], compiled.unit_codes, compiled.indicators, held.spoken_of
    )
    return found.get(held.unit_id, {})
