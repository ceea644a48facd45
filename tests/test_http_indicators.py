"""Reading the indicator catalogue: filters, search with and without diacritics, uses."""

from __future__ import annotations

import unicodedata
from typing import Any

import httpx
import pytest
from conftest import problem

KINDS = ("boolean", "count", "ratio", "set", "attribute", "designation")
LEVELS = ("nation", "province", "district", "commune", "hamlet")


async def _list(client: httpx.AsyncClient, **params: str) -> list[dict[str, Any]]:
    answer = await client.get("/v1/indicators", params={"limit": "500", **params})
    assert answer.status_code == 200, answer.text
    assert answer.json()["next"] is None
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def _codes(client: httpx.AsyncClient, **params: str) -> set[str]:
    return {one["code"] for one in await _list(client, **params)}


async def test_the_catalogue_is_listed_by_code_each_once(client: httpx.AsyncClient) -> None:
    codes = [one["code"] for one in await _list(client)]
    assert codes == sorted(set(codes))
    ready = (await client.get("/readyz")).json()
    assert len(codes) == ready["indicators"] > 100


async def test_pages_of_indicators_add_up_to_the_whole(client: httpx.AsyncClient) -> None:
    seen: list[str] = []
    cursor: str | None = None
    while True:
        params = {"limit": "40"} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/v1/indicators", params=params)).json()
        seen += [one["code"] for one in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
        assert len(page["items"]) == 40
    assert seen == [one["code"] for one in await _list(client)]


async def test_an_indicator_says_what_is_measured(client: httpx.AsyncClient) -> None:
    for one in await _list(client):
        assert one["name"]["vi"].strip()
        assert one["name"]["en"].strip()
        assert one["kind"] in KINDS
        assert one["levels"]
        assert set(one["levels"]) <= set(LEVELS)
        assert one["theme"]
        assert (one["kind"] == "set") == bool(one["members"])
        assert (one["kind"] == "ratio") == bool(one["numerator"] and one["denominator"])
        assert (one["kind"] == "designation") == bool(one["model"])
        assert (one["kind"] in ("attribute", "designation")) == (one["validity"] is None)


@pytest.mark.parametrize("kind", KINDS)
async def test_kind_lists_exactly_the_indicators_of_that_kind(
    client: httpx.AsyncClient, kind: str
) -> None:
    everything = await _list(client)
    wanted = {one["code"] for one in everything if one["kind"] == kind}
    assert wanted
    assert await _codes(client, kind=kind) == wanted


@pytest.mark.parametrize("level", LEVELS)
async def test_level_lists_exactly_the_indicators_recorded_there(
    client: httpx.AsyncClient, level: str
) -> None:
    wanted = {one["code"] for one in await _list(client) if level in one["levels"]}
    assert wanted
    assert await _codes(client, level=level) == wanted


async def test_theme_lists_exactly_the_indicators_of_that_theme(client: httpx.AsyncClient) -> None:
    everything = await _list(client)
    themes = {one["theme"] for one in everything}
    assert len(themes) > 5
    for theme in themes:
        wanted = {one["code"] for one in everything if one["theme"] == theme}
        assert await _codes(client, theme=theme) == wanted


async def test_an_unknown_theme_is_told_the_known_ones(client: httpx.AsyncClient) -> None:
    themes = {one["theme"] for one in await _list(client)}
    detail = problem(await client.get("/v1/indicators?theme=x"))["detail"]
    assert all(theme in detail for theme in themes)


async def test_ruleset_lists_exactly_the_indicators_its_criteria_use(
    client: httpx.AsyncClient,
) -> None:
    uses: dict[str, set[str]] = {}
    for one in await _list(client):
        detail = (await client.get(f"/v1/indicators/{one['code']}")).json()
        for use in detail["used_by"]:
            uses.setdefault(use["ruleset"], set()).add(one["code"])
    rulesets = [one["id"] for one in (await client.get("/v1/rulesets")).json()["items"]]
    assert set(uses) == set(rulesets)
    for ruleset in rulesets:
        assert await _codes(client, ruleset=ruleset) == uses[ruleset], ruleset


async def test_the_indicators_of_a_ruleset_are_those_its_facts_are_read_from(
    client: httpx.AsyncClient,
) -> None:
    codes = await _codes(client, ruleset="bnn3445.selection.smart")
    assert {
        "ntm_advanced_recognized_2021_2025",
        "households_internet_connected_rate",
        "area_island",
        "area_ethnic_minority_mountainous",
    } <= codes
    assert "adults_smartphone_internet_rate" not in codes
    members = await _codes(client, ruleset="travinh.province")
    assert {"communes_ntm_8_4_rate", "commune_ntm_8_4_met"} <= members


async def test_filters_narrow_together(client: httpx.AsyncClient) -> None:
    both = await _codes(client, kind="ratio", ruleset="phutho.commune")
    assert both == await _codes(client, kind="ratio") & await _codes(
        client, ruleset="phutho.commune"
    )
    assert len(both) == 5
    three = await _codes(client, kind="ratio", ruleset="phutho.commune", q="smartphone")
    assert three == {
        "adults_smartphone_internet_rate",
        "commune_hamlet_cadres_smartphone_internet_rate",
    }
    assert await _codes(client, kind="set", ruleset="phutho.commune") == set()


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("hải đảo", "area_island"),
        ("hai dao", "area_island"),
        ("HẢI ĐẢO", "area_island"),
        ("Hai Dao", "area_island"),
        ("  hải   đảo  ", "area_island"),
        (unicodedata.normalize("NFD", "hải đảo"), "area_island"),
        (unicodedata.normalize("NFD", "HẢI ĐẢO"), "area_island"),
        ("island", "area_island"),
        ("area_isl", "area_island"),
        ("AREA_ISLAND", "area_island"),
        ("đường thuê bao", "internet_lines_per_household_rate"),
        ("duong thue bao", "internet_lines_per_household_rate"),
        (unicodedata.normalize("NFD", "Đường thuê bao"), "internet_lines_per_household_rate"),
        ("dân tộc thiểu số", "area_ethnic_minority_mountainous"),
        ("dan toc thieu so", "area_ethnic_minority_mountainous"),
    ],
)
async def test_q_finds_what_is_written_however_it_is_typed(
    client: httpx.AsyncClient, typed: str, code: str
) -> None:
    found = await _codes(client, q=typed)
    assert code in found
    assert len(found) < 20


