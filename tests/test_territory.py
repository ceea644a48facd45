"""Territories: what a client reaches, in the past too, and what is closed to it."""

from __future__ import annotations

import asyncio
import csv
import datetime
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx
import pytest
from conftest import ANYTHING, Described, Join, Member, calling, problem
from fastapi import FastAPI
from sqlalchemy import func, select

import app.domain.register as register_files
from app.database import Database
from app.domain import clients, territory, unit_lookup
from app.domain.clients import SCOPES, Client
from app.domain.clock import today
from app.domain.commune_facts import UnitAttribute
from app.domain.territory import EVERYWHERE, Caller, Territories, Territory, visible_to
from app.domain.unit_lookup import Found

BEFORE: Final = datetime.date(2024, 6, 1)
AFTER: Final = datetime.date(2026, 1, 1)
FOREIGN: Final = "00001"  # Phường Phúc Xá, Hà Nội, until 2025-07-01
FOREIGN_NOW: Final = "00004"  # in today's Hà Nội


class Row(NamedTuple):
    """A unit as the shipped register has it."""

    key: str
    level: str
    code: str
    parent: str
    until: str


def _rows(name: str) -> list[dict[str, str]]:
    path = Path(str(register_files.__file__)).with_name(name)
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


UNITS: Final[Mapping[str, Row]] = {
    one["unit"]: Row(one["unit"], one["level"], one["code"], one["parent_unit"], one["valid_to"])
    for one in _rows("units.csv")
}
CAME: Final[dict[str, set[str]]] = defaultdict(set)
WENT: Final[dict[str, set[str]]] = defaultdict(set)
WHOLE: Final[dict[str, bool]] = {}
for _edge in _rows("successors.csv"):
    CAME[_edge["to_unit"]].add(_edge["from_unit"])
    WENT[_edge["from_unit"]].add(_edge["to_unit"])
    WHOLE[_edge["to_unit"]] = WHOLE.get(_edge["to_unit"], True) and _edge["extent"] == "whole"


def _province(key: str) -> str:
    while UNITS[key].level != "province":
        key = UNITS[key].parent
    return key


def _old_communes(province: str) -> list[Row]:
    """Return the communes that a province had until 2025-07-01."""
    return [
        one
        for one in UNITS.values()
        if one.level == "commune" and one.until == "2025-07-01" and _province(one.key) == province
    ]


def _merged() -> tuple[Row, list[Row], list[Row]]:
    """Return a commune of today's Phú Thọ formed from three whole ones, these, and neighbours."""
    for key, came in sorted(CAME.items()):
        if len(came) == 3 and WHOLE[key] and key.startswith("commune-0484"):
            three = [UNITS[one] for one in sorted(came)]
            assert all(WENT[one.key] == {key} for one in three)
            near = [
                one
                for one in UNITS.values()
                if one.level == "commune" and one.parent == three[0].parent and one not in three
            ]
            return UNITS[key], three, near
    raise AssertionError("the register has no such commune")


MERGED, THREE, NEAR = _merged()


def body(on: datetime.date = BEFORE, source: str = "thử") -> dict[str, Any]:
    """Return an area class from a day on."""
    return {"value": True, "from": str(on), "to": None, "source": source}


async def put(
    caller: httpx.AsyncClient, code: str, on: datetime.date = BEFORE, **more: Any
) -> httpx.Response:
    """Record an area class of a commune."""
    path = f"/v1/communes/{code}/attributes/area_island"
    return await caller.put(path, json=body(on) | more, headers=ANYTHING)


async def find(database: Database, place: str, on: datetime.date | None = None) -> Found:
    """Return a unit of a day."""
    async with database.reading() as connection:
        return await unit_lookup.get(connection, place, on or today())


async def resolved(database: Database, place: str, on: datetime.date | None = None) -> Territory:
    """Return the territory of a unit of a day."""
    unit = await find(database, place, on)
    async with database.reading() as connection:
        return await territory.resolve(connection, unit.id, unit.level)


async def count(database: Database) -> int:
    """Return how many area classes are on record."""
    async with database.transaction() as session:
        found = await session.scalar(select(func.count()).select_from(UnitAttribute))
    return int(found or 0)


