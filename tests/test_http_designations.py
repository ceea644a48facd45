"""Pilot designations over HTTP: recorded, listed, shown on the day, withdrawn."""

from __future__ import annotations

import itertools
from typing import Any

import httpx
import pytest
from conftest import Described, Join, problem
from test_http_units import everything

from app.domain.clock import today

Item = dict[str, Any]
KEYS = {"id", "model", "authority", "decision", "date", "source"}
# Communes of Lạng Sơn that no other file of tests writes to; Phú Thọ's past is written to below.
HERE = "20"
NUMBERS = itertools.count(1)


def decided(date: str | None = "2025-08-01", **other: Any) -> Item:
    """Return a decision that is like no other."""
    return {
        "model": "smart",
        "authority": "province",
        "decision": f"{next(NUMBERS)}/QĐ-THU",
        "date": date,
        "source": "Công báo",
    } | other


async def designate(client: httpx.AsyncClient, code: str, body: Item) -> int:
    """Record a designation; return its number."""
    answer = await client.post(f"/v1/communes/{code}/designations", json=body)
    assert answer.status_code == 201, answer.text[:300]
    numbers = [
        int(one["id"])
        for one in answer.json()["designations"]
        if (one["decision"], one["model"]) == (body["decision"], body["model"])
    ]
    return numbers[0]


async def listed(client: httpx.AsyncClient, **params: str) -> list[int]:
    """Return the numbers of the designations in a list."""
    items = await everything(client, "/v1/designations", limit="500", **params)
    return [one["id"] for one in items]


async def shown(client: httpx.AsyncClient, code: str, on: str | None = None) -> list[int]:
    """Return the numbers of the designations shown with a commune of a day."""
    answer = await client.get(f"/v1/communes/{code}", params={"on": on} if on else {})
    assert answer.status_code == 200, answer.text[:300]
    return [one["id"] for one in answer.json()["designations"]]


async def test_a_designation_is_recorded_and_shown_as_it_was_given(
    client: httpx.AsyncClient, described: Described
) -> None:
    body = decided(decision="969/QĐ-BNN-VPĐP", authority="central")
    answer = await client.post("/v1/communes/05977/designations", json=body)
    described.judge(answer)
    assert answer.status_code == 201
    found = answer.json()["designations"]
    assert len(found) == 1
    assert set(found[0]) == KEYS
    assert {name: found[0][name] for name in body} == body
    assert (await client.get("/v1/communes/05977")).json()["designations"] == found
    location = await client.get(answer.headers["location"])
    assert location.json()["designations"] == found
    communes = await everything(client, "/v1/communes", under=HERE, limit="500")
    assert [one["designations"] for one in communes if one["code"] == "05977"] == [found]


