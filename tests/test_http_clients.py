"""Machine clients over HTTP: made, shown, changed and revoked within one's territory."""

from __future__ import annotations

import asyncio
import base64
import datetime
import hashlib
from typing import Any, Final

import httpx
import pytest
from conftest import Described, Join, Member, calling, lasting, problem
from fastapi import FastAPI

from app.database import Database
from app.domain import clients, unit_lookup

PATH: Final = "/v1/clients"
TOKEN: Final = "/v1/oauth/token"
NOBODY: Final = "ntm-0000000000000000"
SHOWN: Final = {
    "client_id", "name", "territory", "territory_unit", "scopes", "created_at", "revoked_at"
}  # fmt: skip


def wanted(name: str = "Hệ thống thử", territory: str = "VN", *scopes: str) -> dict[str, Any]:
    """Return a request for a client."""
    return {"name": name, "territory": territory, "scopes": list(scopes or ("read",))}


async def made(caller: httpx.AsyncClient, *arguments: str) -> dict[str, Any]:
    """Make a client and return it with its secret."""
    answer = await caller.post(PATH, json=wanted(*arguments))
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def login(caller: httpx.AsyncClient, client_id: str, secret: str) -> httpx.Response:
    """Ask for a token."""
    form = {
        "grant_type": "client_credentials",
        "client_id": client_id,
        "client_secret": secret,
    }
    return await caller.post(TOKEN, data=form)


async def stored(database: Database) -> str:
    """Return every row of the tables of clients and secrets, as text."""
    async with database.reading() as connection:
        rows = await connection.fetch(
            "SELECT c::text AS row FROM client c UNION ALL SELECT s::text FROM client_secret s"
        )
    return "\n".join(row["row"] for row in rows)


OPERATIONS: Final = (
    ("GET", PATH, None),
    ("POST", PATH, wanted()),
    ("GET", f"{PATH}/{NOBODY}", None),
    ("POST", f"{PATH}/{NOBODY}/revoke", None),
    ("POST", f"{PATH}/{NOBODY}/secrets", None),
    ("DELETE", f"{PATH}/{NOBODY}/secrets/1", None),
)
every = pytest.mark.parametrize(("method", "path", "body"), OPERATIONS)


# --- who may -----------------------------------------------------------------------------------


@every
async def test_without_a_token_nothing_is_answered(
    stranger: httpx.AsyncClient, method: str, path: str, body: Any, described: Described
) -> None:
    answer = await stranger.request(method, path, json=body)
    assert problem(answer)["code"] == "invalid-token"
    described.judge(answer)


@every
async def test_clients_are_managed_by_those_who_were_granted_it(
    join: Join, method: str, path: str, body: Any, described: Described
) -> None:
    member = await join("VN", "read", "values:write")
    answer = await member.http.request(method, path, json=body)
    assert answer.status_code == 403
    assert problem(answer)["code"] == "insufficient-scope"
    assert 'scope="clients:admin"' in answer.headers["www-authenticate"]
    described.judge(answer)


# --- making ------------------------------------------------------------------------------------


async def test_a_client_is_made_and_can_call_at_once(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, service: FastAPI, described: Described
) -> None:
    answer = await client.post(PATH, json=wanted("  Cổng dữ liệu Phú Thọ  ", "25", "read"))
    assert answer.status_code == 201
    described.judge(answer)
    found = answer.json()
    assert set(found) == SHOWN | {"client_secret"}
    assert found["name"] == "Cổng dữ liệu Phú Thọ"
    assert found["territory"] == "25"
    assert found["territory_unit"] == {
        "unit": "province-25-2025",
        "code": "25",
        "level": "province",
        "name": "Tỉnh Phú Thọ",
    }
    assert found["scopes"] == ["read"]
    assert found["revoked_at"] is None
    assert answer.headers["location"] == f"{PATH}/{found['client_id']}"
    assert answer.headers["cache-control"] == "no-store"
    assert "etag" not in answer.headers
    token = (await login(stranger, found["client_id"], found["client_secret"])).json()
    async with calling(service, token=token["access_token"]) as caller:
        assert (await caller.get("/v1/indicators")).status_code == 200
    read = await client.get(answer.headers["location"])
    described.judge(read)
    assert read.json() == {
        **{name: found[name] for name in SHOWN},
        "secrets": read.json()["secrets"],
        "version": read.json()["version"],
    }


