"""The kernel agrees with an evaluator written independently of it (`independent.py`)."""

from __future__ import annotations

import independent
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import RULESETS, entry, inputs, registry

from app.rules.casework import outcomes


@pytest.mark.parametrize("ruleset", RULESETS)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_every_criterion_comes_out_as_an_independent_evaluator_says(
    ruleset: str, data: st.DataObject
) -> None:
    """For random facts, area classes, designations, members and days, in all thirteen rulesets."""
    given = data.draw(inputs(ruleset))
    compiled = entry(ruleset).compiled
    told = independent.outcomes(compiled.ruleset, registry().indicators, given)
    assert outcomes(compiled.evaluate(given)) == told


@pytest.mark.parametrize("ruleset", RULESETS)
def test_the_worked_cases_come_out_as_an_independent_evaluator_says(ruleset: str) -> None:
    """What jurists expect is confirmed without the kernel."""
    found = entry(ruleset)
    assert found.cases
    for worked in found.cases:
        told = independent.outcomes(found.ruleset, registry().indicators, worked.inputs)
        assert {place: told[place] for place in worked.expect} == dict(worked.expect)
