"""GET /v1/audit: who changed what in one's territory, and nothing of anybody else's."""

from __future__ import annotations

import datetime
from typing import Any, Final

import httpx
import pytest
from conftest import Described, Join, Member, problem
from hostile import DESIGNATION, TODAY_COMMUNE, VALUE, fresh_decision, new_designation, new_value

from app.database import Database
from app.domain.audit import Act, note, sealing

PATH: Final = "/v1/audit"
OFFICIAL: Final = {"id": "CB-7", "office": "UBND “xã”", "position": "Phó Chủ tịch"}
HUE: Final = "46"  # another province
ANOTHER: Final = "07909"  # Phường Thanh Miếu, Phú Thọ, since 2025-07-01


async def newest(caller: httpx.AsyncClient, query: str = "") -> dict[str, Any]:
    """Return the newest entry that a caller sees."""
    answer = await caller.get(f"{PATH}?limit=1&{query}".rstrip("&"))
    assert answer.status_code == 200, answer.text
    (found,) = answer.json()["items"]
    return dict(found)


async def every(caller: httpx.AsyncClient, query: str = "") -> list[dict[str, Any]]:
    """Return everything that a caller sees, over small pages."""
    url, found = f"{PATH}?limit=7&{query}".rstrip("&"), []
    while url:
        answer = await caller.get(url)
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        url = answer.links["next"]["url"] if "next" in answer.links else ""
    return found


async def test_an_entry_tells_who_did_what_for_whom_in_which_request_and_why(
    join: Join, described: Described
) -> None:
    """Everything that was stated is told, in the list and alone, as the description says."""
    member = await join("25")
    number = await new_value(member.http)
    body = {"reason": "ghi “nhầm” số", "acting_official": OFFICIAL}
    done = await member.http.post(f"/v1/values/{number}/retract", json=body)
    assert done.status_code == 200, done.text
    listed = await member.http.get(f"{PATH}?limit=1")
    described.judge(listed)
    (entry,) = listed.json()["items"]
    alone = await member.http.get(f"{PATH}/{entry['id']}")
    described.judge(alone)
    at = datetime.datetime.fromisoformat(entry["at"])
    assert abs(at - datetime.datetime.now(datetime.UTC)) < datetime.timedelta(minutes=5)
    assert alone.json() == entry
    assert entry == {
        "id": entry["id"],
        "at": entry["at"],
        "client": member.client_id,
        "acting_official": OFFICIAL,
        "action": "value.retracted",
        "unit": {
            "unit": f"commune-{TODAY_COMMUNE}-2025",
            "code": TODAY_COMMUNE,
            "level": "commune",
            "name": entry["unit"]["name"],
        },
        "request_id": done.headers["x-request-id"],
        "reason": "ghi “nhầm” số",
        "details": {"value": number},
        "sealed": None,
    }


async def test_a_seal_is_shown_once_it_is_there(
    client: httpx.AsyncClient, database: Database
) -> None:
    """Position and hash, as they stand in the chain."""
    await new_designation(client)
    entry = await newest(client)
    assert entry["sealed"] is None
    await sealing.seal_all(database)
    async with database.reading() as connection:
        head = await sealing.head(connection)
    shown = (await client.get(f"{PATH}/{entry['id']}")).json()
    assert shown == entry | {"sealed": {"position": head.position, "hash": head.hash.hex()}}


async def test_a_unit_that_has_ended_is_called_as_it_was_last(client: httpx.AsyncClient) -> None:
    """What was recorded of a commune that is no more keeps its name."""
    await new_value(client, unit="07894", on="2025-02-01", period="2024", measured_on="2024-12-01")
    entry = await newest(client)
    was = (await client.get("/v1/units/07894?on=2025-02-01")).json()
    assert was["valid_to"] == "2025-07-01"
    assert entry["unit"] == {name: was[name] for name in ("unit", "code", "level", "name")}