@pytest.mark.parametrize(
    ("territory", "unit", "level"),
    [
        ("VN", "VN", "nation"),
        ("86", "province-86-2025", "province"),
        ("province-86-2025", "province-86-2025", "province"),
        ("04849", "commune-04849-2025", "commune"),
    ],
)
async def test_a_territory_is_a_unit_of_today_by_code_or_key(
    client: httpx.AsyncClient, territory: str, unit: str, level: str
) -> None:
    found = await made(client, "x", territory)
    assert (found["territory_unit"]["unit"], found["territory_unit"]["level"]) == (unit, level)


async def test_scopes_are_shown_once_each_and_in_order(client: httpx.AsyncClient) -> None:
    found = await made(client, "x", "VN", "values:write", "read", "read")
    assert found["scopes"] == ["read", "values:write"]


@pytest.mark.parametrize("beyond", ["values:write", "clients:admin"])
async def test_nobody_grants_a_scope_that_he_lacks(
    join: Join, service: FastAPI, beyond: str, described: Described
) -> None:
    held = ["read", "clients:admin"]
    member = await join("VN", "read", "clients:admin", "values:write")
    if beyond == "clients:admin":  # who lacks it cannot even ask
        member = await join("VN", "read", "values:write")
    token = service.state.tokens.issue(member.client_id, held)
    async with calling(service, token=token) as caller:
        answer = await caller.post(PATH, json=wanted("x", "VN", "read", beyond))
    assert answer.status_code == 403
    code = "scope-not-held" if beyond == "values:write" else "insufficient-scope"
    assert problem(answer)["code"] == code
    described.judge(answer)


async def test_nobody_takes_over_a_client_that_may_do_more_than_he(
    client: httpx.AsyncClient, join: Join, described: Described
) -> None:
    lesser = await join("25", "read", "clients:admin")
    greater = await made(client, "x", "25", "read", "values:write")
    answer = await lesser.http.post(f"{PATH}/{greater['client_id']}/secrets")
    assert answer.status_code == 403, "a second secret grants everything that the client may"
    assert problem(answer)["code"] == "scope-not-held"
    described.judge(answer)


async def test_a_token_of_fewer_scopes_does_not_become_one_of_more(
    join: Join, service: FastAPI
) -> None:
    member = await join("25", "read", "values:write", "clients:admin")
    lesser = service.state.tokens.issue(member.client_id, ["clients:admin"])
    async with calling(service, token=lesser) as caller:
        answer = await caller.post(f"{PATH}/{member.client_id}/secrets")
    assert answer.status_code == 403
    assert problem(answer)["code"] == "scope-not-held"


async def test_every_unknown_scope_is_named_with_its_place(
    client: httpx.AsyncClient, described: Described
) -> None:
    answer = await client.post(PATH, json=wanted("x", "VN", "read", "admin", "quyền"))
    assert answer.status_code == 422
    found = problem(answer)
    assert found["code"] == "unknown-scope"
    assert [one["pointer"] for one in found["errors"]] == ["/scopes/1", "/scopes/2"]
    assert "values:write" in found["detail"]
    described.judge(answer)


@pytest.mark.parametrize("territory", ["VN", "86", "00004", "province-86-2025"])
async def test_nobody_makes_a_client_outside_his_territory(
    join: Join, database: Database, territory: str, described: Described
) -> None:
    member = await join("25")
    before = await stored(database)
    answer = await member.http.post(PATH, json=wanted("x", territory))
    assert answer.status_code == 404
    found = problem(answer)
    assert found["code"] == "outside-territory"
    assert [one["pointer"] for one in found["errors"]] == ["/territory"]
    described.judge(answer)
    assert await stored(database) == before


