"""The two roles: the service can do what it needs and nothing more, and refuses to have more."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest
from conftest import Ntm, clone
from running import (
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
from sqlalchemy import text

from app.database import OWNER, Base, Database, DatabaseFailed, schema
from app.domain.preparing import prepare
from app.domain.territory import Territorial
from app.embedded import Embedded
from app.settings import Settings

NUMBERS = itertools.count()
# What the service needs of each table; whatever else it could do is a fault.
NEEDED = {
    "alembic_version": {"SELECT"},
    "audit_entry": {"SELECT", "INSERT"},
    "audit_pending": {"SELECT", "INSERT", "DELETE"},
    "audit_seal": {"SELECT", "INSERT"},
    "client": {"SELECT", "INSERT"},
    "client_secret": {"SELECT", "INSERT"},
    "current_value": {"SELECT", "INSERT", "UPDATE"},
    "data_grant": {"SELECT", "INSERT"},
    "data_grant_read": {"SELECT", "INSERT"},
    "designation": {"SELECT", "INSERT"},
    "designation_withdrawal": {"SELECT", "INSERT"},
    "evaluation": {"SELECT", "INSERT"},
    "evaluation_run": {"SELECT", "INSERT"},
    "evidence_confirmation": {"SELECT", "INSERT"},
    "evidence_event": {"SELECT", "INSERT"},
    "evidence_file": {"SELECT", "INSERT"},
    "evidence_finding": {"SELECT", "INSERT"},
    "evidence_list": {"SELECT", "INSERT"},
    "evidence_list_chunk": {"SELECT", "INSERT", "DELETE"},
    "evidence_part": {"SELECT", "INSERT", "DELETE"},
    "evidence_submission": {"SELECT", "INSERT"},
    "evidence_version": {"SELECT", "INSERT"},
    "job": {"SELECT", "INSERT"},
    "kept_answer": {"SELECT", "INSERT", "DELETE"},
    "lineage": {"SELECT"},
    "recording": {"SELECT", "INSERT"},
    "register": {"SELECT"},
    "ruleset_snapshot": {"SELECT", "INSERT"},
    "unit": {"SELECT", "INSERT"},
    "unit_attribute": {"SELECT", "INSERT"},
    "unit_identifier": {"SELECT", "INSERT", "UPDATE"},
    "unit_version": {"SELECT", "INSERT"},
    "value": {"SELECT", "INSERT"},
    "value_event": {"SELECT", "INSERT"},
    "value_import": {"SELECT", "INSERT"},
    "value_import_chunk": {"SELECT", "INSERT", "DELETE"},
    "value_import_rejection": {"SELECT", "INSERT", "DELETE"},
}
NEEDED_COLUMNS = {
    ("client", "revoked_at"), ("client_secret", "retired_at"), ("data_grant", "revoked_at"),
    ("data_grant", "revoked_because"), ("data_grant", "revoked_by"),
    *(("evaluation_run", column) for column in (
        "all_items", "criteria", "digest", "ended_at", "nearest", "out_of_scope", "outcomes",
        "units",
    )),
    ("evidence_confirmation", "ended_at"),
    ("evidence_file", "ended_at"), ("evidence_file", "stored"),
    ("evidence_list", "ended_at"), ("evidence_list", "marks"), ("evidence_list", "repeated_before"),
    *(("evidence_submission", column) for column in (
        "changed_at", "digest", "files_deleted_at", "names_deleted_at", "revision", "route",
        "state", "submitted_on", "version",
    )),
    *(("job", column) for column in (
        "attempt", "deaths", "done", "ended_at", "problem", "result", "started_at", "state",
        "total",
    )),
    ("recording", "position"),
    ("register", "revision"),
    *(("value_import", column) for column in (
        "dry_run", "ended_at", "freed_at", "headers", "job_id", "mode", "on_conflict", "report",
        "state",
    )),
}  # fmt: skip
PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")

Copy = Callable[[], tuple[dict[str, str], Settings]]


@pytest.fixture(scope="module")
def own(cluster: Embedded, worker_id: str) -> dict[str, str]:
    """A prepared database for tests that change nothing."""
    return clone(cluster, f"roles_{worker_id}")


@pytest.fixture
def copy(cluster: Embedded, worker_id: str, tmp_path: Path) -> Iterator[Copy]:
    """Make prepared databases that are dropped after the test."""
    made = []

    def make() -> tuple[dict[str, str], Settings]:
        name = f"roles_{worker_id}_{next(NUMBERS)}"
        env = clone(cluster, name)
        made.append(name)
        return env | {"NTM_DATA_DIR": str(tmp_path)}, settings_of(env, tmp_path)

    yield make
    for name in made:
        url = f"postgresql://{OWNER}@/postgres?host={cluster.socket_folder}"
        execute(url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


# --- what the service may do ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE ntm.mine (id integer)",
        "CREATE TABLE public.mine (id integer)",
        "CREATE VIEW ntm.mine AS SELECT 1",
        "CREATE FUNCTION ntm.mine() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "CREATE SCHEMA mine",
        "CREATE ROLE mine",
        "CREATE DATABASE mine",
        "CREATE INDEX mine ON ntm.unit (level)",
        "ALTER TABLE ntm.unit ADD COLUMN mine integer",
        "ALTER TABLE ntm.unit DISABLE TRIGGER ALL",
        "ALTER SCHEMA ntm RENAME TO mine",
        "DROP TABLE ntm.unit_attribute",
        "DROP SCHEMA ntm CASCADE",
        "TRUNCATE ntm.designation",
        "TRUNCATE ntm.client CASCADE",
        "COPY ntm.unit TO PROGRAM 'true'",
        "COPY ntm.unit TO '/tmp/mine'",
        "SET ROLE ntm_owner",
        "SET SESSION AUTHORIZATION ntm_owner",
        "SET session_replication_role = replica",
        "ALTER ROLE ntm_service SUPERUSER",
        "GRANT ntm_owner TO ntm_service",
        "ALTER SYSTEM SET fsync = off",
        "SELECT pg_read_file('PG_VERSION')",
        "SELECT rolpassword FROM pg_authid",
        "UPDATE ntm.unit_attribute SET value = false",
        "DELETE FROM ntm.unit_attribute",
        "UPDATE ntm.designation SET decision = 'x'",
        "DELETE FROM ntm.designation",
        "UPDATE ntm.designation_withdrawal SET reason = 'x'",
        "DELETE FROM ntm.designation_withdrawal",
        "UPDATE ntm.unit_version SET name = 'x'",
        "DELETE FROM ntm.unit_version",
        "INSERT INTO ntm.lineage VALUES (1, 2, now(), 'whole', 'x')",
        "UPDATE ntm.lineage SET extent = 'part'",
        "DELETE FROM ntm.lineage",
        "UPDATE ntm.unit SET key = 'x'",
        "DELETE FROM ntm.unit",
        "UPDATE ntm.client SET scopes = '{read}'",
        "UPDATE ntm.client SET unit_id = 1",
        "DELETE FROM ntm.client",
        "UPDATE ntm.client_secret SET digest = ''",
        "DELETE FROM ntm.client_secret",
        "DELETE FROM ntm.unit_identifier",
        "UPDATE ntm.audit_entry SET client = 'x'",
        "DELETE FROM ntm.audit_entry",
        "TRUNCATE ntm.audit_entry",
        "UPDATE ntm.audit_seal SET hash = ''",
        "DELETE FROM ntm.audit_seal",
        "UPDATE ntm.kept_answer SET body = ''",
        "UPDATE ntm.data_grant SET until = now()",
        "DELETE FROM ntm.data_grant",
        "DELETE FROM ntm.data_grant_read",
        "ALTER TABLE ntm.value DISABLE ROW LEVEL SECURITY",
        "DROP POLICY may_select ON ntm.value",
        "UPDATE ntm.register SET digest = 'x'",
        "DELETE FROM ntm.register",
        "UPDATE ntm.alembic_version SET version_num = 'x'",
        "UPDATE ntm.value SET numerator = 1",
        "UPDATE ntm.value SET source = source",
        "DELETE FROM ntm.value",
        "TRUNCATE ntm.value",
        "UPDATE ntm.value_event SET reason = 'x'",
        "DELETE FROM ntm.value_event",
        "DELETE FROM ntm.current_value",
        "TRUNCATE ntm.current_value",
        "UPDATE ntm.recording SET recorded_at = now()",
        "UPDATE ntm.recording SET author = 'ntm'",
        "DELETE FROM ntm.recording",
        "TRUNCATE ntm.recording CASCADE",
        "UPDATE ntm.ruleset_snapshot SET content = ''",
        "DELETE FROM ntm.ruleset_snapshot",
        "UPDATE ntm.evaluation SET verdict = ''",
        "UPDATE ntm.evaluation SET outcome = 'met'",
        "DELETE FROM ntm.evaluation",
        "TRUNCATE ntm.evaluation",
        "ALTER TABLE ntm.value DISABLE TRIGGER ALL",
        "COPY ntm.value TO PROGRAM 'true'",
    ],
)
def test_the_service_is_refused(statement: str, own: dict[str, str]) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        execute(own["NTM_DATABASE_URL"], statement)


def test_the_service_is_no_superuser_and_bypasses_nothing(own: dict[str, str]) -> None:
    (found,) = fetch(
        own["NTM_DATABASE_URL"],
        "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication "
        "FROM pg_roles WHERE rolname = current_user",
    )
    assert not any(found)
    assert fetch(
        own["NTM_DATABASE_URL"],
        "SELECT roleid::regrole FROM pg_auth_members WHERE member = current_user::regrole",
    ) == []  # fmt: skip


def test_the_service_has_exactly_the_rights_that_it_needs(own: dict[str, str]) -> None:
    url = owner_of(own)
    found = {
        table: {
            privilege
            for privilege in PRIVILEGES
            if fetch(
                url, "SELECT has_table_privilege('ntm_service', $1, $2)", f"ntm.{table}", privilege
            )[0][0]
        }
        for table in tables(url)
    }
    assert found == NEEDED
    columns = fetch(
        url,
        "SELECT c.relname, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
        "WHERE c.relnamespace = 'ntm'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 "
        "AND has_column_privilege('ntm_service', c.oid, a.attnum, 'UPDATE') "
        "AND NOT has_table_privilege('ntm_service', c.oid, 'UPDATE')",
    )
    assert {tuple(row) for row in columns} == NEEDED_COLUMNS


def test_nobody_but_owner_and_service_has_a_right(own: dict[str, str]) -> None:
    found = fetch(
        owner_of(own),
        "SELECT DISTINCT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END "
        "FROM pg_class c, aclexplode(c.relacl) WHERE c.relnamespace = 'ntm'::regnamespace",
    )
    assert {row[0] for row in found} == {"ntm_owner", "ntm_service"}


def test_a_secret_is_nowhere_in_the_database(copy: Copy) -> None:
    env, settings = copy()
    known = in_database(settings, lambda database: filled(settings, database))
    for table in tables(owner_of(env)):
        rows = fetch(owner_of(env), f"SELECT t::text FROM ntm.{table} t")
        assert not any(known.secret in row[0] for row in rows)
        assert not any(known.secret.encode().hex() in row[0] for row in rows)


def test_every_row_of_a_territory_says_in_which_unit_district_and_province_it_lay(
    own: dict[str, str],
) -> None:
    places = {"unit_id", "district_id", "province_id"}
    territorial = {str(vars(one)["__tablename__"]) for one in Territorial.__subclasses__()}
    assert territorial >= {"client", "unit_attribute", "designation", "evaluation"}
    found: dict[str, set[str]] = {}
    for row in fetch(
        owner_of(own),
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'ntm'",
    ):
        found.setdefault(row[0], set()).add(row[1])
    register = {"unit", "unit_version", "unit_identifier", "lineage", "register"}  # open to all
    # without foreign keys: ADR 0019
    bulk = {"value", "value_event", "current_value", "audit_entry"}
    for table, columns in found.items():
        if "unit_id" in columns and table not in register:
            assert columns >= places, table
            assert (table in territorial) != (table in bulk), table
    for table in territorial:
        assert found[table] >= places
        indexed = {
            column.name for index in Base.metadata.tables[table].indexes for column in index.columns
        }
        assert indexed >= places


# --- what the service refuses to be --------------------------------------------------------------


def refused(settings: Settings, words: str) -> None:
    """Fail unless the service refuses to stand on this database, for this reason."""
    with pytest.raises(DatabaseFailed) as caught:
        in_database(settings, schema.check_service)
    assert caught.value.code == "database-unusable"
    assert words in caught.value.text.en
    assert caught.value.text.vi


def test_the_prepared_database_is_good(ntm: Ntm, copy: Copy) -> None:
    env, settings = copy()
    in_database(settings, schema.check_service)
    ran = ntm("db", "check", env=env)
    assert (ran.code, ran.err) == (0, "")


@pytest.mark.parametrize(
    "right",
    [
        "GRANT CREATE ON SCHEMA ntm TO ntm_service",
        "GRANT CREATE ON SCHEMA ntm TO PUBLIC",
        "ALTER TABLE ntm.lineage OWNER TO ntm_service",
        "ALTER SCHEMA ntm OWNER TO ntm_service",
    ],
)
def test_a_service_with_ddl_or_tables_of_its_own_is_refused(
    right: str, ntm: Ntm, copy: Copy
) -> None:
    env, settings = copy()
    execute(owner_of(env), right)
    refused(settings, "too many rights")
    for arguments in (("db", "check"), ("db", "upgrade"), ("clients", "list")):
        ran = ntm("--lang", "en", *arguments, env=env)
        assert ran.code == 1
        assert "too many rights" in ran.err
        assert "Traceback" not in ran.said


def test_a_service_that_can_make_schemas_is_refused(copy: Copy) -> None:
    env, settings = copy()
    name = env["NTM_DATABASE_URL"].partition("@/")[2].partition("?")[0]
    execute(owner_of(env), f'GRANT CREATE ON DATABASE "{name}" TO ntm_service')
    refused(settings, "too many rights")


@pytest.mark.parametrize("whose", ["ROLE ntm_service IN DATABASE", "DATABASE"])
def test_a_database_that_acknowledges_before_it_has_written_is_refused(
    whose: str, ntm: Ntm, copy: Copy
) -> None:
    env, settings = copy()
    name = env["NTM_DATABASE_URL"].partition("@/")[2].partition("?")[0]
    execute(owner_of(env), f'ALTER {whose} "{name}" SET synchronous_commit = off')
    refused(settings, "synchronous_commit")
    ran = ntm("--lang", "en", "db", "check", env=env)
    assert ran.code == 1
    assert "synchronous_commit" in ran.err


# --- on a server of one's own --------------------------------------------------------------------


@pytest.fixture(scope="module")
def bare() -> Iterator[Server]:
    """A PostgreSQL as it is after initdb, where a role `boss` may make roles and databases."""
    with server(bundled()) as found:
        execute(
            found.url(), "CREATE ROLE boss LOGIN CREATEROLE", "CREATE DATABASE theirs OWNER boss"
        )
        yield found


async def prepared(database: Database) -> tuple[str, str]:
    """Prepare a database; return as whom the service's connections work and log in."""
    await prepare(database, lambda *_: None)
    async with database.transaction() as session:
        row = (await session.execute(text("SELECT current_user, session_user"))).one()
    async with database.reading() as connection:
        assert await connection.fetchval("SELECT current_user") == row[0]
    return row[0], row[1]


