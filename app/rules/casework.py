"""Run the worked cases of a pack: does each lead where it says, and is every leaf covered?"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from app.rules.cases import Case, spell_out
from app.rules.conditions import Catalogue
from app.rules.errors import FactError, Text
from app.rules.evaluate import Compiled
from app.rules.facts import Fact, read_fact
from app.rules.ruleset import Ruleset
from app.rules.verdict import Designation, Inputs, Judgement, Member, Result
from app.rules.vocabulary import MET, NO_CRITERION, NOT_MET, UNDETERMINED

EVERYTHING: Final = "*"


class Worked(msgspec.Struct, frozen=True):
    """A case with everything it inherits filled in."""

    case: Case
    inputs: Inputs
    expect: Mapping[str, str]


class CaseFault(ValueError):
    """Something in a case cannot be used; `place` is inside the case."""

    def __init__(self, place: tuple[str | int, ...], message: Text) -> None:
        super().__init__(message.en)
        self.place = place
        self.message = message


def work_out(case: Case, named: Mapping[str, Case], compiled: Compiled) -> Worked:
    """Fill in what the case inherits and turn its shorthand into the inputs of the kernel."""
    chain = _chain(case, named)
    facts: dict[str, Any] = {}
    attributes: dict[str, bool] = {}
    expect: dict[str, str] = {}
    for one in chain:
        facts = {code: value for code, value in facts.items() if code not in one.without}
        facts.update(one.facts)
        attributes.update(one.attributes)
        expect.update(one.expect if EVERYTHING not in one.expect else _everything(one, compiled))
    designations = next((one.designations for one in reversed(chain) if one.designations), ())
    members = next((one.members for one in reversed(chain) if one.members is not None), None)
    inputs = Inputs(
        as_of=next(
            (one.as_of for one in reversed(chain) if one.as_of), _some_day(compiled.ruleset)
        ),
        level=case.level or compiled.ruleset.level,
        attributes={key: attributes[key] for key in attributes if key not in case.without},
        designations=tuple(Designation(d.date, d.decision, d.model) for d in designations),
        facts=_facts(facts, compiled.indicators, ("facts",)),
        members=None if members is None else tuple(_members(members, compiled.indicators)),
    )
    return Worked(case, inputs, expect)


def disagreements(worked: Worked, judgement: Judgement) -> Iterator[tuple[str, str, str]]:
    """Yield (place, expected, found) wherever the judgement is not what the case says."""
    found = outcomes(judgement)
    for place, expected in worked.expect.items():
        if found.get(place) != expected:
            yield place, expected, found.get(place, "-")
    reasons = {result.id: result.reasons for result in walk(judgement.criteria)}
    reasons["overall"] = judgement.reasons
    for place, wanted in worked.case.reasons.items():
        if reasons.get(place) != wanted:
            yield place, ", ".join(wanted), ", ".join(reasons.get(place, ("-",)))


def outcomes(judgement: Judgement) -> dict[str, str]:
    """Return the outcome of every criterion by id, and of the whole."""
    found = {result.id: result.outcome for result in walk(judgement.criteria)}
    found["overall"] = judgement.outcome
    if judgement.all_items is not None:
        found["all_items"] = judgement.all_items
    return found


def uncovered(ruleset: Ruleset, worked: Iterable[Worked]) -> Iterator[tuple[str, str]]:
    """Yield (criterion, outcome) for every outcome of a leaf that no case expects."""
    seen: dict[str, set[str]] = {}
    for one in worked:
        for place, outcome in one.expect.items():
            seen.setdefault(place, set()).add(outcome)
    for criterion in ruleset.walk():
        if criterion.criteria:
            continue
        needed = (NO_CRITERION,) if criterion.no_criterion else (MET, NOT_MET, UNDETERMINED)
        for outcome in needed:
            if outcome not in seen.get(criterion.id, ()):
                yield criterion.id, outcome


def walk(results: Iterable[Result]) -> Iterator[Result]:
    """Yield every result, groups included, in the order of the document."""
    waiting = [*results][::-1]
    while waiting:
        result = waiting.pop()
        yield result
        if result.criteria:
            waiting += result.criteria[::-1]


def _chain(case: Case, named: Mapping[str, Case]) -> list[Case]:
    chain = [case]
    while (name := chain[0].given) is not None:
        base = named.get(name)
        if base is None or base in chain or base.ruleset != case.ruleset:
            raise CaseFault(
                ("given",),
                Text(f"không có trường hợp gốc “{name}” cho bộ quy tắc này",
                     f"there is no base case “{name}” of this ruleset"),
            )  # fmt: skip
        chain.insert(0, base)
    return chain


def _everything(case: Case, compiled: Compiled) -> dict[str, str]:
    """Spread `*` over all criteria that have a test; what the document leaves open stays so."""
    wanted = case.expect[EVERYTHING]
    spread = {
        criterion.id: NO_CRITERION if criterion.no_criterion else wanted
        for criterion in compiled.ruleset.walk()
    }
    named = {place: outcome for place, outcome in case.expect.items() if place != EVERYTHING}
    return {**spread, **named}


def _some_day(ruleset: Ruleset) -> datetime.date:
    """Return a day within the period of the document, for cases where the day does not matter."""
    return ruleset.in_force.until or ruleset.in_force.since or datetime.date(2024, 12, 31)


def _members(members: Iterable[Any], catalogue: Catalogue) -> Iterator[Member]:
    for number, member in enumerate(members):
        facts = _facts(member.facts, catalogue, ("members", number, "facts"))
        yield from [Member(facts, member.level, member.type)] * member.times


def _facts(
    facts: Mapping[str, Any], catalogue: Catalogue, place: tuple[str | int, ...]
) -> dict[str, Fact]:
    read = {}
    for code, value in facts.items():
        if code not in catalogue:
            raise CaseFault(
                (*place, code),
                Text(f"bộ quy tắc không dùng chỉ số “{code}”",
                     f"the ruleset does not read the indicator “{code}”"),
            )  # fmt: skip
        try:
            read[code] = read_fact(catalogue[code], spell_out(value))
        except FactError as error:
            raise CaseFault((*place, code), error.message) from error
    return read
