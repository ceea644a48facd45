"""Hamlets over HTTP: entered below a commune, listed, and ending where their commune ends."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from conftest import Described, Join, problem
from test_http_units import KEYS, everything

from app.domain.clock import today

Item = dict[str, Any]
DAY = "2025-08-01"


def hamlet(code: str, name: str = "Bản Nà Mạ", **other: Any) -> Item:
    """Return a hamlet as it is entered."""
    return {"code": code, "name": name, "type": "thon", "valid_from": DAY} | other


async def enter(client: httpx.AsyncClient, body: Item) -> Item:
    """Enter a hamlet; return it as it is answered."""
    answer = await client.post(f"/v1/communes/{body['code'][:5]}/hamlets", json=body)
    assert answer.status_code == 201, answer.text[:300]
    found: Item = answer.json()
    return found


async def names(client: httpx.AsyncClient, code: str, on: str | None = None) -> list[str]:
    """Return the names of a commune's hamlets of a day, as they are listed."""
    params = {"on": on} if on else {}
    return [
        one["name"] for one in await everything(client, f"/v1/communes/{code}/hamlets", **params)
    ]


async def test_a_hamlet_is_entered_and_can_be_read_where_it_is_said_to_be(
    client: httpx.AsyncClient, described: Described
) -> None:
    answer = await client.post("/v1/communes/03388/hamlets", json=hamlet("03388-01"))
    described.judge(answer)
    assert answer.status_code == 201
    found = answer.json()
    commune = (await client.get("/v1/units/03388", params={"on": DAY})).json()
    above = {name: commune[name] for name in ("unit", "code", "level", "name")}
    assert set(found) == KEYS
    assert found["unit"] == "hamlet-03388-2025-01"
    assert (found["code"], found["level"], found["type"]) == ("03388-01", "hamlet", "thon")
    assert found["name"] == "Bản Nà Mạ"
    assert found["parent"] == above
    assert found["path"] == [*commune["path"], above]
    assert (found["valid_from"], found["valid_to"]) == (DAY, None)
    assert found["point"] is found["area_km2"] is None
    for place in (answer.headers["location"], "/v1/units/03388-01", f"/v1/units/{found['unit']}"):
        single = (await client.get(place)).json()
        assert single.pop("version")
        assert single == found
    listed = await client.get("/v1/communes/03388/hamlets")
    described.judge(listed)
    assert listed.json() == {"items": [found], "next": None}
    assert found in await everything(client, "/v1/units", parent="03388")
    assert found in await everything(client, "/v1/units", under="12", level="hamlet")


async def test_a_hamlet_exists_from_its_first_day_on(client: httpx.AsyncClient) -> None:
    await enter(client, hamlet("03390-01", valid_from="2025-09-01"))
    assert await names(client, "03390", "2025-08-31") == []
    assert await names(client, "03390", "2025-09-01") == ["Bản Nà Mạ"]
    assert await names(client, "03390") == ["Bản Nà Mạ"]
    answer = await client.get("/v1/units/03390-01", params={"on": "2025-08-31"})
    assert problem(answer)["code"] == "unit-not-found"
    assert "2025-09-01" in answer.json()["detail"]


async def test_a_code_is_given_once(client: httpx.AsyncClient, described: Described) -> None:
    await enter(client, hamlet("03394-01"))
    again = await client.post("/v1/communes/03394/hamlets", json=hamlet("03394-01", "Khác"))
    described.judge(again)
    found = problem(again)
    assert (found["status"], found["code"]) == (409, "duplicate")
    assert await names(client, "03394") == ["Bản Nà Mạ"]
    await enter(client, hamlet("03394-001", "Bản Hai"))
    assert await names(client, "03394") == ["Bản Hai", "Bản Nà Mạ"]


