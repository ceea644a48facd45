"""The register of units: what the shipped files hold, and how loading brings it about."""

from __future__ import annotations

import csv
import datetime
import functools
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import NamedTuple

import asyncpg
import pytest
from conftest import ROOT, clone
from pydantic import SecretStr

from app.database import EVERYTHING, OWNER, Database
from app.domain import hamlets, register, unit_lookup
from app.domain.register import UNCHANGED, Loaded
from app.embedded import Embedded
from app.settings import Settings

Row = dict[str, str]
FILES = ROOT / "app" / "domain" / "register"
DAYS = ("2025-01-01", "2025-06-30", "2025-07-01", "2026-10-01")
COVERS = """({0}.valid_from IS NULL OR {0}.valid_from <= $1)
        AND ({0}.valid_to IS NULL OR {0}.valid_to > $1)"""


@functools.cache
def shipped_units() -> tuple[Row, ...]:
    """Return the rows of the file of units that is shipped."""
    with (FILES / "units.csv").open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


@functools.cache
def shipped_edges() -> tuple[Row, ...]:
    """Return the rows of the file of lineage that is shipped."""
    with (FILES / "successors.csv").open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


def on_day(day: str) -> list[Row]:
    """Return the shipped rows that hold on a day."""
    return [
        row
        for row in shipped_units()
        if row["valid_from"] <= day and (not row["valid_to"] or row["valid_to"] > day)
    ]


def rounded(area: str) -> Decimal:
    """Return an area with the four decimals that are kept; no file gives more."""
    return Decimal(area).quantize(Decimal("0.0001"))


def silently(*_: object) -> None:
    """Show no progress."""


class Own(NamedTuple):
    """A database of one test's own."""

    settings: Settings
    cluster: Embedded
    name: str

    @asynccontextmanager
    async def owner(self) -> AsyncIterator[asyncpg.Connection]:
        """Yield a connection of its owner."""
        connection = await asyncpg.connect(
            host=self.cluster.socket_folder,
            user=OWNER,
            database=self.name,
            server_settings={"search_path": "ntm"},
        )
        try:
            yield connection
        finally:
            await connection.close()


NUMBERS = itertools.count(1)


@pytest.fixture
def own(cluster: Embedded, worker_id: str, tmp_path_factory: pytest.TempPathFactory) -> Own:
    """A database with the whole register, which a test may change as it likes."""
    name = f"register_{worker_id}_{next(NUMBERS)}"
    found = clone(cluster, name)
    settings = Settings(
        database_url=SecretStr(found["NTM_DATABASE_URL"]),
        database_owner_url=SecretStr(found["NTM_DATABASE_OWNER_URL"]),
        data_dir=tmp_path_factory.mktemp("data"),
    )
    return Own(settings, cluster, name)


async def forget(connection: asyncpg.Connection) -> None:
    """Let the register forget what was loaded, so that the files are compared again."""
    await connection.execute("UPDATE register SET digest = 'other'")


async def revision(connection: asyncpg.Connection) -> int:
    """Return how often the register has changed."""
    return int(await connection.fetchval("SELECT revision FROM register"))


State = dict[str, list[tuple[object, ...]]]


async def state(connection: asyncpg.Connection) -> State:
    """Return everything the register holds, ids of units included."""
    found = {}
    for table, columns in (
        ("unit", "id, key, level"),
        (
            "unit_version",
            "unit_id, code, type, name, sort_key, loose_key, search_key, parent_id, district_id, "
            "province_id, valid_from, valid_to, legal_basis, latitude, longitude, area_km2",
        ),
        ("lineage", "from_unit_id, to_unit_id, effective_on, extent, source"),
    ):
        rows = await connection.fetch(f"SELECT {columns} FROM {table}")
        found[table] = sorted((tuple(row) for row in rows), key=repr)
    return found


# What the database holds.


async def test_the_database_holds_every_unit_version_and_edge_of_the_files(
    database: Database,
) -> None:
    async with database.reading() as connection:
        units = await connection.fetchval("SELECT count(*) FROM unit WHERE level <> 'hamlet'")
        versions = await connection.fetchval(
            "SELECT count(*) FROM unit_version v JOIN unit u ON u.id = v.unit_id "
            "WHERE u.level <> 'hamlet'"
        )
        edges = await connection.fetchval("SELECT count(*) FROM lineage")
    assert units == len({row["unit"] for row in shipped_units()}) + 1 == 14_007
    assert versions == len(shipped_units()) + 1 == 14_164
    assert edges == len(shipped_edges()) == 10_490


