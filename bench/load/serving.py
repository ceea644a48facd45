"""`ntm serve` on a database of its own, as a process; and what is asked of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

import asyncpg

from app.cli.clients import make
from app.database import EVERYTHING, Database
from app.domain.preparing import prepare
from app.embedded import DATABASE, OWNER
from app.settings import Settings

_PAUSE: Final = 0.02  # seconds between two looks at a job
_TRIES: Final = 20
_ENDED: Final = ("succeeded", "failed", "cancelled")


class Place(NamedTuple):
    """A database of its own in a folder, prepared and running."""

    folder: Path
    database: Database

    async def as_superuser(self) -> asyncpg.Connection:
        """Open a connection that row security does not bind."""
        assert self.database.embedded is not None
        return await asyncpg.connect(
            host=self.database.embedded.socket_folder,
            user=OWNER,
            database=DATABASE,
            server_settings={"search_path": "ntm", "jit": "off"},
        )


@contextlib.contextmanager
def place(folder: Path) -> Iterator[Place]:
    """Start the database of a folder and prepare it; it stops after the block."""
    settings = Settings(data_dir=folder, database_url=None, database_owner_url=None)
    database = Database(settings)
    assert database.embedded is not None
    try:
        asyncio.run(_prepared(database))
        yield Place(folder, database)
    finally:
        database.embedded.release()


async def _prepared(database: Database) -> None:
    await prepare(database, lambda *_: None)
    await database.disconnect()


class Caller(NamedTuple):
    """A client of a service that runs, with a token."""

    port: int
    token: str

    @property
    def headers(self) -> dict[str, str]:
        """What every request carries."""
        return {"authorization": f"Bearer {self.token}"}

    def ask(self, path: str, body: Any = None) -> Any:
        """Return what a path answers; a body is sent as JSON."""
        data = None if body is None else json.dumps(body).encode()
        return self.send(path, data, {"content-type": "application/json"})

    def send(self, path: str, data: bytes | BinaryIO | None, more: Mapping[str, str]) -> Any:
        """Return what a path answers to a body of any type; a cold database is asked again."""
        url = f"http://127.0.0.1:{self.port}{path}"
        request = urllib.request.Request(url, data, {**self.headers, **more})
        for _ in range(_TRIES):
            try:
                with urllib.request.urlopen(request) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                said = f"{path}: {error.code} {error.read().decode()[:2_000]}"
                if error.code != 503 or not isinstance(data, bytes | None):
                    raise SystemExit(said) from error
                time.sleep(1)
        raise SystemExit(said)

    def done(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """Return the result of a job when it is over; stop unless it succeeded."""
        while (found := self.ask(f"/v1/jobs/{job['id']}"))["state"] not in _ENDED:
            time.sleep(_PAUSE)
        if found["state"] != "succeeded":
            raise SystemExit(f"job {job['id']}: {found['state']} {found['problem']}")
        result: dict[str, Any] = found["result"]
        return result


class Server(NamedTuple):
    """A service that runs."""

    at: Place
    port: int
    pid: int

    def join(self, territory: str) -> Caller:
        """Make a client of a territory that may read and record; return it with a token."""
        client = asyncio.run(self._made(territory))
        form = {name: client[name] for name in ("client_id", "client_secret")}
        body = urllib.parse.urlencode({"grant_type": "client_credentials", **form}).encode()
        url = f"http://127.0.0.1:{self.port}/v1/oauth/token"
        with urllib.request.urlopen(url, body) as answer:
            return Caller(self.port, str(json.load(answer)["access_token"]))

    async def _made(self, territory: str) -> dict[str, Any]:
        database = self.at.database
        scopes = ["read", "values:write"]
        made = await make(database.acting_for(EVERYTHING), "bench", territory, scopes)
        await database.disconnect()
        return made


@contextlib.contextmanager
def served(at: Place, rulesets: Path | None = None) -> Iterator[Server]:
    """Run `ntm serve` on a database; `rulesets` is a folder with more of them."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    kept = {name: text for name, text in os.environ.items() if not name.startswith("NTM_")}
    kept["NTM_DATA_DIR"] = str(at.folder)
    if rulesets is not None:
        kept["NTM_RULESETS_DIR"] = str(rulesets)
    with (at.folder / "serve.log").open("w") as log:
        process = subprocess.Popen(
            ["ntm", "serve", "--port", str(port)], env=kept, stdout=log, stderr=log
        )
        try:
            _wait(port, process)
            yield Server(at, port, process.pid)
        finally:
            process.terminate()
            process.wait()


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise SystemExit("the service does not run; see serve.log in its folder")
