"""`ntm audit`: what was changed behind the service's back is told, with its place."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import asyncpg
import pytest
from conftest import Ntm, clone
from running import execute, fetch, free_port, owner_of, run_async, serving

from app.embedded import OWNER, Embedded

NUMBERS: Final = itertools.count()
Env = Mapping[str, str]


@pytest.fixture
def env(cluster: Embedded, worker_id: str, tmp_path: Path, ntm: Ntm) -> Iterator[Env]:
    """A database of the test's own with three sealed entries and one checkpoint."""
    name = f"audit_{worker_id}_{next(NUMBERS)}"
    made = clone(cluster, name) | {"NTM_DATA_DIR": str(tmp_path / "data"), "NTM_LANG": "en"}
    _add_clients(ntm, made, 3)
    sealed = ntm("audit", "seal", env=made)
    assert (sealed.code, sealed.out.strip()) == (0, "entries sealed: 3"), sealed
    yield made
    url = f"postgresql://{OWNER}@/postgres?host={cluster.socket_folder}"
    execute(url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _add_clients(ntm: Ntm, env: Env, count: int) -> None:
    for _ in range(count):
        arguments = ("clients", "add", "thử", "--territory", "25", "--scope", "read")
        assert ntm(*arguments, env=env).code == 0


def _file(env: Env) -> Path:
    return Path(env["NTM_DATA_DIR"]) / "audit-checkpoints.jsonl"


def _verified(ntm: Ntm, env: Env, *more: str) -> dict[str, Any]:
    """Return what the command says as JSON, after checking its exit code."""
    ended = ntm("audit", "verify", "--json", *more, env=env)
    found: dict[str, Any] = json.loads(ended.out)
    assert ended.code == (0 if found["intact"] else 1), ended
    return found


def _tamper(env: Env, statement: str) -> None:
    """Change something as somebody who rules the database."""

    async def change() -> None:
        connection = await asyncpg.connect(owner_of(env))
        await connection.execute("SET session_replication_role = replica; SET search_path = ntm")
        await connection.execute(statement)
        await connection.close()

    run_async(change())


def test_an_intact_audit_is_verified_and_vouched_for(ntm: Ntm, env: Env) -> None:
    """Exit code 0; what came after the seal is counted as pending, then sealed."""
    _add_clients(ntm, env, 1)
    assert _verified(ntm, env) == {
        "intact": True, "verified": 3, "pending": 1, "checkpoints": 1, "vouched": 3, "damage": [],
    }  # fmt: skip
    assert ntm("audit", "seal", env=env).code == 0
    assert ntm("audit", "seal", env=env).out.strip() == "entries sealed: 0"
    found = _verified(ntm, env)
    assert (found["verified"], found["pending"], found["vouched"]) == (4, 0, 4)
    said = ntm("audit", "verify", env=env)
    assert (said.code, said.out.startswith("intact: 4 entries verified")) == (0, True)
    assert ntm("--lang", "vi", "audit", "verify", env=env).out.startswith("nguyên vẹn: 4 mục")


@pytest.mark.parametrize(
    ("statement", "kind", "position"),
    [
        ("UPDATE audit_entry SET client = 'ntm-0123456789abcdef' WHERE id = {0}",
         "entry-altered", 2),
        ("DELETE FROM audit_entry WHERE id = {0}", "entry-missing", 2),
        ("DELETE FROM audit_seal WHERE position = 2", "seal-missing", 2),
        ("UPDATE audit_seal SET hash = '' WHERE position = 2", "seal-altered", 2),
        ("DELETE FROM audit_seal WHERE position > 1; DELETE FROM audit_entry WHERE id >= {0}",
         "truncated", 2),
    ],
)  # fmt: skip
def test_damage_is_told_with_its_place_and_what_to_do(
    ntm: Ntm, env: Env, statement: str, kind: str, position: int
) -> None:
    """Exit code 1, the first bad position, a remedy in both languages."""
    ((entry,),) = fetch(owner_of(env), "SELECT audit_id FROM ntm.audit_seal WHERE position = 2")
    _tamper(env, statement.format(entry))
    (told,) = _verified(ntm, env)["damage"]
    assert (told["kind"], told["position"]) == (kind, position)
    assert told["entry"] in (entry, None)
    english = ntm("audit", "verify", env=env)
    assert (english.code, english.out.startswith("DAMAGED: ")) == (1, True)
    assert "evidence" in english.err
    assert "chứng cứ" in ntm("--lang", "vi", "audit", "verify", env=env).err


def test_without_checkpoints_a_cut_end_cannot_be_seen_and_that_is_said(
    ntm: Ntm, env: Env, tmp_path: Path
) -> None:
    """Only what lies outside the database tells that its end is gone."""
    _tamper(env, "DELETE FROM audit_seal WHERE position = 3; "
            "DELETE FROM audit_entry WHERE id = (SELECT max(id) FROM audit_entry)")  # fmt: skip
    kept = _file(env).rename(tmp_path / "elsewhere")
    alone = ntm("audit", "verify", env=env)
    assert (alone.code, "no checkpoint" in alone.err) == (1, True)
    assert not _verified(ntm, env)["intact"]
    assert ntm("audit", "verify", "--without-checkpoints", env=env).code == 0
    (told,) = _verified(ntm, env, "--checkpoints", str(kept))["damage"]
    assert (told["kind"], told["position"]) == ("truncated", 3)
    assert "backup" in told["message"]


def test_a_file_that_is_not_there_is_wrong_use(ntm: Ntm, env: Env, tmp_path: Path) -> None:
    """A named file must be there: silence would be taken for an intact audit."""
    ended = ntm("audit", "verify", "--checkpoints", tmp_path / "nowhere", env=env)
    assert (ended.code, str(tmp_path / "nowhere") in ended.err) == (2, True)


def test_a_rotation_of_the_keys_signs_the_newest_checkpoint_anew(ntm: Ntm, env: Env) -> None:
    """The new key vouches at once; a file by foreign keys does not, unless it is allowed."""
    assert ntm("keys", "rotate", env=env).code == 0
    lines = _file(env).read_text().splitlines()
    first, second = (json.loads(one) for one in lines)
    assert (first["hash"], first["position"]) == (second["hash"], second["position"])
    assert first["kid"] != second["kid"]
    assert _verified(ntm, env)["intact"]
    (Path(env["NTM_DATA_DIR"]) / "signing-keys.json").unlink()
    assert ntm("keys", "rotate", env=env).code == 0  # other keys altogether
    (told,) = _verified(ntm, env)["damage"]
    assert told["kind"] == "checkpoint-unknown-key"
    assert "--allow-retired-key" in told["message"]
    assert _verified(ntm, env, "--allow-retired-key")["intact"]


def test_verifying_makes_no_file(ntm: Ntm, env: Env) -> None:
    """Where there are no keys and no checkpoints, looking makes none."""
    folder = Path(env["NTM_DATA_DIR"])
    for one in folder.iterdir():
        one.unlink()
    assert _verified(ntm, env, "--without-checkpoints")["intact"]
    assert list(folder.iterdir()) == []


def test_a_start_with_a_file_that_cannot_grow_is_refused(
    ntm: Ntm, process: Ntm, env: Env, tmp_path: Path
) -> None:
    """The service does not start unseen: the message names the setting."""
    wrong = dict(env) | {"NTM_AUDIT_CHECKPOINTS": str(tmp_path)}
    ended = process("serve", "--port", free_port(), env=wrong)
    assert ended.code == 1, ended
    assert "NTM_AUDIT_CHECKPOINTS" in ended.err
    assert "Traceback" not in ended.said
    assert ntm("keys", "rotate", env=wrong).code == 1


def test_the_running_service_seals_and_leaves_a_checkpoint(
    ntm: Ntm, env: Env, tmp_path: Path
) -> None:
    """What commands leave pending is sealed by the service; its end is vouched for."""
    _add_clients(ntm, env, 2)
    with serving(tmp_path, env) as service:
        service.leave()
    found = _verified(ntm, env)
    assert (found["intact"], found["verified"], found["pending"]) == (True, 5, 0)
    assert (found["checkpoints"], found["vouched"]) == (2, 5)
