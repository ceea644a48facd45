"""Communes as files: the register as a table, the map with what is on record of a period."""

from __future__ import annotations

from typing import Any, Final

import httpx
import pytest
from conftest import ANYTHING, Join, problem
from export_calls import Item, everything, exported, records, table
from fastapi import FastAPI
from grant_calls import ELSEWHERE, GIVER, NEIGHBOUR, give, read
from on_record import client_of, evaluated, got, ratio, record, value
from own_database import own
from sqlalchemy import text
from value_calls import COUNT, RATE, TRUTH

from app.api import commune_maps
from app.database import Database

settings, database, service = own("maps")

MAP, CSV = "/v1/communes.geojson", "/v1/communes.csv"
STANDING: Final = "ntm_advanced_recognized_2021_2025"
PHU_THO: Final = "phutho.commune"


async def commune(http: httpx.AsyncClient, code: str, **params: Any) -> Item:
    """Return the properties of one commune of today's Phú Thọ on a map."""
    found = await got(http, MAP, under="25", **params)
    (one,) = [one for one in found["features"] if one["properties"]["code"] == code]
    properties: Item = one["properties"]
    return properties


# --- the register as a table ---------------------------------------------------------------------


@pytest.mark.parametrize("params", [{"under": "86"}, {"under": "25", "on": "2025-03-01"}], ids=str)
async def test_the_table_has_the_communes_of_the_list(
    client: httpx.AsyncClient, params: Item
) -> None:
    """Every commune of the list, in its order, with names, codes, place and area."""
    listed = await everything(client, "/v1/communes", **params)
    rows = records(await exported(client, CSV, **params))
    assert [row["unit"] for row in rows] == [one["unit"] for one in listed]
    for row, one in zip(rows, listed, strict=True):
        above = {level["level"]: level for level in one["path"]}
        assert (row["code"], row["name"], row["type"]) == (one["code"], one["name"], one["type"])
        assert (row["province"], row["province_code"]) == (
            above["province"]["name"], above["province"]["code"],
        )  # fmt: skip
        assert row["district"] == above.get("district", {"name": ""})["name"]
        assert row["area_km2"] == (one["area_km2"] or "")
        assert (row["lat"], row["lon"]) == (str(one["point"]["lat"]), str(one["point"]["lon"]))


async def test_the_table_has_area_classes_and_designations(client: httpx.AsyncClient) -> None:
    """Each area class has a column; what is not known stays empty."""
    body = {"value": True, "from": "2025-08-01", "to": None, "source": "Công văn 1"}
    path = f"/v1/communes/{GIVER}/attributes/area_island"
    assert (await client.put(path, json=body, headers=ANYTHING)).status_code == 200
    chosen = {"model": "smart", "authority": "central", "decision": "969/QĐ-BNN-VPĐP",
              "date": "2025-08-02", "source": "Phụ lục"}  # fmt: skip
    answer = await client.post(f"/v1/communes/{GIVER}/designations", json=chosen)
    assert answer.status_code == 201
    rows = {row["code"]: row for row in records(await exported(client, CSV, under="25"))}
    assert (rows[GIVER]["area_island"], rows[NEIGHBOUR]["area_island"]) == ("true", "")
    assert rows[GIVER]["designations"] == "smart 969/QĐ-BNN-VPĐP 2025-08-02"
    headings = table(await exported(client, CSV, under="25", headings="vi"))[0]
    assert headings[:3] == ["Khoá đơn vị", "Mã đơn vị", "Tên đơn vị"]


@pytest.mark.parametrize("path", [CSV, MAP])
async def test_the_register_is_open_to_every_client_and_to_nobody_else(
    stranger: httpx.AsyncClient, join: Join, path: str
) -> None:
    """Without a token 401, without the scope 403, with it the communes of all provinces."""
    assert (await stranger.get(path)).status_code == 401
    writer = (await join("25", "values:write")).http
    assert problem(await writer.get(path))["code"] == "insufficient-scope"
    reader = (await join(ELSEWHERE, "read")).http
    assert (await reader.get(path, params={"under": "86"})).status_code == 200
    assert problem(await reader.get(path, params={"under": "99"}))["status"] == 404