@pytest.fixture(scope="module")
def theirs(bare: Server) -> dict[str, str]:
    """A database prepared by a superuser, on a server where anything may be tried."""
    execute(bare.url(), "CREATE DATABASE good")
    env = {"NTM_DATABASE_URL": bare.url("ntm_service", "good")}
    env["NTM_DATABASE_OWNER_URL"] = bare.url("postgres", "good")
    first = settings_of({"NTM_DATABASE_URL": bare.url("postgres", "good")}, Path("/proc/nowhere"))
    in_database(first, schema.upgrade)
    execute(bare.url(), "ALTER ROLE ntm_service LOGIN")
    in_database(settings_of(env, Path("/proc/nowhere")), schema.check_service)
    return env


@pytest.mark.parametrize("power", ["SUPERUSER", "BYPASSRLS"])
def test_a_service_with_the_powers_of_an_administrator_is_refused(
    power: str, bare: Server, theirs: dict[str, str], tmp_path: Path
) -> None:
    execute(bare.url(), f"ALTER ROLE ntm_service {power}")
    try:
        refused(settings_of(theirs, tmp_path), "too many rights")
    finally:
        execute(bare.url(), f"ALTER ROLE ntm_service NO{power}")


def test_a_superuser_is_no_login_for_the_service(
    bare: Server, theirs: dict[str, str], tmp_path: Path
) -> None:
    env = dict.fromkeys(
        ("NTM_DATABASE_URL", "NTM_DATABASE_OWNER_URL"), bare.url("postgres", "good")
    )
    refused(settings_of(env, tmp_path), "too many rights")


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes", "synchronous_commit"])
def test_a_server_that_could_lose_what_it_acknowledged_is_refused(
    setting: str, bare: Server, theirs: dict[str, str], ntm: Ntm, tmp_path: Path
) -> None:
    execute(bare.url(), f"ALTER SYSTEM SET {setting} = off", "SELECT pg_reload_conf()")
    try:
        fetch(bare.url(), "SELECT pg_sleep(0.2)")
        refused(settings_of(theirs, tmp_path), setting)
        ran = ntm("--lang", "en", "db", "check", env=theirs)
        assert ran.code == 1
        assert setting in ran.err
    finally:
        execute(bare.url(), f"ALTER SYSTEM RESET {setting}", "SELECT pg_reload_conf()")
        fetch(bare.url(), "SELECT pg_sleep(0.2)")


