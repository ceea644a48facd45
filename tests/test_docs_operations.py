"""`docs/operations.md`: its tables say what the code does, and leave nothing out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from conftest import ROOT
from fastapi import FastAPI
from pydantic_core import PydanticUndefined

from app.api.gate import Pace
from app.api.metrics import Metrics
from app.api.problems import PROBLEMS
from app.database import Database, connections
from app.domain import signing_keys
from app.domain.audit import damage
from app.main import create_app
from app.rules.registry import Registry
from app.settings import Settings

_PAGE: Final = (ROOT / "docs" / "operations.md").read_text("utf-8")
_PAGES: Final = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
_OAUTH: Final = {"invalid_client"}  # codes of the token endpoint, which are those of RFC 6749


def rows(section: str, table: int = 0) -> list[list[str]]:
    """Return the cells of every row of a table of a section."""
    _, _, rest = _PAGE.partition(f"\n## {section}\n")
    own = rest.partition("\n## ")[0]
    found = re.findall(r"(?:^\|.*\n)+", own, re.MULTILINE)[table]
    lines = found.splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def names_in(text: str) -> set[str]:
    """Return what stands between backticks."""
    return set(re.findall(r"`([^`]+)`", text))


def test_every_setting_is_described_with_its_default() -> None:
    """The table of settings has every field of the settings, no other, and what it is unset."""
    told = {row[0].strip("` "): row[1] for row in rows("Settings")}
    assert set(told) == {f"NTM_{name.upper()}" for name in Settings.model_fields}
    for name, field in Settings.model_fields.items():
        shown = told[f"NTM_{name.upper()}"]
        if field.default in (None, (), PydanticUndefined):
            assert shown == "-" or "folder" in shown, name
        else:
            assert shown == str(field.default), name


def test_every_default_in_the_data_folder_is_named(tmp_path: Path) -> None:
    """Files whose place follows from the data folder are told by their names."""
    told = {row[0].strip("` "): row[1] for row in rows("Settings")}
    settings = Settings(data_dir=tmp_path)
    assert settings.keys.name in names_in(told["NTM_SIGNING_KEY_FILE"])
    assert settings.checkpoints.name in names_in(told["NTM_AUDIT_CHECKPOINTS"])


def test_every_variable_that_is_mentioned_is_a_setting() -> None:
    """Nobody is told to set what nothing reads."""
    known = {f"NTM_{name.upper()}" for name in Settings.model_fields} | {"NTM_LANG"}
    assert set(re.findall(r"\bNTM_[A-Z_]+\b", _PAGE)) <= known


def metrics_of(app: FastAPI) -> dict[str, Any]:
    """Return the metrics of an application by the names under which they are read."""
    metrics: Metrics = app.state.metrics
    suffixes = {"counter": "_total"}
    return {one.name + suffixes.get(one.type, ""): one for one in metrics.registry.collect()}


def test_every_metric_is_described(
    settings: Settings, registry: Registry, database: Database
) -> None:
    """The table of metrics has every metric that a service shows, and no other."""
    shown = metrics_of(create_app(settings, registry, database))
    told = {name for row in rows("Metrics and alerts") for name in names_in(row[0])}
    assert told == set(shown)


def test_every_alert_is_explained_and_asks_for_metrics_that_exist() -> None:
    """The rules are good YAML, use described metrics only, and each says what to do."""
    block = re.search(r"```yaml\n(.*?)```", _PAGE, re.DOTALL)
    assert block is not None
    (group,) = yaml.safe_load(block[1])["groups"]
    known = {name for row in rows("Metrics and alerts") for name in names_in(row[0])}
    for rule in group["rules"]:
        used = set(re.findall(r"\bntm_[a-z_]+", rule["expr"]))
        assert {re.sub(r"_bucket$", "", name) for name in used} <= known, rule["alert"]
    explained = rows("Metrics and alerts", 1)
    assert [row[0].strip("` ") for row in explained] == [one["alert"] for one in group["rules"]]
    assert all(len(row) == 3 and row[1] and row[2] for row in explained)


def test_every_code_of_the_security_log_exists() -> None:
    """The codes to watch are codes that the log can hold."""
    (codes,) = (rows("Logs", 1),)
    told = {name for row in codes for name in names_in(row[0]) if not name.startswith("/")}
    assert told <= set(PROBLEMS) | _OAUTH


def test_every_kind_of_damage_to_the_audit_is_explained() -> None:
    """The table has every kind that a verification can tell, and no other."""
    source = Path(damage.__file__).read_text("utf-8")
    kinds = set(re.findall(r'Damage\("([a-z-]+)"', source))
    kinds |= {damage.ALTERED, damage.ENTRY_ALTERED, damage.SEAL_ALTERED}
    assert kinds == {name for row in rows("The audit") for name in names_in(row[0])}


def test_the_deadlines_are_those_of_the_code() -> None:
    """The table of deadlines has the numbers by which the service lives."""
    told = {row[0]: row[1] for row in rows("Deadlines")}
    limits = connections._SERVICE_LIMITS
    seconds = {
        "opening a connection to the database": connections._CONNECTING,
        "waiting for a free connection": connections._WAITING,
        "a statement": int(limits["statement_timeout"]) / 1000,
        "a lock": int(limits["lock_timeout"]) / 1000,
        "a transaction, all of it (PostgreSQL 17 or newer)": connections._TRANSACTION / 1000,
        "a transaction in which nothing happens": (
            int(limits["idle_in_transaction_session_timeout"]) / 1000
        ),
        "a server that does not answer a statement at all": connections._COMMAND,
        "taking a transaction back": connections._ROLLING_BACK,
        "noticing that the service has hung up on a statement": (
            int(limits["client_connection_check_interval"]) / 1000
        ),
        "waiting for a place (a few milliseconds while overloaded)": Pace().patience,
        "a body (`NTM_BODY_SECONDS`)": Settings.model_fields["body_seconds"].default,
        "a stop (`NTM_SHUTDOWN_SECONDS`)": Settings.model_fields["shutdown_seconds"].default,
        "a token": signing_keys.LIFETIME,
    }
    assert told.pop("headers") == "none"
    assert {name: float(text) for name, text in told.items()} == seconds


@pytest.mark.parametrize("page", _PAGES, ids=lambda one: one.relative_to(ROOT).as_posix())
def test_every_link_within_the_documentation_leads_somewhere(page: Path) -> None:
    """A link to a file finds the file, and one to a heading finds the heading."""
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    for file, _, place in re.findall(r"\]\((?!https?:)([^)#]*)(#([^)]+))?\)", text):
        target = (page.parent / file) if file else page
        assert target.exists(), file
        if place:
            headings = re.findall(r"^#+ (.+)$", target.read_text("utf-8"), re.MULTILINE)
            assert place in {_anchor(one) for one in headings}, (file, place)


def _anchor(heading: str) -> str:
    """Return the anchor that is made of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
