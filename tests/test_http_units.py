"""Units over HTTP: who is where on which day, in what order, and what became of whom."""

from __future__ import annotations

import collections
import datetime
import re
import unicodedata
from typing import Any

import httpx
import pytest
from conftest import ANYTHING, Described, Join, problem
from test_register import Row, on_day, shipped_edges, shipped_units

from app.domain.clock import today
from app.domain.vietnamese import sort_key

KEYS = {
    "unit", "code", "level", "type", "name", "parent", "path", "valid_from", "valid_to", "exact",
    "known_from", "legal_basis", "point", "area_km2", "identifiers",
}  # fmt: skip
Item = dict[str, Any]


async def everything(client: httpx.AsyncClient, path: str, **params: str) -> list[Item]:
    """Return the items of all pages, after checking how the pages hang together."""
    found: list[Item] = []
    limit, cursor = int(params.get("limit", "100")), None
    while True:
        sent = params | ({"cursor": cursor} if cursor else {})
        answer = await client.get(path, params=sent)
        assert answer.status_code == 200, answer.text[:300]
        body = answer.json()
        assert set(body) == {"items", "next"}
        found += body["items"]
        cursor = body["next"]
        if cursor is None:
            assert "link" not in answer.headers
            return found
        assert len(body["items"]) == limit
        link = re.fullmatch(r'<(.+)>; rel="next"', answer.headers["link"])
        assert link
        assert httpx.URL(link[1]).params["cursor"] == cursor
        assert httpx.URL(link[1]).path == path


async def read(client: httpx.AsyncClient, code: str, on: str | None = None) -> Item:
    """Return a unit of a day."""
    answer = await client.get(f"/v1/units/{code}", params={"on": on} if on else {})
    assert answer.status_code == 200, answer.text[:300]
    found: Item = answer.json()
    return found


def area_shown(area: str) -> str:
    """Return an area of the file as it is shown: its own digits, two decimals at least."""
    whole, _, decimals = area.partition(".")
    return f"{whole}.{decimals:0<2}"


def keys(items: list[Item]) -> list[str]:
    """Return the keys of units."""
    return [one["unit"] for one in items]


# What a unit looks like.


async def test_a_commune_of_today_is_shown_with_exactly_what_is_known(
    client: httpx.AsyncClient, described: Described
) -> None:
    answer = await client.get("/v1/units/07894", params={"on": "2025-08-01"})
    described.judge(answer)
    province = {
        "unit": "province-25-2025", "code": "25", "level": "province", "name": "Tỉnh Phú Thọ",
    }  # fmt: skip
    row = next(one for one in shipped_units() if one["unit"] == "commune-07894-2025")
    found = answer.json()
    assert set(found) == KEYS | {"version"}
    assert found.pop("identifiers") is not None
    assert found.pop("version")
    assert found == {
        "unit": "commune-07894-2025",
        "code": "07894",
        "level": "commune",
        "type": row["type"],
        "name": row["name"],
        "parent": province,
        "path": [province],
        "valid_from": "2025-07-01",
        "valid_to": None,
        "exact": True,
        "known_from": "2025-01-01",
        "legal_basis": "19/2025/QĐ-TTg",
        "point": {"lat": float(row["lat"]), "lon": float(row["lon"])},
        "area_km2": area_shown(row["area_km2"]),
    }


async def test_a_commune_of_the_past_lies_in_its_district_and_province(
    client: httpx.AsyncClient,
) -> None:
    found = await read(client, "07894", "2025-03-01")
    assert found["unit"] == "commune-07894"
    assert found["name"] == "Phường Nông Trang"
    assert [(one["level"], one["unit"]) for one in found["path"]] == [
        ("province", "province-25"),
        ("district", "district-227"),
    ]
    assert found["parent"] == found["path"][-1]
    assert set(found["parent"]) == {"unit", "code", "level", "name"}
    assert found["parent"]["name"] == "Thành phố Việt Trì"
    assert (found["valid_from"], found["valid_to"]) == (None, "2025-07-01")
    assert found["legal_basis"] is None
    assert found["area_km2"] is None