async def test_every_version_says_what_the_file_says(database: Database) -> None:
    async with database.reading() as connection:
        rows = await connection.fetch(
            "SELECT u.key, u.level, v.code, v.type, v.name, p.key AS parent, v.valid_from, "
            "v.valid_to, v.legal_basis, v.latitude, v.longitude, v.area_km2 "
            "FROM unit_version v JOIN unit u ON u.id = v.unit_id JOIN unit p ON p.id = v.parent_id "
            "WHERE u.level <> 'hamlet'"
        )
    held = Counter(
        (
            *(str(row[name] or "") for name in
              ("key", "level", "code", "type", "name", "parent", "valid_from", "valid_to",
               "legal_basis")),
            *(row[name] for name in ("latitude", "longitude", "area_km2")),
        )
        for row in rows
    )  # fmt: skip
    shipped = Counter(
        (
            *(row[name] for name in
              ("unit", "level", "code", "type", "name", "parent_unit", "valid_from", "valid_to",
               "legal_basis")),
            *(Decimal(row[name]) for name in ("lat", "lon")),
            rounded(row["area_km2"]) if row["area_km2"] else None,
        )
        for row in shipped_units()
    )  # fmt: skip
    assert held == shipped


async def test_no_unit_has_two_versions_on_one_day(database: Database) -> None:
    async with database.reading() as connection:
        twice = await connection.fetch(
            "SELECT a.unit_id FROM unit_version a JOIN unit_version b ON a.unit_id = b.unit_id "
            "AND a.id < b.id AND daterange(a.valid_from, a.valid_to) "
            "&& daterange(b.valid_from, b.valid_to)"
        )
        gaps = await connection.fetch(
            "SELECT unit_id FROM (SELECT unit_id, valid_from, lag(valid_to) OVER "
            "(PARTITION BY unit_id ORDER BY valid_from NULLS FIRST) AS ended FROM unit_version) v "
            "WHERE ended IS NOT NULL AND ended <> valid_from"
        )
    assert not twice
    assert not gaps


@pytest.mark.parametrize("day", DAYS)
async def test_every_parent_exists_on_every_day_of_its_child(database: Database, day: str) -> None:
    async with database.reading() as connection:
        orphans = await connection.fetch(
            f"SELECT u.key FROM unit_version v JOIN unit u ON u.id = v.unit_id "
            f"WHERE {COVERS.format('v')} AND u.level <> 'nation' AND NOT EXISTS ("
            f"SELECT FROM unit_version p WHERE p.unit_id = v.parent_id AND {COVERS.format('p')})",
            datetime.date.fromisoformat(day),
        )
    assert not orphans


async def test_no_version_outlives_its_parent_or_begins_before_it(database: Database) -> None:
    async with database.reading() as connection:
        wrong = await connection.fetch(
            "SELECT v.name FROM unit_version v JOIN (SELECT unit_id, range_agg(daterange("
            "valid_from, valid_to)) AS days FROM unit_version GROUP BY unit_id) p "
            "ON p.unit_id = v.parent_id "
            "WHERE NOT daterange(v.valid_from, v.valid_to) <@ p.days"
        )
    assert not wrong


@pytest.mark.parametrize("day", DAYS)
async def test_district_and_province_are_the_ancestors_on_that_day(
    database: Database, day: str
) -> None:
    async with database.reading() as connection:
        rows = await connection.fetch(
            f"SELECT u.key, u.level, pu.level AS above, v.parent_id, v.district_id, v.province_id, "
            f"v.unit_id, p.province_id AS parents_province "
            f"FROM unit_version v JOIN unit u ON u.id = v.unit_id "
            f"JOIN unit pu ON pu.id = v.parent_id "
            f"JOIN unit_version p ON p.unit_id = v.parent_id AND {COVERS.format('p')} "
            f"WHERE {COVERS.format('v')} AND u.level IN ('province', 'district', 'commune')",
            datetime.date.fromisoformat(day),
        )
    levels: dict[str, list[tuple[str, str, str | None]]] = {
        "province": [("nation", "unit_id", None)],
        "district": [("province", "parent_id", "unit_id")],
        "commune": [("district", "parents_province", "parent_id"), ("province", "parent_id", None)],
    }
    wrong = [
        row["key"]
        for row in rows
        if (row["above"], row["province_id"], row["district_id"])
        not in [
            (above, row[province], district and row[district])
            for above, province, district in levels[row["level"]]
        ]
    ]
    assert wrong == []
    assert len(rows) == len(on_day(day))


