"""Laws that hold for every ruleset and all inputs."""

from __future__ import annotations

import datetime
import json
import operator
from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgspec
import rfc8785
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from strategies import (
    entry,
    givens,
    member_codes,
    percents,
    ratios,
    registry,
    situations,
    some_of,
    unit_codes,
)
from strategies import inputs as inputs_of

from app.rules.casework import outcomes, walk
from app.rules.explain import explain
from app.rules.facts import LARGEST_COUNT, Given, Percent, Ratio, Recorded
from app.rules.figures import displayed_percent
from app.rules.verdict import Designation, Inputs, Judgement, Member, canonical, inputs_digest

DECIDED = ("met", "not_met")
HOLDS: Mapping[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
}

many = settings(max_examples=150, deadline=None)


def judged(ruleset: str, inputs: Inputs, **changed: Any) -> Judgement:
    """Judge the inputs with some parts changed."""
    return entry(ruleset).compiled.evaluate(msgspec.structs.replace(inputs, **changed))


def decided(judgement: Judgement) -> dict[str, str]:
    """Return the criteria (and the whole) that are met or not met."""
    return {id_: one for id_, one in outcomes(judgement).items() if one in DECIDED}


# --- more facts never overturn, fewer facts never fail --------------------------------------------


@many
@given(situations(), st.data())
def test_a_value_for_what_was_unknown_never_overturns_a_decided_criterion(
    situation: tuple[str, Inputs], data: st.DataObject
) -> None:
    ruleset, inputs = situation
    absent = [code for code in unit_codes(ruleset) if code not in inputs.facts]
    assume(absent)
    added = dict(inputs.facts)
    for code in data.draw(st.lists(st.sampled_from(absent), min_size=1, max_size=4)):
        added[code] = data.draw(givens(code, ruleset))
    before = decided(judged(ruleset, inputs))
    after = outcomes(judged(ruleset, inputs, facts=added))
    assert {id_: after[id_] for id_ in before} == before


@many
@given(st.sampled_from(("qd924.nation", "travinh.province")), st.data())
def test_a_value_of_a_member_for_what_was_unknown_never_overturns_a_decided_criterion(
    ruleset: str, data: st.DataObject
) -> None:
    """Where shares come from the members; a share stated for the unit is another source."""
    inputs = data.draw(inputs_of(ruleset))
    kind = data.draw(st.sampled_from((("commune", "xa"), ("district", None), ("province", None))))
    known = data.draw(some_of(member_codes(ruleset), ruleset))
    code = data.draw(st.sampled_from(member_codes(ruleset)))
    less = {one: value for one, value in known.items() if one != code}
    more = {**less, code: data.draw(givens(code, ruleset))}
    own = {
        one: value
        for one, value in inputs.facts.items()
        if registry().indicators[one].derived is None
    }
    others = inputs.members or ()
    before, after = (
        judged(ruleset, inputs, facts=own, members=(*others, Member(facts, *kind)))
        for facts in (less, more)
    )
    found = outcomes(after)
    assert {id_: found[id_] for id_ in decided(before)} == decided(before)


@many
@given(situations(), st.booleans())
def test_learning_an_area_class_never_overturns_a_decided_criterion(
    situation: tuple[str, Inputs], value: bool
) -> None:
    ruleset, inputs = situation
    before = decided(judged(ruleset, inputs))
    for name in ("area_island", "area_ethnic_minority_mountainous"):
        known = {name: value, **inputs.attributes}
        after = outcomes(judged(ruleset, inputs, attributes=known))
        assert {id_: after[id_] for id_ in before} == before


@many
@given(situations(), st.data())
def test_taking_values_away_never_creates_a_failure(
    situation: tuple[str, Inputs], data: st.DataObject
) -> None:
    """Missing facts alone never make a criterion not met."""
    ruleset, inputs = situation
    kept = data.draw(st.sets(st.sampled_from(sorted(inputs.facts)))) if inputs.facts else set()
    fewer = {code: value for code, value in inputs.facts.items() if code in kept}
    before = outcomes(judged(ruleset, inputs))
    after = outcomes(judged(ruleset, inputs, facts=fewer))
    failed = {id_ for id_, one in after.items() if one == "not_met"}
    assert failed <= {id_ for id_, one in before.items() if one == "not_met"}


@many
@given(situations())
def test_what_is_not_known_of_any_member_fails_nothing(situation: tuple[str, Inputs]) -> None:
    ruleset, inputs = situation
    unknown = tuple(
        msgspec.structs.replace(one, facts={})
        for one in inputs.members or (Member({}, "district"),)
    )
    found = outcomes(judged(ruleset, inputs, facts={}, members=unknown))
    assert "not_met" not in found.values()


# --- order does not matter ------------------------------------------------------------------------


