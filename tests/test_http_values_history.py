"""Values over HTTP: followed, retracted, never edited; many writers at once."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import asyncpg
import httpx
import pytest
from conftest import ANYTHING, Described, Join, problem
from test_http_units import everything
from unchanged import fingerprint
from value_calls import (
    COUNT,
    KEYS,
    TRUTH,
    VALUES,
    Item,
    ended,
    entry,
    history,
    ids,
    listed,
    one,
    record,
    retract,
)

from app.database import Database

# Units of Lai Châu before 2025-07-01; no other file of tests records values in this district.
DISTRICT = "district-109"
A, B, C, D, E, F, G, H = "03549", "03550", "03553", "03559", "03562", "03565", "03571", "03574"


async def stored(database: Database, *numbers: int) -> list[asyncpg.Record]:
    """Return the rows of values as they lie in the database."""
    async with database.reading() as connection:
        return list(
            await connection.fetch(
                "SELECT * FROM value WHERE id = ANY($1::bigint[]) ORDER BY id", list(numbers)
            )
        )


async def versions(client: httpx.AsyncClient, unit: str, *facts: int) -> list[Item]:
    """Record one value after the other for the same unit, indicator and period."""
    return [(await record(client, entry(unit, fact)))[0] for fact in facts]


async def current(client: httpx.AsyncClient, unit: str, **params: str) -> list[Item]:
    """Return the values that a list shows for a unit in 2024."""
    return await listed(client, unit=unit, period="2024", **params)


async def test_a_later_value_follows_an_earlier_one_and_both_stay(
    client: httpx.AsyncClient, described: Described, database: Database
) -> None:
    """A wrong value is followed by a new one; what was on record stays as it was."""
    first, second = await versions(client, A, 1, 2)
    rows = await stored(database, first["id"], second["id"])
    (third,) = await versions(client, A, 3)
    assert await current(client, A) == [third]
    assert await one(client, first["id"]) == ended(first, "superseded")
    assert await one(client, second["id"]) == ended(second, "superseded")
    assert await stored(database, first["id"], second["id"]) == rows
    answer = await client.get(f"{VALUES}/{second['id']}/history")
    described.judge(answer)
    found = answer.json()["items"]
    assert all(set(each) == KEYS | {"events"} for each in found)
    assert [(each["id"], each["value"], each["status"]) for each in found] == [
        (first["id"], 1, "superseded"),
        (second["id"], 2, "superseded"),
        (third["id"], 3, "reported"),
    ]


async def test_the_history_is_that_of_one_unit_indicator_and_period(
    client: httpx.AsyncClient,
) -> None:
    """Whatever value of it is asked for, the history is the same, in pages too, and its own."""
    mine = await versions(client, B, 1, 2, 3)
    await record(
        client, entry(B, 1, period="2023"), entry(B, True, TRUTH), entry(A, 1, period="2022")
    )
    found = await history(client, mine[0]["id"])
    assert ids(found) == ids(mine) == sorted(ids(mine))
    for value in mine:
        path = f"{VALUES}/{value['id']}/history"
        assert await history(client, value["id"]) == found
        assert await everything(client, path, limit="1") == found
        assert await everything(client, path, limit="2") == found


async def test_a_cursor_of_another_history_is_refused(client: httpx.AsyncClient) -> None:
    """A cursor belongs to the history that it was made for."""
    first, second = await versions(client, B, 4, 5)
    page = await client.get(f"{VALUES}/{first['id']}/history", params={"limit": "1"})
    params = {"cursor": page.json()["next"]}
    found = problem(await client.get(f"{VALUES}/{second['id']}/history", params=params))
    assert found["code"] == "invalid-cursor"


async def test_a_retracted_value_counts_no_more_and_stays_on_record(
    client: httpx.AsyncClient, join: Join, described: Described, database: Database
) -> None:
    """After a retraction there is no current value; who retracted it, when and why is told."""
    member = await join("12")
    (value,) = await versions(client, C, 1)
    rows = await stored(database, value["id"])
    answer = await retract(member.http, value["id"], "sai đơn vị tính")
    described.judge(answer)
    assert answer.status_code == 200
    gone = ended(value, "retracted")
    assert answer.json() == gone
    assert await one(client, value["id"]) == gone
    assert await current(client, C) == []
    assert await current(client, C, status="reported") == []
    assert await current(client, C, status="retracted") == [gone]
    assert await stored(database, value["id"]) == rows
    (found,) = await history(client, value["id"])
    (event,) = found.pop("events")
    assert found == gone
    assert event.pop("at") >= value["recorded_at"]
    assert event == {"status": "retracted", "reason": "sai đơn vị tính", "by": member.client_id}


async def test_what_counts_no_more_cannot_be_retracted(
    client: httpx.AsyncClient, described: Described, database: Database
) -> None:
    """A value is retracted once, and a value that was followed not at all."""
    first, second = await versions(client, D, 1, 2)
    assert (await retract(client, second["id"])).status_code == 200
    before = await fingerprint(database)
    for value in (first, second):
        answer = await retract(client, value["id"])
        described.judge(answer)
        assert (answer.status_code, problem(answer)["code"]) == (409, "not-current")
    assert await fingerprint(database) == before


async def test_a_value_after_a_retraction_counts(client: httpx.AsyncClient) -> None:
    """A retraction ends one value, not the matter; the same value may be recorded anew."""
    first, second = await versions(client, E, 1, 2)
    await retract(client, second["id"])
    path = f"/v1/communes/{E}/values/2024/{COUNT}"
    answer = await client.put(path, json={"value": 2, "source": second["source"]}, headers=ANYTHING)
    assert answer.status_code in (200, 201)
    assert answer.json()["unchanged"] is False
    third = answer.json()["id"]
    assert third > second["id"]
    assert ids(await current(client, E)) == [third]
    assert await current(client, E, status="retracted") == []
    found = await history(client, third)
    assert [(each["id"], each["status"], len(each["events"])) for each in found] == [
        (first["id"], "superseded", 1),
        (second["id"], "retracted", 1),
        (third, "reported", 0),
    ]
    assert (await retract(client, second["id"])).status_code == 409


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": " "}, {"reason": None},
    {"reason": 1}, {"reason": "a", "by": "b"}, {"reason": "x" * 501}], ids=ascii)  # fmt: skip
async def test_a_retraction_has_a_reason(
    client: httpx.AsyncClient, database: Database, body: Item
) -> None:
    """Without a reason nothing is retracted."""
    (value,) = await versions(client, F, 1)
    before = await fingerprint(database)
    answer = await client.post(f"{VALUES}/{value['id']}/retract", json=body)
    assert problem(answer)["status"] == 422
    assert await fingerprint(database) == before


@pytest.mark.parametrize("table", ["value", "value_event"])
@pytest.mark.parametrize("act", ["UPDATE {} SET unit_id = 1", "DELETE FROM {}"])
async def test_nothing_on_record_can_be_edited_by_the_service(
    client: httpx.AsyncClient, database: Database, table: str, act: str
) -> None:
    """The service's own role has no way of changing what was recorded."""
    (value,) = await versions(client, F, 1)
    await retract(client, value["id"])
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with database.writing() as connection:
            await connection.execute(act.format(table))


