"""Slots of a submission: what is demanded and what is there; confirmations and findings."""

from __future__ import annotations

from typing import Any

import asyncpg
import msgspec
from fastapi import APIRouter, Request, Response

from app.api.answers import answer, created
from app.api.deps import Data, Reader, Rules, Submitter, Today, Writer
from app.api.errors import problem_responses
from app.api.evidence_finding_shapes import FindingIn, FindingPage, FindingShape
from app.api.evidence_shapes import SlotInPath
from app.api.evidence_slot_shapes import (
    ConfirmationsIn,
    SlotPage,
    SlotShape,
    WholeSlotShape,
    shown_slot,
)
from app.api.language import InLanguage
from app.api.numbers import RecordInPath
from app.api.officials import acting
from app.api.paging import LONG, Cursor, Limit, cut, links, read_number, sliced
from app.api.preconditions import Meant
from app.api.strict import StrictRoute
from app.api.work import IdempotencyKey
from app.domain.evidence import confirmations, editing, findings, slots
from app.domain.evidence.editing import Held
from app.domain.submissions import contents
from app.rules.registry import Registry

router = APIRouter(
    prefix="/v1/evidence-submissions/{id:number}/slots",
    tags=["evidence"],
    route_class=StrictRoute,
)


@router.get(
    "",
    summary="List the slots of a submission",
    response_model=SlotPage,
    responses=problem_responses(404, 409, 422),
)
async def list_slots(
    request: Request,
    caller: Reader,
    rules: Rules,
    data: Data,
    language: InLanguage,
    id: RecordInPath,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """List every piece of evidence that the document demands, and what there is of each.

    The number of rows, what the list states and the numerator that is claimed are three figures
    beside each other; contradictions are named, nothing is mended.
    """
    async with data.reading() as connection:
        held = await editing.find(connection, caller, id)
        found = await _shown(connection, rules, held)
    items, following = sliced(found, limit, cursor, {"list": "slots", "id": str(id)})
    body = {"items": items, "next": following}
    return answer(request, body, language, links(request, following))


@router.get(
    "/{slot}",
    summary="Read a slot of a submission",
    response_model=WholeSlotShape,
    responses=problem_responses(404, 409, 422),
)
async def read_slot(
    request: Request,
    caller: Reader,
    rules: Rules,
    data: Data,
    language: InLanguage,
    id: RecordInPath,
    slot: SlotInPath,
) -> Response:
    """Read a slot with its lists part by part, and who has signed them when."""
    async with data.reading() as connection:
        held = await editing.find(connection, caller, id)
        known = slots.known(rules, held.ruleset, slot)
        (shown,) = [one for one in await _shown(connection, rules, held) if one["slot"] == slot]
        shown["lists"] = await slots.lists_of(connection, id, known.slot)
        shown["signatures"] = await confirmations.of(connection, id, known.slot)
    return answer(request, shown, language)


@router.put(
    "/{slot}/confirmations",
    summary="State who has signed a list",
    response_model=SlotShape,
    responses=problem_responses(400, 404, 409, 412, 413, 415, 422),
)
async def confirm(
    caller: Submitter,
    rules: Rules,
    connection: Writer,
    language: InLanguage,
    day: Today,
    id: RecordInPath,
    slot: SlotInPath,
    meant: Meant,
    body: ConfirmationsIn,
) -> Response:
    """State all signatures under the list of a slot; the same again changes nothing.

    A signature holds for the list as it is at this moment: if the list changes, it is outdated.
    """
    held = await editing.for_filling(connection, caller, id)
    meant.check(str(held.revision), None)
    known = slots.known(rules, held.ruleset, slot)
    wanted = [one.signature() for one in body.confirmations]
    await confirmations.replace(connection, body.by(caller), held, known, wanted, day)
    (shown,) = [one for one in await _shown(connection, rules, held) if one["slot"] == slot]
    return created(shown, language, status=200)


@router.post(
    "/{slot}/findings",
    summary="Record a check",
    status_code=201,
    response_model=FindingShape,
    responses=problem_responses(400, 404, 409, 412, 413, 415, 422),
)
async def record_finding(
    caller: Reader,
    rules: Rules,
    connection: Writer,
    language: InLanguage,
    day: Today,
    id: RecordInPath,
    slot: SlotInPath,
    meant: Meant,
    body: FindingIn,
    _: IdempotencyKey = None,
) -> Response:
    """Record a field check or a system check: who, when, where, what was seen, photos.

    No document says who checks: the commune while it fills a draft, or the office whose turn it is.
    """
    held = await editing.for_checking(connection, caller, id, day)
    meant.check(str(held.revision), None)
    known = slots.known(rules, held.ruleset, slot)
    by = acting(caller, body.acting_official)
    shown = await findings.add(connection, by, held, known, body.finding(), day)
    return created(shown, language)


@router.get(
    "/{slot}/findings",
    summary="List the checks of a slot",
    response_model=FindingPage,
    responses=problem_responses(404, 422),
)
async def list_findings(
    request: Request,
    caller: Reader,
    rules: Rules,
    data: Data,
    language: InLanguage,
    id: RecordInPath,
    slot: SlotInPath,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """List what was found in checks, oldest first."""
    filters = {"list": "findings", "id": str(id), "slot": slot}
    after = read_number(cursor, filters, LONG)
    async with data.reading() as connection:
        held = await editing.find(connection, caller, id)
        known = slots.known(rules, held.ruleset, slot)
        found = await findings.page(connection, id, known.slot, after, limit + 1)
    items, following = cut(found, lambda one: [str(one["id"])], limit, filters)
    body = {"items": items, "next": following}
    return answer(request, body, language, links(request, following))


async def _shown(
    connection: asyncpg.Connection, rules: Registry, held: Held
) -> list[dict[str, Any]]:
    """Return the slots of a submission as they are shown."""
    named = rules.slots.get(held.ruleset, {})
    states = await contents.slot_states(connection, rules, held)
    return [shown_slot(named[one.slot], msgspec.to_builtins(one)) for one in states]