async def test_a_commune_makes_no_client_for_its_province(join: Join) -> None:
    member = await join("04849")
    for territory in ("25", "VN"):
        answer = await member.http.post(PATH, json=wanted("x", territory))
        assert problem(answer)["code"] == "outside-territory"
    assert (await member.http.post(PATH, json=wanted("x", "04849"))).status_code == 201


@pytest.mark.parametrize("place", ["84", "province-84", "province-86"])
async def test_of_a_territory_that_ended_the_successor_is_named(
    client: httpx.AsyncClient, place: str, described: Described
) -> None:
    answer = await client.post(PATH, json=wanted("x", place))
    assert answer.status_code == 404
    found = problem(answer)
    assert found["code"] == "unit-not-found"
    assert "Tỉnh Vĩnh Long (86)" in found["detail"]
    assert "Tỉnh Vĩnh Long (86)" in found["errors"][0]["message"]
    assert found["errors"][0]["pointer"] == "/territory"
    described.judge(answer)


async def test_a_territory_that_never_was_is_not_found(client: httpx.AsyncClient) -> None:
    for place in ("99", "99999", "commune-99999", "district-227", "227"):
        assert problem(await client.post(PATH, json=wanted("x", place)))["code"] == "unit-not-found"


# --- strict bodies -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "id", "client_id", "client_secret", "secret", "secrets", "digest", "prefix", "created_at",
        "created_by", "revoked_at", "retired_at", "unit_id", "district_id", "province_id",
        "territory_unit", "scope", "Name", "__class__", "",
    ],
)  # fmt: skip
async def test_no_column_can_be_set_from_outside(
    client: httpx.AsyncClient, database: Database, name: str, described: Described
) -> None:
    before = await stored(database)
    values: tuple[Any, ...] = (1, None, "ntm-1111111111111111", ["read"], {})
    for value in values:
        answer = await client.post(PATH, json=wanted() | {name: value})
        assert answer.status_code == 422
        found = problem(answer)
        assert found["code"] == "unknown-field"
        assert [one["pointer"] for one in found["errors"]] == [f"/{name}"]
        described.judge(answer)
    assert await stored(database) == before


_NO_LISTS: Final[tuple[Any, ...]] = (None, 1, True, {}, "read", "")
_WRONG_TYPES: Final[tuple[Any, ...]] = (None, 1, 1.5, True, {}, [])


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        *[("name", one, "wrong-type") for one in _WRONG_TYPES],
        *[("territory", one, "wrong-type") for one in _WRONG_TYPES],
        *[("scopes", one, "wrong-type") for one in _NO_LISTS],
        *[("scopes", [one], "wrong-type") for one in _WRONG_TYPES],
        ("name", "", "wrong-value"),
        ("name", "   ", "wrong-value"),
        ("name", "x" * 201, "wrong-value"),
        ("name", "a\0b", "invalid-text"),
        ("territory", "", "wrong-value"),
        ("territory", "vn", "wrong-value"),
        ("territory", "2", "wrong-value"),
        ("territory", "２５", "wrong-value"),
        ("territory", "٢٥", "wrong-value"),
        ("territory", "25\n", "wrong-value"),
        ("territory", " 25", "wrong-value"),
        ("territory", "25' OR 1=1 --", "wrong-value"),
        ("territory", "province-25-2025-2025-2025", "wrong-value"),
        ("scopes", [], "wrong-value"),
        ("scopes", ["read"] * 21, "wrong-value"),
        ("scopes", [""], "unknown-scope"),
        ("scopes", ["read "], "unknown-scope"),
        ("scopes", ["READ"], "unknown-scope"),
    ],
)
async def test_a_wrong_value_is_refused_with_its_place(
    client: httpx.AsyncClient,
    database: Database,
    described: Described,
    field: str,
    value: Any,
    code: str,
) -> None:
    before = await stored(database)
    answer = await client.post(PATH, json=wanted() | {field: value})
    assert answer.status_code == 422, answer.text
    found = problem(answer)
    assert found["code"] == code
    assert all(one["pointer"].startswith(f"/{field}") for one in found["errors"])
    described.judge(answer)
    assert await stored(database) == before