async def test_hamlets_are_listed_in_vietnamese_order_page_by_page(
    client: httpx.AsyncClient,
) -> None:
    ordered = ["Bản Dền", "Bản Đông", "Bản Ỏ", "Thôn 2", "Thôn 10", "Thôn Áng"]
    for number, name in enumerate(reversed(ordered), 1):
        await enter(client, hamlet(f"03405-{number:02}", name))
    assert await names(client, "03405") == ordered
    for limit in ("1", "2", "3", "6"):
        path = "/v1/communes/03405/hamlets"
        found = await everything(client, path, limit=limit)
        assert [one["name"] for one in found] == ordered


@pytest.mark.parametrize("type_", ["ap", "thon", "khu_dan_cu"])
async def test_there_are_three_types_of_hamlets(client: httpx.AsyncClient, type_: str) -> None:
    code = {"ap": "03408-01", "thon": "03408-02", "khu_dan_cu": "03408-03"}[type_]
    assert (await enter(client, hamlet(code, type=type_)))["type"] == type_


WRONG: list[tuple[Item, str]] = [
    ({"code": "03388-01"}, "/code"),
    ({"code": "03424"}, "/code"),
    ({"code": "03424-1"}, "/code"),
    ({"code": "03424-0001"}, "/code"),
    ({"code": "03424_01"}, "/code"),
    ({"code": "03424-٠١"}, "/code"),
    ({"code": 1}, "/code"),
    ({"name": ""}, "/name"),
    ({"name": "   "}, "/name"),
    ({"name": 5}, "/name"),
    ({"name": "x" * 201}, "/name"),
    ({"type": "xa"}, "/type"),
    ({"type": None}, "/type"),
    ({"valid_from": None}, "/valid_from"),
    ({"valid_from": "mai"}, "/valid_from"),
    ({"valid_to": None}, "/valid_to"),
]


@pytest.mark.parametrize(("other", "pointer"), WRONG, ids=lambda one: ascii(one)[:50])
async def test_a_wrong_hamlet_is_refused_with_its_place_and_not_stored(
    client: httpx.AsyncClient, described: Described, other: Item, pointer: str
) -> None:
    answer = await client.post("/v1/communes/03424/hamlets", json=hamlet("03424-01") | other)
    described.judge(answer)
    found = problem(answer)
    assert found["status"] == 422
    assert pointer in [one["pointer"] for one in found["errors"]]
    assert await names(client, "03424") == []


async def test_a_hamlet_does_not_begin_before_its_commune(client: httpx.AsyncClient) -> None:
    # By code, another commune is meant on that day; by key, there is none.
    body = hamlet("03430-01", valid_from="2025-06-30")
    by_key = await client.post("/v1/communes/commune-03430-2025/hamlets", json=body)
    assert problem(by_key)["status"] in (404, 422)
    assert await names(client, "03430") == []


async def test_a_hamlet_of_a_commune_that_ended_ends_with_it(client: httpx.AsyncClient) -> None:
    found = await enter(client, hamlet("07900-01", "Khu 1", valid_from="2025-02-01"))
    assert found["unit"] == "hamlet-07900-01"
    assert found["valid_to"] == "2025-07-01"
    assert [one["level"] for one in found["path"]] == ["province", "district", "commune"]
    assert await names(client, "07900", "2025-06-30") == ["Khu 1"]
    assert await names(client, "07900", "2025-07-01") == []
    gone = await client.get("/v1/units/hamlet-07900-01", params={"on": "2025-07-01"})
    assert problem(gone)["code"] == "unit-not-found"
    # The commune that has the code now has hamlets of its own.
    new = await enter(client, hamlet("07900-01", "Khu 2"))
    assert new["unit"] == "hamlet-07900-2025-01"
    assert await names(client, "07900", "2025-06-30") == ["Khu 1"]
    assert await names(client, "07900") == ["Khu 2"]


async def test_the_location_of_a_hamlet_of_the_past_can_be_read(client: httpx.AsyncClient) -> None:
    body = hamlet("07909-01", valid_from="2025-02-01")
    answer = await client.post("/v1/communes/07909/hamlets", json=body)
    assert answer.status_code == 201
    assert (await client.get(answer.headers["location"])).status_code == 200


