"""Values over HTTP: the entity that a code means in a period, and one value by its path."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from conftest import ANYTHING, Described, Join, problem
from unchanged import fingerprint
from value_calls import (
    COUNT,
    KEYS,
    RATE,
    TRUTH,
    VALUES,
    Item,
    entry,
    faults,
    history,
    ids,
    listed,
    one,
    ratio,
    record,
)

from app.database import Database

# Codes that mean one unit until 2025-06-30 and another one since, with the names of both.
REUSED = [
    ("03334", "Xã Thanh Xương", "Phường Mường Thanh"),
    ("03166", "Xã Chà Cang", "Xã Mường Chà"),
    ("01954", "Thị trấn Vân Tùng", "Xã Ngân Sơn"),
]
UNIT = ("unit", "code", "level", "type", "name")


async def meant(client: httpx.AsyncClient, unit: str, period: str, on: str | None = None) -> str:
    """Record a value; return the key of the unit that it went to."""
    (made,) = await record(client, entry(unit, True, TRUTH, period=period, on=on))
    return str(made["unit"]["unit"])


@pytest.mark.parametrize(("code", "old", "new"), REUSED)
@pytest.mark.parametrize(
    ("period", "is_new"),
    [
        ("1990", False), ("2024", False), ("2024-12", False), ("2025-H1", False),
        ("2025-Q2", False), ("2025-06", False), ("2025-07", True), ("2025-Q3", True),
        ("2025-H2", True), ("2026", True), ("2026-Q1", True),
    ],
)  # fmt: skip
async def test_a_code_means_the_unit_of_the_period(
    client: httpx.AsyncClient, code: str, old: str, new: str, period: str, is_new: bool
) -> None:
    """A value belongs to the entity that was valid through its period, called as it was then."""
    (made,) = await record(client, entry(code, True, TRUTH, period=period))
    assert made["unit"]["unit"] == f"commune-{code}" + ("-2025" if is_new else "")
    assert made["unit"]["name"] == (new if is_new else old)
    assert made["unit"]["code"] == code


@pytest.mark.parametrize(("code", "old", "new"), REUSED)
async def test_in_the_year_of_the_change_a_code_of_two_units_needs_a_day(
    client: httpx.AsyncClient, database: Database, code: str, old: str, new: str
) -> None:
    """In 2025 nobody guesses: both units are named, and `on` in either half chooses one."""
    before = await fingerprint(database)
    sent = {"values": [entry(code, True, TRUTH, period="2025")]}
    for language in ("vi", "en"):
        answer = await client.post(VALUES, json=sent, headers={"accept-language": language})
        found = problem(answer, language)
        assert (found["status"], found["code"]) == (422, "ambiguous-unit")
        (fault,) = found["errors"]
        assert fault["pointer"] == "/values/0/unit"
        for name in (old, new):
            assert name in fault["message"]
            assert name in found["detail"]
    assert await fingerprint(database) == before
    for day, key in (
        ("2025-01-01", f"commune-{code}"),
        ("2025-06-30", f"commune-{code}"),
        ("2025-07-01", f"commune-{code}-2025"),
        ("2025-12-31", f"commune-{code}-2025"),
    ):
        assert await meant(client, code, "2025", day) == key
        found_by_day = await listed(client, unit=code, period="2025", on=day, indicator=TRUTH)
        assert [each["unit"]["unit"] for each in found_by_day] == [key]


@pytest.mark.parametrize(
    ("code", "key"),
    [
        ("03124", "commune-03124"),  # ended on 2025-07-01; its code is not used again
        ("00919", "commune-00919"),  # goes on in another province
        ("commune-03334", "commune-03334"),
        ("commune-03334-2025", "commune-03334-2025"),
    ],
)
async def test_what_means_one_unit_in_2025_needs_no_day(
    client: httpx.AsyncClient, code: str, key: str
) -> None:
    """A day is asked for only where a code means two units; a unit key never does."""
    assert await meant(client, code, "2025") == key


@pytest.mark.parametrize(("code", "period"), [("03124", "2026"), ("03124", "2025-H2")])
async def test_a_unit_that_ended_names_its_successors(
    client: httpx.AsyncClient, code: str, period: str
) -> None:
    """A code that is no unit's any more says what it has become."""
    answer = await client.post(VALUES, json={"values": [entry(code, period=period)]})
    found = problem(answer)
    assert (found["status"], found["code"]) == (404, "unit-not-found")
    for text in (found["detail"], found["errors"][0]["message"]):
        assert "Phường Mường Thanh (03334)" in text


