"""Weighing a candidate: every unit judged by the ruleset as it is and by the candidate."""

from __future__ import annotations

import asyncio
import datetime
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import asyncpg
import msgspec

from app.domain import scope
from app.domain.evaluation_runs.conducting import TOGETHER
from app.domain.evaluation_runs.covering import of_levels
from app.domain.evaluation_runs.tallying import JUDGED, whole
from app.domain.evaluations import on_record
from app.domain.evaluations.on_record import OnRecord
from app.domain.impact import MOST_NAMED
from app.domain.refusals import Complaint, Refused
from app.domain.scope import OUT
from app.domain.unit_periods import Entity
from app.rules.casework import walk
from app.rules.errors import Text
from app.rules.evaluate import Compiled
from app.rules.explain import named
from app.rules.period import Period
from app.rules.verdict import Judgement
from app.rules.vocabulary import OUTCOMES

_PAUSE: Final = 5  # units that are judged before others have their turn
_NAMED: Final = ("id", "version", "digest", "title")
Tell = Callable[[int], Awaitable[None]]


class Question(msgspec.Struct, frozen=True):
    """What is weighed: the ruleset as it is and the candidate, where, and for when."""

    before: Compiled
    after: Compiled
    under: Entity
    period: Period
    as_of: datetime.date


class Concerned(msgspec.Struct, frozen=True):
    """The units that at least one of the two documents binds, and how many neither does."""

    units: Sequence[Entity]
    out_of_scope: int


async def concerned(connection: asyncpg.Connection, question: Question) -> Concerned:
    """Return the units that are judged; raise Refused where there is none.

    Both rulesets must be for the same levels.
    """
    before, after = question.before.ruleset, question.after.ruleset
    if {before.level, *before.also_levels} != {after.level, *after.also_levels}:
        raise Refused([Complaint("/ruleset_file", "wrong-level", _levels(question))])
    found = await of_levels(connection, question.after, question.under, question.period)
    ids = [unit.id for unit in found]
    scopes = [await scope.of(connection, one.scope, ids) for one in (before, after)]
    bound = [unit for unit in found if any(one[unit.id] != OUT for one in scopes)]
    if not bound:
        raise Refused([Complaint("/under", "ruleset-out-of-scope", _unbound(question))])
    return Concerned(bound, len(found) - len(bound))


async def weighed(
    connection: asyncpg.Connection,
    question: Question,
    found: Concerned,
    tell: Tell | None = None,
) -> dict[str, Any]:
    """Judge the units twice; return the counts, and the units that come out differently."""
    tally = _Tally(question)
    for first in range(0, len(found.units), TOGETHER):
        units = found.units[first : first + TOGETHER]
        record = await on_record.load(
            connection, [question.before, question.after], units, question.period, question.as_of
        )
        for number, unit in enumerate(units, 1):
            tally.add(record, unit)
            if number % _PAUSE == 0:
                await asyncio.sleep(0)
        if tell is not None:
            await tell(first + len(units))
    return tally.shown(found)


class _Side:
    """How the units come out by one of the two rulesets."""

    def __init__(self, compiled: Compiled) -> None:
        self.compiled = compiled
        self.outcomes: Counter[str] = Counter()
        self.all_items: Counter[str] = Counter()
        self.out_of_scope = 0

    def judged(self, record: OnRecord, unit: Entity, as_of: datetime.date) -> Judgement | None:
        """Judge a unit and count how it came out; None where the document does not bind it."""
        if record.scopes[self.compiled.digest][unit.id] == OUT:
            self.out_of_scope += 1
            return None
        judgement = self.compiled.evaluate(record.inputs(self.compiled, unit, as_of))
        self.outcomes[judgement.outcome] += 1
        if judgement.all_items is not None:
            self.all_items[judgement.all_items] += 1
        return judgement

    def shown(self) -> dict[str, Any]:
        """Return the counts."""
        no_rule = self.compiled.ruleset.overall == "none"
        return {
            "outcomes": {word: self.outcomes[word] for word in OUTCOMES},
            "all_items": {word: self.all_items[word] for word in JUDGED} if no_rule else None,
            "out_of_scope": self.out_of_scope,
        }


class _Tally:
    """What is known of the units so far."""

    def __init__(self, question: Question) -> None:
        self._question = question
        self._before, self._after = _Side(question.before), _Side(question.after)
        self._changed: list[dict[str, Any]] = []
        self._differ = self._flipped = 0

    def add(self, record: OnRecord, unit: Entity) -> None:
        """Judge a unit by both rulesets and keep what differs."""
        as_of = self._question.as_of
        before = self._before.judged(record, unit, as_of)
        after = self._after.judged(record, unit, as_of)
        wholes = [one and whole(one) for one in (before, after)]
        criteria = list(_flips(before, after))
        if wholes[0] == wholes[1] and not criteria:
            return
        self._differ += 1
        self._flipped += wholes[0] != wholes[1]
        if len(self._changed) < MOST_NAMED:
            told = {"unit": unit.shown(), "before": wholes[0], "after": wholes[1]}
            self._changed.append(told | {"criteria": criteria})

    def shown(self, found: Concerned) -> dict[str, Any]:
        """Return everything that is answered."""
        question = self._question
        return {
            "ruleset": _named(question.before),
            "candidate": _named(question.after),
            "under": question.under.shown(),
            "period": question.period.text,
            "as_of": question.as_of,
            "on": question.under.day,
            "units": len(found.units),
            "out_of_scope": found.out_of_scope,
            "before": self._before.shown(),
            "after": self._after.shown(),
            "flipped": self._flipped,
            "changed_units": self._differ,
            "unchanged": len(found.units) - self._differ,
            "changed": self._changed,
        }


def _flips(before: Judgement | None, after: Judgement | None) -> Iterator[dict[str, Any]]:
    """Yield the criteria of both rulesets that come out differently, groups included."""
    if before is None or after is None:
        return
    known = {one.id: one.outcome for one in walk(before.criteria)}
    for one in walk(after.criteria):
        outcome = known.get(one.id, one.outcome)
        if outcome != one.outcome:
            yield {"id": one.id, "before": outcome, "after": one.outcome}


def _named(compiled: Compiled) -> Mapping[str, Any]:
    found = named(compiled)
    return {name: found[name] for name in _NAMED}


def _levels(question: Question) -> Text:
    before, after = question.before.ruleset, question.after.ruleset
    levels = [", ".join((one.level, *one.also_levels)) for one in (before, after)]
    return Text(
        f"{before.ruleset} dành cho cấp {levels[0]}, bộ quy tắc được gửi dành cho cấp {levels[1]}; "
        "hãy so với bộ quy tắc cùng cấp (against)",
        f"{before.ruleset} is for units of level {levels[0]}, the ruleset that was sent for "
        f"{levels[1]}; compare it with one for the same level (against)",
    )


def _unbound(question: Question) -> Text:
    id_, under = question.before.ruleset.ruleset, question.under.named
    return Text(
        f"không có đơn vị nào trong {under} thuộc phạm vi của {id_}; hãy chọn đơn vị khác hoặc bộ "
        "quy tắc khác",
        f"no unit in {under} is in the scope of {id_}; choose another unit or another ruleset",
    )