@many
@given(situations(), st.randoms(use_true_random=False))
def test_the_order_of_facts_members_and_designations_changes_nothing(
    situation: tuple[str, Inputs], random: Any
) -> None:
    """The canonical bytes of the verdict are the same, the digest of the inputs included."""
    ruleset, inputs = situation
    shuffled = msgspec.structs.replace(
        inputs,
        facts=dict(_shuffled(random, inputs.facts.items())),
        attributes=dict(_shuffled(random, inputs.attributes.items())),
        designations=tuple(_shuffled(random, inputs.designations)),
        members=inputs.members and tuple(_shuffled(random, inputs.members)),
    )
    compiled = entry(ruleset).compiled
    assert canonical(compiled.evaluate(shuffled)) == canonical(compiled.evaluate(inputs))


@many
@given(situations())
def test_judging_twice_gives_the_same_bytes(situation: tuple[str, Inputs]) -> None:
    """Nothing is remembered from one unit to the next: other units in between change nothing."""
    ruleset, inputs = situation
    first = canonical(judged(ruleset, inputs))
    judged(ruleset, inputs, facts={})
    judged(ruleset, inputs, facts=entry(ruleset).cases[0].inputs.facts)
    assert canonical(judged(ruleset, inputs)) == first


@many
@given(situations())
def test_whatever_changes_in_the_inputs_changes_their_digest(
    situation: tuple[str, Inputs],
) -> None:
    _, inputs = situation
    facts, classes = dict(inputs.facts), dict(inputs.attributes)
    others: dict[str, Any] = {
        "as_of": inputs.as_of + datetime.timedelta(days=1),
        "level": "hamlet" if inputs.level != "hamlet" else "commune",
        "attributes": {**classes, "area_island": not classes.get("area_island")},
        "designations": (*inputs.designations, Designation(None, "969/QĐ-BNN-VPĐP", "smart")),
        "facts": {**facts, "free_public_wifi_hamlet": Recorded(True, source="nguồn khác")},
        "members": (*(inputs.members or ()), Member({}, "commune", "xa")),
        "period": "2023",
        "period_end": inputs.as_of if inputs.period_end != inputs.as_of else None,
        "scope": "in_scope",
    }
    assert set(others) == set(Inputs.__struct_fields__)
    changed = [msgspec.structs.replace(inputs, **{name: one}) for name, one in others.items()]
    if facts:
        changed.append(msgspec.structs.replace(inputs, facts=dict(list(facts.items())[1:])))
    digests = {inputs_digest(one) for one in (inputs, *changed)}
    assert len(digests) == 1 + len(changed)


# --- canonical bytes ------------------------------------------------------------------------------

texts = st.text(max_size=12)
recorded = st.builds(
    Recorded,
    st.booleans() | st.integers(0, LARGEST_COUNT) | ratios() | percents() | st.just(("a1", "b1")),
    period=texts,
    source=texts,
    status=st.none() | texts,
)
odd_facts: st.SearchStrategy[dict[str, Given]] = st.dictionaries(
    st.sampled_from(("a", "aa", "b_1", "z")), recorded, max_size=3
)
odd_inputs = st.builds(
    Inputs,
    as_of=st.dates(),
    level=st.just("nation"),
    designations=st.lists(
        st.builds(Designation, date=st.none() | st.dates(), decision=texts, model=texts), max_size=2
    ).map(tuple),
    facts=odd_facts,
    members=st.none() | st.lists(st.builds(Member, odd_facts, level=texts), max_size=2).map(tuple),
    period=texts,
)


@many
@given(odd_inputs)
def test_the_canonical_bytes_of_inputs_are_those_of_rfc_8785(inputs: Inputs) -> None:
    """Whatever people write in sources, periods and decisions."""
    assert canonical(inputs) == rfc8785.dumps(json.loads(canonical(inputs)))


@many
@given(situations())
def test_the_canonical_bytes_of_verdicts_are_those_of_rfc_8785(
    situation: tuple[str, Inputs],
) -> None:
    found = canonical(judged(*situation))
    assert found == rfc8785.dumps(json.loads(found))


# --- what a verdict says of itself ----------------------------------------------------------------


@many
@given(situations())
def test_a_verdict_names_all_criteria_once_in_the_order_of_the_document(
    situation: tuple[str, Inputs],
) -> None:
    ruleset, inputs = situation
    found = judged(ruleset, inputs)
    assert [one.id for one in walk(found.criteria)] == [
        one.id for one in entry(ruleset).ruleset.walk()
    ]
    assert sum(found.counts.values()) == sum(not one.criteria for one in walk(found.criteria))