async def test_a_unit_that_does_not_exist_in_the_period_is_refused(
    client: httpx.AsyncClient, database: Database
) -> None:
    """`on` may choose any unit that exists at some time in the period, and no other."""
    before = await fingerprint(database)
    for code, period, day in (
        ("03334", "2024", "2025-07-01"),
        ("03334", "2026", "2025-06-30"),
        ("03124", "2026", "2025-06-30"),
    ):
        status, found = await faults(client, entry(code, period=period, on=day))
        assert (status, found) == (422, {"/values/0/on": "unit-outside-period"}), (code, day)
    assert await fingerprint(database) == before


async def test_a_value_lies_where_its_unit_lay_last_in_the_period(
    client: httpx.AsyncClient,
) -> None:
    """`on` only chooses the unit: whatever the day, the value lies where the period has it."""
    for day in ("2024-06-30", "2026-01-01"):
        await record(client, entry("00925", period="2024", on=day))
        listed = await client.get("/v1/values", params={"under": "02", "period": "2024"})
        assert "commune-00925" in [one["unit"]["unit"] for one in listed.json()["items"]], day


@pytest.mark.parametrize(
    ("code", "period", "on"),
    [
        ("04603", "2025", "2025-03-01"),  # two spellings of its name in 2025
        ("04603", "2025", "2025-08-01"),
        ("04603", "2025", None),
        ("04603", "2024", None),
        ("22", "2026", "2026-03-01"),  # a province, and a city within the year
    ],
)
async def test_what_is_answered_on_recording_is_what_is_read(
    client: httpx.AsyncClient, code: str, period: str, on: str | None
) -> None:
    """A value looks the same when it is recorded, read, listed and in its history."""
    sent = entry(code, period=period, on=on)
    if code == "22":
        sent |= {"indicator": "smart_commune_pilot_models_count"}
    (made,) = await record(client, sent)
    assert await one(client, made["id"]) == made
    key = made["unit"]["unit"]
    assert made in await listed(client, unit=key, period=period)
    assert (await history(client, made["id"]))[-1] == made | {"events": []}


async def test_a_value_of_a_unit_that_goes_on_lies_where_it_lay_then(
    client: httpx.AsyncClient,
) -> None:
    """The past of a commune is found under the province of that time, and its present under now."""
    past, now = await record(
        client, entry("00922", 1, period="2024"), entry("00922", 2, period="2026")
    )
    under_old = await listed(client, under="02", period="2024", indicator=COUNT)
    assert past["id"] in ids(under_old)
    assert past["id"] in ids(await listed(client, under="08", on="2026-01-01", indicator=COUNT))
    assert now["id"] in ids(await listed(client, under="08", period="2026", indicator=COUNT))
    assert now["id"] not in ids(await listed(client, under="province-02", on="2024-01-01"))


# One value by its path.


def path(code: str, period: str = "2024", indicator: str = COUNT) -> str:
    """Return the path of a value of a commune."""
    return f"/v1/communes/{code}/values/{period}/{indicator}"


def measure(value: Any = 7, **other: Any) -> Item:
    """Return one value as it is put."""
    return {"value": value, "source": "Báo cáo 12/BC-UBND"} | other


async def test_a_value_is_put_repeated_and_followed(
    client: httpx.AsyncClient, database: Database, described: Described
) -> None:
    """The first is 201, the same again changes nothing, another one follows it."""
    first = await client.put(path("03145"), json=measure())
    described.judge(first)
    assert first.status_code == 201
    assert set(first.json()) == KEYS | {"unchanged"}
    assert first.json()["unchanged"] is False
    made = {name: first.json()[name] for name in KEYS}
    assert (await client.get(first.headers["location"])).json() == made

    before = await fingerprint(database)
    again = await client.put(path("03145"), json=measure())
    described.judge(again)
    assert again.status_code == 200
    assert again.json() == made | {"unchanged": True}
    assert await fingerprint(database) == before

    other = await client.put(path("03145"), json=measure(8), headers=ANYTHING)
    described.judge(other)
    assert (other.status_code, other.json()["unchanged"]) == (200, False)
    assert other.json()["id"] > made["id"]
    assert ids(await history(client, made["id"])) == [made["id"], other.json()["id"]]
    assert ids(await listed(client, unit="03145", period="2024")) == [other.json()["id"]]