async def test_q_without_diacritics_finds_what_q_with_them_finds(
    client: httpx.AsyncClient,
) -> None:
    for words in ("hợp tác xã", "điện thoại thông minh", "thanh toán", "khu dân cư", "tỷ lệ hộ"):
        plain = unicodedata.normalize("NFD", words.replace("đ", "d"))
        plain = "".join(one for one in plain if not unicodedata.combining(one))
        found = await _codes(client, q=words)
        assert found
        assert found <= await _codes(client, q=plain)


async def test_q_that_nothing_matches_lists_nothing(client: httpx.AsyncClient) -> None:
    assert await _codes(client, q="zzzz không có") == set()


@pytest.mark.parametrize("q", ["%", "_", ".*", "(", "[", "\\", "'", '"', "😀"])
async def test_q_is_text_and_no_pattern(client: httpx.AsyncClient, q: str) -> None:
    found = await _list(client, q=q)
    for one in found:
        assert q in f"{one['code']} {one['name']['vi']} {one['name']['en']}"


async def test_an_indicator_repeats_its_item(client: httpx.AsyncClient) -> None:
    for item in (await _list(client))[::10]:
        found = (await client.get(f"/v1/indicators/{item['code']}")).json()
        assert found.items() >= item.items()


async def test_used_by_names_criteria_that_exist_and_read_the_indicator(
    client: httpx.AsyncClient,
) -> None:
    found = (
        await client.get("/v1/indicators/commune_hamlet_cadres_smartphone_internet_rate")
    ).json()
    uses = {(use["ruleset"], use["criterion"]): use for use in found["used_by"]}
    assert set(uses) == {
        ("phutho.commune", "phutho.1.1.2"),
        ("bnn3445.annex1", "bnn3445.annex1.5.2"),
    }
    use = uses["phutho.commune", "phutho.1.1.2"]
    assert "100%" in use["text"]["vi"]
    assert use["text"]["en"].strip()
    assert "Hướng dẫn /HD-STTTT" in use["cite"]
    assert "1.1.2" in use["cite"]


async def test_an_area_class_is_used_by_the_criteria_whose_threshold_depends_on_it(
    client: httpx.AsyncClient,
) -> None:
    found = (await client.get("/v1/indicators/area_island")).json()
    assert {use["criterion"] for use in found["used_by"]} == {
        "bnn3445.selection.smart.5",
        "bnn3445.selection.ecom.3",
    }


async def test_a_value_of_members_is_used_by_the_criteria_that_share_it_out(
    client: httpx.AsyncClient,
) -> None:
    found = (await client.get("/v1/indicators/commune_ntm_8_4_met")).json()
    assert {"qd924.1b.1", "travinh.1b.1", "travinh.province.1b.1"} & {
        use["criterion"] for use in found["used_by"]
    }


async def test_look_alikes_say_how_they_differ(client: httpx.AsyncClient) -> None:
    codes = await _codes(client)
    with_some = 0
    for code in sorted(codes):
        found = (await client.get(f"/v1/indicators/{code}")).json()
        with_some += bool(found["look_alikes"])
        for one in found["look_alikes"]:
            assert one["code"] in codes - {code}
            assert one["name"]["vi"].strip()
            assert one["difference"]["vi"].strip()
            assert one["difference"]["en"].strip()
    assert with_some > 10


async def test_an_unknown_indicator_is_named_and_the_search_is_pointed_to(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.get("/v1/indicators/area_moon")
    found = problem(answer)
    assert (answer.status_code, found["code"]) == (404, "indicator-not-found")
    assert "area_moon" in found["detail"]
    assert "/v1/indicators" in found["detail"]