async def closed(
    member: Member, code: str, on: datetime.date, database: Database, described: Described
) -> None:
    """Fail unless the member's writing there is refused and changes nothing."""
    before = await count(database)
    answer = await put(member.http, code, on)
    assert answer.status_code == 404, answer.text
    assert problem(answer)["code"] == "outside-territory"
    described.judge(answer)
    assert await count(database) == before


@pytest.fixture
async def join_past(service: FastAPI, database: Database) -> AsyncIterator[Any]:
    """Make clients of units that have ended by today."""
    joined: list[httpx.AsyncClient] = []

    async def make(place: str) -> Member:
        unit = await find(database, place, BEFORE)
        async with database.transaction() as session:
            made, secret = await clients.add(session, f"past {place}", unit, list(SCOPES))
        http = calling(service, token=service.state.tokens.issue(made.client_id, SCOPES))
        joined.append(http)
        return Member(made.client_id, secret, http)

    yield make
    for http in joined:
        await http.aclose()


# --- provinces ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "old"),
    [("86", "84"), ("86", "83"), ("86", "86"), ("25", "17"), ("25", "26"), ("25", "25")],
)
async def test_a_province_of_today_writes_into_the_past_of_all_that_it_came_from(
    join: Join, now: str, old: str, described: Described
) -> None:
    member = await join(now, "values:write")
    for commune in (_old_communes(f"province-{old}")[0], _old_communes(f"province-{old}")[-1]):
        answer = await put(member.http, commune.code)
        assert answer.status_code == 200, answer.text
        described.judge(answer)
        assert answer.json()["unit"] == commune.key
        assert answer.json()["attributes"]["area_island"]["value"] is True


async def test_a_province_of_today_writes_for_its_communes_of_today(join: Join) -> None:
    member = await join("25", "values:write")
    assert (await put(member.http, MERGED.code, AFTER)).status_code == 200


@pytest.mark.parametrize("now", ["25", "86"])
async def test_a_province_does_not_write_for_another_on_any_day(
    join: Join, now: str, database: Database, described: Described
) -> None:
    member = await join(now, "values:write")
    other = {"25": "84", "86": "17"}[now]
    await closed(member, FOREIGN, BEFORE, database, described)
    await closed(member, FOREIGN_NOW, AFTER, database, described)
    await closed(member, _old_communes(f"province-{other}")[0].code, BEFORE, database, described)


async def test_a_refusal_names_the_unit_and_shows_no_record(
    join: Join, client: httpx.AsyncClient
) -> None:
    member = await join("25", "values:write")
    await put(client, FOREIGN, source="bí mật của Hà Nội")
    answer = await put(member.http, FOREIGN, source="của tôi")
    found = problem(answer)
    assert found["errors"][0]["pointer"] == "/code"
    assert f"({FOREIGN})" in found["detail"]
    assert "bí mật" not in answer.text
    english = await member.http.put(
        f"/v1/communes/{FOREIGN}/attributes/area_island",
        json=body(),
        headers={"accept-language": "en"},
    )
    assert "not in your territory" in problem(english, "en")["detail"]


async def test_every_old_province_lies_in_exactly_one_of_today(database: Database) -> None:
    now = [one for one in UNITS.values() if one.level == "province" and not one.until]
    old = [one for one in UNITS.values() if one.level == "province" and one.until]
    reached = {one.key: await resolved(database, one.key) for one in now}
    for one in old:
        unit = await find(database, one.key, BEFORE)
        above = [key for key, found in reached.items() if found.reaches(unit)]
        assert above == sorted(WENT[one.key]), one.key
    for one in now:
        unit = await find(database, one.key)
        assert [key for key, found in reached.items() if found.reaches(unit)] == [one.key]


async def test_the_nation_reaches_everything(client: httpx.AsyncClient, database: Database) -> None:
    assert await resolved(database, "VN") == EVERYWHERE
    for code, on in ((FOREIGN, BEFORE), (FOREIGN_NOW, AFTER), (MERGED.code, AFTER)):
        assert (await put(client, code, on)).status_code == 200