async def test_a_hamlet_lies_where_its_commune_lies_on_the_day(client: httpx.AsyncClient) -> None:
    # Xã Ngọc Long is one entity: in Hà Giang until 2025-06-30, in Tuyên Quang since.
    body = hamlet("00859-01", valid_from="2025-02-01")
    entered = await enter(client, body)
    assert (entered["unit"], entered["valid_to"]) == ("hamlet-00859-01", "2025-07-01")
    for day, path in (
        ("2025-06-30", ["Tỉnh Hà Giang", "Huyện Yên Minh", "Xã Ngọc Long"]),
        ("2025-07-01", ["Tỉnh Tuyên Quang", "Xã Ngọc Long"]),
    ):
        found = (await client.get("/v1/units/00859-01", params={"on": day})).json()
        assert found["unit"] == "hamlet-00859-01"
        assert [above["name"] for above in found["path"]] == path
        assert await names(client, "00859", day) == ["Bản Nà Mạ"]
    assert (await client.get("/v1/units/00859-01")).json()["valid_from"] == "2025-07-01"
    lineage = (await client.get("/v1/units/hamlet-00859-01/lineage")).json()
    assert lineage == {"predecessors": [], "successors": []}


async def test_a_hamlet_of_today_has_the_version_of_today_only(client: httpx.AsyncClient) -> None:
    found = await enter(client, hamlet("00982-01"))
    assert (found["valid_from"], found["valid_to"]) == (DAY, None)
    assert await names(client, "00982", "2025-07-31") == []


async def test_a_hamlet_is_found_by_its_name_and_its_code(client: httpx.AsyncClient) -> None:
    await enter(client, hamlet("03433-01", "Bản Thử Nghiệm"))
    asked = [{"name": "bản thử nghiệm"}, {"name": "ban thu nghiem"}, {"code": "03433-01"}]
    found = (await client.post("/v1/units/resolve", json=asked)).json()["items"]
    assert [one["unit"]["code"] for one in found] == ["03433-01"] * 3
    listed = await everything(client, "/v1/units", q="thử nghiệm", under="12")
    assert [one["code"] for one in listed] == ["03433-01"]


async def test_a_name_is_stored_composed(client: httpx.AsyncClient) -> None:
    apart = "Ba\u0309n Ti\u0302\u0301n"
    assert (await enter(client, hamlet("03434-01", f" {apart} ")))["name"] == "Bản Tî́n"


async def test_only_a_client_of_the_territory_with_the_scope_may_enter_hamlets(join: Join) -> None:
    path, body = "/v1/communes/03439/hamlets", hamlet("03439-01")
    elsewhere, reader = await join("86"), await join("VN", "read")
    assert problem(await elsewhere.http.post(path, json=body))["status"] == 404
    assert problem(await reader.http.post(path, json=body))["code"] == "insufficient-scope"
    assert await names(reader.http, "03439") == []
    local = await join("12", "read", "values:write")
    assert (await local.http.post(path, json=body)).status_code == 201
    assert await names(elsewhere.http, "03439") == ["Bản Nà Mạ"]


async def test_a_client_of_a_commune_enters_its_hamlets_and_no_others(join: Join) -> None:
    local = await join("03442")
    assert (
        await local.http.post("/v1/communes/03442/hamlets", json=hamlet("03442-01"))
    ).status_code == 201
    answer = await local.http.post("/v1/communes/03445/hamlets", json=hamlet("03445-01"))
    assert problem(answer)["status"] == 404


async def test_a_commune_without_hamlets_has_an_empty_list(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/communes/03460/hamlets", params={"on": today().isoformat()})
    assert answer.json() == {"items": [], "next": None}
    ended = await client.get("/v1/communes/07888/hamlets", params={"on": DAY})
    assert "(07900)" in problem(ended)["detail"]