@pytest.mark.parametrize(
    "other",
    [{"source": "Báo cáo 13"}, {"note": "đã đối chiếu"}, {"measured_on": "2024-06-30"}],
    ids=str,
)
async def test_what_differs_in_anything_it_says_is_a_new_value(
    client: httpx.AsyncClient, other: Item
) -> None:
    """Source, note and day are part of what is on record: only the very same is unchanged."""
    where = path("03148", indicator=TRUTH)
    (first,) = await record(client, entry("03148", True, TRUTH))
    answer = await client.put(where, json=measure(True, **other), headers=ANYTHING)
    assert (answer.status_code, answer.json()["unchanged"]) == (200, False)
    assert answer.json()["id"] > first["id"]


async def test_equal_shares_of_other_counts_are_new_values(client: httpx.AsyncClient) -> None:
    """1/2, 2/4 and 50 % are different facts, and so are 50 and 50.0 %."""
    facts = [ratio(1, 2), ratio(2, 4), {"percent": "50"}, {"percent": "50.0"}, ratio(1, 2)]
    where = path("03151", indicator=RATE)
    answers = [(await client.put(where, json=measure(facts[0]))).json()]
    answers += [
        (await client.put(where, json=measure(fact), headers=ANYTHING)).json() for fact in facts[1:]
    ]
    assert [each["unchanged"] for each in answers] == [False] * len(facts)
    assert [each["value"] for each in answers] == facts


async def test_the_path_may_be_repeated_in_the_body_and_not_contradicted(
    client: httpx.AsyncClient, database: Database
) -> None:
    """A body that names another unit, period or indicator than its path is refused."""
    named = {"unit": "03154", "period": "2024", "indicator": COUNT}
    assert (await client.put(path("03154"), json=measure(**named))).status_code == 201
    before = await fingerprint(database)
    for name, value in (("unit", "03155"), ("period", "2023"), ("indicator", TRUTH)):
        found = problem(await client.put(path("03154"), json=measure(9, **named | {name: value})))
        assert found["status"] == 422
        assert [each["pointer"] for each in found["errors"]] == [f"/{name}"]
    assert await fingerprint(database) == before


@pytest.mark.parametrize(
    ("where", "body", "pointer"),
    [
        (path("03154"), measure(-1), "/value"),
        (path("03154", indicator=RATE), measure(ratio(3, 2)), "/value/numerator"),
        (path("03154"), {"value": 7}, "/source"),
        (path("03154"), measure(by="tôi"), "/by"),
        (path("03154", "2024-13"), measure(), ""),
        (path("03154", indicator="no_such_rate"), measure(), "/indicator"),
        (path("99999"), measure(), "/unit"),
        (path("03334", "2025"), measure(), "/unit"),
        (path("11"), measure(), ""),
    ],
    ids=str,
)
async def test_a_wrong_value_of_a_path_is_refused_with_its_place(
    client: httpx.AsyncClient,
    described: Described,
    database: Database,
    where: str,
    body: Item,
    pointer: str,
) -> None:
    """One value is refused for the same reasons as many, and nothing is stored."""
    before = await fingerprint(database)
    answer = await client.put(where, json=body)
    described.judge(answer)
    found = problem(answer)
    assert found["status"] in (404, 422)
    if pointer:
        assert [each["pointer"] for each in found["errors"]] == [pointer]
    assert await fingerprint(database) == before


async def test_a_day_chooses_the_unit_of_a_path(client: httpx.AsyncClient) -> None:
    """`on` in the body says which of the two units of 2025 is put."""
    for day, key in (("2025-03-01", "commune-03172"), ("2025-08-01", "commune-03172-2025")):
        answer = await client.put(path("03172", "2025"), json=measure(on=day))
        assert answer.status_code == 201
        assert answer.json()["unit"]["unit"] == key
        assert set(answer.json()["unit"]) == set(UNIT)


async def test_a_foreign_commune_is_not_put(join: Join, database: Database) -> None:
    """Outside its territory a client puts nothing."""
    local = await join("20")
    before = await fingerprint(database)
    found = problem(await local.http.put(path("03154"), json=measure()))
    assert (found["status"], found["code"]) == (404, "outside-territory")
    assert await fingerprint(database) == before


async def test_the_same_value_put_by_many_at_once_counts_once(client: httpx.AsyncClient) -> None:
    """Whoever comes first: one value is current afterwards, and every answer names a value."""
    answers = await asyncio.gather(*(client.put(path("03157"), json=measure()) for _ in range(16)))
    assert {answer.status_code for answer in answers} <= {200, 201}
    kept = ids(await history(client, answers[0].json()["id"]))
    assert {answer.json()["id"] for answer in answers} == set(kept)
    assert ids(await listed(client, unit="03157", period="2024")) == [max(kept)]
