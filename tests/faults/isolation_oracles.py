"""Unique keys, foreign keys and filters tell nothing: what others hold is as if it were not there.

Each request names something of another territory; its twin names what never was. Both must be
answered alike: by status, code and the keys of the answer.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from faults.direct import Asked, Reply
from faults.isolation_attempts import NEVER, NEVER_CLIENT
from faults.isolation_spots import NATION, SPOTS, Spot
from faults.isolation_world import World, designated, given, measured

_CALLER: Final = "B"
_OTHER: Final = "A"


class Twins(NamedTuple):
    """Something that another holds, and something that nobody does, asked for in one way."""

    name: str
    taken: Asked
    free: Asked


async def oracles(world: World) -> list[str]:
    """Ask for all twins; return which of them differ."""
    wrong = []
    for one in [*await _writes(world), *_reads(world)]:
        taken, free = [await world.ask(_CALLER, asked) for asked in (one.taken, one.free)]
        if _told(taken) != _told(free):
            wrong.append(f"{one.name}: {_told(taken)} instead of {_told(free)}")
        if taken.status >= 500 or "idempotent-replayed" in taken.headers:
            wrong.append(f"{one.name}: {taken.status} {taken.headers}")
    return wrong


def _told(reply: Reply) -> tuple[int, str, list[str]]:
    """Return what an answer tells: status, code, and what there is in it."""
    found = reply.json()
    items = [str(one.get("id")) for one in found.get("items", ())] if reply.status == 200 else []
    return reply.status, str(found.get("code")), sorted(found) + items


async def _writes(world: World) -> list[Twins]:
    """Return changes of the caller's own unit that would collide with another's, if they could."""
    own, other = SPOTS[_CALLER], SPOTS[_OTHER]
    key, decision = secrets.token_hex(8), f"{secrets.token_hex(4)}/QĐ-THỬ"
    headers = (("idempotency-key", key),)
    first = Asked("POST", "/v1/values", body={"values": [measured(other, "V1")]}, headers=headers)
    assert (await world.ask(NATION, first)).status == 201
    theirs = {**designated(other), "decision": decision}
    await world.make("POST", f"/v1/communes/{other.key}/designations", theirs)
    await world.make("POST", "/v1/clients", _client(other, decision))

    def post(path: str, body: Any, *more: tuple[str, str]) -> Asked:
        return Asked("POST", path, body=body, headers=more)

    here = f"/v1/communes/{own.key}/designations"
    same = designated(own) | {"decision": decision}
    values = [{"values": [measured(own, kind)]} for kind in ("V1", "V2")]
    secret = f"/v1/clients/{world.clients[_CALLER]}/secrets/"
    return [
        Twins("the key of another's request", post("/v1/values", values[0], *headers),
              post("/v1/values", values[1], ("idempotency-key", secrets.token_hex(8)))),
        Twins("a decision that another recorded", post(here, same), post(here, designated(own))),
        Twins("the name of another's client", post("/v1/clients", _client(own, decision)),
              post("/v1/clients", _client(own, "Tên mới"))),
        Twins("a grant to a client elsewhere",
              post("/v1/grants", given(own, to_client=world.rows["W"].client)),
              post("/v1/grants", given(own, to_client=NEVER_CLIENT))),
        Twins("a secret of another's client",
              Asked("DELETE", f"{secret}{world.rows[_OTHER].ids['S']}"),
              Asked("DELETE", f"{secret}{NEVER}")),
    ]  # fmt: skip


def _client(spot: Spot, name: str) -> dict[str, Any]:
    return {"name": name, "territory": spot.key, "scopes": ["read"]}


def _reads(world: World) -> Iterator[Twins]:
    """Yield reads by which one could look for another's rows."""
    for filter_, taken, free in (
        ("client", world.clients["V"], NEVER_CLIENT),
        ("action", "grant.revoked", "grant.never"),
    ):
        path = "/v1/audit"
        yield Twins(f"audit by {filter_}", *(
            Asked("GET", path, f"{filter_}={one}") for one in (taken, free)
        ))  # fmt: skip
    own, other = (world.rows[name].ids["R"] for name in (_CALLER, _OTHER))
    for name, path, query in (
        ("a run compared with another's", f"/v1/evaluation-runs/{own}/compare", "with={}"),
        ("verdicts of another's run", "/v1/evaluations", "run={}"),
        ("a file of verdicts of another's run", "/v1/evaluations.csv", "run={}"),
    ):
        yield Twins(name, *(Asked("GET", path, query.format(one)) for one in (other, NEVER)))
    for kind, noun in (("V1", "values"), ("E1", "evaluations")):
        etag = world.rows[_OTHER].etags[kind]
        path = f"/v1/{noun}/{world.rows[_OTHER].ids[kind]}"
        for header in ("if-none-match", "if-match"):
            yield Twins(f"{header} of {noun}", Asked("GET", path, headers=((header, etag),)),
                        Asked("GET", f"/v1/{noun}/{NEVER}"))  # fmt: skip
