"""A service elsewhere as `ntm import` meets it: it answers or misbehaves as told, and remembers."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

Item = dict[str, Any]
TOKEN = "/v1/oauth/token"
COUNTS = {"created": 2, "superseded": 1, "unchanged": 0, "skipped": 0, "rejected": 0}


class Request(NamedTuple):
    """What was sent."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


class Reply(NamedTuple):
    """What is answered; `cut` ends the connection instead."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = MappingProxyType({})
    cut: bool = False


CUT = Reply(cut=True)


def report(**other: Any) -> Item:
    """Return a report on an import that went well."""
    found: Item = {
        "id": 7, "state": "committed", "dry_run": False, "rows": 2, "counts": COUNTS,
        "conflicts": [], "warnings": [], "rejected": None, "job": None,
    }  # fmt: skip
    return found | other


def job(state: str, **other: Any) -> Item:
    """Return a job as it is shown."""
    found: Item = {
        "id": 5, "kind": "import", "state": state, "progress": {"done": 1, "total": 2},
        "result": None, "problem": None,
    }  # fmt: skip
    return found | other


class FarService:
    """Answers every request by the next reply that is told for its method and path.

    The last reply told for a path is given again and again; tokens are given to everybody.
    """

    def __init__(self, port: int, scheme: str) -> None:
        self.url = f"{scheme}://127.0.0.1:{port}"
        self.asked: list[Request] = []
        self.told: dict[tuple[str, str], list[Reply | Callable[[Request], Reply]]] = {}
        self.tell("POST", TOKEN, Reply(200, {"access_token": "token-1", "expires_in": 900}))

    def tell(self, method: str, path: str, *replies: Reply | Callable[[Request], Reply]) -> None:
        """Say what is answered, one after the other."""
        self.told[method, path] = list(replies)

    def of(self, method: str, path: str) -> list[Request]:
        """Return what was sent to a path."""
        return [one for one in self.asked if (one.method, one.path) == (method, path)]

    def answer(self, request: Request) -> Reply:
        """Return the next reply to a request."""
        self.asked.append(request)
        replies = self.told.get((request.method, request.path))
        if not replies:
            return Reply(404, {"code": "not-found", "detail": "không có gì ở đây"})
        reply = replies[0] if len(replies) == 1 else replies.pop(0)
        return reply(request) if callable(reply) else reply


@contextlib.contextmanager
def far_service(context: ssl.SSLContext | None = None) -> Iterator[FarService]:
    """Yield a service elsewhere; over TLS where a context is given."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            headers = {name.lower(): text for name, text in self.headers.items()}
            query = dict(parse_qsl(parts.query))
            reply = service.answer(Request(self.command, parts.path, query, headers, body))
            if reply.cut:
                self.close_connection = True
                return
            content = (
                reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            )
            self.send_response(reply.status)
            for name, text in {"content-length": str(len(content)), **reply.headers}.items():
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = handle_any  # noqa: N815 - as the base class calls them

        def log_message(self, *_: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            pass  # a client that hangs up is what some tests are about

    with Quiet(("127.0.0.1", 0), Handler) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        service = FarService(server.server_port, "https" if context else "http")
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield service
        finally:
            server.shutdown()
            thread.join()
