"""Cases, and how many requests a second a service answers for each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final, NamedTuple

from bench.http.services import Service

CONNECTIONS: Final = 8
Rates = dict[str, list[tuple[float, float]]]


class Case(NamedTuple):
    """One answer, as either service gives it."""

    name: str
    ours: str
    bare: str
    body: bytes | None = None
    connections: int = CONNECTIONS


def measure(
    services: tuple[Service, Service], cases: Sequence[Case], rounds: int, seconds: float
) -> Rates:
    """Return requests per second of ours and of the bare route, for each case and round.

    Every other round begins with the bare route.
    """
    rates: Rates = {case.name: [] for case in cases}
    for number in range(rounds):
        for case in cases:
            paths = (case.ours, case.bare)
            found = {
                side: asyncio.run(_load(services[side], case, paths[side], seconds))
                for side in ((0, 1) if number % 2 else (1, 0))
            }
            rates[case.name].append((found[0], found[1]))
    return rates


async def _load(service: Service, case: Case, path: str, seconds: float) -> float:
    """Return how many requests a second are answered on a few connections."""
    head = "".join(f"{name}: {value}\r\n" for name, value in service.headers.items())
    method, body = "GET", b""
    if case.body is not None:
        method, body = "POST", case.body
        head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
    request = f"{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{head}\r\n".encode() + body
    begin = time.perf_counter()
    asked = (_ask(service.port, request, begin + seconds) for _ in range(case.connections))
    counts = await asyncio.gather(*asked)
    return sum(counts) / (time.perf_counter() - begin)


async def _ask(port: int, request: bytes, end: float) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    count = 0
    while time.perf_counter() < end:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 20"):
            raise SystemExit(head.decode())
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        count += 1
    writer.close()
    return count
