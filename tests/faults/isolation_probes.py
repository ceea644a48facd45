"""Every operation as it is asked for what belongs to one unit; what must then come back.

An operation either says nothing of a territory (`OPEN`) or is probed here: a new one is neither,
and the drill fails until somebody has decided which.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Mapping
from typing import Final

from faults.direct import Asked
from faults.isolation_attempts import (
    NEVER,
    NEVER_CLIENT,
    Attempt,
    Probe,
    acted,
    listed,
    single,
)
from faults.isolation_bulk import BULK, FILES, KEEPING
from faults.isolation_evidence import EVIDENCE, OPEN_FORMS
from faults.isolation_spots import FIRST, SPOTS
from faults.isolation_world import COLUMNS, World, designated, given, measured, official

_NUMBERS: Final = itertools.count(100)
_HAMLETS: Final = itertools.cycle(range(100, 1_000))  # a code has three digits at most

# Operations without anything of a territory in them, and why.
OPEN: Final[Mapping[str, str]] = {
    "GET /livez": "health",
    "GET /readyz": "health",
    "GET /.well-known/jwks.json": "public keys",
    "GET /.well-known/oauth-authorization-server": "addresses",
    "POST /v1/oauth/token": "whoever has a secret is who it belongs to",
    "GET /v1/vocabulary": "words",
    "GET /v1/rulesets": "documents of the state",
    "GET /v1/rulesets/{id}": "documents of the state",
    "GET /v1/indicators": "documents of the state",
    "GET /v1/indicators/{code}": "documents of the state",
    "POST /v1/evaluations/preview": "what is asked stands in the request",
    "GET /v1/units": "the register is open to every client",
    "POST /v1/units/resolve": "the register is open to every client",
    "GET /v1/units/{code}": "the register is open to every client",
    "GET /v1/units/{code}/lineage": "the register is open to every client",
    "GET /v1/communes": "the register, with area classes and designations, is open",
    "GET /v1/communes.csv": "the register, with area classes and designations, is open",
    "GET /v1/communes/{code}": "the register, with area classes and designations, is open",
    "GET /v1/communes/{code}/hamlets": "the register is open to every client",
    "GET /v1/designations": "designations are open to every client",
    **OPEN_FORMS,
}


async def _members(world: World, name: str, fresh: bool) -> list[Attempt]:
    asks = await single("/v1/evaluations/{}/members", ("E1", "E2"), query=_COUNTING)(
        world, name, fresh
    )
    return [one._replace(right=(200, 422)) for one in asks]  # not every verdict has members


async def _compare(world: World, name: str, fresh: bool) -> list[Attempt]:
    """Compare the verdicts of a unit with each other, and with themselves."""
    ids, found = world.rows[name].ids, []
    kinds = [kind for kind in ("E1", "E2") if kind in ids]
    for first, second in itertools.product(kinds, repeat=2):
        path = f"/v1/evaluations/{ids[first]}/compare/{ids[second]}"
        twin = f"/v1/evaluations/<{first}:{ids[first]}>/compare/<{second}:{ids[second]}>"
        found.append(Attempt(Asked("GET", path), f"{first} {second}", Asked("GET", twin)))
    return found


async def _values(world: World, name: str, fresh: bool) -> list[Attempt]:
    body = {"values": [measured(SPOTS[name], "V1")], "acting_official": official(SPOTS[name])}
    return [Attempt(Asked("POST", "/v1/values", body=body))]


async def _import(world: World, name: str, fresh: bool) -> list[Attempt]:
    spot = SPOTS[name]
    if spot.level != "commune":
        return []
    row = f"{spot.key},,{spot.period},{FIRST['commune']},7,,,Tệp {next(_NUMBERS)},,\n"
    return [
        Attempt(Asked("POST", "/v1/values/import", query, COLUMNS + row))
        for query in ("", "dry_run=true", "partial=true")
    ]


async def _retract(world: World, name: str, fresh: bool) -> list[Attempt]:
    kinds = ("V1", "V2")
    ids = {kind: await world.value(name, kind) for kind in kinds} if fresh else world.rows[name].ids
    return [
        Attempt(_because(f"/v1/values/{ids[kind]}/retract"),
                twin=_because(f"/v1/values/{NEVER}/retract"))
        for kind in kinds
    ]  # fmt: skip


def _because(path: str) -> Asked:
    return Asked("POST", path, body={"reason": "nhầm"}, headers=(("if-match", "*"),))


async def _evaluate(world: World, name: str, fresh: bool) -> list[Attempt]:
    spot = SPOTS[name]
    bodies = [
        {"ruleset": one, "period": spot.period, **units}
        for one in spot.rulesets
        for units in ({"unit": spot.key}, {"units": [spot.key]})
    ]
    return [Attempt(Asked("POST", "/v1/evaluations", body=body)) for body in bodies]


async def _identify(world: World, name: str, fresh: bool) -> list[Attempt]:
    path = f"/v1/units/{SPOTS[name].key}/identifiers/ioc"
    body, on = {"value": f"H{secrets.token_hex(4)}"}, "" if SPOTS[name].now else "on=2024-06-01"
    return [Attempt(Asked("PUT", path, on, body, (("if-match", "*"),)))]


async def _classify(world: World, name: str, fresh: bool) -> list[Attempt]:
    spot = SPOTS[name]
    day = "2025-08-01" if spot.now else "2024-01-01"
    body = {"value": True, "from": day, "to": None, "source": f"Công văn {next(_NUMBERS)}"}
    path = f"/v1/communes/{spot.key}/attributes/area_island"
    return [Attempt(Asked("PUT", path, body=body, headers=(("if-match", "*"),)))]


async def _designate(world: World, name: str, fresh: bool) -> list[Attempt]:
    path = f"/v1/communes/{SPOTS[name].key}/designations"
    return [Attempt(Asked("POST", path, body=designated(SPOTS[name])))]


async def _withdraw(world: World, name: str, fresh: bool) -> list[Attempt]:
    number = await world.designation(name) if fresh else world.rows[name].ids["X"]
    return [
        Attempt(_because(f"/v1/designations/{number}/withdraw"),
                twin=_because(f"/v1/designations/{NEVER}/withdraw"))
    ]  # fmt: skip


async def _put_value(world: World, name: str, fresh: bool) -> list[Attempt]:
    spot = SPOTS[name]
    path = f"/v1/communes/{spot.key}/values/{spot.period}/{FIRST['commune']}"
    body = {"value": next(_NUMBERS), "source": f"Báo cáo {next(_NUMBERS)}"}
    return [Attempt(Asked("PUT", path, body=body, headers=(("if-match", "*"),)))]


async def _standing(world: World, name: str, fresh: bool) -> list[Attempt]:
    spot = SPOTS[name]
    path = f"/v1/communes/{spot.key}/standing"
    return [Attempt(Asked("GET", path, f"period={spot.period}"))]


async def _settle(world: World, name: str, fresh: bool) -> list[Attempt]:
    spot = SPOTS[name]
    code = f"{spot.key.split('-')[1]}-{next(_HAMLETS)}"
    body = {"code": code, "name": f"Khu {code}", "type": "khu_dan_cu",
            "valid_from": "2025-08-01" if spot.now else "2024-01-01"}  # fmt: skip
    return [Attempt(Asked("POST", f"/v1/communes/{spot.key}/hamlets", body=body))]


async def _add_client(world: World, name: str, fresh: bool) -> list[Attempt]:
    spot = SPOTS[name]
    body = {"name": spot.says("C"), "territory": spot.key, "scopes": ["clients:admin"]}
    return [Attempt(Asked("POST", "/v1/clients", body=body))]


def _of_client(method: str, tail: str = "") -> Probe:
    """Return how something is asked of a client; what ends something gets a new one each time."""

    async def build(world: World, name: str, fresh: bool) -> list[Attempt]:
        id_, secret = world.rows[name].client, world.rows[name].ids["S"]
        if fresh and method != "GET":
            id_, secret, newer = await world.client(name)
            if method == "POST":  # room for another secret
                await world.make("DELETE", f"/v1/clients/{id_}/secrets/{newer}")
        path = f"/v1/clients/{{}}{tail.format(secret)}"
        asked, twin = (Asked(method, path.format(one)) for one in (id_, NEVER_CLIENT))
        return [Attempt(asked, "C", twin)]

    return acted(build, "today")


async def _give(world: World, name: str, fresh: bool) -> list[Attempt]:
    return [Attempt(Asked("POST", "/v1/grants", body=given(SPOTS[name])))]


async def _end_grant(world: World, name: str, fresh: bool) -> list[Attempt]:
    number = await world.grant(name) if fresh else world.rows[name].ids["G"]
    return [
        Attempt(_because(f"/v1/grants/{number}/revoke"),
                twin=_because(f"/v1/grants/{NEVER}/revoke"))
    ]  # fmt: skip


_COUNTING: Final = "criterion=travinh.province.1b.1"
_BY_UNIT: Final = ("limit=500", "unit={}&limit=500", "under={}&limit=500")
_SINCE: Final = "updated_since=2020-01-01T00:00:00Z&limit=500"
PROBES: Final[Mapping[str, Probe]] = {
    **BULK,
    **EVIDENCE,
    "GET /v1/values": listed("/v1/values", *_BY_UNIT, _SINCE, "status=retracted&limit=500",
                            "unit={}&with_predecessors=true&limit=500"),
    "POST /v1/values": _values,
    "GET /v1/values/{id}": single("/v1/values/{}", ("V1", "V2")),
    "GET /v1/values/{id}/history": single("/v1/values/{}/history", ("V1", "V2")),
    "POST /v1/values/{id}/retract": _retract,
    "POST /v1/values/import": _import,
    "GET /v1/evaluations": listed("/v1/evaluations", *_BY_UNIT, _SINCE, "latest=true&limit=500"),
    "POST /v1/evaluations": _evaluate,
    "GET /v1/evaluations/{id}": single("/v1/evaluations/{}", ("E1", "E2")),
    "POST /v1/evaluations/{id}/replay": single("/v1/evaluations/{}/replay", ("E1", "E2"), "POST"),
    "GET /v1/evaluations/{id}/members": _members,
    "GET /v1/evaluations/{id}/compare/{other}": _compare,
    "PUT /v1/units/{code}/identifiers/{scheme}": _identify,
    "PUT /v1/communes/{code}/attributes/{name}": acted(_classify, "commune"),
    "POST /v1/communes/{code}/designations": acted(_designate, "commune"),
    "PUT /v1/communes/{code}/values/{period}/{indicator}": acted(_put_value, "commune"),
    "GET /v1/communes/{code}/standing": acted(_standing, "commune"),
    "POST /v1/communes/{code}/hamlets": acted(_settle, "commune"),
    "POST /v1/designations/{id}/withdraw": acted(_withdraw, "commune"),
    "GET /v1/audit": listed("/v1/audit", *_BY_UNIT),
    "GET /v1/audit/{id}": single("/v1/audit/{}", ("A",)),
    "GET /v1/clients": listed("/v1/clients", "limit=500"),
    "POST /v1/clients": acted(_add_client, "today"),
    "GET /v1/clients/{client_id}": _of_client("GET"),
    "POST /v1/clients/{client_id}/revoke": _of_client("POST", "/revoke"),
    "POST /v1/clients/{client_id}/secrets": _of_client("POST", "/secrets"),
    "DELETE /v1/clients/{client_id}/secrets/{id}": _of_client("DELETE", "/secrets/{}"),
    "GET /v1/grants": listed("/v1/grants", "limit=500"),
    "POST /v1/grants": acted(_give, "today"),
    "GET /v1/grants/{id}": single("/v1/grants/{}", ("G",)),
    "POST /v1/grants/{id}/revoke": acted(_end_grant, "today"),
}  # fmt: skip
LISTS: Final = frozenset(
    f"GET /v1/{noun}"
    for noun in ("values", "evaluations", "audit", "clients", "grants", "jobs", "imports",
                 "evaluation-runs", "evidence-submissions")
)  # fmt: skip
# What takes many times as long as anything else is attempted less often, by one scope too few.
DEAR: Final = frozenset({*FILES, *KEEPING, "GET /v1/communes.geojson"}) | {
    one for one in PROBES if one.startswith("GET /v1/statistics/")
}
