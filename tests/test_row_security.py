"""Row security: the database itself shows and takes only rows of whom a transaction works for."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import asyncpg
import httpx
import msgspec
import pytest
from conftest import Join, Ntm, clone, problem
from grant_calls import give
from hostile import DESIGNATION, HAMLET
from own_database import own
from running import (
    Known,
    Server,
    bundled,
    execute,
    fetch,
    filled,
    in_database,
    owner_of,
    server,
    settings_of,
    tables,
)
from value_calls import COUNT, entry

from app.database import EVERYTHING, NOTHING, Base, Context, Database, DatabaseFailed, schema
from app.database.security import EXEMPT, OPEN, PROTECTED, faults
from app.domain.clock import today
from app.domain.preparing import prepare
from app.domain.territory import Caller, Territory, resolve
from app.embedded import Embedded
from app.settings import Settings

NUMBERS: Final = itertools.count(1)
# Tables whose rows say where they lie and are seen there; designations and area classes are open.
LYING: Final = (
    "audit_entry", "client", "current_value", "data_grant", "evaluation", "job",
    "evaluation_run", "evidence_submission", "value", "value_event", "value_import",
)  # fmt: skip
MADE: Final = ("job", "value_import")  # by one client: nobody else writes there, wherever it lies
WRITTEN: Final = (*(one for one in LYING if one not in MADE), "designation", "unit_attribute")
HIDDEN: Final = tuple(sorted(set(PROTECTED) - OPEN))
ALL: Final = tuple(sorted(PROTECTED))
POLICIES: Final = tuple((table, each) for table in ALL for each in PROTECTED[table])


class Filled(NamedTuple):
    """A database with rows in every table, and who made them."""

    env: dict[str, str]
    settings: Settings
    known: Known

    @property
    def service(self) -> str:
        """The address by which the service uses it."""
        return self.env["NTM_DATABASE_URL"]

    @property
    def owner(self) -> str:
        """The address by which its owner uses it."""
        return owner_of(self.env)


@pytest.fixture(scope="module")
def full(cluster: Embedded, worker_id: str, tmp_path_factory: pytest.TempPathFactory) -> Filled:
    """A database with something in every protected table, in many places."""
    env = clone(cluster, f"rows_{worker_id}")
    settings = settings_of(env, tmp_path_factory.mktemp("rows"))
    known = in_database(settings, lambda database: filled(settings, database))
    spread(owner_of(env))
    return Filled(env, settings, known)


# Copies of the first row of each table, one for each place of the two provinces of today with
# their predecessors; numbers begin where nobody else's do.
_PLACES: Final = """
CREATE TABLE public.place AS
SELECT 1000000 + row_number() OVER (ORDER BY unit_id, district_id, province_id) AS number, p.*
  FROM (SELECT DISTINCT v.unit_id, v.district_id, v.province_id
          FROM unit_version v JOIN unit u ON u.id = v.unit_id
         WHERE u.level <> 'nation' AND (u.level <> 'commune' OR v.unit_id % 7 = 0
                OR v.code IN ('07894', '29266'))) p
"""
_COPY: Final = """
INSERT INTO {table} ({columns}) SELECT {columns} FROM (
SELECT (jsonb_populate_record(NULL::{table}, to_jsonb(t) || to_jsonb(p) - 'number' || {other})).*
  FROM (SELECT * FROM {table} LIMIT 1) t, public.place p) w
