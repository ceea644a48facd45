"""What was stored as canonical bytes reads back as what it was; a ruleset judges as before."""

from __future__ import annotations

import functools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import (
    DAY,
    EXEMPTING,
    RULESETS,
    SMALL,
    cases_text,
    entry,
    indicators_text,
    judged,
    leaf,
    rules,
    ruleset_text,
    situations,
)

from app.rules.casework import outcomes
from app.rules.evaluate import Compiled, snapshot
from app.rules.facts import LARGEST_COUNT, Given, Percent, Ratio, Recorded
from app.rules.registry import Registry
from app.rules.stored import (
    CheckMissing,
    Difference,
    SnapshotUnreadable,
    Unreadable,
    differences,
    leaf_outcomes,
    read_inputs,
    read_judgement,
    rebuild,
)
from app.rules.verdict import Designation, Inputs, Judgement, Member, Result, canonical

FACTS: tuple[Given, ...] = (
    True,
    False,
    0,
    1,
    LARGEST_COUNT,
    (),
    ("a", "b"),
    Ratio(denominator=4, numerator=3),
    Ratio(denominator=0, numerator=0),
    Percent("85.50"),
)
RECORDED = (
    Recorded(True),
    Recorded(1, value_id=17),
    Recorded(("a",), "2024", "báo cáo", "approved"),
    Recorded(Ratio(denominator=4, numerator=3), "2019", discounted="value_outdated", value_id=1),
    Recorded(Percent("0"), status="draft", discounted="value_not_approved"),
)

many = settings(max_examples=150, deadline=None)


def data_of(compiled: Compiled) -> bytes:
    """Return the snapshot of a ruleset."""
    return snapshot(compiled.ruleset, compiled.indicators)


# --- inputs and judgements ------------------------------------------------------------------------


@many
@given(situations())
def test_inputs_and_judgement_read_back_as_what_they_were(situation: tuple[str, Inputs]) -> None:
    """Equal to the original, and the same bytes when written again: for Python, true equals 1."""
    ruleset, inputs = situation
    judgement = entry(ruleset).compiled.evaluate(inputs)
    assert read_inputs(canonical(inputs)) == inputs
    assert read_judgement(canonical(judgement)) == judgement
    assert canonical(read_inputs(canonical(inputs))) == canonical(inputs)
    assert canonical(read_judgement(canonical(judgement))) == canonical(judgement)


@pytest.mark.parametrize("ruleset", RULESETS)
def test_every_worked_case_reads_back(ruleset: str) -> None:
    for worked in entry(ruleset).cases:
        judgement = entry(ruleset).compiled.evaluate(worked.inputs)
        assert read_inputs(canonical(worked.inputs)) == worked.inputs
        assert read_judgement(canonical(judgement)) == judgement


@pytest.mark.parametrize("fact", [*FACTS, *RECORDED], ids=repr)
def test_a_fact_keeps_its_kind_and_its_provenance(fact: Given) -> None:
    """For a unit, for a member, as the one thing observed, as one of several, and as stated."""
    inputs = Inputs(
        as_of=DAY, level="commune", facts={"one": fact}, members=(Member({"two": fact}, "hamlet"),)
    )
    found = read_inputs(canonical(inputs))
    assert (found, repr(found)) == (inputs, repr(inputs))
    results = (
        Result("a", "met", observed=fact, stated=fact),
        Result("b", "met", observed={"one": fact, "two": fact}),
        Result("c", "met", observed={"percent": fact}),
    )
    judgement = judgement_of(*results)
    again = read_judgement(canonical(judgement))
    assert (again, repr(again)) == (judgement, repr(judgement))


def judgement_of(*results: Result) -> Judgement:
    """Return a judgement that consists of these results."""
    found = judged({}, "travinh.commune")
    return Judgement(
        **{name: getattr(found, name) for name in found.__struct_fields__} | {"criteria": results}
    )