@pytest.mark.parametrize("field", ["name", "territory", "scopes"])
async def test_a_missing_field_is_named(client: httpx.AsyncClient, field: str) -> None:
    body = wanted()
    del body[field]
    found = problem(await client.post(PATH, json=body))
    assert (found["code"], found["errors"][0]["pointer"]) == ("missing-field", f"/{field}")


@pytest.mark.parametrize(
    "name", ["x" * 200, "Đắk Lắk – “thử” 😀", "'; DROP TABLE client; --", "%s"]
)
async def test_a_name_is_kept_as_it_was_written(client: httpx.AsyncClient, name: str) -> None:
    assert (await made(client, name))["name"] == name


@pytest.mark.parametrize("wrong", ["x", "ntm-1", "ntm-0123456789ABCDEF", "ntm-0123456789abcdef0"])
async def test_a_client_id_of_another_form_is_refused(
    client: httpx.AsyncClient, wrong: str, described: Described
) -> None:
    for method, tail in (("GET", ""), ("POST", "/revoke"), ("POST", "/secrets")):
        answer = await client.request(method, f"{PATH}/{wrong}{tail}")
        assert problem(answer)["code"] == "wrong-value"
        described.judge(answer)


@pytest.mark.parametrize(
    "number", ["0", "-1", "x", "1.0", "+1", "%201", "1_0", "2147483648", "9" * 20, "１"]
)
async def test_a_number_of_a_secret_of_another_form_is_refused(
    client: httpx.AsyncClient, number: str
) -> None:
    found = await made(client)
    answer = await client.delete(f"{PATH}/{found['client_id']}/secrets/{number}")
    assert answer.status_code == 422
    assert problem(answer)["code"] in ("wrong-value", "wrong-type")


# --- who is seen -------------------------------------------------------------------------------


async def test_a_foreign_client_is_answered_like_one_that_never_was(
    client: httpx.AsyncClient, join: Join, database: Database, described: Described
) -> None:
    member = await join("25")
    foreign = await made(client, "x", "86")
    client_id = foreign["client_id"]
    secret = (await client.get(f"{PATH}/{client_id}")).json()["secrets"][0]["id"]
    before = await stored(database)
    for method, tail in (
        ("GET", ""),
        ("POST", "/revoke"),
        ("POST", "/secrets"),
        ("DELETE", f"/secrets/{secret}"),
    ):
        answers = [
            await member.http.request(method, f"{PATH}/{one}{tail}") for one in (client_id, NOBODY)
        ]
        for answer in answers:
            assert answer.status_code == 404
            assert problem(answer)["code"] == "client-not-found"
            described.judge(answer)
        assert answers[0].text.replace(client_id, NOBODY) == answers[1].text
        assert lasting(answers[0]) == lasting(answers[1])
    assert await stored(database) == before
    assert foreign["client_id"] not in (await member.http.get(f"{PATH}?limit=500")).text


async def test_a_list_is_read_page_by_page_oldest_first(join: Join, described: Described) -> None:
    member = await join("04978")
    expected = [member.client_id] + [
        (await made(member.http, f"x {n}", "04978"))["client_id"] for n in range(6)
    ]
    pages, address = [], f"{PATH}?limit=3"
    while address:
        answer = await member.http.get(address)
        assert answer.status_code == 200
        described.judge(answer)
        page = answer.json()
        pages.append([one["client_id"] for one in page["items"]])
        assert all(set(one) == SHOWN for one in page["items"])
        address = answer.links.get("next", {}).get("url", "")
        assert (page["next"] is None) == (address == "")
        assert page["next"] is None or f"cursor={page['next']}" in address
    read = [one for page in pages for one in page]
    assert [one for one in read if one in expected] == expected
    assert len(read) == len(set(read))
    assert all(len(page) == 3 for page in pages[:-1])


async def test_a_cursor_of_another_list_or_of_nobody_is_refused(
    client: httpx.AsyncClient,
) -> None:
    foreign = (await client.get("/v1/units?level=province&limit=1")).json()["next"]
    for cursor in (foreign, "x", "", "e30", "MQ", "é", "A" * 1_000):
        answer = await client.get(PATH, params={"cursor": cursor})
        assert problem(answer)["code"] == "invalid-cursor", cursor