"""
_OTHER: Final = {
    "client": "jsonb_build_object('id', p.number, 'client_id', 'ntm-' || p.number)",
    "current_value": "jsonb_build_object('value_id', p.number, 'period', p.number::text)",
    "evaluation_run": "jsonb_build_object('id', p.number, 'job_id', p.number)",
    "evidence_submission": "jsonb_build_object('id', p.number, 'period', p.number::text)",
    "value_event": "jsonb_build_object('id', p.number, 'value_id', p.number)",
}


def columns(table: str) -> str:
    """Return the columns of a table that can be written: not those that are computed."""
    found = Base.metadata.tables[table].columns
    return ", ".join(f'"{one.name}"' for one in found if one.computed is None)


def spread(url: str) -> None:
    """Put rows into every lying table, everywhere."""

    async def run() -> None:
        connection = await asyncpg.connect(
            url, server_settings={"search_path": "ntm", "ntm.nation": "on"}
        )
        try:
            await connection.execute(_PLACES)
            for table in ("value", *MADE, *(one for one in WRITTEN if one != "value")):
                other = _OTHER.get(table, "jsonb_build_object('id', p.number)")
                statement = _COPY.format(table=table, columns=columns(table), other=other)
                await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(run())


Told = Context | str


async def _as_service(full: Filled, told: Told) -> asyncpg.Connection:
    """Return a plain connection as the service, in a transaction that was told this."""
    connection = await asyncpg.connect(full.service, server_settings={"search_path": "ntm"})
    await connection.execute("BEGIN")
    text = told if isinstance(told, str) else told.told()
    if text:
        await connection.execute(text)
    return connection


def seen(full: Filled, told: Told, statement: str, *values: object) -> list[asyncpg.Record]:
    """Return what a statement of the service answers, or raise what it is refused with."""

    async def run() -> list[asyncpg.Record]:
        connection = await _as_service(full, told)
        try:
            return list(await connection.fetch(statement, *values))
        finally:
            await connection.close()  # nothing is committed

    return asyncio.run(run())


def count(full: Filled, told: Told, table: str) -> int:
    """Return how many rows of a table can be seen."""
    return int(seen(full, told, f"SELECT count(*) FROM {table}")[0][0])


def context_of(full: Filled, key: str) -> tuple[Territory, Context]:
    """Return the territory of a unit, ended or not, and the context of its clients."""
    ((number, level),) = fetch(full.owner, "SELECT id, level FROM ntm.unit WHERE key = $1", key)

    async def run(database: Database) -> Territory:
        async with database.reading() as connection:
            return await resolve(connection, number, level)

    found = in_database(full.settings, run)
    return found, Caller(0, "ntm-0000000000000000", frozenset(), found).context()


# --- every table is protected, or there is a reason ----------------------------------------------


def test_every_table_is_protected_or_exempt_with_a_reason(full: Filled) -> None:
    """A new table fails this test until somebody decides whose its rows are."""
    there = set(tables(full.owner))
    assert there == set(PROTECTED) | set(EXEMPT)
    assert not set(PROTECTED) & set(EXEMPT)
    assert set(Base.metadata.tables) | {"alembic_version"} == there
    assert all(len(reason.split()) > 4 for reason in EXEMPT.values())
    assert set(OPEN) <= set(PROTECTED)


def test_no_table_with_a_place_or_a_secret_is_exempt(full: Filled) -> None:
    """What names a unit, a client's row, a value or a body belongs to somebody."""
    named = fetch(
        full.owner,
        "SELECT DISTINCT table_name FROM information_schema.columns WHERE table_schema = 'ntm'"
        " AND (column_name IN ('unit_id', 'district_id', 'province_id', 'client_id', 'value_id',"
        " 'digest', 'body') OR column_name LIKE '%grant%')",
    )
    register_only = {"register", "ruleset_snapshot"}  # digests of what is open to everybody
    assert {row[0] for row in named} - register_only <= set(PROTECTED)


def test_every_protected_table_has_forced_row_security_and_its_policies(full: Filled) -> None:
    """Row security is on and binds the owner too; each command allowed has exactly one policy."""
    flags = fetch(
        full.owner,
        "SELECT relname, relrowsecurity, relforcerowsecurity FROM pg_class"
        " WHERE relnamespace = 'ntm'::regnamespace AND relkind IN ('r', 'p')",
    )
    assert {row[0] for row in flags if row[1] and row[2]} == set(PROTECTED)
    found = fetch(
        full.owner,
        "SELECT tablename, cmd, policyname, permissive, roles::text FROM pg_policies"
        " WHERE schemaname = 'ntm'",
    )
    assert sorted(tuple(row) for row in found) == sorted(
        (table, command, f"may_{command.lower()}", "PERMISSIVE", "{public}")
        for table, command in POLICIES
    )


# --- without a context ---------------------------------------------------------------------------

WITHOUT: Final = {
    "nothing said": "",
    "said nothing": NOTHING.told(),
    "empty arrays": "SELECT set_config('ntm.units', '{}', true),"
                    " set_config('ntm.grants', '{}', true)",
    "a client that is none": "SELECT set_config('ntm.client', 'ntm-nobody', true)",
    "another name": "SELECT set_config('ntm.nations', 'on', true)",
}  # fmt: skip


@pytest.mark.parametrize("told", WITHOUT.values(), ids=WITHOUT)
@pytest.mark.parametrize("table", ALL)
def test_without_a_context_there_are_no_rows(full: Filled, table: str, told: str) -> None:
    """Raw SQL of the service sees no row of a territory; what is open to all it sees."""
    everything = count(full, EVERYTHING, table)
    assert everything > 0  # so that the test can fail
    assert count(full, told, table) == (everything if table in OPEN else 0)