def test_by_one_address_an_owner_migrates_and_the_service_works_as_its_role(tmp_path: Path) -> None:
    with server(bundled()) as first:  # where nobody has made the service's role yet
        execute(
            first.url(), "CREATE ROLE boss LOGIN CREATEROLE", "CREATE DATABASE theirs OWNER boss"
        )
        settings = settings_of({"NTM_DATABASE_URL": first.url("boss", "theirs")}, tmp_path)
        assert in_database(settings, prepared) == ("ntm_service", "boss")
        assert in_database(settings, schema.drift) is None
        assert in_database(settings, prepared) == ("ntm_service", "boss")  # and again


def test_by_two_addresses_the_login_is_a_mere_member_of_the_role(
    bare: Server, theirs: dict[str, str], ntm: Ntm, tmp_path: Path
) -> None:
    execute(bare.url(), "CREATE ROLE web LOGIN", "GRANT ntm_service TO web")
    env = theirs | {"NTM_DATABASE_URL": bare.url("web", "good"), "NTM_DATA_DIR": str(tmp_path)}
    assert in_database(settings_of(env, tmp_path), prepared) == ("ntm_service", "web")
    made = ntm("clients", "add", "Một", "--territory", "VN", "--scope", "read", env=env)
    assert made.code == 0, made.err
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        execute(bare.url("web", "good"), "CREATE TABLE ntm.mine (id integer)")


def test_a_login_that_is_no_member_of_the_role_is_told_so(
    bare: Server, theirs: dict[str, str], ntm: Ntm
) -> None:
    execute(bare.url(), "CREATE ROLE nobody LOGIN")
    env = theirs | {"NTM_DATABASE_URL": bare.url("nobody", "good")}
    for language in ("vi", "en"):
        ran = ntm("--lang", language, "db", "check", env=env)
        assert ran.code == 1
        assert "ntm_service" in ran.err
        assert "NTM_DATABASE_URL" in ran.err
        assert "Traceback" not in ran.said


def test_an_owner_without_the_right_to_make_roles_is_told_so(bare: Server, ntm: Ntm) -> None:
    execute(bare.url(), "CREATE ROLE small LOGIN", "CREATE DATABASE small OWNER small")
    ran = ntm("--lang", "en", "db", "upgrade", env={"NTM_DATABASE_URL": bare.url("small", "small")})
    assert ran.code == 1
    assert "ntm_service" in ran.err or "NTM_DATABASE_OWNER_URL" in ran.err
    assert "Traceback" not in ran.said
    assert tables(bare.url(name="small")) == []
