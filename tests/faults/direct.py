"""Requests straight into an application, without a client library: as many as can be."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final, NamedTuple

from starlette.types import ASGIApp, Message

_JSON: Final = b"application/json"


class Asked(NamedTuple):
    """A request; a body of text is a file of values, any other is JSON."""

    method: str
    path: str
    query: str = ""
    body: Any = None
    headers: tuple[tuple[str, str], ...] = ()


class Reply(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body as data."""
        return json.loads(self.body)


async def call(app: ASGIApp, asked: Asked, token: str = "") -> Reply:
    """Send a request into an application; what it raised after its answer is not told."""
    content, media = b"", _JSON
    if isinstance(asked.body, str):
        content, media = asked.body.encode(), b"text/csv"
    elif asked.body is not None:
        content = json.dumps(asked.body).encode()
    headers = [(name.encode(), text.encode()) for name, text in asked.headers]
    headers.append((b"host", b"127.0.0.1:8000"))
    if asked.body is not None:
        headers += [(b"content-type", media), (b"content-length", b"%d" % len(content))]
    if token:
        headers.append((b"authorization", b"Bearer " + token.encode()))
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http",
        "method": asked.method, "path": asked.path, "raw_path": asked.path.encode(),
        "query_string": asked.query.encode(), "root_path": "", "headers": headers,
        "client": ("127.0.0.1", 50_000), "server": ("127.0.0.1", 8000), "state": {},
    }  # fmt: skip
    return await _answer(app, scope, content)


async def _answer(app: ASGIApp, scope: dict[str, Any], content: bytes) -> Reply:
    sent: list[Message] = []
    ended, waiting = asyncio.Event(), [content]

    async def receive() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        await ended.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            ended.set()

    try:
        await app(scope, receive, send)
    except Exception:
        if not sent:
            raise
    headers = {name.decode().lower(): text.decode() for name, text in sent[0]["headers"]}
    return Reply(sent[0]["status"], headers, b"".join(one.get("body", b"") for one in sent[1:]))