# A copy of a row, all but the same: what collides with it is found out only when it may be written.
_AGAIN: Final = """
INSERT INTO {table} ({columns})
SELECT {columns} FROM jsonb_populate_record(NULL::{table}, $1::jsonb)
"""


def again(table: str) -> str:
    """Return the statement that writes such a copy."""
    return _AGAIN.format(table=table, columns=columns(table))


def rows(full: Filled, table: str, where: str = "") -> list[dict[str, Any]]:
    """Return rows of a table as its owner reads them."""
    found = fetch(full.owner, f"SELECT to_jsonb(t)::text FROM ntm.{table} t {where} LIMIT 3")
    return [msgspec.json.decode(row[0]) for row in found]


def refused(full: Filled, told: Told, statement: str, *values: object) -> str:
    """Return the SQLSTATE with which a statement is refused; empty when it is not."""
    try:
        seen(full, told, statement, *values)
    except asyncpg.PostgresError as error:
        return str(error.sqlstate)
    return ""


@pytest.mark.parametrize("told", list(WITHOUT.values())[:2], ids=list(WITHOUT)[:2])
@pytest.mark.parametrize("table", ALL)
def test_without_a_context_nothing_is_written(full: Filled, table: str, told: str) -> None:
    """INSERT is refused by row security, UPDATE and DELETE find no row; a hamlet's name is free."""
    row = rows(full, table)[0]
    spelled = msgspec.json.encode(row).decode()
    whose = Context(row.get("client", ""), nation=True, grants=(row.get("grant_id", 0),))
    assert refused(full, whose, again(table), spelled) == "23505"
    level = {"level": "commune"} if table == "unit" else {}  # hamlets are entered by clients
    spelled = msgspec.json.encode(row | level).decode()
    assert refused(full, told, again(table), spelled) == "42501"
    for command, statement in (
        ("UPDATE", "WITH t AS (UPDATE {0} SET {1} = {1} RETURNING 1) SELECT count(*) FROM t"),
        ("DELETE", "WITH t AS (DELETE FROM {0} RETURNING 1) SELECT count(*) FROM t"),
    ):
        column = _CHANGEABLE.get(table, next(iter(row)))
        ready = statement.format(table, column)
        may = fetch(
            full.owner,
            "SELECT has_any_column_privilege('ntm_service', $1, $2) "
            if command == "UPDATE"
            else "SELECT has_table_privilege('ntm_service', $1, $2)",
            f"ntm.{table}",
            command,
        )[0][0]
        if may:
            assert seen(full, told, ready)[0][0] == 0, command
        else:
            assert refused(full, told, ready) == "42501", command


_CHANGEABLE: Final = {
    "client": "revoked_at", "client_secret": "retired_at", "data_grant": "revoked_because",
    "evaluation_run": "ended_at", "evidence_confirmation": "ended_at", "evidence_file": "ended_at",
    "evidence_list": "ended_at", "evidence_submission": "state", "job": "done",
    "value_import": "state",
}  # fmt: skip


def test_a_context_ends_with_its_transaction(full: Filled) -> None:
    """On a connection that comes back to the pool nothing is left of the last caller."""

    async def run() -> list[int]:
        connection = await asyncpg.connect(full.service, server_settings={"search_path": "ntm"})
        found = []
        for ending in ("COMMIT", "ROLLBACK"):
            await connection.execute(f"BEGIN; {EVERYTHING.told()}")
            found.append(await connection.fetchval("SELECT count(*) FROM value"))
            await connection.execute(ending)
            found.append(await connection.fetchval("SELECT count(*) FROM value"))
        await connection.close()
        return found

    one, none, again, still = asyncio.run(run())
    assert one == again > 0
    assert none == still == 0


# --- in the context of a territory ---------------------------------------------------------------

# Today's and yesterday's provinces, districts that ended, communes of both times, a hamlet.
TERRITORIES: Final = (
    "province-25-2025", "province-84", "district-227", "commune-07894-2025", "commune-07894",
    "hamlet-07894-2025-01", "province-86-2025", "province-25", "commune-29266-2025",
    "commune-29266",
)  # fmt: skip


def lying(full: Filled, table: str) -> list[asyncpg.Record]:
    """Return where every row of a table lies."""
    number = "value_id" if table == "current_value" else "id"
    return fetch(full.owner, f"SELECT {number}, unit_id, district_id, province_id FROM ntm.{table}")