async def test_provinces_lie_in_the_nation_and_the_nation_nowhere(
    client: httpx.AsyncClient, described: Described
) -> None:
    vietnam = {"unit": "VN", "code": "VN", "level": "nation", "name": "Việt Nam"}
    province = await read(client, "25")
    assert province["parent"] == vietnam
    assert province["path"] == []
    answer = await client.get("/v1/units/VN")
    described.judge(answer)
    nation = answer.json()
    assert {name: nation[name] for name in vietnam} == vietnam
    assert nation["parent"] is nation["type"] is nation["point"] is None
    assert nation["path"] == []


@pytest.mark.parametrize("day", ["2025-03-01", "2025-08-01", "2026-10-01"])
async def test_every_unit_of_every_list_has_the_types_of_the_contract(
    client: httpx.AsyncClient, day: str
) -> None:
    rows = {row["unit"]: row for row in on_day(day)}
    found = await everything(client, "/v1/units", on=day, limit="500")
    found = [one for one in found if one["level"] in ("province", "district", "commune")]
    assert sorted(keys(found)) == sorted(rows)
    for one in found:
        row = rows[one["unit"]]
        assert set(one) == KEYS
        assert (one["code"], one["type"], one["name"]) == (row["code"], row["type"], row["name"])
        assert unicodedata.is_normalized("NFC", one["name"])
        assert one["parent"]["unit"] == row["parent_unit"]
        assert one["exact"] is True
        assert one["known_from"] == "2025-01-01"
        assert type(one["point"]["lat"]) is type(one["point"]["lon"]) is float
        assert 8 <= one["point"]["lat"] <= 23.5
        assert 102 <= one["point"]["lon"] <= 115
        area = one["area_km2"]
        assert area is None or re.fullmatch(r"\d+\.\d{2,4}", area)
        assert (one["valid_from"] or "") == row["valid_from"]
        assert (one["valid_to"] or "") == row["valid_to"]
        levels = [above["level"] for above in one["path"]]
        before = day < "2025-07-01" and one["level"] == "commune"
        assert levels == (
            [] if one["level"] == "province" else ["province"] + ["district"] * before
        )
        if one["path"]:
            assert one["parent"] == one["path"][-1]


# Days.


@pytest.mark.parametrize(
    ("day", "districts", "communes", "exact"),
    [
        ("2025-03-01", 13, 207, True),
        ("2025-01-01", 13, 207, True),
        ("2025-06-30", 13, 207, True),
        ("2024-10-01", 13, 207, False),
        ("2024-12-31", 13, 207, False),
        ("1999-01-01", 13, 207, False),
        ("2025-07-01", 0, 148, True),
        ("2025-08-01", 0, 148, True),
        ("2026-10-01", 0, 148, True),
    ],
)
async def test_phu_tho_has_the_units_of_the_day(
    client: httpx.AsyncClient, day: str, districts: int, communes: int, exact: bool
) -> None:
    found = await everything(client, "/v1/units", under="25", on=day, limit="500")
    counted = collections.Counter(one["level"] for one in found if one["level"] != "hamlet")
    assert (counted["district"], counted["commune"]) == (districts, communes)
    assert set(counted) <= {"district", "commune"}
    assert {one["exact"] for one in found} == {exact}
    assert {one["known_from"] for one in found} == {"2025-01-01"}
    assert (await read(client, "25", day))["exact"] is exact


@pytest.mark.parametrize("place", ["84", "province-84"])
async def test_a_code_that_ended_is_not_found_and_its_successors_are_named(
    client: httpx.AsyncClient, described: Described, place: str
) -> None:
    for path in (f"/v1/units/{place}", f"/v1/units/{place}/lineage"):
        answer = await client.get(path, params={"on": "2025-08-01"})
        described.judge(answer)
        assert answer.status_code == 404
        found = problem(answer)
        assert found["code"] == "unit-not-found"
        for text in (found["detail"], found["errors"][0]["message"]):
            assert "Vĩnh Long (86)" in text
            assert "Trà Vinh (84)" in text
        assert found["errors"][0]["pointer"] == "/code"


