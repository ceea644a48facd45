"""Which criteria came out differently in two judgements, and why.

Two judgements of the same unit, of two units, or by two rulesets that share criteria. Where a value
comes from (period, source) makes no difference; whether it counts does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from app.rules.casework import walk
from app.rules.errors import Text
from app.rules.evaluate import Compiled, conditions_of, own_codes, shares_of
from app.rules.facts import Given, Recorded, bare
from app.rules.ruleset import Criterion
from app.rules.verdict import Judgement, Result, canonical
from app.rules.vocabulary import EXEMPT_CENTRAL_PILOT, LEVEL_ABOLISHED

VALUE: Final = "value"
MEMBERS: Final = "members"
THRESHOLD: Final = "threshold"
BRANCH: Final = "branch"
EXEMPTION: Final = "exemption"
DAY: Final = "day"
RULESET: Final = "ruleset"
CRITERIA: Final = "criteria"

CAUSE_LABELS: Final[Mapping[str, Text]] = {
    VALUE: Text("số liệu khác nhau", "the values differ"),
    MEMBERS: Text(
        "số đơn vị thành viên được tính khác nhau", "the counts of the member units differ"
    ),
    THRESHOLD: Text("ngưỡng yêu cầu khác nhau", "the required thresholds differ"),
    BRANCH: Text(
        "ngưỡng được áp dụng theo phân loại địa bàn khác nhau",
        "the thresholds of different area classes apply",
    ),
    EXEMPTION: Text(
        "chỉ một bên không thuộc diện xét điều kiện do đã được Trung ương lựa chọn thí điểm",
        "only one side is exempt because the centre chose it for the pilot",
    ),
    DAY: Text(
        "chỉ một bên được xét sau khi cấp huyện kết thúc hoạt động",
        "only one side is judged after the end of the district level",
    ),
    RULESET: Text(
        "tiêu chí chỉ có ở một bộ quy tắc, hoặc hai bộ quy tắc quy định khác nhau",
        "the criterion is in one ruleset only, or the rulesets define it differently",
    ),
    CRITERIA: Text(
        "kết quả của các tiêu chí trong nhóm khác nhau", "criteria within the group differ"
    ),
}
# The order in which causes are listed when several apply.
CAUSES: Final = tuple(CAUSE_LABELS)


class Side(msgspec.Struct, frozen=True):
    """One of the two judgements, with the ruleset by which it was made."""

    compiled: Compiled
    judgement: Judgement


class CriterionDifference(msgspec.Struct, frozen=True):
    """A criterion that differs: its result on each side (None where it has none), and why."""

    id: str
    a: Result | None
    b: Result | None
    causes: tuple[str, ...]


def compare(a: Side, b: Side) -> tuple[CriterionDifference, ...]:
    """Return the criteria that differ in the order of `a`, then those that only `b` has."""
    ours, theirs = _told(a), _told(b)
    pairs = {id_: (ours.get(id_), theirs.get(id_)) for id_ in (*ours, *theirs)}
    different = {id_ for id_, (one, other) in pairs.items() if _shown(one) != _shown(other)}
    return tuple(
        CriterionDifference(
            id_,
            one.result if one else None,
            other.result if other else None,
            _causes(one, other, different),
        )
        for id_, (one, other) in pairs.items()
        if id_ in different
    )


class _Told(msgspec.Struct, frozen=True):
    """A result beside the criterion that it is the result of."""

    compiled: Compiled
    criterion: Criterion
    result: Result

    @property
    def exempt(self) -> bool:
        return EXEMPT_CENTRAL_PILOT in self.result.reasons


def _told(side: Side) -> dict[str, _Told]:
    criteria = {one.id: one for one in side.compiled.ruleset.walk()}
    results = walk(side.judgement.criteria)
    return {one.id: _Told(side.compiled, criteria[one.id], one) for one in results}


def _shown(told: _Told | None) -> object:
    """Return everything of a result that makes a difference."""
    if told is None:
        return None
    result = told.result
    return (
        result.outcome, result.reasons, result.gap, result.branch, result.members,
        _values(result), _threshold(told.criterion),
    )  # fmt: skip


def _causes(a: _Told | None, b: _Told | None, different: set[str]) -> tuple[str, ...]:
    if a is None or b is None:
        return (RULESET,)
    found = {cause for cause, differs in _tests(a, b, different) if differs}
    return tuple(cause for cause in CAUSES if cause in found) or (_unseen(a, b),)


def _tests(a: _Told, b: _Told, different: set[str]) -> Iterator[tuple[str, bool]]:
    """Yield every cause with whether it applies."""
    one, other = a.result, b.result
    thresholds = _threshold(a.criterion), _threshold(b.criterion)
    yield VALUE, _values(one) != _values(other)
    yield MEMBERS, one.members != other.members
    yield THRESHOLD, None not in thresholds and thresholds[0] != thresholds[1]
    # An exempt unit has no branch: then the exemption is the cause.
    yield BRANCH, one.branch != other.branch and not (a.exempt or b.exempt)
    yield EXEMPTION, a.exempt != b.exempt
    yield DAY, (LEVEL_ABOLISHED in one.reasons) != (LEVEL_ABOLISHED in other.reasons)
    yield RULESET, _definition(a) != _definition(b)
    yield CRITERIA, any(child.id in different for child in (*one.criteria, *other.criteria))


def _unseen(a: _Told, b: _Told) -> str:
    """Return the cause where nothing shown explains a difference.

    Shares that only a reading asks for show no counts; a pack's own check shows no definition.
    """
    shares = [shares_of(told.criterion, told.compiled.indicators) for told in (a, b)]
    return MEMBERS if any(shares) else RULESET


def _values(result: Result) -> bytes:
    """Return the values of a result, canonical: for Python, true equals 1."""
    observed = result.observed
    if isinstance(observed, dict):
        return canonical({code: _value(one) for code, one in observed.items()})
    return canonical((_value(observed), _value(result.stated)))


def _value(given: Given | None) -> object:
    return bare(given), given.discounted if isinstance(given, Recorded) else None


def _threshold(criterion: Criterion) -> object:
    """Return operator and values of a threshold."""
    required = criterion.required
    if required is None:
        return None
    return required.operator, required.value, tuple(one.value for one in required.branches)


def _definition(told: _Told) -> dict[str, Any]:
    """Return what a criterion tests besides the numbers of its threshold; no texts."""
    criterion, required = told.criterion, told.criterion.required
    indicators = [told.compiled.indicators[code] for code in own_codes(criterion)]
    return {
        "criteria": [child.id for child in criterion.criteria],
        "combine": criterion.combine,
        "indicator": criterion.indicator,
        "sum": criterion.sum,
        "contains": criterion.contains,
        "check": (criterion.check, criterion.check_with),
        "no_criterion": criterion.no_criterion,
        "required": required and (required.unit, [one.when_any for one in required.branches]),
        "readings": (len(criterion.every_reading), conditions_of(criterion)),
        "indicators": [
            (one.code, one.kind, one.derived, one.numerator_may_exceed_denominator)
            for one in indicators
        ],
    }