@pytest.mark.parametrize("place", TERRITORIES)
def test_a_territory_sees_exactly_the_rows_that_lie_in_it(full: Filled, place: str) -> None:
    """Policies and `Territory.holds` say the same of every row of every table."""
    territory, context = context_of(full, place)
    for table in LYING:
        everything = lying(full, table)
        expected = {row[0] for row in everything if territory.holds(tuple(row)[1:])}
        number = "value_id" if table == "current_value" else "id"
        found = seen(full, context, f"SELECT {number} FROM {table}")
        assert {row[0] for row in found} == expected, table
        assert len(found) < len(everything)
    assert any(territory.holds(tuple(row)[1:]) for row in lying(full, "value"))


@pytest.mark.parametrize("place", TERRITORIES[:6])
@pytest.mark.parametrize("table", WRITTEN)
def test_a_territory_writes_only_where_it_lies(full: Filled, table: str, place: str) -> None:
    """An INSERT is taken exactly where the territory reaches; elsewhere row security refuses it."""
    territory, context = context_of(full, place)
    everything = lying(full, table)
    inside = [row for row in everything if territory.holds(tuple(row)[1:])]
    outside = [row for row in everything if not territory.holds(tuple(row)[1:])]
    number = "value_id" if table == "current_value" else "id"
    assert inside
    for row, wanted in [(inside[-1], "23505"), *((one, "42501") for one in outside[-40::8])]:
        (copied,) = rows(full, table, f"WHERE {number} = {row[0]}")[:1]
        spelled = msgspec.json.encode(copied).decode()
        # It may be written where only its number is in the way.
        assert refused(full, context, again(table), spelled) == wanted, tuple(row)


def test_what_hangs_on_a_row_is_seen_and_written_with_it(full: Filled) -> None:
    """Secrets with their client, reads with their grant, identifiers and withdrawals with units."""
    _, here = context_of(full, "province-25-2025")
    _, elsewhere = context_of(full, "province-86-2025")
    (client,) = fetch(
        full.owner,
        "SELECT c.id, c.client_id FROM ntm.client c JOIN ntm.client_secret s ON s.client_id = c.id"
        " JOIN ntm.unit u ON u.id = c.unit_id WHERE u.key = 'province-25-2025' AND c.id < 1000000",
    )
    own = Context(client=client["client_id"])
    for told, wanted in ((here, 1), (elsewhere, 0), (own, 1), (NOTHING, 0)):
        found = seen(full, told, "SELECT 1 FROM client_secret WHERE client_id = $1", client["id"])
        assert len(found) == wanted
    (grant,) = fetch(full.owner, "SELECT id, to_unit_id FROM ntm.data_grant WHERE id < 1000000")
    (receiver,) = fetch(
        full.owner,
        "SELECT client_id FROM ntm.client WHERE unit_id = $1 AND id < 1000000",
        grant["to_unit_id"],
    )
    for told, wanted in (
        (here, 1), (elsewhere, 0), (Context(client=receiver["client_id"]), 1), (NOTHING, 0),
    ):  # fmt: skip
        reads = seen(full, told, "SELECT 1 FROM data_grant_read WHERE grant_id = $1", grant["id"])
        assert len(reads) >= wanted
        assert bool(reads) is bool(wanted)
    for table, statement in (
        ("identifier", "INSERT INTO unit_identifier SELECT id, 'mine', 'x' FROM unit"
                       " WHERE key = 'province-25-2025'"),
        ("withdrawal", "INSERT INTO designation_withdrawal (designation_id, reason, recorded_by)"
                       " VALUES (1, 'x', 1)"),
    ):  # fmt: skip
        assert refused(full, here, statement) == "", table
        assert refused(full, elsewhere, statement) == "42501", table
        assert refused(full, NOTHING, statement) == "42501", table


EVIDENCE: Final = tuple(
    one for one in ALL if one.startswith("evidence_") and one != "evidence_submission"
)


@pytest.mark.parametrize("table", EVIDENCE)
def test_evidence_is_seen_and_written_with_its_submission(full: Filled, table: str) -> None:
    """The territory of the submission sees and adds what is in it; others neither, nor grants."""
    row = rows(full, table)[0]
    spelled = msgspec.json.encode(row).decode()
    _, here = context_of(full, "province-25-2025")
    _, elsewhere = context_of(full, "province-86-2025")
    grants = fetch(full.owner, "SELECT id FROM ntm.data_grant")
    granted = msgspec.structs.replace(elsewhere, grants=tuple(one["id"] for one in grants))
    assert count(full, here, table) == count(full, EVERYTHING, table) > 0
    assert refused(full, here, again(table), spelled) == "23505"  # its number alone is in the way
    for told in (elsewhere, granted):
        assert count(full, told, table) == 0
        assert refused(full, told, again(table), spelled) == "42501"


