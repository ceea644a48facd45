"""Which single value would change most: no step claims what a judgement would not say."""

from __future__ import annotations

import functools

import msgspec
import pytest
from hypothesis import given, settings
from strategies import (
    DAY,
    EXEMPTING,
    SMALL,
    cases_text,
    entry,
    facts_of,
    group,
    indicators_text,
    leaf,
    registry,
    required,
    rules,
    ruleset_text,
    situations,
)

from app.rules.casework import outcomes
from app.rules.facts import LARGEST_COUNT, Fact, Percent, Ratio, bare
from app.rules.registry import Registry
from app.rules.verdict import Designation, Inputs
from app.rules.what_if import Step, steps

MET, NOT_MET, UNDETERMINED = "met", "not_met", "undetermined"
many = settings(max_examples=100, deadline=None)


def tried(inputs: Inputs, code: str, rules: Registry) -> list[Fact]:
    """Return every value of an indicator that could be the best one."""
    indicator, given = rules.indicators[code], bare(inputs.facts.get(code))
    base = given.denominator if isinstance(given, Ratio) else 1
    found: dict[str, list[Fact]] = {
        "boolean": [True],
        "count": [0, LARGEST_COUNT],
        "ratio": [Ratio(base or 1, base or 1), Ratio(base or 1, 0)],
        "set": [tuple(sorted(one.code for one in indicator.members))],
    }
    return found[indicator.kind]


def judgements(ruleset: str, inputs: Inputs, code: str, rules: Registry) -> list[dict[str, str]]:
    """Return what comes out with every value that could be the best one."""
    compiled = rules.entries[ruleset].compiled
    return [
        outcomes(
            compiled.evaluate(msgspec.structs.replace(inputs, facts={**inputs.facts, code: fact}))
        )
        for fact in tried(inputs, code, rules)
    ]


def told(step: Step, before: dict[str, str], after: dict[str, str]) -> bool:
    """Tell whether a step says exactly what the judgement `after` says."""
    turned = {id_ for id_ in after if after[id_] != before[id_]} - {"overall", "all_items"}
    return (
        step.outcome == after["overall"]
        and step.all_items == after.get("all_items")
        and set(step.newly_met) == {id_ for id_ in turned if after[id_] == MET}
        and set(step.newly_failed) == {id_ for id_ in turned if after[id_] == NOT_MET}
    )


@many
@given(situations())
def test_a_step_says_what_the_judgement_of_the_changed_inputs_says(
    situation: tuple[str, Inputs],
) -> None:
    ruleset, inputs = situation
    compiled = entry(ruleset).compiled
    before = outcomes(compiled.evaluate(inputs))
    for step in steps(compiled, inputs):
        assert step.newly_met
        after = judgements(ruleset, inputs, step.indicator, registry())
        assert any(told(step, before, one) for one in after)


@many
@given(situations())
def test_no_value_that_would_help_is_left_out(situation: tuple[str, Inputs]) -> None:
    """And of the values of one indicator the one that helps most is taken."""
    ruleset, inputs = situation
    compiled = entry(ruleset).compiled
    before = outcomes(compiled.evaluate(inputs))
    criteria = set(before) - {"overall", "all_items"}
    found = {step.indicator: step for step in steps(compiled, inputs)}
    for code in compiled.unit_codes:
        for after in judgements(ruleset, inputs, code, registry()):
            gained = {id_ for id_ in criteria if after[id_] == MET != before[id_]}
            if gained:
                step = found[code]
                assert step.completes or len(step.newly_met) >= len(gained)
                assert step.completes or MET not in (after["overall"], after.get("all_items"))


@many
@given(situations())
def test_steps_are_listed_by_what_they_lead_to(situation: tuple[str, Inputs]) -> None:
    """Those that complete the whole, then those by which more criteria are met; each once."""
    ruleset, inputs = situation
    found = steps(entry(ruleset).compiled, inputs)
    order = [(not step.completes, -len(step.newly_met)) for step in found]
    assert order == sorted(order)
    assert len({step.indicator for step in found}) == len(found)
    assert found == steps(entry(ruleset).compiled, inputs)


@pytest.mark.parametrize("ruleset", ["travinh.commune", "phutho.commune"])
def test_where_everything_is_met_no_step_is_left(ruleset: str) -> None:
    worked = entry(ruleset).cases[0]
    assert MET in (worked.expect.get("overall"), worked.expect.get("all_items"))
    assert steps(entry(ruleset).compiled, worked.inputs) == ()


@pytest.mark.parametrize("ruleset", ["travinh.commune", "phutho.commune"])
def test_the_one_value_that_is_missing_completes_the_whole(ruleset: str) -> None:
    """The outcome, or all items where the document states no rule for the whole."""
    worked, compiled = entry(ruleset).cases[0], entry(ruleset).compiled
    for code in compiled.unit_codes:
        facts = {one: value for one, value in worked.inputs.facts.items() if one != code}
        less = msgspec.structs.replace(worked.inputs, facts=facts)
        if MET not in compiled.concluded(compiled.results(less)):
            (step,) = steps(compiled, less)
            assert (step.indicator, step.completes) == (code, True)


