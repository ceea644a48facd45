"""Processes that work on jobs: `ntm worker`, and `ntm serve` beside its requests."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from conftest import Member, Ntm, clone, environment, script
from job_calls import begun, caller_of, change
from running import eventually, fetch, free_port, in_database, owner_of, settings_of

from app.cli.clients import make
from app.database import Database
from app.domain.clients import SCOPES
from app.embedded import Embedded

WORKING = {"worker": ("worker", "--at-once", "2"), "serve": ("serve", "--port", str(free_port()))}


async def _orphaned(database: Database) -> int:
    """Begin a job whose client is then revoked: every worker knows how that ends."""
    made = await make(database, "Thử", "VN", list(SCOPES))
    async with httpx.AsyncClient() as http:
        caller = await caller_of(database, Member(made["client_id"], made["client_secret"], http))
    id_ = await begun(database, caller)
    await change(
        database, "UPDATE client SET revoked_at = now() WHERE client_id = $1", caller.client_id
    )
    return id_


@contextlib.contextmanager
def _running(
    command: tuple[str, ...], env: dict[str, str], said: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Run the command as a process of its own; kill what is left of it."""
    with said.open("wb") as file:
        process = subprocess.Popen(
            [script(), *command],
            env=environment(env),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("name", WORKING)
def test_a_process_works_on_jobs_until_it_is_stopped(
    name: str, cluster: Embedded, worker_id: str, tmp_path: Path
) -> None:
    """Jobs are done by whichever process is there for them, which ends well when asked to."""
    env = clone(cluster, f"works_{name}_{worker_id}") | {"NTM_DATA_DIR": str(tmp_path)}
    id_ = in_database(settings_of(env, tmp_path), _orphaned)
    said = tmp_path / "said"

    def state() -> str:
        found = fetch(_nation(env), "SELECT state FROM ntm.job WHERE id = $1", id_)
        return str(found[0]["state"])

    with _running(WORKING[name], env, said) as process:
        eventually(lambda: state() == "failed", lambda: said.read_text("utf-8"))
        process.terminate()
        assert process.wait(30) in (0, -15)
    told = said.read_text("utf-8")
    assert '"job ended"' in told
    assert '"ended":"client-revoked"' in told
    assert "Traceback" not in told


def _nation(env: dict[str, str]) -> str:
    """Return the owner's address, by which every row is seen."""
    return f"{owner_of(env)}&options=-c%20ntm.nation%3Don"


def test_a_worker_without_a_database_says_what_to_do(ntm: Ntm, tmp_path: Path) -> None:
    """A worker that cannot begin ends with 1 and a way out."""
    env = {"NTM_DATABASE_URL": "postgresql://127.0.0.1:1/ntm", "NTM_DATA_DIR": str(tmp_path)}
    ran = ntm("--lang", "en", "worker", env=env)
    assert ran.code == 1
    assert "cannot be reached" in ran.err
    assert "Traceback" not in ran.said
