"""Backups: whole or not there; restored, they answer as the original did; or nothing is changed."""

from __future__ import annotations

import contextlib
import datetime
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from conftest import Ntm, calling, clone, run_here, shipped
from running import (
    Known,
    answers,
    connected_as,
    contents,
    execute,
    filled,
    in_database,
    measured_and_judged,
    owner_of,
    settings_of,
)

from app.database import OWNER, Database, backup, schema
from app.domain.clients import SCOPES
from app.embedded import Embedded
from app.main import create_app
from app.settings import Settings

NUMBERS = itertools.count()


class Copied(NamedTuple):
    """A database of its own: how it is used."""

    env: dict[str, str]
    settings: Settings

    @property
    def url(self) -> str:
        """Its owner's address."""
        return owner_of(self.env)


Copy = Callable[[str], Copied]


@pytest.fixture
def copy(cluster: Embedded, worker_id: str, tmp_path: Path) -> Iterator[Copy]:
    """Make copies of a database that are dropped after the test."""
    made = []

    def make(template: str) -> Copied:
        name = f"backup_{worker_id}_{next(NUMBERS)}"
        folder = tmp_path / name
        env = clone(cluster, name, template) | {"NTM_DATA_DIR": str(folder)}
        made.append(name)
        return Copied(env, settings_of(env, folder))

    yield make
    for name in made:
        url = f"postgresql://{OWNER}@/postgres?host={cluster.socket_folder}"
        execute(url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


class Original(NamedTuple):
    """A database with something in every table, and a backup of it."""

    name: str
    known: Known
    file: Path
    contents: dict[str, tuple[int, str | None]]


@pytest.fixture(scope="module")
def original(
    cluster: Embedded, worker_id: str, tmp_path_factory: pytest.TempPathFactory
) -> Original:
    """The database that is backed up; nobody changes it."""
    folder = tmp_path_factory.mktemp("original")
    name = f"backup_{worker_id}"
    env = clone(cluster, name) | {"NTM_DATA_DIR": str(folder)}
    settings = settings_of(env, folder)
    known = in_database(settings, lambda database: filled(settings, database))
    file = folder / "whole.dump"
    ran = run_here("--lang", "en", "db", "backup", file, env=env)
    assert ran.code == 0, ran.err
    assert f"wrote {file}" in ran.out
    return Original(name, known, file, contents(owner_of(env)))


def untouched(copied: Copied, before: object, ran_out: str = "") -> None:
    """Fail when anything in the database is other than it was."""
    assert contents(copied.url) == before
    assert ran_out == ""


def answered(copied: Copied, original: Original) -> dict[str, tuple[int, bytes]]:
    """Return what a service on this database answers, with the keys of the original."""
    settings = copied.settings.model_copy(update={"data_dir": original.file.parent})
    client_id = original.known.client_id
    return in_database(settings, lambda database: answers(settings, database, client_id))


async def again(copied: Copied, database: Database, known: Known) -> None:
    """Record once more what `filled` recorded of values and verdicts."""
    app = create_app(copied.settings, shipped(), database)
    token = app.state.tokens.issue(known.client_id, list(SCOPES))
    async with calling(app, token=token) as http:
        await measured_and_judged(http)


def test_a_restored_database_answers_byte_for_byte_as_the_original(
    original: Original, copy: Copy, ntm: Ntm
) -> None:
    first, second = copy(original.name), copy("template0")
    ran = ntm("--lang", "en", "db", "restore", original.file, env=second.env)
    assert ran.code == 0, ran.err
    assert "restored from" in ran.out
    assert "what was there before" not in ran.out
    assert contents(second.url) == original.contents
    empty = {table for table, (count, _) in original.contents.items() if not count}
    assert empty <= {"audit_pending"}  # what waits for its seal, and has got it
    found = [answered(one, original) for one in (first, second)]
    assert found[0] == found[1]
    for number in range(1, 4):
        assert found[1][f"/v1/evaluations/{number}/replay"] == (200, b'{"same":true}')
    assert {found[1][f"/v1/values/{number}"][0] for number in range(1, 5)} == {200}
    in_database(second.settings, schema.check_service)
    assert in_database(second.settings, schema.drift) is None


def test_a_restored_database_can_be_written_to_where_the_original_stopped(
    original: Original, copy: Copy, ntm: Ntm
) -> None:
    copied = copy("ntm")
    assert ntm("db", "restore", original.file, env=copied.env).code == 0
    made = ntm("clients", "add", "Một", "--territory", "25", "--scope", "read", env=copied.env)
    assert made.code == 0, made.err
    in_database(copied.settings, lambda database: again(copied, database, original.known))
    after = contents(copied.url)
    assert after["client"][0] == original.contents["client"][0] + 1
    for table, in_bulk in (("value", 1), ("recording", 2), ("evaluation", 1)):  # not done again
        assert after[table][0] == 2 * original.contents[table][0] - in_bulk, table
    # The same events again, and those of the first values that were followed.
    assert after["value_event"][0] > 2 * original.contents["value_event"][0]
    assert after["ruleset_snapshot"] == original.contents["ruleset_snapshot"]


def test_what_was_there_before_is_kept_and_can_be_restored_again(
    original: Original, copy: Copy, ntm: Ntm
) -> None:
    copied = copy("ntm")
    made = ntm("clients", "add", "Trước", "--territory", "86", "--scope", "read", env=copied.env)
    assert made.code == 0, made.err
    before = contents(copied.url)
    ran = ntm("--lang", "en", "db", "restore", original.file, env=copied.env)
    assert ran.code == 0, ran.err
    (kept,) = (Path(copied.env["NTM_DATA_DIR"]) / "backups").iterdir()
    assert str(kept) in ran.out
    assert kept.stat().st_mode & 0o077 == 0
    assert contents(copied.url) == original.contents
    again = ntm("db", "restore", kept, env=copied.env)
    assert again.code == 0, again.err
    assert contents(copied.url) == before


def test_two_restores_within_one_second_keep_both_states(
    original: Original, copy: Copy, ntm: Ntm, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Standing(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Standing:
            return cls(2026, 1, 1, microsecond=next(NUMBERS), tzinfo=tz)

    monkeypatch.setattr("app.cli.db.datetime.datetime", Standing)
    copied = copy("ntm")
    for _ in range(2):
        assert ntm("db", "restore", original.file, env=copied.env).code == 0
    assert len(list((Path(copied.env["NTM_DATA_DIR"]) / "backups").iterdir())) == 2


def test_a_backup_is_private_and_replaces_an_older_one_whole(
    original: Original, copy: Copy, ntm: Ntm, tmp_path: Path
) -> None:
    copied = copy("ntm")
    target = tmp_path / "again.dump"
    target.write_bytes(b"older")
    assert ntm("db", "backup", target, env=copied.env).code == 0
    assert target.read_bytes().startswith(b"PGDMP")
    assert target.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir() if one.is_file()] == ["again.dump"]


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is no backup"),
        (b"PGDM", "is no backup"),
        (b"PK\x03\x04", "is no backup"),
        (b"-- PostgreSQL database dump\nDROP SCHEMA ntm CASCADE;\n", "is no backup"),
        (b"PGDMP", "nothing was changed"),
        (b"PGDMP" + b"\xff" * 5_000, "nothing was changed"),
    ],
    ids=["empty", "short", "zip", "sql", "magic", "noise"],
)
def test_a_file_that_is_no_backup_changes_nothing(
    content: bytes, words: str, copy: Copy, ntm: Ntm, tmp_path: Path
) -> None:
    copied = copy("ntm")
    before = contents(copied.url)
    file = tmp_path / "strange.dump"
    file.write_bytes(content)
    ran = ntm("--lang", "en", "db", "restore", file, env=copied.env)
    assert ran.code == 1
    assert words in ran.err
    assert "Traceback" not in ran.said
    untouched(copied, before, ran.out)


