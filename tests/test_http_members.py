"""Shares over members: exactly those counted are listed, whoever many there are."""

from __future__ import annotations

import datetime
from typing import Any

import asyncpg
import httpx
import pytest
from conftest import Described, problem
from on_record import (
    PATH,
    Item,
    by_id,
    codes,
    evaluated,
    got,
    places,
    ratio,
    record,
    value,
)
from own_database import own
from test_http_units import everything

from app.database import Database, driver_of
from app.domain.evaluations import conduct
from app.domain.evaluations.conduct import Wish
from app.domain.territory import EVERYWHERE
from app.rules.period import read_period
from app.rules.registry import Registry

TRA_VINH, NATION = "travinh.province", "qd924.nation"
NTM, SHARE = "commune_ntm_8_4_met", f"{TRA_VINH}.1b.1"
DISTRICT, DISTRICTS = "district_ntm_9_5_met", f"{TRA_VINH}.1c.1"


settings, database, service = own("members")


async def rural(client: httpx.AsyncClient, under: str) -> tuple[list[str], list[str]]:
    """Return the codes of the xã under a unit, and those of its other communes."""
    items = await everything(client, "/v1/communes", under=under, on="2025-06-30", limit="500")
    found: tuple[list[str], list[str]] = [], []
    for one in items:
        found[one["type"] != "xa"].append(one["code"])
    found[0].sort()
    return found


async def members(client: httpx.AsyncClient, number: int, **params: Any) -> list[Item]:
    """Return the members on all pages; what is said of the whole list is the same on each."""
    found: list[Item] = []
    cursor: Item = {}
    counts = []
    while True:
        page = await got(client, f"{PATH}/{number}/members", **params, **cursor)
        assert set(page) == {"criterion", "counts", "items", "next"}
        found += page["items"]
        counts.append(page["counts"])
        if page["next"] is None:
            assert all(one == counts[0] for one in counts)
            return found
        cursor = {"cursor": page["next"]}


async def test_the_members_listed_are_those_counted_and_only_communes_that_are_xa(
    client: httpx.AsyncClient, described: Described
) -> None:
    """Each with its outcome and the value read; wards and townships do not count."""
    xa, other = await rural(client, "84")
    assert (len(xa), len(other)) == (85, 19)
    true, false = xa[:40], xa[40:60]
    stored = await record(
        client,
        *(value(one, NTM, True, "2023") for one in true),
        *(value(one, NTM, False, "2023-H2") for one in false),
        *(value(one, NTM, True, "2023") for one in other),
        *(value(one, NTM, True, "2022") for one in xa[60:65]),
    )
    number_of = {one["unit"]["code"]: one["id"] for one in stored}
    verdict = await evaluated(client, TRA_VINH, "84", period="2023")
    found = by_id(verdict)[SHARE]
    counts = {"known": 60, "true": 40, "unknown": 25}
    assert found["observed"]["members"] == counts
    assert found["outcome"] == "not_met"
    answer = await client.get(f"{PATH}/{verdict['id']}/members?criterion={SHARE}&limit=500")
    described.judge(answer)
    page = answer.json()
    assert (page["criterion"], page["counts"], page["next"]) == (SHARE, counts, None)
    listed = {one["unit"]["code"]: one for one in page["items"]}
    assert sorted(listed) == xa
    assert len(page["items"]) == 85
    for code, one in listed.items():
        wanted = "met" if code in true else "not_met" if code in false else "undetermined"
        assert (one["outcome"], one["unit"]["type"]) == (wanted, "xa")
        numbers_ = [(read["indicator"], read["value_id"]) for read in one["values"]]
        assert numbers_ == ([(NTM, number_of[code])] if code in number_of else [])
    assert {tuple(listed[code]["reasons"]) for code in xa[60:65]} == {("value_outdated",)}
    assert {tuple(listed[code]["reasons"]) for code in xa[65:]} == {("missing_value",)}
    one = listed[false[0]]["values"][0]
    assert (one["value"], one["period"], one["status"]) == (False, "2023-H2", "reported")
    # What is recorded afterwards changes nothing of what was counted.
    await record(client, value(false[0], NTM, True, "2023"))
    assert (await client.get(str(answer.request.url))).json() == page


async def test_members_are_filtered_and_paged(client: httpx.AsyncClient) -> None:
    """Every page together is the list; counts are those of the whole, whatever is filtered."""
    verdict = await evaluated(client, TRA_VINH, "84", period="2023")
    every = await members(client, verdict["id"], criterion=SHARE, limit=500)
    for limit in (1, 7, 84, 85):
        assert await members(client, verdict["id"], criterion=SHARE, limit=limit) == every
    for outcome in ("met", "not_met", "undetermined", "not_applicable"):
        found = await members(client, verdict["id"], criterion=SHARE, limit=9, outcome=outcome)
        assert found == [one for one in every if one["outcome"] == outcome]
    first = await got(client, f"{PATH}/{verdict['id']}/members", criterion=SHARE, limit=3)
    for other in ({"outcome": "met"}, {"criterion": DISTRICTS}):
        params: Item = {"criterion": SHARE, "limit": 3, "cursor": first["next"]}
        answer = await client.get(f"{PATH}/{verdict['id']}/members", params=params | other)
        assert problem(answer)["code"] == "invalid-cursor"


