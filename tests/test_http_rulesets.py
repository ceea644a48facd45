"""Reading rulesets: the thirteen, page by page, and each with its criteria word for word."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from conftest import PREVIEW, problem

RULESETS = [
    "bnn3445.annex1",
    "bnn3445.content.ecom",
    "bnn3445.content.smart",
    "bnn3445.province",
    "bnn3445.selection.ecom",
    "bnn3445.selection.smart",
    "phutho.annex01",
    "phutho.commune",
    "phutho.district",
    "qd924.nation",
    "travinh.commune",
    "travinh.hamlet",
    "travinh.province",
]


async def _all(client: httpx.AsyncClient, query: str = "") -> list[dict[str, Any]]:
    answer = await client.get(f"/v1/rulesets?limit=500{query}")
    assert answer.status_code == 200
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def _flat(criteria: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [found for one in criteria for found in (one, *_flat(one["criteria"]))]


async def test_the_thirteen_rulesets_are_listed_by_id(client: httpx.AsyncClient) -> None:
    assert [one["id"] for one in await _all(client)] == RULESETS


async def test_an_item_says_what_a_ruleset_is(client: httpx.AsyncClient) -> None:
    for one in await _all(client):
        assert one["title"]["vi"].strip()
        assert one["title"]["en"].strip()
        assert one["title"]["vi"] != one["title"]["en"]
        assert one["level"] in ("nation", "province", "district", "commune", "hamlet")
        assert {"number", "title", "issuer", "issued", "source_grade"} <= set(one["document"])
        assert one["document"]["source_grade"] in ("full", "secondary")
        assert re.fullmatch(r"\d{4}(-\d{2}(-\d{2})?)?", one["document"]["issued"])
        assert one["version"]
        assert re.fullmatch(r"[0-9a-f]{64}", one["digest"])
        assert one["overall"] in ("explicit", "inferred", "none")
        assert one["package"].startswith("ntm-rules ")


async def test_no_two_rulesets_have_the_same_digest(client: httpx.AsyncClient) -> None:
    assert len({one["digest"] for one in await _all(client)}) == 13


@pytest.mark.parametrize("limit", [1, 4, 5, 12, 13, 500])
async def test_pages_follow_each_other_without_gap_or_repetition(
    client: httpx.AsyncClient, limit: int
) -> None:
    seen: list[str] = []
    url = f"/v1/rulesets?limit={limit}"
    while url:
        answer = await client.get(url)
        items, following = answer.json()["items"], answer.json()["next"]
        assert len(items) == min(limit, 13 - len(seen)) > 0
        seen += [one["id"] for one in items]
        link = answer.headers.get("link")
        assert (link is None) == (following is None)
        url = ""
        if link:
            found = re.fullmatch(r'<([^<>]+)>; rel="next"', link)
            assert found, link
            url = found[1]
            assert httpx.URL(url).params["cursor"] == following
    assert seen == RULESETS


async def test_the_next_page_keeps_the_filters(client: httpx.AsyncClient) -> None:
    wanted = [one["id"] for one in await _all(client, "&level=commune")]
    assert len(wanted) > 2
    first = await client.get("/v1/rulesets?level=commune&limit=2")
    link = first.headers["link"].partition(">")[0].lstrip("<")
    second = await client.get(link)
    assert [one["id"] for one in first.json()["items"] + second.json()["items"]] == wanted[:4]


async def test_a_hundred_are_the_default(client: httpx.AsyncClient) -> None:
    default = (await client.get("/v1/indicators")).json()
    assert len(default["items"]) == 100
    assert default["next"] is not None


async def test_a_cursor_goes_with_its_own_filters_and_list_only(client: httpx.AsyncClient) -> None:
    cursor = (await client.get("/v1/rulesets?limit=2&level=commune")).json()["next"]
    assert cursor
    good = await client.get("/v1/rulesets", params={"level": "commune", "cursor": cursor})
    assert good.status_code == 200
    for url, params in (
        ("/v1/rulesets", {}),
        ("/v1/rulesets", {"level": "province"}),
        ("/v1/indicators", {}),
        ("/v1/indicators", {"level": "commune"}),
    ):
        answer = await client.get(url, params={**params, "cursor": cursor})
        found = problem(answer)
        assert (answer.status_code, found["code"]) == (422, "invalid-cursor"), (url, params)
        assert found["errors"][0]["pointer"] == "/cursor"
        assert "cursor" in found["detail"]


async def test_a_cursor_is_not_bound_to_the_limit(client: httpx.AsyncClient) -> None:
    cursor = (await client.get("/v1/rulesets?limit=2")).json()["next"]
    answer = await client.get("/v1/rulesets", params={"limit": 3, "cursor": cursor})
    assert [one["id"] for one in answer.json()["items"]] == RULESETS[2:5]


async def test_a_changed_cursor_is_refused(client: httpx.AsyncClient) -> None:
    cursor = (await client.get("/v1/rulesets?limit=2")).json()["next"]
    for changed in (cursor[1:], cursor[:-3], cursor[::-1], cursor * 2, cursor.swapcase()):
        answer = await client.get("/v1/rulesets", params={"cursor": changed})
        assert (answer.status_code, problem(answer)["code"]) == (422, "invalid-cursor"), changed


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("nation", {"qd924.nation"}),
        ("province", {"bnn3445.province", "travinh.province"}),
        ("district", {"phutho.annex01", "phutho.district"}),
        ("hamlet", {"travinh.hamlet"}),
        (
            "commune",
            {one for one in RULESETS if "nation" not in one and "province" not in one}
            - {"phutho.district", "travinh.hamlet"},
        ),
    ],
)
async def test_level_lists_every_ruleset_that_can_be_put_to_such_a_unit(
    client: httpx.AsyncClient, level: str, expected: set[str]
) -> None:
    assert {one["id"] for one in await _all(client, f"&level={level}")} == expected


async def test_a_ruleset_can_be_put_to_the_levels_it_is_listed_under_and_no_others(
    client: httpx.AsyncClient,
) -> None:
    for level in ("nation", "province", "district", "commune", "hamlet"):
        listed = {one["id"] for one in await _all(client, f"&level={level}")}
        for ruleset in RULESETS:
            body = {"ruleset": ruleset, "unit": {"level": level}}
            answer = await client.post(f"{PREVIEW}?texts=false", json=body)
            assert answer.status_code == (200 if ruleset in listed else 422), (ruleset, level)


@pytest.mark.parametrize("ruleset", RULESETS)
async def test_a_ruleset_repeats_its_item_and_adds_the_criteria(
    client: httpx.AsyncClient, ruleset: str
) -> None:
    item = next(one for one in await _all(client) if one["id"] == ruleset)
    found = (await client.get(f"/v1/rulesets/{ruleset}")).json()
    assert found.items() >= item.items()
    criteria = _flat(found["criteria"])
    ids = [one["id"] for one in criteria]
    assert len(set(ids)) == len(ids) > 0
    prefix = ruleset.partition(".")[0]
    for one in criteria:
        assert one["id"].startswith(f"{prefix}.")
        assert one["text"]["vi"].strip()
        assert one["text"]["en"].strip()
        assert one["cite"].startswith(found["document"]["short"])
        assert len(one["cite"]) > len(found["document"]["short"]) + 2
        assert one["combine"] in ("all", "any", None)
        assert bool(one["criteria"]) or one["indicator"] or one["indicators"]
        if one["required"]:
            assert one["required"]["operator"] in (">=", "<=", ">", "<", "=")
            assert one["required"]["unit"] in ("percent", "count")
            assert one["required"]["as_written"].strip()
            assert one["required"]["force"] in ("must", "strive")
            values = [one["required"]["value"], *(b["value"] for b in one["required"]["branches"])]
            assert any(values)
            assert all(re.fullmatch(r"\d+(\.\d+)?", value) for value in values if value is not None)


async def test_the_criteria_are_those_of_the_document_groups_included(
    client: httpx.AsyncClient,
) -> None:
    found = (await client.get("/v1/rulesets/phutho.commune")).json()
    assert [one["id"] for one in found["criteria"]] == [
        "phutho.1.1",
        "phutho.1.2",
        "phutho.1.3",
        "phutho.1.4",
    ]
    criteria = {one["id"]: one for one in _flat(found["criteria"])}
    assert {"phutho.1.2.5.a.1", "phutho.1.4.u3"} <= set(criteria)
    one = criteria["phutho.1.1.1"]
    assert one["text"]["vi"] == (
        "Tỷ lệ dân số ở độ tuổi trưởng thành có điện thoại thông minh có kết nối internet: >=85%."
    )
    assert one["required"]["operator"] == ">="
    assert one["required"]["value"] == "85"
    assert one["required"]["unit"] == "percent"
    assert one["required"]["as_written"] == ">=85%"
    assert one["evidence"][0]["form"] == "Phụ lục 03"
    assert {each["required_by"] for each in one["evidence"][0]["confirmed_by"]} == {"both", "form"}
    assert one["reading"]["text"]


async def test_readings_and_notes_follow_the_language_and_quotations_do_not(
    client: httpx.AsyncClient,
) -> None:
    url = "/v1/rulesets/phutho.commune"
    vi = (await client.get(url)).json()
    en = (await client.get(url, headers={"accept-language": "en"})).json()
    for one, other in zip(_flat(vi["criteria"]), _flat(en["criteria"]), strict=True):
        assert one["text"] == other["text"]
        assert one["cite"] == other["cite"]
        if one["reading"]:
            assert one["reading"]["text"] != other["reading"]["text"]
            assert len(one["reading"]["alternatives"]) == len(other["reading"]["alternatives"])
        for note, translated in zip(one["notes"], other["notes"], strict=True):
            assert note != translated


async def test_the_current_digest_reads_the_ruleset_and_another_is_not_found(
    client: httpx.AsyncClient,
) -> None:
    url = "/v1/rulesets/phutho.commune"
    plain = (await client.get(url)).json()
    current = plain["digest"]
    assert (await client.get(url, params={"digest": current})).json() == plain
    other = next(one["digest"] for one in await _all(client) if one["digest"] != current)
    for digest in (other, "0" * 64, current[::-1]):
        answer = await client.get(url, params={"digest": digest})
        assert (answer.status_code, problem(answer)["code"]) == (404, "ruleset-not-found")
        assert current in problem(answer)["detail"]


async def test_list_ruleset_and_verdict_name_the_same_digest(client: httpx.AsyncClient) -> None:
    for item in await _all(client):
        url = f"/v1/rulesets/{item['id']}"
        body = {"ruleset": item["id"], "unit": {"level": item["level"]}}
        verdict = (await client.post(f"{PREVIEW}?texts=false", json=body)).json()
        assert (await client.get(url)).json()["digest"] == item["digest"]
        assert verdict["ruleset"]["digest"] == item["digest"]
        assert verdict["basis"] == item["overall"]


async def test_an_unknown_ruleset_is_named_and_the_list_is_pointed_to(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.get("/v1/rulesets/phutho.xa")
    found = problem(answer)
    assert (answer.status_code, found["code"]) == (404, "ruleset-not-found")
    assert "phutho.xa" in found["detail"]
    assert "/v1/rulesets" in found["detail"]


READS = (
    "/v1/rulesets",
    "/v1/rulesets?limit=3",
    "/v1/rulesets/phutho.commune",
    "/v1/indicators",
    "/v1/indicators/area_island",
    "/v1/vocabulary",
)


@pytest.mark.parametrize("url", READS)
async def test_a_read_that_the_caller_holds_is_304(client: httpx.AsyncClient, url: str) -> None:
    first = await client.get(url)
    tag = first.headers["etag"]
    assert re.fullmatch(r'"[^"]+"', tag)
    for held in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        again = await client.get(url, headers={"if-none-match": held})
        assert again.status_code == 304, held
        assert again.content == b""
        assert again.headers["etag"] == tag
    for held in ('"x"', "", tag.strip('"'), tag.swapcase() + "x"):
        again = await client.get(url, headers={"if-none-match": held})
        assert again.status_code == 200, held
        assert again.json() == first.json()


async def test_a_tag_of_one_language_is_not_one_of_the_other(client: httpx.AsyncClient) -> None:
    url = "/v1/rulesets/phutho.commune"
    vi = await client.get(url)
    en = await client.get(
        url, headers={"accept-language": "en", "if-none-match": vi.headers["etag"]}
    )
    assert en.status_code == 200
    assert en.headers["etag"] != vi.headers["etag"]
    assert en.headers["content-language"] == "en"
    assert "accept-language" in en.headers["vary"].lower()


async def test_an_error_is_never_304(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/rulesets/nope", headers={"if-none-match": "*"})
    assert answer.status_code == 404
    problem(answer)
