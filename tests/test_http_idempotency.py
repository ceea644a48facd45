"""Requests with a name of their own: sent again they are answered again and done once."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Mapping
from typing import Any, Final

import httpx
import pytest
from conftest import Described, Join, calling, lasting, problem
from fastapi import FastAPI
from hostile import (
    DESIGNATION,
    HAMLET,
    NEW_CLIENT,
    OPERATIONS,
    TODAY_COMMUNE,
    Operation,
    fresh_decision,
    new_designation,
    new_value,
)
from hostile import VALUE as GOOD
from sqlalchemy import text
from unchanged import fingerprint
from value_calls import VALUES, Item

from app.database import EVERYTHING, Context, Database
from app.domain import kept_answers
from app.domain.kept_answers import Named

KEY: Final = "idempotency-key"
REPLAYED: Final = "idempotent-replayed"
# Every operation that makes something, or ends something, and could be sent twice by accident.
NAMES: Final = frozenset({
    "POST /v1/values", "POST /v1/values/{id}/retract", "POST /v1/values/import",
    "POST /v1/evaluations", "POST /v1/communes/{code}/designations",
    "POST /v1/communes/{code}/hamlets", "POST /v1/designations/{id}/withdraw",
    "POST /v1/grants", "POST /v1/grants/{id}/revoke", "POST /v1/imports",
    "POST /v1/imports/{id}/commit", "POST /v1/jobs/{id}/cancel", "POST /v1/evaluation-runs",
    "POST /v1/impact", "POST /v1/evidence-submissions",
    "POST /v1/evidence-submissions/decisions", "POST /v1/evidence-submissions/{id}/transitions",
    "POST /v1/evidence-submissions/{id}/slots/{slot}/findings",
})  # fmt: skip
KEYED: Final = tuple(one for one in OPERATIONS if one.name in NAMES)
OTHERS: Final = tuple(
    one for one in OPERATIONS if one.method not in ("GET", "HEAD") and one.name not in NAMES
)
OFFICIAL: Final = {"id": "CB-01", "office": "UBND xã", "position": "Phó Chủ tịch"}
HERE: Final = f"/v1/communes/{TODAY_COMMUNE}"
_NUMBERS: Final = itertools.count(1)

keyed = pytest.mark.parametrize("operation", KEYED, ids=lambda one: one.name)


def fresh() -> str:
    """Return a key that nobody has used."""
    return f"test-{next(_NUMBERS)}"


def named(key: str) -> dict[str, str]:
    """Return the header that gives a request its name."""
    return {KEY: key}


def altered(operation: Operation) -> Operation:
    """Return an operation that says something else, and could be done as well."""
    if operation.csv:
        return operation._replace(body=operation.body + "\n")
    if "decisions" in (operation.body or {}):
        (one,) = operation.body["decisions"]
        return operation._replace(body={"decisions": [one | {"acting_official": OFFICIAL}]})
    nobody_acts = operation.template == "/v1/impact"  # it stores nothing
    other = {"on": "2025-12-30"} if nobody_acts else {"acting_official": OFFICIAL}
    return operation._replace(body={**(operation.body or {}), **other})


def values(**other: Any) -> Item:
    """Return one value to record."""
    return {"values": [{**GOOD, "source": fresh_decision(), **other}]}


async def kept(database: Database) -> int:
    """Return how many answers are kept."""
    async with database.reading() as connection:
        return int(await connection.fetchval("SELECT count(*) FROM kept_answer"))


async def own_id(client: httpx.AsyncClient) -> str:
    """Return the id of a client, which it leaves with whatever it records."""
    number = await new_value(client)
    return str((await client.get(f"{VALUES}/{number}")).json()["by"])


def test_the_description_names_every_operation_that_takes_a_key(described: Described) -> None:
    """Exactly the operations of the contract take a key, and each of them is tried here."""
    found = {
        f"{method.upper()} {path}"
        for path, operations in described.paths.items()
        for method, operation in operations.items()
        if KEY in {one["name"].lower() for one in operation.get("parameters", ())}
    }
    assert found == NAMES
    assert {one.name for one in KEYED} == NAMES


# --- the same again ------------------------------------------------------------------------------


@keyed
async def test_the_same_request_again_is_answered_again_and_not_done_again(
    client: httpx.AsyncClient, database: Database, described: Described, operation: Operation
) -> None:
    """Same key, same request: same status, headers and bytes, marked; nothing changes at all."""
    ready, headers = await operation.ready(client), named(fresh())
    first = await ready.call(client, headers=headers)
    assert first.status_code == operation.status, first.text[:500]
    assert REPLAYED not in first.headers
    described.judge(first)
    before = await fingerprint(database)
    for _ in range(2):
        again = await ready.call(client, headers=headers)
        described.judge(again)
        assert (again.status_code, again.content) == (first.status_code, first.content)
        assert lasting(again) == lasting(first) | {REPLAYED: "true"}
        assert again.headers["x-request-id"] != first.headers["x-request-id"]
    assert await fingerprint(database) == before


async def test_an_answer_is_replayed_with_its_address_and_its_tag(
    client: httpx.AsyncClient,
) -> None:
    """Location and ETag of the first answer come with the second, and still lead to the thing."""
    body, headers = {**DESIGNATION, "decision": fresh_decision()}, named(fresh())
    first = await client.post(f"{HERE}/designations", json=body, headers=headers)
    again = await client.post(f"{HERE}/designations", json=body, headers=headers)
    assert again.headers[REPLAYED] == "true"
    for name in ("location", "etag", "content-type", "content-language"):
        assert again.headers[name] == first.headers[name]
    assert (await client.get(again.headers["location"])).json()["version"] == again.json()[
        "version"
    ]


async def test_a_replay_tells_what_was_answered_then(client: httpx.AsyncClient) -> None:
    """What happened to a value since does not change the answer, nor is it undone by it."""
    body, headers = values(), named(fresh())
    first = await client.post(VALUES, json=body, headers=headers)
    number = first.json()["items"][0]["id"]
    gone = await client.post(f"{VALUES}/{number}/retract", json={"reason": "nhầm"})
    assert gone.status_code == 200
    again = await client.post(VALUES, json=body, headers=headers)
    assert (again.status_code, again.content) == (201, first.content)
    assert (await client.get(f"{VALUES}/{number}")).json()["status"] == "retracted"


async def test_without_a_key_the_same_request_is_done_twice(client: httpx.AsyncClient) -> None:
    """Nothing but the key makes two requests one: the control of the tests around it."""
    body = values()
    first, second = [await client.post(VALUES, json=body) for _ in range(2)]
    assert first.json()["items"][0]["id"] < second.json()["items"][0]["id"]
    assert REPLAYED not in second.headers


# --- the same key for something else -------------------------------------------------------------


@keyed
async def test_a_key_that_was_used_for_another_request_is_refused(
    client: httpx.AsyncClient, database: Database, described: Described, operation: Operation
) -> None:
    """Same key, other body: 422 that says so, and nothing is stored; the first answer stays."""
    ready, headers = await operation.ready(client), named(fresh())
    first = await ready.call(client, headers=headers)
    before = await fingerprint(database)
    answer = await altered(ready).call(client, headers=headers)
    described.judge(answer)
    assert (answer.status_code, problem(answer)["code"]) == (422, "idempotency-key-reused")
    assert REPLAYED not in answer.headers
    assert (await ready.call(client, headers=headers)).content == first.content
    assert await fingerprint(database) == before


async def test_a_key_belongs_to_one_operation_and_one_address(
    client: httpx.AsyncClient, database: Database
) -> None:
    """The same body to another address, or other parameters, is another request."""
    first, second = await new_value(client), await new_value(client, period="2026")
    body, headers = {"reason": "nhầm"}, named(fresh())
    done = await client.post(f"{VALUES}/{first}/retract", json=body, headers=headers)
    assert done.status_code == 200
    number = await new_designation(client)
    before = await fingerprint(database)
    for path in (
        f"{VALUES}/{second}/retract",
        f"{VALUES}/{first}/retract?on=2025-01-01",
        f"/v1/designations/{number}/withdraw",
    ):
        answer = await client.post(path, json=body, headers=headers)
        wanted = "unknown-field" if "?" in path else "idempotency-key-reused"
        assert (answer.status_code, problem(answer)["code"]) == (422, wanted)
    assert await fingerprint(database) == before
    assert (await client.get(f"{VALUES}/{second}")).json()["status"] == "reported"


async def test_parameters_are_part_of_a_request(client: httpx.AsyncClient) -> None:
    """A file that was only tried out under a key is not loaded by the same key."""
    load = next(one for one in KEYED if one.csv)
    headers = named(fresh())
    assert (await load.call(client, "?dry_run=true", headers)).json()["dry_run"] is True
    assert problem(await load.call(client, "", headers))["code"] == "idempotency-key-reused"


async def test_clients_do_not_share_their_keys(join: Join, described: Described) -> None:
    """Another client may use the same key for the same request: it is done, and not told of."""
    one, other = await join("25"), await join("25")
    body, headers = values(), named(fresh())
    first = await one.http.post(VALUES, json=body, headers=headers)
    second = await other.http.post(VALUES, json=body, headers=headers)
    assert (first.status_code, second.status_code) == (201, 201)
    assert REPLAYED not in second.headers
    by = [answer.json()["items"][0]["by"] for answer in (first, second)]
    assert by == [one.client_id, other.client_id]
    changed = await other.http.post(VALUES, json=values(), headers=headers)
    assert problem(changed)["code"] == "idempotency-key-reused"
    again = await one.http.post(VALUES, json=body, headers=headers)
    assert (again.content, again.headers[REPLAYED]) == (first.content, "true")


# --- what is kept, and for whom ------------------------------------------------------------------


async def test_a_refused_request_keeps_nothing(
    client: httpx.AsyncClient, database: Database
) -> None:
    """After 422, 404, 409, 413 or 415 the key is free: the request put right is done under it."""
    number = await new_designation(client)
    reason = {"reason": "nhầm"}
    taken = {**DESIGNATION, "decision": fresh_decision()}
    assert (await client.post(f"{HERE}/designations", json=taken)).status_code == 201
    withdraw, designate = "/v1/designations/{}/withdraw", f"{HERE}/designations"
    wrong: list[tuple[int, str, bytes, str]] = [
        (422, VALUES, json.dumps(values(indicator="no_such")).encode(), "application/json"),
        (400, VALUES, b"{", "application/json"),
        (415, VALUES, b"a=b", "text/plain"),
        (413, VALUES, b" " * 2**24, "application/json"),
        (404, withdraw.format(10**8), json.dumps(reason).encode(), "application/json"),
        (404, "/v1/communes/99999/designations", json.dumps(taken).encode(), "application/json"),
        (409, designate, json.dumps(taken).encode(), "application/json"),
    ]
    for status, path, content, kind in wrong:
        key, before = fresh(), await fingerprint(database)
        for _ in range(2):
            headers = named(key) | {"content-type": kind}
            answer = await client.post(path, content=content, headers=headers)
            assert answer.status_code == status, answer.text[:300]
            assert REPLAYED not in answer.headers
        assert await fingerprint(database) == before
        good = await client.post(VALUES, json=values(), headers=named(key))
        assert (good.status_code, REPLAYED in good.headers) == (201, False)
    key = fresh()
    for status in (200, 409):
        path, headers = withdraw.format(number), named(f"{key}-{status}")
        assert (await client.post(path, json=reason, headers=headers)).status_code == status


async def test_nobody_gets_at_an_answer_without_the_right_to_the_request(
    service: FastAPI, client: httpx.AsyncClient, join: Join, stranger: httpx.AsyncClient
) -> None:
    """A kept answer is no way around a scope that is missing, a token, or a revocation."""
    member = await join("25", "read", "values:write")
    body, headers = values(), named(fresh())
    assert (await member.http.post(VALUES, json=body, headers=headers)).status_code == 201
    token = service.state.tokens.issue(member.client_id, ["read"])
    async with calling(service, token=token) as reading:
        answer = await reading.post(VALUES, json=body, headers=headers)
    assert (answer.status_code, problem(answer)["code"]) == (403, "insufficient-scope")
    assert (await stranger.post(VALUES, json=body, headers=headers)).status_code == 401
    revoked = await client.post(f"/v1/clients/{member.client_id}/revoke")
    assert revoked.status_code == 200
    assert (await member.http.post(VALUES, json=body, headers=headers)).status_code == 401


async def test_an_answer_is_kept_for_days_and_then_forgotten(
    client: httpx.AsyncClient, database: Database
) -> None:
    """A key of a week ago is forgotten and may name something new; a younger one is not."""
    body, old, young = values(), fresh(), fresh()
    first = await client.post(VALUES, json=body, headers=named(old))
    known = await client.post(VALUES, json=body, headers=named(young))
    async with database.as_owner() as connection:
        for key, days in ((old, 7.01), (young, 6.99)):
            await connection.execute(
                text("UPDATE kept_answer SET kept_since = now() - :d * interval '1 day'"
                     " WHERE key = :k"), {"d": days, "k": key},
            )  # fmt: skip
    async with database.writing() as connection:
        await kept_answers.forget(connection)
    again = await client.post(VALUES, json=body, headers=named(old))
    assert (again.status_code, REPLAYED in again.headers) == (201, False)
    assert again.json()["items"][0]["id"] > first.json()["items"][0]["id"]
    still = await client.post(VALUES, json=body, headers=named(young))
    assert (still.content, still.headers[REPLAYED]) == (known.content, "true")


# --- at the same time ----------------------------------------------------------------------------


@keyed
async def test_while_the_first_request_is_under_way_the_second_is_told_to_wait(
    client: httpx.AsyncClient, database: Database, described: Described, operation: Operation
) -> None:
    """In flight: 409 with Retry-After and nothing stored; it is done once the first gave up."""
    key, own = fresh(), await own_id(client)
    ready = await operation.ready(client)
    held = Named(ready.sent_by.client_id if ready.sent_by else own, key, b"")
    before = await fingerprint(database)
    async with database.writing() as connection:
        assert await kept_answers.find(connection, held) is None
        answer = await ready.call(client, headers=named(key))
    described.judge(answer)
    assert (answer.status_code, problem(answer)["code"]) == (409, "idempotency-in-progress")
    assert int(answer.headers["retry-after"]) >= 1
    assert await fingerprint(database) == before
    done = await ready.call(client, headers=named(key))
    assert (done.status_code, REPLAYED in done.headers) == (operation.status, False)


async def test_another_client_does_not_wait_for_somebody_elses_key(
    join: Join, database: Database
) -> None:
    """Keys of two clients never stand in each other's way, even the same one at the same time."""
    one, other = await join("25"), await join("25")
    key = fresh()
    async with database.acting_for(Context(client=one.client_id)).writing() as connection:
        await kept_answers.find(connection, Named(one.client_id, key, b""))
        answer = await other.http.post(VALUES, json=values(), headers=named(key))
    assert answer.status_code == 201, answer.text[:300]


