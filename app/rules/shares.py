"""Shares over members: how many units of a kind fulfil a condition, with bounds.

A share counts members known true and members whose value is unknown: its measure runs from the
known-true share to known-true-plus-unknown, so it is decided only when both ends agree. A share
given directly fills in where the members leave it open; what the members decide, it never
overturns - the two are shown side by side.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from app.rules.checks import Comparison, Finding, Measure, measure, weigh
from app.rules.facts import Given
from app.rules.indicators import Share
from app.rules.verdict import Inputs, Members
from app.rules.vocabulary import (
    DENOMINATOR_ZERO,
    LEVEL_ABOLISHED,
    MEMBER_VALUE_MISSING,
    MET,
    MISSING_VALUE,
    UNDETERMINED,
)

Facts = Mapping[str, Given]
# Facts first: the same condition is put to a unit (with its inputs) and to a member (without).
Asked = Callable[[Facts, Inputs | None], Finding]
MeasuredShare = tuple[Measure, Members | None]

# The district level ended with the two-level local government of 1 July 2025.
LEVEL_ENDED: Final = {"district": datetime.date(2025, 7, 1)}


class Weighed(msgspec.Struct, frozen=True):
    """A share put to its threshold: what decided it, and what was stated beside it."""

    outcome: str
    reasons: tuple[str, ...]
    measured: Measure
    members: Members | None
    observed: Given | None = None
    stated: Given | None = None


def measured_share(share: Share, holds: Asked) -> Callable[[Inputs], MeasuredShare]:
    """Return a function that measures a share over the members, in percent."""
    groups = share.of
    ends = [LEVEL_ENDED[group.level] for group in groups if group.level in LEVEL_ENDED]

    def measure_share(inputs: Inputs) -> MeasuredShare:
        if any(inputs.day >= end for end in ends):
            return (0, 0, 0, LEVEL_ABOLISHED), None
        if inputs.members is None:
            return (0, 0, 0, MISSING_VALUE), None
        outcomes = [
            holds(member.facts, None)[0]
            for member in inputs.members
            if any(group.covers(member.level, member.type) for group in groups)
        ]
        total, true, unknown = len(outcomes), outcomes.count(MET), outcomes.count(UNDETERMINED)
        members = Members(known=total - unknown, true=true, unknown=unknown)
        if not total:
            return (0, 0, 0, DENOMINATOR_ZERO), members
        return (true * 100, (true + unknown) * 100, total, MEMBER_VALUE_MISSING), members

    return measure_share


def weighed_share(
    code: str, share: Callable[[Inputs], MeasuredShare], compare: Comparison
) -> Callable[[Facts, Inputs], Weighed]:
    """Return a function that puts a share to a threshold: the members first, else as stated."""

    def weigh_share(facts: Facts, inputs: Inputs) -> Weighed:
        stated = facts.get(code)
        measured, members = share(inputs)
        outcome, reasons = weigh(compare, measured)
        if stated is None or outcome != UNDETERMINED:
            return Weighed(outcome, reasons, measured, members, stated=stated)
        measured = measure(stated)
        outcome, reasons = weigh(compare, measured)
        return Weighed(outcome, reasons, measured, members, observed=stated)

    return weigh_share
