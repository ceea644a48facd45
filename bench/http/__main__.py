"""Start both services on one database, check that they send the same, load them in turn."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from rich.console import Console
from rich.table import Table

from app.cli.clients import make
from app.database import Database
from app.main import prepare
from app.settings import Settings

CONNECTIONS: Final = 8
AIM: Final = 0.5
DAY: Final = "2025-03-01"


class Case(NamedTuple):
    """One answer, as either service gives it."""

    name: str
    ours: str
    bare: str


CASES: Final = (
    Case("one unit", f"/v1/units/08287?on={DAY}", f"/units/08287?on={DAY}"),
    Case(
        "a list of 100",
        f"/v1/units?level=commune&under=25&on={DAY}&limit=100",
        f"/units?level=commune&under=province-25&on={DAY}&limit=100",
    ),
)


class Service(NamedTuple):
    """A service that runs, and what every request to it carries."""

    port: int
    headers: Mapping[str, str]


def main() -> None:
    """Run the comparison once."""
    parser = argparse.ArgumentParser(prog="python -m bench.http", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="timed rounds (default: 7)")
    parser.add_argument("--seconds", type=float, default=1.5, help="length of a round")
    given = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory() as folder, _services(Path(folder)) as (ours, bare):
        for case in CASES:
            _same(_get(ours, case.ours), _get(bare, case.bare))
        rates = _measure(ours, bare, given.rounds, given.seconds)
    _report(console, rates, given.rounds)


@contextlib.contextmanager
def _services(folder: Path) -> Iterator[tuple[Service, Service]]:
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
    made = await make(database, "bench", "VN", ["read"])
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


def _get(service: Service, path: str) -> Any:
    request = urllib.request.Request(
        f"http://127.0.0.1:{service.port}{path}", headers=dict(service.headers)
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def _same(ours: Any, bare: Any) -> None:
    """Stop unless both send the same; `next` is what the bare route does not find out."""
    mine, theirs = ({**one, "next": None} for one in (ours, bare))
    if mine != theirs:
        raise SystemExit("the two services do not send the same")


def _measure(
    ours: Service, bare: Service, rounds: int, seconds: float
) -> dict[str, list[tuple[float, float]]]:
    """Return requests per second of ours and of the bare route, for each case and round."""
    rates: dict[str, list[tuple[float, float]]] = {case.name: [] for case in CASES}
    for _ in range(rounds):
        for case in CASES:
            mine = asyncio.run(_load(ours, case.ours, seconds))
            theirs = asyncio.run(_load(bare, case.bare, seconds))
            rates[case.name].append((mine, theirs))
    return rates


async def _load(service: Service, path: str, seconds: float) -> float:
    """Return how many requests a second are answered on a few connections."""
    head = "".join(f"{name}: {value}\r\n" for name, value in service.headers.items())
    request = f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{head}\r\n".encode()
    end = time.perf_counter() + seconds
    counts = await asyncio.gather(*(_ask(service.port, request, end) for _ in range(CONNECTIONS)))
    return sum(counts) / seconds


async def _ask(port: int, request: bytes, end: float) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    count = 0
    while time.perf_counter() < end:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(head.decode())
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        count += 1
    writer.close()
    return count


def _report(console: Console, rates: Mapping[str, list[tuple[float, float]]], rounds: int) -> None:
    table = Table(title=f"Median of {rounds} interleaved rounds, {CONNECTIONS} connections")
    for heading in ("answer", "ours, requests/s", "bare FastAPI + asyncpg", "ratio", "aim"):
        table.add_column(heading, justify="left" if heading == "answer" else "right")
    for name, pairs in rates.items():
        ratio = statistics.median(mine / theirs for mine, theirs in pairs)
        table.add_row(
            name,
            f"{statistics.median(mine for mine, _ in pairs):,.0f}",
            f"{statistics.median(theirs for _, theirs in pairs):,.0f}",
            f"{ratio:.2f}",
            f">= {AIM}: {'reached' if ratio >= AIM else 'missed'}",
        )
    console.print(table)


if __name__ == "__main__":
    main()
