"""Every leaf of every built-in ruleset is exercised by worked cases that come out as written."""

from __future__ import annotations

import functools
from collections import defaultdict

import pytest
from strategies import RULESETS, entry

from app.rules.casework import disagreements, outcomes


@functools.cache
def shown(ruleset: str) -> dict[str, dict[str, set[str]]]:
    """Return for each criterion and outcome the cases that lead to it, as judged now."""
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for worked in entry(ruleset).cases:
        for id_, outcome in outcomes(entry(ruleset).compiled.evaluate(worked.inputs)).items():
            if worked.expect.get(id_) == outcome:
                found[id_][outcome].add(worked.case.case)
    return found


@pytest.mark.parametrize("ruleset", RULESETS)
def test_every_leaf_has_cases_that_meet_it_fail_it_and_leave_it_open(ruleset: str) -> None:
    """Or, where the document sets no threshold, a case that reports it."""
    for leaf in entry(ruleset).ruleset.walk():
        if not leaf.criteria:
            wanted = {"no_criterion"} if leaf.no_criterion else {"met", "not_met", "undetermined"}
            assert wanted <= set(shown(ruleset)[leaf.id]), leaf.id


@pytest.mark.parametrize("ruleset", RULESETS)
def test_every_case_comes_out_as_it_says(ruleset: str) -> None:
    compiled = entry(ruleset).compiled
    for worked in entry(ruleset).cases:
        assert list(disagreements(worked, compiled.evaluate(worked.inputs))) == []


@pytest.mark.parametrize("ruleset", RULESETS)
def test_every_case_says_something(ruleset: str) -> None:
    """The whole is expected in every case, and cases of one ruleset differ in name and inputs."""
    cases = entry(ruleset).cases
    assert len({worked.case.case for worked in cases}) == len(cases)
    for worked in cases:
        assert {"overall", "all_items"} & set(worked.expect), worked.case.case


@pytest.mark.parametrize("ruleset", RULESETS)
def test_the_first_case_meets_every_test_exactly(ruleset: str) -> None:
    """It is the base of the others: all that is judged is met, the rest is reported."""
    found = outcomes(entry(ruleset).compiled.evaluate(entry(ruleset).cases[0].inputs))
    judged = {id_: one for id_, one in found.items() if id_ not in ("overall", "all_items")}
    assert set(judged.values()) <= {"met", "no_criterion"}


@pytest.mark.parametrize("ruleset", RULESETS)
def test_a_case_that_gives_reasons_expects_an_outcome_that_has_some(ruleset: str) -> None:
    """What is met or not met needs no reason."""
    for worked in entry(ruleset).cases:
        for id_ in worked.case.reasons:
            assert worked.expect[id_] in ("undetermined", "not_applicable", "no_criterion")