@pytest.mark.parametrize("limit", ["0", "501", "-1", "x", "1.5", "", "１"])
async def test_a_limit_outside_1_to_500_is_refused(client: httpx.AsyncClient, limit: str) -> None:
    assert problem(await client.get(PATH, params={"limit": limit}))["code"] == "wrong-value"


async def test_a_list_never_shows_secrets_nor_internal_numbers(
    client: httpx.AsyncClient, database: Database
) -> None:
    found = await made(client, "x", "05395")
    listed = (await client.get(f"{PATH}?limit=500")).text
    assert found["client_secret"][:12] not in listed
    assert "unit_id" not in listed
    assert "digest" not in listed


async def test_a_client_whose_unit_has_ended_is_shown_as_described(
    database: Database, client: httpx.AsyncClient, described: Described
) -> None:
    async with database.reading() as connection:
        ended = await unit_lookup.get(connection, "04840", datetime.date(2024, 6, 1))
    async with database.transaction() as session:
        client_id = (await clients.add(session, "x", ended, ["read"]))[0].client_id
    answer = await client.get(f"{PATH}/{client_id}")
    assert answer.status_code == 200
    described.judge(answer)


# --- secrets -----------------------------------------------------------------------------------


async def test_a_secret_is_shown_once_and_only_its_digest_is_kept(
    client: httpx.AsyncClient, database: Database
) -> None:
    found = await made(client)
    client_id = found["client_id"]
    second = (await client.post(f"{PATH}/{client_id}/secrets")).json()["client_secret"]
    rows = await stored(database)
    shown = (await client.get(f"{PATH}/{client_id}")).text
    for secret in (found["client_secret"], second):
        assert secret.startswith("ntm_")
        assert len(secret) >= 47
        assert hashlib.sha256(secret.encode()).hexdigest() in rows
        hidden = secret[12:]
        raw = base64.urlsafe_b64decode(secret[4:] + "=")
        for text in (rows, shown):
            for form in (secret, hidden, hidden[:16], raw.hex(), secret.encode().hex()):
                assert form not in text
        assert secret[:12] in shown


async def test_during_a_change_two_secrets_are_valid_and_the_third_is_refused(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, described: Described
) -> None:
    found = await made(client)
    client_id, first = found["client_id"], found["client_secret"]
    added = await client.post(f"{PATH}/{client_id}/secrets")
    assert added.status_code == 201
    described.judge(added)
    assert added.headers["cache-control"] == "no-store"
    assert set(added.json()) == {"client_id", "client_secret"}
    second = added.json()["client_secret"]
    for secret in (first, second):
        assert (await login(stranger, client_id, secret)).status_code == 200
    third = await client.post(f"{PATH}/{client_id}/secrets")
    assert third.status_code == 409
    assert problem(third)["code"] == "too-many-secrets"
    assert first[:12] in third.text
    assert first not in third.text
    described.judge(third)


async def test_a_retired_secret_is_worth_nothing_and_the_last_cannot_be_retired(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, described: Described
) -> None:
    found = await made(client)
    client_id, first = found["client_id"], found["client_secret"]
    second = (await client.post(f"{PATH}/{client_id}/secrets")).json()["client_secret"]
    listed = (await client.get(f"{PATH}/{client_id}")).json()["secrets"]
    numbers = {one["prefix"]: one["id"] for one in listed}
    assert list(numbers) == [first[:12], second[:12]]
    gone = await client.delete(f"{PATH}/{client_id}/secrets/{numbers[first[:12]]}")
    assert gone.status_code == 204
    assert gone.content == b""
    refused = await login(stranger, client_id, first)
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    assert (await login(stranger, client_id, second)).status_code == 200
    last = await client.delete(f"{PATH}/{client_id}/secrets/{numbers[second[:12]]}")
    assert last.status_code == 409
    assert problem(last)["code"] == "last-secret"
    again = await client.delete(f"{PATH}/{client_id}/secrets/{numbers[first[:12]]}")
    assert again.status_code == 404
    assert problem(again)["code"] == "not-found"
    for answer in (last, again):
        described.judge(answer)
    assert (await login(stranger, client_id, second)).status_code == 200
    assert (await client.post(f"{PATH}/{client_id}/secrets")).status_code == 201


