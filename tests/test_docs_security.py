"""`docs/security.md`: what it names as proof is there, and what it lists is complete."""

from __future__ import annotations

import ast
import re
from functools import cache
from typing import Final

import pytest
from conftest import ROOT

from app.database.security import EXEMPT, PROTECTED

_PAGE: Final = (ROOT / "docs" / "security.md").read_text("utf-8")
_PROOFS: Final = sorted(set(re.findall(r"`([a-z_/]+\.py)::(\w+)`", _PAGE)))
_RISKS: Final = tuple(f"API{number}" for number in range(1, 11))


@cache
def named_in(file: str) -> frozenset[str]:
    """Return the names of the tests that a file of `tests/` holds."""
    tree = ast.parse((ROOT / "tests" / file).read_text("utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    found = (one.name for one in tree.body if isinstance(one, kinds))
    return frozenset(name for name in found if name.startswith("test_"))


def rows(section: str) -> list[list[str]]:
    """Return the cells of every row of the first table after a heading."""
    _, _, rest = _PAGE.partition(f"\n## {section}\n")
    table = re.search(r"(?:^\|.*\n)+", rest, re.MULTILINE)
    assert table is not None, section
    lines = table[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@pytest.mark.parametrize(("file", "name"), _PROOFS)
def test_a_test_that_is_named_as_proof_exists(file: str, name: str) -> None:
    """Every test that the page names stands in the file that it names."""
    assert name in named_in(file)


def test_every_risk_of_the_list_has_an_answer_and_a_proof() -> None:
    """The table goes through all ten risks in order, and each names at least one test."""
    found = rows("OWASP API Security Top 10 (2023)")
    assert [row[0].split("**")[1] for row in found] == list(_RISKS)
    for risk, answer, proofs in found:
        assert answer, risk
        assert re.fullmatch(r"`[^`]+\.py::\w+`(, `[^`]+\.py::\w+`)*", proofs), risk


def test_every_exempt_table_is_told_and_no_protected_one() -> None:
    """The page names exactly the tables that row security leaves out."""
    told = {name for row in rows("Territories and row security") for name in row[0].split(", ")}
    assert {name.strip("`") for name in told} == set(EXEMPT)
    assert not set(EXEMPT) & set(PROTECTED)