@pytest.mark.parametrize(
    ("query", "pointer", "code"),
    [
        ("criterion=travinh.province.9", "/criterion", "unknown-criterion"),
        ("criterion=phutho.1.1.1", "/criterion", "unknown-criterion"),
        (f"criterion={TRA_VINH}.1d", "/criterion", "no-members"),
        (f"criterion={TRA_VINH}.1c", "/criterion", "unknown-criterion"),
        (f"criterion={TRA_VINH}.1a", "/criterion", "no-members"),
        ("", "/criterion", "missing-field"),
        (f"criterion={SHARE}&outcome=yes", "/outcome", ""),
        (f"criterion={SHARE}&limit=0", "/limit", ""),
        (f"criterion={SHARE}&on=2024-01-01", "/on", "unknown-field"),
    ],
)
async def test_a_criterion_without_members_is_refused(
    client: httpx.AsyncClient, described: Described, query: str, pointer: str, code: str
) -> None:
    verdict = await evaluated(client, TRA_VINH, "84", period="2019")
    answer = await client.get(f"{PATH}/{verdict['id']}/members?{query}")
    described.judge(answer)
    found = problem(answer)
    assert found["status"] == 422
    assert (pointer, code) in [(where, code and what) for where, what in places(found)]


async def test_districts_are_counted_until_their_level_ended(client: httpx.AsyncClient) -> None:
    """From 2025-07-01 such a share is undetermined(level_abolished) and counts nobody."""
    await record(
        client, *(value(str(code), DISTRICT, True, "2022") for code in (842, *range(844, 850)))
    )
    before = await evaluated(client, TRA_VINH, "84", period="2022")
    found = by_id(before)[DISTRICTS]
    # Eight are true of nine: the ninth decides.
    assert found["observed"]["members"] == {"known": 7, "true": 7, "unknown": 2}
    assert (found["outcome"], found["reasons"]) == ("undetermined", ["member_value_missing"])
    listed = await members(client, before["id"], criterion=DISTRICTS)
    assert [one["unit"]["level"] for one in listed] == ["district"] * 9
    for unit, period in (("86", "2026"), ("84", "2022")):
        as_of = "2026-01-01"  # a past period is judged by the levels of its time
        verdict = await evaluated(client, TRA_VINH, unit, period=period, as_of=as_of)
        found = by_id(verdict)[DISTRICTS]
        ended = period == "2026"
        assert (found["reasons"] == ["level_abolished"]) is ended
        assert found["outcome"] == "undetermined"
        answer = await client.get(f"{PATH}/{verdict['id']}/members?criterion={DISTRICTS}")
        assert answer.status_code == (422 if ended else 200)
        if ended:
            assert problem(answer)["code"] == "no-members"


async def test_a_share_given_directly_fills_in_only_what_the_members_leave_open(
    client: httpx.AsyncClient,
) -> None:
    """What the members decide it never overturns; both are shown side by side."""
    xa, _ = await rural(client, "84")
    await record(client, value("84", "communes_ntm_8_4_rate", ratio(85, 85), "2021"))
    await record(client, *(value(one, NTM, True, "2021") for one in xa[1:]))
    found = by_id(await evaluated(client, TRA_VINH, "84", period="2021"))[SHARE]
    assert found["outcome"] == "met"
    assert found["observed"]["members"] == {"known": 84, "true": 84, "unknown": 1}
    await record(client, value(xa[0], NTM, False, "2021"))
    found = by_id(await evaluated(client, TRA_VINH, "84", period="2021"))[SHARE]
    assert (found["outcome"], found["gap"]["more"]) == ("not_met", 1)
    assert found["observed"]["members"] == {"known": 85, "true": 84, "unknown": 0}
    assert found["observed"]["stated"]["numerator"] == 85
    assert found["observed"]["conflict"] is True


async def test_values_of_members_that_nobody_approved_do_not_count_where_that_is_asked(
    client: httpx.AsyncClient,
) -> None:
    """Each member is as one without a value, and is listed with its value and the reason."""
    xa, _ = await rural(client, "84")
    await record(client, *(value(one, NTM, True, "2020") for one in xa))
    assert by_id(await evaluated(client, TRA_VINH, "84", period="2020"))[SHARE]["outcome"] == "met"
    strict = await evaluated(client, TRA_VINH, "84", period="2020", min_status="approved")
    found = by_id(strict)[SHARE]
    assert (found["outcome"], found["observed"]["members"]) == (
        "undetermined", {"known": 0, "true": 0, "unknown": 85}
    )  # fmt: skip
    listed = await members(client, strict["id"], criterion=SHARE, limit=500)
    assert {tuple(one["reasons"]) for one in listed} == {("value_not_approved",)}
    assert {one["values"][0]["status"] for one in listed} == {"reported"}


