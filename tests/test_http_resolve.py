"""Whom somebody means: old and new codes, and names in any of the usual spellings."""

from __future__ import annotations

import collections
import unicodedata
from typing import Any

import httpx
import pytest
from conftest import Described, Join, problem
from test_register import Row, on_day, shipped_edges

from app.domain.vietnamese import search_key, split_type

RESOLVE = "/v1/units/resolve"
OLD, NEW, NOW = "2025-03-01", "2025-08-01", "2026-10-01"
Item = dict[str, Any]
# Of "Xã Thụy Vân" (Việt Trì, Phú Thọ) before 2025-07-01.
THUY_VAN = "commune-07924"


async def resolved(client: httpx.AsyncClient, *asked: Item) -> list[Item]:
    """Return what is found, in the order of what was asked."""
    answer = await client.post(RESOLVE, json=list(asked))
    assert answer.status_code == 200, answer.text[:300]
    items: list[Item] = answer.json()["items"]
    assert len(items) == len(asked)
    assert all(set(one) == {"unit", "candidates", "successors"} for one in items)
    return items


async def one(client: httpx.AsyncClient, **asked: Any) -> Item:
    """Return what is found for one question."""
    return (await resolved(client, asked))[0]


def keys(items: list[Item]) -> list[str]:
    """Return the keys of units."""
    return [item["unit"] for item in items]


async def test_a_bare_list_and_a_list_of_items_are_answered_alike(
    client: httpx.AsyncClient, described: Described
) -> None:
    asked = [{"code": "25", "on": NEW}, {"name": "Tỉnh Phú Thọ", "on": NEW}, {"code": "99"}]
    bare = await client.post(RESOLVE, json=asked)
    wrapped = await client.post(RESOLVE, json={"items": asked})
    described.judge(bare)
    described.judge(wrapped)
    assert bare.json() == wrapped.json()
    shown = (await client.get("/v1/units/25", params={"on": NEW})).json()
    del shown["version"]
    assert [found["unit"] for found in bare.json()["items"]] == [shown, shown, None]


async def test_a_thousand_are_answered_in_order_and_one_more_is_refused(
    client: httpx.AsyncClient,
) -> None:
    codes = [row["code"] for row in on_day(NEW) if row["level"] == "commune"][:1_000]
    found = await resolved(client, *({"code": code, "on": NEW} for code in codes))
    assert [item["unit"]["code"] for item in found] == codes
    many: list[Item] = [{"code": "25"}] * 1_001
    for body in (many, {"items": many}):
        refused = problem(await client.post(RESOLVE, json=body))
        assert refused["status"] == 422


@pytest.mark.parametrize("body", [{"items": []}, {}, {"items": None}, "25", 1, True])
async def test_what_asks_for_nothing_is_refused(client: httpx.AsyncClient, body: Any) -> None:
    assert problem(await client.post(RESOLVE, json=body))["status"] == 422


async def test_an_empty_list_is_treated_alike_in_both_shapes(client: httpx.AsyncClient) -> None:
    bare = await client.post(RESOLVE, json=[])
    wrapped = await client.post(RESOLVE, json={"items": []})
    assert bare.status_code == wrapped.status_code == 422


@pytest.mark.parametrize(
    "item",
    [
        {"code": 25},
        {"code": "Phú Thọ"},
        {"code": ""},
        {"name": 1},
        {"name": ""},
        {"name": "   "},
        {"name": "x" * 201},
        {"name": ["Phú Thọ"]},
        {"province": 25},
        {"district": {}},
        {"on": "gần đây"},
        {"on": 20250301},
        {"unit": "25"},
        {"code": "25", "level": "province"},
        "25",
        None,
        [],
    ],
    ids=ascii,
)
async def test_a_wrong_type_or_an_unknown_key_is_refused_with_its_place(
    client: httpx.AsyncClient, item: Any
) -> None:
    for body in ([{"code": "25"}, item], {"items": [{"code": "25"}, item]}):
        answer = await client.post(RESOLVE, json=body)
        found = problem(answer)
        assert found["status"] == 422
        place = "/items/1" if isinstance(body, dict) else "/1"
        assert any(error["pointer"].startswith(place) for error in found["errors"]), found["errors"]


