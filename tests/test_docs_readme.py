"""`README.md`: its table of routes has every operation, its settings and commands are real."""

from __future__ import annotations

import json
import re
from typing import Final

import typer.core
import typer.main
from conftest import ROOT

from app.cli import app
from app.settings import VARIABLES

_PAGE: Final = (ROOT / "README.md").read_text("utf-8")
_METHODS: Final = "GET|POST|PUT|DELETE"
_UNDESCRIBED: Final = {"GET /docs", "GET /openapi.json"}  # for people, and the description itself


def section(heading: str) -> str:
    """Return what stands below a heading of the page."""
    _, found, rest = _PAGE.partition(f"\n## {heading}\n")
    assert found, heading
    return rest.partition("\n## ")[0]


def test_the_table_of_routes_has_every_operation_with_parameters_that_it_has() -> None:
    """Each operation stands in the table, no other does, and what may be asked of it is true."""
    described = json.loads((ROOT / "openapi" / "openapi.json").read_text("utf-8"))["paths"]
    known = {
        f"{method.upper()} {path}": {one["name"] for one in operation.get("parameters", ())}
        for path, found in described.items()
        for method, operation in found.items()
    }
    told: dict[str, set[str]] = {}
    for row in re.findall(r"^\| `.*$", section("Over HTTP"), re.MULTILINE):
        for method, path, query in re.findall(rf"`({_METHODS}) (/[^`?]*)\??([^`]*)`", row):
            names = set(re.findall(r"(\w+)=", query))
            told[f"{method} {path}"] = told.get(f"{method} {path}", set()) | names
    assert set(told) - _UNDESCRIBED == set(known)
    for operation, names in told.items():
        assert names <= known.get(operation, set()), operation


def test_every_setting_that_is_mentioned_exists() -> None:
    """Nobody is told to set what nothing reads."""
    assert set(re.findall(r"\bNTM_[A-Z_]+\b", _PAGE)) <= VARIABLES


def test_every_command_is_listed() -> None:
    """The list of commands has every one, groups included."""
    listed = section("The command")
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    for name in group.commands:
        assert re.search(rf"\bntm {name}\b", listed), name