@pytest.mark.parametrize("left", ["header", "a tenth", "half", "all but 1,000", "all but 1"])
def test_a_backup_that_is_cut_off_changes_nothing(
    left: str, original: Original, copy: Copy, ntm: Ntm, tmp_path: Path
) -> None:
    copied = copy("ntm")
    before = contents(copied.url)
    whole = original.file.read_bytes()
    size = {
        "header": 200, "a tenth": len(whole) // 10, "half": len(whole) // 2,
        "all but 1,000": len(whole) - 1_000, "all but 1": len(whole) - 1,
    }[left]  # fmt: skip
    file = tmp_path / "cut.dump"
    file.write_bytes(whole[:size])
    ran = ntm("--lang", "en", "db", "restore", file, env=copied.env)
    assert ran.code == 1
    assert "nothing was changed" in ran.err
    assert "Traceback" not in ran.said
    untouched(copied, before, ran.out)


def test_a_backup_of_a_newer_version_changes_nothing(
    original: Original, copy: Copy, ntm: Ntm, tmp_path: Path
) -> None:
    newer, copied = copy(original.name), copy("ntm")
    execute(newer.url, "UPDATE ntm.alembic_version SET version_num = 'zzzz'")
    file = tmp_path / "newer.dump"
    in_database(newer.settings, lambda database: backup.backup(database, file))
    before = contents(copied.url)
    for language, words in (("en", "newer version"), ("vi", "không có gì thay đổi")):
        ran = ntm("--lang", language, "db", "restore", file, env=copied.env)
        assert ran.code == 1
        assert words in ran.err
        assert "Traceback" not in ran.said
        untouched(copied, before, ran.out)


