"""What changed between two versions of a submission, as they were submitted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from app.domain.evidence.attached import Content, SlotState

# What is compared of a slot, beside its digest: the rest follows from it.
_COMPARED: Final = ("present", "complete", "missing", "list", "confirmations", "files", "findings")


def between(before: Content, after: Content) -> dict[str, Any]:
    """Return the rulesets, the slots and values that differ, each as it was and as it is."""
    return {
        "digests": {"before": before.digest, "after": after.digest},
        "slots": list(_slots(before.slots, after.slots)),
        "values": list(_values(_by_code(before), _by_code(after))),
    }


def _slots(before: Iterable[SlotState], after: Iterable[SlotState]) -> Iterable[dict[str, Any]]:
    old, new = ({one.slot: one for one in states} for states in (before, after))
    for slot in dict.fromkeys([*old, *new]):
        was, now = old.get(slot), new.get(slot)
        if was == now:
            continue
        changed = [
            name for name in _COMPARED if getattr(was, name, None) != getattr(now, name, None)
        ]
        # The list has as many rows as before, or who signed it on another day: other contents.
        yield {
            "slot": slot,
            "changed": changed or ["content"],
            "before": was and _shown(was, changed),
            "after": now and _shown(now, changed),
        }


def _shown(state: SlotState, changed: Iterable[str]) -> dict[str, Any]:
    return {"sha256": state.sha256} | {
        name: msgspec.to_builtins(getattr(state, name)) for name in changed
    }


def _by_code(content: Content) -> dict[str, dict[str, Any]]:
    return {
        one.indicator: {"period": one.period, "value_id": one.value_id} for one in content.values
    }


def _values(
    before: Mapping[str, dict[str, Any]], after: Mapping[str, dict[str, Any]]
) -> Iterable[dict[str, Any]]:
    for code in sorted(before.keys() | after.keys()):
        if before.get(code) != after.get(code):
            yield {"indicator": code, "before": before.get(code), "after": after.get(code)}
