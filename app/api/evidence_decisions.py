"""One decision of several on submissions of evidence: made, or refused with its own problem."""

from __future__ import annotations

import datetime
from typing import Any, Final

import asyncpg
import msgspec
from fastapi import Request

from app.api.errors import rendered_refusal
from app.api.evidence_shapes import OneDecisionIn
from app.api.preconditions import Stated
from app.api.problems import Problem
from app.domain.evidence import editing
from app.domain.refusals import Absent, Conflict, Forbidden, Refused
from app.domain.submissions import reading, transitions
from app.domain.territory import Caller
from app.rules.registry import Registry

_BEGIN: Final = "SAVEPOINT decision"
_TAKE_BACK: Final = "ROLLBACK TO SAVEPOINT decision"


async def decide(
    request: Request,
    caller: Caller,
    rules: Registry,
    connection: asyncpg.Connection,
    day: datetime.date,
    body: OneDecisionIn,
) -> dict[str, Any]:
    """Return what became of one decision; a refused one leaves nothing behind."""
    await connection.execute(_BEGIN)
    try:
        held = await editing.hold(connection, caller, body.id)
        Stated(None).check(str(held.revision), body.version, required=True)
        await transitions.act(connection, rules, caller, held, body.decision(), day)
    except (Absent, Conflict, Forbidden, Refused, Problem) as error:
        await connection.execute(_TAKE_BACK)
        response = rendered_refusal(request, error)
        problem = msgspec.json.decode(bytes(response.body))
        return {"id": body.id, "status": response.status_code, "submission": None,
                "problem": problem}  # fmt: skip
    held = await editing.find(connection, caller, body.id)
    shown = await reading.whole(connection, caller, held, day)
    return {"id": body.id, "status": 200, "submission": shown, "problem": None}
