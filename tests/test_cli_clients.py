"""`ntm clients`: made, listed, given another secret, revoked; the secret is shown once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Ntm, calling, clone, shipped
from running import contents, execute, fetch, in_database, owner_of, settings_of

from app.database import OWNER, Database
from app.embedded import Embedded
from app.main import create_app

SECRET = re.compile(r"ntm_[A-Za-z0-9_-]{43}")
CLIENT_ID = re.compile(r"ntm-[0-9a-f]{16}")

Env = dict[str, str]


@pytest.fixture(scope="module")
def shared(cluster: Embedded, worker_id: str, tmp_path_factory: pytest.TempPathFactory) -> Env:
    """A database for tests that add clients of their own."""
    folder = tmp_path_factory.mktemp("clients")
    return clone(cluster, f"clients_{worker_id}") | {"NTM_DATA_DIR": str(folder)}


@pytest.fixture
def alone(cluster: Embedded, worker_id: str, tmp_path: Path) -> Iterator[Env]:
    """A database without any client."""
    name = f"clients_{worker_id}_alone"
    yield clone(cluster, name) | {"NTM_DATA_DIR": str(tmp_path)}
    url = f"postgresql://{OWNER}@/postgres?host={cluster.socket_folder}"
    execute(url, f'DROP DATABASE "{name}" WITH (FORCE)')


def add(ntm: Ntm, env: Env, name: str = "Hệ thống", territory: str = "25") -> dict[str, Any]:
    """Make a client that may read."""
    ran = ntm(
        "clients", "add", name, "--territory", territory, "--scope", "read", "--json", env=env
    )
    assert (ran.code, ran.err) == (0, "")
    made: dict[str, Any] = json.loads(ran.out)
    return made


def listed(ntm: Ntm, env: Env) -> dict[str, dict[str, Any]]:
    """Return all clients, as JSON, by their ids."""
    ran = ntm("clients", "list", "--json", env=env)
    assert (ran.code, ran.err) == (0, "")
    return {one["client_id"]: one for one in json.loads(ran.out)}


def lets_in(env: Env, client_id: str, secret: str) -> bool:
    """Tell whether the service gives a token for these."""
    settings = settings_of(env, Path(env["NTM_DATA_DIR"]))

    async def ask(database: Database) -> bool:
        async with calling(create_app(settings, shipped(), database)) as http:
            form = {
                "grant_type": "client_credentials",
                "client_id": client_id,
                "client_secret": secret,
            }
            answer = await http.post("/v1/oauth/token", data=form)
            assert answer.status_code in (200, 401)
            return answer.status_code == 200

    return in_database(settings, ask)


def test_a_client_made_as_json_has_the_keys_that_are_promised(ntm: Ntm, shared: Env) -> None:
    ran = ntm(
        "clients", "add", "  Hệ thống   tỉnh ", "--territory", "25", "--scope", "values:write",
        "--scope", "read", "--scope", "read", "--json", env=shared,
    )  # fmt: skip
    assert (ran.code, ran.err) == (0, "")
    made = json.loads(ran.out)
    assert set(made) == {"client_id", "client_secret", "name", "territory", "scopes"}
    assert CLIENT_ID.fullmatch(made["client_id"])
    assert SECRET.fullmatch(made["client_secret"])
    assert made["name"] == "Hệ thống tỉnh"
    assert made["territory"] == "25"
    assert made["scopes"] == ["read", "values:write"]
    assert lets_in(shared, made["client_id"], made["client_secret"])


def test_a_client_made_as_text_says_the_same_and_that_the_secret_is_not_shown_again(
    ntm: Ntm, shared: Env
) -> None:
    for language, words in (("vi", "không hiện lại"), ("en", "not shown again")):
        ran = ntm(
            "--lang", language, "clients", "add", "Sở", "--territory", "VN", "--scope", "read",
            env=shared,
        )  # fmt: skip
        assert (ran.code, ran.err) == (0, "")
        told = dict(line.split(": ", 1) for line in ran.out.splitlines() if ": " in line)
        assert told["territory"] == "VN"
        assert told["name"] == "Sở"
        assert told["scopes"] == "read"
        assert words in ran.out
        assert len(SECRET.findall(ran.out)) == 1
        assert lets_in(shared, told["client_id"], told["client_secret"])


@pytest.mark.parametrize(
    ("territory", "code"),
    [("25", "25"), ("province-25-2025", "25"), ("07894", "07894"), ("VN", "VN")],
)
def test_a_territory_is_a_code_of_today_a_key_or_the_nation(
    territory: str, code: str, ntm: Ntm, shared: Env
) -> None:
    made = add(ntm, shared, territory=territory)
    assert made["territory"] == territory
    assert listed(ntm, shared)[made["client_id"]]["territory"] == code


def test_the_secret_is_never_shown_again(ntm: Ntm, alone: Env) -> None:
    made = add(ntm, alone)
    for arguments in (
        ("list",), ("list", "--json"), ("rotate", made["client_id"]),
        ("rotate", made["client_id"], "--finish"), ("revoke", made["client_id"]), ("list",),
    ):  # fmt: skip
        ran = ntm("clients", *arguments, env=alone)
        assert ran.code == 0, ran.err
        assert made["client_secret"] not in ran.said
        assert SECRET.search(ran.err) is None


def test_all_clients_are_listed_oldest_first_revoked_ones_included(ntm: Ntm, alone: Env) -> None:
    empty = ntm("clients", "list", "--json", env=alone)
    assert json.loads(empty.out) == []
    made = [
        add(ntm, alone, name, territory)
        for name, territory in (("Phú Thọ [red]", "25"), ("Vĩnh Long", "86"), ("Cả nước", "VN"))
    ]
    assert ntm("clients", "revoke", made[1]["client_id"], env=alone).code == 0
    found = listed(ntm, alone)
    assert list(found) == [one["client_id"] for one in made]
    assert [one["revoked_at"] is not None for one in found.values()] == [False, True, False]
    first = found[made[0]["client_id"]]
    assert first["territory_unit"] == {
        "unit": "province-25-2025", "code": "25", "level": "province", "name": "Tỉnh Phú Thọ",
    }  # fmt: skip
    for language, heading in (("vi", "Thu hồi"), ("en", "Revoked")):
        shown = ntm("--lang", language, "clients", "list", env=alone)
        assert heading in shown.out
        cells = shown.cells()
        assert [row[0] for row in cells] == list(found)
        assert [row[1] for row in cells] == ["Phú Thọ [red]", "Vĩnh Long", "Cả nước"]
        assert [row[2] for row in cells] == [
            "Tỉnh Phú Thọ (25)", "Tỉnh Vĩnh Long (86)", "Việt Nam (VN)",
        ]  # fmt: skip
        assert [bool(row[4]) for row in cells] == [False, True, False]


def test_a_client_changes_its_secret_without_a_moment_without_one(ntm: Ntm, shared: Env) -> None:
    made = add(ntm, shared)
    client_id, old = made["client_id"], made["client_secret"]
    ran = ntm("clients", "rotate", client_id, "--json", env=shared)
    assert (ran.code, ran.err) == (0, "")
    given = json.loads(ran.out)
    assert set(given) == {"client_id", "client_secret"}
    new = given["client_secret"]
    assert new != old
    assert lets_in(shared, client_id, old)
    assert lets_in(shared, client_id, new)
    third = ntm("--lang", "en", "clients", "rotate", client_id, env=shared)
    assert (third.code, third.out) == (1, "")
    assert "2 valid secrets" in third.err
    assert old not in third.err
    assert new not in third.err
    done = ntm("--lang", "en", "clients", "rotate", client_id, "--finish", env=shared)
    assert (done.code, done.out.strip()) == (0, "retired 1 older secrets")
    assert not lets_in(shared, client_id, old)
    assert lets_in(shared, client_id, new)
    again = ntm("--lang", "en", "clients", "rotate", client_id, "--finish", env=shared)
    assert (again.code, again.out.strip()) == (0, "retired 0 older secrets")
    assert lets_in(shared, client_id, new)
    shown = ntm("clients", "rotate", client_id, env=shared)
    assert len(SECRET.findall(shown.out)) == 1


def test_a_revoked_client_gets_no_token_and_stays_on_record(ntm: Ntm, shared: Env) -> None:
    made = add(ntm, shared)
    ran = ntm("--lang", "en", "clients", "revoke", made["client_id"], env=shared)
    assert (ran.code, ran.out.strip()) == (0, f"revoked {made['client_id']}")
    since = listed(ntm, shared)[made["client_id"]]["revoked_at"]
    assert since
    assert not lets_in(shared, made["client_id"], made["client_secret"])
    again = ntm("clients", "revoke", made["client_id"], env=shared)
    assert again.code == 0
    assert listed(ntm, shared)[made["client_id"]]["revoked_at"] == since


# --- refusals ------------------------------------------------------------------------------------


def refused(ntm: Ntm, env: Env, code: int, *arguments: str) -> dict[str, str]:
    """Fail unless the command ends so, having changed nothing; return what it said."""
    before = contents(owner_of(env))
    said = {}
    for language in ("vi", "en"):
        ran = ntm("--lang", language, "clients", *arguments, env=env)
        assert ran.code == code, ran
        assert ran.out == ""
        assert "Traceback" not in ran.err
        said[language] = ran.err
    assert contents(owner_of(env)) == before
    assert said["vi"] != said["en"]
    return said


@pytest.mark.parametrize(
    "territory", ["", "2", "2 5", "٢٥", "vn", "province25", "'; --", "25\n", "ward-07894"]
)
def test_a_territory_that_is_no_place_is_wrong_use(territory: str, ntm: Ntm, shared: Env) -> None:
    said = refused(ntm, shared, 2, "add", "Tên", "--territory", territory, "--scope", "read")
    assert "province-25" in said["vi"]


@pytest.mark.parametrize(
    ("territory", "words"),
    [
        ("99", "there is no administrative unit"),
        ("84", "successors are: Tỉnh Vĩnh Long (86)"),
        ("province-25", "successors are: Tỉnh Phú Thọ (25)"),
        ("province-84", "successors are: Tỉnh Vĩnh Long (86)"),
    ],
)
def test_a_territory_that_is_not_there_today_fails_and_names_its_successors(
    territory: str, words: str, ntm: Ntm, shared: Env
) -> None:
    said = refused(ntm, shared, 1, "add", "Tên", "--territory", territory, "--scope", "read")
    assert words in said["en"]


def test_a_scope_that_is_not_known_is_wrong_use_and_all_are_named(ntm: Ntm, shared: Env) -> None:
    said = refused(
        ntm, shared, 2, "add", "Tên", "--territory", "25", "--scope", "read", "--scope", "đọc"
    )
    for language in ("vi", "en"):
        assert "đọc" in said[language]
        assert "values:write" in said[language]


@pytest.mark.parametrize("name", ["", "   ", "x" * 201, "a\x01b", "a\x1b[31mb", "a\u202eb"])
def test_a_name_that_cannot_be_shown_is_wrong_use(name: str, ntm: Ntm, shared: Env) -> None:
    refused(ntm, shared, 2, "add", name, "--territory", "25", "--scope", "read")


@pytest.mark.parametrize("work", ["rotate", "revoke"])
@pytest.mark.parametrize("client_id", ["ntm-0000000000000000", "x", "", "ntm_x", "é", "'; --"])
def test_a_client_that_does_not_exist_fails(
    work: str, client_id: str, ntm: Ntm, shared: Env
) -> None:
    refused(ntm, shared, 1, work, client_id)


def test_a_revoked_client_gets_no_new_secret(ntm: Ntm, shared: Env) -> None:
    made = add(ntm, shared)
    assert ntm("clients", "revoke", made["client_id"], env=shared).code == 0
    ran = ntm("clients", "rotate", made["client_id"], env=shared)
    if ran.code == 0:  # whatever is said, it must not open the door again
        (secret,) = SECRET.findall(ran.out)
        assert not lets_in(shared, made["client_id"], secret)


def test_what_the_installed_command_prints_is_the_secret_once_and_only_on_standard_output(
    process: Ntm, shared: Env
) -> None:
    ran = process(
        "clients", "add", "Tên", "--territory", "25", "--scope", "read", "--json", env=shared
    )
    assert (ran.code, ran.err) == (0, "")
    assert len(ran.out.strip().splitlines()) == 1
    (secret,) = SECRET.findall(ran.out)
    rows = fetch(owner_of(shared), "SELECT t::text FROM ntm.client_secret t")
    assert not any(secret in row[0] for row in rows)