async def test_only_the_nation_reaches_the_nation(database: Database) -> None:
    nation = await find(database, "VN")
    for place, on in (("25", None), ("01", None), (MERGED.code, None), ("227", BEFORE)):
        assert not (await resolved(database, place, on)).reaches(nation)


# --- what has ended ----------------------------------------------------------------------------


async def test_an_old_province_does_not_reach_its_successor_nor_its_sisters(
    join_past: Any, database: Database, described: Described
) -> None:
    member = await join_past("province-84")
    own = _old_communes("province-84")[0]
    assert (await put(member.http, own.code)).status_code == 200
    for other in ("province-83", "province-86"):
        await closed(member, _old_communes(other)[0].code, BEFORE, database, described)
    for successor in WENT[own.key]:
        await closed(member, UNITS[successor].code, AFTER, database, described)
    found = await resolved(database, "province-84", BEFORE)
    assert not found.reaches(await find(database, "86"))


async def test_a_code_used_again_means_the_unit_of_the_day(
    join_past: Any, database: Database, described: Described
) -> None:
    member = await join_past("province-25")
    assert (await put(member.http, _old_communes("province-25")[0].code)).status_code == 200
    await closed(member, _old_communes("province-17")[0].code, BEFORE, database, described)
    await closed(member, MERGED.code, AFTER, database, described)


async def test_a_district_reaches_its_communes_while_there_were_districts(
    join_past: Any, database: Database, described: Described
) -> None:
    member = await join_past("district-227")
    own = [one for one in UNITS.values() if one.parent == "district-227"]
    other = next(one for one in _old_communes("province-25") if one.parent != "district-227")
    for commune in (own[0], own[-1]):
        assert (await put(member.http, commune.code)).status_code == 200
        for successor in WENT[commune.key]:
            await closed(member, UNITS[successor].code, AFTER, database, described)
    await closed(member, other.code, BEFORE, database, described)
    found = await resolved(database, "district-227", BEFORE)
    assert found.reaches(await find(database, "district-227", BEFORE))
    assert not found.reaches(await find(database, "province-25", BEFORE))


# --- communes and hamlets ----------------------------------------------------------------------


async def test_a_commune_formed_from_three_reaches_all_three_but_no_neighbour(
    join: Join, database: Database, described: Described
) -> None:
    member = await join(MERGED.code)
    assert (await put(member.http, MERGED.code, AFTER)).status_code == 200
    for one in THREE:
        assert (await put(member.http, one.key)).status_code == 200
    assert NEAR
    for one in NEAR[:4]:
        await closed(member, one.key, BEFORE, database, described)
        for successor in WENT[one.key]:
            await closed(member, successor, AFTER, database, described)
    found = await resolved(database, MERGED.code)
    for place in (THREE[0].parent, "province-17", "province-25"):
        assert not found.reaches(await find(database, place, BEFORE))
    assert not found.reaches(await find(database, "25"))


async def _add_hamlet(
    caller: httpx.AsyncClient, commune: str, code: str, on: datetime.date
) -> httpx.Response:
    wanted = {"code": code, "name": f"Thôn {code}", "type": "thon", "valid_from": str(on)}
    return await caller.post(f"/v1/communes/{commune}/hamlets", json=wanted)


async def test_a_commune_reaches_the_hamlets_of_all_that_it_came_from(
    join: Join, client: httpx.AsyncClient, database: Database
) -> None:
    member = await join(MERGED.code)
    for one in THREE:
        answer = await _add_hamlet(member.http, one.key, f"{one.code}-71", BEFORE)
        assert answer.status_code == 201, answer.text
    near = NEAR[0]
    await _add_hamlet(client, near.key, f"{near.code}-71", BEFORE)
    refused = await _add_hamlet(member.http, near.key, f"{near.code}-72", BEFORE)
    assert problem(refused)["code"] == "outside-territory"
    found = await resolved(database, MERGED.code)
    province = await resolved(database, "25")
    for one in THREE:
        hamlet = await find(database, f"hamlet-{one.code}-71", BEFORE)
        assert found.reaches(hamlet)
        assert province.reaches(hamlet)
    beside = await find(database, f"hamlet-{near.code}-71", BEFORE)
    assert not found.reaches(beside)
    assert province.reaches(beside)
    assert not (await resolved(database, "86")).reaches(beside)


