"""Metrics: what is counted, under which labels, and where they can be read."""

from __future__ import annotations

import urllib.request
from typing import Final

import httpx
import pytest
from conftest import Join, calling
from fastapi import FastAPI
from prometheus_client import generate_latest

from app.api.metrics import Metrics
from app.database import Database
from app.main import create_app
from app.rules.registry import Registry
from app.settings import Settings

CANARY: Final = "chim-hoang-yen"


@pytest.fixture
def app(settings: Settings, registry: Registry, database: Database) -> FastAPI:
    """A service that has not been asked anything yet."""
    return create_app(settings, registry, database)


def shown(app: FastAPI) -> str:
    """Return what Prometheus would read."""
    return generate_latest(app.state.metrics.registry).decode()


def sample(app: FastAPI, name: str, **labels: str) -> float | None:
    """Return one number."""
    found: float | None = app.state.metrics.registry.get_sample_value(name, labels)
    return found


async def test_requests_are_counted_by_method_route_and_status(app: FastAPI, join: Join) -> None:
    """Every request counts once, under the template of its route, with its duration."""
    member = await join("25", "read")
    token = app.state.tokens.issue(member.client_id, ["read"])
    async with calling(app, token=token) as http:
        for path in ("/v1/units/07894?on=2025-08-01", "/v1/units/25", "/v1/units/99999"):
            await http.get(path)
        await http.head("/v1/units/25")
        await http.get(f"/{CANARY}")
        await http.request("BREW", f"/{CANARY}")
    total, route = "ntm_requests_total", "/v1/units/{code}"
    assert sample(app, total, method="GET", route=route, status="200") == 2
    assert sample(app, total, method="GET", route=route, status="404") == 1
    assert sample(app, total, method="HEAD", route=route, status="200") == 1
    assert sample(app, total, method="GET", route="-", status="404") == 1
    assert sample(app, total, method="other", route="-", status="404") == 1
    assert sample(app, "ntm_request_seconds_count", route=route) == 4


async def test_no_label_holds_what_a_caller_sent(app: FastAPI, join: Join) -> None:
    """Codes, clients, names and paths appear in no metric."""
    member = await join("25", "read")
    token = app.state.tokens.issue(member.client_id, ["read"])
    async with calling(app, token=token) as http:
        for path in ("/v1/units/07894", f"/v1/units?q={CANARY}", f"/v1/{CANARY}"):
            await http.get(path)
        await http.request(CANARY.upper(), "/v1/units")
    found = shown(app)
    assert "/v1/units" in found
    for secret in ("07894", CANARY, CANARY.upper(), member.client_id):
        assert secret not in found


async def test_what_runs_what_waits_and_which_connections_are_open_can_be_read(
    app: FastAPI, database: Database
) -> None:
    """Gauges show this moment: requests in and before the gate, connections used and idle."""
    gate = app.state.gate
    assert await gate.enter()
    assert (sample(app, "ntm_requests_running"), sample(app, "ntm_requests_waiting")) == (1, 0)
    gate.leave()
    assert sample(app, "ntm_requests_running") == 0
    name = "ntm_database_connections"
    before = sample(app, name, pool="plain", state="used")
    async with database.reading(), database.transaction() as session:
        await session.connection()
        assert sample(app, name, pool="plain", state="used") == (before or 0) + 1
        assert sample(app, name, pool="sessions", state="used") == 1
    assert sample(app, name, pool="plain", state="used") == before
    assert sample(app, name, pool="sessions", state="used") == 0
    idle = sample(app, name, pool="plain", state="idle")
    assert idle is not None
    assert idle >= 1


def test_others_can_show_numbers_of_their_own(app: FastAPI) -> None:
    """A gauge that was added is read anew whenever somebody looks."""
    numbers = iter([3, 5])
    app.state.metrics.gauge("ntm_audit_unsealed", "Entries not sealed.", lambda: next(numbers))
    assert sample(app, "ntm_audit_unsealed") == 3
    assert sample(app, "ntm_audit_unsealed") == 5


async def test_refusals_read_0_before_the_first(app: FastAPI) -> None:
    """What never happened is 0 and not absent, so that an alert can look at it."""
    for reason in ("overloaded", "rate-limited"):
        assert sample(app, "ntm_refused_total", reason=reason) == 0


async def test_two_applications_count_for_themselves(
    app: FastAPI, settings: Settings, registry: Registry, database: Database
) -> None:
    """Each application has a registry of its own."""
    other = create_app(settings, registry, database)
    async with calling(app) as http:
        await http.get("/livez")
    labels = {"method": "GET", "route": "/livez", "status": "200"}
    assert sample(app, "ntm_requests_total", **labels) == 1
    assert sample(other, "ntm_requests_total", **labels) is None


async def test_the_port_of_the_service_shows_no_metrics(
    stranger: httpx.AsyncClient, client: httpx.AsyncClient
) -> None:
    """/metrics does not exist for callers of the API, with a token or without."""
    for caller in (stranger, client):
        answer = await caller.get("/metrics")
        assert answer.status_code == 404
        assert "ntm_" not in answer.text


def test_metrics_are_served_at_a_port_of_their_own() -> None:
    """A scrape of the port of the metrics gets them in the format of Prometheus."""
    metrics = Metrics()
    metrics.ended("GET", "/livez", 200, 0.001, None)
    server, thread = metrics.serve("127.0.0.1", 0)
    try:
        url = f"http://127.0.0.1:{server.server_port}/metrics"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=30) as answer:
            assert answer.headers["content-type"].startswith("text/plain")
            found = answer.read().decode()
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert 'ntm_requests_total{method="GET",route="/livez",status="200"} 1.0' in found
