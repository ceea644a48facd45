"""Start both services on one database, as processes of their own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from app.cli.clients import make
from app.database import EVERYTHING, Database
from app.domain.preparing import prepare
from app.settings import Settings


class Service(NamedTuple):
    """A service that runs, and what every request to it carries."""

    port: int
    headers: Mapping[str, str]

    def ask(self, path: str, body: bytes | None = None) -> bytes:
        """Return the body of an answer."""
        headers = {**self.headers, "content-type": "application/json"}
        url = f"http://127.0.0.1:{self.port}{path}"
        with urllib.request.urlopen(urllib.request.Request(url, body, headers)) as answer:
            return bytes(answer.read())


@contextlib.contextmanager
def services(folder: Path) -> Iterator[tuple[Service, Service]]:
    """Yield our service and the bare one; what the bare one sends lies in `folder`."""
    settings = Settings(data_dir=folder, database_url=None, database_owner_url=None)
    database = Database(settings)
    client = asyncio.run(_prepared(database))
    assert database.embedded is not None
    url = f"postgresql://ntm_service@/ntm?host={database.embedded.socket_folder}"
    environment = {**os.environ, "NTM_DATA_DIR": str(folder), "NTM_DATABASE_URL": url}
    with (
        _running("app.main:create_app", environment | {"NTM_DATABASE_URL": ""}, "--factory") as one,
        _running("bench.http.bare:app", environment) as other,
    ):
        token = _token(one, client)
        yield Service(one, {"authorization": f"Bearer {token}"}), Service(other, {})
    database.embedded.release()


async def _prepared(database: Database) -> dict[str, Any]:
    await prepare(database, lambda *_: None)
    made = await make(database.acting_for(EVERYTHING), "bench", "VN", ["read", "values:write"])
    await database.disconnect()
    return made


@contextlib.contextmanager
def _running(target: str, environment: Mapping[str, str], *options: str) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    kept = {name: value for name, value in environment.items() if value}
    command = [
        sys.executable, "-m", "uvicorn", target, "--port", str(port), "--no-access-log",
        "--log-level", "warning", *options,
    ]  # fmt: skip
    process = subprocess.Popen(command, env=kept)
    try:
        _wait(port)
        yield port
    finally:
        process.terminate()
        process.wait()


def _wait(port: int) -> None:
    for _ in range(300):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.1)
    raise SystemExit(f"nothing listens on port {port}")


def _token(port: int, client: Mapping[str, str]) -> str:
    form = {
        "grant_type": "client_credentials",
        "client_id": client["client_id"],
        "client_secret": client["client_secret"],
    }
    body = urllib.parse.urlencode(form).encode()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/oauth/token", body) as answer:
        return str(json.load(answer)["access_token"])