def test_the_key_of_a_member_and_days_and_designations_read_back() -> None:
    inputs = Inputs(
        as_of=DAY,
        level="province",
        attributes={"area_island": False},
        designations=(
            Designation(DAY, EXEMPTING[0], "smart"),
            Designation(None, "12/QĐ-UBND", "ecom"),
        ),
        members=(Member({}, "commune", "xa", "VN-1"), Member({}, "district")),
        period="2024",
        period_end=DAY,
    )
    assert read_inputs(canonical(inputs)) == inputs
    assert read_inputs(canonical(Inputs(DAY, "commune", members=()))).members == ()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x",
        b"\xff",
        b"[" * 99_999,
        b"[]",
        b"1",
        b"null",
        b"{}",
        b'{"as_of":1}',
        b'{"as_of":"x","level":"y"}',
    ],
)
def test_what_was_never_stored_is_refused(data: bytes) -> None:
    for read in (read_judgement, read_inputs):
        with pytest.raises(Unreadable):
            read(data)


# --- rulesets -------------------------------------------------------------------------------------


@functools.cache
def rebuilt(ruleset: str) -> Compiled:
    """Return a built-in ruleset, compiled again from its snapshot."""
    return rebuild(data_of(entry(ruleset).compiled), {})


@pytest.mark.parametrize("ruleset", RULESETS)
def test_a_ruleset_compiled_from_its_snapshot_is_the_same_ruleset(ruleset: str) -> None:
    found, original = rebuilt(ruleset), entry(ruleset).compiled
    assert found.digest == original.digest
    assert data_of(found) == data_of(original)
    assert found.indicators == original.indicators
    assert list(found.ruleset.walk()) == list(original.ruleset.walk())
    for worked in entry(ruleset).cases:
        assert canonical(found.evaluate(worked.inputs)) == canonical(
            original.evaluate(worked.inputs)
        )


@many
@given(situations())
def test_a_ruleset_compiled_from_its_snapshot_judges_as_before(
    situation: tuple[str, Inputs],
) -> None:
    ruleset, inputs = situation
    before = canonical(entry(ruleset).compiled.evaluate(inputs))
    assert canonical(rebuilt(ruleset).evaluate(inputs)) == before


def many_wells(observed: Any, told: Any) -> bool:
    """Tell whether there are enough wells."""
    return bool(observed >= told["least"])


@functools.cache
def checked() -> Registry:
    """Return a ruleset with a check of its own."""
    return rules(
        ruleset_text(leaf("a", "indicator: wells, check: many_wells, check_with: {least: 3}")),
        indicators_text(wells="count"),
        cases_text({"a": ("wells: 3", "wells: 2")}),
        checks={"many_wells": many_wells},
    )


def test_the_checks_of_the_pack_judge_again() -> None:
    original = checked().entries[SMALL]
    found = rebuild(data_of(original.compiled), {"many_wells": many_wells})
    assert found.digest == original.compiled.digest
    for worked in original.cases:
        assert found.evaluate(worked.inputs) == original.compiled.evaluate(worked.inputs)


def test_a_check_that_is_gone_is_named() -> None:
    with pytest.raises(CheckMissing) as refused:
        rebuild(data_of(checked().entries[SMALL].compiled), {"few_wells": many_wells})
    assert refused.value.name == "many_wells"


@pytest.mark.parametrize(
    "data", [b"", b"x", b"\xff", b"[]", b"{}", b"null", b'{"indicators":[],"ruleset":{}}']
)
def test_bytes_that_are_no_snapshot_are_refused(data: bytes) -> None:
    with pytest.raises(SnapshotUnreadable):
        rebuild(data, {})


def test_a_snapshot_without_its_indicators_is_refused() -> None:
    for ruleset in RULESETS:
        found = json.loads(data_of(entry(ruleset).compiled))
        found["indicators"] = found["indicators"][1:]
        with pytest.raises(SnapshotUnreadable):
            rebuild(json.dumps(found).encode(), {})


