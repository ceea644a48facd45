"""Every request has an id by which its answer, its log line and the audit speak of it.

The outermost layer: whatever happens within, one line is logged and one request counted. The line
names the route, never the path; problem codes in it (refused tokens, missing scopes, foreign
units) are the security log. Bodies, secrets and names never stand in it. Those refused at the gate
share a line: a log that is flooded hides what it tells, and takes the time of those who are served.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import time
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from app.api.metrics import Metrics
from app.api.rate_limits import Allowance

_log = logging.getLogger("ntm.requests")
_GIVEN: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})
_NONE: Final = "-"  # the route of what was answered before one was found
_TOGETHER: Final = 1.0  # seconds of refusals that one line tells of
_HUNG_UP: Final = 499  # no status of HTTP: nobody was there any more to be answered


class RequestIds:
    """Give every request its id; log and count it when it has ended."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self._metrics = app, metrics
        self._refused = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request; what fails within was answered there and is logged here, once."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        state: dict[str, Any] = scope.setdefault("state", {})
        state["request_id"] = number = _id_of(scope)
        begun, status, failure = time.perf_counter(), 0, None

        async def telling(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message["headers"], *_headers(state)]}
            await send(message)

        with bound_contextvars(request_id=number):
            try:
                await self.app(scope, receive, telling)
            except Exception as error:
                failure = error
                if not status:
                    raise
            finally:
                seconds = time.perf_counter() - begun
                unanswered = _HUNG_UP if failure is None else 500
                self._ended(scope, status or unanswered, seconds, failure)

    def _ended(self, scope: Scope, status: int, seconds: float, failure: Exception | None) -> None:
        state = scope["state"]
        method = scope["method"] if scope["method"] in _METHODS else "other"
        route = getattr(scope.get("route"), "path_format", _NONE)
        problem = state.get("problem")
        self._metrics.ended(method, route, status, seconds, problem)
        if problem == "overloaded" and route == _NONE:
            self._count_refused()
            return
        level = logging.INFO if status < 500 else logging.WARNING
        if failure is not None:
            level = logging.ERROR
        if not _log.isEnabledFor(level):
            return
        caller = state.get("caller")
        told = {
            "method": method,
            "route": route,
            "status": status,
            "duration_ms": round(seconds * 1000, 1),
            "client_id": caller.client_id if caller else None,
            "problem": problem,
        }
        known = {name: value for name, value in told.items() if value is not None}
        _log.log(level, "request", extra=known, exc_info=failure)

    def _count_refused(self) -> None:
        if not self._refused:
            asyncio.get_running_loop().call_later(_TOGETHER, self._tell_refused)
        self._refused += 1

    def _tell_refused(self) -> None:
        told = {"problem": "overloaded", "requests": self._refused}
        self._refused = 0
        _log.warning("refused", extra=told)


def _id_of(scope: Scope) -> str:
    """Return the id that the caller chose, when it is one; a new one otherwise."""
    sent = [value for name, value in scope["headers"] if name == b"x-request-id"]
    if len(sent) == 1 and _GIVEN.fullmatch(sent[0]):
        return str(sent[0], "ascii")
    return secrets.token_hex(16)


def _headers(state: dict[str, Any]) -> list[tuple[bytes, bytes]]:
    found = [(b"x-request-id", state["request_id"].encode())]
    allowance: Allowance | None = state.get("allowance")
    return found if allowance is None else found + allowance.headers()