async def test_an_item_that_says_nothing_is_refused_with_its_place(
    client: httpx.AsyncClient,
) -> None:
    items: list[Item] = [{"code": "25"}, {}, {"on": OLD}, {"code": None, "name": None}]
    answer = await client.post("/v1/units/resolve", json={"items": items})
    found = problem(answer)
    assert (answer.status_code, found["code"]) == (422, "missing-field")
    assert [one["pointer"] for one in found["errors"]] == ["/items/1", "/items/2", "/items/3"]


@pytest.mark.parametrize(
    "asked", [{"code": "99999"}, {"name": "Xã Không Đâu Có"}, {"name": "?!", "on": OLD}]
)
async def test_what_never_was_finds_nothing(client: httpx.AsyncClient, asked: Item) -> None:
    assert await resolved(client, asked) == [{"unit": None, "candidates": [], "successors": []}]


async def test_a_unit_key_is_taken_as_a_code(client: httpx.AsyncClient) -> None:
    found = await one(client, code="commune-07894", on=OLD)
    assert found["unit"] is not None
    assert found["unit"]["unit"] == "commune-07894"


async def test_an_old_code_gives_what_it_became(client: httpx.AsyncClient) -> None:
    found = await one(client, code="07888", on=NEW)
    assert found["unit"] is None
    assert keys(found["successors"]) == ["commune-07900-2025"]
    split = await one(client, code="00634", on=NEW)
    if split["unit"] is None:
        edges = [edge["to_unit"] for edge in shipped_edges()
                 if edge["from_unit"] == "commune-00634"]  # fmt: skip
        assert sorted(keys(split["successors"])) == sorted(edges)
    province = await one(client, code="84", on=NOW)
    assert province["unit"] is None
    assert keys(province["successors"]) == ["province-86-2025"]


async def test_a_code_in_use_again_means_the_unit_of_the_day(client: httpx.AsyncClient) -> None:
    found = await resolved(client, {"code": "07894", "on": OLD}, {"code": "07894", "on": NEW})
    assert [item["unit"]["unit"] for item in found] == ["commune-07894", "commune-07894-2025"]
    assert [item["successors"] for item in found] == [[], []]


async def test_a_code_and_a_name_that_contradict_are_candidates_and_no_unit(
    client: httpx.AsyncClient,
) -> None:
    found = await one(client, code="25", name="Tỉnh Vĩnh Long", on=NEW)
    assert found["unit"] is None
    assert set(keys(found["candidates"])) >= {"province-25-2025", "province-86-2025"}
    agreed = await one(client, code="86", name="vinh long", on=NEW)
    assert agreed["unit"]["unit"] == "province-86-2025"


async def test_an_old_code_with_its_old_name_is_not_taken_for_the_new_owner_of_the_code(
    client: httpx.AsyncClient,
) -> None:
    found = await one(client, code="07900", name="Phường Gia Cẩm", on=NEW)
    assert found["unit"] is None
    assert keys(found["successors"]) == ["commune-07900-2025"]


SPELLINGS = [
    "Xã Thụy Vân", "xã thụy vân", "XÃ THỤY VÂN", "Xã Thuỵ Vân", "X. Thụy Vân", "X Thụy Vân",
    "Thụy Vân", "  Thụy   Vân ", "xa thuy van", "Thuy Van", "Thụy\u00a0Vân", "Thụy\u200b Vân",
    unicodedata.normalize("NFD", "Xã Thụy Vân"),
]  # fmt: skip