async def test_the_successors_are_named_in_english_too(client: httpx.AsyncClient) -> None:
    headers = {"accept-language": "en"}
    answer = await client.get("/v1/units/84", params={"on": "2025-08-01"}, headers=headers)
    found = problem(answer, "en")
    assert "Vĩnh Long (86)" in found["detail"]
    assert "successor" in found["detail"]


async def test_a_code_that_ended_names_its_successors_wherever_it_is_given(
    client: httpx.AsyncClient,
) -> None:
    for name in ("under", "parent"):
        answer = await client.get("/v1/units", params={name: "84", "on": "2025-08-01"})
        found = problem(answer)
        assert found["code"] == "unit-not-found"
        assert found["errors"][0]["pointer"] == f"/{name}"
        assert "Vĩnh Long (86)" in found["detail"]


async def test_every_successor_of_a_split_commune_is_named(client: httpx.AsyncClient) -> None:
    edges = [one["to_unit"] for one in shipped_edges() if one["from_unit"] == "commune-00634"]
    assert len(edges) == 5
    names = {row["unit"]: row["name"] for row in shipped_units()}
    answer = await client.get("/v1/units/commune-00634", params={"on": "2025-08-01"})
    detail = problem(answer)["detail"]
    assert all(names[one] in detail for one in edges)


