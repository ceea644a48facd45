"""A service that is killed while files of evidence are sent: each is whole, or never was.

Rounds: environment variable NTM_DRILLS (1 when it is not set; 30 by hand).
"""

from __future__ import annotations

import asyncio
import datetime
import hashlib
import http.client
import itertools
import json
import threading
from pathlib import Path

import pytest
from conftest import clone, run_here
from evidence_files_made import large_pdf
from running import (
    DRILLS,
    JSON,
    Known,
    Serving,
    eventually,
    fetch,
    in_database,
    owner_of,
    serving,
    settings_of,
)

from app.database import Database
from app.domain.evidence import removing
from app.domain.evidence.store import FolderStore
from app.embedded import Embedded

COMMUNE, SLOT = "08494", "phutho.1.1.1.list"  # Xã Lâm Thao, since 1/7/2025
STORED = "SELECT name, size, sha256, stored FROM ntm.evidence_file WHERE ended_at IS NULL"
Site = dict[str, str]


@pytest.fixture(scope="module")
def site(cluster: Embedded, worker_id: str, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A database for a service that is killed."""
    folder = tmp_path_factory.mktemp("killed_files")
    return clone(cluster, f"killed_files_{worker_id}") | {"NTM_DATA_DIR": str(folder)}


@pytest.fixture(scope="module")
def known(site: Site) -> Known:
    """The client of a commune's office."""
    made = run_here(
        "clients", "add", "Thử", "--territory", COMMUNE, "--scope", "read",
        "--scope", "evidence:submit", "--json", env=site,
    )  # fmt: skip
    assert made.code == 0, made.err
    found = json.loads(made.out)
    return Known(found["client_id"], found["client_secret"])


class Sender:
    """Somebody who keeps sending files until the service is gone."""

    def __init__(self, service: Serving, known: Known, address: str, turn: int) -> None:
        self._service, self._address, self._turn = service, address, turn
        self._headers = service.bearer(known)
        self.acknowledged: dict[str, str] = {}
        self.wrong: list[str] = []
        self._threads = [threading.Thread(target=self._send, args=(n,)) for n in range(2)]

    def __enter__(self) -> Sender:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for thread in self._threads:
            thread.join()

    def _send(self, number: int) -> None:
        for count in itertools.count():
            # New names, and others whose content is followed by another one.
            name = f"{self._turn}-{number}-{count % 20}.pdf"
            content = large_pdf(200_000 + count)
            try:
                found = self._service.ask("PUT", f"{self._address}/{name}", content, self._headers)
            except (OSError, http.client.HTTPException):
                return
            if found.status not in (200, 201):
                self.wrong.append(str(found))
                return
            self.acknowledged[name] = hashlib.sha256(content).hexdigest()


def opened(service: Serving, known: Known, period: str) -> str:
    """Open a draft; return the address of the files of a slot."""
    body = {"unit": COMMUNE, "ruleset": "phutho.commune", "period": period}
    headers = JSON | service.bearer(known)
    path = "/v1/evidence-submissions"
    found = service.ask("POST", path, json.dumps(body).encode(), headers)
    assert found.status == 201, found
    return f"{path}/{found.json()['id']}/slots/{SLOT}/files"


def test_a_file_is_whole_or_never_was_when_the_service_is_killed(
    site: Site, known: Known, tmp_path: Path
) -> None:
    """Whatever is on record can be read, what was acknowledged is there, the rest is nobody's."""
    kept = FolderStore(Path(site["NTM_DATA_DIR"]) / "evidence")
    for turn in range(DRILLS):
        with serving(tmp_path, site) as service:
            address = opened(service, known, str(1990 + turn))
            with Sender(service, known, address, turn) as sender:
                eventually(
                    lambda: len(sender.acknowledged) > 3 + turn,  # noqa: B023 - asked at once
                    lambda: str(sender.wrong),
                )
                service.process.kill()
                service.process.wait()
        assert not sender.wrong
        rows = {row["name"]: row for row in fetch(owner_of(site), STORED)}
        for row in rows.values():
            content = asyncio.run(whole(kept, row["stored"]))
            assert hashlib.sha256(content).hexdigest() == row["sha256"]
        # One that each of the two had sent last may be committed though nobody could say so.
        differ = [name for name, digest in sender.acknowledged.items()
                  if rows[name]["sha256"] != digest]  # fmt: skip
        assert len(differ) <= 2
    remove_orphans(site, kept)
    named = {row["stored"] for row in fetch(owner_of(site), STORED)}
    assert asyncio.run(ids(kept)) == named


async def whole(kept: FolderStore, id_: str) -> bytes:
    """Return a content."""
    return b"".join([piece async for piece in kept.open(id_)])


async def ids(kept: FolderStore) -> set[str]:
    """Return what lies in the store."""
    return {one.id async for some in kept.all() for one in some}


def remove_orphans(site: Site, kept: FolderStore) -> None:
    """Remove what no file names."""

    async def remove(database: Database) -> None:
        moment = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
        async with database.reading() as connection:
            await kept.delete(await removing.orphans(connection, kept, moment))

    in_database(settings_of(site, Path(site["NTM_DATA_DIR"])), remove)