@pytest.mark.parametrize("name", SPELLINGS, ids=ascii)
@pytest.mark.parametrize("province", ["Tỉnh Phú Thọ", "Phú Thọ", "phu tho", "25", "province-25"])
async def test_a_name_is_found_in_any_spelling_with_its_province_by_name_or_code(
    client: httpx.AsyncClient, name: str, province: str
) -> None:
    found = await resolved(
        client,
        {"name": name, "province": province, "on": OLD},
        {"name": name, "province": province, "district": "Việt Trì", "on": OLD},
        {"name": name, "province": province, "district": "227", "on": OLD},
        {"name": name, "district": "TP. Việt Trì", "on": OLD},
    )
    assert [item["unit"] and item["unit"]["unit"] for item in found] == [THUY_VAN] * 4


async def test_a_name_in_the_wrong_province_or_district_is_not_that_unit(
    client: httpx.AsyncClient,
) -> None:
    for place in ({"province": "Hà Nội"}, {"district": "Lâm Thao"}, {"province": "86"}):
        found = await one(client, name="Xã Thụy Vân", on=OLD, **place)
        assert found["unit"] is None


async def test_an_ambiguous_name_lists_every_unit_of_that_name(client: httpx.AsyncClient) -> None:
    expected = [row["unit"] for row in on_day(NEW) if row["name"] == "Xã Tân Phú"]
    found = await one(client, name="Xã Tân Phú", on=NEW)
    assert len(expected) > 1
    assert found["unit"] is None
    assert set(keys(found["candidates"])) >= set(expected)


async def test_candidates_stay_when_a_namesake_has_ended(client: httpx.AsyncClient) -> None:
    # Tỉnh Tuyên Quang and Xã Tuyên Quang exist; Thành phố Tuyên Quang has ended.
    expected = {row["unit"] for row in on_day(NEW) if row["name"].endswith(" Tuyên Quang")}
    assert len(expected) == 2
    found = await one(client, name="Tuyên Quang", on=NEW)
    assert found["unit"] is None
    assert set(keys(found["candidates"])) >= expected


async def test_a_type_before_the_name_decides_between_namesakes(client: httpx.AsyncClient) -> None:
    found = await resolved(
        client,
        {"name": "Tỉnh Phú Thọ", "on": OLD},
        {"name": "Thị xã Phú Thọ", "on": OLD},
        {"name": "TX Phú Thọ", "on": OLD},
        {"name": "Tỉnh Tuyên Quang", "on": NEW},
        {"name": "Xã Tuyên Quang", "on": NEW},
    )
    assert [item["unit"] and item["unit"]["unit"] for item in found] == [
        "province-25", "district-228", "district-228", "province-08-2025", "commune-22963-2025",
    ]  # fmt: skip


async def test_a_name_that_has_ended_gives_what_it_became(client: httpx.AsyncClient) -> None:
    found = await resolved(
        client,
        {"name": "Tỉnh Trà Vinh", "on": NEW},
        {"name": "Xã Thụy Vân", "province": "Phú Thọ", "on": NEW},
        {"name": "xã thuỵ vân", "province": "25", "district": "Việt Trì", "on": NOW},
    )
    assert [item["unit"] for item in found] == [None] * 3
    assert [keys(item["successors"]) for item in found] == [
        ["province-86-2025"],
        ["commune-07894-2025"],
        ["commune-07894-2025"],
    ]


async def test_a_name_that_has_ended_is_known_without_diacritics_too(
    client: httpx.AsyncClient,
) -> None:
    found = await one(client, name="tinh tra vinh", on=NEW)
    assert found["unit"] is None
    assert keys(found["successors"]) == ["province-86-2025"]


async def test_hyphens_make_no_difference(client: httpx.AsyncClient) -> None:
    names = ["Bà Rịa - Vũng Tàu", "Bà Rịa-Vũng Tàu", "Bà Rịa – Vũng Tàu", "Bà Rịa Vũng Tàu"]
    found = await resolved(client, *({"name": f"Tỉnh {name}", "on": OLD} for name in names))
    assert [item["unit"] and item["unit"]["unit"] for item in found] == ["province-77"] * 4


