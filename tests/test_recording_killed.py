"""A service that is killed while it records: every act of recording is whole, or never was.

Rounds of every drill: environment variable NTM_DRILLS (1 when it is not set; 30 by hand).
"""

from __future__ import annotations

import http.client
import itertools
import json
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from conftest import clone, run_here
from running import DRILLS, JSON, Known, Serving, eventually, fetch, owner_of, serving

from app.embedded import Embedded

EVALUATIONS, VALUES = "/v1/evaluations", "/v1/values"
# Bodies that are each one act: how many rows it has.
BATCH, MANY = 120, 1_000
INDICATORS = (
    "commune_website_exists", "commune_social_media_account", "security_feedback_channel",
    "digital_teaching_services", "digital_healthcare_services",
)  # fmt: skip


@pytest.fixture(scope="module")
def site(
    cluster: Embedded, worker_id: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """A database for services that are killed."""
    folder = tmp_path_factory.mktemp("killed")
    return clone(cluster, f"killed_{worker_id}") | {"NTM_DATA_DIR": str(folder)}


@pytest.fixture(scope="module")
def communes(site: dict[str, str]) -> list[str]:
    """The old communes of Phú Thọ, by code."""
    rows = fetch(
        owner_of(site),
        "SELECT v.code FROM ntm.unit_version v JOIN ntm.unit u ON u.id = v.unit_id "
        "JOIN ntm.unit p ON p.id = v.province_id "
        "WHERE p.key = 'province-25' AND u.level = 'commune' ORDER BY 1",
    )
    return [row["code"] for row in rows]


def evaluations(communes: list[str]) -> Iterator[dict[str, Any]]:
    """Yield bodies of batches."""
    for year in itertools.cycle(range(2015, 2025)):
        yield {"ruleset": "phutho.commune", "period": str(year), "units": communes[:BATCH]}


def values(communes: list[str]) -> Iterator[dict[str, Any]]:
    """Yield bodies of values, each with a source of its own."""
    for number in itertools.count():
        year = 2015 + number % 10
        yield {
            "values": [
                {"unit": code, "indicator": one, "period": str(year), "value": number % 2 == 0,
                 "source": f"lần {number}"}
                for code, one in itertools.product(communes[: MANY // len(INDICATORS)], INDICATORS)
            ]
        }  # fmt: skip


class Writers:
    """Callers that keep recording until the service is gone, and remember what was acknowledged."""

    def __init__(self, service: Serving, known: Known, path: str, bodies: Iterator[Any]) -> None:
        self._service, self._path, self._bodies = service, path, bodies
        self._headers: Mapping[str, str] = JSON | service.bearer(known)
        self._taking = threading.Lock()
        self.acknowledged: list[list[int]] = []
        self.wrong: list[str] = []
        self._threads = [threading.Thread(target=self._write, daemon=True) for _ in range(2)]

    def __enter__(self) -> Writers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for thread in self._threads:
            thread.join()

    def _write(self) -> None:
        while True:
            with self._taking:
                body = json.dumps(next(self._bodies)).encode()
            try:
                found = self._service.ask("POST", self._path, body, self._headers)
            except (OSError, http.client.HTTPException):
                return
            if found.status != 201:
                self.wrong.append(str(found))
                return
            self.acknowledged.append([one["id"] for one in found.json()["items"]])


def acts(site: dict[str, str], table: str) -> dict[int, list[int]]:
    """Return the rows of every act of recording, by its number."""
    rows = fetch(
        owner_of(site),
        f"SELECT r.id, array_agg(t.id ORDER BY t.id) FILTER (WHERE t.id IS NOT NULL) AS rows "
        f"FROM ntm.recording r LEFT JOIN ntm.{table} t ON t.recording_id = r.id GROUP BY 1",
    )
    return {row["id"]: list(row["rows"] or ()) for row in rows}


@pytest.mark.parametrize("path", [EVALUATIONS, VALUES])
def test_an_act_of_recording_is_whole_or_never_was_when_the_service_is_killed(
    site: dict[str, str], communes: list[str], tmp_path: Path, path: str
) -> None:
    """Killed amid batches, each time at another moment; what was acknowledged is all there."""
    table, size = {EVALUATIONS: ("evaluation", BATCH), VALUES: ("value", MANY)}[path]
    bodies = {EVALUATIONS: evaluations, VALUES: values}[path](communes)
    before = set(acts(site, table))
    acknowledged: list[list[int]] = []
    made = run_here(
        "clients", "add", "Thử", "--territory", "VN", "--scope", "read",
        "--scope", "values:write", "--json", env=site,
    )  # fmt: skip
    assert made.code == 0, made.err
    found = json.loads(made.out)
    known = Known(found["client_id"], found["client_secret"])
    for turn in range(DRILLS):
        with serving(tmp_path, site) as service, Writers(service, known, path, bodies) as writers:
            eventually(lambda: len(writers.acknowledged) > turn, lambda: str(writers.wrong))  # noqa: B023 - asked at once
            service.process.kill()
            service.process.wait()
        assert not writers.wrong
        acknowledged += writers.acknowledged
        eventually(lambda: not busy(site), lambda: "statements do not end")
        now = {number: rows for number, rows in acts(site, table).items() if number not in before}
        assert {len(rows) for rows in now.values()} == {size}
        stored = [sorted(rows) for rows in now.values()]
        assert all(sorted(rows) in stored for rows in acknowledged)
        # At most one more for each writer: committed, but nobody was left to say so.
        assert len(stored) <= len(acknowledged) + 2 * (turn + 1)
    if path == VALUES:
        loose = fetch(
            owner_of(site),
            "SELECT 1 FROM ntm.current_value c WHERE NOT EXISTS "
            "(SELECT FROM ntm.value v WHERE v.id = c.value_id) OR c.value_id <> (SELECT max(v.id) "
            "FROM ntm.value v WHERE (v.unit_id, v.indicator, v.period) = "
            "(c.unit_id, c.indicator, c.period))",
        )
        assert loose == []


def busy(site: dict[str, str]) -> bool:
    """Tell whether the database still works for a service that is gone."""
    rows = fetch(
        owner_of(site),
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() "
        "AND usename = 'ntm_service'",
    )
    return bool(rows)