@pytest.mark.parametrize("day", DAYS)
async def test_a_code_names_one_unit_of_its_level_on_a_day(database: Database, day: str) -> None:
    async with database.reading() as connection:
        twice = await connection.fetch(
            f"SELECT v.code FROM unit_version v JOIN unit u ON u.id = v.unit_id "
            f"WHERE {COVERS.format('v')} GROUP BY u.level, v.code HAVING count(*) > 1",
            datetime.date.fromisoformat(day),
        )
    assert not twice


async def test_every_commune_and_province_that_ended_has_successors_from_that_day_on(
    database: Database,
) -> None:
    async with database.reading() as connection:
        ended = await connection.fetch(
            "SELECT u.id, u.key, max(v.valid_to) AS day FROM unit u JOIN unit_version v "
            "ON v.unit_id = u.id WHERE u.level IN ('commune', 'province') GROUP BY u.id "
            "HAVING bool_and(v.valid_to IS NOT NULL)"
        )
        lost = await connection.fetch(
            "SELECT u.key FROM unnest($1::int[], $2::date[]) AS e(id, day) JOIN unit u USING (id) "
            "WHERE NOT EXISTS (SELECT FROM lineage l JOIN unit_version v "
            "ON v.unit_id = l.to_unit_id AND v.valid_from = l.effective_on "
            "WHERE l.from_unit_id = e.id AND l.effective_on = e.day)",
            [row["id"] for row in ended if row["key"].startswith(("commune", "province"))],
            [row["day"] for row in ended],
        )
    assert len(ended) > 9_000
    assert not lost


async def test_every_edge_leads_to_a_unit_that_exists_from_that_day_on(
    database: Database,
) -> None:
    async with database.reading() as connection:
        wrong = await connection.fetch(
            "SELECT a.key, b.key FROM lineage l JOIN unit a ON a.id = l.from_unit_id "
            "JOIN unit b ON b.id = l.to_unit_id WHERE a.id = b.id "
            # Island districts became special zones, which are communes.
            "OR (a.level, b.level) NOT IN (VALUES ('province', 'province'), "
            "('commune', 'commune'), ('district', 'commune')) "
            "OR NOT EXISTS (SELECT FROM unit_version v WHERE v.unit_id = b.id "
            "AND (v.valid_from IS NULL OR v.valid_from <= l.effective_on) "
            "AND (v.valid_to IS NULL OR v.valid_to > l.effective_on))"
        )
        parts = await connection.fetch(
            "SELECT from_unit_id FROM lineage GROUP BY from_unit_id "
            "HAVING (count(*) > 1) <> bool_or(extent = 'part')"
        )
    assert not wrong
    assert not parts


async def test_a_unit_that_begins_in_2025_has_predecessors(database: Database) -> None:
    async with database.reading() as connection:
        sudden = await connection.fetch(
            "SELECT u.key FROM unit u JOIN unit_version v ON v.unit_id = u.id "
            "WHERE u.level <> 'hamlet' GROUP BY u.id HAVING bool_and(v.valid_from IS NOT NULL) "
            "AND NOT EXISTS (SELECT FROM lineage l WHERE l.to_unit_id = u.id)"
        )
    assert not sudden


# How it gets there.


async def test_loading_the_same_files_again_changes_nothing(own: Own) -> None:
    async with own.owner() as connection:
        before, number = await state(connection), await revision(connection)
        assert await register.load(connection, silently) == UNCHANGED
        assert await state(connection) == before
        assert await revision(connection) == number


async def test_files_that_are_not_recognised_are_compared_and_nothing_differs(own: Own) -> None:
    async with own.owner() as connection:
        before = await state(connection)
        await forget(connection)
        assert await register.load(connection, silently) == UNCHANGED
        assert await state(connection) == before
        assert await connection.fetchval("SELECT digest FROM register") == register.digest()
        assert await register.load(connection, silently) == UNCHANGED


