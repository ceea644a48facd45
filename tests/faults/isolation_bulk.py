"""How bulk work is asked for: imports, jobs, runs, files, statistics, maps."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from faults.direct import Asked
from faults.isolation_attempts import NEVER, Attempt, Probe, listed, single
from faults.isolation_files import COUNTED, JUDGED, MAPPED, READ, YEAR
from faults.isolation_spots import SPOTS
from faults.isolation_world import COLUMNS, World, judged, measured, row_of

FILES: Final = [f"GET /v1/{noun}.{medium}" for noun in ("values", "evaluations")
                for medium in ("csv", "ndjson", "xlsx")]  # fmt: skip
_NUMBERS: Final = itertools.count(100)


async def _import_file(world: World, name: str, fresh: bool) -> list[Attempt]:
    """Send a file of which nothing is a canary: what is refused of it is its sender's own."""
    one = measured(SPOTS[name], "V2") | {"source": f"Tệp {next(_NUMBERS)}", "note": ""}
    return [Attempt(Asked("POST", "/v1/imports", "", COLUMNS + row_of(one)))]


def _made(template: str, kind: str, make: Callable[[World, str], Awaitable[int]]) -> Probe:
    """Return how something is done to what only its maker may change."""

    async def probe(world: World, name: str, fresh: bool) -> list[Attempt]:
        if kind not in world.rows[name].ids:
            return []
        number = await make(world, name) if fresh else world.rows[name].ids[kind]
        asked, twin = (Asked("POST", template.format(one)) for one in (number, NEVER))
        return [Attempt(asked, kind, twin, maker=name)]

    return probe


async def _run(world: World, name: str, fresh: bool) -> list[Attempt]:
    spot = SPOTS[name]
    bodies = [judged(spot)] if spot.rulesets else []
    return [Attempt(Asked("POST", "/v1/evaluation-runs", body=body)) for body in bodies]


async def _weigh(world: World, name: str, fresh: bool) -> list[Attempt]:
    """Ask what another threshold would change."""
    spot = SPOTS[name]
    if not spot.rulesets:
        return []
    ruleset = world.app.state.registry.entries[spot.rulesets[0]].ruleset
    id_ = next(one.id for one in ruleset.walk() if one.required and not one.required.branches)
    body = judged(spot) | {"changes": [{"criterion": id_, "threshold": "3"}]}
    return [Attempt(Asked("POST", "/v1/impact", body=body))]


async def _compare_runs(world: World, name: str, fresh: bool) -> list[Attempt]:
    found = await single("/v1/evaluation-runs/{}/compare", ("R",))(world, name, fresh)
    return [
        one._replace(
            asked=one.asked._replace(query=f"with={world.rows[name].ids['R']}"),
            twin=one.twin and one.twin._replace(query=f"with={NEVER}"),
        )
        for one in found
    ]


async def _template(world: World, name: str, fresh: bool) -> list[Attempt]:
    spot = SPOTS[name]
    query = f"under={spot.key}&period={spot.period}"
    paths = [f"/v1/import-templates/{one}.xlsx" for one in spot.rulesets[:1]]
    return [Attempt(Asked("GET", path, query)) for path in paths]


async def _map(world: World, name: str, fresh: bool) -> list[Attempt]:
    """Ask for a map of the communes of a unit with what is on record of them."""
    spot = SPOTS[name]
    if spot.level == "hamlet":  # nothing lies below it
        return []
    narrowed = (f"&{MAPPED}&ruleset={JUDGED}", "") if spot.level == "commune" else (f"&{MAPPED}",)
    wanted = [f"period={spot.period}&under={spot.key}{one}" for one in narrowed]
    return [Attempt(Asked("GET", "/v1/communes.geojson", one), "") for one in wanted]


def _file(operation: str) -> tuple[str, Probe]:
    """Return how a list is asked for as a file: whole or by unit, by turns from unit to unit."""
    path = operation.partition(" ")[2]

    async def probe(world: World, name: str, fresh: bool) -> list[Attempt]:
        turn = (int(SPOTS[name].tag) + FILES.index(operation)) % 3
        query = ("", "unit={}", "under={}")[turn].format(SPOTS[name].key)
        return [Attempt(Asked("GET", path, query), "", whole=not query)]

    return operation, probe


_COUNT: Final = f"indicator={COUNTED}&level=commune&from=2024&to={YEAR}"
_THERE: Final = f"ruleset={READ}&period={YEAR}&by=commune&details=false&limit=500"
_CAME_OUT: Final = f"ruleset={JUDGED}&period={YEAR}&by=commune&level=commune&limit=500"
BULK: Final[Mapping[str, Probe]] = {
    **dict(map(_file, FILES)),
    "POST /v1/imports": _import_file,
    "GET /v1/imports": listed("/v1/imports", "limit=500"),
    "GET /v1/imports/{id}": single("/v1/imports/{}", ("I",)),
    "POST /v1/imports/{id}/commit": _made("/v1/imports/{}/commit", "I", World.checked),
    "GET /v1/imports/{id}/rejected.csv": single("/v1/imports/{}/rejected.csv", ("I",)),
    "GET /v1/import-templates/{ruleset}.xlsx": _template,
    "GET /v1/jobs": listed("/v1/jobs", "limit=500"),
    "GET /v1/jobs/{id}": single("/v1/jobs/{}", ("J", "K")),
    "POST /v1/jobs/{id}/cancel": _made("/v1/jobs/{}/cancel", "J", World.job),
    "GET /v1/jobs/{id}/events": single("/v1/jobs/{}/events", ("K",)),  # those of others do not end
    "POST /v1/evaluation-runs": _run,
    "GET /v1/evaluation-runs": listed("/v1/evaluation-runs", "limit=500", "under={}&limit=500"),
    "GET /v1/evaluation-runs/{id}": single("/v1/evaluation-runs/{}", ("R",)),
    "GET /v1/evaluation-runs/{id}/compare": _compare_runs,
    "POST /v1/impact": _weigh,
    "GET /v1/statistics/series": listed("/v1/statistics/series", f"{_COUNT}&by=commune&limit=500",
                                       f"under={{}}&{_COUNT}&by=commune"),
    "GET /v1/statistics/completeness": listed("/v1/statistics/completeness", _THERE,
                                             f"under={{}}&{_THERE}"),
    "GET /v1/statistics/outcomes": listed("/v1/statistics/outcomes", _CAME_OUT,
                                         f"under={{}}&{_CAME_OUT}"),
    "GET /v1/communes.geojson": _map,
}  # fmt: skip
READING: Final = frozenset({"POST /v1/evaluations/{id}/replay", "POST /v1/impact"})
# Each sends a file to a process of its own, and is kept whether or not anything of it is loaded.
KEEPING: Final = frozenset({"POST /v1/imports"})
KEPT: Final = ("value_import", "value_import_rejection", "audit_entry", "audit_pending")
