"""Communes over HTTP: their area classes of every day, and their points on a map."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from conftest import ANYTHING, Described, Join, problem
from test_http_units import KEYS, everything, keys

from app.database import Database
from app.domain.clock import today

Item = dict[str, Any]
# Communes of Sơn La that no other file of tests writes to.
A, B, C, D, E, F, G = "03646", "03664", "03670", "03679", "03688", "03694", "03703"
H = "03712"
ISLAND = "area_island"


def record(value: bool = True, since: str = "2025-08-01", until: str | None = None) -> Item:
    """Return a record of an area class."""
    return {"value": value, "from": since, "to": until, "source": "QĐ 1/2025"}


async def put(client: httpx.AsyncClient, code: str, body: Any, name: str = ISLAND) -> Item:
    """Record an area class; return the commune as it is answered."""
    path = f"/v1/communes/{code}/attributes/{name}"
    answer = await client.put(path, json=body, headers=ANYTHING)
    assert answer.status_code == 200, answer.text[:300]
    found: Item = answer.json()
    return found


async def shown(client: httpx.AsyncClient, code: str, on: str | None = None) -> Item:
    """Return a commune of a day."""
    answer = await client.get(f"/v1/communes/{code}", params={"on": on} if on else {})
    assert answer.status_code == 200, answer.text[:300]
    found: Item = answer.json()
    return found


async def attributes(client: httpx.AsyncClient, code: str, on: str | None = None) -> Item:
    """Return the area classes of a commune on a day."""
    found: Item = (await shown(client, code, on))["attributes"]
    return found


async def stored(database: Database, key: str) -> list[tuple[Any, ...]]:
    """Return what is on record for a unit."""
    async with database.reading() as connection:
        rows = await connection.fetch(
            "SELECT a.name, a.value, a.valid_from::text, a.valid_to::text, a.source "
            "FROM unit_attribute a JOIN unit u ON u.id = a.unit_id WHERE u.key = $1 ORDER BY a.id",
            key,
        )
    return [tuple(row) for row in rows]


async def test_a_commune_is_a_unit_with_attributes_and_designations(
    client: httpx.AsyncClient, described: Described
) -> None:
    answer = await client.get("/v1/communes/00097", params={"on": "2025-08-01"})
    described.judge(answer)
    found = answer.json()
    assert set(found) == KEYS | {"attributes", "designations", "version"}
    unit = (await client.get("/v1/units/00097", params={"on": "2025-08-01"})).json()
    recorded = {"attributes": {}, "designations": [], "version": found["version"]}
    assert found == unit | recorded


@pytest.mark.parametrize("code", ["25", "227", "VN", "province-25", "00859-01", "xã", "0085"])
async def test_what_is_no_commune_is_not_read_as_one(client: httpx.AsyncClient, code: str) -> None:
    assert problem(await client.get(f"/v1/communes/{code}"))["status"] in (404, 422)


async def test_a_commune_that_ended_names_its_successors(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/communes/07888", params={"on": "2025-08-01"})
    found = problem(answer)
    assert found["code"] == "unit-not-found"
    for text in (found["detail"], found["errors"][0]["message"]):
        assert "(07900)" in text


async def test_the_list_of_communes_is_that_of_units_with_more(
    client: httpx.AsyncClient, described: Described
) -> None:
    described.judge(await client.get("/v1/communes", params={"under": "25"}))
    for day, count in (("2025-03-01", 207), ("2025-08-01", 148)):
        params = {"under": "25", "on": day, "limit": "500"}
        communes = await everything(client, "/v1/communes", **params)
        units = await everything(client, "/v1/units", level="commune", **params)
        assert len(communes) == count
        assert keys(communes) == keys(units)
        assert await everything(client, "/v1/communes", **(params | {"limit": "7"})) == communes


async def test_an_area_class_that_is_recorded_is_shown(
    client: httpx.AsyncClient, described: Described
) -> None:
    answer = await client.put(f"/v1/communes/{A}/attributes/{ISLAND}", json=record())
    described.judge(answer)
    assert answer.status_code == 200
    expected = {ISLAND: record()}
    assert answer.json()["attributes"] == expected
    assert await attributes(client, A) == expected
    assert await attributes(client, f"commune-{A}-2025") == expected
    listed = await everything(client, "/v1/communes", under="14", limit="500")
    assert [one["attributes"] for one in listed if one["code"] == A] == [expected]
    described.judge(await client.get(f"/v1/communes/{A}"))


async def test_the_same_record_again_changes_nothing(
    client: httpx.AsyncClient, database: Database
) -> None:
    first = await put(client, B, record(until="2026-01-01"))
    assert await put(client, B, record(until="2026-01-01")) == first
    assert len(await stored(database, f"commune-{B}-2025")) == 1
    await put(client, B, record(until="2026-01-02"))
    assert len(await stored(database, f"commune-{B}-2025")) == 2


async def test_the_first_day_is_included_and_the_last_is_not(client: httpx.AsyncClient) -> None:
    await put(client, C, record(since="2025-08-01", until="2025-09-01"))
    for day, holds in (
        ("2025-07-31", False),
        ("2025-08-01", True),
        ("2025-08-31", True),
        ("2025-09-01", False),
    ):
        assert (ISLAND in await attributes(client, C, day)) is holds


async def test_of_two_records_the_later_one_counts_for_its_days_and_both_stay_on_record(
    client: httpx.AsyncClient, database: Database
) -> None:
    await put(client, D, record(True, "2025-07-01"))
    await put(client, D, record(False, "2025-09-01", "2025-10-01"))
    values = [
        (await attributes(client, D, day))[ISLAND]["value"]
        for day in ("2025-07-01", "2025-08-31", "2025-09-01", "2025-09-30", "2025-10-01")
    ]
    assert values == [True, True, False, False, True]
    # What is said again after something else was said is said anew.
    await put(client, D, record(True, "2025-07-01"))
    assert (await attributes(client, D, "2025-09-15"))[ISLAND] == record(True, "2025-07-01")
    assert await stored(database, f"commune-{D}-2025") == [
        (ISLAND, True, "2025-07-01", None, "QĐ 1/2025"),
        (ISLAND, False, "2025-09-01", "2025-10-01", "QĐ 1/2025"),
        (ISLAND, True, "2025-07-01", None, "QĐ 1/2025"),
    ]


async def test_area_classes_are_recorded_one_by_one(client: httpx.AsyncClient) -> None:
    known = (await client.get("/v1/indicators", params={"limit": "500"})).json()["items"]
    names = sorted(one["code"] for one in known if one["kind"] == "attribute")
    assert len(names) >= 2
    for name in names:
        await put(client, E, record(name == ISLAND), name)
    found = await attributes(client, E)
    assert sorted(found) == names
    assert [name for name in names if found[name]["value"]] == [ISLAND]


async def test_the_first_day_tells_which_commune_is_meant(
    client: httpx.AsyncClient, database: Database
) -> None:
    # Code 03646 was another commune's before 2025-07-01.
    answered = await put(client, F, record(since="2025-03-01"))
    assert answered["unit"] == f"commune-{F}"
    assert ISLAND in await attributes(client, F, "2025-06-30")
    assert await attributes(client, F, "2025-07-01") == {}
    assert await attributes(client, F, "2025-02-28") == {}
    assert len(await stored(database, f"commune-{F}")) == 1
    assert await stored(database, f"commune-{F}-2025") == []


async def test_a_unit_that_goes_on_keeps_its_area_class(client: httpx.AsyncClient) -> None:
    # commune-00919 lies in another province since 2025-07-01, and is the same entity.
    await put(client, "00919", record(since="2025-03-01"))
    for day in ("2025-03-01", "2025-06-30", "2025-07-01", "2026-10-01"):
        assert await attributes(client, "00919", day) == {ISLAND: record(since="2025-03-01")}


async def test_without_a_day_the_classes_of_today_are_shown(client: httpx.AsyncClient) -> None:
    day = today().isoformat()
    await put(client, G, record(since=day))
    assert (await attributes(client, G)) == await attributes(client, G, day) != {}


WRONG: list[tuple[Any, str]] = [
    (record(since="2025-08-01", until="2025-08-01"), "/to"),
    (record(since="2025-08-02", until="2025-08-01"), "/to"),
    (record() | {"value": "true"}, "/value"),
    (record() | {"value": 1}, "/value"),
    (record() | {"value": None}, "/value"),
    (record() | {"from": None}, "/from"),
    (record() | {"from": "hôm qua"}, "/from"),
    (record() | {"from": 20250801}, "/from"),
    (record() | {"to": False}, "/to"),
    (record() | {"source": ""}, "/source"),
    (record() | {"source": "  "}, "/source"),
    (record() | {"source": 1}, "/source"),
    (record() | {"source": "x" * 201}, "/source"),
    (record() | {"name": ISLAND}, "/name"),
    (record() | {"since": "2025-08-01"}, "/since"),
    ({}, "/value"),
    ({"value": True, "from": "2025-08-01"}, "/source"),
]


@pytest.mark.parametrize(("body", "pointer"), WRONG, ids=lambda one: ascii(one)[:60])
async def test_a_wrong_record_is_refused_with_its_place_and_not_stored(
    client: httpx.AsyncClient, described: Described, database: Database, body: Any, pointer: str
) -> None:
    answer = await client.put(f"/v1/communes/{H}/attributes/{ISLAND}", json=body)
    described.judge(answer)
    found = problem(answer)
    assert found["status"] == 422
    assert pointer in [one["pointer"] for one in found["errors"]]
    assert await stored(database, f"commune-{H}-2025") == []


@pytest.mark.parametrize("name", ["area_moon", "AREA_ISLAND", "population", "x" * 100])
async def test_an_area_class_that_is_not_known_is_refused(
    client: httpx.AsyncClient, database: Database, name: str
) -> None:
    answer = await client.put(f"/v1/communes/{H}/attributes/{name}", json=record())
    found = problem(answer)
    assert (found["status"], found["code"]) == (422, "unknown-attribute")
    assert ISLAND in found["detail"]
    assert await stored(database, f"commune-{H}-2025") == []


async def test_without_an_end_a_record_holds_until_another_one(client: httpx.AsyncClient) -> None:
    body = record(since="2025-08-01")
    del body["to"]
    found = await put(client, "03721", body)
    assert found["attributes"][ISLAND]["to"] is None
    assert (await attributes(client, "03721", "2199-12-31"))[ISLAND]["value"] is True


async def test_only_a_client_of_the_territory_with_the_scope_may_record(
    join: Join, database: Database
) -> None:
    path = f"/v1/communes/03724/attributes/{ISLAND}"
    elsewhere = await join("86")
    found = problem(await elsewhere.http.put(path, json=record()))
    assert found["status"] == 404
    reader = await join("VN", "read")
    found = problem(await reader.http.put(path, json=record()))
    assert (found["status"], found["code"]) == (403, "insufficient-scope")
    assert await stored(database, "commune-03724-2025") == []
    local = await join("14", "values:write")
    assert (await local.http.put(path, json=record(), headers=ANYTHING)).status_code == 200
    assert len(await stored(database, "commune-03724-2025")) == 1


async def test_a_province_records_for_the_units_it_descends_from(
    join: Join, database: Database
) -> None:
    # Xã Tân Hòa of Hòa Bình, which Phú Thọ has taken in, and a commune of Sơn La.
    body = record(since="2025-02-01")
    phu_tho = await join("25", "read", "values:write")
    path = f"/v1/communes/04789/attributes/{ISLAND}"
    assert (await phu_tho.http.put(path, json=body, headers=ANYTHING)).status_code == 200
    path = f"/v1/communes/03757/attributes/{ISLAND}"
    assert (await phu_tho.http.put(path, json=body)).status_code == 404
    assert await stored(database, "commune-03757") == []


async def test_everyone_may_read_what_is_recorded_everywhere(
    client: httpx.AsyncClient, join: Join
) -> None:
    await put(client, "03727", record())
    elsewhere = await join("86", "read")
    assert await attributes(elsewhere.http, "03727") == {ISLAND: record()}


# The map.


@pytest.mark.parametrize(("day", "count"), [("2025-03-01", 207), ("2025-08-01", 148)])
async def test_the_map_has_a_point_for_every_commune(
    client: httpx.AsyncClient, day: str, count: int
) -> None:
    params = {"under": "25", "on": day}
    answer = await client.get("/v1/communes.geojson", params=params)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/geo+json"
    found = answer.json()
    assert set(found) == {"type", "features"}
    assert found["type"] == "FeatureCollection"
    listed = await everything(client, "/v1/communes", limit="500", **params)
    assert len(found["features"]) == len(listed) == count
    for feature, commune in zip(found["features"], listed, strict=True):
        assert set(feature) == {"type", "id", "geometry", "properties"}
        assert feature["type"] == "Feature"
        assert feature["id"] == commune["unit"]
        point = commune["point"]
        assert feature["geometry"] == {
            "type": "Point",
            "coordinates": [point["lon"], point["lat"]],
        }
        lon, lat = feature["geometry"]["coordinates"]
        assert 102 <= lon <= 115
        assert 8 <= lat <= 23.5
        assert feature["properties"]["name"] == commune["name"]
        assert feature["properties"]["code"] == commune["code"]


async def test_the_map_of_the_nation_has_every_commune(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/communes.geojson", params={"on": "2025-08-01"})
    found = answer.json()["features"]
    assert len(found) == len({one["id"] for one in found}) == 3_321


async def test_the_map_is_what_the_description_says(
    client: httpx.AsyncClient, described: Described
) -> None:
    described.judge(await client.get("/v1/communes.geojson", params={"under": "25"}))
    for query in ("limit=5", "under=99", "on=x", "under=84&on=2025-08-01"):
        answer = await client.get(f"/v1/communes.geojson?{query}")
        described.judge(answer)
        assert problem(answer)["status"] in (404, 422)


async def test_a_map_that_is_known_already_is_not_sent_again(client: httpx.AsyncClient) -> None:
    path = "/v1/communes.geojson?under=86&on=2025-03-01"
    first = await client.get(path)
    again = await client.get(path, headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