def test_a_backup_of_another_database_changes_nothing(copy: Copy, ntm: Ntm, tmp_path: Path) -> None:
    other, copied = copy("template0"), copy("ntm")
    execute(other.url, "CREATE SCHEMA ntm", "CREATE TABLE ntm.unit (id integer)")
    file = tmp_path / "other.dump"
    in_database(other.settings, lambda database: backup.backup(database, file))
    before = contents(copied.url)
    ran = ntm("--lang", "en", "db", "restore", file, env=copied.env)
    assert ran.code == 1
    assert "nothing was changed" in ran.err
    untouched(copied, before, ran.out)


def test_nothing_is_restored_while_somebody_uses_the_database(
    original: Original, copy: Copy, ntm: Ntm
) -> None:
    copied = copy("ntm")
    before = contents(copied.url)
    with connected_as(copied.env["NTM_DATABASE_URL"]):
        for language, words in (("en", "stop `ntm serve`"), ("vi", "hãy dừng `ntm serve`")):
            ran = ntm("--lang", language, "db", "restore", original.file, env=copied.env)
            assert ran.code == 1
            assert words in ran.err
            assert "Traceback" not in ran.said
    untouched(copied, before)
    assert ntm("db", "restore", original.file, env=copied.env).code == 0
    assert contents(copied.url) == original.contents


@pytest.mark.parametrize("language", ["vi", "en"])
def test_a_file_that_is_not_there_is_named(
    language: str, copy: Copy, ntm: Ntm, tmp_path: Path
) -> None:
    copied = copy("ntm")
    for path in (tmp_path / "none.dump", tmp_path):
        ran = ntm("--lang", language, "db", "restore", path, env=copied.env)
        assert ran.code == 1
        assert str(path) in ran.err
        assert "Traceback" not in ran.said


def test_a_target_that_cannot_be_written_is_named_and_no_part_of_a_file_is_left(
    copy: Copy, ntm: Ntm, tmp_path: Path
) -> None:
    copied = copy("ntm")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "inside").touch()
    file = tmp_path / "file"
    file.touch()
    for target in (folder, tmp_path / "nowhere" / "x", file / "x", Path("/proc/x"), Path("/")):
        ran = ntm("--lang", "en", "db", "backup", target, env=copied.env)
        assert ran.code == 1, target
        assert str(target) in ran.err
        assert "Traceback" not in ran.said
        assert ran.out == ""
    assert sorted(one.name for one in tmp_path.iterdir() if not one.name.startswith("backup_")) == [
        "file", "folder",
    ]  # fmt: skip
    assert [one.name for one in folder.iterdir()] == ["inside"]


def test_a_backup_that_fails_leaves_the_older_one(
    copy: Copy, ntm: Ntm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = copy("ntm")
    target = tmp_path / "kept.dump"
    target.write_bytes(b"older")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backup, "_run", fail)
    ran = ntm("--lang", "en", "db", "backup", target, env=copied.env)
    assert ran.code == 1
    assert "No space left on device" in ran.err
    assert target.read_bytes() == b"older"
    with contextlib.suppress(FileNotFoundError):
        assert not any(one.name.startswith(".ntm") for one in tmp_path.iterdir())
