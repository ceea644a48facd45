"""`docs/evidence.md`: its tables are those of the code, and its refusals are real problems."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from conftest import ROOT

from app.api.problems import PROBLEMS
from app.domain.evidence import attached, chain, slots
from app.rules.vocabulary import SUBMISSION_STATES

_PAGE: Final = (ROOT / "docs" / "evidence.md").read_text("utf-8")
_SLOTS: Final = "".join(
    Path(str(module.__file__)).read_text("utf-8") for module in (attached, slots)
)


def tables(heading: str) -> list[list[list[str]]]:
    """Return the cells of every row of each table of a section."""
    _, found, rest = _PAGE.partition(f"\n## {heading}\n")
    assert found, heading
    return [
        [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines.splitlines()[2:]]
        for lines in re.findall(r"(?:^\|.*\n)+", rest.partition("\n## ")[0], re.MULTILINE)
    ]


def quoted(rows: list[list[str]]) -> list[str]:
    """Return what stands between backticks in the first column, in order."""
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row[0])]


def test_every_state_and_transition_of_the_chain_is_told() -> None:
    """States with their Vietnamese, transitions with route, days and what documents say of them."""
    states, transitions = tables("States and transitions")
    assert quoted(states) == list(SUBMISSION_STATES)
    for name, meaning in zip(SUBMISSION_STATES, states, strict=True):
        assert meaning[1].startswith(SUBMISSION_STATES[name].vi), name
    known = []
    for one in chain.CHAIN.transitions:
        days = [f"to {one.until}"] if one.until else [f"since {one.since}"] if one.since else []
        where = ", ".join([f"`{one.route}`" if one.route else "any", *days])
        cells = (one.action, one.before, one.after, one.step)
        known.append([*(f"`{cell}`" for cell in cells), where, f"`{one.basis}`"])
    assert transitions == known


def test_every_office_has_the_scope_of_its_step() -> None:
    """The table of offices names each step's scope, in the order of the chain."""
    told = [row[2].strip("`") for row in tables("Who may do what")[0]]
    assert told[:4] == [one.scope for one in chain.CHAIN.steps]


def test_whatever_a_slot_may_lack_or_contradict_is_explained() -> None:
    """Each code of `missing` and `contradictions` stands in its table, and no other."""
    _, missing, contradictions = tables("Slots")
    assert set(quoted(missing)) == set(re.findall(r'Missing\(\s*"([a-z-]+)"', _SLOTS))
    listed = _SLOTS.partition("contradictions = (")[2].partition("\n    )")[0]
    assert quoted(contradictions) == re.findall(r'"([a-z-]+)"', listed)


def test_refusals_are_problems_with_their_status() -> None:
    """Every code that is explained is one of the service, under the status it really has."""
    for row in tables("Refusals")[0]:
        for code in quoted([row]):
            assert str(PROBLEMS[code][0]) == row[1], code
