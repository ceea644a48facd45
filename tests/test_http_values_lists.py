"""Lists of values over HTTP: narrowed, paged, and cut to what the caller may see."""

from __future__ import annotations

import itertools
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import date

import httpx
import pytest
from conftest import Described, Join, calling, problem
from fastapi import FastAPI
from test_http_units import everything
from value_calls import (
    COUNT,
    RATE,
    TRUTH,
    VALUES,
    Item,
    ended,
    entry,
    ids,
    listed,
    one,
    ratio,
    record,
)

from app.database import Database
from app.domain import clients, unit_lookup
from app.domain.clients import SCOPES

# Three communes of a district of Lai Châu until 2025-06-30; no other file records values there.
DISTRICT = "district-107"
UNITS = ("03433", "03454", "03469")
THEN = "2024-06-30"
Past = Callable[[str], Awaitable[httpx.AsyncClient]]


@pytest.fixture
async def join_past(service: FastAPI, database: Database) -> AsyncIterator[Past]:
    """Make callers whose territory is a unit that has ended by today."""
    joined: list[httpx.AsyncClient] = []

    async def make(place: str) -> httpx.AsyncClient:
        async with database.reading() as connection:
            unit = await unit_lookup.get(connection, place, date(2025, 1, 1))
        async with database.transaction() as session:
            made, _ = await clients.add(session, f"past {place}", unit, list(SCOPES))
        joined.append(calling(service, token=service.state.tokens.issue(made.client_id, SCOPES)))
        return joined[-1]

    yield make
    for http in joined:
        await http.aclose()


async def filled(client: httpx.AsyncClient) -> list[Item]:
    """Record a value for every unit, indicator and period; return them."""
    named = itertools.product(UNITS, ((COUNT, 7), (TRUTH, True)), ("2023", "2024-Q1", "2024"))
    return await record(
        client, *(entry(unit, fact, code, period=period) for unit, (code, fact), period in named)
    )


FILTERS = {"unit": UNITS[0], "under": DISTRICT, "indicator": COUNT, "period": "2024"}


@pytest.mark.parametrize(
    "names",
    [some for size in range(5) for some in itertools.combinations(FILTERS, size)],
    ids=",".join,
)
@pytest.mark.parametrize("status", [None, "reported"])
async def test_a_list_holds_what_fits_every_filter(
    client: httpx.AsyncClient, described: Described, names: tuple[str, ...], status: str | None
) -> None:
    """Filters narrow together, a page at a time shows the same, and nothing is shown twice."""
    made = await filled(client)
    params = {name: FILTERS[name] for name in names}
    if "period" not in names:
        params["on"] = THEN
    if status:
        params["status"] = status
    described.judge(await client.get(VALUES, params=params))
    found = await everything(client, VALUES, limit="500", **params)
    assert len(set(ids(found))) == len(found)
    for name, kept in (
        ("unit", lambda each: each["unit"]["code"] == UNITS[0]),
        ("under", lambda each: each["unit"]["code"] in UNITS),
        ("indicator", lambda each: each["indicator"] == COUNT),
        ("period", lambda each: each["period"] == "2024"),
    ):
        if name in names:
            assert all(kept(each) for each in found), name
            made = [each for each in made if kept(each)]
    assert made
    assert [each for each in found if each["id"] in ids(made)] == sorted(
        made, key=lambda each: ids(found).index(each["id"])
    )
    if "under" in names or "unit" in names:
        assert len(found) == len(made)
        sent = params | {"limit": "1"}
        for each in found:
            page = (await client.get(VALUES, params=sent)).json()
            assert page["items"] == [each]
            sent["cursor"] = page["next"]
        assert await everything(client, VALUES, limit="1", **params) == found
        assert await everything(client, VALUES, limit="2", **params) == found