@pytest.mark.parametrize("query", ["limit=5", "headings=fr", "period=2025", "on=x"])
async def test_the_table_takes_no_other_parameters(client: httpx.AsyncClient, query: str) -> None:
    """Nothing is ignored: what the table does not know is refused."""
    assert problem(await client.get(f"{CSV}?{query}"))["status"] == 422


# --- the map -------------------------------------------------------------------------------------


async def test_without_a_period_the_map_is_the_register(client: httpx.AsyncClient) -> None:
    """Nothing on record is read unless a period is named."""
    found = await commune(client, GIVER)
    assert not {"values", "verdict", "rulesets", "no_ruleset_applies"} & set(found)


async def test_the_latest_value_within_the_period_is_shown(client: httpx.AsyncClient) -> None:
    """The value for exactly the period first, else the one that ends last; standing ones stay."""
    first, last, older, standing = await record(
        client,
        value(NEIGHBOUR, COUNT, 1, "2026-Q1"),
        value(NEIGHBOUR, COUNT, 2, "2026-Q3"),
        value(NEIGHBOUR, RATE, ratio(1, 2), "2025", on="2025-08-01"),
        value(NEIGHBOUR, STANDING, True, "2025", on="2025-08-01"),
    )
    wanted = {"period": "2026", "indicator": f"{COUNT},{RATE}, {STANDING}"}
    values = (await commune(client, NEIGHBOUR, **wanted))["values"]
    assert values[COUNT] == {"id": last["id"], "value": 2, "period": "2026-Q3"}
    assert values[RATE] is None
    assert values[STANDING] == {"id": standing["id"], "value": True, "period": "2025"}
    (exact,) = await record(client, value(NEIGHBOUR, COUNT, 5, "2026"))
    values = (await commune(client, NEIGHBOUR, **wanted))["values"]
    assert values[COUNT]["id"] == exact["id"]
    answer = await client.post(f"/v1/values/{exact['id']}/retract", json={"reason": "nhầm"})
    assert answer.status_code == 200
    assert (await commune(client, NEIGHBOUR, **wanted))["values"][COUNT]["id"] == last["id"]
    wanted["period"] = "2026-Q1"
    assert (await commune(client, NEIGHBOUR, **wanted))["values"][COUNT]["id"] == first["id"]
    found = await commune(client, NEIGHBOUR, period="2025")
    assert found["values"][RATE]["id"] == older["id"]
    assert COUNT not in found["values"]


async def test_the_latest_verdict_is_shown_and_its_absence_has_a_reason(
    client: httpx.AsyncClient, database: Database
) -> None:
    """Of several verdicts the last one; without one it is said why there is none."""
    asked = {"period": "2025", "ruleset": PHU_THO}
    none = (await commune(client, GIVER, **asked))["verdict"]
    assert none["ruleset"] == PHU_THO
    assert (none["applies"], none["outcome"], none["reason"]) == (True, None, "no_evaluation")
    when = {"period": "2025", "on": "2025-12-31"}
    await evaluated(client, PHU_THO, GIVER, **when)
    stored = await evaluated(client, PHU_THO, GIVER, **when)
    shown = (await commune(client, GIVER, **asked))["verdict"]
    names = ("id", "as_of", "outcome", "all_items", "counts")
    assert {name: shown[name] for name in names} == {name: stored[name] for name in names}
    assert shown["reason"] is None
    every = (await commune(client, GIVER, period="2025"))["rulesets"]
    assert [one for one in every if one["ruleset"] == PHU_THO] == [shown]
    async with database.as_owner() as connection:
        damage = text("UPDATE evaluation SET verdict = 'x' WHERE id = :id")
        await connection.execute(damage, {"id": stored["id"]})
    shown = (await commune(client, GIVER, **asked))["verdict"]
    assert (shown["outcome"], shown["reason"]) == (None, "evaluation-damaged")