TAMPERED: dict[str, tuple[str, Callable[[Loaded], tuple[int, int]], tuple[int, int]]] = {
    "a name": (
        "UPDATE unit_version SET name = 'Xã Khác' WHERE code = '00859'",
        lambda done: (done.versions_added, done.versions_removed),
        (2, 2),
    ),
    "a key made another way": (
        "UPDATE unit_version SET sort_key = 'X' WHERE code = '86'",
        lambda done: (done.versions_added, done.versions_removed),
        (2, 2),
    ),
    "a version is gone": (
        "DELETE FROM unit_version WHERE name = 'Thành phố Quảng Ninh'",
        lambda done: (done.versions_added, done.versions_removed),
        (1, 0),
    ),
    "an edge is gone": (
        "DELETE FROM lineage WHERE from_unit_id = (SELECT id FROM unit WHERE key = 'province-84')",
        lambda done: (done.edges_added, done.edges_removed),
        (1, 0),
    ),
    "an edge of another extent": (
        "UPDATE lineage SET extent = 'part' WHERE from_unit_id = "
        "(SELECT id FROM unit WHERE key = 'province-84')",
        lambda done: (done.edges_added, done.edges_removed),
        (1, 1),
    ),
    "an edge too many": (
        "INSERT INTO lineage SELECT a.id, b.id, '2025-07-01', 'whole', 'x' FROM unit a, unit b "
        "WHERE a.key = 'province-84' AND b.key = 'province-25-2025'",
        lambda done: (done.edges_added, done.edges_removed),
        (0, 1),
    ),
}


@pytest.mark.parametrize("what", TAMPERED)
async def test_loading_mends_exactly_what_differs(own: Own, what: str) -> None:
    statement, counted, expected = TAMPERED[what]
    async with own.owner() as connection:
        before, number = await state(connection), await revision(connection)
        await connection.execute(statement)
        assert await state(connection) != before
        await forget(connection)
        done = await register.load(connection, silently)
        assert counted(done) == expected
        changed = done.versions_added + done.versions_removed + done.edges_added
        assert changed + done.edges_removed == sum(expected)
        assert done.units == 0
        assert await state(connection) == before
        assert await revision(connection) > number


async def test_the_id_of_every_unit_stays_what_it_was(own: Own) -> None:
    async with own.owner() as connection:
        before = await connection.fetch("SELECT id, key FROM unit ORDER BY id")
        await connection.execute("UPDATE unit_version SET name = name || ' X'")
        await forget(connection)
        done = await register.load(connection, silently)
        assert done == Loaded(0, 14_164, 14_164, 0, 0)
        assert await connection.fetch("SELECT id, key FROM unit ORDER BY id") == before


class Broken(Exception):
    """What stops a loading half-way."""


@pytest.mark.parametrize("stage", ["reading", "merging 1", "merging 2", "merging 3", "merging 4"])
async def test_a_loading_that_fails_half_way_changes_nothing(own: Own, stage: str) -> None:
    def stop(name: str, done: int, _: int) -> None:
        if f"{name} {done}".startswith(stage):
            raise Broken

    async with own.owner() as connection:
        await connection.execute("DELETE FROM lineage WHERE extent = 'part'")
        await connection.execute("UPDATE unit_version SET name = 'Xã Khác' WHERE code = '00859'")
        await forget(connection)
        before, number = await state(connection), await revision(connection)
        with pytest.raises(Broken):
            await register.load(connection, stop)
        assert await state(connection) == before
        assert await revision(connection) == number
        assert await connection.fetchval("SELECT digest FROM register") == "other"
        done = await register.load(connection, silently)
        assert done.versions_added == 2
        assert done.edges_added == 970


async def test_an_empty_database_is_filled_with_everything(own: Own) -> None:
    async with own.owner() as connection:
        before = await state(connection)
        await connection.execute("TRUNCATE unit, unit_version, lineage, register CASCADE")
        assert not await register.is_loaded(connection)
        done = await register.load(connection, silently)
        assert done == Loaded(14_007, 14_164, 0, 10_490, 0)
        assert await register.is_loaded(connection)
        assert await revision(connection) == 1
        after = await state(connection)
        assert {row[1] for row in after["unit"]} == {row[1] for row in before["unit"]}


