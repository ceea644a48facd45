"""Strict requests: JSON is checked before any model sees it, and no parameter is ignored.

The body limit counts what arrives, so a chunked body or a false Content-Length gains nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, nullcontext
from decimal import Decimal
from typing import Any, Final

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.deps import beginning, caller, let_in, transaction, writer
from app.api.problems import Problem, refusal
from app.api.work import KEY, worked
from app.domain.refusals import Complaint, Refused, pointer
from app.domain.strict_json import MalformedJson, read_json
from app.rules.errors import Text
from app.rules.facts import printable


class StrictRequest(Request):
    """A request whose body is read with a limit and whose JSON is read strictly."""

    times = 1  # how many times the usual limit a body may have

    async def body(self) -> bytes:
        """Return the body; 413 as soon as it grows beyond the limit, 408 when it is too slow."""
        if not hasattr(self, "_body"):
            parts: list[bytes] = []
            limit: int = self.app.state.settings.max_body_bytes * self.times
            await self.receive_all(parts.append, limit, self.app.state.settings.body_seconds)
            self._body = b"".join(parts)
        return self._body

    async def receive_all(
        self, take: Callable[[bytes], object], limit: int, seconds: float
    ) -> None:
        """Hand on every part of the body; 413 beyond a limit of bytes, 408 after a time."""
        if _declared_length(self) > limit:
            raise _too_large(limit)
        try:
            async with asyncio.timeout(seconds):
                async for chunk in self._limited(limit):
                    take(chunk)
        except TimeoutError:
            raise _too_slow(seconds) from None

    async def _limited(self, limit: int) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self.stream():
            size += len(chunk)
            if size > limit:
                raise _too_large(limit)
            yield chunk

    async def json(self) -> Any:
        """Return the body as data; 400 `malformed-json` or 422 `invalid-text` otherwise."""
        try:
            found = read_json(await self.body())
        except MalformedJson as error:
            raise Problem("malformed-json", error.complaint.message, [error.complaint]) from error
        except Refused as error:
            raise refusal(error.complaints) from error
        if isinstance(found, Decimal):  # a model whose fields may all be left out would take it
            raise refusal([Complaint("", "wrong-type", _NO_OBJECT)])
        return found


class HeadAsGet:
    """Answer HEAD as GET without its body (RFC 9110, 9.3.2), for every path at once."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request; of a HEAD only the head is sent."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return

        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        asked = {**scope, "method": "GET", "head_only": True}  # what goes on for long need not
        try:
            await self.app(asked, receive, send_head)
        finally:  # whoever logs the request asks which route it was
            scope.update({name: asked[name] for name in ("route",) if name in asked})


class StrictRoute(APIRoute):
    """A route that asks first who is calling, then what was sent.

    Unknown or repeated query parameters and bodies of another type are refused.
    """

    media = "application/json"
    request: type[StrictRequest] = StrictRequest

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return FastAPI's handler behind the strict checks."""
        handle = super().get_route_handler()
        known = frozenset(_query_names(self.dependant))
        field = self.body_field
        takes_body, needs_body = field is not None, field and field.field_info.is_required()
        scopes = _wanted_scopes(self.dependant)
        ways = (transaction, writer, beginning)
        works = any(one.call in ways for one in _all_below(self.dependant))
        keyed = KEY in {field.alias for field in self.dependant.header_params}

        async def strict_handle(request: Request) -> Response:
            if scopes is not None:
                await let_in(request, scopes)
            _check_query(request, known)
            if needs_body or (takes_body and has_body(request)):
                _check_media_type(request, self.media)
            strict = self.request(request.scope, request.receive)
            async with self.received(strict):
                return await (worked(strict, handle, keyed=keyed) if works else handle(strict))

        return strict_handle

    def received(self, request: StrictRequest) -> AbstractAsyncContextManager[object]:
        """Return what holds a body for as long as the request is served; usually nothing does."""
        return nullcontext()