async def test_fifty_at_once_have_one_effect(client: httpx.AsyncClient) -> None:
    """The same request fifty times at once: one value; who is not told of it is told to wait."""
    body, headers = values(), named(fresh())
    answers = await asyncio.gather(
        *(client.post(VALUES, json=body, headers=headers) for _ in range(50))
    )
    said = [one for one in answers if one.status_code == 201]
    assert {one.status_code for one in answers} <= {201, 409}
    assert len({one.content for one in said}) == 1
    assert sum(REPLAYED not in one.headers for one in said) == 1
    for one in answers:
        if one.status_code == 409:
            assert problem(one)["code"] == "idempotency-in-progress"
    number = said[0].json()["items"][0]["id"]
    listed = await client.get(f"{VALUES}/{number}/history", params={"limit": "500"})
    sources = [one["source"] for one in listed.json()["items"]]
    assert sources.count(body["values"][0]["source"]) == 1
    last = await client.post(VALUES, json=body, headers=headers)
    assert (last.content, last.headers[REPLAYED]) == (said[0].content, "true")


async def test_fifty_other_requests_at_once_under_one_key_have_one_effect(
    client: httpx.AsyncClient, database: Database
) -> None:
    """Fifty different requests that share a key by mistake: one of them is done."""
    before, headers = await kept(database), named(fresh())
    answers = await asyncio.gather(
        *(client.post(VALUES, json=values(), headers=headers) for _ in range(50))
    )
    assert sorted({one.status_code for one in answers})[0] == 201
    assert sum(one.status_code == 201 for one in answers) == 1
    refused = {problem(one)["code"] for one in answers if one.status_code != 201}
    assert refused <= {"idempotency-in-progress", "idempotency-key-reused"}
    assert await kept(database) == before + 1


