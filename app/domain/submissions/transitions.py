"""Transitions: what an office may do with a submission, and what follows from it.

Nobody acts at two steps, neither office nor official (separation of duties). What a submission
contains is frozen from its submission until it comes back or is decided on.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from typing import Any, Final

import asyncpg
import msgspec

from app.domain import audit, ruleset_snapshots
from app.domain.audit import Act
from app.domain.evidence import chain, duties
from app.domain.evidence.attached import Content
from app.domain.evidence.chain import Action, Transition
from app.domain.evidence.editing import Held
from app.domain.refusals import Complaint, Conflict, Forbidden
from app.domain.submissions import contents, decisions
from app.domain.submissions.decisions import Decision
from app.domain.territory import Caller
from app.domain.values import freezing
from app.rules.errors import Text
from app.rules.registry import Registry
from app.rules.vocabulary import SUBMISSION_ACTIONS, SUBMISSION_STATES


class IllegalTransition(Conflict):
    """The action does not lead on from where the submission stands; `may` lists what does."""

    def __init__(self, complaint: Complaint, may: Sequence[str]) -> None:
        super().__init__(complaint, {"may": list(may)})


_MOVE: Final = """
UPDATE evidence_submission
   SET state = $2, revision = revision + 1, version = $3, route = $4, submitted_on = $5,
       digest = $6, changed_at = now()
 WHERE id = $1
"""
_NOTE: Final = """
INSERT INTO evidence_event
       (submission_id, action, before, after, step, route, version, client, official_id,
        official_office, official_position, document, reason, items, day)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12::text::jsonb, $13, $14::text::jsonb, $15)
"""
# What is done, as the audit names it.
_DONE: Final = {
    "submit": "submitted", "reopen": "reopened", "withdraw": "withdrawn", "verify": "verified",
    "appraise": "appraised", "approve": "approved", "return": "returned", "refuse": "refused",
}  # fmt: skip


async def may(
    connection: asyncpg.Connection, caller: Caller, held: Held, day: datetime.date
) -> list[Action]:
    """Return what the caller may do with a submission now, in the order of the chain."""
    acts = await duties.acted(connection, held.id)
    found = [
        one.action
        for one in chain.possible(held.state, held.route, day)
        if chain.stands_at(caller, one.step) and not duties.elsewhere(acts, one.step, caller, None)
    ]
    return list(dict.fromkeys(found))


async def act(
    connection: asyncpg.Connection,
    registry: Registry,
    caller: Caller,
    held: Held,
    decision: Decision,
    day: datetime.date,
) -> None:
    """Do what was decided with a submission that is held.

    Raises Forbidden for an office that may not, or acted at another step already; Conflict where
    the action does not lead on from the state; Refused for what is wrong with the decision.
    """
    chosen = await _chosen(connection, caller, held, decision, day)
    decisions.check(registry, held, decision, day)
    done = msgspec.structs.replace(held, state=chosen.after)
    if decision.action == "submit":
        done = await _submit(connection, registry, done, day)
    elif held.state in chain.CHECKED and chosen.after not in chain.CHECKED:
        await _let_go(connection, caller, held, chosen)
    await connection.execute(
        _MOVE, held.id, done.state, done.version, done.route, done.submitted_on, done.digest
    )
    await _note(connection, caller, done, chosen, decision, day)


async def _submit(
    connection: asyncpg.Connection, registry: Registry, held: Held, day: datetime.date
) -> Held:
    """Keep what is submitted and freeze its values; return the submission as it stands then.

    Its slots are those of the ruleset as it is installed now, whose digest it has from now on.
    """
    entry = contents.entry_of(registry, held)
    await ruleset_snapshots.keep(connection, entry)
    content = await contents.of(connection, registry, held)
    await contents.keep(connection, held, held.version + 1, content)
    await freezing.freeze(connection, held.id, _values(content))
    return msgspec.structs.replace(
        held, version=held.version + 1, route=chain.route_on(day), submitted_on=day,
        digest=entry.compiled.digest,
    )  # fmt: skip


async def _let_go(
    connection: asyncpg.Connection, caller: Caller, held: Held, chosen: Transition
) -> None:
    """End the freezing; what is approved says so from now on."""
    content = await contents.version(connection, held, held.version, "id")
    await freezing.release(connection, held.id, _values(content))
    if chosen.after == "approved":
        await freezing.approve(connection, caller, _values(content))


def _values(content: Content) -> list[int]:
    return [one.value_id for one in content.values]


async def _chosen(
    connection: asyncpg.Connection,
    caller: Caller,
    held: Held,
    decision: Decision,
    day: datetime.date,
) -> Transition:
    """Return the transition that is meant; raise Forbidden or IllegalTransition."""
    action = decision.action
    steps = {one.step for one in chain.CHAIN.transitions if one.action == action}
    if not any(chain.stands_at(caller, step) for step in steps):
        raise Forbidden(Complaint("/action", "not-your-office", _not_yours(action, steps)))
    leading = [one for one in chain.possible(held.state, held.route, day) if one.action == action]
    chosen = next((one for one in leading if chain.stands_at(caller, one.step)), None)
    if chosen is None:
        allowed = await may(connection, caller, held, day)
        raise IllegalTransition(
            Complaint("/action", "illegal-transition", _illegal(held, action, allowed)), allowed
        )
    acts = await duties.acted(connection, held.id)
    duties.check(acts, chosen.step, caller, decision.official, "/action")
    return chosen


async def _note(
    connection: asyncpg.Connection,
    caller: Caller,
    done: Held,
    chosen: Transition,
    decision: Decision,
    day: datetime.date,
) -> None:
    official = decision.official
    await connection.execute(
        _NOTE, done.id, decision.action, chosen.before, chosen.after, chosen.step, done.route,
        done.version, caller.client_id, official.id, official.office, official.position,
        _json(decision.document), decision.reason, _json(decision.items), day,
    )  # fmt: skip
    told = {
        "submission": done.id, "version": done.version, "state": chosen.after, "step": chosen.step,
    }  # fmt: skip
    act_ = Act(f"submission.{_DONE[decision.action]}", done.place, told, decision.reason)
    acting = msgspec.structs.replace(caller, official=official)
    await audit.note(connection, acting, [act_])


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _not_yours(action: str, steps: Iterable[str]) -> Text:
    done, offices = SUBMISSION_ACTIONS[action], [chain.STEPS[one] for one in sorted(steps)]
    vi = ", ".join(f"{one.office.vi} với quyền {one.scope}" for one in offices)
    en = ", ".join(f"{one.office.en} with the scope {one.scope}" for one in offices)
    return Text(
        f"việc “{done.vi}” thuộc về: {vi}; hãy dùng máy khách của cơ quan đó",
        f"to {done.en} is up to: {en}; use a client of that office",
    )


def _illegal(held: Held, action: str, allowed: Sequence[str]) -> Text:
    done, state = SUBMISSION_ACTIONS[action], SUBMISSION_STATES[held.state]
    vi = ", ".join(f"{SUBMISSION_ACTIONS[one].vi} ({one})" for one in allowed) or "không có"
    en = ", ".join(allowed) or "nothing"
    return Text(
        f"hồ sơ số {held.id} {state.vi}, không thể {done.vi}; việc bạn được làm lúc này: {vi}",
        f"submission {held.id} is {state.en}, one cannot {done.en} it; what you may do now: {en}",
    )