async def test_the_location_of_a_designation_of_the_past_can_be_read(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.post("/v1/communes/05983/designations", json=decided("2025-03-16"))
    assert answer.status_code == 201
    assert answer.json()["unit"] == "commune-05983"
    assert (await client.get(answer.headers["location"])).status_code == 200


async def test_the_same_decision_for_the_same_model_is_recorded_once(
    client: httpx.AsyncClient, described: Described
) -> None:
    body = decided()
    number = await designate(client, "05986", body)
    again = await client.post("/v1/communes/05986/designations", json=body)
    described.judge(again)
    found = problem(again)
    assert (found["status"], found["code"]) == (409, "duplicate")
    assert await shown(client, "05986") == [number]
    other = await designate(client, "05986", body | {"model": "ecom"})
    elsewhere = await designate(client, "06001", body)
    assert await shown(client, "05986") == [number, other]
    assert await shown(client, "06001") == [elsewhere]


async def test_what_is_withdrawn_is_not_shown_and_can_be_recorded_anew(
    client: httpx.AsyncClient, described: Described
) -> None:
    body = decided()
    number = await designate(client, "06004", body)
    path = f"/v1/designations/{number}/withdraw"
    answer = await client.post(path, json={"reason": "ghi nhầm xã"})
    described.judge(answer)
    assert answer.status_code == 200
    assert answer.json() == {"id": number, "reason": "ghi nhầm xã"}
    assert await shown(client, "06004") == []
    assert number not in await listed(client)
    second = await client.post(path, json={"reason": "ghi nhầm xã"})
    described.judge(second)
    assert (second.status_code, problem(second)["code"]) == (409, "already-withdrawn")
    assert await designate(client, "06004", body) > number


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": 1}, {"reason": "a", "by": "b"}])
async def test_a_withdrawal_has_a_reason(client: httpx.AsyncClient, body: Item) -> None:
    number = await designate(client, "06019", decided())
    answer = await client.post(f"/v1/designations/{number}/withdraw", json=body)
    assert problem(answer)["status"] == 422
    assert number in await shown(client, "06019")


@pytest.mark.parametrize("number", ["2147483647", "0", "-1", "99999999999", "x"])
async def test_what_is_no_designation_cannot_be_withdrawn(
    client: httpx.AsyncClient, number: str
) -> None:
    answer = await client.post(f"/v1/designations/{number}/withdraw", json={"reason": "a"})
    assert problem(answer)["status"] in (404, 422)


async def test_the_list_is_filtered_by_model_and_authority(
    client: httpx.AsyncClient, described: Described
) -> None:
    numbers = {
        (model, authority): await designate(
            client, "06037", decided(model=model, authority=authority)
        )
        for model in ("smart", "ecom")
        for authority in ("central", "province")
    }
    for (model, authority), number in numbers.items():
        params = {"model": model, "authority": authority, "under": "06037"}
        assert await listed(client, **params) == [number]
        described.judge(await client.get("/v1/designations", params=params))
    smart = await listed(client, model="smart", under="06037")
    assert smart == [numbers["smart", "central"], numbers["smart", "province"]]
    central = await listed(client, authority="central", under=HERE)
    assert {numbers["smart", "central"], numbers["ecom", "central"]} <= set(central)
    assert await listed(client, under="06037") == sorted(numbers.values())


async def test_a_listed_designation_names_its_unit(client: httpx.AsyncClient) -> None:
    number = await designate(client, "06040", decided())
    items = await everything(client, "/v1/designations", under="06040")
    assert [one["id"] for one in items] == [number]
    assert set(items[0]) == KEYS | {"unit"}
    assert items[0]["unit"]["unit"] == "commune-06040-2025"
    assert items[0]["unit"]["path"][0]["code"] == HERE


@pytest.mark.parametrize(
    "query", ["model=other", "authority=", "under=xã", "on=x", "limit=0", "unit=06040", "cursor=x"]
)
async def test_a_wrong_filter_is_refused(client: httpx.AsyncClient, query: str) -> None:
    assert problem(await client.get(f"/v1/designations?{query}"))["status"] == 422


async def test_what_was_decided_after_the_day_is_not_shown(client: httpx.AsyncClient) -> None:
    number = await designate(client, "06046", decided("2025-09-01"))
    for day, known in (("2025-08-31", False), ("2025-09-01", True), ("2026-10-01", True)):
        assert (number in await shown(client, "06046", day)) is known
        assert (number in await listed(client, on=day, under="06046")) is known
    assert number in await listed(client)


async def test_a_decision_of_an_unknown_day_is_shown_on_every_day(
    client: httpx.AsyncClient,
) -> None:
    number = await designate(client, "06058", decided(None))
    for day in ("2025-07-01", today().isoformat()):
        assert number in await shown(client, "06058", day)
        assert number in await listed(client, on=day, under="06058")
    body = decided()
    del body["date"]
    assert await designate(client, "06058", body) > number


async def test_the_day_of_the_decision_tells_which_commune_was_chosen(
    client: httpx.AsyncClient,
) -> None:
    number = await designate(client, "06073", decided("2023-03-16"))
    assert await shown(client, "06073", "2025-06-30") == [number]
    assert await shown(client, "06073", "2025-07-01") == []
    assert await shown(client, "06073", "2023-03-15") == []
    assert number in await listed(client)
    assert number in await listed(client, on="2025-03-01")
    # The commune has ended: it is not there on that day.
    assert number not in await listed(client, on="2025-08-01")


async def test_a_province_of_today_reaches_what_was_decided_for_its_predecessors(
    client: httpx.AsyncClient,
) -> None:
    # Hòa Bình, Vĩnh Phúc and old Phú Thọ became Phú Thọ.
    numbers = [
        await designate(client, code, decided("2023-03-16")) for code in ("04792", "08707", "07918")
    ]
    new = await designate(client, "04846", decided("2025-08-01"))
    found = await listed(client, under="25")
    assert {*numbers, new} <= set(found)
    assert found == sorted(found)
    before = await listed(client, under="25", on="2025-03-01")
    assert numbers[2] in before
    assert not {numbers[0], numbers[1], new} & set(before)
    assert numbers[0] in await listed(client, under="17", on="2025-03-01")
    assert not set(numbers) & set(await listed(client, under="86"))


async def test_a_commune_of_today_reaches_what_was_decided_for_its_predecessors(
    client: httpx.AsyncClient,
) -> None:
    number = await designate(client, "04813", decided("2024-05-01"))
    # Xã Yên Mông became Phường Tân Hòa, 04792.
    assert number in await listed(client, under="04792")
    assert number not in await shown(client, "04792")


async def test_pages_give_every_designation_once(client: httpx.AsyncClient) -> None:
    for _ in range(5):
        await designate(client, "06076", decided())
    large = await everything(client, "/v1/designations", under="06076")
    assert len(large) == 5
    for limit in ("1", "2", "5"):
        found = await everything(client, "/v1/designations", under="06076", limit=limit)
        assert found == large


WRONG: list[tuple[Item, str]] = [
    ({"model": "both"}, "/model"),
    ({"model": None}, "/model"),
    ({"authority": "district"}, "/authority"),
    ({"decision": ""}, "/decision"),
    ({"decision": 969}, "/decision"),
    ({"date": "16/3/2023"}, "/date"),
    ({"date": 20230316}, "/date"),
    ({"source": ""}, "/source"),
    ({"exempt": True}, "/exempt"),
]


@pytest.mark.parametrize(("other", "pointer"), WRONG, ids=ascii)
async def test_a_wrong_designation_is_refused_with_its_place_and_not_stored(
    client: httpx.AsyncClient, described: Described, other: Item, pointer: str
) -> None:
    answer = await client.post("/v1/communes/06079/designations", json=decided() | other)
    described.judge(answer)
    found = problem(answer)
    assert found["status"] == 422
    assert pointer in [one["pointer"] for one in found["errors"]]
    assert await shown(client, "06079") == []


async def test_only_a_client_of_the_territory_with_the_scope_may_designate_and_withdraw(
    join: Join,
) -> None:
    local, elsewhere = await join("20"), await join("86")
    reader = await join("VN", "read")
    path, body = "/v1/communes/06085/designations", decided()
    assert problem(await elsewhere.http.post(path, json=body))["status"] == 404
    assert problem(await reader.http.post(path, json=body))["code"] == "insufficient-scope"
    assert await shown(reader.http, "06085") == []
    number = await designate(local.http, "06085", body)
    withdrawal = f"/v1/designations/{number}/withdraw"
    reason = {"reason": "a"}
    assert problem(await elsewhere.http.post(withdrawal, json=reason))["status"] == 404
    assert (await reader.http.post(withdrawal, json=reason)).status_code == 403
    assert await shown(reader.http, "06085") == [number]
    # The register is visible to every client.
    assert number in await listed(elsewhere.http, under="20")
    assert (await local.http.post(withdrawal, json=reason)).status_code == 200


async def test_a_province_designates_for_the_units_it_descends_from(join: Join) -> None:
    phu_tho = await join("25")
    number = await designate(phu_tho.http, "08713", decided("2024-05-01"))
    answer = await phu_tho.http.post(
        f"/v1/designations/{number}/withdraw", json={"reason": "ghi nhầm"}
    )
    assert answer.status_code == 200