async def test_a_secret_of_another_client_is_not_retired(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    one, other = await made(client), await made(client)
    for found in (one, other):
        assert (await client.post(f"{PATH}/{found['client_id']}/secrets")).status_code == 201
    number = (await client.get(f"{PATH}/{other['client_id']}")).json()["secrets"][0]["id"]
    answer = await client.delete(f"{PATH}/{one['client_id']}/secrets/{number}")
    assert answer.status_code == 404
    assert (await login(stranger, other["client_id"], other["client_secret"])).status_code == 200


async def test_of_many_who_add_a_secret_at_once_one_succeeds(client: httpx.AsyncClient) -> None:
    found = await made(client)
    address = f"{PATH}/{found['client_id']}/secrets"
    answers = await asyncio.gather(*(client.post(address) for _ in range(6)))
    assert sorted(one.status_code for one in answers) == [201] + [409] * 5
    assert len((await client.get(address.removesuffix("/secrets"))).json()["secrets"]) == 2


async def test_of_two_who_retire_both_secrets_at_once_one_succeeds(
    client: httpx.AsyncClient,
) -> None:
    for _ in range(10):
        address = f"{PATH}/{(await made(client))['client_id']}"
        await client.post(f"{address}/secrets")
        numbers = [one["id"] for one in (await client.get(address)).json()["secrets"]]
        answers = await asyncio.gather(
            *(client.delete(f"{address}/secrets/{number}") for number in numbers)
        )
        assert sorted(one.status_code for one in answers) == [204, 409]
        assert len((await client.get(address)).json()["secrets"]) == 1


# --- revocation --------------------------------------------------------------------------------


async def test_a_revoked_client_is_nobody_from_the_next_request_on_200_times(
    client: httpx.AsyncClient, join: Join, stranger: httpx.AsyncClient
) -> None:
    for _ in range(200):
        member = await join("VN", "read")
        assert (await member.http.get("/v1/units/25")).status_code == 200
        answer = await client.post(f"{PATH}/{member.client_id}/revoke")
        assert answer.status_code == 200
        after = await member.http.get("/v1/units/25")
        assert after.status_code == 401
        assert problem(after)["code"] == "invalid-token"
    assert (await login(stranger, member.client_id, member.secret)).status_code == 401


async def test_revoking_twice_changes_nothing_and_the_client_stays_on_record(
    client: httpx.AsyncClient, join: Join, described: Described
) -> None:
    member = await join("25", "read")
    address = f"{PATH}/{member.client_id}"
    first = await client.post(f"{address}/revoke")
    again = await client.post(f"{address}/revoke")
    for answer in (first, again, await client.get(address)):
        assert answer.status_code == 200
        described.judge(answer)
        assert answer.json()["revoked_at"] is not None
    assert first.json() == again.json()


async def test_a_revoked_client_does_not_come_back_by_a_new_secret(
    client: httpx.AsyncClient, join: Join, stranger: httpx.AsyncClient
) -> None:
    member = await join("25", "read")
    address = f"{PATH}/{member.client_id}"
    await client.post(f"{address}/revoke")
    answer = await client.post(f"{address}/secrets")
    secret = answer.json().get("client_secret", "none")
    assert (await login(stranger, member.client_id, secret)).status_code == 401
    assert (await member.http.get("/v1/indicators")).status_code == 401


async def test_who_revokes_himself_is_answered_once(join: Join) -> None:
    member = await join("25")
    address = f"{PATH}/{member.client_id}/revoke"
    assert (await member.http.post(address)).status_code == 200
    assert problem(await member.http.post(address))["code"] == "invalid-token"


async def test_revoking_one_client_leaves_those_that_it_made(
    client: httpx.AsyncClient, join: Join, stranger: httpx.AsyncClient
) -> None:
    member: Member = await join("25")
    child = await made(member.http, "x", "25")
    await client.post(f"{PATH}/{member.client_id}/revoke")
    assert (await login(stranger, child["client_id"], child["client_secret"])).status_code == 200
