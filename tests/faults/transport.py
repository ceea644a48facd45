"""Broken transport against a real server: what is no request is refused, and harms nobody else.

Every case is bytes on a connection of its own; afterwards the service must still answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import re
import socket
from collections.abc import Callable, Iterator
from typing import Final

from hostile import OPERATIONS, VALUE, sent
from running import Known, Serving, contents, owner_of, serving

from app.cli.clients import make
from app.database import EVERYTHING, Database
from app.domain.clients import SCOPES
from faults.goals import Stage

_SECONDS: Final = 20.0  # until a connection on which nothing comes is given up: the law is broken
_MOST: Final = 40_000_000  # bytes of a body without end that a service may let in
_END: Final = b"\r\n"
_STATUS: Final = re.compile(rb"HTTP/1\.1 ([1-5][0-9][0-9]) ")
_OTHERS: Final = ("HEAD", "OPTIONS", "TRACE", "PATCH")


async def over_the_wire(stage: Stage) -> list[str]:
    """Start a service, send it everything, and return what broke a law."""
    env = await stage.clone("wire")
    async with Database(stage.settings(env)) as database:
        made = await make(database.acting_for(EVERYTHING), "Thử đường truyền", "VN", list(SCOPES))
    known = Known(made["client_id"], made["client_secret"])
    return await asyncio.to_thread(_all, stage, env, known)


def _all(stage: Stage, env: dict[str, str], known: Known) -> list[str]:
    folder = stage.folder("wire")
    with serving(folder, env) as service:
        bearer = service.bearer(known)["authorization"]
        before = contents(owner_of(env))
        found = list(_methods(service, bearer))
        for name, content, statuses in _cases(bearer):
            found += _judged(
                service, name, _exchange(service, content, finish=_UP in statuses), statuses
            )
        found += _endless(service, bearer)
        found += _pipelined(service, bearer)
        found += _continued(service, bearer)
        after = contents(owner_of(env))
        found += [f"stored in {table}" for table in after if after[table] != before.get(table)]
        said = service.said()
    if "Traceback" in said:
        found.append(f"trace in the log: {said[said.index('Traceback') :][:600]}")
    return found


def _exchange(service: Serving, *pieces: bytes, finish: bool = True) -> bytes:
    """Send pieces on a connection of their own; return all that comes until it ends."""
    answer = b""
    with socket.create_connection(("127.0.0.1", service.port), timeout=_SECONDS) as line:
        with contextlib.suppress(OSError):  # it may hang up before it has heard everything
            for piece in pieces:
                line.sendall(piece)
            if finish:
                line.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            while piece := line.recv(65_536):
                answer += piece
    return answer


def _judged(service: Serving, name: str, answer: bytes, statuses: set[int]) -> Iterator[str]:
    """Complain of a wrong status, of a trace, and when the next caller is not served."""
    found = [int(status) for status in _STATUS.findall(answer)]
    if (set(found) or {0}) - statuses:
        yield f"{name}: {found or 'hung up'} instead of {sorted(statuses)}: {answer[:200]!r}"
    if b"Traceback" in answer or b'File "' in answer:
        yield f"{name}: a trace in the answer"
    if service.ask("GET", "/livez").status != 200:
        yield f"{name}: the next caller is not served"


def _request(
    bearer: str, *lines: str | bytes, body: bytes = b"", start: str = "POST /v1/values HTTP/1.1"
) -> bytes:
    head = [start, "Host: 127.0.0.1", f"Authorization: {bearer}", *lines]
    parts = [one if isinstance(one, bytes) else one.encode() for one in head]
    return _END.join(parts) + _END * 2 + body


_JSON: Final = "Content-Type: application/json"
_CLOSE: Final = "Connection: close"
_GET: Final = "GET /v1/units/86 HTTP/1.1"
_UP: Final = 0  # the connection was closed without an answer
_NO: Final = {400, _UP}


def _cases(bearer: str) -> Iterator[tuple[str, bytes, set[int]]]:
    """Yield what a case is called, the bytes, and the statuses that are right."""
    # A body that must be refused, so that nothing here is ever stored.
    bad = sent({"values": [{**VALUE, "indicator": "nope"}]})
    five = bad
    for _ in range(5):
        five = gzip.compress(five)
    length = f"Content-Length: {len(bad)}"
    chunks = "Transfer-Encoding: chunked"
    chunk = f"{len(bad):x}".encode() + _END + bad + _END
    encoded = "Content-Encoding: gzip, gzip, gzip, gzip, gzip"

    def post(*lines: str | bytes, body: bytes = bad) -> bytes:
        return _request(bearer, _JSON, _CLOSE, *lines, body=body)

    def get(*lines: str | bytes, start: str = _GET) -> bytes:
        return _request(bearer, _CLOSE, *lines, start=start)

    yield "a body that is refused", post(length), {422}
    yield "headers of 70 KB", get(f"X-Long: {'x' * 70_000}"), {200, 400, 431, _UP}
    yield "headers of 5 MB", get(f"X-Long: {'x' * 5_000_000}"), {200, 400, 431, _UP}
    yield "2,000 headers", get(*(f"X-{n}: {n}" for n in range(2_000))), {200, 400, 431, _UP}
    yield (
        "a path of 70 KB",
        get(start=f"GET /v1/units/{'x' * 70_000} HTTP/1.1"),
        {400, 404, 414, 422},
    )
    yield "encoded five times", post(encoded, f"Content-Length: {len(five)}", body=five), {415}
    yield "a length that is too long", post(f"Content-Length: {len(bad) + 9}"), _NO
    yield "a length that is too short", post(f"Content-Length: {len(bad) - 9}"), {400, _UP}
    yield "a length of ten exabytes", post(f"Content-Length: {10**19 - 1}"), {413, 400, _UP}
    yield "a length beyond all", post(f"Content-Length: {10**40}"), _NO
    yield "a negative length", post("Content-Length: -5"), _NO
    yield "a length with a plus", post(f"Content-Length: +{len(bad)}"), _NO
    yield "two lengths", post(length, "Content-Length: 5"), _NO
    yield "length and chunks", post(length, chunks, body=chunk + b"0\r\n\r\n"), {400, 422, _UP}
    yield "chunks", post(chunks, body=chunk + b"0\r\n\r\n"), {422}
    yield "chunks twice encoded", post(chunks, chunks, body=chunk + b"0\r\n\r\n"), {400, 422, _UP}
    yield "chunks of no size", post(chunks, body=b"zz\r\n" + bad), _NO
    yield "a chunk too large to be", post(chunks, body=b"f" * 40 + _END + bad), _NO
    yield "a chunk that does not end", post(chunks, body=chunk), _NO
    yield "an unknown transfer", post("Transfer-Encoding: gzip", body=five), {400, 415, 422, _UP}
    yield "no host", b"GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n", {200, 400}
    yield "NUL in the address", get(start="GET /v1/units/\0 HTTP/1.1"), _NO
    yield "NUL in a header", get("X-A: a\0b"), {200, 400, _UP}
    yield (
        "bytes in the address",
        _request(
            bearer,
            _CLOSE,
            start="GET /\udcff HTTP/1.1".encode("utf-8", "surrogateescape").decode("latin-1"),
        ),
        {400, 404, _UP},
    )
    yield "a line break in a header", get("X-A: a\nX-B: b"), {200, 400, _UP}
    yield "a folded header", get("X-A: a\r\n b"), {200, 400, _UP}
    yield "a space in a name", get("X A: a"), _NO
    yield "no version", b"GET /livez\r\n\r\n", {200, *_NO}
    yield "another version", get(start="GET /livez HTTP/9.9"), _NO
    yield "HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0" * 9, _NO
    yield "TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xaa" * 200, _NO
    yield "nothing", b"", {_UP}
    yield "half a request", b"GET /livez HT", _NO
    yield "a megabyte of nothing", b"\0" * 1_000_000, _NO
    yield "line breaks", _END * 10_000, {400, _UP}
    yield (
        "an address of another",
        get(start="GET http://example.org/livez HTTP/1.1"),
        {200, 400, 404},
    )
    yield "a proxy", get(start="CONNECT example.org:443 HTTP/1.1"), {400, 404, 405, _UP}
    yield "everything", get(start="OPTIONS * HTTP/1.1"), {200, 204, 400, 404, 405}
    yield "another protocol", get("Upgrade: websocket", "Connection: Upgrade",
                                  "Sec-WebSocket-Key: eA==", "Sec-WebSocket-Version: 13",
                                  ), {200, 400, 403, 404, 426, _UP}  # fmt: skip
    yield "another HTTP", get("Upgrade: h2c", "HTTP2-Settings: AAMAAABk"), {200, 400}


def _methods(service: Serving, bearer: str) -> Iterator[str]:
    """Send every path the methods it does not take; HEAD is GET without a body."""
    headers = {"authorization": bearer, "if-match": "*"}
    taken: dict[str, set[str]] = {}
    for route in OPERATIONS:
        taken.setdefault(route.path, set()).add(route.method)
    for path, own in taken.items():
        query = next((one.query for one in OPERATIONS if one.path == path and one.query), "")
        url = f"{path}?{query}" if query else path
        for method in _OTHERS:
            answer = service.ask(method, url, None, headers)
            if method == "HEAD":
                wanted = service.ask("GET", url, None, headers).status
                if answer.status != wanted or answer.body:
                    yield f"HEAD {url}: {answer.status} instead of {wanted}"
            elif answer.status != 405 or not own <= set(answer.headers["allow"].split(", ")):
                yield f"{method} {url}: {answer.status}, {answer.headers.get('allow')}"
            elif answer.json()["code"] != "method-not-allowed":
                yield f"{method} {url}: {answer.body[:200]!r}"


def _endless(service: Serving, bearer: str) -> Iterator[str]:
    """Send chunks for ever: the answer comes long before the end."""
    piece = b"10000" + _END + b" " * 65_536 + _END
    with socket.create_connection(("127.0.0.1", service.port), timeout=_SECONDS) as line:
        line.sendall(_request(bearer, _JSON, "Transfer-Encoding: chunked"))
        let_in = _poured(line, lambda: piece)
        answer = b""
        with contextlib.suppress(ConnectionError):
            answer = line.recv(65_536)
    if let_in >= _MOST:
        yield f"a body without end: {let_in} bytes were let in"
    yield from _judged(service, "a body without end", answer, {413, _UP})


def _poured(line: socket.socket, piece: Callable[[], bytes]) -> int:
    """Send pieces until the other side answers or hangs up; return how many bytes went."""
    went = 0
    line.setblocking(False)
    try:
        while went < _MOST:
            with contextlib.suppress(BlockingIOError):
                if line.recv(1, socket.MSG_PEEK) is not None:
                    break
            line.settimeout(_SECONDS)
            content = piece()
            line.sendall(content)
            went += len(content)
            line.setblocking(False)
    except OSError:
        pass
    line.settimeout(_SECONDS)
    return went


def _pipelined(service: Serving, bearer: str) -> Iterator[str]:
    """Send forty requests at once: forty answers, in their order; the last one ends it."""
    codes = ["86", "x", "25", "99999"] * 10
    gets = [_request(bearer, start=f"GET /v1/units/{code} HTTP/1.1") for code in codes]
    last = _request(bearer, _CLOSE, start="GET /livez HTTP/1.1")
    answer = _exchange(service, b"".join([*gets, last]), finish=False)
    found = [int(status) for status in _STATUS.findall(answer)]
    wanted = [{"86": 200, "25": 200}.get(code, 0) for code in codes]
    if len(found) != 41 or any(w and w != f for w, f in zip(wanted, found, strict=False)):
        yield f"pipelined: {found}"
    yield from _judged(service, "pipelined", answer, {200, 404, 422})
    broken = _exchange(service, gets[0] + b"\0\0\0" + gets[0])
    yield from _judged(service, "pipelined with noise between", broken, {200, 400, _UP})


def _continued(service: Serving, bearer: str) -> Iterator[str]:
    """Ask whether to go on with a body: it is answered, be it that no body is wanted."""
    body = json.dumps({"values": []}).encode()
    lines = (_JSON, _CLOSE, f"Content-Length: {len(body)}", "Expect: 100-continue")
    answer = _exchange(service, _request(bearer, *lines), body, finish=False)
    yield from _judged(service, "expect", answer, {100, 422})
    answer = _exchange(service, _request("Bearer x", *lines), body, finish=False)
    yield from _judged(service, "expect without a token", answer, {100, 401})
    odd = (_JSON, _CLOSE, f"Content-Length: {len(body)}", "Expect: the unexpected")
    answer = _exchange(service, _request(bearer, *odd), body, finish=False)
    yield from _judged(service, "an odd expectation", answer, {417, 422})
