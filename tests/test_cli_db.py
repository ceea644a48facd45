"""`ntm db`, `ntm units load` and `ntm keys`, and what the command says of wrong settings."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import Ntm, clone, urls
from running import contents, execute, fetch, owner_of

from app.database import OWNER, schema
from app.domain.signing_keys import SigningKeys
from app.embedded import Embedded

NUMBERS = itertools.count()
HEAD = str(schema.scripts().get_current_head())
PASSWORD = "s3kr1t-P4ssw0rd"

Copy = Callable[[str], dict[str, str]]


@pytest.fixture
def copy(cluster: Embedded, worker_id: str, tmp_path: Path) -> Iterator[Copy]:
    """Make copies of a database that are dropped after the test."""
    made = []

    def make(template: str = "ntm") -> dict[str, str]:
        name = f"cli_{worker_id}_{next(NUMBERS)}"
        env = clone(cluster, name, template) | {"NTM_DATA_DIR": str(tmp_path / "data")}
        made.append(name)
        return env

    yield make
    for name in made:
        url = f"postgresql://{OWNER}@/postgres?host={cluster.socket_folder}"
        execute(url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


# --- the way of a database -----------------------------------------------------------------------


def test_an_empty_database_is_upgraded_checked_and_loaded_once(ntm: Ntm, copy: Copy) -> None:
    env = copy("template0")
    first = ntm("db", "upgrade", env=env)
    assert (first.code, first.out.strip()) == (0, f"đã nâng từ trống lên {HEAD}")
    known = contents(owner_of(env))
    assert known["unit"][0] > 10_000
    second = ntm("db", "upgrade", env=env)
    assert (second.code, second.out.strip(), second.err) == (0, f"đã ở bản {HEAD}", "")
    loaded = ntm("units", "load", env=env)
    assert (loaded.code, loaded.out.strip()) == (0, "không có gì thay đổi")
    checked = ntm("db", "check", env=env)
    assert checked.code == 0
    assert f"lược đồ {HEAD}" in checked.out
    assert contents(owner_of(env)) == known


def test_every_result_is_said_in_english_when_asked_for(ntm: Ntm, copy: Copy) -> None:
    env = copy("ntm") | {"NTM_LANG": "en"}
    assert ntm("db", "upgrade", env=env).out.strip() == f"already at {HEAD}"
    assert ntm("units", "load", env=env).out.strip() == "unchanged"
    assert ntm("db", "check", env=env).out.startswith("good: postgresql://")
    assert ntm("--lang", "vi", "units", "load", env=env).out.strip() == "không có gì thay đổi"


def test_a_register_that_lost_something_is_mended_by_loading_it_again(ntm: Ntm, copy: Copy) -> None:
    env = copy("ntm")
    url = owner_of(env)
    good = {
        table: fetch(url, f"SELECT count(*) FROM ntm.{table}")[0][0]
        for table in ("unit_version", "lineage")
    }
    execute(
        url,
        "DELETE FROM ntm.lineage WHERE to_unit_id = (SELECT id FROM ntm.unit "
        "WHERE key = 'province-25-2025')",
        "UPDATE ntm.unit_version SET name = 'x' WHERE code = '25'",
        "UPDATE ntm.register SET digest = 'of an older version'",
    )
    ran = ntm("--lang", "en", "units", "load", env=env)
    assert ran.code == 0, ran.err
    said = [int(number) for number in re.findall(r"\d+", ran.out)]
    assert said[0] == 0
    assert said[1] == said[2] > 0
    assert said[3] > 0
    assert said[4] == 0
    for table, count in good.items():
        assert fetch(url, f"SELECT count(*) FROM ntm.{table}")[0][0] == count
    assert fetch(url, "SELECT revision FROM ntm.register")[0][0] == 2
    assert fetch(url, "SELECT count(*) FROM ntm.unit_version WHERE name = 'x'")[0][0] == 0
    assert ntm("--lang", "en", "units", "load", env=env).out.strip() == "unchanged"


def test_the_installed_command_does_what_the_one_in_process_does(process: Ntm, copy: Copy) -> None:
    env = copy("ntm")
    ran = process("--lang", "en", "db", "check", env=env)
    assert (ran.code, ran.err) == (0, "")
    assert f"schema {HEAD}" in ran.out


@pytest.mark.parametrize(
    "arguments",
    [
        ("db",),
        ("db", "upgrade", "extra"),
        ("db", "check", "--json"),
        ("db", "backup"),
        ("db", "restore"),
        ("db", "nonsense"),
        ("units",),
        ("units", "load", "file.csv"),
        ("keys",),
        ("keys", "rotate", "now"),
        ("clients",),
        ("clients", "remove"),
        ("clients", "revoke"),
        ("clients", "rotate"),
        ("clients", "add", "Tên"),
        ("clients", "add", "Tên", "--territory", "25"),
        ("clients", "add", "Tên", "--scope", "read"),
        ("clients", "list", "--xml"),
        ("--lang", "fr", "db", "check"),
        ("serve", "--port", "0"),
        ("serve", "--port", "x"),
    ],
    ids=" ".join,
)
def test_wrong_use_ends_with_2_and_touches_nothing(
    arguments: tuple[str, ...], ntm: Ntm, tmp_path: Path
) -> None:
    ran = ntm(*arguments, env={"NTM_DATA_DIR": str(tmp_path / "data")})
    assert ran.code == 2
    assert "Traceback" not in ran.said
    assert not (tmp_path / "data").exists()


# --- signing keys --------------------------------------------------------------------------------


def test_a_rotated_key_signs_and_the_old_one_verifies_without_its_private_half(
    ntm: Ntm, tmp_path: Path
) -> None:
    file = tmp_path / "keys.json"
    env = {"NTM_SIGNING_KEY_FILE": str(file)}
    keys = SigningKeys(file)
    first = keys.current().kid
    ran = ntm("--lang", "en", "keys", "rotate", env=env)
    assert ran.code == 0
    second = keys.current().kid  # noticed by whoever has the file open
    assert second != first
    assert ran.out.strip() == f"new key {second} in {file}"
    assert [key.kid for key in keys.all()] == [second, first]
    written = json.loads(file.read_text("utf-8"))["keys"]
    assert ["d" in key for key in written] == [True, False]
    assert file.stat().st_mode & 0o777 == 0o600
    assert written[0]["d"] not in ran.said


def test_the_first_rotation_makes_the_file_of_keys(ntm: Ntm, tmp_path: Path) -> None:
    ran = ntm("keys", "rotate", env={"NTM_DATA_DIR": str(tmp_path / "data")})
    assert ran.code == 0
    assert [one.name for one in (tmp_path / "data").iterdir()] == ["signing-keys.json"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda file: file.write_text("{}", "utf-8"),
        lambda file: file.write_bytes(b"\xff"),
        lambda file: file.write_text('{"keys": []}', "utf-8"),
        lambda file: file.chmod(0o644),
        lambda file: (file.unlink(), file.mkdir()),
    ],
    ids=["no keys", "no text", "empty", "open to others", "a folder"],
)
def test_keys_that_cannot_be_used_are_left_alone_and_the_file_is_named(
    spoil: Callable[[Path], object], ntm: Ntm, tmp_path: Path
) -> None:
    file = tmp_path / "keys.json"
    env = {"NTM_SIGNING_KEY_FILE": str(file)}
    assert ntm("keys", "rotate", env=env).code == 0
    spoil(file)
    before = file.read_bytes() if file.is_file() else None
    for language in ("vi", "en"):
        ran = ntm("--lang", language, "keys", "rotate", env=env)
        assert ran.code == 1
        assert str(file) in ran.err
        assert "NTM_SIGNING_KEY_FILE" in ran.err
        assert "Traceback" not in ran.said
        assert ran.out == ""
    assert (file.read_bytes() if file.is_file() else None) == before
    assert [one.name for one in tmp_path.iterdir()] == ["keys.json"]


# --- settings ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NTM_DATABASE_POOL", "x"),
        ("NTM_DATABASE_POOL", "0"),
        ("NTM_DATABASE_POOL", "-1"),
        ("NTM_CORS_ORIGINS", "nonsense"),
        ("NTM_CORS_ORIGINS", "https://a.vn,https://b.vn/path"),
        ("NTM_ISSUER", "nonsense"),
        ("NTM_ISSUER", "ftp://ntm.vn"),
        ("NTM_MAX_BODY_BYTES", "many"),
    ],
)
@pytest.mark.parametrize("arguments", [("db", "check"), ("serve", "--port", "1")], ids=" ".join)
def test_a_setting_that_makes_no_sense_is_named(
    name: str, value: str, arguments: tuple[str, ...], ntm: Ntm
) -> None:
    for language in ("vi", "en"):
        ran = ntm("--lang", language, *arguments, env={name: value})
        assert ran.code == 2
        assert name in ran.err
        assert "Traceback" not in ran.said
        assert "pydantic" not in ran.said
        assert len(ran.err.strip().splitlines()) == 1
        assert ran.out == ""


# An address of the right form where nobody answers; any other is wrong use.
LEADS_NOWHERE = re.compile(r"^postgresql://[^/]*@(/ntm\?host=|127\.0\.0\.1:1/|[^/:]*\.invalid/)")


@pytest.mark.parametrize(
    "url",
    [
        f"mysql://ntm:{PASSWORD}@127.0.0.1/ntm",
        f"sqlite:///{PASSWORD}",
        f"postgresql://ntm:{PASSWORD}@127.0.0.1",
        f"postgresql://ntm:{PASSWORD}@127.0.0.1/",
        f"postgresql://ntm:{PASSWORD}@127.0.0.1:port/ntm",
        f"postgresql://ntm:{PASSWORD}@[::1/ntm",
        f"postgresql+psycopg://ntm:{PASSWORD}@127.0.0.1/ntm",
        PASSWORD,
        "",
        f"postgresql://ntm:{PASSWORD}@127.0.0.1:1/ntm",
        f"postgresql://ntm:{PASSWORD}@no.such.host.invalid/ntm",
        f"postgresql://ntm:{PASSWORD}@127.0.0.1:99999/ntm",
        f"postgresql://ntm:{PASSWORD}@/ntm?host=/nowhere",
        f"postgresql://ntm:{PASSWORD}@127.0.0.1:1/ntm?sslmode=nonsense",
    ],
)
def test_an_address_that_leads_nowhere_is_refused_and_the_password_is_never_shown(
    url: str, ntm: Ntm, tmp_path: Path
) -> None:
    env = {"NTM_DATABASE_URL": url, "NTM_DATA_DIR": str(tmp_path / "data")}
    for language in ("vi", "en"):
        for arguments in (("db", "check"), ("clients", "list")):
            ran = ntm("--lang", language, *arguments, env=env)
            assert ran.code == (1 if LEADS_NOWHERE.search(url) else 2)
            assert ran.err.strip()
            assert PASSWORD not in ran.said
            assert "Traceback" not in ran.said
            assert ran.out == ""
    assert not (tmp_path / "data" / "postgres").exists()


def test_the_password_is_not_shown_when_all_is_well(ntm: Ntm, copy: Copy) -> None:
    env = copy("ntm")
    for name in ("NTM_DATABASE_URL", "NTM_DATABASE_OWNER_URL"):
        env[name] = env[name].replace("@/", f":{PASSWORD}@/")
    for arguments in (("db", "check"), ("db", "upgrade"), ("clients", "list")):
        ran = ntm(*arguments, env=env)
        assert ran.code == 0, ran.err
        assert PASSWORD not in ran.said


def test_the_password_is_not_shown_when_the_server_refuses(ntm: Ntm, cluster: Embedded) -> None:
    for name, value in urls(cluster, "no_such_database").items():
        other = "NTM_DATABASE_OWNER_URL" if name == "NTM_DATABASE_URL" else "NTM_DATABASE_URL"
        env = {
            name: value.replace("@/", f":{PASSWORD}@/"),
            other: value.replace("@/", f":{PASSWORD}@/"),
        }
        ran = ntm("--lang", "en", "db", "check", env=env)
        assert ran.code == 1
        assert "no_such_database" in ran.err
        assert PASSWORD not in ran.said
        assert "Traceback" not in ran.said


def test_a_role_that_does_not_exist_is_named(ntm: Ntm, cluster: Embedded) -> None:
    env = {
        name: value.replace("ntm_service@", "no_such_role@").replace("ntm_owner@", "no_such_role@")
        for name, value in urls(cluster, "ntm_none").items()
    }
    ran = ntm("--lang", "en", "db", "check", env=env)
    assert ran.code == 1
    assert "no_such_role" in ran.err
    assert "Traceback" not in ran.said