def test_a_grant_opens_rows_for_reading_and_never_for_writing(full: Filled) -> None:
    """With the number of a grant its receiver sees values; none can be recorded or retracted."""
    _, there = context_of(full, "province-86-2025")
    (grant,) = fetch(
        full.owner, "SELECT id, units, to_unit_id FROM ntm.data_grant WHERE id < 1000000"
    )
    (receiver,) = fetch(
        full.owner,
        "SELECT client_id FROM ntm.client WHERE unit_id = $1 AND id < 1000000",
        grant["to_unit_id"],
    )
    known = msgspec.structs.replace(there, client=receiver["client_id"])
    opened = msgspec.structs.replace(known, grants=(grant["id"],))
    values, units = "SELECT id FROM value WHERE unit_id = ANY($1::int[])", list(grant["units"])
    assert seen(full, opened, values, units)
    assert seen(full, known, values, units) == []
    # Its number alone opens nothing to another client.
    stranger = msgspec.structs.replace(there, grants=(grant["id"],))
    assert seen(full, stranger, values, units) == []
    number = max(row[0] for row in seen(full, opened, values, units))
    change = "UPDATE current_value SET status = 'retracted' WHERE unit_id = ANY($1) RETURNING 1"
    assert seen(full, opened, change, units) == []
    (value,) = rows(full, "value", f"WHERE id = {number}")
    spelled = msgspec.json.encode(value).decode()
    assert refused(full, opened, again("value"), spelled) == "42501"
    alone = Context(client=receiver["client_id"], grants=(grant["id"],))
    assert count(full, alone, "evaluation") == 0


@pytest.mark.parametrize("table", LYING)
def test_a_key_that_is_taken_elsewhere_says_nothing(full: Filled, table: str) -> None:
    """Whether a row that one cannot see exists is not told: taken or free, the refusal is one."""
    territory, context = context_of(full, "commune-29266-2025")
    number = "value_id" if table == "current_value" else "id"
    outside = next(row for row in lying(full, table) if not territory.holds(tuple(row)[1:]))
    (taken,) = rows(full, table, f"WHERE {number} = {outside[0]}")[:1]
    free = taken | {number: 99_000_000 + next(NUMBERS)}
    free |= {"period": "1999"} if table == "current_value" else {}
    free |= {"client_id": "ntm-ffffffffffffffff"} if table == "client" else {}
    codes = {
        refused(full, context, again(table), msgspec.json.encode(one).decode())
        for one in (taken, free)
    }
    assert codes == {"42501"}


def test_a_kept_answer_of_another_client_cannot_be_guessed_at(full: Filled) -> None:
    """Neither reading nor writing tells whether another client has used a key."""
    (row,) = rows(full, "kept_answer")[:1]
    told = Context(client="ntm-eeeeeeeeeeeeeeee")
    assert count(full, told, "kept_answer") == 0
    for key in (row["key"], "never-used"):
        spelled = msgspec.json.encode(row | {"key": key}).decode()
        assert refused(full, told, again("kept_answer"), spelled) == "42501"
        mine = msgspec.json.encode(row | {"key": key, "client": told.client}).decode()
        assert refused(full, told, again("kept_answer"), mine) == ""


# --- the owner is bound too ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def bare() -> Iterator[Server]:
    """A PostgreSQL where a role `boss`, no superuser, owns a database."""
    with server(bundled()) as found:
        execute(
            found.url(), "CREATE ROLE boss LOGIN CREATEROLE", "CREATE DATABASE theirs OWNER boss"
        )
        yield found