async def test_an_abolished_district_has_no_successor_and_says_so(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.get("/v1/units/227", params={"on": "2025-08-01"})
    found = problem(answer)
    assert found["code"] == "unit-not-found"
    assert "Thành phố Việt Trì (227)" in found["detail"]
    assert "2025-07-01" in found["detail"]


def reused() -> list[tuple[str, Row, Row]]:
    """Return codes of communes that another commune has had since 2025-07-01."""
    old = {row["code"]: row for row in on_day("2025-06-30") if row["level"] == "commune"}
    return [
        (row["code"], old[row["code"]], row)
        for row in on_day("2025-07-01")
        if row["level"] == "commune" and row["code"] in old
        if old[row["code"]]["unit"] != row["unit"] and old[row["code"]]["name"] != row["name"]
    ]


async def test_a_code_used_again_means_two_units_on_two_days(client: httpx.AsyncClient) -> None:
    found = reused()
    assert len(found) > 2_000
    for code, before, after in found[::150]:
        was = await read(client, code, "2025-06-30")
        became = await read(client, code, "2025-07-01")
        assert (was["unit"], was["name"]) == (before["unit"], before["name"])
        assert (became["unit"], became["name"]) == (after["unit"], after["name"])
        assert was["valid_to"] == became["valid_from"] == "2025-07-01"
        for row, day, other in ((before, "2025-06-30", "2025-07-01"), (after, "2025-07-01", "")):
            assert (await read(client, row["unit"], day))["name"] == row["name"]
            wrong = await client.get(
                f"/v1/units/{row['unit']}", params={"on": other or "2025-06-30"}
            )
            assert problem(wrong)["code"] == "unit-not-found"


async def test_a_unit_that_had_not_begun_names_the_day_it_began(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/units/commune-07894-2025", params={"on": "2025-06-30"})
    found = problem(answer)
    assert found["code"] == "unit-not-found"
    assert "2025-07-01" in found["detail"]


async def test_a_key_means_the_same_unit_as_its_code(client: httpx.AsyncClient) -> None:
    for code, key, day in (
        ("25", "province-25", "2025-03-01"),
        ("25", "province-25-2025", "2025-08-01"),
        ("227", "district-227", "2025-03-01"),
        ("07894", "commune-07894", "2025-03-01"),
    ):
        assert await read(client, code, day) == await read(client, key, day)


@pytest.mark.parametrize("code", ["99", "999", "99999", "province-99", "commune-99999-2025"])
async def test_a_code_that_never_was_is_not_found(client: httpx.AsyncClient, code: str) -> None:
    found = problem(await client.get(f"/v1/units/{code}"))
    assert (found["status"], found["code"]) == (404, "unit-not-found")
    assert code in found["detail"]


@pytest.mark.parametrize("code", ["1", "0789", "VNM", "vn", "xã", "07894-1", "commune-", "%25"])
async def test_what_cannot_be_a_code_is_refused(client: httpx.AsyncClient, code: str) -> None:
    assert problem(await client.get(f"/v1/units/{code}"))["status"] in (404, 422)


@pytest.mark.parametrize("day", ["", "today", "2025-02-30", "2025-2-3", "20250301", "2025-03-01T0"])
@pytest.mark.parametrize("path", ["/v1/units", "/v1/units/25", "/v1/units/25/lineage"])
async def test_what_is_no_day_is_refused(client: httpx.AsyncClient, path: str, day: str) -> None:
    found = problem(await client.get(path, params={"on": day}))
    assert found["status"] == 422
    assert found["errors"][0]["pointer"] == "/on"


async def test_without_a_day_today_is_meant(client: httpx.AsyncClient) -> None:
    day = today().isoformat()
    assert await read(client, "22") == await read(client, "22", day)
    plain = await client.get("/v1/units", params={"level": "province"})
    dated = await client.get("/v1/units", params={"level": "province", "on": day})
    assert plain.json()["items"] == dated.json()["items"]
    lineage = await client.get("/v1/units/86/lineage")
    assert lineage.json() == (await client.get(f"/v1/units/86/lineage?on={day}")).json()


CHANGED_IN_2026 = [row for row in shipped_units() if row["valid_from"].startswith("2026")]


def test_25_units_changed_their_type_in_2026() -> None:
    assert len(CHANGED_IN_2026) == 25


@pytest.mark.parametrize("row", CHANGED_IN_2026, ids=lambda row: row["unit"])
async def test_a_unit_that_changed_its_type_in_2026_is_one_unit_in_two_versions(
    client: httpx.AsyncClient, row: Row
) -> None:
    day = datetime.date.fromisoformat(row["valid_from"])
    eve = (day - datetime.timedelta(days=1)).isoformat()
    before = await read(client, row["code"], eve)
    after = await read(client, row["code"], row["valid_from"])
    assert before["unit"] == after["unit"] == row["unit"]
    assert before["valid_to"] == after["valid_from"] == row["valid_from"]
    assert after["valid_to"] is None
    assert after["legal_basis"] == row["legal_basis"]
    changed = {"tinh": "thanh_pho", "xa": "phuong"}
    assert changed[before["type"]] == after["type"]
    assert before["name"] != after["name"] == row["name"]
    lineages = [
        (await client.get(f"/v1/units/{row['unit']}/lineage", params={"on": one})).json()
        for one in (eve, row["valid_from"])
    ]
    assert lineages[0] == lineages[1]


async def test_quang_ninh_is_a_city_from_the_first_of_september_2026(
    client: httpx.AsyncClient,
) -> None:
    before, after = await read(client, "22", "2026-08-31"), await read(client, "22", "2026-09-01")
    assert (before["unit"], before["name"], before["type"]) == (
        "province-22", "Tỉnh Quảng Ninh", "tinh",
    )  # fmt: skip
    assert (after["unit"], after["name"], after["type"]) == (
        "province-22", "Thành phố Quảng Ninh", "thanh_pho",
    )  # fmt: skip
    for day, name in (("2026-08-31", "Tỉnh Quảng Ninh"), ("2026-09-01", "Thành phố Quảng Ninh")):
        found = await everything(client, "/v1/units", under="22", on=day, level="commune")
        assert {one["parent"]["name"] for one in found} == {name}


async def test_the_types_change_exactly_on_their_days(client: httpx.AsyncClient) -> None:
    cities = [
        sum(
            one["type"] == "thanh_pho"
            for one in await everything(client, "/v1/units", level="province", on=day)
        )
        for day in ("2026-04-29", "2026-04-30", "2026-08-31", "2026-09-01", "2026-09-20")
    ]
    assert cities == [6, 7, 7, 8, 9]


# Lists.


async def test_parent_means_directly_below_and_under_anywhere_below(
    client: httpx.AsyncClient,
) -> None:
    day = "2025-03-01"
    direct = await everything(client, "/v1/units", parent="25", on=day, limit="500")
    below = await everything(client, "/v1/units", under="25", on=day, limit="500")
    assert {one["level"] for one in direct} == {"district"}
    assert len(direct) == 13
    assert set(keys(direct)) < set(keys(below))
    communes = {"level": "commune", "on": day}  # hamlets may be entered at any time
    of_district = await everything(client, "/v1/units", parent="227", **communes)
    assert {one["parent"]["unit"] for one in of_district} == {"district-227"}
    assert keys(of_district) == keys(await everything(client, "/v1/units", under="227", **communes))
    assert "province-25" not in keys(below)


async def test_under_the_nation_is_everything_but_the_nation(client: httpx.AsyncClient) -> None:
    day = "2026-10-01"
    below = await everything(client, "/v1/units", under="VN", on=day, limit="500")
    all_of_it = await everything(client, "/v1/units", on=day, limit="500")
    assert [one for one in keys(all_of_it) if one != "VN"] == keys(below)
    direct = await everything(client, "/v1/units", parent="VN", on=day)
    assert len(direct) == 34
    assert {one["level"] for one in direct} == {"province"}


@pytest.mark.parametrize(
    ("level", "day", "count"),
    [
        ("nation", "2025-03-01", 1),
        ("province", "2025-03-01", 63),
        ("district", "2025-03-01", 696),
        ("province", "2025-07-01", 34),
        ("district", "2025-07-01", 0),
        ("commune", "2025-07-01", 3321),
    ],
)
async def test_a_level_lists_the_units_of_that_level(
    client: httpx.AsyncClient, level: str, day: str, count: int
) -> None:
    found = await everything(client, "/v1/units", level=level, on=day, limit="500")
    assert len(found) == count
    assert {one["level"] for one in found} <= {level}


async def test_filters_are_combined(client: httpx.AsyncClient) -> None:
    found = await everything(
        client, "/v1/units", under="25", level="commune", q="tan", on="2025-03-01"
    )
    assert found
    for one in found:
        assert one["path"][0]["code"] == "25"
        assert one["level"] == "commune"
    assert "Phường Tân Dân" in [one["name"] for one in found]
    assert "Thành phố Việt Trì" not in [one["name"] for one in found]


@pytest.mark.parametrize(
    "q", ["Nông Trang", "nong trang", "NÔNG TRANG", "nông  trang", "ông tran", "Phường Nông Tr"]
)
async def test_a_part_of_a_name_is_found_with_and_without_diacritics(
    client: httpx.AsyncClient, q: str
) -> None:
    found = await everything(client, "/v1/units", q=q, on="2025-08-01", under="25")
    assert "commune-07894-2025" in keys(found)
    apart = await everything(
        client, "/v1/units", q=unicodedata.normalize("NFD", q), on="2025-08-01", under="25"
    )
    assert apart == found


async def test_d_with_and_without_its_bar_finds_the_same(client: httpx.AsyncClient) -> None:
    found = [
        keys(await everything(client, "/v1/units", q=q, on="2025-08-01", level="province"))
        for q in ("Đồng", "dong", "Ðồng", "ɖồng", "DONG")
    ]
    assert len(found[0]) == 3
    assert all(one == found[0] for one in found)


@pytest.mark.parametrize("q", ["%", "_", "\\", "P%", "Ph_", "\\%", "'", "''--", "%%", ".*", "[a]"])
async def test_what_a_pattern_would_mean_is_searched_as_it_stands(
    client: httpx.AsyncClient, q: str
) -> None:
    answer = await client.get("/v1/units", params={"q": q, "on": "2025-08-01", "limit": "500"})
    assert answer.status_code == 200
    names = [one["name"] for one in answer.json()["items"] if one["level"] != "hamlet"]
    assert all(q in name for name in names)
    expected = [row for row in on_day("2025-08-01") if q in row["name"]]
    assert len(names) == min(len(expected), 500)


@pytest.mark.parametrize("q", ["", "x" * 201])
async def test_a_search_for_nothing_or_for_a_novel_is_refused(
    client: httpx.AsyncClient, q: str
) -> None:
    assert problem(await client.get("/v1/units", params={"q": q}))["status"] == 422


async def test_a_search_that_fits_nothing_is_an_empty_list(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/units", params={"q": "không đâu có tên này"})
    assert answer.json() == {"items": [], "next": None}


@pytest.mark.parametrize("day", ["2025-03-01", "2025-08-01"])
@pytest.mark.parametrize("path", ["/v1/units", "/v1/communes"])
async def test_the_pages_of_the_nation_give_every_commune_once_and_in_order(
    client: httpx.AsyncClient, path: str, day: str
) -> None:
    level = {"level": "commune"} if path == "/v1/units" else {}
    found = await everything(client, path, on=day, limit="500", **level)
    expected = [row["unit"] for row in on_day(day) if row["level"] == "commune"]
    assert len(found) == len(expected)
    assert set(keys(found)) == set(expected)
    places = [(sort_key(one["name"]), one["code"]) for one in found]
    assert places == sorted(places)


async def test_small_pages_give_the_same_list_as_large_ones(client: httpx.AsyncClient) -> None:
    params = {"under": "25", "on": "2025-08-01", "level": "commune"}
    large = await everything(client, "/v1/units", limit="500", **params)
    assert len(large) == 148
    assert await everything(client, "/v1/units", limit="7", **params) == large
    # The last page is full: 148 is 4 times 37, and no empty page follows.
    assert await everything(client, "/v1/units", limit="37", **params) == large
    assert await everything(client, "/v1/units", limit="148", **params) == large
    assert await everything(client, "/v1/units", limit="1", **params) == large


async def test_a_cursor_belongs_to_its_filters(client: httpx.AsyncClient) -> None:
    params = {"under": "25", "on": "2025-08-01", "limit": "5"}
    cursor = (await client.get("/v1/units", params=params)).json()["next"]
    for other in ({"under": "86"}, {"on": "2025-08-02"}, {"q": "a"}, {"level": "commune"}):
        answer = await client.get("/v1/units", params=params | other | {"cursor": cursor})
        found = problem(answer)
        assert (found["status"], found["errors"][0]["pointer"]) == (422, "/cursor")
    again = await client.get("/v1/communes", params=params | {"cursor": cursor})
    assert problem(again)["status"] == 422
    larger = await client.get("/v1/units", params=params | {"limit": "9", "cursor": cursor})
    assert larger.status_code == 200


@pytest.mark.parametrize("limit", ["0", "501", "-1", "1.5", "x", "", "1e2", "٥"])
async def test_a_limit_is_from_1_to_500(client: httpx.AsyncClient, limit: str) -> None:
    found = problem(await client.get("/v1/units", params={"limit": limit}))
    assert (found["status"], found["errors"][0]["pointer"]) == (422, "/limit")


async def test_a_list_has_100_items_when_no_limit_is_given(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/units", params={"on": "2025-08-01"})
    assert len(answer.json()["items"]) == 100


@pytest.mark.parametrize("name", ["sort", "Level", "codes", "with"])
@pytest.mark.parametrize("path", ["/v1/units", "/v1/units/25", "/v1/units/25/lineage"])
async def test_a_parameter_that_is_not_known_is_refused(
    client: httpx.AsyncClient, path: str, name: str
) -> None:
    found = problem(await client.get(path, params={name: "x"}))
    assert (found["status"], found["code"]) == (422, "unknown-field")


async def test_lists_and_units_are_what_the_description_says(
    client: httpx.AsyncClient, described: Described
) -> None:
    for path in (
        "/v1/units?under=25&on=2025-03-01",
        "/v1/units?on=2024-01-01&level=province",
        "/v1/units/25",
        "/v1/units/25/lineage",
        "/v1/units/07894/lineage?on=2025-03-01",
        "/v1/units/99",
        "/v1/units?limit=0",
    ):
        described.judge(await client.get(path))


# Lineage.


async def test_vinh_long_came_from_three_provinces_as_wholes(client: httpx.AsyncClient) -> None:
    found = (await client.get("/v1/units/86/lineage", params={"on": "2025-08-01"})).json()
    assert set(found) == {"predecessors", "successors"}
    assert found["successors"] == []
    came = {one["unit"]["unit"]: one for one in found["predecessors"]}
    assert set(came) == {"province-83", "province-84", "province-86"}
    for one in came.values():
        assert set(one) == {"unit", "extent", "effective_date"}
        assert (one["extent"], one["effective_date"]) == ("whole", "2025-07-01")
        assert set(one["unit"]) == KEYS
    assert came["province-84"]["unit"]["name"] == "Tỉnh Trà Vinh"


async def test_tra_vinh_became_vinh_long(client: httpx.AsyncClient) -> None:
    found = (await client.get("/v1/units/84/lineage", params={"on": "2025-03-01"})).json()
    assert found["predecessors"] == []
    assert [(one["unit"]["unit"], one["extent"]) for one in found["successors"]] == [
        ("province-86-2025", "whole")
    ]


async def test_every_lineage_is_that_of_the_files(client: httpx.AsyncClient) -> None:
    edges = shipped_edges()
    sampled = {edge["from_unit"] for edge in edges if edge["extent"] == "part"}
    for key in [*sorted(sampled)[::25], "province-25", "province-22", "commune-00859"]:
        found = await client.get(f"/v1/units/{key}/lineage", params={"on": "2025-03-01"})
        went = {
            (one["unit"]["unit"], one["extent"], one["effective_date"])
            for one in found.json()["successors"]
        }
        assert went == {
            (edge["to_unit"], edge["extent"], edge["effective_date"])
            for edge in edges
            if edge["from_unit"] == key
        }
        for to_unit, extent, day in went:
            back = await client.get(f"/v1/units/{to_unit}/lineage", params={"on": day})
            came = [(one["unit"]["unit"], one["extent"]) for one in back.json()["predecessors"]]
            assert (key, extent) in came


async def test_a_unit_that_only_changed_its_name_or_parent_has_no_lineage(
    client: httpx.AsyncClient,
) -> None:
    for day in ("2025-03-01", "2025-08-01"):
        found = await client.get("/v1/units/province-22/lineage", params={"on": day})
        assert found.json() == {"predecessors": [], "successors": []}
    before = await read(client, "00859", "2025-06-30")
    after = await read(client, "00859", "2025-07-01")
    assert before["unit"] == after["unit"] == "commune-00859"
    assert [one["name"] for one in before["path"]] == ["Tỉnh Hà Giang", "Huyện Yên Minh"]
    assert [one["name"] for one in after["path"]] == ["Tỉnh Tuyên Quang"]


async def test_the_register_is_visible_to_every_client_that_may_read(join: Join) -> None:
    guest = await join("VN", "values:write")
    local = await join("86", "read")
    assert (await local.http.get("/v1/units/25")).status_code == 200
    listed = await local.http.get("/v1/units", params={"under": "25", "on": "2025-08-01"})
    assert listed.json()["items"]
    for path in ("/v1/units", "/v1/units/25", "/v1/units/25/lineage"):
        assert problem(await guest.http.get(path))["code"] == "insufficient-scope"


@pytest.mark.parametrize("path", ["/v1/units", "/v1/units/25", "/v1/units/25/lineage"])
async def test_without_a_token_no_unit_is_shown(stranger: httpx.AsyncClient, path: str) -> None:
    assert problem(await stranger.get(path))["status"] == 401


async def test_an_answer_that_is_known_already_is_not_sent_again(
    client: httpx.AsyncClient,
) -> None:
    for path in ("/v1/units?on=2025-03-01", "/v1/units/25?on=2025-03-01"):
        first = await client.get(path)
        again = await client.get(path, headers={"if-none-match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


# Codes of other agencies.


async def test_a_code_of_another_agency_is_shown_with_the_unit(
    client: httpx.AsyncClient, described: Described
) -> None:
    path = "/v1/units/03127/identifiers/{}"
    first = await client.put(path.format("bca"), json={"value": "DB-1"})
    described.judge(first)
    assert first.status_code == 200
    assert first.json()["identifiers"]["bca"] == "DB-1"
    await client.put(path.format("mae_2025"), json={"value": "ĐB"})
    await client.put(path.format("bca"), json={"value": "DB-2"}, headers=ANYTHING)
    found = await read(client, "03127")
    assert found["identifiers"] == {"bca": "DB-2", "mae_2025": "ĐB"}
    assert (await read(client, "commune-03127-2025", "2025-08-01"))["identifiers"] == found[
        "identifiers"
    ]
    listed = await everything(client, "/v1/units", under="11", q="Điện Biên Phủ")
    assert found["identifiers"] in [one["identifiers"] for one in listed]
    # The unit that had the code before is another one.
    assert (await read(client, "03127", "2025-03-01"))["identifiers"] == {}


async def test_the_day_tells_which_unit_gets_the_code(client: httpx.AsyncClient) -> None:
    path, on = "/v1/units/03151/identifiers/old", {"on": "2025-03-01"}
    answer = await client.put(path, json={"value": "ML"}, params=on)
    assert answer.json()["unit"] == "commune-03151"
    assert (await read(client, "03151", "2025-03-01"))["identifiers"] == {"old": "ML"}
    assert (await read(client, "03151"))["identifiers"] == {}


@pytest.mark.parametrize(
    "body", [{}, {"value": 1}, {"value": ""}, {"value": None}, {"value": "a", "more": 1}, [], "x"]
)
async def test_a_wrong_identifier_is_refused_and_not_stored(
    client: httpx.AsyncClient, body: Any
) -> None:
    answer = await client.put("/v1/units/03158/identifiers/bca", json=body)
    assert problem(answer)["status"] == 422
    assert (await read(client, "03158"))["identifiers"] == {}


@pytest.mark.parametrize("scheme", ["BCA", "1a", "a-b", "a" * 41, "ă"])
async def test_a_scheme_is_a_short_plain_word(client: httpx.AsyncClient, scheme: str) -> None:
    answer = await client.put(f"/v1/units/03158/identifiers/{scheme}", json={"value": "a"})
    assert problem(answer)["status"] in (404, 422)


async def test_an_identifier_outside_the_territory_is_not_stored(join: Join) -> None:
    stranger = await join("86")
    answer = await stranger.http.put("/v1/units/03160/identifiers/bca", json={"value": "X"})
    assert problem(answer)["status"] == 404
    assert (await read(stranger.http, "03160"))["identifiers"] == {}
    reader = await join("VN", "read")
    answer = await reader.http.put("/v1/units/03160/identifiers/bca", json={"value": "X"})
    assert problem(answer)["code"] == "insufficient-scope"
    assert answer.status_code == 403
    assert (await read(reader.http, "03160"))["identifiers"] == {}
    local = await join("11", "read", "values:write")
    answer = await local.http.put("/v1/units/03160/identifiers/bca", json={"value": "X"})
    assert answer.status_code == 200
