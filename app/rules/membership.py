"""Which members a share over members counts, and how each of them comes out."""

from __future__ import annotations

import msgspec

from app.rules.conditions import asked
from app.rules.evaluate import Compiled, shares_of
from app.rules.indicators import Share
from app.rules.shares import measured_share
from app.rules.verdict import Inputs, Member


class MemberOutcome(msgspec.Struct, frozen=True):
    """One member that a share counts: whether what is asked holds of it, or why that is open."""

    member: Member
    outcome: str
    reasons: tuple[str, ...]


def members_counted(
    compiled: Compiled, criterion_id: str, inputs: Inputs
) -> tuple[MemberOutcome, ...] | None:
    """Return the members that a criterion counts, in the order given; None where it counts none.

    No members are counted where none are given or where their level has ended.
    """
    share = _share(compiled, criterion_id)
    if share is None:
        return None
    holds = asked(share.holds, compiled.indicators)
    _, counts = measured_share(share, holds)(inputs)
    if counts is None:
        return None
    return tuple(
        MemberOutcome(member, *holds(member.facts, None))
        for member in inputs.members or ()
        if any(group.covers(member.level, member.type) for group in share.of)
    )


def members_read(compiled: Compiled, criterion_id: str) -> frozenset[str]:
    """Return the indicators that a criterion reads from the members it counts."""
    share = _share(compiled, criterion_id)
    return frozenset(share.holds.codes() if share else ())


def _share(compiled: Compiled, criterion_id: str) -> Share | None:
    """Return the share that decides a criterion, or else the first that one of its readings asks.

    A report and a pack's own check read a share only as it is stated for the unit.
    """
    criteria = {one.id: one for one in compiled.ruleset.walk()}
    criterion = criteria[criterion_id]
    if criterion.no_criterion or criterion.check:
        return None
    return next(iter(shares_of(criterion, compiled.indicators)), None)
