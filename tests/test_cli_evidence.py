"""`ntm evidence purge`: what is kept no longer goes, and nothing else; twice is as good as once."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from conftest import Ntm, clone
from evidence_calls import FORM_03, at, listed, sent
from running import owner_of, run_async
from submission_calls import OLD, OLD_DAY, Item, Offices, moved, opened

from app.database import EVERYTHING, Database
from app.domain.evidence.keys import Keys
from app.embedded import OWNER, Embedded
from app.rules.registry import Registry
from app.settings import Settings

Env = Mapping[str, str]
SLOT = "phutho.1.2.3.documents"
NAME = "Quỷnh Zờ Chimhoàngyến"
DAY = 86_400


class World:
    """A database with submissions that ended long ago, yesterday or never."""

    def __init__(self, env: Env, folder: Path, made: dict[str, int]) -> None:
        self.env, self.folder, self.made = env, folder, made

    def rows(self, statement: str, *parameters: Any) -> list[dict[str, Any]]:
        """Return what a statement finds, as the owner sees it."""

        async def ask() -> list[dict[str, Any]]:
            connection = await asyncpg.connect(
                owner_of(self.env), server_settings={"ntm.nation": "on", "search_path": "ntm"}
            )
            try:
                return [dict(row) for row in await connection.fetch(statement, *parameters)]
            finally:
                await connection.close()

        return run_async(ask())

    def keys(self) -> int:
        """Return how many keys of names there are."""
        return len(list((self.folder / "evidence-keys").glob("*.key")))

    def contents(self) -> int:
        """Return how many contents lie in the store."""
        return sum(path.is_file() for path in (self.folder / "evidence").rglob("*"))

    def purged(self, ntm: Ntm, *more: str, **settings: str) -> Item:
        """Run the command; return what it says as JSON."""
        ended = ntm("evidence", "purge", "--json", *more, env={**self.env, **settings})
        assert ended.code == 0, ended
        assert NAME not in ended.out + ended.err
        found: Item = json.loads(ended.out)
        return found

    def submissions(self, found: Item, what: str) -> list[int]:
        """Return the submissions of which something is told."""
        return [one["submission"] for one in found[what]]


@pytest.fixture
def world(cluster: Embedded, worker_id: str, tmp_path: Path, registry: Registry) -> Iterator[World]:
    """Three submissions with names and files, and a content that nothing names."""
    name = f"purge_{worker_id}_{uuid.uuid4().hex[:8]}"
    env = clone(cluster, name) | {"NTM_DATA_DIR": str(tmp_path), "NTM_LANG": "en"}
    found = World(env, tmp_path, run_async(_made(env, tmp_path, registry)))
    lost = tmp_path / "evidence" / "ab" / ("ab" * 16)
    lost.parent.mkdir(exist_ok=True)
    lost.write_bytes(b"lost")
    os.utime(lost, (0, 0))
    yield found
    url = f"postgresql://{OWNER}@/postgres?host={cluster.socket_folder}"

    async def drop() -> None:
        connection = await asyncpg.connect(url)
        await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await connection.close()

    run_async(drop())


async def _made(env: Env, folder: Path, registry: Registry) -> dict[str, int]:
    settings = Settings(
        database_url=env["NTM_DATABASE_URL"], database_owner_url=env["NTM_DATABASE_OWNER_URL"],
        data_dir=folder,
    )  # fmt: skip
    async with Database(settings) as plain:
        database = plain.acting_for(EVERYTHING)
        offices = Offices(settings, registry, database, OLD_DAY)
        commune = (await offices.of(OLD))["commune"]
        made = {}
        for which, period in (("old", "2021"), ("new", "2022"), ("draft", "2023")):
            id_ = made[which] = (await opened(commune, OLD["commune"], period))["id"]
            await sent(commune, id_, FORM_03, listed([NAME, "Trần Thị Bình"]))
            answer = await commune.put(at(id_, SLOT, "files/a.txt"), content=b"noted " * 9)
            assert answer.status_code == 201, answer.text
            if which != "draft":
                await moved(commune, id_, "withdraw", "commune", OLD_DAY)
        await offices.close()
        async with database.writing() as connection:
            await connection.execute(
                "UPDATE evidence_submission SET changed_at = now() - $2 * interval '1 second'"
                " WHERE id = $1", made["old"], 40 * DAY + 60,
            )  # fmt: skip
    return made


def test_by_default_everything_is_kept(ntm: Ntm, world: World) -> None:
    """Unset settings delete nothing that anybody has; what nobody names is lost, and goes."""
    found = world.purged(ntm, "--apply")
    assert found == {"applied": True, "names": [], "files": [], "unnamed": 1, "strange": False}
    assert (world.keys(), world.contents()) == (3, 3)
    (act,) = world.rows(
        "SELECT action, client, details FROM audit_entry WHERE action LIKE '%purged'"
    )
    assert act == {
        "action": "evidence.contents-purged", "client": "ntm", "details": '{"contents":1}',
    }  # fmt: skip
    ended = ntm("evidence", "purge", env=world.env)
    assert (ended.code, "NTM_KEEP_NAMES_DAYS is unset" in ended.err) == (0, True)
    assert ended.out.startswith("nothing deleted, --apply deletes: names of 0 submissions")


def test_without_apply_it_is_only_told(ntm: Ntm, world: World) -> None:
    """The dry run lists what would go: submission, unit, state, since when, how much."""
    found = world.purged(ntm, NTM_KEEP_NAMES_DAYS="40", NTM_KEEP_EVIDENCE_DAYS="40")
    for what, count, size in (("names", 2, 0), ("files", 1, 54)):
        (one,) = found[what]
        assert (one["submission"], one["state"]) == (world.made["old"], "withdrawn")
        assert (one["count"], one["size"], one["period"]) == (count, size, "2021")
    assert (world.keys(), world.contents()) == (3, 4)
    assert not world.rows("SELECT FROM audit_entry WHERE action LIKE '%purged'")
    shown = ntm("evidence", "purge", env={**world.env, "NTM_KEEP_NAMES_DAYS": "1"})
    assert "Thị trấn Lâm Thao" in shown.out.replace("\n", " ")


def test_what_is_kept_no_longer_goes_once(ntm: Ntm, world: World) -> None:
    """Names and files of what ended before go with an audit entry; counts and digests stay."""
    kept = {"NTM_KEEP_NAMES_DAYS": "40", "NTM_KEEP_EVIDENCE_DAYS": "40"}
    assert world.submissions(world.purged(ntm, "--apply", **kept), "names") == [world.made["old"]]
    assert (world.keys(), world.contents()) == (2, 2)
    assert world.rows(
        "SELECT action, client, reason FROM audit_entry WHERE action LIKE '%purged' ORDER BY id"
    ) == [
        {"action": action, "client": "ntm", "reason": reason}
        for action, reason in (
            ("evidence.names-purged", "hết thời hạn lưu 40 ngày"),
            ("evidence.files-purged", "hết thời hạn lưu 40 ngày"),
            ("evidence.contents-purged", "không tệp nào dùng nội dung này"),
        )
    ]
    (left,) = world.rows(
        "SELECT l.rows, f.size, f.stored, s.names_deleted_at IS NOT NULL AS names,"
        " s.files_deleted_at IS NOT NULL AS files,"
        " (SELECT count(*) FROM evidence_list_chunk c WHERE c.submission_id = s.id) AS chunks"
        " FROM evidence_submission s JOIN evidence_list l ON l.submission_id = s.id"
        " JOIN evidence_file f ON f.submission_id = s.id WHERE s.id = $1",
        world.made["old"],
    )
    assert left == {
        "rows": 2, "size": 54, "stored": None, "names": True, "files": True, "chunks": 0,
    }  # fmt: skip
    again = world.purged(ntm, "--apply", **kept)
    assert (again["names"], again["files"], again["unnamed"]) == ([], [], 0)
    assert len(world.rows("SELECT FROM audit_entry WHERE action LIKE '%purged'")) == 3


def test_what_was_cut_off_is_finished(ntm: Ntm, world: World) -> None:
    """A key and a content that went before the process was killed do not hinder the next run."""
    (row,) = world.rows(
        "SELECT names_key, (SELECT stored FROM evidence_file f WHERE f.submission_id = s.id)"
        " FROM evidence_submission s WHERE id = $1", world.made["old"],
    )  # fmt: skip
    Keys(world.folder / "evidence-keys").shred(row["names_key"])
    (world.folder / "evidence" / row["stored"][:2] / row["stored"]).unlink()
    kept = {"NTM_KEEP_NAMES_DAYS": "40", "NTM_KEEP_EVIDENCE_DAYS": "40"}
    found = world.purged(ntm, "--apply", **kept)
    assert world.submissions(found, "names") == world.submissions(found, "files")
    assert len(world.rows("SELECT FROM audit_entry WHERE action LIKE '%purged'")) == 3
    assert world.purged(ntm, **kept)["names"] == []


def test_the_store_of_another_database_is_left_alone(ntm: Ntm, world: World) -> None:
    """A wrong address must not cost the evidence of those who are named there."""
    world.rows("UPDATE evidence_file SET stored = md5(stored)")
    for path in (world.folder / "evidence").rglob("*"):
        os.utime(path, (0, 0))
    found = world.purged(ntm, "--apply")
    assert (found["unnamed"], found["strange"], world.contents()) == (4, True, 4)
    ended = ntm("evidence", "purge", "--apply", env=world.env)
    assert "names nothing of what lies in the store; 4 contents are left" in ended.err
    assert "0 contents that no file names" in ended.out


def test_what_cannot_be_deleted_is_told(ntm: Ntm, world: World) -> None:
    """A folder that refuses ends the command with 1; what was done before stays done."""
    folder = world.folder / "evidence-keys"
    folder.rename(folder.with_name("away"))
    folder.write_text("no folder")
    ended = ntm("evidence", "purge", "--apply", env={**world.env, "NTM_KEEP_NAMES_DAYS": "40"})
    assert (ended.code, "Traceback" in ended.err) == (1, False), ended
    assert not world.rows("SELECT FROM evidence_submission WHERE names_deleted_at IS NOT NULL")
    assert ntm("evidence", "purge", env={**world.env, "NTM_KEEP_NAMES_DAYS": "0"}).code == 2
