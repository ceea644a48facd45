"""A country in small for the drill of isolation: units of every relation, each full of canaries.

Everything that is recorded of a unit carries its canary: a word, and a number in what is counted.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import time
from collections.abc import AsyncIterator
from typing import Any, Final

from conftest import shipped
from fastapi import FastAPI
from grant_calls import later
from hostile import FILE
from sqlalchemy import text
from working import work_off

from app.api.downloads import Downloads
from app.cli.clients import make
from app.database import EVERYTHING, Database, driver_of
from app.domain import clients, unit_lookup
from app.domain.clients import SCOPES
from app.domain.clock import today
from app.main import create_app
from faults.direct import Asked, Reply, call
from faults.goals import Stage
from faults.isolation_spots import FIRST, GRANTS, NATION, SECOND, SPOTS, UNITS_OF, Item, Spot

_NUMBERS: Final = itertools.count(1)
_LASTS: Final = 600.0  # seconds until a token is issued anew, before it ends


@dataclasses.dataclass
class Rows:
    """The numbers of what is on record of one unit."""

    unit: int = 0
    ids: dict[str, int] = dataclasses.field(default_factory=dict)  # by kind, and "X" a designation
    client: str = ""
    etags: dict[str, str] = dataclasses.field(default_factory=dict)


class World:
    """The service, its database, the callers with their tokens, and what is on record."""

    def __init__(self, app: FastAPI, database: Database) -> None:
        self.app, self.database = app, database
        self.rows: dict[str, Rows] = {name: Rows() for name in SPOTS}
        self.clients: dict[str, str] = {}
        self.homes: dict[str, int] = {}  # the unit of each caller
        self.grants: dict[str, int] = {}
        self._tokens: dict[tuple[str, tuple[str, ...]], tuple[str, float]] = {}

    def token(self, caller: str, *scopes: str) -> str:
        """Return a token of a caller, with all scopes where none is named."""
        known, now = (caller, scopes or tuple(SCOPES)), time.monotonic()
        token, issued = self._tokens.get(known, ("", -_LASTS))
        if now - issued >= _LASTS:
            token = self.app.state.tokens.issue(self.clients[caller], list(known[1]))
            self._tokens[known] = token, now
        return token

    async def ask(self, caller: str, asked: Asked, *scopes: str) -> Reply:
        """Let a caller ask; one without a name has no token."""
        token = self.token(caller, *scopes) if caller else ""
        return await call(self.app, asked, token)

    async def make(self, method: str, path: str, body: Any = None) -> Any:
        """Let the nation do something that must succeed; return the answer."""
        answer = await self.ask(NATION, Asked(method, path, body=body))
        assert answer.status < 300, (method, path, answer)
        return answer.json() if answer.body else None

    async def value(self, name: str, kind: str = "V1", **other: Any) -> int:
        """Record a value of a unit; return its number."""
        body = {**measured(SPOTS[name], kind), **other}
        return int((await self.make("POST", "/v1/values", {"values": [body]}))["items"][0]["id"])

    async def designation(self, name: str) -> int:
        """Record a designation of a commune; return its number."""
        path = f"/v1/communes/{SPOTS[name].key}/designations"
        found = await self.make("POST", path, designated(SPOTS[name]))
        return max(int(one["id"]) for one in found["designations"])

    async def client(self, name: str) -> tuple[str, int, int]:
        """Make a client of a unit of today; return its id and the numbers of its two secrets."""
        spot = SPOTS[name]
        body = {"name": spot.says("C"), "territory": spot.key, "scopes": ["read"]}
        id_ = (await self.make("POST", "/v1/clients", body))["client_id"]
        await self.make("POST", f"/v1/clients/{id_}/secrets")
        shown = await self.make("GET", f"/v1/clients/{id_}")
        return id_, *(one["id"] for one in shown["secrets"])

    async def grant(self, name: str, kind: str = "G", **other: Any) -> int:
        """Let a unit of today open its data; return the number of the grant."""
        spot = SPOTS[name]
        return int((await self.make("POST", "/v1/grants", given(spot, kind, **other)))["id"])

    async def checked(self, name: str) -> int:
        """Let the client of a unit check a file of good and bad rows; return the import."""
        return int((await self._made(name, self._file(name)))["id"])

    async def job(self, name: str) -> int:
        """Let the client of a unit begin a job on which nobody works; return its number."""
        asked = self._file(name)._replace(headers=(("prefer", "respond-async"),))
        return int((await self._made(name, asked))["id"])

    async def cancelled(self, name: str) -> int:
        """Let the client of a unit begin a job and cancel it; return its number."""
        job = await self.job(name)
        await self._made(name, Asked("POST", f"/v1/jobs/{job}/cancel"))
        return job

    async def run(self, name: str) -> int:
        """Let the client of a unit begin a run that judges it; return the number of the job."""
        asked = Asked("POST", "/v1/evaluation-runs", body=judged(SPOTS[name]))
        return int((await self._made(name, asked))["id"])

    def _file(self, name: str) -> Asked:
        spot = SPOTS[name]
        return Asked("POST", "/v1/imports", f"dry_run=true&{of_file(spot)}", file_of(spot))

    async def _made(self, caller: str, asked: Asked) -> Any:
        answer = await self.ask(caller, asked)
        assert answer.status < 300, (caller, asked, answer)
        return answer.json()


def judged(spot: Spot) -> Item:
    """Return a run that judges a unit, and nothing else."""
    return {"ruleset": spot.rulesets[0], "under": spot.key, "period": spot.period}


def of_file(spot: Spot) -> str:
    """Return the parameters of an import that are canaries: the file's name, who acts."""
    said = spot.says("A")
    acting = "&".join(f"acting_official_{part}={said}" for part in ("id", "office", "position"))
    return f"mode=partial&name={spot.says('I')}.csv&{acting}"