async def test_a_hamlet_added_after_the_first_call_is_reached_at_once(
    join: Join, client: httpx.AsyncClient
) -> None:
    member = await join(MERGED.code)
    for number in range(81, 91):
        assert (await put(member.http, MERGED.code, AFTER)).status_code == 200
        code = f"{MERGED.code}-{number}"
        added = await _add_hamlet(client, MERGED.code, code, AFTER)
        assert added.status_code == 201, added.text
        wanted = {"name": "x", "territory": code, "scopes": ["read"]}
        made = await member.http.post("/v1/clients", json=wanted)
        assert made.status_code == 201, made.text
        assert made.json()["territory"] == code


async def test_a_hamlet_reaches_itself_alone(
    join: Join, client: httpx.AsyncClient, database: Database, described: Described
) -> None:
    codes = [f"{MERGED.code}-{number}" for number in (91, 92)]
    for code in codes:
        assert (await _add_hamlet(client, MERGED.code, code, AFTER)).status_code == 201
    member = await join(codes[0])
    await closed(member, MERGED.code, AFTER, database, described)
    found = await resolved(database, codes[0])
    assert found.reaches(await find(database, codes[0]))
    assert not found.reaches(await find(database, codes[1]))
    assert not found.reaches(await find(database, MERGED.code))


async def test_territories_are_resolved_anew_when_the_register_changes(database: Database) -> None:
    known = Territories()
    unit = await find(database, MERGED.code)
    async with database.reading() as connection:
        first = await known.of(connection, unit.id, unit.level, 1)
        assert await known.of(connection, unit.id, unit.level, 1) is first
        again = await known.of(connection, unit.id, unit.level, 2)
    assert again is not first
    assert again.units >= first.units


async def test_many_territories_resolved_at_once_are_not_mixed_up(
    join: Join, database: Database
) -> None:
    places = ["25", "86", MERGED.code, "01", "VN", "04978"]
    members = [await join(place, "values:write") for place in places for _ in range(2)]
    reached = {place: await resolved(database, place) for place in places}
    targets = [
        (THREE[0].key, BEFORE),
        (FOREIGN, BEFORE),
        (_old_communes("province-84")[0].key, BEFORE),
    ]
    for place, on in targets:
        unit = await find(database, place, on)
        answers = await asyncio.gather(*(put(one.http, place, on) for one in members))
        expected = [200 if reached[one].reaches(unit) else 404 for one in places for _ in range(2)]
        assert [one.status_code for one in answers] == expected


# --- one gate for every write ------------------------------------------------------------------


async def test_no_write_for_a_commune_goes_past_the_gate(
    join: Join, database: Database, client: httpx.AsyncClient, described: Described
) -> None:
    member = await join("86")
    designation = {
        "model": "smart",
        "authority": "province",
        "decision": "1/QĐ-THỬ",
        "date": str(BEFORE),
        "source": "thử",
    }
    hamlet = {"code": f"{FOREIGN}-99", "name": "x", "type": "thon", "valid_from": str(BEFORE)}
    calls: list[tuple[str, str, dict[str, Any]]] = [
        ("PUT", f"/v1/communes/{FOREIGN}/attributes/area_island", body()),
        ("POST", f"/v1/communes/{FOREIGN}/designations", designation),
        ("POST", f"/v1/communes/{FOREIGN}/hamlets", hamlet),
    ]
    address = f"/v1/communes/{FOREIGN}?on={BEFORE}"
    hamlets = f"/v1/communes/{FOREIGN}/hamlets?on={BEFORE}"
    before = [(await client.get(one)).json() for one in (address, hamlets)]
    for method, path, wanted in calls:
        answer = await member.http.request(method, path, json=wanted)
        assert answer.status_code == 404
        assert problem(answer)["code"] == "outside-territory"
        described.judge(answer)
    assert [(await client.get(one)).json() for one in (address, hamlets)] == before