def test_an_owner_who_is_no_superuser_sees_and_writes_nothing_by_accident(
    bare: Server, tmp_path: Path
) -> None:
    """FORCE binds the owner: without the setting of its own connections it finds empty tables."""
    url = bare.url("boss", "theirs")
    settings = settings_of({"NTM_DATABASE_URL": url}, tmp_path)

    async def fill(database: Database) -> None:
        await prepare(database, lambda *_: None)
        await filled(settings, database)

    in_database(settings, fill)
    for table in HIDDEN:
        assert fetch(url, f"SELECT count(*) FROM ntm.{table}")[0][0] == 0, table

    async def look(told: str) -> dict[str, int]:
        connection = await asyncpg.connect(url)
        await connection.execute(told)
        try:
            return {
                table: await connection.fetchval(f"SELECT count(*) FROM ntm.{table}")
                for table in HIDDEN
            }
        finally:
            await connection.close()

    assert all(asyncio.run(look("SET ntm.nation = 'on'")).values())
    assert not any(asyncio.run(look("SET ntm.nation = ''")).values())
    for statement in (
        "INSERT INTO ntm.kept_answer VALUES ('a', 'b', '', 200, '', '')",
        "INSERT INTO ntm.unit (key, level) VALUES ('x', 'commune')",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            execute(url, statement)


# --- what the service refuses to stand on --------------------------------------------------------

_TRUE: Final = {
    "SELECT": "USING (true)",
    "INSERT": "WITH CHECK (true)",
    "UPDATE": "USING (true) WITH CHECK (true)",
    "DELETE": "USING (true)",
}


def _replaced(table: str, command: str, clause: str, more: str = "") -> tuple[str, str]:
    name = f"may_{command.lower()}"
    return (
        f"DROP POLICY {name} ON ntm.{table}",
        f"CREATE POLICY {name} ON ntm.{table} {more} FOR {command} {clause}",
    )


def _damages() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield everything that could be done to row security: name, what is named, statements."""
    for table in ALL:
        yield f"{table} off", table, (f"ALTER TABLE ntm.{table} DISABLE ROW LEVEL SECURITY",)
        yield f"{table} free", table, (f"ALTER TABLE ntm.{table} NO FORCE ROW LEVEL SECURITY",)
        extra = f"CREATE POLICY extra ON ntm.{table}"
        yield f"{table} extra", table, (f"{extra} USING (true)",)
        yield f"{table} role", table, (f"{extra} FOR SELECT TO ntm_service USING (true)",)
        yield f"{table} write", table, (f"{extra} FOR INSERT TO ntm_service WITH CHECK (true)",)
    for table, command in POLICIES:
        name, clause = f"may_{command.lower()}", _TRUE[command]
        policy = f"{name} ON ntm.{table}"
        yield f"{table} without {name}", table, (f"DROP POLICY {policy}",)
        yield f"{table} other {name}", table, (f"ALTER POLICY {policy} RENAME TO may",)
        yield f"{table} role {name}", table, (f"ALTER POLICY {policy} TO ntm_owner, ntm_service",)
        if not (table in OPEN and command == "SELECT"):
            yield f"{table} open {name}", table, _replaced(table, command, clause)
            same = clause.replace("true", "1 = 1")
            yield f"{table} equal {name}", table, _replaced(table, command, same)
            if command == "UPDATE":
                yield f"{table} check {name}", table, (
                    f"ALTER POLICY {policy} WITH CHECK (true)",
                )  # fmt: skip
    for table in ("audit_entry", "audit_seal"):
        off = f"ALTER TABLE ntm.{table} DISABLE TRIGGER kept"
        yield f"{table} trigger off", table, (off,)
        yield f"{table} trigger replica", table, (off.replace("DISABLE", "ENABLE REPLICA"),)
        yield f"{table} trigger gone", table, (f"DROP TRIGGER kept ON ntm.{table}",)
    for table in ("audit_entry", "audit_seal", "value", "recording", "register", "evaluation"):
        for right in ("UPDATE", "DELETE", "TRUNCATE"):
            granted = f"GRANT {right} ON ntm.{table} TO ntm_service"
            yield f"{table} may {right}", f"{table} ({right})", (granted,)
    select = "AS SELECT * FROM ntm.value"
    for name, statement in (
        ("view", f"CREATE VIEW ntm.seen {select}"),
        ("view, invoker off", f"CREATE VIEW ntm.seen WITH (security_invoker = false) {select}"),
        ("view, barrier", f"CREATE VIEW ntm.seen WITH (security_barrier) {select}"),
        ("materialized view", f"CREATE MATERIALIZED VIEW ntm.seen {select}"),
        ("definer", "CREATE FUNCTION ntm.seen() RETURNS bigint LANGUAGE sql SECURITY DEFINER"
                    " AS 'SELECT count(*) FROM ntm.value'"),
        ("definer procedure", "CREATE PROCEDURE ntm.seen() LANGUAGE sql SECURITY DEFINER"
                              " AS 'DELETE FROM ntm.kept_answer'"),
        ("table", "CREATE TABLE ntm.seen (id integer)"),
        ("copy", f"CREATE TABLE ntm.seen {select}"),
        ("partitions", "CREATE TABLE ntm.seen (id integer) PARTITION BY LIST (id)"),
        ("partition", "CREATE TABLE ntm.seen PARTITION OF ntm.seen_all DEFAULT"),
        ("child", "CREATE TABLE ntm.seen () INHERITS (ntm.value)"),
    ):  # fmt: skip
        before = ("CREATE TABLE ntm.seen_all (id integer) PARTITION BY LIST (id)",)
        yield name, "seen", (*(before if name == "partition" else ()), statement)


DAMAGES: Final = {name: (named, statements) for name, named, statements in _damages()}


class Undone(Exception):
    """A transaction was taken back on purpose."""


def found_in(url: str, statements: tuple[str, ...]) -> list[str]:
    """Return what the check finds after some statements of the owner, which are taken back."""

    async def run() -> list[str]:
        connection = await asyncpg.connect(url)
        try:
            await connection.execute("BEGIN; " + "; ".join(statements))
            return await faults(connection)
        finally:
            await connection.close()

    return asyncio.run(run())


def test_a_database_that_was_not_touched_is_good(full: Filled) -> None:
    """The check finds nothing on a good database, nor in what asks as its caller."""
    in_database(full.settings, schema.check_service)
    assert found_in(full.owner, ("SELECT 1",)) == []
    harmless = (
        "CREATE VIEW ntm.seen WITH (security_invoker = true) AS SELECT * FROM ntm.value",
        "CREATE FUNCTION ntm.asked() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    )
    assert found_in(full.owner, harmless) == []


@pytest.mark.parametrize("name", DAMAGES)
def test_every_damage_to_row_security_is_found_by_name(full: Filled, name: str) -> None:
    """Whatever lets somebody see or write more is found, and the table or thing is named."""
    named, statements = DAMAGES[name]
    found = found_in(full.owner, statements)
    assert any(one.partition(".")[0] == named for one in found), found


@pytest.fixture
def copy(cluster: Embedded, worker_id: str, tmp_path: Path) -> Iterator[Callable[[], Filled]]:
    """Make prepared databases that are dropped after the test."""
    made: list[str] = []

    def make() -> Filled:
        name = f"damaged_{worker_id}_{next(NUMBERS)}"
        env = clone(cluster, name) | {"NTM_DATA_DIR": str(tmp_path)}
        made.append(name)
        return Filled(env, settings_of(env, tmp_path), Known("", ""))

    yield make
    for name in made:
        url = f"postgresql://ntm_owner@/postgres?host={cluster.socket_folder}"
        execute(url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@pytest.mark.parametrize(
    "name",
    ["value off", "evaluation free", "client without may_select", "value open may_select",
     "value role", "view", "definer", "table"],
)  # fmt: skip
def test_the_service_does_not_start_on_a_damaged_database(
    copy: Callable[[], Filled], ntm: Ntm, name: str
) -> None:
    """Start-up and `ntm db check` refuse, name what is wrong and how to mend it."""
    named, statements = DAMAGES[name]
    damaged = copy()
    execute(damaged.owner, *statements)
    with pytest.raises(DatabaseFailed) as caught:
        in_database(damaged.settings, schema.check_service)
    assert caught.value.code == "database-unusable"
    for text in (caught.value.text.vi, caught.value.text.en):
        assert named in text
        assert "migrations/versions" in text
    with pytest.raises(DatabaseFailed):
        in_database(damaged.settings, lambda database: prepare(database, lambda *_: None))
    ran = ntm("--lang", "en", "db", "check", env=damaged.env)
    assert ran.code == 1
    assert named in ran.err
    assert "Traceback" not in ran.said


# --- what a caller can learn over HTTP -----------------------------------------------------------


settings, database, service = own("oracle")


THERE: Final = "07948"  # a commune of Phú Thọ, where the stranger may write nothing
MISSING: Final = 99_999_999


def said(answer: httpx.Response, *ids: object) -> tuple[Any, ...]:
    """Return what a refusal tells, without the numbers and addresses that the caller sent."""
    problem(answer)
    text = answer.text
    for one in ids:
        text = text.replace(str(one), "#")
    kept = {name: answer.headers.get(name) for name in ("etag", "location", "www-authenticate")}
    return answer.status_code, text, *kept.values()


async def test_a_foreign_number_answers_like_one_that_never_was(
    client: httpx.AsyncClient, join: Join
) -> None:
    """Reading, following, retracting, withdrawing, revoking: a row elsewhere is no row at all."""
    stranger = (await join("86")).http
    local = await join("25")
    made = await local.http.post("/v1/values", json={"values": [entry(THERE, period="2026")]})
    value = made.json()["items"][0]["id"]
    wish = {"ruleset": "phutho.commune", "unit": THERE, "period": "2026"}
    verdict = (await local.http.post("/v1/evaluations", json=wish)).json()["id"]
    decided = await local.http.post(f"/v1/communes/{THERE}/designations", json=DESIGNATION)
    designation = decided.json()["designations"][-1]["id"]
    grant = (await give(local.http, from_territory=THERE, to_territory="08152"))["id"]
    noted = (await local.http.get("/v1/audit", params={"limit": "1"})).json()["items"][0]["id"]
    reason = {"reason": "nhầm"}
    for method, path, number, body in (
        ("GET", "/v1/values/{}", value, None),
        ("GET", "/v1/values/{}/history", value, None),
        ("POST", "/v1/values/{}/retract", value, reason),
        ("GET", "/v1/evaluations/{}", verdict, None),
        ("POST", "/v1/evaluations/{}/replay", verdict, None),
        ("GET", "/v1/evaluations/{}/members?criterion=travinh.province.1b.1", verdict, None),
        ("GET", f"/v1/evaluations/{{}}/compare/{verdict}", verdict, None),
        ("POST", "/v1/designations/{}/withdraw", designation, reason),
        ("GET", "/v1/grants/{}", grant, None),
        ("POST", "/v1/grants/{}/revoke", grant, reason),
        ("GET", "/v1/audit/{}", noted, None),
    ):
        for headers in ({}, {"if-match": "*"}, {"if-match": f'"{number}.0-x"'}):
            answers = [
                said(
                    await stranger.request(method, path.format(one), json=body, headers=headers),
                    one,
                    verdict,
                )
                for one in (number, MISSING)
            ]
            assert answers[0] == answers[1], path
            assert answers[0][0] == 404
    both = [
        said(await stranger.request(method, path.format(one), json=body), one)
        for one in (local.client_id, "ntm-ffffffffffffffff")
        for method, path, body in (
            ("GET", "/v1/clients/{}", None),
            ("POST", "/v1/clients/{}/revoke", None),
            ("POST", "/v1/clients/{}/secrets", None),
            ("DELETE", "/v1/clients/{}/secrets/1", None),
        )
    ]
    assert both[:4] == both[4:]
    assert {one[0] for one in both} == {404}
    assert (await client.get(f"/v1/values/{value}")).json()["status"] == "reported"


async def test_what_is_taken_elsewhere_is_refused_like_what_is_free(
    client: httpx.AsyncClient, join: Join
) -> None:
    """Values, designations, hamlets of a foreign commune: on record or not, the answer is one."""
    stranger = (await join("86")).http
    hamlet = {**HAMLET, "code": f"{THERE}-77"}
    decision = {**DESIGNATION, "decision": "77/QĐ-TEST"}
    attribute = {"value": True, "from": "2026-01-01", "to": None, "source": "x"}
    identifier = {"value": "PT"}
    value = {"value": 7, "source": "x"}
    asked: tuple[tuple[str, str, Any], ...] = (
        ("POST", f"/v1/communes/{THERE}/hamlets", hamlet),
        ("POST", f"/v1/communes/{THERE}/designations", decision),
        ("PUT", f"/v1/communes/{THERE}/attributes/area_island", attribute),
        ("PUT", f"/v1/units/{THERE}/identifiers/oracle", identifier),
        ("PUT", f"/v1/communes/{THERE}/values/2026-01/{COUNT}", value),
        ("POST", "/v1/values", {"values": [entry(THERE, period="2026-01")]}),
        ("POST", "/v1/evaluations",
         {"ruleset": "phutho.commune", "unit": THERE, "period": "2026"}),
        ("POST", "/v1/grants",
         {"from_territory": THERE, "to_territory": "86", "resources": ["values"],
          "purpose": "x", "until": f"{today().year + 1}-01-01"}),
    )  # fmt: skip
    free = [said(await stranger.request(method, path, json=body)) for method, path, body in asked]
    for method, path, body in asked:
        answer = await client.request(method, path, json=body)
        assert answer.status_code in (200, 201), (path, answer.text[:300])
    taken = [said(await stranger.request(method, path, json=body)) for method, path, body in asked]
    assert taken == free
    assert {one[0] for one in free} <= {404, 422}
    for number, (method, path, body) in enumerate(asked):
        if method == "PUT":  # nor does a condition tell whether something is there
            for given in ("*", '"1.0-x"'):
                headers = {"if-match": given}
                answer = await stranger.request(method, path, json=body, headers=headers)
                assert said(answer) == free[number]


async def test_a_kept_answer_tells_nothing_to_another_client(
    client: httpx.AsyncClient, join: Join
) -> None:
    """A key that a neighbour has used is as free as any other, on the same request or another."""
    local, stranger = (await join("25")).http, (await join("86")).http
    body = {"values": [entry(THERE, period="2026-02")]}
    headers = {"idempotency-key": "shared-by-chance"}
    assert (await local.post("/v1/values", json=body, headers=headers)).status_code == 201
    answers = [
        said(await stranger.post("/v1/values", json=body, headers=sent))
        for sent in (headers, {"idempotency-key": "never-used"}, {})
    ]
    assert answers[0] == answers[1] == answers[2]
