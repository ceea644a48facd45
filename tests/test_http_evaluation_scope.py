"""Whom a ruleset may be put to: scope by lineage, refusals that change nothing, batches as one."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from conftest import PREVIEW, Described, Join, Member, problem
from on_record import (
    PATH,
    Item,
    ask,
    by_id,
    codes,
    evaluated,
    got,
    outcomes,
    places,
    ratio,
    record,
    value,
)
from own_database import own
from test_http_preview import SMARTPHONE
from unchanged import fingerprint

from app.database import Database
from app.domain import scope
from app.rules.registry import Registry

PHU_THO = "phutho.commune"


settings, database, service = own("scope")


@pytest.fixture
async def nation(join: Join) -> Member:
    """A caller with every scope in the whole nation."""
    return await join("VN")


# --- scope ---------------------------------------------------------------------------------------

# Ruleset, unit, period, day: which status, or none where it is refused.
SCOPES: list[tuple[str, str, Item, str | None]] = [
    # Named as an ancestor: a commune and a district of old Phú Thọ.
    (PHU_THO, "08287", {}, "in_period"),
    ("phutho.district", "233", {}, "in_period"),
    ("phutho.annex01", "08287", {}, "in_period"),
    # Named as a predecessor: made of communes of old Phú Thọ only, under today's Phú Thọ.
    (PHU_THO, "08152", {"period": "2025", "on": "2025-12-31"}, "in_period"),
    (PHU_THO, "07900", {"period": "2026"}, "after_period"),
    # Under today's Phú Thọ, made of communes of old Hòa Bình and Vĩnh Phúc.
    (PHU_THO, "04792", {"period": "2026"}, None),
    (PHU_THO, "08911", {"period": "2026"}, None),
    # Those communes themselves, and others far away.
    (PHU_THO, "04792", {"period": "2024"}, None),
    (PHU_THO, "29263", {}, None),
    ("phutho.district", "842", {}, None),
    ("travinh.commune", "08287", {}, None),
    ("travinh.commune", "29263", {"period": "2023"}, "in_period"),
    # Today's Vĩnh Long: of Trà Vinh, Bến Tre and old Vĩnh Long.
    ("travinh.commune", "29263", {"period": "2026"}, "after_period"),
    ("travinh.commune", "29158", {"period": "2026"}, None),
    ("travinh.province", "84", {"period": "2023"}, "in_period"),
    ("travinh.province", "86", {"period": "2023"}, None),
    ("travinh.province", "86", {"period": "2026"}, "partly_in_scope"),
    ("travinh.province", "25", {"period": "2026"}, None),
    # The nation's documents bind everybody.
    ("bnn3445.province", "25", {"period": "2026"}, "after_period"),
    ("bnn3445.selection.smart", "04792", {"period": "2026"}, "after_period"),
]


async def test_a_unit_is_in_scope_by_an_ancestor_or_by_what_it_was_made_of(nation: Member) -> None:
    """Every status but out of scope is stored and shown."""
    for ruleset, unit, more, status in SCOPES:
        if status is not None:
            found = await evaluated(nation.http, ruleset, unit, **more)
            stored = await got(nation.http, f"{PATH}/{found['id']}")
            assert stored["applicability"]["status"] == status, (ruleset, unit, more)


async def test_a_unit_out_of_scope_is_refused_and_nothing_is_stored(
    nation: Member, database: Database
) -> None:
    before = await fingerprint(database)
    for ruleset, unit, more, status in SCOPES:
        if status is None:
            found = problem(await ask(nation.http, ruleset, unit=unit, **more))
            assert (found["status"], found["code"]) == (422, "ruleset-out-of-scope"), (
                ruleset,
                unit,
            )
            assert places(found) == [("/unit", "ruleset-out-of-scope")]
    assert await fingerprint(database) == before


async def test_both_merged_provinces_of_today_are_partly_in_scope(
    database: Database, registry: Registry
) -> None:
    """Only some of what Phú Thọ and Vĩnh Long were made of is named by their old documents."""
    async with database.reading() as connection:
        rows = await connection.fetch(
            "SELECT id, key FROM unit WHERE key IN ('province-25', 'province-25-2025', "
            "'province-84', 'province-86', 'province-86-2025')"
        )
        keys = {row["id"]: row["key"] for row in rows}
        for ruleset, wanted in (
            (PHU_THO, {"province-25": None, "province-25-2025": "partly_in_scope"}),
            ("travinh.commune", {"province-84": None, "province-86-2025": "partly_in_scope"}),
        ):
            named = registry.entries[ruleset].ruleset.scope
            found = await scope.of(connection, named, list(keys))
            told = {keys[unit]: status for unit, status in found.items()}
            assert told == dict.fromkeys(keys.values(), "out_of_scope") | wanted


async def test_a_commune_made_only_in_part_of_named_communes_is_partly_in_scope(
    nation: Member, database: Database
) -> None:
    """Wherever the boundary of a province was crossed; a hamlet follows its commune."""
    async with database.as_owner() as connection:
        await connection.exec_driver_sql(
            "INSERT INTO lineage (from_unit_id, to_unit_id, effective_on, extent, source) "
            "SELECT f.id, t.id, '2025-07-01', 'part', 'thử' FROM unit f, unit t "
            "WHERE f.key = 'commune-29260' AND t.key = 'commune-29167-2025'"
        )
    found = await evaluated(nation.http, "travinh.commune", "29167", period="2026")
    assert found["applicability"]["status"] == "partly_in_scope"
    code = await hamlet(nation.http, "29167", "2025-07-01")
    found = await evaluated(nation.http, "travinh.hamlet", code, period="2026")
    assert found["applicability"]["status"] == "partly_in_scope"


async def hamlet(client: httpx.AsyncClient, commune: str, since: str) -> str:
    """Enter a hamlet of a commune; return its code."""
    body = {"code": f"{commune}-01", "name": "Ấp 1", "type": "ap", "valid_from": since}
    answer = await client.post(f"/v1/communes/{commune}/hamlets", json=body)
    assert answer.status_code == 201, answer.text
    return body["code"]


@pytest.mark.parametrize(
    ("commune", "since", "period", "status"),
    [
        ("29266", "2023-01-01", "2023", "in_period"),
        ("29266", "2025-07-01", "2026", "after_period"),
        ("29191", "2025-07-01", "2026", None),
        ("08152", "2023-01-01", "2023", None),
    ],
)
async def test_a_hamlet_follows_its_commune(
    nation: Member, commune: str, since: str, period: str, status: str | None
) -> None:
    """It has no lineage of its own: it is in scope where the commune it lies in is."""
    code = await hamlet(nation.http, commune, since)
    answer = await ask(nation.http, "travinh.hamlet", unit=code, period=period)
    if status is None:
        assert problem(answer)["code"] == "ruleset-out-of-scope"
    else:
        assert answer.json()["applicability"]["status"] == status
        assert answer.json()["unit"]["level"] == "hamlet"


@pytest.mark.parametrize(
    ("ruleset", "code", "as_of", "status"),
    [
        (PHU_THO, "08287", "2024-12-31", "in_period"),
        (PHU_THO, "04792", "2024-12-31", "out_of_scope"),
        (PHU_THO, "08152", "2025-12-31", "in_period"),
        (PHU_THO, "04792", "2026-01-01", "out_of_scope"),
        ("travinh.province", "86", "2026-01-01", "partly_in_scope"),
        ("travinh.province", "84", "2023-12-31", "in_period"),
        ("travinh.hamlet", "29266-07", "2023-12-31", "in_period"),
        ("travinh.hamlet", "08287-07", "2023-12-31", "out_of_scope"),
    ],
)
async def test_a_preview_with_a_code_says_whether_the_document_speaks_of_it(
    nation: Member, registry: Registry, ruleset: str, code: str, as_of: str, status: str
) -> None:
    """It is shown and judged all the same; without a code nothing is ever out of scope."""
    unit: Item = {"level": registry.entries[ruleset].ruleset.level}
    body = {"ruleset": ruleset, "as_of": as_of, "unit": unit | {"code": code}}
    found = await nation.http.post(PREVIEW, json=body)
    assert found.status_code == 200, found.text[:300]
    assert found.json()["applicability"]["status"] == status
    bare = await nation.http.post(PREVIEW, json=body | {"unit": unit})
    assert bare.json()["applicability"]["status"] in ("in_period", "before_issue", "after_period")
    assert outcomes(bare.json()) == outcomes(found.json())


# --- refusals ------------------------------------------------------------------------------------

ONE: Item = {"ruleset": PHU_THO, "unit": "08287", "period": "2024"}
MANY: Item = {"ruleset": PHU_THO, "period": "2024"}
REFUSED: list[tuple[Item, int, str, str]] = [
    (ONE | {"ruleset": "phutho.xa"}, 422, "/ruleset", "unknown-ruleset"),
    (ONE | {"unit": "99999"}, 404, "/unit", "unit-not-found"),
    (ONE | {"unit": "commune-99999"}, 404, "/unit", "unit-not-found"),
    (ONE | {"unit": "07900", "period": "2025"}, 422, "/unit", "ambiguous-unit"),
    (ONE | {"unit": "commune-07900-2025"}, 404, "/unit", "unit-not-found"),
    (ONE | {"unit": "07900", "on": "2025-08-01"}, 422, "/on", "unit-outside-period"),
    (ONE | {"unit": "25"}, 422, "/unit", "wrong-level"),
    (ONE | {"unit": "VN"}, 422, "/unit", "wrong-level"),
    (ONE | {"units": ["08287"]}, 422, "", ""),
    (MANY, 422, "", ""),
    (MANY | {"unit": None}, 422, "", ""),
    (MANY | {"units": []}, 422, "/units", ""),
    (MANY | {"units": [f"{n:05}" for n in range(501)]}, 422, "/units", ""),
    (MANY | {"units": ["08287", "07900", "08287"]}, 422, "/units/2", "duplicate-unit"),
    (MANY | {"units": ["08287", "commune-08287"]}, 422, "/units/1", "duplicate-unit"),
    (MANY | {"units": ["08287", 8281]}, 422, "/units/1", "wrong-type"),
    (MANY | {"units": ["08287", "29263"]}, 422, "/units/1", "ruleset-out-of-scope"),
    (MANY | {"units": ["08287", "99999"]}, 0, "/units/1", "unit-not-found"),
    (ONE | {"period": "2024-13"}, 422, "/period", "invalid-period"),
    (ONE | {"period": "2024-Q5"}, 422, "/period", "invalid-period"),
    (ONE | {"period": 2024}, 422, "/period", "invalid-period"),
    ({"ruleset": PHU_THO, "unit": "08287"}, 422, "/period", "missing-field"),
    (ONE | {"as_of": "31/12/2024"}, 422, "/as_of", ""),
    (ONE | {"on": "2024-02-30"}, 422, "/on", ""),
    (ONE | {"facts": {}}, 422, "/facts", "unknown-field"),
    (ONE | {"unit": 8287}, 422, "/unit", "wrong-type"),
    (ONE | {"unit": "xã Hùng Lô"}, 422, "/unit", ""),
]


async def test_a_wrong_request_is_refused_with_its_place_and_changes_nothing(
    nation: Member, database: Database, described: Described
) -> None:
    before = await fingerprint(database)
    for body, status, pointer, code in REFUSED:
        answer = await nation.http.post(PATH, json=body)
        described.judge(answer)
        found = problem(answer)
        assert found["status"] in ({status} if status else {404, 422}), found
        assert (pointer, code) in [(where, code and what) for where, what in places(found)], found
    assert await fingerprint(database) == before


async def test_an_ambiguous_unit_is_answered_with_both_and_on_tells_which(nation: Member) -> None:
    """In 2025 one code means two communes; each is evaluated with a day of its own."""
    found = problem(await ask(nation.http, PHU_THO, unit="07900", period="2025"))
    assert "commune-07900]" in found["detail"]
    assert "commune-07900-2025]" in found["detail"]
    for day, key in (("2025-06-30", "commune-07900"), ("2025-07-01", "commune-07900-2025")):
        verdict = await evaluated(nation.http, PHU_THO, "07900", period="2025", on=day)
        assert verdict["unit"]["unit"] == key
    verdict = await evaluated(nation.http, PHU_THO, "commune-07900", period="2025")
    assert verdict["unit"]["unit"] == "commune-07900"


async def test_every_fault_of_a_batch_is_named_at_once(nation: Member) -> None:
    units = ["08287", "99999", "25", "08287"]
    found = problem(await ask(nation.http, PHU_THO, units=units))
    assert places(found) == [
        ("/units/1", "unit-not-found"), ("/units/2", "wrong-level"), ("/units/3", "duplicate-unit")
    ]  # fmt: skip


async def test_only_units_of_the_caller_are_evaluated_and_only_with_a_token(
    join: Join, stranger: httpx.AsyncClient, database: Database
) -> None:
    elsewhere, writer = await join("86"), await join("25", "values:write")
    before = await fingerprint(database)
    assert problem(await stranger.post(PATH, json=ONE))["status"] == 401
    assert problem(await writer.http.post(PATH, json=ONE))["status"] == 403
    found = problem(await elsewhere.http.post(PATH, json=ONE))
    assert (found["status"], found["code"]) == (404, "outside-territory")
    batch = problem(await ask(elsewhere.http, "bnn3445.annex1", units=["29263", "08287"]))
    assert places(batch) == [("/units/1", "outside-territory")]
    assert await fingerprint(database) == before


# --- batches -------------------------------------------------------------------------------------


async def test_a_batch_is_one_act_and_each_verdict_is_what_it_would_be_alone(
    nation: Member, database: Database, described: Described
) -> None:
    """All communes of a district in the order asked for, one recording for all of them."""
    units = (await codes(nation.http, "239"))[::-1]
    await record(
        nation.http, *(value(unit, SMARTPHONE, ratio(n, 10)) for n, unit in enumerate(units))
    )
    acts = await count(database, "recording")
    answer = await ask(nation.http, PHU_THO, units=units)
    described.judge(answer)
    assert answer.status_code == 201
    items = answer.json()["items"]
    assert [one["unit"]["code"] for one in items] == units
    assert await count(database, "recording") == acts + 1
    assert len({one["created_at"] for one in items}) == 1
    assert [one["id"] for one in items] == sorted(one["id"] for one in items)
    met = [by_id(one)["phutho.1.1.1"]["outcome"] for one in items]
    assert met == ["not_met"] * 9 + ["met"] * (len(units) - 9)
    for one in items[::5]:
        assert await got(nation.http, f"{PATH}/{one['id']}") == one
        alone = await evaluated(nation.http, PHU_THO, one["unit"]["code"])
        told: dict[str, Any] = {name: alone[name] for name in ("id", "created_at")}
        assert alone == one | told


async def test_one_bad_unit_and_no_verdict_of_a_batch_is_stored(
    nation: Member, database: Database
) -> None:
    """Wherever it stands in the batch, and whatever is wrong with it."""
    units = await codes(nation.http, "228")
    before = await fingerprint(database)
    for place in (0, 4, len(units)):
        for bad in ("99999", "29263", "25", units[2]):
            wrong = [*units[:place], bad, *units[place:]]
            assert (await ask(nation.http, PHU_THO, units=wrong)).status_code in (404, 422)
    assert await fingerprint(database) == before


async def count(database: Database, table: str) -> int:
    """Return how many rows a table has."""
    async with database.reading() as connection:
        return int(await connection.fetchval(f"SELECT count(*) FROM {table}"))