def test_an_exempt_commune_has_no_steps() -> None:
    chosen = (Designation(None, EXEMPTING[0], "smart"),)
    inputs = Inputs(as_of=DAY, level="commune", designations=chosen)
    assert steps(entry("bnn3445.selection.smart").compiled, inputs) == ()
    assert steps(entry("bnn3445.selection.ecom").compiled, inputs)


@functools.cache
def small() -> Registry:
    """Return a group, an upper bound, and two criteria that want the opposite of one count."""
    return rules(
        ruleset_text(
            group(
                "g",
                "all",
                leaf("g.1", f"indicator: rate, {required('>=', 80)}"),
                leaf("g.2", f"indicator: rate, {required('>=', 50)}"),
            ),
            leaf("low", f"indicator: loss, {required('<=', 5)}"),
            leaf("many", f"indicator: wells, {required('>=', 5, 'count')}"),
            leaf("few", f"indicator: wells, {required('<', 5, 'count')}"),
            leaf("told", "indicator: seen"),
            leaf("seen", "indicator: seen, contains: a"),
            leaf("report", "indicator: other, no_criterion: true"),
        ),
        indicators_text(rate="ratio", loss="ratio", wells="count", seen="set", other="count"),
        cases_text(
            {
                "g.1": ("rate: 4/5", "rate: 1/5"),
                "g.2": ("rate: 4/5", "rate: 1/5"),
                "low": ("loss: 0/5", "loss: 1/5"),
                "many": ("wells: 5", "wells: 4"),
                "few": ("wells: 4", "wells: 5"),
                "told": ("seen: [b]", "seen: []"),
                "seen": ("seen: [a]", "seen: [b]"),
                "report": (),
            }
        ),
    )


def small_steps(**raw: object) -> dict[str, Step]:
    """Return the steps of the small ruleset by indicator."""
    compiled = small().entries[SMALL].compiled
    inputs = Inputs(as_of=DAY, level="commune", facts=facts_of(small().indicators, raw))
    return {step.indicator: step for step in steps(compiled, inputs)}


def test_groups_that_would_be_met_are_named_with_their_criteria() -> None:
    assert small_steps()["rate"].newly_met == ("g", "g.1", "g.2")
    assert small_steps(rate="60/100")["rate"].newly_met == ("g", "g.1")


def test_nothing_at_all_is_best_under_an_upper_bound() -> None:
    for loss in ("1/5", "0/0", "50%"):
        assert small_steps(loss=loss)["loss"].newly_met == ("low",)


def test_every_code_of_a_set_is_better_than_some() -> None:
    assert small_steps()["seen"].newly_met == ("told", "seen")
    assert small_steps(seen=["b"])["seen"].newly_met == ("seen",)


def test_a_step_that_completes_the_whole_comes_before_one_by_which_more_is_met() -> None:
    needs = [leaf(f"h.{number}", f"indicator: {code}")
             for number, code in enumerate(("road", "road", "road", "lamp"))]  # fmt: skip
    either = rules(
        ruleset_text(group("g", "any", leaf("a", "indicator: well"), group("h", "all", *needs))),
        indicators_text(road="boolean", lamp="boolean", well="boolean"),
        cases_text(
            {
                "a": ("well: true", "well: false"),
                **{f"h.{number}": ("road: true", "road: false") for number in range(3)},
                "h.3": ("lamp: true", "lamp: false"),
            }
        ),
    )
    assert steps(either.entries[SMALL].compiled, Inputs(as_of=DAY, level="commune")) == (
        Step("well", MET, None, newly_met=("g", "a"), newly_failed=()),
        Step("road", UNDETERMINED, None, newly_met=("h.0", "h.1", "h.2"), newly_failed=()),
        Step("lamp", UNDETERMINED, None, newly_met=("h.3",), newly_failed=()),
    )


def test_what_would_be_lost_is_told_beside_what_would_be_gained() -> None:
    """The count that some criterion wants high and another one low."""
    assert small_steps(wells=4)["wells"] == Step(
        "wells", NOT_MET, None, newly_met=("many",), newly_failed=("few",)
    )
    assert small_steps(wells=5)["wells"].newly_met == ("few",)


def test_a_report_is_nothing_to_be_met() -> None:
    assert set(small_steps()) == {"rate", "loss", "wells", "seen"}


def test_a_percentage_that_is_too_coarse_gives_way_to_counts() -> None:
    assert Percent("80") == facts_of(small().indicators, {"rate": "80%"})["rate"]
    assert small_steps(rate="80%")["rate"].newly_met == ("g", "g.1")