def whereabouts(day: str) -> list[tuple[Row, Item]]:
    """Return every unit of a day and the question that names it in full."""
    rows = on_day(day)
    by_key = {row["unit"]: row for row in rows}
    found = []
    for row in rows:
        asked = {"name": row["name"], "on": day}
        above = by_key.get(row["parent_unit"])
        while above is not None:
            asked[above["level"]] = above["name"]
            above = by_key.get(above["parent_unit"])
        found.append((row, asked))
    return found


@pytest.mark.parametrize("day", [OLD, NEW, NOW])
@pytest.mark.parametrize("spelling", ["in full", "decomposed in capitals", "without diacritics"])
async def test_every_unit_of_the_nation_is_found_by_name_province_and_district(
    client: httpx.AsyncClient, day: str, spelling: str
) -> None:
    def spelled(text: str) -> str:
        if spelling == "in full":
            return text
        if spelling == "without diacritics":
            return search_key(text)
        return unicodedata.normalize("NFD", text.upper())

    asked = [
        (row, question | {"name": spelled(question["name"])}) for row, question in whereabouts(day)
    ]
    same = collections.Counter(
        (search_key(question["name"]), question.get("province"), question.get("district"))
        for _, question in asked
    )
    wrong = []
    for begin in range(0, len(asked), 1_000):
        part = asked[begin : begin + 1_000]
        answers = await resolved(client, *(question for _, question in part))
        for (row, question), found in zip(part, answers, strict=True):
            if found["unit"] is not None:
                right = found["unit"]["unit"] == row["unit"]
            else:
                homonyms = same[
                    search_key(question["name"]), question.get("province"), question.get("district")
                ]
                listed = row["unit"] in keys(found["candidates"])
                # A true homonym, or a type that has the name's first words.
                right = listed and (homonyms > 1 or row["level"] == "province")
            if not right:
                wrong.append((question, found["unit"] and found["unit"]["unit"], row["unit"]))
    assert wrong == [], (len(wrong), wrong[:5])


@pytest.mark.parametrize("day", [OLD, NEW])
async def test_every_unit_of_the_nation_is_found_by_its_code_and_name(
    client: httpx.AsyncClient, day: str
) -> None:
    rows = on_day(day)
    for begin in range(0, len(rows), 1_000):
        part = rows[begin : begin + 1_000]
        asked = ({"code": row["code"], "name": row["name"], "on": day} for row in part)
        found = await resolved(client, *asked)
        assert [item["unit"] and item["unit"]["unit"] for item in found] == [
            row["unit"] for row in part
        ]


async def test_a_bare_name_with_its_province_finds_it_or_lists_it(
    client: httpx.AsyncClient,
) -> None:
    asked = [
        (row, question | {"name": split_type(question["name"])[1]})
        for row, question in whereabouts(NEW)
        if row["level"] == "commune"
    ][::4]
    answers = await resolved(client, *(question for _, question in asked))
    wrong = [
        question
        for (row, question), found in zip(asked, answers, strict=True)
        if row["unit"] not in keys([found["unit"]] if found["unit"] else found["candidates"])
    ]
    assert wrong == []


async def test_each_item_has_its_own_day(client: httpx.AsyncClient) -> None:
    found = await resolved(
        client,
        {"code": "22", "on": NOW},
        {"code": "22", "on": OLD},
        {"code": "22", "on": "2024-01-01"},
    )
    assert [(item["unit"]["type"], item["unit"]["exact"]) for item in found] == [
        ("thanh_pho", True), ("tinh", True), ("tinh", False),
    ]  # fmt: skip


async def test_resolving_needs_a_token_that_may_read(
    join: Join, stranger: httpx.AsyncClient
) -> None:
    writer = await join("VN", "values:write")
    assert problem(await writer.http.post(RESOLVE, json=[{}]))["code"] == "insufficient-scope"
    assert problem(await stranger.post(RESOLVE, json=[{}]))["status"] == 401
    local = await join("86", "read")
    assert (await one(local.http, code="25", on=NEW))["unit"]["code"] == "25"