# Many at once.


async def test_of_many_writers_of_one_value_all_are_kept_and_the_last_counts(
    client: httpx.AsyncClient,
) -> None:
    """Nobody's value is lost, exactly one is current, and it is the last of the history."""
    made = await asyncio.gather(*(versions(client, G, number) for number in range(16)))
    found = await history(client, made[0][0]["id"])
    assert sorted(ids(found)) == ids(found) == sorted(value["id"] for (value,) in made)
    assert {each["value"] for each in found} == set(range(16))
    assert [each["status"] for each in found] == ["superseded"] * 15 + ["reported"]
    assert ids(await current(client, G)) == [found[-1]["id"]]
    assert {each["id"]: each["value"] for each in found} == {
        value["id"]: value["value"] for (value,) in made
    }


async def test_batches_of_the_same_values_do_not_wait_for_each_other(
    client: httpx.AsyncClient,
) -> None:
    """Batches that name the same values in different orders are all taken."""
    periods = [f"{year}-{month:02}" for year in (2019, 2020, 2021) for month in range(1, 13)]
    named = [(unit, period) for unit in (A, B, C, D) for period in periods]
    chance = random.Random(7)

    async def write(number: int) -> list[Item]:
        order = chance.sample(named, len(named))
        return await record(client, *(entry(unit, number, period=period) for unit, period in order))

    batches = await asyncio.gather(*(write(number) for number in range(12)))
    last: dict[tuple[str, str], Item] = {}
    for value in (each for batch in batches for each in batch):
        key = value["unit"]["code"], value["period"]
        last[key] = max(value, last.get(key, value), key=lambda each: each["id"])
    assert len(last) == len(named)
    shown = [each for unit in (A, B, C, D) for each in await of_years(client, unit)]
    assert sorted(ids(shown)) == sorted(value["id"] for value in last.values())


async def of_years(client: httpx.AsyncClient, unit: str) -> list[Item]:
    """Return the current values of a unit in the years of the batches."""
    found = await listed(client, unit=unit, on="2024-01-01", indicator=COUNT)
    return [each for each in found if each["period"] < "2022"]


async def test_of_many_retractions_one_is_told_that_it_retracted(
    client: httpx.AsyncClient,
) -> None:
    """A value has one retraction, however many ask for it at once."""
    (value,) = await versions(client, H, 1)
    answers = await asyncio.gather(*(retract(client, value["id"], f"{n}") for n in range(16)))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 15
    (found,) = await history(client, value["id"])
    assert len(found["events"]) == 1
    told = next(n for n, answer in enumerate(answers) if answer.status_code == 200)
    assert found["events"][0]["reason"] == str(told)


async def test_a_retraction_and_a_new_value_at_once_leave_one_order(
    client: httpx.AsyncClient,
) -> None:
    """Either the retraction came first or it is refused; the new value counts in both cases."""
    for number in range(8):
        (value,) = await versions(client, H, number)
        results: tuple[Any, ...] = await asyncio.gather(
            retract(client, value["id"]), versions(client, H, 100 + number)
        )
        answer, (after,) = results
        assert answer.status_code in (200, 409)
        expected = "retracted" if answer.status_code == 200 else "superseded"
        assert (await one(client, value["id"]))["status"] == expected
        assert ids(await current(client, H)) == [after["id"]]