@many
@given(st.sampled_from(RULESETS), st.data())
def test_a_damaged_snapshot_is_refused_or_is_another_ruleset(
    ruleset: str, data: st.DataObject
) -> None:
    """Never taken for the ruleset that it was."""
    good = data_of(entry(ruleset).compiled)
    place = data.draw(st.integers(0, len(good) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda one: one != good[place]))
    try:
        found = rebuild(good[:place] + bytes([byte]) + good[place + 1 :], {})
    except (SnapshotUnreadable, CheckMissing):
        return
    assert found.digest != entry(ruleset).compiled.digest


# --- leaves and differences -----------------------------------------------------------------------


@many
@given(situations())
def test_the_outcomes_of_leaves_are_those_of_all_criteria_without_children(
    situation: tuple[str, Inputs],
) -> None:
    ruleset, inputs = situation
    judgement = entry(ruleset).compiled.evaluate(inputs)
    leaves = [one.id for one in entry(ruleset).ruleset.walk() if not one.criteria]
    found = leaf_outcomes(judgement)
    assert list(found) == leaves
    assert found == {id_: outcomes(judgement)[id_] for id_ in leaves}


@pytest.mark.parametrize(
    ("stored", "now", "expected"),
    [
        ({}, {}, []),
        (1, 1, []),
        (1, 2, [("", 1, 2)]),
        (True, 1, [("", True, 1)]),
        (None, False, [("", None, False)]),
        ([], {}, [("", [], {})]),
        ({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}, [("/a/1/b", 2, 3)]),
        ({"b": 1, "a": 1}, {"a": 2, "b": 2}, [("/a", 1, 2), ("/b", 1, 2)]),
        ({"a": {"b": 1}}, {}, [("/a", {"b": 1}, None)]),
        ({}, {"a": None}, [("/a", None, None)]),
        ([1, 2], [1], [("/1", 2, None)]),
        ([], [[0]], [("/0", None, [0])]),
        ({"x/y": 1, "x~y": 1}, {"x/y": 2, "x~y": 2}, [("/x~1y", 1, 2), ("/x~0y", 1, 2)]),
        (list(range(12)), [*range(10), 0, 0], [("/10", 10, 0), ("/11", 11, 0)]),
    ],
)
def test_differences_are_told_with_their_places(
    stored: Any, now: Any, expected: list[tuple[str, Any, Any]]
) -> None:
    assert differences(stored, now) == [Difference(*one) for one in expected]


values = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | st.text("a/~", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("a/~"), inner, max_size=3),
    max_leaves=8,
)


@many
@given(values, values)
def test_two_values_differ_nowhere_exactly_when_they_are_the_same(one: Any, other: Any) -> None:
    """No place is told twice, none lies inside another, and the other way round it is mirrored."""
    found = differences(one, other)
    assert (not found) == (canonical(one) == canonical(other))
    assert differences(one, one) == []
    places = [difference.pointer for difference in found]
    assert len(set(places)) == len(places)
    inside = [place for place in places for around in places if place.startswith(f"{around}/")]
    assert not inside
    mirrored = [Difference(each.pointer, each.now, each.stored) for each in found]
    assert differences(other, one) == mirrored


def test_the_difference_between_two_verdicts_is_what_differs_in_them() -> None:
    one, other = (judged({"commune_website_exists": given}, "travinh.commune")
                  for given in (True, False))  # fmt: skip
    found = differences(json.loads(canonical(one)), json.loads(canonical(other)))
    shown = {each.pointer: (each.stored, each.now) for each in found}
    assert shown.pop("/inputs_digest") == (one.inputs_digest, other.inputs_digest)
    assert {place.rpartition("/")[2] for place in shown} >= {"observed", "outcome"}
    assert (True, False) in shown.values()
    assert ("met", "not_met") in shown.values()