async def test_the_nation_is_judged_over_everything_below_it(
    client: httpx.AsyncClient, registry: Registry
) -> None:
    """On the last day of the period: 63 provinces then, 34 after the mergers; no commune twice."""
    shares = {
        one.id: registry.indicators[one.indicator].derived
        for one in registry.entries[NATION].ruleset.walk()
        if one.indicator
    }
    for period, day, provinces in (("2024", "2024-12-31", 63), ("2026", "2026-12-31", 34)):
        verdict = await evaluated(client, NATION, "VN", period=period)
        assert verdict["unit"]["level"] == "nation"
        criteria = by_id(verdict)
        communes = await everything(client, "/v1/communes", on=day, limit="500")
        xa = [one["unit"] for one in communes if one["type"] == "xa"]
        seen = set()
        for id_, share in shares.items():
            levels = [group.level for group in share.of] if share else []
            counted = (criteria[id_]["observed"] or {}).get("members")
            seen.add(tuple(levels))
            if "district" in levels and period == "2026":
                assert criteria[id_]["reasons"] == ["level_abolished"], id_
            elif levels == ["province"]:
                assert counted == {"known": 0, "true": 0, "unknown": provinces}
            elif levels == ["commune"]:
                assert counted == {"known": 0, "true": 0, "unknown": len(xa)}, id_
                page = await got(
                    client, f"{PATH}/{verdict['id']}/members", criterion=id_, limit=500
                )
                assert [one["unit"]["unit"] for one in page["items"]] == xa[:500]
        assert {("commune",), ("district",), ("province",)} <= seen


# --- how many statements -------------------------------------------------------------------------

_UNITS = "INSERT INTO unit (key, level) SELECT unnest($1::text[]), $2 RETURNING id"
_VERSIONS = """
INSERT INTO unit_version (unit_id, code, type, name, sort_key, loose_key, search_key,
                          parent_id, province_id)
SELECT id, '9' || lpad(n::text, 4, '0'), $2, 'Xã ' || n, lpad(n::text, 4, '0'), n::text, n::text,
       $3, coalesce($3, id)
  FROM unnest($1::int[]) WITH ORDINALITY w(id, n)
"""


async def province(database: Database, number: int, communes: int) -> list[str]:
    """Enter a province, in the line of Trà Vinh, with so many communes; return all keys."""
    keys = [f"commune-9{number}{n:03}" for n in range(communes)]
    async with database.as_owner() as connection:
        driver = await driver_of(connection)
        above = [
            row["id"] for row in await driver.fetch(_UNITS, [f"province-99{number}"], "province")
        ]
        below = [row["id"] for row in await driver.fetch(_UNITS, keys, "commune")]
        await driver.execute(_VERSIONS, above, "tinh", None)
        await driver.execute(_VERSIONS, below, "xa", above[0])
        await driver.execute(
            "INSERT INTO lineage (from_unit_id, to_unit_id, effective_on, extent, source) SELECT "
            "id, $1, '2020-01-01', 'whole', 'thử' FROM unit WHERE key = 'province-84'", above[0]
        )  # fmt: skip
    return [f"province-99{number}", *keys]


async def test_the_number_of_statements_does_not_grow_with_the_members(
    client: httpx.AsyncClient, database: Database, registry: Registry
) -> None:
    """Nor with the units of a batch; counted for a province and for a district's communes."""
    period = read_period("2023")
    assert period
    sent: dict[str, list[str]] = {}

    async def counted(name: str, ruleset: str, *units: str) -> list[conduct.Conducted]:
        wish = Wish(ruleset, units, period, datetime.date(2023, 12, 31))
        said = sent.setdefault(name, [])
        async with database.reading() as connection:
            driver: asyncpg.Connection = connection

            def note(query: Any) -> None:
                said.append(query.query)

            with driver.query_logger(note):
                _, found = await conduct.conduct(driver, registry, EVERYWHERE, wish)
        return found

    for number, communes in ((1, 10), (2, 200)):
        above, *below = await province(database, number, communes)
        await record(client, *(value(one, NTM, True, "2023") for one in below))
        (found,) = await counted(f"of {communes}", TRA_VINH, above)
        assert len(found.inputs.members or ()) == communes
    assert len(sent["of 10"]) > 0
    assert len(sent["of 10"]) == len(sent["of 200"])
    batch = await codes(client, "844")
    await counted("one unit", "travinh.commune", batch[0])
    await counted("many units", "travinh.commune", *batch)
    assert len(sent["one unit"]) == len(sent["many units"]) > 0
