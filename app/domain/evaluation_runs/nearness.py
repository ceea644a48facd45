"""How near a unit is to passing: the fewest criteria that would still have to be met.

Only criteria without children count. Of a group of which any one suffices, the part that lacks
least counts; where all are needed, all of them. What is met, does not apply or has no threshold
lacks nothing. Between units that lack equally many, the smaller sum of relative gaps is nearer:
the gap as a share of what is counted (`150` of `4,000` households are 3/80), and one whole where
the criterion is no matter of degree or its value is not known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import chain
from typing import Final

import msgspec

from app.rules.facts import Ratio, bare
from app.rules.ruleset import Criterion
from app.rules.verdict import Result
from app.rules.vocabulary import MET, NO_CRITERION, NOT_APPLICABLE

_LACKS_NOTHING: Final = frozenset({MET, NOT_APPLICABLE, NO_CRITERION})
_WHOLE: Final = Fraction(1)


class Lacking(msgspec.Struct, frozen=True):
    """A criterion that would have to be met: its result, and how far away that is, from 0 to 1."""

    result: Result
    distance: Fraction


Lacks = tuple[Lacking, ...]


def lacking(criteria: Mapping[str, Criterion], results: Sequence[Result]) -> Lacks:
    """Return the fewest criteria by which all results would be met, in the document's order."""
    return tuple(chain.from_iterable(_of(criteria, one) for one in results))


def rank(lacks: Lacks) -> tuple[int, Fraction]:
    """Return what is compared: how many are lacking, then how far away they are together."""
    return len(lacks), sum((one.distance for one in lacks), Fraction())


def _of(criteria: Mapping[str, Criterion], result: Result) -> Lacks:
    if result.outcome in _LACKS_NOTHING:
        return ()
    criterion = criteria[result.id]
    if not result.criteria:
        return (Lacking(result, _distance(criterion, result)),)
    if criterion.combine != "any":
        return lacking(criteria, result.criteria)
    open_ = (one for one in result.criteria if one.outcome not in _LACKS_NOTHING)
    return min((_of(criteria, one) for one in open_), key=rank)


def _distance(criterion: Criterion, result: Result) -> Fraction:
    counted = _counted(criterion, result)
    if result.gap is None or not counted:
        return _WHOLE
    return min(Fraction(result.gap) / counted, _WHOLE)


def _counted(criterion: Criterion, result: Result) -> Fraction:
    """Return what a gap is a part of: the denominator of a share, the members, or the threshold."""
    observed, required = result.observed, criterion.required
    fact = None if isinstance(observed, dict) else bare(observed)
    if isinstance(fact, Ratio):
        return Fraction(fact.denominator)
    if result.members is not None:
        return Fraction(result.members.known + result.members.unknown)
    if required is None:
        return Fraction()
    branch = result.branch
    value = required.value if branch is None else required.branches[branch].value
    return Fraction(value or 0)
