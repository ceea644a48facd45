"""Why a criterion came out differently for one unit: what was judged, and by what, on each side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec

from app.rules import comparison
from app.rules.checks import combined
from app.rules.comparison import CAUSE_LABELS, CriterionDifference, Side
from app.rules.evaluate import Compiled
from app.rules.explain import required
from app.rules.figures import observed
from app.rules.ruleset import Criterion, Ruleset
from app.rules.verdict import Inputs, Judgement, Result


class Judged(msgspec.Struct, frozen=True):
    """A verdict on record: the ruleset as it was, the judgement and what it rests on."""

    compiled: Compiled
    judgement: Judgement
    inputs: Inputs


class _Told(msgspec.Struct, frozen=True):
    """One side of a difference: the verdict, the criterion, and its result there."""

    judged: Judged
    criterion: Criterion
    result: Result


def whole_of(ruleset: Ruleset, leaves: Mapping[str, str]) -> str:
    """Return how all criteria come out together when those without children come out so."""
    return combined("all", [_outcome(one, leaves) for one in ruleset.criteria])


def _outcome(criterion: Criterion, leaves: Mapping[str, str]) -> str:
    if not criterion.criteria:
        return leaves[criterion.id]
    return combined(criterion.combine, [_outcome(one, leaves) for one in criterion.criteria])


def changed(before: Judged, after: Judged, language: str) -> list[dict[str, Any]]:
    """Return the criteria whose outcome differs, groups included, each with every cause."""
    found = comparison.compare(
        Side(before.compiled, before.judgement), Side(after.compiled, after.judgement)
    )
    return [
        _shown(one, before, after, language)
        for one in found
        if one.a is None or one.b is None or one.a.outcome != one.b.outcome
    ]


def _shown(
    found: CriterionDifference, before: Judged, after: Judged, language: str
) -> dict[str, Any]:
    sides = _told(before, found.id, found.a), _told(after, found.id, found.b)
    return {
        "id": found.id,
        "before": found.a and found.a.outcome,
        "after": found.b and found.b.outcome,
        "why": [
            {
                "cause": cause,
                "text": getattr(CAUSE_LABELS[cause], language),
                "from": _DETAILS[cause](sides[0]),
                "to": _DETAILS[cause](sides[1]),
            }
            for cause in found.causes
        ],
    }


def _told(judged: Judged, id_: str, result: Result | None) -> _Told | None:
    if result is None:
        return None
    criterion = next(one for one in judged.compiled.ruleset.walk() if one.id == id_)
    return _Told(judged, criterion, result)


Detail = Callable[[_Told | None], Any]


def _value(told: _Told | None) -> Any:
    """Return the value that was judged, with its period, source and number on record."""
    if told is None:
        return None
    indicator = told.judged.compiled.indicators.get(told.criterion.indicator or "")
    exceeds = indicator is not None and indicator.numerator_may_exceed_denominator
    return observed(told.criterion, told.result, exceeds)


def _members(told: _Told | None) -> Any:
    return told and told.result.members and msgspec.structs.asdict(told.result.members)


def _threshold(told: _Told | None) -> Any:
    return told and required(told.criterion.required, told.result.branch)


def _classes(told: _Told | None) -> Any:
    """Return the branch that applied and the area classes that decide which one does."""
    if told is None or told.criterion.required is None:
        return None
    codes = {code for one in told.criterion.required.branches for code in one.when_any}
    applied = required(told.criterion.required, told.result.branch)
    return {
        "branch": applied and applied["branch"],
        "attributes": _known(codes, told.judged.inputs.attributes),
    }


def _known(codes: Iterable[str], attributes: Mapping[str, bool]) -> dict[str, bool | None]:
    return {code: attributes.get(code) for code in sorted(codes)}


def _designations(told: _Told | None) -> Any:
    """Return the pilot designations of the unit."""
    return told and [
        {"model": one.model, "decision": one.decision, "date": one.date}
        for one in told.judged.inputs.designations
    ]


def _day(told: _Told | None) -> Any:
    return told and told.judged.inputs.day


def _ruleset(told: _Told | None) -> Any:
    """Return which state of the ruleset it was; None where the criterion is not in it."""
    compiled = told and told.judged.compiled
    return compiled and {"version": compiled.ruleset.version, "digest": compiled.digest}


def _children(told: _Told | None) -> Any:
    """Return how the criteria of a group came out."""
    return told and {one.id: one.outcome for one in told.result.criteria}


_DETAILS: Final[Mapping[str, Detail]] = {
    comparison.VALUE: _value,
    comparison.MEMBERS: _members,
    comparison.THRESHOLD: _threshold,
    comparison.BRANCH: _classes,
    comparison.EXEMPTION: _designations,
    comparison.DAY: _day,
    comparison.RULESET: _ruleset,
    comparison.CRITERIA: _children,
}