def file_of(spot: Spot) -> str:
    """Return a file with a good row of a unit, and one that is refused and kept as it was sent."""
    one = measured(spot, "V2")
    return COLUMNS + row_of(one) + row_of(one | {"indicator": spot.says("I")})


def row_of(one: Item) -> str:
    """Return a value as a row of a file."""
    value = one["value"]
    cells = [value["numerator"], value["denominator"]] if isinstance(value, dict) else ["", ""]
    said = "" if isinstance(value, dict) else str(value).lower()
    return ",".join(map(str, (
        one["unit"], "", one["period"], one["indicator"], said, *cells, one["source"], "",
        one["note"],
    ))) + "\n"  # fmt: skip


COLUMNS: Final = FILE.partition("\n")[0] + "\n"


def official(spot: Spot) -> Item:
    """Return an official whose number, office and position are canaries."""
    said = spot.says("A")
    return {"id": said, "office": said, "position": said}


def measured(spot: Spot, kind: str) -> Item:
    """Return a value of a unit as it is recorded: the first indicator carries its number."""
    number = int(f"7700770{spot.tag}07700{kind[1]}")
    first = kind == "V1"
    indicator = (FIRST if first else SECOND)[spot.level]
    rate = {"numerator": number, "denominator": number}
    value: Any = rate if indicator.endswith("_rate") else True
    return {
        "unit": spot.key,
        "period": spot.period,
        "indicator": indicator,
        "value": number if indicator.endswith("_count") else value,
        "source": f"{spot.says(kind)} {next(_NUMBERS)}",
        "note": spot.says(kind),
    }


def designated(spot: Spot) -> Item:
    """Return a designation that nobody has recorded; everyone may read it."""
    return {
        "model": "smart", "authority": "province", "decision": f"{next(_NUMBERS)}/QĐ-THỬ",
        "date": "2026-01-05" if spot.now else "2024-01-05", "source": "Văn bản thử",
        "acting_official": official(spot),
    }  # fmt: skip


def given(spot: Spot, kind: str = "G", **other: Any) -> Item:
    """Return a grant of a unit, to a client that is nobody where none is named."""
    wish = {
        "from_territory": spot.key, "resources": ["values", "evaluations"],
        "purpose": spot.says(kind), "until": later(), **other,
    }  # fmt: skip
    return wish if {"to_client", "to_territory"} & set(wish) else wish | {"to_client": _NOBODY}


_NOBODY: Final = "ntm-00000000000000ff"


@contextlib.asynccontextmanager
async def world_on(stage: Stage) -> AsyncIterator[World]:
    """Open a service on a database of its own, with everything on record."""
    env = await stage.clone("isolation", hasty=True)
    settings = stage.settings(env, rate_limit=0, max_running=1_000)
    async with Database(settings) as opened:
        world = World(create_app(settings, shipped(), opened), opened.acting_for(EVERYTHING))
        world.app.state.downloads = Downloads(1_000)  # how many there may be is tried elsewhere
        await _join(world)
        for name in SPOTS:
            await _fill(world, name)
        await _share(world)
        await _begin(world)
        await _number(world)
        yield world