async def test_a_status_is_one_of_the_current_values(client: httpx.AsyncClient) -> None:
    """A list holds what counts now; what was retracted is listed by its status only."""
    made = await filled(client)
    gone = made[0]
    await client.post(f"{VALUES}/{gone['id']}/retract", json={"reason": "nhập nhầm"})
    params = {"under": DISTRICT, "on": THEN}
    kept = set(ids(made)) - {gone["id"]}
    assert set(ids(await listed(client, **params))) == kept
    assert set(ids(await listed(client, **params, status="reported"))) == kept
    assert await listed(client, **params, status="retracted") == [ended(gone, "retracted")]


async def test_a_page_leads_to_the_next_one_with_its_filters(client: httpx.AsyncClient) -> None:
    """The Link header is a request of its own: whoever follows it needs nothing else."""
    await filled(client)
    params = {"under": DISTRICT, "on": THEN, "limit": "5"}
    answer, found = await client.get(VALUES, params=params), []
    while True:
        found += ids(answer.json()["items"])
        link = re.fullmatch(r'<(.+)>; rel="next"', answer.headers.get("link", ""))
        if link is None:
            break
        answer = await client.get(link[1])
    assert answer.json()["next"] is None
    assert found == ids(await listed(client, under=DISTRICT, on=THEN))


@pytest.mark.parametrize(
    "other",
    [
        {"indicator": TRUTH},
        {"period": "2024"},
        {"status": "reported"},
        {"unit": UNITS[0]},
        {"under": "district-106"},
        {"on": "2024-01-01"},
        {"updated_since": "2024-01-01T00:00:00Z"},
    ],
    ids=str,
)
async def test_a_cursor_belongs_to_its_filters(client: httpx.AsyncClient, other: Item) -> None:
    """A cursor that was made for other filters is refused, and so is one that was made up."""
    await filled(client)
    params = {"under": DISTRICT, "on": THEN, "limit": "1"}
    cursor = (await client.get(VALUES, params=params)).json()["next"]
    assert cursor
    for sent in (params | other | {"cursor": cursor}, params | other | {"cursor": "x"}):
        found = problem(await client.get(VALUES, params=sent))
        assert (found["status"], found["code"]) == (422, "invalid-cursor")


@pytest.mark.parametrize(
    ("query", "pointer", "code"),
    [
        ("indicator=no_such_rate", "/indicator", "unknown-indicator"),
        ("period=2024-13", "/period", ""),
        ("status=wrong", "/status", ""),
        ("status=", "/status", ""),
        ("limit=0", "/limit", ""),
        ("limit=501", "/limit", ""),
        ("on=x", "/on", ""),
        ("under=99", "/under", "unit-not-found"),
        ("unit=99999", "/unit", "unit-not-found"),
        ("unit=03334&period=2025", "/unit", "ambiguous-unit"),
        ("under=24&period=2025", "/under", "ambiguous-unit"),
        ("since=2024", "/since", "unknown-field"),
        ("with_predecessors=true", "/with_predecessors", "missing-field"),
        ("with_predecessors=maybe&unit=25", "/with_predecessors", ""),
        ("unit=25&unit=26", "/unit", "repeated-parameter"),
    ],
)
async def test_a_wrong_filter_is_refused(
    client: httpx.AsyncClient, described: Described, query: str, pointer: str, code: str
) -> None:
    """A filter that cannot be meant is told from one that fits nothing."""
    answer = await client.get(f"{VALUES}?{query}")
    described.judge(answer)
    found = problem(answer)
    assert found["status"] in (404, 422)
    assert [each["pointer"] for each in found["errors"]] == [pointer]
    if code:
        assert found["code"] == code


# Who sees what.


