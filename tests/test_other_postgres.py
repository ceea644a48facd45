"""Another PostgreSQL, by its address: the same answers as on the one that comes along."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Ntm, clone
from running import (
    DEBIAN,
    Known,
    Server,
    answers,
    contents,
    execute,
    fetch,
    filled,
    in_database,
    needs_debian,
    server,
    settings_of,
    tables,
)

from app.database import Database, schema
from app.domain.preparing import prepare
from app.embedded import Embedded

pytestmark = needs_debian
HEAD = str(schema.scripts().get_current_head())


@pytest.fixture(scope="module")
def debian() -> Iterator[Server]:
    """Debian's PostgreSQL 15, where a role that is no superuser owns a database."""
    with server(DEBIAN) as found:
        execute(found.url(), "CREATE ROLE boss LOGIN CREATEROLE")
        yield found


def made(debian: Server, name: str) -> dict[str, str]:
    """Make an empty database of `boss`; return the settings by which it is used."""
    execute(debian.url(), f"CREATE DATABASE {name} OWNER boss")
    return {"NTM_DATABASE_URL": debian.url("boss", name)}


@pytest.fixture(scope="module")
def there(debian: Server, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], Known]:
    """A database there, prepared and with something in every table."""
    folder = tmp_path_factory.mktemp("there")
    env = made(debian, "there") | {"NTM_DATA_DIR": str(folder)}
    settings = settings_of(env, folder)

    async def work(database: Database) -> Known:
        await prepare(database, lambda *_: None)
        return await filled(settings, database)

    return env, in_database(settings, work)


def test_it_is_the_server_that_is_meant(debian: Server) -> None:
    version = fetch(debian.url(), "SHOW server_version_num")[0][0]
    assert 150000 <= int(version) < 160000


def test_it_is_checked_and_found_good(there: tuple[dict[str, str], Known], ntm: Ntm) -> None:
    env, _ = there
    ran = ntm("--lang", "en", "db", "check", env=env)
    assert (ran.code, ran.err) == (0, "")
    assert f"schema {HEAD}" in ran.out
    assert ntm("--lang", "en", "db", "upgrade", env=env).out.strip() == f"already at {HEAD}"
    assert ntm("--lang", "en", "units", "load", env=env).out.strip() == "unchanged"


# When and by whom values and verdicts were put on record.
OWN = re.compile(
    rb'"(recorded_at|created_at|started_at|ended_at|granted_at|last_at|at|by|granted_by|to_client|'
    rb'client|created_by)":"[^"]+"'
    rb"|\b20\d\d-\d\d-\d\dT[\d:.]+Z|\bntm-[0-9a-f]{16}\b|\b[0-9a-f]{64}\b"  # in files
)


def _same_for(found: dict[str, tuple[int, bytes]]) -> dict[str, tuple[int, bytes]]:
    """Return what does not depend on when and under which id something was recorded."""
    left = {"/.well-known/jwks.json"}
    return {
        path: (status, OWN.sub(b"", body))
        for path, (status, body) in found.items()
        if path not in left
        and not path.startswith(("/v1/clients", "/v1/audit", "/v1/import-templates"))
    }


def test_it_answers_byte_for_byte_as_the_embedded_one(
    there: tuple[dict[str, str], Known],
    cluster: Embedded,
    worker_id: str,
    tmp_path: Path,
) -> None:
    env, known = there
    other = settings_of(env, Path(env["NTM_DATA_DIR"]))
    found = in_database(other, lambda database: answers(other, database, known.client_id))
    here = settings_of(clone(cluster, f"other_{worker_id}"), tmp_path)

    async def fill_and_ask(database: Database) -> dict[str, tuple[int, bytes]]:
        mine = await filled(here, database)
        return await answers(here, database, mine.client_id)

    expected = in_database(here, fill_and_ask)
    assert {path: told[0] for path, told in found.items()} == {
        path: told[0] for path, told in expected.items()
    }
    there_too = _same_for(found)
    for path, told in _same_for(expected).items():
        assert there_too[path] == told, path


def test_each_revision_can_be_taken_back_and_taken_again_there(
    debian: Server, tmp_path: Path
) -> None:
    env = made(debian, "stairway")
    settings = settings_of(env, tmp_path)
    revisions = [one.revision for one in reversed(list(schema.scripts().walk_revisions()))]

    async def climb(database: Database) -> None:
        for before, revision in zip(["base", *revisions], revisions, strict=False):
            await schema.upgrade(database, revision)
            await schema.downgrade(database, before)
            await schema.upgrade(database, revision)
        assert await schema.drift(database) is None
        await schema.downgrade(database, "base")

    in_database(settings, climb)
    assert tables(debian.url(name="stairway")) == ["alembic_version"]


def answered(env: dict[str, str], folder: Path, known: Known) -> dict[str, tuple[int, bytes]]:
    """Return what a service on this database answers."""
    settings = settings_of(env, folder)
    return in_database(settings, lambda database: answers(settings, database, known.client_id))


def test_a_backup_of_it_is_restored_there_and_answers_the_same(
    there: tuple[dict[str, str], Known], debian: Server, ntm: Ntm, tmp_path: Path
) -> None:
    env, known = there
    file, second = tmp_path / "file.dump", made(debian, "second")
    second["NTM_DATA_DIR"] = str(tmp_path / "data")
    assert ntm("db", "backup", file, env=env).code == 0
    ran = ntm("--lang", "en", "db", "restore", file, env=second)
    assert ran.code == 0, ran.err
    assert contents(debian.url(name="second")) == contents(debian.url(name="there"))
    folder = Path(env["NTM_DATA_DIR"])  # the keys of names lie there, in no database
    assert answered(env, folder, known) == answered(second, folder, known)
    assert ntm("db", "check", env=second).code == 0
    cut = tmp_path / "cut.dump"
    cut.write_bytes(file.read_bytes()[:-5_000])
    ran = ntm("--lang", "en", "db", "restore", cut, env=second)
    assert ran.code == 1
    assert "nothing was changed" in ran.err
    assert contents(debian.url(name="second")) == contents(debian.url(name="there"))


def test_a_backup_of_the_embedded_one_is_restored_there_and_one_from_there_here(
    there: tuple[dict[str, str], Known],
    debian: Server,
    cluster: Embedded,
    worker_id: str,
    ntm: Ntm,
    tmp_path: Path,
) -> None:
    env, _ = there
    here = clone(cluster, f"other_{worker_id}_back") | {"NTM_DATA_DIR": str(tmp_path / "here")}
    moved = made(debian, "moved") | {"NTM_DATA_DIR": str(tmp_path / "moved")}
    outward, inward = tmp_path / "outward.dump", tmp_path / "inward.dump"
    assert ntm("db", "backup", outward, env=here).code == 0
    assert ntm("db", "backup", inward, env=env).code == 0
    ran = ntm("db", "restore", outward, env=moved)
    assert ran.code == 0, ran.err
    assert contents(debian.url(name="moved")) == contents(here["NTM_DATABASE_OWNER_URL"])
    ran = ntm("db", "restore", inward, env=here)
    assert ran.code == 0, ran.err
    assert contents(here["NTM_DATABASE_OWNER_URL"]) == contents(debian.url(name="there"))
    for one in (here, moved):
        assert ntm("db", "check", env=one).code == 0