async def _join(world: World) -> None:
    """Make a client for everybody who calls, those of units that have ended included."""
    made = await make(world.database, "Cả nước", "VN", list(SCOPES))
    world.clients[NATION], world.homes[NATION] = made["client_id"], 0
    for name, key in UNITS_OF.items():
        if name != NATION:
            day = today() if key.endswith("-2025") else _BEFORE
            async with world.database.reading() as connection:
                unit = await unit_lookup.get(connection, key, day)
            async with world.database.transaction() as session:
                said = SPOTS[name].says("C") if name in SPOTS else "Bên nhận"
                one, _ = await clients.add(session, said, unit, list(SCOPES))
                world.clients[name], world.homes[name] = one.client_id, unit.id


_BEFORE: Final = today().replace(year=2024, day=1)


async def _fill(world: World, name: str) -> None:
    """Put values, verdicts, a client, a grant and acts of officials of one unit on record."""
    spot, rows = SPOTS[name], world.rows[name]
    if spot.level == "hamlet":
        hamlet = {"code": "07948-01", "name": "Khu 1", "type": "khu_dan_cu",
                  "valid_from": "2025-08-01"}  # fmt: skip
        await world.make("POST", f"/v1/communes/{SPOTS['A'].key}/hamlets", hamlet)
    gone = await world.value(name, "V2")
    because = {"reason": spot.says("V2"), "acting_official": official(spot)}
    await world.make("POST", f"/v1/values/{gone}/retract", because)
    rows.ids |= {kind: await world.value(name, kind) for kind in ("V1", "V2")}
    for kind, ruleset in zip(("E1", "E2"), spot.rulesets, strict=False):
        wish = {"ruleset": ruleset, "unit": spot.key, "period": spot.period}
        rows.ids[kind] = (await world.make("POST", "/v1/evaluations", wish))["id"]
    if spot.level == "commune":
        rows.ids["X"] = await world.designation(name)
    if spot.now and spot.level != "hamlet":
        rows.client, rows.ids["S"], _ = await world.client(name)
        rows.ids["G"] = await world.grant(name)


async def _share(world: World) -> None:
    """Give the grants; one has ended, one is revoked."""
    for name, (kind, other) in GRANTS.items():
        to = {} if "to_territory" in other else {"to_client": world.clients[name]}
        world.grants[name] = await world.grant("B" if name == "R" else "A", kind, **to, **other)
    because = {"reason": SPOTS["A"].says("Ge")}
    await world.make("POST", f"/v1/grants/{world.grants['revoked']}/revoke", because)
    async with world.database.as_owner() as connection:
        past = "UPDATE data_grant SET until = now() - interval '1 hour' WHERE id = :id"
        await connection.execute(text(past), {"id": world.grants["ended"]})


async def _begin(world: World) -> None:
    """Let the clients of units judge, check files and begin jobs; the last ones wait for ever."""
    state, makers = world.app.state, [name for name in SPOTS if name in world.clients]
    jobs = {name: await world.run(name) for name in makers}
    await work_off(state.settings, world.database, state.registry)
    for name, job in jobs.items():
        ids = world.rows[name].ids
        ended = (await world.ask(name, Asked("GET", f"/v1/jobs/{job}"))).json()
        ids["R"] = ended["result"]["run"]
        ids["I"], ids["K"] = await world.checked(name), await world.cancelled(name)
        ids["J"] = await world.job(name)


_TAGGED: Final = (("V1", "values"), ("E1", "evaluations"), ("I", "imports"), ("J", "jobs"),
                  ("R", "evaluation-runs"))  # fmt: skip
_NEWEST_ACT: Final = """
SELECT max(id) FROM audit_entry WHERE unit_id = $1 AND official_id IS NOT NULL
"""


async def _number(world: World) -> None:
    """Note which units the rows belong to, an act of each, and the tags of what it holds."""
    for name, rows in world.rows.items():
        async with world.database.as_owner() as connection:
            driver = await driver_of(connection)
            unit = await driver.fetchval("SELECT id FROM unit WHERE key = $1", SPOTS[name].key)
            rows.unit, rows.ids["A"] = unit, await driver.fetchval(_NEWEST_ACT, unit)
        for kind, noun in _TAGGED:
            if kind in rows.ids:
                asked = Asked("GET", f"/v1/{noun}/{rows.ids[kind]}")
                rows.etags[kind] = (await world.ask(NATION, asked)).headers["etag"]