async def hidden(caller: httpx.AsyncClient, value: Item) -> None:
    """Check that a value is to its caller as one that never existed."""
    unit = value["unit"]["unit"]
    never = 10**15 - 1 - value["id"]
    for method, rest, body in (
        ("GET", "", None),
        ("GET", "/history", None),
        ("POST", "/retract", {"reason": "thử"}),
    ):
        foreign = await caller.request(method, f"{VALUES}/{value['id']}{rest}", json=body)
        absent = await caller.request(method, f"{VALUES}/{never}{rest}", json=body)
        assert (problem(foreign)["status"], problem(foreign)["code"]) == (404, "value-not-found")
        assert foreign.text.replace(str(value["id"]), "#") == absent.text.replace(str(never), "#")
    found = problem(await caller.get(VALUES, params={"unit": unit, "period": value["period"]}))
    assert (found["status"], found["code"]) == (404, "outside-territory")
    assert value["id"] not in ids(await everything(caller, VALUES, limit="500"))
    assert value["id"] not in ids(await listed(caller, updated_since=value["recorded_at"]))


async def seen(caller: httpx.AsyncClient, value: Item) -> None:
    """Check that a value is to be found in every way."""
    unit = value["unit"]["unit"]
    assert await one(caller, value["id"]) == value
    assert (await caller.get(f"{VALUES}/{value['id']}/history")).status_code == 200
    assert value in await listed(caller, unit=unit, period=value["period"])
    assert value in await listed(caller, updated_since=value["recorded_at"])
    assert value in await everything(caller, VALUES, limit="500")


async def test_a_province_sees_its_values_only(client: httpx.AsyncClient, join: Join) -> None:
    """A client sees the values of its province, past and present, and no others."""
    lai_chau, dien_bien = (await join("12")).http, (await join("11")).http
    values = await record(
        client,
        entry("03400", 1),
        entry("03430", 1, period="2026"),
        entry("12", 1, "smart_commune_pilot_models_count"),
    )
    for value in values:
        await seen(client, value)
        await seen(lai_chau, value)
        await hidden(dien_bien, value)
    under = await listed(dien_bien, under="12", period="2026")
    assert under == []


async def test_a_province_of_today_sees_the_past_of_those_it_came_from(
    client: httpx.AsyncClient, join: Join
) -> None:
    """A client of Vĩnh Long sees what Trà Vinh reported before it was taken in."""
    vinh_long, phu_tho = (await join("86")).http, (await join("25")).http
    commune = (await client.get("/v1/communes?under=84&on=2024-06-30&limit=1")).json()["items"][0]
    values = await record(
        client,
        entry(commune["unit"], ratio(1, 2), RATE, period="2023-Q3"),
        entry("84", 1, "smart_commune_pilot_models_count", period="2023-Q3"),
    )
    for value in values:
        await seen(vinh_long, value)
        await hidden(phu_tho, value)
        assert value in await listed(vinh_long, under="84", period="2023-Q3")
        assert value in await listed(vinh_long, under="86", on="2026-01-01", limit="500")
        assert value not in await listed(vinh_long, under="86", period="2023-Q3")


async def test_a_commune_sees_its_own_values_and_those_it_came_from(
    client: httpx.AsyncClient, join: Join
) -> None:
    """A client of a commune of today sees those that became it, and not its neighbours."""
    caller = (await join("03472")).http
    mine = await record(
        client, entry("03472", 1), entry("03473", 1), entry("03472", 2, period="2026")
    )
    others = await record(
        client, entry("03474", 1), entry("district-112", ["health"], "essential_services_provided")
    )
    for value in mine:
        await seen(caller, value)
    for value in others:
        await hidden(caller, value)
    assert set(ids(await listed(caller))) >= set(ids(mine))
    assert {each["unit"]["code"] for each in await listed(caller)} == {"03472", "03473"}


async def test_a_district_sees_its_communes_of_that_time(
    client: httpx.AsyncClient, join_past: Past
) -> None:
    """A client of a district that has ended sees its past and nothing of what followed."""
    caller = await join_past("district-108")
    mine = await record(
        client,
        entry("03478", 1),
        entry("03505", 1),
        entry("district-108", ["health"], "essential_services_provided"),
    )
    others = await record(
        client, entry("03478", 2, period="2026"), entry("03586", 1), entry("district-109", [],
        "essential_services_provided"),
    )  # fmt: skip
    for value in mine:
        await seen(caller, value)
    for value in others:
        await hidden(caller, value)
