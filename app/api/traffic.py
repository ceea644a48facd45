"""What stands around the routes: ids and logs, origins, hanging up, admission; in which order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from fastapi import FastAPI
from sqlalchemy.pool import QueuePool
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from app.api.admission import Admission
from app.api.gate import Gate
from app.api.hanging_up import HangingUp
from app.api.metrics import Metrics
from app.api.rate_limits import RateLimits
from app.api.request_ids import RequestIds
from app.api.strict import HeadAsGet
from app.database import Database
from app.domain.audit.sealing import Sealer
from app.settings import Settings


def prepare(app: FastAPI, settings: Settings) -> None:
    """Give the application what counts its requests: metrics, the gate, limits of clients."""
    app.state.metrics = metrics = Metrics()
    app.state.gate = gate = Gate(settings.max_running)
    app.state.rate_limits = RateLimits(settings.rate_limit)
    metrics.gauge("ntm_requests_running", "Requests worked on now.", lambda: gate.running)
    metrics.gauge("ntm_requests_waiting", "Requests that wait to begin.", lambda: gate.waiting)


def watch(metrics: Metrics, database: Database) -> None:
    """Show how many connections to the database are in use, and how many wait to be used."""
    plain, sessions = database.connections, database.engine

    def read() -> Mapping[tuple[str, ...], float]:
        pool = cast(QueuePool, sessions.pool)
        return {
            ("plain", "used"): plain.in_use,
            ("plain", "idle"): plain.idle,
            ("sessions", "used"): pool.checkedout(),
            ("sessions", "idle"): pool.checkedin(),
        }

    metrics.gauges(
        "ntm_database_connections", "Connections to the database.", ("pool", "state"), read
    )


def watch_audit(metrics: Metrics, sealer: Sealer) -> None:
    """Show how much of the audit waits for its seal, and how old the newest checkpoint is."""
    metrics.gauge("ntm_audit_pending", "Audit entries not sealed yet.", lambda: sealer.pending)
    metrics.gauge(
        "ntm_audit_checkpoint_age_seconds",
        "Age of the newest checkpoint of the audit.",
        sealer.checkpoint_age,
    )


def around(app: ASGIApp, service: FastAPI) -> ASGIApp:
    """Return the application within its layers, the outermost last.

    Refusals of the inner ones pass through the outer ones: they are logged and counted, carry
    their id, and may be read in browsers. Who hangs up in the queue leaves it.
    """
    settings: Settings = service.state.settings
    app = Admission(app, service.state.gate)
    app = HeadAsGet(app)
    app = HangingUp(app)
    if settings.cors_origins:
        app = _readable_elsewhere(app, settings)
    return RequestIds(app, service.state.metrics)


def _readable_elsewhere(app: ASGIApp, settings: Settings) -> ASGIApp:
    return CORSMiddleware(
        app,
        allow_origins=list(settings.cors_origins),
        allow_methods=["GET", "HEAD", "POST", "PUT", "DELETE"],
        allow_headers=[
            "Authorization", "Content-Type", "If-None-Match", "If-Match", "Accept-Language",
            "Idempotency-Key", "X-Request-ID", "Prefer",
        ],
        expose_headers=[
            "ETag", "Link", "Location", "Retry-After", "WWW-Authenticate", "Idempotent-Replayed",
            "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "RateLimit-Policy",
            "RateLimit", "X-Request-ID", "Content-Disposition", "Preference-Applied",
        ],
        max_age=600,
    )  # fmt: skip
