"""The revisions of the schema: each can be taken and taken back, one process at a time."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import Ntm, clone, environment, script
from running import contents, execute, fetch, in_database, owner_of, settings_of, tables

from app.database import OWNER, Database, DatabaseFailed, schema
from app.embedded import Embedded
from app.settings import Settings

NUMBERS = itertools.count()
EMPTY = "template0"
REVISIONS = [one.revision for one in reversed(list(schema.scripts().walk_revisions()))]
AHEAD = "UPDATE ntm.alembic_version SET version_num = 'zzzz'"

Fresh = Callable[[str], tuple[dict[str, str], Settings]]


@pytest.fixture
def fresh(cluster: Embedded, worker_id: str, tmp_path: Path) -> Iterator[Fresh]:
    """Make databases that are dropped after the test: empty ones, or copies of a template."""
    made = []

    def make(template: str = EMPTY) -> tuple[dict[str, str], Settings]:
        name = f"schema_{worker_id}_{next(NUMBERS)}"
        env = clone(cluster, name, template)
        made.append(name)
        return env | {"NTM_DATA_DIR": str(tmp_path)}, settings_of(env, tmp_path)

    yield make
    for name in made:
        url = f"postgresql://{OWNER}@/postgres?host={cluster.socket_folder}"
        execute(url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def move(settings: Settings, revision: str, *, down: bool = False) -> None:
    """Take the schema to a revision."""
    moved = schema.downgrade if down else schema.upgrade
    in_database(settings, lambda database: moved(database, revision))


def shape(url: str) -> list[tuple[object, ...]]:
    """Return every column, constraint, index and right of our schema."""
    found: list[tuple[object, ...]] = []
    for statement in (
        "SELECT table_name, column_name, data_type, is_nullable, column_default, collation_name "
        "FROM information_schema.columns WHERE table_schema = 'ntm'",
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE connamespace = 'ntm'::regnamespace",
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'ntm'",
        "SELECT relname, relacl::text FROM pg_class WHERE relnamespace = 'ntm'::regnamespace",
        "SELECT attrelid::regclass::text, attname, attacl::text FROM pg_attribute "
        "WHERE attacl IS NOT NULL AND attrelid::regclass::text LIKE 'ntm.%'",
        "SELECT nspname, nspacl::text FROM pg_namespace WHERE nspname = 'ntm'",
    ):
        found += sorted((tuple(row) for row in fetch(url, statement)), key=str)
    return found


@pytest.mark.parametrize("revision", REVISIONS)
def test_each_revision_can_be_taken_back_and_taken_again(revision: str, fresh: Fresh) -> None:
    env, settings = fresh(EMPTY)
    url = owner_of(env)
    before = REVISIONS[REVISIONS.index(revision) - 1] if revision != REVISIONS[0] else "base"
    if before != "base":
        move(settings, before)
    below = shape(url) if before != "base" else []
    move(settings, revision)
    above = shape(url)
    assert above != below
    move(settings, before, down=True)
    if before != "base":
        assert shape(url) == below
    move(settings, revision)
    assert shape(url) == above


def test_taken_back_to_the_base_no_table_is_left_and_nobody_has_a_right(fresh: Fresh) -> None:
    env, settings = fresh(EMPTY)
    move(settings, "head")
    move(settings, "base", down=True)
    assert tables(owner_of(env)) == ["alembic_version"]
    assert fetch(owner_of(env), "SELECT version_num FROM ntm.alembic_version") == []
    (rights,) = fetch(
        owner_of(env),
        "SELECT has_schema_privilege('ntm_service', 'ntm', 'USAGE'), "
        "has_table_privilege('ntm_service', 'ntm.alembic_version', 'SELECT')",
    )
    assert not any(rights)


def test_a_prepared_database_can_be_taken_back_and_prepared_again(ntm: Ntm, fresh: Fresh) -> None:
    env, settings = fresh("ntm")
    known = contents(owner_of(env))["unit"]
    assert known[0] > 10_000
    move(settings, "base", down=True)
    assert "unit" not in tables(owner_of(env))
    ran = ntm("--lang", "en", "db", "upgrade", env=env)
    assert ran.code == 0, ran.err
    assert f"upgraded from empty to {REVISIONS[-1]}" in ran.out
    assert contents(owner_of(env))["unit"][0] == known[0]


def test_the_tables_at_the_head_are_those_that_the_code_means(fresh: Fresh) -> None:
    _, settings = fresh("ntm")
    assert in_database(settings, schema.drift) is None


@pytest.mark.parametrize(
    "planted",
    [
        "ALTER TABLE ntm.unit ADD COLUMN stray integer",
        "ALTER TABLE ntm.client ALTER COLUMN name DROP NOT NULL",
        "ALTER TABLE ntm.unit_identifier ALTER COLUMN value TYPE integer USING 0",
        "ALTER TABLE ntm.client ALTER COLUMN created_at DROP DEFAULT",
        "ALTER TABLE ntm.client DROP CONSTRAINT uq_client_client_id",
        "DROP INDEX ntm.ix_client_province_id",
        "CREATE TABLE ntm.stray (id integer)",
        "DROP TABLE ntm.designation_withdrawal",
        "ALTER TABLE ntm.lineage DROP CONSTRAINT fk_lineage_to_unit_id",
        "ALTER TABLE ntm.value ALTER COLUMN percent TYPE numeric USING percent::numeric",
        "ALTER TABLE ntm.value ALTER COLUMN source DROP NOT NULL",
        "DROP INDEX ntm.ix_current_value_province_id",
        "DROP INDEX ntm.ix_value_unit_id_indicator_period",
        "DROP INDEX ntm.ix_recording_waiting",
        "ALTER TABLE ntm.recording DROP CONSTRAINT uq_recording_position",
        "ALTER TABLE ntm.evaluation DROP CONSTRAINT fk_evaluation_digest",
        "ALTER TABLE ntm.evaluation ALTER COLUMN leaves TYPE json USING leaves::json",
        "DROP TABLE ntm.value_event",
    ],
)
def test_a_planted_difference_is_noticed(planted: str, ntm: Ntm, fresh: Fresh) -> None:
    env, settings = fresh("ntm")
    execute(owner_of(env), planted)
    assert in_database(settings, schema.drift) is not None
    ran = ntm("--lang", "en", "db", "check", env=env)
    assert ran.code == 1
    assert "the schema differs from the code" in ran.err
    assert "Traceback" not in ran.said


def test_two_processes_that_upgrade_at_once_both_succeed_and_load_once(fresh: Fresh) -> None:
    env, _ = fresh(EMPTY)
    started = [
        subprocess.Popen(
            [script(), "--lang", "en", "db", "upgrade"],
            env=environment(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(2)
    ]
    said = [one.communicate(timeout=120) for one in started]
    assert [one.returncode for one in started] == [0, 0], said
    url = owner_of(env)
    assert [row[0] for row in fetch(url, "SELECT version_num FROM ntm.alembic_version")] == [
        REVISIONS[-1]
    ]
    assert [row[0] for row in fetch(url, "SELECT revision FROM ntm.register")] == [1]
    assert fetch(url, "SELECT count(*) FROM ntm.unit WHERE key = 'VN'")[0][0] == 1


def test_many_that_upgrade_at_once_within_one_process_all_succeed(fresh: Fresh) -> None:
    env, settings = fresh(EMPTY)

    async def all_at_once() -> list[schema.State]:
        async with contextlib.AsyncExitStack() as stack:
            opened = [await stack.enter_async_context(Database(settings)) for _ in range(4)]
            return await asyncio.gather(*(schema.upgrade(one) for one in opened))

    before = asyncio.run(all_at_once())
    assert sorted(str(one.current) for one in before) == [REVISIONS[-1]] * 3 + ["None"]
    assert tables(owner_of(env)).count("unit") == 1


# --- another version's schema --------------------------------------------------------------------

USERS = {
    "upgrade": ("db", "upgrade"),
    "check": ("db", "check"),
    "serve": ("serve", "--port", "1"),
    "add": ("clients", "add", "Hệ thống", "--territory", "25", "--scope", "read"),
    "list": ("clients", "list"),
    "load": ("units", "load"),
    "backup": ("db", "backup", "/proc/nowhere/file"),
}


@pytest.mark.parametrize("language", ["vi", "en"])
def test_a_schema_of_a_newer_version_is_left_alone_and_the_way_out_is_said(
    language: str, ntm: Ntm, fresh: Fresh, monkeypatch: pytest.MonkeyPatch
) -> None:
    env, _ = fresh("ntm")
    execute(owner_of(env), AHEAD)
    before = contents(owner_of(env))
    monkeypatch.setattr("app.cli.serve._listening", lambda *_: contextlib.nullcontext())
    for arguments in USERS.values():
        ran = ntm("--lang", language, *arguments, env=env)
        assert ran.code == 1, arguments
        assert "zzzz" in ran.err, arguments
        words = {"vi": "hãy nâng cấp ntm-rules", "en": "upgrade ntm-rules and run again"}
        assert words[language] in ran.err, arguments
        assert "Traceback" not in ran.said
        assert ran.out == ""
    assert contents(owner_of(env)) == before


@pytest.mark.parametrize("revision", ["base", *REVISIONS[:-1]])
def test_a_schema_that_is_behind_is_told_to_be_upgraded(
    revision: str, ntm: Ntm, fresh: Fresh
) -> None:
    env, settings = fresh(EMPTY)
    if revision != "base":
        move(settings, revision)
    for language, words in (("vi", "hãy chạy `ntm db upgrade`"), ("en", "run `ntm db upgrade`")):
        ran = ntm("--lang", language, "db", "check", env=env)
        assert ran.code == 1
        assert words in ran.err
        assert REVISIONS[-1] in ran.err
    assert ran.err.count("empty") == (revision == "base")
    assert fetch(owner_of(env), "SELECT to_regclass('ntm.commune_facts') AS found")[0][0] is None


def test_an_unknown_revision_raises_nothing_but_what_is_meant_for_people(fresh: Fresh) -> None:
    env, settings = fresh("ntm")
    execute(owner_of(env), AHEAD)
    with pytest.raises(DatabaseFailed) as caught:
        in_database(settings, schema.upgrade)
    assert caught.value.code == "schema-ahead"