# --- whose ---------------------------------------------------------------------------------------


async def test_each_sees_the_audit_of_its_territory_only(
    join: Join, client: httpx.AsyncClient
) -> None:
    """A commune its own, its province all below it, another province nothing; whoever did it."""
    own, above, other = (await join(TODAY_COMMUNE), await join("25"), await join(HUE))
    await new_designation(client)
    entry = await newest(client)
    assert entry["unit"]["code"] == TODAY_COMMUNE
    for caller in (own, above):
        assert await newest(caller.http) == entry
        assert (await caller.http.get(f"{PATH}/{entry['id']}")).json() == entry
    assert entry["id"] not in {one["id"] for one in await every(other.http)}
    added = await newest(client, "action=client.added&unit=25")
    assert added["unit"]["code"] == "25"
    assert (await own.http.get(f"{PATH}/{added['id']}")).status_code == 404
    assert (await above.http.get(f"{PATH}/{added['id']}")).json() == added
    codes = {one["unit"]["code"] for one in await every(own.http)}
    assert codes == {TODAY_COMMUNE}


async def test_a_foreign_entry_answers_like_one_that_never_existed(
    join: Join, client: httpx.AsyncClient
) -> None:
    """Only the number that was asked for differs."""
    await new_designation(client)
    foreign, nowhere = (await newest(client))["id"], 10**14
    caller = (await join(HUE)).http
    answers = [await caller.get(f"{PATH}/{number}") for number in (foreign, nowhere)]
    told = []
    for number, answer in zip((foreign, nowhere), answers, strict=True):
        assert problem(answer)["code"] == "audit-entry-not-found"
        assert answer.status_code == 404
        told.append(answer.text.replace(str(number), "N"))
    assert told[0] == told[1]


async def test_what_belongs_to_no_unit_is_seen_by_the_nation_alone(
    join: Join, client: httpx.AsyncClient, database: Database
) -> None:
    """An act of the operator without a place is shown without a unit."""
    async with database.writing() as connection:
        await note(connection, None, [Act("database.restored", (None, None, None))])  # type: ignore[arg-type]
    entry = await newest(client)
    assert (entry["client"], entry["unit"], entry["request_id"]) == ("ntm", None, None)
    assert (await newest(client, "client=ntm"))["id"] == entry["id"]
    province = await join("25")
    assert (await province.http.get(f"{PATH}/{entry['id']}")).status_code == 404


# --- which ---------------------------------------------------------------------------------------


@pytest.fixture
async def busy(join: Join) -> Member:
    """A client of a province that has changed several things."""
    member = await join("25")
    for _ in range(2):
        await new_designation(member.http)
        await new_value(member.http)
    body = {**DESIGNATION, "decision": fresh_decision()}
    done = await member.http.post(f"/v1/communes/{ANOTHER}/designations", json=body)
    assert done.status_code == 201, done.text
    return member


async def test_a_list_is_newest_first_and_pages_join_without_gap_or_repetition(
    busy: Member,
) -> None:
    """Following the links gives what one long page gives."""
    by = f"client={busy.client_id}"
    whole = (await busy.http.get(f"{PATH}?limit=500&{by}")).json()
    assert whole["next"] is None
    numbers = [one["id"] for one in whole["items"]]
    assert len(numbers) >= 4
    assert numbers == sorted(numbers, reverse=True)
    for size in (1, 2, 3):
        found, url = [], f"{PATH}?limit={size}&{by}"
        while url:
            answer = await busy.http.get(url)
            found += answer.json()["items"]
            url = answer.links["next"]["url"] if "next" in answer.links else ""
        assert found == whole["items"]


