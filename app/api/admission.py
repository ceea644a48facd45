"""Admission: a request is served when the gate lets it in, and refused cheaply when it does not."""

from __future__ import annotations

import asyncio
from typing import Final
from urllib.parse import quote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.answers import json_bytes, manners
from app.api.deps import TOKEN_PATH
from app.api.gate import Gate
from app.api.language import preferred
from app.api.problems import PROBLEMS, Problem
from app.rules.errors import Text

_HEALTH: Final = frozenset({"/livez", "/readyz", "/metrics"})  # answered however busy it is
_OVERLOADED: Final = Text(
    "dịch vụ đang quá tải; hãy thử lại sau ít giây",
    "the service is overloaded; try again in a few seconds",
)
_RETRY: Final = {"retry-after": "1"}
_PAUSE: Final = 0.1  # seconds until somebody who may wait longer asks again


class Admission:
    """Serve a request when there is room for it; answer 503 `overloaded` otherwise."""

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self.app, self._gate = app, gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve or refuse; health and preflights need no room."""
        if scope["type"] != "http" or scope["method"] == "OPTIONS" or scope["path"] in _HEALTH:
            await self.app(scope, receive, send)
        elif await self._gate.enter():
            place = _Place(self._gate, receive, send)
            known = scope.setdefault("state", {})
            known["make_room"], known["wait_longer"] = place.make_room, place.wait_longer
            try:
                await self.app(scope, place.receive, place.send)
            finally:
                place.leave()
        else:
            await _refuse(scope, send)


class _Place:
    """The room of one request; it is not occupied while the caller is slow to send or to read."""

    def __init__(self, gate: Gate, receive: Receive, send: Send) -> None:
        self._gate, self._receive, self._send = gate, receive, send
        self._held, self._whole = True, False
        self._until: float | None = None
        self._longer = 0.0

    def leave(self) -> None:
        """Give the place back; once is enough."""
        if self._held:
            self._held = False
            self._gate.leave()

    def make_room(self) -> None:
        """Give the place back for good: what follows takes long, and reads no body."""
        self._whole = True
        self.leave()

    def wait_longer(self, seconds: float) -> None:
        """Let the request wait so long for its place again: its body is too large to send twice."""
        self._longer = seconds

    async def receive(self) -> Message:
        """Receive a part of the body; who lets us wait for it makes room for others meanwhile."""
        if self._whole:
            return await self._receive()
        loop = asyncio.get_running_loop()
        if self._until is None:  # all parts together, so that drops do not hold it either
            self._until = loop.time() + self._gate.pace.sending
        timer = loop.call_at(self._until, self.leave)
        try:
            message = await self._receive()
        finally:
            timer.cancel()
        if self._whole:  # the answer has begun meanwhile: its work needs no place any more
            return message
        self._whole = not message.get("more_body", False)
        if self._whole and not self._held:
            if not await self._entered_again():
                raise Problem("overloaded", _OVERLOADED, headers=_RETRY)
            self._held = True
        return message

    async def _entered_again(self) -> bool:
        until = asyncio.get_running_loop().time() + self._longer
        while not await self._gate.enter():
            if asyncio.get_running_loop().time() >= until:
                return False
            await asyncio.sleep(_PAUSE)
        return True

    async def send(self, message: Message) -> None:
        """Send a part of the answer; the work is done when it begins."""
        self.make_room()  # whatever comes now is no part of a body that anybody reads
        await self._send(message)


def _written(language: str) -> tuple[bytes, bytes]:
    """Return the problem document before and after the path of the request."""
    status, title = PROBLEMS["overloaded"]
    body = {
        "type": "/problems/overloaded",
        "title": getattr(title, language),
        "status": status,
        "detail": getattr(_OVERLOADED, language),
        "code": "overloaded",
        "instance": "|",
        "errors": [],
    }
    before, _, after = json_bytes(body).partition(b"|")
    return before, after


def _head(language: str) -> list[tuple[bytes, bytes]]:
    headers = manners(language) | _RETRY | {"cache-control": "no-store"}
    return [(name.encode(), value.encode()) for name, value in headers.items()]


_LANGUAGES: Final = ("vi", "en")
_HEADS: Final = {one: _head(one) for one in _LANGUAGES}
_PROBLEMS: Final = {one: _written(one) for one in _LANGUAGES}
_TOKEN_ERRORS: Final = {
    one: json_bytes(
        {"error": "temporarily_unavailable", "error_description": getattr(_OVERLOADED, one)}
    )
    for one in _LANGUAGES
}


async def _refuse(scope: Scope, send: Send) -> None:
    """Answer 503 as cheaply as can be; at the token endpoint in its own form (RFC 6749)."""
    scope.setdefault("state", {})["problem"] = "overloaded"
    wanted = [value for name, value in scope["headers"] if name == b"accept-language"]
    language = preferred(wanted[0].decode("latin-1")) if wanted else "vi"
    if scope["path"] == TOKEN_PATH:
        media, body = b"application/json", _TOKEN_ERRORS[language]
    else:
        before, after = _PROBLEMS[language]
        media, body = b"application/problem+json", before + quote(scope["path"]).encode() + after
    headers = [(b"content-type", media), (b"content-length", b"%d" % len(body))]
    start = {"type": "http.response.start", "status": 503, "headers": headers + _HEADS[language]}
    await send(start)
    await send({"type": "http.response.body", "body": body})