async def test_writing_needs_the_scope_even_in_ones_own_territory(
    join: Join, database: Database
) -> None:
    member = await join("25", "read", "clients:admin")
    before = await count(database)
    answer = await put(member.http, MERGED.code, AFTER)
    assert answer.status_code == 403
    assert problem(answer)["code"] == "insufficient-scope"
    assert await count(database) == before


@pytest.mark.parametrize(
    "place", ["province-25-2025", "25", "district-227", "VN", "hamlet-00001-01"]
)
async def test_an_area_class_is_one_of_a_commune(client: httpx.AsyncClient, place: str) -> None:
    assert problem(await put(client, place))["code"] == "wrong-value"


# --- who sees whose clients --------------------------------------------------------------------


async def _seen(member: Member) -> set[str]:
    """Return every client that a member's list shows."""
    seen: set[str] = set()
    address = "/v1/clients?limit=500"
    while address:
        answer = await member.http.get(address)
        assert answer.status_code == 200
        seen |= {one["client_id"] for one in answer.json()["items"]}
        address = answer.links.get("next", {}).get("url", "")
    return seen


async def test_parents_see_the_clients_below_and_sisters_do_not_see_each_other(
    join: Join, client: httpx.AsyncClient
) -> None:
    code = f"{MERGED.code}-95"
    await _add_hamlet(client, MERGED.code, code, AFTER)
    places = ("VN", "25", "86", MERGED.code, "04978", code)
    members = {place: await join(place, "read", "clients:admin") for place in places}
    expected = {
        "VN": set(places),
        "25": {"25", MERGED.code, "04978", code},
        "86": {"86"},
        MERGED.code: {MERGED.code, code},
        "04978": {"04978"},
        code: {code},
    }
    for place, member in members.items():
        seen = await _seen(member)
        found = {one for one, other in members.items() if other.client_id in seen}
        assert found == expected[place], place
        for one, other in members.items():
            status = (await member.http.get(f"/v1/clients/{other.client_id}")).status_code
            assert status == (200 if one in expected[place] else 404), (place, one)


async def test_a_successor_sees_the_clients_of_what_it_came_from_but_not_they_its_own(
    join: Join, join_past: Any
) -> None:
    old = {
        place: await join_past(place)
        for place in ("province-84", "province-83", THREE[0].key, THREE[1].key, "district-227")
    }
    vinh_long, phu_tho, commune = await join("86"), await join("25"), await join(MERGED.code)

    async def sees(member: Member) -> set[str]:
        seen = await _seen(member)
        return {place for place, one in old.items() if one.client_id in seen}

    assert await sees(vinh_long) == {"province-84", "province-83"}
    assert await sees(phu_tho) == {THREE[0].key, THREE[1].key, "district-227"}
    assert await sees(commune) == {THREE[0].key, THREE[1].key}
    for place, member in old.items():
        assert await sees(member) == {place}
        seen = await _seen(member)
        assert not seen & {one.client_id for one in (vinh_long, phu_tho, commune)}


async def test_a_territory_of_nothing_sees_nothing(database: Database, join: Join) -> None:
    await join("VN")
    nothing: frozenset[int] = frozenset()
    nobody = Caller(0, "nobody", frozenset(SCOPES), Territory(False, nothing, nothing, nothing))
    everybody = Caller(0, "everybody", frozenset(SCOPES), EVERYWHERE)
    async with database.transaction() as session:
        assert list(await session.scalars(visible_to(nobody, Client))) == []
        assert list(await session.scalars(visible_to(everybody, Client))) != []


async def test_the_list_and_the_gate_agree_on_every_client(database: Database, join: Join) -> None:
    for place in ("VN", "25", "86", "01", MERGED.code, "04978"):
        await join(place)
    async with database.transaction() as session:
        every = list(await session.scalars(select(Client)))
    for place in ("VN", "25", "86", "01", MERGED.code):
        found = await resolved(database, place)
        caller = Caller(0, "x", frozenset(SCOPES), found)
        async with database.transaction() as session:
            listed = {one.id for one in await session.scalars(visible_to(caller, Client))}
        own = {
            one.id
            for one in every
            if found.reaches(Found(one.unit_id, one.district_id, one.province_id, "", {}))
        }
        assert own <= listed
        assert listed & {one.id for one in every} == own
