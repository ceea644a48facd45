"""The worked cases of each pack notice when the rules are changed, however slightly.

A mutant is the pack with one thing changed in its data: a threshold moved by the smallest step,
another operator, AND for OR, a child left out. It must be refused because a case fails.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

import pytest
from strategies import RULESETS, faults_of, member_codes, registry, unit_codes

from app.discovery import find_packs
from app.rules.packs import PackSource, SourceFile

Data = dict[str, Any]
Change = Callable[[Data], object]
Mutant = tuple[str, Change]
OPERATORS: Final = (">=", "<=", ">", "<", "=")
REFUSED: Final = "(refused)"
STEPS: Final = {"percent": Decimal("0.01"), "count": Decimal(1)}


@functools.cache
def files() -> tuple[Data, ...]:
    """Return the plain data of all files of the built-in packs."""
    return tuple(file.data for pack in find_packs(None) for file in pack.files)


@functools.cache
def source(ruleset: str) -> Data:
    """Return the data of the file in which a ruleset is written."""
    return next(data for data in files() if data.get("ruleset") == ruleset)


@functools.cache
def cases(ruleset: str) -> Data:
    """Return the worked cases of a ruleset."""
    every = [case for data in files() for case in data.get("cases", ())]
    return {"cases": [case for case in every if case["ruleset"] == ruleset]}


@functools.cache
def indicators(ruleset: str) -> Data:
    """Return the indicators that a ruleset rests on, without their look-alikes."""
    classes = {
        code
        for _, one in nodes(source(ruleset))
        for branch in one.get("required", {}).get("branches", ())
        for code in branch.get("when_any", ())
    }
    needed = {*unit_codes(ruleset), *member_codes(ruleset), *classes}
    every = [one for data in files() for one in data.get("indicators", ())]
    kept = [one for one in every if one["code"] in needed]
    assert len(kept) == len(needed)
    return {"indicators": [{key: one[key] for key in one if key != "look_alikes"} for one in kept]}


def nodes(data: Data, place: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Data]]:
    """Yield every criterion with its place, in the order of the document."""
    for number, one in enumerate(data.get("criteria", ())):
        inside = (*place, "criteria", number)
        yield inside, one
        yield from nodes(one, inside)


def at(data: Data, place: tuple[Any, ...]) -> Any:
    """Return what stands at a place."""
    for part in place:
        data = data[part]
    return data


def complaints(
    ruleset: str, change: Change, on: str = "ruleset", worked: Data | None = None
) -> set[str]:
    """Return what the failing cases of the changed pack are about; `(refused)` for other faults."""
    parts = {"ruleset": source(ruleset), "indicators": indicators(ruleset)}
    parts[on] = changed(parts[on], change)
    parts["cases"] = worked or cases(ruleset)
    files = tuple(SourceFile(name, data, {}) for name, data in parts.items())
    return {
        one.message.en.split(": expected ")[0] if one.code == "case-failed" else REFUSED
        for one in faults_of(PackSource(ruleset, ruleset, files))
    }


def changed(data: Data, change: Change) -> Data:
    """Return a copy with the change made in it."""
    found = copy.deepcopy(data)
    change(found)
    return found


def moved(place: tuple[Any, ...], key: str, step: Decimal) -> Change:
    """Return the change that moves a number by a step."""
    return lambda data: at(data, place).update({key: _number(Decimal(at(data, place)[key]) + step)})


def _number(value: Decimal) -> int | Decimal:
    return int(value) if value == value.to_integral_value() else value


def replaced(place: tuple[Any, ...], key: str, value: object) -> Change:
    """Return the change that puts another value under a key."""
    return lambda data: at(data, place).update({key: value})


def left_out(place: tuple[Any, ...]) -> Change:
    """Return the change that removes one item of a list."""
    return lambda data: at(data, place[:-1]).pop(place[-1])


def has_test(one: Data) -> bool:
    """Tell whether a criterion, or any below it, can be met."""
    if one.get("criteria"):
        return any(has_test(child) for child in one["criteria"])
    return not one.get("no_criterion", False)


def thresholds(ruleset: str) -> Iterator[Mutant]:
    """Move each required value and each branch by the smallest step, up and down."""
    for place, one in nodes(source(ruleset)):
        required = one.get("required")
        if required is None or "every_reading" in one:
            continue
        step = STEPS[required["unit"]]
        spots = [(*place, "required", "branches", number)
                 for number in range(len(required.get("branches", ())))]  # fmt: skip
        for spot in spots or [(*place, "required")]:
            for sign in (1, -1):
                name = f"{one['id']} {'/'.join(map(str, spot[len(place) :]))} {sign * step:+}"
                yield name, moved(spot, "value", sign * step)


def operators(ruleset: str) -> Iterator[Mutant]:
    """Put each other operator in the place of each operator."""
    for place, one in nodes(source(ruleset)):
        required = one.get("required")
        # Where there are several readings each has its own comparison; the operator is only shown.
        if required is None or "every_reading" in one:
            continue
        for other in OPERATORS:
            pair = {required["operator"], other}
            # Nothing exceeds 100 % of an ordinary share: there "= 100 %" means ">= 100 %".
            full = required.get("value") == 100 and required["unit"] == "percent"
            if len(pair) == 1 or (full and pair == {"=", ">="} and not may_exceed(one)):
                continue
            yield f"{one['id']} {other}", replaced((*place, "required"), "operator", other)


def may_exceed(one: Data) -> bool:
    """Tell whether the share of a criterion may exceed 100 %."""
    return registry().indicators[one["indicator"]].numerator_may_exceed_denominator


def combinations(ruleset: str) -> Iterator[Mutant]:
    """Put OR in the place of each AND, and AND in the place of each OR."""
    for place, one in nodes(source(ruleset)):
        judged = [child for child in one.get("criteria", ()) if has_test(child)]
        # With fewer than two children that are judged, AND and OR are the same.
        if len(judged) > 1:
            other = {"all": "any", "any": "all"}[one["combine"]]
            yield f"{one['id']} {other}", replaced(place, "combine", other)


def conditions(node: Data, place: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Data]]:
    """Yield a condition and those inside it."""
    yield place, node
    for word in ("all", "any"):
        for number, part in enumerate(node.get(word, ())):
            yield from conditions(part, (*place, word, number))


def swapped(place: tuple[Any, ...]) -> Change:
    """Return the change that turns an AND of conditions into an OR, or back."""

    def change(data: Data) -> None:
        one = at(data, place)
        word, other = ("all", "any") if "all" in one else ("any", "all")
        one[other] = one.pop(word)

    return change


def readings(ruleset: str) -> Iterator[Mutant]:
    """Change the conditions of clauses with several readings, each by itself."""

    def unshown(place: tuple[Any, ...], change: Change) -> Change:
        # The threshold shown must be the one of every reading; it is not what decides.
        def both(data: Data) -> None:
            at(data, place).pop("required", None)
            change(data)

        return both

    for place, one in nodes(source(ruleset)):
        for number, reading in enumerate(one.get("every_reading", ())):
            start = (*place, "every_reading", number)
            yield f"{one['id']} without reading {number}", unshown(place, left_out(start))
            for inside, condition in conditions(reading["condition"], (*start, "condition")):
                name = f"{one['id']} {'/'.join(map(str, inside[len(place) :]))}"
                if "at_least" in condition:
                    for step in (Decimal(1), Decimal(-1)):
                        change = moved(inside, "at_least", step)
                        yield f"{name} {step:+}", unshown(place, change)
                if "all" in condition or "any" in condition:
                    yield f"{name} swapped", unshown(place, swapped(inside))


def exemptions(ruleset: str) -> Iterator[Mutant]:
    """Leave out the exemption, or one of its decisions; give it to the other model."""
    exemption = source(ruleset).get("exemption")
    if exemption:
        other = {"smart": "ecom", "ecom": "smart"}[exemption["model"]]
        yield "no exemption", lambda data: data.pop("exemption")
        yield f"exemption for {other}", replaced(("exemption",), "model", other)
        for number, decision in enumerate(exemption["decisions"]):
            yield f"without {decision}", left_out(("exemption", "decisions", number))


def classes(ruleset: str) -> Iterator[Mutant]:
    """Leave out one area class of a conditional threshold."""
    for place, one in nodes(source(ruleset)):
        for number, branch in enumerate(one.get("required", {}).get("branches", ())):
            if len(branch.get("when_any", ())) > 1:
                for which, code in enumerate(branch["when_any"]):
                    spot = (*place, "required", "branches", number, "when_any", which)
                    yield f"{one['id']} without {code}", left_out(spot)


KINDS: Final = (thresholds, operators, combinations, readings, exemptions, classes)
MUTANTS: Final = [
    pytest.param(ruleset, change, id=f"{ruleset}: {name}")
    for ruleset in RULESETS
    for kind in KINDS
    for name, change in kind(ruleset)
]


@pytest.mark.parametrize(("ruleset", "change"), MUTANTS)
def test_a_case_fails_when_a_rule_is_changed(ruleset: str, change: Change) -> None:
    """By the smallest step, in the operator, in the combination, in the readings, in the scope."""
    assert complaints(ruleset, change) - {REFUSED}


def dropped() -> Iterator[Any]:
    """Leave out each child of each group, and each criterion at the top."""
    for ruleset in RULESETS:
        data = source(ruleset)
        for place, one in nodes(data):
            # An only child cannot be left out: its group is, one floor above.
            if len(at(data, place[:-1])) > 1:
                ids = {one["id"], *(each["id"] for _, each in nodes(one))}
                yield pytest.param(ruleset, place, ids, has_test(one), id=one["id"])


def only(data: Data, ids: set[str], codes: set[str]) -> Data:
    """Return cases that say nothing of the criteria `ids` and give values for `codes` only."""

    def kept(facts: Data) -> Data:
        return {code: value for code, value in facts.items() if code in codes}

    found = copy.deepcopy(data)
    for case in found["cases"]:
        case["facts"] = kept(case.get("facts", {}))
        for one in case.get("members") or ():
            one["facts"] = kept(one.get("facts", {}))
        for word in ("expect", "reasons"):
            case[word] = {id_: one for id_, one in case.get(word, {}).items() if id_ not in ids}
    return found


def read_by(data: Any) -> set[str]:
    """Return the codes that plain data of a ruleset names, and those behind derived shares."""
    if isinstance(data, list):
        return {code for one in data for code in read_by(one)}
    if not isinstance(data, dict):
        return set()
    named = {data["indicator"]} if "indicator" in data else set(data.get("sum", ()))
    shares = [registry().indicators[code].derived for code in named]
    behind = {code for share in shares if share for code in share.holds.codes()}
    return named | behind | {code for one in data.values() for code in read_by(one)}


@pytest.mark.parametrize(("ruleset", "place", "ids", "judged"), list(dropped()))
def test_leaving_a_criterion_out_does_not_go_unnoticed(
    ruleset: str, place: tuple[Any, ...], ids: set[str], judged: bool
) -> None:
    """The cases speak of it, and where it is judged the whole or its group comes out otherwise."""
    change = left_out(place)
    assert complaints(ruleset, change)
    if judged:
        codes = read_by(changed(source(ruleset), change))
        silent = only(cases(ruleset), ids, codes)
        assert complaints(ruleset, change, worked=silent) - {REFUSED}


def shares() -> Iterator[Any]:
    """Change what derived shares count and what they ask of a member."""
    for code, indicator in registry().indicators.items():
        if indicator.derived is None:
            continue
        number = {ruleset: _place(ruleset, code) for ruleset in RULESETS}
        used = {ruleset: place for ruleset, place in number.items() if place is not None}
        assert used, code
        some = next(iter(used))
        written = indicators(some)["indicators"][used[some]]["derived"]
        for name, change in _share_changes(written):
            yield pytest.param(used, change, id=f"{code}: {name}")


def _place(ruleset: str, code: str) -> int | None:
    codes = [one["code"] for one in indicators(ruleset)["indicators"]]
    return codes.index(code) if code in codes else None


def _share_changes(written: Data) -> Iterator[Mutant]:
    for number, group in enumerate(written["of"]):
        if "types" in group:
            yield "of every type", _without_key(("of", number), "types")
        if len(written["of"]) > 1:
            yield f"without group {number}", left_out(("of", number))
    for place, condition in conditions(written["holds"], ("holds",)):
        if "at_least" in condition:
            for step in (Decimal(1), Decimal(-1)):
                yield f"at_least {step:+}", moved(place, "at_least", step)
        for word in ("all", "any"):
            if word in condition:
                yield "AND and OR swapped", swapped(place)
                for number in range(len(condition[word]) if len(condition[word]) > 2 else 0):
                    yield f"without part {number}", left_out((*place, word, number))


def _without_key(place: tuple[Any, ...], key: str) -> Change:
    return lambda data: at(data, place).pop(key)


@pytest.mark.parametrize(("used", "change"), list(shares()))
def test_a_case_fails_when_a_share_counts_otherwise(
    used: Mapping[str, int], change: Change
) -> None:
    """In at least one of the rulesets that rest on the share."""

    def inner(number: int) -> Change:
        return lambda data: change(data["indicators"][number]["derived"])

    assert any(
        complaints(ruleset, inner(number), on="indicators") - {REFUSED}
        for ruleset, number in used.items()
    )


@pytest.mark.parametrize("ruleset", RULESETS)
def test_the_pack_as_it_is_passes_its_cases(ruleset: str) -> None:
    """Without a change nothing is complained of: the mutants fail for their change alone."""
    assert complaints(ruleset, lambda data: None) == set()


def test_there_are_mutants_of_every_kind() -> None:
    counts = {
        kind.__name__: sum(len(list(kind(ruleset))) for ruleset in RULESETS) for kind in KINDS
    }
    assert counts["thresholds"] == 2 * 56  # 54 plain values but one, and two times two branches
    assert all(counts.values()), counts
