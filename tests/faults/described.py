"""Schemathesis against our own description of the API, with every check it has.

It makes requests from the description, good ones and bad ones, and holds the answers against it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import schemathesis
from conftest import shipped
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema

from app.cli.clients import make
from app.database import EVERYTHING, Database
from app.domain.clients import SCOPES
from app.main import create_app
from app.settings import Settings
from faults.goals import Stage

# A check that contradicts the contract, for those operations alone, each with why: what the
# description lets through is refused all the same where it must name something that exists.
_POSITIVE: Final = "positive_data_acceptance"
_PAGES: Final = "a cursor is what a page gave, not any text"
_NAMES: Final = "rulesets, criteria and indicators are names in the catalogue"
_KEYS: Final = "a key stands for one request"
_DAYS: Final = "days end in 2199; a unit above must be one that is"
_OFFICE: Final = "only the office of a commune may, with a submission of its own"
_SUBMISSIONS: Final = "/v1/evidence-submissions"
_SLOT: Final = f"{_SUBMISSIONS}/{{id}}/slots/{{slot}}"
NOT_OURS: Final[Mapping[str, str]] = {
    f"GET {_SUBMISSIONS}": f"{_NAMES}; {_PAGES}; {_DAYS}",
    **dict.fromkeys((f"GET {_SLOT}/{what}" for what in ("findings", "rows")), _PAGES),
    "GET /v1/evidence-forms": _PAGES,
    **dict.fromkeys(
        (f"POST {_SUBMISSIONS}", f"POST {_SUBMISSIONS}/decisions",
         f"PUT {_SUBMISSIONS}/{{id}}/parts", f"POST {_SUBMISSIONS}/{{id}}/transitions",
         f"DELETE {_SUBMISSIONS}/{{id}}/names", f"PUT {_SLOT}/confirmations",
         f"POST {_SLOT}/findings", f"PUT {_SLOT}/rows", f"DELETE {_SLOT}/rows",
         f"GET {_SLOT}/names", f"PUT {_SLOT}/files/{{name}}", f"DELETE {_SLOT}/files/{{name}}"),
        _OFFICE,
    ),
    **dict.fromkeys(
        ("GET /v1/audit", "GET /v1/clients", "GET /v1/communes", "GET /v1/communes/{code}/hamlets",
         "GET /v1/designations", "GET /v1/evaluations", "GET /v1/evaluations/{id}/members",
         "GET /v1/grants", "GET /v1/imports", "GET /v1/indicators", "GET /v1/jobs",
         "GET /v1/rulesets", "GET /v1/units", "GET /v1/values", "GET /v1/values/{id}/history"),
        _PAGES,
    ),
    **dict.fromkeys(
        ("GET /v1/evaluation-runs", "GET /v1/statistics/completeness",
         "GET /v1/statistics/outcomes", "GET /v1/statistics/series"),
        f"{_NAMES}; {_PAGES}",
    ),
    **dict.fromkeys(
        (f"GET /v1/{noun}.{medium}" for noun in ("evaluations", "values")
         for medium in ("csv", "ndjson", "xlsx")),
        f"{_NAMES}; predecessors are those of one unit",
    ),
    **dict.fromkeys(
        ("GET /v1/units/{code}", "GET /v1/units/{code}/lineage", "GET /v1/communes/{code}",
         "GET /v1/communes.csv", "GET /v1/communes.geojson", "GET /v1/communes/{code}/standing"),
        _DAYS,
    ),
    "GET /v1/import-templates/{ruleset}.xlsx": "a workbook has room for some units, not for all",
    "POST /v1/clients": "scopes are names of scopes, each once; a territory is one that is",
    "POST /v1/clients/{client_id}/revoke": "a version is one that was given out",
    "POST /v1/communes/{code}/designations": "a day beyond 2199, white space alone",
    "POST /v1/communes/{code}/hamlets": "the code begins with the commune's",
    "POST /v1/designations/{id}/withdraw": "white space alone is no reason",
    "POST /v1/evaluation-runs": _NAMES,
    "POST /v1/evaluations": "one of unit and units; the ruleset is one that is",
    "POST /v1/evaluations/preview": "rulesets and indicators are names in the catalogue",
    "POST /v1/grants": "one of two receivers; until a day to come; names in the catalogue",
    "POST /v1/grants/{id}/revoke": "a version is one that was given out",
    "POST /v1/impact": f"{_NAMES}; changes or a file",
    "POST /v1/imports": "a file has columns, which no schema describes",
    "POST /v1/imports/{id}/commit": f"who acts is stated wholly or not at all; {_KEYS}",
    "POST /v1/jobs/{id}/cancel": _KEYS,
    "POST /v1/units/resolve": "an item says a code or a name",
    "POST /v1/values": "indicators, their kinds and periods are those of the catalogue",
    "POST /v1/values/import": "a file has columns, which no schema describes",
    "POST /v1/values/{id}/retract": "white space alone is no reason",
    "PUT /v1/communes/{code}/attributes/{name}": "an area class is one of the catalogue",
    "PUT /v1/communes/{code}/values/{period}/{indicator}": "a value is of its indicator's kind",
    "PUT /v1/units/{code}/identifiers/{scheme}": "days end in 2199; a version was given out",
}  # fmt: skip
# GET of this address reads a unit, whose code it cannot be: 422, not 405.
_ADDRESS: Final = "POST /v1/units/resolve"
# In the small size each operation meets every value that its description marks out: that ends by
# itself. Values at random, which the fuzzing of our own has too, are for the full size.
_AT_RANDOM: Final = ("fuzzing", "stateful")
_EXAMPLES: Final = 500  # for each operation
_SECONDS: Final = 3_600.0


class Found(NamedTuple):
    """What schemathesis found: how many requests it sent, to which operations, what is wrong."""

    sent: int
    reached: frozenset[str]
    failures: dict[str, list[str]]


async def by_description(stage: Stage, *, full: bool) -> Found:
    """Run schemathesis against a service with a database of its own."""
    unlimited: dict[str, object] = (
        {"rate_limit": 0} if "rate_limit" in Settings.model_fields else {}
    )
    settings = stage.settings(await stage.clone("described"), **unlimited)
    async with Database(settings) as database:
        made = await make(database.acting_for(EVERYTHING), "Thử theo mô tả", "VN", list(SCOPES))
        app = create_app(settings, shipped(), database)
        token = app.state.tokens.issue(made["client_id"], list(SCOPES))
    # It has an event loop of its own, on which the service opens connections of its own.
    return await asyncio.to_thread(_run, create_app(settings, shipped()), token, full)


def _run(app: Any, token: str, full: bool) -> Found:
    schema = schemathesis.openapi.from_asgi("/openapi.json", app, config=_config(token, full))
    sent, reached = 0, set()
    failures: dict[str, list[str]] = {}
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            sent += len(event.recorder.interactions)
            reached |= {case.value.operation.label for case in event.recorder.cases.values()}
            for name, said in _failed(event.recorder):
                failures.setdefault(name, []).append(said)
        elif isinstance(event, events.NonFatalError):
            failures.setdefault(f"{event.label} error", []).append(str(event.value)[:600])
    return Found(sent, frozenset(reached), failures)


def _failed(recorder: Any) -> list[tuple[str, str]]:
    found = []
    for number, checks in recorder.checks.items():
        case = recorder.cases[number].value
        for check in checks:
            if check.status.value == "failure":
                failure = check.failure_info.failure
                asked = (
                    f"{case.method} {case.formatted_path} query={case.query!r} body={case.body!r}"
                )
                said = f"{failure.title}: {failure.message} | {asked}"
                found.append((f"{case.operation.label} {check.name}", said[:1_500]))
    return found


def _config(token: str, full: bool) -> SchemathesisConfig:
    return SchemathesisConfig.from_dict({
        "seed": 5,
        "color": False,
        "continue-on-failure": True,
        "max-time": _SECONDS,
        "phases": {name: {"enabled": full} for name in _AT_RANDOM},
        "headers": {"Authorization": f"Bearer {token}", "If-Match": "*"},
        "generation": {"max-examples": _EXAMPLES, "database": "none", "no-shrink": True},
        "checks": {"enabled": True},
        "operations": [
            {"include-name": name, "checks": {_POSITIVE: {"enabled": False}}} for name in NOT_OURS
            if name != _ADDRESS
        ] + [{"include-name": _ADDRESS, "checks": {
            _POSITIVE: {"enabled": False}, "unsupported_method": {"enabled": False},
        }}],
    })  # fmt: skip


def summary(found: Found) -> str:
    """Return what is wrong, a line for each operation and check with one example."""
    counts = Counter({name: len(said) for name, said in found.failures.items()})
    return "\n".join(f"{n} x {name}: {found.failures[name][0]}" for name, n in counts.items())