# --- keys that are none, operations that take none -----------------------------------------------


@pytest.mark.parametrize("operation", KEYED[:3], ids=lambda one: one.name)
@pytest.mark.parametrize(
    "key", [b"", b"a b", b"x" * 256, "khoá".encode(), b"a\tb", b"\x7f"], ids=ascii
)
async def test_a_key_that_is_none_is_refused(
    client: httpx.AsyncClient,
    database: Database,
    described: Described,
    operation: Operation,
    key: bytes,
) -> None:
    """A key is 1 to 255 visible ASCII characters; with another one nothing is done."""
    ready = await operation.ready(client)
    before = await fingerprint(database)
    headers: Any = {KEY.encode(): key}
    answer = await ready.call(client, headers=headers)
    described.judge(answer)
    assert (answer.status_code, problem(answer)["code"]) == (422, "wrong-value")
    assert "Idempotency-Key" in answer.text
    assert await fingerprint(database) == before


@pytest.mark.parametrize("key", ["x", "x" * 255, "!~", '"8e03978e-40d5-43dd-bc93-6894a57f9324"'])
async def test_a_key_may_hold_any_visible_character(client: httpx.AsyncClient, key: str) -> None:
    """Keys of every length that is allowed, quoted or not, work as they are."""
    body = values()
    first = await client.post(VALUES, json=body, headers=named(key))
    again = await client.post(VALUES, json=body, headers=named(key))
    assert (first.status_code, again.headers[REPLAYED]) == (201, "true")
    assert again.content == first.content


