"""Evidence beside a verdict: what was there of what the document demands, when it was judged.

The axis of values and the axis of evidence are apart: nothing here changes an outcome, and nothing
here is a part of the bytes that a verdict is compared by.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from app.rules.facts import Given, Recorded
from app.rules.ruleset import Ruleset


class Missing(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Something that a slot still lacks: what, of which part, by whom."""

    code: str
    part: str | None = None
    who: str | None = None


class Confirmed(msgspec.Struct, frozen=True, gc=False):
    """Who confirms, by what it is demanded, and how many parts are signed.

    `outdated` counts signatures under lists that have changed since: they confirm nothing.
    """

    who: str
    required_by: str
    signed: int
    of: int
    outdated: int = 0


class SlotEvidence(msgspec.Struct, frozen=True):
    """What a submission had in one slot: counts and what was missing, no names of anything."""

    present: bool
    complete: bool
    missing: tuple[Missing, ...] = ()
    confirmations: tuple[Confirmed, ...] = ()


class Attached(msgspec.Struct, frozen=True):
    """What a verdict found attached: a submission in its state then, or none (`submission` null).

    `version` tells which of its submitted versions it was. `values` are the numbers of the values
    that it contained, as far as they are still to be compared; `other_values` are indicators of
    which another value was judged.
    """

    submission: int | None = None
    version: int | None = None
    state: str | None = None
    slots: Mapping[str, SlotEvidence] = {}
    values: Mapping[str, int] = {}
    other_values: tuple[str, ...] = ()

    def compared(self, facts: Mapping[str, Given]) -> Attached:
        """Return it with the indicators of which the facts hold another value than it contained."""
        if self.submission is None:
            return self
        judged = {
            code: one.value_id
            for code, one in facts.items()
            if isinstance(one, Recorded) and not one.discounted
        }
        others = sorted(code for code, id_ in judged.items() if self.values.get(code) != id_)
        return msgspec.structs.replace(self, values={}, other_values=tuple(others))


NOTHING: Final = Attached()
_NOT_THERE: Final = SlotEvidence(present=False, complete=False, missing=(Missing("not-submitted"),))


def is_complete(ruleset: Ruleset, attached: Attached | None) -> bool | None:
    """Tell whether all evidence that a document demands was there and confirmed.

    None where the document names no evidence, or nobody has looked.
    """
    if attached is None:
        return None
    slots = [one.slot for criterion in ruleset.walk() for one in criterion.evidence]
    if not slots:
        return None
    return all(attached.slots.get(slot, _NOT_THERE).complete for slot in slots)


def submission(attached: Attached | None) -> dict[str, Any] | None:
    """Return which submission was attached; None where there was none."""
    if attached is None or attached.submission is None:
        return None
    return {
        "id": attached.submission,
        "version": attached.version,
        "state": attached.state,
        "other_values": list(attached.other_values),
    }


def of_slot(attached: Attached | None, slot: str) -> dict[str, Any]:
    """Return what is shown of a slot: present, complete, missing, confirmed by whom."""
    if attached is None:
        return {"required": True, "present": None, "complete": None, "missing": [],
                "confirmations": []}  # fmt: skip
    found = attached.slots.get(slot, _NOT_THERE)
    return {
        "required": True,
        "present": found.present,
        "complete": found.complete,
        "missing": [{"code": one.code, "part": one.part, "who": one.who} for one in found.missing],
        "confirmations": [
            {
                "who": one.who,
                "required_by": one.required_by,
                "parts": {"signed": one.signed, "of": one.of},
                "outdated": one.outdated,
            }
            for one in found.confirmations
        ],
    }
