"""Memory of the service while a million rows come in: API, parser and worker together."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from app.rules.registry import Registry
from bench.load import files
from bench.load.filling import indicators
from bench.load.goals import Figure
from bench.load.imports import months, ours
from bench.load.serving import Server

ROWS: Final = 1_000_000
GOAL: Final = 400  # megabytes (10^6 bytes)
_PAUSE: Final = 0.05  # seconds between two looks


def measure(server: Server, registry: Registry, rows: int = ROWS) -> list[Figure]:
    """Return the largest resident memory of all processes of the service at one moment."""
    caller = server.join("VN")
    path = server.at.folder / "million.csv"
    asyncio.run(_write(server, registry, path, rows))
    before = sum(resident(pid) for pid in tree(server.pid))
    with _watched(server.pid) as seen:
        taken = ours(caller, path, rows)
    most, parts = max(seen)
    return [
        Figure("resident before", _megabytes(before)),
        Figure(
            f"most while {rows:,} rows are imported in {taken:.0f} s",
            f"{_megabytes(most)} ({' + '.join(map(_megabytes, parts))})",
            f"< {GOAL} MB",
            most < GOAL * 1_000_000,
        ),
        Figure("size of the file", _megabytes(path.stat().st_size)),
    ]


async def _write(server: Server, registry: Registry, path: Path, rows: int) -> None:
    """Write a file of several months, since the communes have fewer values in one."""
    connection = await server.at.as_superuser()
    units = list(await connection.fetch(files.COMMUNES, next(months()).last))
    await connection.close()
    each = len(units) * len(indicators(registry))
    with path.open("w", encoding="utf-8") as whole:
        for number, period in zip(range(-(-rows // each)), months(), strict=False):
            found = files.lines(registry, units, number, min(each, rows - number * each))
            part = path.with_suffix(".part")
            files.write(part, found, period)
            with part.open(encoding="utf-8") as lines:
                heading = lines.readline()
                whole.write(heading if number == 0 else "")
                whole.writelines(lines)
    part.unlink()


@contextlib.contextmanager
def _watched(pid: int) -> Iterator[list[tuple[int, tuple[int, ...]]]]:
    """Look at the processes of a service until the end of the block."""
    seen: list[tuple[int, tuple[int, ...]]] = [(0, ())]
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            parts = tuple(resident(one) for one in tree(pid))
            seen.append((sum(parts), parts))
            time.sleep(_PAUSE)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield seen
    finally:
        over.set()
        watching.join()


def tree(pid: int) -> list[int]:
    """Return a process and everything below it; the database is not among them."""
    found = [pid]
    for one in found:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{one}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found


def resident(pid: int) -> int:
    """Return the resident memory of a process in bytes; none when it has ended."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    return 0


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:.0f} MB"
