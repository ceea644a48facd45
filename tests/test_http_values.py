"""Values over HTTP: handed in, put on record exactly as given or refused with every fault."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from conftest import Described, Join, problem
from unchanged import fingerprint
from value_calls import (
    CHOSEN,
    COUNT,
    KEYS,
    LARGEST,
    LINES,
    RATE,
    SHARE,
    TRUTH,
    VALUES,
    Item,
    entry,
    faults,
    ids,
    listed,
    one,
    ratio,
    record,
)

from app.database import Database

# Units of Điện Biên before 2025-07-01; no other file of tests records values there.
PLACE = "03124"
FACTS: list[tuple[str, Any]] = [
    (TRUTH, True),
    (TRUTH, False),
    (COUNT, 0),
    (COUNT, LARGEST),
    (CHOSEN, []),
    (CHOSEN, ["education", "health"]),
    (RATE, ratio(0, 0)),
    (RATE, ratio(0, LARGEST)),
    (RATE, ratio(LARGEST, LARGEST)),
    (LINES, ratio(3, 2)),
    (RATE, {"percent": "0"}),
    (RATE, {"percent": "85.50"}),
    (RATE, {"percent": "85.500000"}),
    (RATE, {"percent": "100"}),
    (LINES, {"percent": "120.5"}),
]


@pytest.mark.parametrize(("indicator", "fact"), FACTS, ids=str)
async def test_a_fact_comes_back_exactly_as_it_was_given(
    client: httpx.AsyncClient, described: Described, indicator: str, fact: Any
) -> None:
    """Every kind of fact is kept to the last digit, wherever it is read."""
    sent = entry("03133", fact, indicator, note="kỳ báo cáo", measured_on="2024-12-31")
    answer = await client.post(VALUES, json={"values": [sent]})
    described.judge(answer)
    (made,) = answer.json()["items"]
    assert set(made) == KEYS
    assert made["unit"]["unit"] == "commune-03133"
    assert {name: made[name] for name in sent if name != "unit"} == {
        name: value for name, value in sent.items() if name != "unit"
    }
    assert type(made["value"]) is type(fact)
    assert made["status"] == "reported"
    read = await client.get(f"{VALUES}/{made['id']}")
    described.judge(read)
    assert read.json() == made
    assert made in await listed(client, unit="03133", period="2024", indicator=indicator)


async def test_a_set_has_no_order(client: httpx.AsyncClient) -> None:
    """The members of a set come back, in whatever order they were named."""
    (made,) = await record(client, entry("03136", ["health", "education"], CHOSEN))
    assert sorted(made["value"]) == ["education", "health"]


async def test_what_may_be_left_out_is_null(client: httpx.AsyncClient) -> None:
    """Day, measuring day and note are optional, and null says the same as nothing."""
    bare, nulls = await record(
        client, entry("03136", 1), entry("03136", 2, period="2023", on=None, note=None)
    )
    assert (bare["measured_on"], bare["note"]) == (nulls["measured_on"], nulls["note"])
    assert bare["note"] is None


async def test_text_is_kept_in_one_form(client: httpx.AsyncClient) -> None:
    """Source and note are NFC, however they were typed."""
    (made,) = await record(client, entry("03136", 3, source="Ba\u0301o ca\u0301o", period="2022"))
    assert made["source"] == "B\u00e1o c\u00e1o"


async def test_who_recorded_is_shown(join: Join) -> None:
    """A value names the client that recorded it."""
    member = await join("11")
    (made,) = await record(member.http, entry("03139", 1))
    assert made["by"] == member.client_id


async def test_a_thousand_values_are_recorded_together(client: httpx.AsyncClient) -> None:
    """The most that is taken at once is 1,000, answered in the order in which they were sent."""
    months = [f"{year}-{month:02}" for year in range(1920, 2004) for month in range(12, 0, -1)]
    sent = [entry(PLACE, number, period=month) for number, month in enumerate(months[:1000])]
    made = await record(client, *sent)
    assert [(each["period"], each["value"]) for each in made] == [
        (each["period"], each["value"]) for each in sent
    ]
    assert len(set(ids(made))) == 1000


@pytest.mark.parametrize("count", [0, 1001])
async def test_none_and_too_many_are_refused(
    client: httpx.AsyncClient, database: Database, count: int
) -> None:
    """A request holds 1 to 1,000 values."""
    before = await fingerprint(database)
    status, found = await faults(client, *[entry(PLACE)] * count)
    assert status == 422
    assert "/values" in found
    assert await fingerprint(database) == before


async def test_one_wrong_value_keeps_all_from_the_record(
    client: httpx.AsyncClient, database: Database
) -> None:
    """All values of a request are recorded, or none."""
    months = [f"{year}-{month:02}" for year in range(1920, 1940) for month in range(1, 13)]
    sent = [entry(PLACE, 1, period=month) for month in months]
    before = await fingerprint(database)
    status, found = await faults(client, *sent, entry(PLACE, -1, period="2021"))
    assert (status, list(found)) == (422, [f"/values/{len(sent)}/value"])
    assert await fingerprint(database) == before


def but(**other: Any) -> Item:
    """Return an entry that is wrong in one thing."""
    return entry(PLACE, ratio(1, 2), RATE) | other


WRONG: list[tuple[Item, str, str]] = [
    (but(value=ratio(3, 2)), "/value/numerator", "numerator-exceeds-denominator"),
    (but(value=ratio(1, 0)), "/value/numerator", "numerator-exceeds-denominator"),
    (but(value=ratio(-1, 2)), "/value/numerator", "out-of-range"),
    (but(value=ratio(1, -2)), "/value/denominator", "out-of-range"),
    (but(value=ratio(1, LARGEST + 1)), "/value/denominator", "out-of-range"),
    (but(value={"percent": "100.01"}), "/value/percent", "out-of-range"),
    (but(value={"percent": "-1"}), "/value/percent", "wrong-kind"),
    (but(value={"percent": 85.5}), "/value/percent", "wrong-kind"),
    (but(value={"percent": "85,5"}), "/value/percent", "wrong-kind"),
    (but(value={"numerator": 1}), "/value", "wrong-kind"),
    (but(value={"numerator": 1, "denominator": 2, "percent": "50"}), "/value", "wrong-kind"),
    (but(value=50), "/value", "wrong-kind"),
    (but(value=True), "/value", "wrong-kind"),
    (but(indicator=COUNT, value=-1), "/value", "out-of-range"),
    (but(indicator=COUNT, value=LARGEST + 1), "/value", "out-of-range"),
    (but(indicator=COUNT, value=True), "/value", "wrong-kind"),
    (but(indicator=COUNT, value="7"), "/value", "wrong-kind"),
    (but(indicator=TRUTH, value=1), "/value", "wrong-kind"),
    (but(indicator=TRUTH, value="true"), "/value", "wrong-kind"),
    (but(indicator=CHOSEN, value="health"), "/value", "wrong-kind"),
    (but(indicator=CHOSEN, value=["health", "moon"]), "/value/1", "unknown-member"),
    (but(indicator=CHOSEN, value=["health", "health"]), "/value/1", "duplicate-member"),
    (but(indicator="no_such_rate"), "/indicator", "unknown-indicator"),
    (but(indicator="area_island", value=True), "/indicator", "not-a-fact"),
    (but(indicator="central_pilot_smart", value=True), "/indicator", "not-a-fact"),
    (but(indicator=SHARE), "/indicator", "wrong-level"),
    (but(unit="11"), "/indicator", "wrong-level"),
    (but(period="2024-13"), "/period", "invalid-period"),
    (but(period="2024-Q5"), "/period", "invalid-period"),
    (but(period="năm 2024"), "/period", "invalid-period"),
    (but(source=""), "/source", ""),
    (but(source="  "), "/source", ""),
    (but(source=None), "/source", ""),
    (but(measured_on="hôm qua"), "/measured_on", ""),
    (but(on="2024-02-30"), "/on", ""),
    (but(by="tôi"), "/by", "unknown-field"),
    # The commune of this code exists from 2025-07-01 on, that one until then.
    (but(unit="commune-03334-2025"), "/unit", "unit-not-found"),
    (but(unit="commune-03334", period="2026"), "/unit", "unit-not-found"),
    (but(unit="03334", on="2026-01-01"), "/on", "unit-outside-period"),
    (but(unit=PLACE, on="2023-06-30", period="2026"), "/on", "unit-outside-period"),
]


@pytest.mark.parametrize(("sent", "pointer", "code"), WRONG, ids=lambda part: ascii(part)[:40])
async def test_a_wrong_value_is_refused_with_its_place(
    client: httpx.AsyncClient,
    described: Described,
    database: Database,
    sent: Item,
    pointer: str,
    code: str,
) -> None:
    """What cannot be true is refused at the field that says it, and nothing is stored."""
    before = await fingerprint(database)
    answer = await client.post(VALUES, json={"values": [entry(PLACE), sent]})
    described.judge(answer)
    found = problem(answer)
    assert found["status"] in (404, 422)
    assert [each["pointer"] for each in found["errors"]] == [f"/values/1{pointer}"]
    if code:
        assert (found["code"], found["errors"][0]["code"]) == (code, code)
    assert await fingerprint(database) == before


@pytest.mark.parametrize("name", ["unit", "period", "indicator", "value", "source"])
async def test_what_is_required_cannot_be_left_out(client: httpx.AsyncClient, name: str) -> None:
    """Unit, period, indicator, value and source are given with every value."""
    sent = {key: value for key, value in entry(PLACE).items() if key != name}
    assert await faults(client, sent) == (422, {f"/values/0/{name}": "missing-field"})


async def test_every_fault_is_told_at_once(client: httpx.AsyncClient, database: Database) -> None:
    """One fault hides no other, neither of the same value nor of another one."""
    before = await fingerprint(database)
    status, found = await faults(
        client,
        but(value=ratio(3, 2)),
        but(period="2024-00", indicator="no_such_rate"),
        entry("99999", -1),
        but(period="2023"),
        but(value=ratio(0, 1), period="2023"),
        but(unit="03334", period="2025"),
    )
    assert status == 422
    assert found == {
        "/values/0/value/numerator": "numerator-exceeds-denominator",
        "/values/1/period": "invalid-period",
        "/values/1/indicator": "unknown-indicator",
        "/values/2/unit": "unit-not-found",
        "/values/2/value": "out-of-range",
        "/values/4/indicator": "duplicate-value",
        "/values/5/unit": "ambiguous-unit",
    }
    assert await fingerprint(database) == before


@pytest.mark.parametrize("again", [PLACE, f"commune-{PLACE}"])
async def test_the_same_value_twice_in_a_request_is_refused(
    client: httpx.AsyncClient, database: Database, again: str
) -> None:
    """Two values for one unit, indicator and period contradict each other, however it is named."""
    before = await fingerprint(database)
    found = await faults(client, but(), but(unit=again, value=ratio(2, 2)))
    assert found == (422, {"/values/1/indicator": "duplicate-value"})
    assert await fingerprint(database) == before


async def test_values_of_other_territories_are_refused(join: Join, database: Database) -> None:
    """A client records within its territory only; elsewhere nothing is to be found."""
    local = await join("20")
    before = await fingerprint(database)
    found = problem(await local.http.post(VALUES, json={"values": [but()]}))
    assert (found["status"], found["code"]) == (404, "outside-territory")
    assert await fingerprint(database) == before


async def test_recording_needs_a_token_with_the_scope(
    join: Join, stranger: httpx.AsyncClient, database: Database
) -> None:
    """Without a token 401, with one that may only read 403, and nothing is stored."""
    reader, writer = await join("VN", "read"), await join("VN", "values:write")
    before = await fingerprint(database)
    path = f"/v1/communes/{PLACE}/values/2024/{COUNT}"
    for caller, status, code in (
        (stranger, 401, "invalid-token"),
        (reader.http, 403, "insufficient-scope"),
    ):
        for answer in (
            await caller.post(VALUES, json={"values": [entry(PLACE)]}),
            await caller.put(path, json={"value": 1, "source": "a"}),
            await caller.post(f"{VALUES}/1/retract", json={"reason": "a"}),
        ):
            found = problem(answer)
            assert (found["status"], found["code"]) == (status, code)
    for path in (VALUES, f"{VALUES}/1", f"{VALUES}/1/history"):
        assert problem(await stranger.get(path))["status"] == 401
    assert problem(await writer.http.get(VALUES))["code"] == "insufficient-scope"
    assert await fingerprint(database) == before


async def test_a_value_of_an_unknown_number_is_not_found(client: httpx.AsyncClient) -> None:
    """A number that no value has is 404, and what is no number at all is refused."""
    for number in ("0", "999999999999999", "-1", "x", str(2**63), "1" * 40):
        for answer in (
            await client.get(f"{VALUES}/{number}"),
            await client.get(f"{VALUES}/{number}/history"),
        ):
            assert problem(answer)["status"] in (404, 422)
    assert problem(await client.get(f"{VALUES}/999999999999999"))["code"] == "value-not-found"


async def test_a_value_that_is_read_is_the_one_that_was_recorded(
    client: httpx.AsyncClient,
) -> None:
    """Numbers of values are given in the order in which they come on record."""
    first, second = await record(client, entry("03142", 1), entry("03142", 2, period="2023"))
    assert first["id"] < second["id"]
    assert [await one(client, first["id"]), await one(client, second["id"])] == [first, second]