async def test_progress_is_told_to_its_end(own: Own) -> None:
    told: list[tuple[str, int, int]] = []
    async with own.owner() as connection:
        await forget(connection)
        await register.load(connection, lambda *one: told.append(one))
    reading = [one for one in told if one[0] == "reading"]
    merging = [one for one in told if one[0] == "merging"]
    assert told == reading + merging
    assert reading[-1] == ("reading", len(shipped_units()), len(shipped_units()))
    assert [one[1:] for one in merging] == [(1, 4), (2, 4), (3, 4), (4, 4)]


async def enter(own: Own, key: str, code: str, day: str) -> int:
    """Enter a hamlet of a commune as the service does; return its id."""
    on = datetime.date.fromisoformat(day)
    async with Database(own.settings) as opened:
        database = opened.acting_for(EVERYTHING)
        async with database.reading() as connection:
            commune = await unit_lookup.get(connection, key, on)
        async with database.transaction() as session:
            return await hamlets.add(session, None, commune, code, "Thôn Nà Mạ", "thon", on)


VERSIONS_OF = """
SELECT v.valid_from, v.valid_to, v.code, v.name, c.key AS commune, d.key AS district,
       p.key AS province
  FROM unit_version v JOIN unit c ON c.id = v.parent_id LEFT JOIN unit d ON d.id = v.district_id
  JOIN unit p ON p.id = v.province_id WHERE v.unit_id = $1 ORDER BY v.valid_from
"""
START, CHANGE = datetime.date(2025, 1, 15), datetime.date(2025, 7, 1)
NAMED = ("00859-01", "Thôn Nà Mạ", "commune-00859")
WELL_KEPT = [
    (START, CHANGE, *NAMED, "district-028", "province-02"),
    (CHANGE, None, *NAMED, None, "province-08-2025"),
]


async def test_a_hamlet_has_a_version_for_each_of_its_commune(own: Own) -> None:
    id_ = await enter(own, "commune-00859", "00859-01", "2025-01-15")
    async with own.owner() as connection:
        assert [tuple(row) for row in await connection.fetch(VERSIONS_OF, id_)] == WELL_KEPT


async def test_a_hamlet_follows_a_new_version_of_its_commune(own: Own) -> None:
    async with own.owner() as connection:
        # A register that does not know the change of 2025-07-01 yet.
        await connection.execute(
            "DELETE FROM unit_version WHERE code = '00859' AND valid_from = '2025-07-01'"
        )
        await connection.execute("UPDATE unit_version SET valid_to = NULL WHERE code = '00859'")
        id_ = await enter(own, "commune-00859", "00859-01", "2025-01-15")
        assert len(await connection.fetch(VERSIONS_OF, id_)) == 1
        await forget(connection)
        done = await register.load(connection, silently)
        assert (done.units, done.versions_added, done.versions_removed) == (0, 2, 1)
        assert [tuple(row) for row in await connection.fetch(VERSIONS_OF, id_)] == WELL_KEPT


async def test_a_hamlet_ends_with_a_commune_that_turns_out_to_have_ended(own: Own) -> None:
    async with own.owner() as connection:
        await connection.execute(
            "UPDATE unit_version v SET valid_to = NULL FROM unit u "
            "WHERE u.id = v.unit_id AND u.key = 'commune-07888'"
        )
        id_ = await enter(own, "commune-07888", "07888-01", "2025-01-15")
        late = await enter(own, "commune-07888", "07888-02", "2025-08-01")
        await forget(connection)
        await register.load(connection, silently)
        rows = await connection.fetch(VERSIONS_OF, id_)
        assert [(row["valid_from"], row["valid_to"]) for row in rows] == [(START, CHANGE)]
        # Its commune had ended before it began: it lies nowhere on any day.
        left = await connection.fetch(VERSIONS_OF, late)
        assert [row for row in left if row["valid_to"] is None] == []


async def test_what_hamlets_were_entered_stays_when_nothing_else_changes(own: Own) -> None:
    id_ = await enter(own, "commune-00859", "00859-01", "2025-01-15")
    async with own.owner() as connection:
        before = await state(connection)
        await forget(connection)
        assert await register.load(connection, silently) == UNCHANGED
        assert await state(connection) == before
        assert len(await connection.fetch(VERSIONS_OF, id_)) == 2