async def test_filters_narrow_the_list_and_combine(busy: Member, client: httpx.AsyncClient) -> None:
    """Each filter keeps exactly the entries that fit it."""
    everything = await every(client, "under=25")
    mine = [one for one in everything if one["client"] == busy.client_id]
    assert len(mine) >= 4
    assert await every(client, f"client={busy.client_id}") == mine
    for action in ("values.recorded", "designation.recorded"):
        wanted = [one for one in mine if one["action"] == action]
        assert wanted
        assert await every(client, f"client={busy.client_id}&action={action}") == wanted
    key = f"commune-{TODAY_COMMUNE}-2025"  # its code is that of a predecessor, too
    here = [one for one in everything if one["unit"]["unit"] == key]
    assert await every(client, f"unit={TODAY_COMMUNE}&on=2025-08-01") == here
    assert await every(client, f"unit={key}") == here
    since = mine[1]["at"].replace("+", "%2B")
    assert await every(client, f"client={busy.client_id}&since={since}") == mine[:2]
    assert await every(client, f"under={HUE}&client={busy.client_id}") == []
    assert await every(client, "action=never.happened") == []


@pytest.mark.parametrize(
    ("query", "pointer", "code"),
    [
        *((f"action={one}", "/action", None) for one in
          ("x", "Values.recorded", "values", "values.", ".recorded", "values.recorded%0A",
           "a.b.c", "values.recorded'", "a." + "b" * 100, "")),
        *((f"client={one}", "/client", None) for one in
          ("x", "ntm-", "ntm-0123456789ABCDEF", "ntm-0123456789abcdef0", "NTM", "")),
        ("since=yesterday", "/since", "wrong-type"),
        ("unit=x", "/unit", None),
        ("cursor=x", "/cursor", "invalid-cursor"),
        ("nope=1", "/nope", "unknown-field"),
    ],
)  # fmt: skip
async def test_a_malformed_filter_is_refused(
    client: httpx.AsyncClient, query: str, pointer: str, code: str | None
) -> None:
    """422 that names the parameter."""
    answer = await client.get(f"{PATH}?{query}")
    assert answer.status_code == 422, answer.text
    found = problem(answer)
    assert found["errors"][0]["pointer"] == pointer
    assert code in (None, found["code"])


async def test_a_unit_outside_the_territory_is_not_found(join: Join) -> None:
    """Narrowing to a foreign unit is refused; everything under one is empty."""
    caller = (await join(HUE)).http
    answer = await caller.get(f"{PATH}?unit={TODAY_COMMUNE}&on=2025-08-01")
    assert (answer.status_code, problem(answer)["code"]) == (404, "outside-territory")
    assert (await caller.get(f"{PATH}?under=25")).json()["items"] == []


async def test_a_cursor_belongs_to_its_filters(client: httpx.AsyncClient) -> None:
    """The place in one list is none in another."""
    for _ in range(2):
        await new_designation(client)
    cursor = (await client.get(f"{PATH}?limit=1")).json()["next"]
    assert (await client.get(f"{PATH}?limit=1&cursor={cursor}")).status_code == 200
    answer = await client.get(f"{PATH}?limit=1&action=values.recorded&cursor={cursor}")
    assert problem(answer)["code"] == "invalid-cursor"


async def test_values_of_several_units_are_an_entry_for_each(client: httpx.AsyncClient) -> None:
    """One request that concerns two units is found at both."""
    values = [{**VALUE, "unit": unit, "source": fresh_decision()} for unit in
              (TODAY_COMMUNE, ANOTHER)]  # fmt: skip
    done = await client.post("/v1/values", json={"values": values})
    assert done.status_code == 201, done.text
    entries = (await client.get(f"{PATH}?limit=2")).json()["items"]
    assert {one["unit"]["code"] for one in entries} == {TODAY_COMMUNE, ANOTHER}
    assert {one["request_id"] for one in entries} == {done.headers["x-request-id"]}
    ids = {one["unit"]["code"]: one["id"] for one in done.json()["items"]}
    assert {one["unit"]["code"]: one["details"]["values"] for one in entries} == {
        code: [number] for code, number in ids.items()
    }
