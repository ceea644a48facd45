"""Statistics of provinces, asked for by several clients at once of a service that runs."""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from bench.load.filling import FIRST_YEAR
from bench.load.goals import Figure
from bench.load.serving import Caller, Server

CLIENTS: Final = 8
GOAL: Final = 0.3  # seconds, for 99 of 100 answers
RULESET: Final = "bnn3445.annex1"  # the one that reads most
RATE: Final = "adults_smartphone_internet_rate"
COMMUNES: Final = range(110, 160)  # in a province of the usual size
_TOGETHER: Final = 100  # communes evaluated by one request


class Question(NamedTuple):
    """A question that a dashboard asks."""

    name: str
    path: str


def questions(province: str) -> list[Question]:
    """Return what a dashboard of a province asks."""
    here = f"under={province}&period={FIRST_YEAR}"
    over = f"under={province}&from={FIRST_YEAR}-01&to={FIRST_YEAR}-12"
    by = "by=commune&limit=500"
    return [
        Question("outcomes by criterion", f"outcomes?{here}&ruleset={RULESET}&criteria=true"),
        Question("outcomes of all rulesets", f"outcomes?{here}&level=commune"),
        Question("outcomes, commune by commune", f"outcomes?{here}&ruleset={RULESET}&{by}"),
        Question("completeness", f"completeness?{here}&ruleset={RULESET}"),
        Question(
            "completeness by commune", f"completeness?{here}&ruleset={RULESET}&{by}&details=false"
        ),
        Question("a rate over 12 months", f"series?{over}&indicator={RATE}"),
        Question("outcomes over 12 months", f"series?{over}&ruleset={RULESET}"),
    ]


def measure(server: Server, seconds: float) -> list[Figure]:
    """Return the times of every question, while every client asks all of them in turn."""
    nation = server.join("VN")
    provinces = _provinces(nation)[:CLIENTS]
    for province in provinces:
        _evaluate(nation, province)
    callers = [server.join(provinces[number % len(provinces)]) for number in range(CLIENTS)]
    asked = [questions(provinces[number % len(provinces)]) for number in range(CLIENTS)]
    taken = asyncio.run(_all(callers, asked, seconds))
    everything = [one for of in taken.values() for one in of]
    figures = [_figure(name, of) for name, of in taken.items()]
    rate = f"{len(everything) / seconds:,.0f} answers/s"
    return [*figures, _figure(f"all of them, {CLIENTS} clients, {rate}", everything)]


def _figure(name: str, taken: Sequence[float]) -> Figure:
    p50, p99 = statistics.median(taken), statistics.quantiles(taken, n=100)[-1]
    shown = f"p50 {p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms of {len(taken)}"
    return Figure(name, shown, f"p99 < {GOAL * 1000:.0f} ms", p99 < GOAL)


def _provinces(nation: Caller) -> list[str]:
    """Return the codes of provinces of the usual size."""
    items = nation.ask("/v1/units?level=province&limit=500")["items"]
    found = []
    for one in items:
        path = f"/v1/statistics/outcomes?period={FIRST_YEAR}&ruleset={RULESET}&under={one['code']}"
        if nation.ask(path)["items"][0]["units"] in COMMUNES:
            found.append(one["code"])
    return found


def _evaluate(nation: Caller, province: str) -> None:
    """Put a verdict of every commune of a province on record."""
    path = f"/v1/units?level=commune&under={province}&limit=500"
    codes = [one["code"] for one in nation.ask(path)["items"]]
    for first in range(0, len(codes), _TOGETHER):
        units = codes[first : first + _TOGETHER]
        body = {"ruleset": RULESET, "period": str(FIRST_YEAR), "units": units}
        nation.ask("/v1/evaluations?texts=false", body)


async def _all(
    callers: Sequence[Caller], asked: Sequence[Sequence[Question]], seconds: float
) -> dict[str, list[float]]:
    """Return the seconds of every answer, by question."""
    taken: dict[str, list[float]] = {one.name: [] for one in asked[0]}
    for until, into in ((0.0, {name: [] for name in taken}), (seconds, taken)):  # once unmeasured
        end = time.perf_counter() + until
        await asyncio.gather(
            *(
                _one(caller, of, end, into, random.Random(number))
                for number, (caller, of) in enumerate(zip(callers, asked, strict=True))
            )
        )
    return taken


async def _one(
    caller: Caller,
    asked: Sequence[Question],
    end: float,
    taken: Mapping[str, list[float]],
    chance: random.Random,
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", caller.port)
    while True:
        for question in chance.sample(asked, len(asked)):
            began = time.perf_counter()
            await _answered(reader, writer, caller, question)
            taken[question.name].append(time.perf_counter() - began)
        if time.perf_counter() >= end:
            break
    writer.close()


async def _answered(reader: Any, writer: Any, caller: Caller, question: Question) -> None:
    """Ask until there is an answer: who is told to come again later does so, and it counts."""
    head = "".join(f"{name}: {text}\r\n" for name, text in caller.headers.items())
    path = f"/v1/statistics/{question.path}"
    while True:
        writer.write(f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{head}\r\n".encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        length = int(answer.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        said = await reader.readexactly(length)
        if answer.startswith(b"HTTP/1.1 200"):
            return
        if not answer.startswith(b"HTTP/1.1 503"):
            raise SystemExit(f"{path}: {said.decode()}")
        await asyncio.sleep(1)