@many
@given(situations())
def test_whatever_is_undetermined_says_why_and_nothing_decided_does(
    situation: tuple[str, Inputs],
) -> None:
    for one in walk(judged(*situation).criteria):
        if one.outcome == "undetermined":
            assert one.reasons
        if one.outcome in DECIDED:
            assert one.reasons == ()


@many
@given(situations())
def test_the_gap_is_exactly_what_is_needed(situation: tuple[str, Inputs]) -> None:
    """With so many more of the numerator the criterion is met, with one fewer it is not."""
    ruleset, inputs = situation
    criteria = {one.id: one for one in entry(ruleset).ruleset.walk()}
    for one in walk(judged(ruleset, inputs).criteria):
        required, members = criteria[one.id].required, one.members
        fact = one.observed.fact if isinstance(one.observed, Recorded) else one.observed
        if one.gap is None or required is None:
            continue
        value = required.branches[one.branch].value if one.branch is not None else required.value
        if isinstance(fact, dict):
            fact = sum(part.fact if isinstance(part, Recorded) else part for part in fact.values())  # type: ignore[misc]
        elif fact is None and members is not None:
            fact = Ratio(denominator=members.known + members.unknown, numerator=members.true)
        assert isinstance(fact, int | Ratio)
        part, whole = (fact.numerator, fact.denominator) if isinstance(fact, Ratio) else (fact, 100)
        for more, outcome in ((one.gap, True), (one.gap - 1, False)):
            reached = Fraction(100 * (part + more), whole)
            assert HOLDS[required.operator](reached, Fraction(value or 0)) is outcome


# --- displayed percentages ------------------------------------------------------------------------

goals = st.decimals(0, 100, places=4) | st.integers(0, 100).map(Decimal)


@settings(max_examples=500, deadline=None)
@given(goals, ratios(), st.integers(-2, 2))
def test_a_displayed_percentage_compares_with_its_threshold_as_the_exact_one_does(
    goal: Decimal, ratio: Ratio, nudge: int
) -> None:
    """For every operator, near the threshold too."""
    assume(ratio.denominator)
    base = ratio.denominator
    near = max(int(goal * base / 100) + nudge, 0)
    for exact in (Fraction(100 * ratio.numerator, base), Fraction(100 * near, base)):
        shown = Decimal(displayed_percent(exact, [goal]))
        for holds in HOLDS.values():
            assert holds(shown, goal) is holds(exact, Fraction(goal))
        assert abs(Fraction(shown) - exact) < Fraction(1, 100)


@many
@given(situations())
def test_no_verdict_shows_a_percentage_that_contradicts_its_outcome(
    situation: tuple[str, Inputs],
) -> None:
    ruleset, inputs = situation
    compiled = entry(ruleset).compiled
    waiting = explain(compiled, compiled.evaluate(inputs), {})["criteria"]
    while waiting:
        one = waiting.pop()
        waiting.extend(one["criteria"])
        observed, required = one["observed"] or {}, one["required"] or {}
        percent, value = observed.get("percent"), required.get("value")
        if percent is None or value is None or one["outcome"] not in DECIDED:
            continue
        met = HOLDS[required["operator"]](Decimal(percent), Decimal(value))
        assert met is (one["outcome"] == "met")


@settings(max_examples=300, deadline=None)
@given(ratios(), st.integers(0, 4), st.sampled_from(("85", "75", "70")))
def test_a_rounded_percentage_never_decides_otherwise_than_the_counts_it_stands_for(
    ratio: Ratio, digits: int, goal: str
) -> None:
    """Whatever is rounded to it, half a unit of its last digit away at the most, agrees."""
    assume(ratio.denominator > 0 and ratio.numerator <= ratio.denominator)
    codes = {
        "85": ("adults_smartphone_internet_rate", "phutho.1.1.1"),
        "75": ("admin_dossiers_received_resolved_online_rate", "phutho.1.2.1"),
        "70": ("registered_service_business_online_payment_rate", "phutho.1.3.2"),
    }
    code, criterion = codes[goal]
    exact = Fraction(100 * ratio.numerator, ratio.denominator)
    steps = exact * 10**digits
    compiled = entry("phutho.commune").compiled
    empty = entry("phutho.commune").cases[0].inputs
    by_counts = outcomes(compiled.evaluate(msgspec.structs.replace(empty, facts={code: ratio})))[
        criterion
    ]
    for rounded in {int(steps), int(steps) + 1, round(steps)}:
        if abs(rounded - steps) * 2 > 1 or rounded > 100 * 10**digits:
            continue
        shown = Percent(f"{Decimal(rounded).scaleb(-digits):f}")
        found = outcomes(compiled.evaluate(msgspec.structs.replace(empty, facts={code: shown})))[
            criterion
        ]
        assert found in (by_counts, "undetermined")


def _shuffled(random: Any, things: Any) -> list[Any]:
    found = list(things)
    random.shuffle(found)
    return found