async def test_what_grants_open_on_the_map_is_counted(
    join: Join, client: httpx.AsyncClient
) -> None:
    """Whoever holds a grant sees what it opens, no other commune's, and every row is counted."""
    await record(client, value(GIVER, TRUTH, True, "2026"), value(NEIGHBOUR, TRUTH, True, "2026"))
    giver, other = await join(GIVER), await join(ELSEWHERE, "read")
    asked = {"period": "2026", "indicator": f"{TRUTH},{COUNT}"}
    assert (await commune(other.http, GIVER, **asked))["values"] is None
    wished = {"to_territory": None, "to_client": other.client_id, "resources": ["values"]}
    given = await give(giver.http, **wished, indicators=[TRUTH])
    values = (await commune(other.http, GIVER, **asked))["values"]
    assert values[TRUTH]["value"] is True
    assert values[COUNT] is None
    assert (await read(giver.http, given["id"]))["reads"]["rows"] == 1
    assert (await commune(other.http, NEIGHBOUR, **asked))["values"] is None


async def test_a_map_that_is_known_already_is_not_sent_again(client: httpx.AsyncClient) -> None:
    """The tag covers what is on record: a new value makes a new map."""
    path = f"{MAP}?under=25&period=2026&indicator={RATE}"
    first = await client.get(path)
    known = {"if-none-match": first.headers["etag"]}
    assert (await client.get(path, headers=known)).status_code == 304
    await record(client, value(GIVER, RATE, ratio(1, 4), "2026"))
    assert (await client.get(path, headers=known)).status_code == 200


@pytest.mark.parametrize(
    ("query", "pointer", "code"),
    [
        ("ruleset=phutho.commune", "/period", "missing-field"),
        (f"indicator={COUNT}", "/period", "missing-field"),
        ("period=2025&ruleset=nothing", "/ruleset", "unknown-ruleset"),
        ("period=2025&ruleset=bnn3445.province", "/ruleset", "wrong-level"),
        (f"period=2025&indicator={COUNT},nothing", "/indicator", "unknown-indicator"),
        (f"period=2025&indicator={COUNT},", "/indicator", "unknown-indicator"),
        ("period=2025&indicator=nothing,nothing", "/indicator", "unknown-indicator"),
        ("period=2025&indicator=area_island", "/indicator", "not-a-fact"),
        (f"period=2025&indicator={','.join([COUNT] * 51)}", "/indicator", "out-of-range"),
        ("period=x", "/period", "invalid-period"),
        ("period=2025", "/under", "too-many-values"),
        (f"period=2025&indicator={COUNT}&indicator={RATE}", "/indicator", "repeated-parameter"),
    ],
)
async def test_a_map_that_nobody_could_draw_is_refused(
    client: httpx.AsyncClient, query: str, pointer: str, code: str
) -> None:
    """What is unknown, of another level, or too much for one answer is named."""
    found = problem(await client.get(f"{MAP}?{query}"))
    assert found["status"] == 422
    assert [(one["pointer"], one["code"]) for one in found["errors"]] == [(pointer, code)]


async def test_the_nation_fits_when_little_is_asked_of_each(
    client: httpx.AsyncClient, service: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One indicator of all communes is no problem; the limit is on what is looked up."""
    found = await got(client, MAP, period="2025", indicator=COUNT, ruleset=PHU_THO)
    assert len(found["features"]) == 3_321
    monkeypatch.setattr(commune_maps, "_MOST_LOOKED_UP", 3_320)
    answer = await client.get(
        MAP, params={"period": "2025", "indicator": COUNT, "ruleset": PHU_THO}
    )
    assert problem(answer)["code"] == "too-many-values"


async def test_the_day_of_the_map_is_the_last_of_the_period(
    client: httpx.AsyncClient, database: Database
) -> None:
    """A period shows the communes that there were at its end, unless a day is named."""
    assert await client_of(database)
    past = await got(client, MAP, under="25", period="2024", ruleset=PHU_THO)
    named = await got(client, MAP, under="25", period="2024", ruleset=PHU_THO, on="2025-08-01")
    assert (len(past["features"]), len(named["features"])) == (207, 148)