class FileRequest(StrictRequest):
    """A request whose body is a file."""

    times = 4


class CsvRoute(StrictRoute):
    """A strict route that takes a CSV file."""

    media = "text/csv"
    request = FileRequest


_NO_OBJECT: Final = Text("“body” phải là một đối tượng JSON", "“body” must be a JSON object")


def _too_large(limit: int) -> Problem:
    detail = Text(
        f"nội dung vượt quá {limit} byte; hãy chia nhỏ yêu cầu",
        f"the body is larger than {limit} bytes; split the request",
    )
    return Problem("payload-too-large", detail, headers={"connection": "close"})


def _too_slow(seconds: float) -> Problem:
    detail = Text(
        f"nội dung chưa đến đủ sau {seconds:g} giây; hãy kiểm tra đường truyền hoặc chia nhỏ yêu "
        "cầu, rồi thử lại",
        f"the body was not all there after {seconds:g} s; check the connection or split the "
        "request, then try again",
    )
    return Problem("request-timeout", detail, headers={"connection": "close"})


def has_body(request: Request) -> bool:
    """Tell whether a request has a body."""
    return "transfer-encoding" in request.headers or _declared_length(request) > 0


def _declared_length(request: Request) -> int:
    declared = request.headers.get("content-length", "")
    return int(declared) if declared.isascii() and declared.isdigit() and len(declared) < 19 else 0


def _wanted_scopes(dependant: Dependant) -> list[str] | None:
    """Return the scopes that a route demands; None when everyone may call it."""
    if dependant.call is caller:
        return list(dependant.own_oauth_scopes or [])
    for below in dependant.dependencies:
        if (found := _wanted_scopes(below)) is not None:
            return found
    return None


def _all_below(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for below in dependant.dependencies:
        yield from _all_below(below)


def _query_names(dependant: Dependant) -> Iterator[str]:
    for one in _all_below(dependant):
        yield from (field.alias for field in one.query_params)


def _check_query(request: Request, known: frozenset[str]) -> None:
    complaints = []
    seen: set[str] = set()
    for name, value in request.query_params.multi_items():
        if name not in known:
            shown, names = printable(name), ", ".join(sorted(known))
            message = Text(
                f"không có tham số “{shown}”; "
                + (f"các tham số: {names}" if names else "ở đây không nhận tham số nào"),
                f"there is no parameter “{shown}”; "
                + (f"known are: {names}" if names else "none is taken here"),
            )
            complaints.append(Complaint(pointer(shown), "unknown-field", message))
        elif "\x00" in value:
            message = Text(
                f"tham số “{name}” có ký tự NUL; hãy bỏ ký tự đó",
                f"the parameter “{name}” contains NUL; remove it",
            )
            complaints.append(Complaint(pointer(name), "invalid-text", message))
        elif name in seen:
            message = Text(f"tham số “{name}” bị lặp lại", f"the parameter “{name}” is given twice")
            complaints.append(Complaint(pointer(name), "repeated-parameter", message))
        seen.add(name)
    if complaints:
        raise refusal(complaints)


def _check_media_type(request: Request, wanted: str) -> None:
    sent = request.headers.get("content-type", "")
    kind, *parameters = sent.lower().split(";")
    usual = {"", "header=present"} if wanted == "text/csv" else {""}  # RFC 4180, section 3
    told = {one.strip().strip('"') for one in parameters} - usual
    charset = ";".join(told).removeprefix("charset=").strip('" ')
    encoded = request.headers.get("content-encoding", "identity").lower() != "identity"
    if kind.strip() != wanted or charset not in ("", "utf-8") or encoded:
        raise Problem(
            "unsupported-media-type",
            Text(
                f"hãy gửi Content-Type: {wanted}, mã UTF-8, không nén",
                f"send Content-Type: {wanted} in UTF-8, not compressed",
            ),
        )
