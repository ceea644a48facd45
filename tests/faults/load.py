"""Three times what the service can do: what is too much is refused at once, the rest is quick.

The load comes by the clock from a process of its own, against the real command. Health is asked
all the time on the side. The figures depend on the machine: the table of the drills judges them,
the tests judge what must hold on any.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import math
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from hostile import EVALUATION, TODAY_COMMUNE
from running import JSON, Known, Serving, serving

from app.cli.clients import make
from app.database import EVERYTHING, Database
from app.domain.clients import SCOPES
from faults import shooting
from faults.goals import Outcome, Stage
from faults.load_figures import BACK, BOUND, Loaded, Volley, ms, p99
from faults.shooting import COUNTER, Sample

_TIMES: Final = 3  # the capacity that the load asks for
_LISTED: Final = 100
_CONNECTIONS: Final = 8  # that find out the capacity
_UNLIMITED: Final = {"NTM_MAX_RUNNING": "10000"}


class Phases(NamedTuple):
    """For how many seconds each part lasts."""

    alone: float
    capacity: float
    load: float
    control: float
    flood: float = 0.0  # ten times the capacity


SIZES: Final = (Phases(4, 4, 12, 6), Phases(15, 15, 60, 20, 600))


# --- what is asked for ---------------------------------------------------------------------------


def _value(number: str | int, code: str, period: str) -> dict[str, Any]:
    return {
        "unit": TODAY_COMMUNE, "period": period, "indicator": code, "value": number,
        "source": "Báo cáo tải",
    }  # fmt: skip


_MONTHS: Final = [f"2026-{month:02}" for month in range(1, 11)]
_CODES: Final = ("digital_skills_classes_count", "commune_has_cooperative")
_EVALUATE: Final = json.dumps(EVALUATION).encode()


def _batch() -> bytes:
    """Return values that change with every request."""
    found = [_value(COUNTER.decode(), _CODES[0], month) for month in _MONTHS]
    found += [_value(True, _CODES[1], month) for month in _MONTHS]
    return json.dumps({"values": found}).replace(f'"{COUNTER.decode()}"', COUNTER.decode()).encode()


def mix(bearer: str, verdict: int) -> list[tuple[str, bytes]]:
    """Return the requests that are sent in turn."""

    def request(line: str, body: bytes = b"") -> bytes:
        head = [f"{line} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: {bearer}"]
        if body:
            head += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        return "\r\n".join([*head, "", ""]).encode() + body

    return [
        ("list", request(f"GET /v1/values?limit={_LISTED}")),
        ("read", request(f"GET /v1/evaluations/{verdict}")),
        ("evaluate", request("POST /v1/evaluations", _EVALUATE)),
        ("read", request(f"GET /v1/evaluations/{verdict}")),
        ("list", request(f"GET /v1/values?limit={_LISTED}&unit={TODAY_COMMUNE}")),
        ("record", request("POST /v1/values", _batch())),
    ]


# --- a run ---------------------------------------------------------------------------------------


def fire(
    service: Serving, requests: Sequence[tuple[str, bytes]], way: str, much: float, seconds: float
) -> Volley:
    """Load a service from a process of its own: so many a second, or on so many connections."""
    given = {
        "port": service.port, "way": way, "much": much, "seconds": seconds,
        "requests": [(kind, base64.b64encode(one).decode()) for kind, one in requests],
    }  # fmt: skip
    ended = subprocess.run(
        [sys.executable, shooting.__file__],
        input=json.dumps(given).encode(),
        capture_output=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr.decode()[-2000:]
    found = json.loads(ended.stdout)
    samples = [Sample(*one) for one in found["samples"]]
    return Volley(samples, seconds, found["most"], found["unsent"])


class Pulse:
    """Asks a service all the time whether it lives."""

    def __init__(self, service: Serving) -> None:
        self._service = service
        self.asked = self.ill = 0

    @contextlib.contextmanager
    def felt(self) -> Iterator[None]:
        """Ask for the length of a block, ten times a second."""
        over = threading.Event()

        def ask() -> None:
            while not over.wait(0.1):
                self.asked += 1
                try:
                    self.ill += self._service.ask("GET", "/livez").status != 200
                except OSError:
                    self.ill += 1

        thread = threading.Thread(target=ask)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def filled(service: Serving, known: Known) -> list[tuple[str, bytes]]:
    """Put on record what is read, and return the requests that are sent in turn."""
    bearer = service.bearer(known)
    headers = {**bearer, **JSON}
    months = [f"{year}-{month:02}" for year in range(2015, 2025) for month in range(1, 13)]
    values = [_value(7, _CODES[0], month) | {"unit": "commune-29266"} for month in months]
    body = json.dumps({"values": values}).encode()
    recorded = service.ask("POST", "/v1/values", body, headers)
    assert recorded.status == 201, recorded.body[:400]
    judged = service.ask("POST", "/v1/evaluations", _EVALUATE, headers)
    assert judged.status == 201, judged.body[:400]
    return mix(bearer["authorization"], judged.json()["id"])


def loaded(folder: Path, env: Mapping[str, str], known: Known, phases: Phases) -> Loaded:
    """Measure a service alone, at its capacity, beyond it, and afterwards."""
    with serving(folder, {**env, "NTM_RATE_LIMIT": "0", "NTM_LOG_FORMAT": "json"}) as service:
        requests = filled(service, known)
        fire(service, requests, "closed", 2, 2)  # what is compiled and remembered once
        pulse = Pulse(service)
        with pulse.felt():
            alone = fire(service, requests, "closed", 1, phases.alone)
            capacity = fire(service, requests, "closed", _CONNECTIONS, phases.capacity)
            load = fire(service, requests, "open", _TIMES * capacity.rate, phases.load)
            time.sleep(BACK)
            after = fire(service, requests, "closed", 1, phases.alone)
            # Machines have faster and slower minutes: both are measured on either side of the load.
            again = fire(service, requests, "closed", _CONNECTIONS, phases.capacity)
            flood = None
            if phases.flood:
                flood = fire(service, requests, "open", 10 * capacity.rate, phases.flood)
        said = service.said()
        trace = said[said.index("Traceback") :][:600] if "Traceback" in said else ""
        return Loaded(
            alone, capacity.and_(again), load, after, pulse.ill, pulse.asked, trace, flood
        )


def unlimited(
    folder: Path, env: Mapping[str, str], known: Known, rate: float, seconds: float
) -> Volley:
    """Load a service that lets everybody in, as much as the other one."""
    with serving(folder, {**env, **_UNLIMITED, "NTM_RATE_LIMIT": "0"}) as service:
        requests = filled(service, known)
        fire(service, requests, "closed", 2, 2)
        return fire(service, requests, "open", rate, seconds)


class Drilled(NamedTuple):
    """A service with its limit, and the same one without."""

    limited: Loaded
    unlimited: Volley

    @property
    def grows(self) -> bool:
        """Tell whether more are under way at once, and take longer, where nothing is refused."""
        slower = statistics.median(self.unlimited.good or [math.inf])
        return (
            self.unlimited.most > 2 * self.limited.load.most
            and slower > 2 * statistics.median(self.limited.load.good)
        )  # fmt: skip


async def drill(stage: Stage, full: bool) -> Drilled:
    """Load a service on a database of its own, and one without a limit on another."""
    found = []
    for _ in range(2):
        env = await stage.clone("load")
        async with Database(stage.settings(env)) as database:
            made = await make(database.acting_for(EVERYTHING), "Thử tải", "VN", list(SCOPES))
        found.append((stage.folder("load"), env, Known(made["client_id"], made["client_secret"])))
    phases = SIZES[full]
    limited = await asyncio.to_thread(loaded, *found[0], phases)
    rate = _TIMES * limited.capacity.rate
    return Drilled(limited, await asyncio.to_thread(unlimited, *found[1], rate, phases.control))


async def run(stage: Stage, full: bool) -> Outcome:
    """Load the service beyond its capacity; then see that a missing limit is found out."""
    drilled = await drill(stage, full)
    limited, planted = drilled.limited, drilled.unlimited
    missed = limited.held + limited.slow
    stretch = p99(planted.good) / p99(limited.alone.good)
    return Outcome(
        f"{_TIMES}x capacity, {SIZES[full].load:.0f} s, {len(limited.load.samples)} requests",
        f"{limited.told()}{'; missed: ' + ', '.join(missed) if missed else ''}",
        not missed,
        f"no limit: p99 {ms(planted.good)} ({stretch:.0f}x), {planted.most} under way",
        stretch > BOUND and drilled.grows,
    )
