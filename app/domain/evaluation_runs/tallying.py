"""Counting how the verdicts of a run came out, so that the run can be shown without reading them.

Only counts are kept, and the units nearest to passing: a run of the whole nation takes no more
memory than one of a district.
"""

from __future__ import annotations

from bisect import insort
from collections import Counter
from collections.abc import Iterable, Mapping
from fractions import Fraction
from operator import attrgetter
from typing import Any, Final

import msgspec

from app.domain.evaluation_runs.nearness import Lacks, lacking, rank
from app.domain.evaluations.conduct import Kept
from app.rules.casework import walk
from app.rules.evaluate import Compiled
from app.rules.verdict import Judgement
from app.rules.vocabulary import (
    MET,
    NO_CRITERION,
    NOT_APPLICABLE,
    NOT_MET,
    OUTCOMES,
    REASONS,
    UNDETERMINED,
)

MOST_NEAREST: Final = 20
JUDGED: Final = (MET, NOT_MET, UNDETERMINED, NOT_APPLICABLE, NO_CRITERION)
_OPEN: Final = frozenset({NOT_MET, UNDETERMINED})


def whole(judgement: Judgement) -> str:
    """Return how all criteria came out together, also where the document states no rule for it."""
    return judgement.all_items or judgement.outcome


class _Near(msgspec.Struct, frozen=True):
    """A unit that has not passed, and what it lacks; `order` is its place in the run."""

    place: tuple[int, Fraction, int]
    kept: Kept
    lacks: Lacks

    def shown(self) -> dict[str, Any]:
        return {
            "unit": self.kept.conducted.unit.shown(),
            "evaluation": self.kept.id,
            "lacking": [
                {
                    "criterion": one.result.id,
                    "outcome": one.result.outcome,
                    "reasons": list(one.result.reasons),
                    "more": one.result.gap,
                }
                for one in self.lacks
            ],
        }


class Tally:
    """The counts of a run so far."""

    def __init__(self, compiled: Compiled) -> None:
        self._criteria = {one.id: one for one in compiled.ruleset.walk()}
        self._states_no_rule = compiled.ruleset.overall == "none"
        self.units = 0
        self._outcomes: Counter[str] = Counter()
        self._all_items: Counter[str] = Counter()
        self._by_criterion: Counter[tuple[str, str]] = Counter()
        self._reasons: Counter[tuple[str, str]] = Counter()
        self._nearest: list[_Near] = []

    def add(self, kept: Kept) -> None:
        """Count a verdict; verdicts are added in the order of the units."""
        judgement = kept.conducted.judgement
        self.units += 1
        self._outcomes[judgement.outcome] += 1
        if judgement.all_items is not None:
            self._all_items[judgement.all_items] += 1
        for result in walk(judgement.criteria):
            self._by_criterion[result.id, result.outcome] += 1
            for reason in result.reasons:
                self._reasons[result.id, reason] += 1
        if whole(judgement) in _OPEN:
            self._compare(kept)

    def _compare(self, kept: Kept) -> None:
        lacks = lacking(self._criteria, kept.conducted.judgement.criteria)
        near = _Near((*rank(lacks), self.units), kept, lacks)
        insort(self._nearest, near, key=attrgetter("place"))
        del self._nearest[MOST_NEAREST:]

    def outcomes(self) -> dict[str, int]:
        """Return how many verdicts came out how."""
        return _counts(OUTCOMES, self._outcomes)

    def all_items(self) -> dict[str, int] | None:
        """Return the same of all items together, where the document states no overall rule."""
        return _counts(JUDGED, self._all_items) if self._states_no_rule else None

    def criteria(self) -> list[dict[str, Any]]:
        """Return for each criterion how many units came out how, and why, in their order."""
        return [
            {"id": id_}
            | {outcome: self._by_criterion[id_, outcome] for outcome in JUDGED}
            | {"reasons": _present(id_, self._reasons)}
            for id_ in self._criteria
        ]

    def nearest(self) -> list[dict[str, Any]]:
        """Return the units nearest to passing, the nearest first."""
        return [one.shown() for one in self._nearest]


def _counts(words: Iterable[str], found: Counter[str]) -> dict[str, int]:
    return {word: found[word] for word in words}


def _present(id_: str, found: Mapping[tuple[str, str], int]) -> dict[str, int]:
    return {word: found[id_, word] for word in REASONS if found.get((id_, word))}