@pytest.mark.parametrize("operation", OTHERS, ids=lambda one: one.name)
@pytest.mark.parametrize("key", ["one-key-for-all", "no key"])
async def test_operations_that_take_no_key_ignore_it(
    client: httpx.AsyncClient, database: Database, operation: Operation, key: str
) -> None:
    """Tokens, previews, secrets, PUT and the like do what they do, whatever the key says."""
    before = await kept(database)
    for _ in range(2):
        ready = await operation.ready(client)
        answer = await ready.call(client, headers=named(key))
        assert answer.status_code == operation.status, answer.text[:300]
        assert REPLAYED not in answer.headers
    assert await kept(database) == before


async def test_a_secret_is_never_kept(client: httpx.AsyncClient, database: Database) -> None:
    """Making a client twice with one key makes two clients: no secret lies among the answers."""
    headers: Mapping[str, str] = named(fresh())
    made = [(await client.post("/v1/clients", json=NEW_CLIENT, headers=headers)).json()
            for _ in range(2)]  # fmt: skip
    assert made[0]["client_id"] != made[1]["client_id"]
    async with database.acting_for(EVERYTHING).reading() as connection:
        bodies = await connection.fetch("SELECT body FROM kept_answer")
    for one in made:
        assert not any(one["client_secret"].encode() in row["body"] for row in bodies)


async def test_a_hamlet_is_entered_once(client: httpx.AsyncClient) -> None:
    """Where a second request would be refused as a duplicate, the key makes it the same answer."""
    body = {**HAMLET, "code": f"{TODAY_COMMUNE}-{900 + next(_NUMBERS) % 99}"}
    headers = named(fresh())
    first = await client.post(f"{HERE}/hamlets", json=body, headers=headers)
    assert first.status_code == 201, first.text[:300]
    again = await client.post(f"{HERE}/hamlets", json=body, headers=headers)
    assert (again.status_code, again.content) == (201, first.content)
    assert problem(await client.post(f"{HERE}/hamlets", json=body))["code"] == "duplicate"
