"""Every error leaves the service as a problem document (RFC 9457), the framework's own included."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import Response

from app.api.answers import json_bytes, manners
from app.api.invalid import complaints
from app.api.language import preferred
from app.api.problems import PROBLEMS, Problem, refusal
from app.database.failures import UNAVAILABLE, DatabaseFailed, NotYours
from app.domain.hindrances import Hindered
from app.domain.kept_answers import IN_PROGRESS
from app.domain.refusals import (
    Absent,
    Conflict,
    Forbidden,
    Refused,
)
from app.rules.errors import CheckFailed, Text
from app.rules.facts import printable

_log = logging.getLogger("ntm")

MEDIA_TYPE = "application/problem+json"
REF: Final = "#/components/schemas/{model}"
# More are counted in `detail`, not listed: an answer stays readable.
MOST_ERRORS = 1_000


class ErrorItem(BaseModel):
    """One thing wrong, and where."""

    pointer: str
    code: str
    message: str


class ProblemDocument(BaseModel):
    """An error answer (RFC 9457) in Vietnamese, or English with `Accept-Language: en`."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    instance: str
    errors: list[ErrorItem]


# Python's own phrases change between its versions; the description must not.
_DESCRIPTIONS = {
    400: "The request cannot be read",
    401: "There is no valid access token",
    403: "The token lacks a scope",
    404: "Not found",
    408: "The body did not arrive in time",
    409: "It contradicts what is on record",
    410: "It was kept for some time, and is kept no longer",
    412: "It has changed since it was read",
    413: "The body is too large",
    415: "The body is of another media type",
    428: "It is on record already: say which version is meant",
    422: "Something in the request is wrong; every fault is listed with its place",
    429: "The client sent too many requests; try again after `Retry-After` seconds",
    500: "The service failed",
    503: "The database does not answer or the service cannot do it now; try again",
    507: "There is no room for the file",
}


def problem_responses(*statuses: int, everyone: bool = False) -> dict[int | str, dict[str, Any]]:
    """Return what OpenAPI says of an operation's error answers; `everyone` may call it."""
    always = {500, 503} if everyone else {401, 403, 429, 500, 503}
    if 413 in statuses:  # there is a body, which may be slow to arrive
        always.add(408)
    schema = {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}
    return {
        status: {"description": _DESCRIPTIONS[status], "content": {MEDIA_TYPE: schema}}
        for status in sorted(always | set(statuses))
    }


def install(app: FastAPI) -> None:
    """Let every error of the application be answered as a problem document."""
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(Absent, _refused)
    app.add_exception_handler(Conflict, _refused)
    app.add_exception_handler(Forbidden, _refused)
    app.add_exception_handler(DatabaseFailed, _database_failed)
    app.add_exception_handler(Hindered, _hindered)
    app.add_exception_handler(NotYours, _not_yours)
    app.add_exception_handler(CheckFailed, _check_failed)
    app.add_exception_handler(Exception, _unexpected)


def render(request: Request, problem: Problem, more: Mapping[str, Any] | None = None) -> Response:
    """Return the problem document in the caller's language, with more members where given."""
    request.state.problem = problem.code  # for the log line of the request
    language = preferred(request.headers.get("accept-language", ""))
    status, title = PROBLEMS[problem.code]
    body = {
        "type": f"/problems/{problem.code}",
        "title": getattr(title, language),
        "status": status,
        "detail": getattr(problem.text, language),
        "code": problem.code,
        "instance": quote(request.url.path),
        "errors": [
            {"pointer": one.pointer, "code": one.code, "message": getattr(one.message, language)}
            for one in problem.errors[:MOST_ERRORS]
        ],
        **(more or {}),
    }
    headers = manners(language) | dict(problem.headers or {})
    return Response(json_bytes(body), status, headers, MEDIA_TYPE)


def rendered_refusal(
    request: Request, error: Absent | Conflict | Forbidden | Refused | Problem
) -> Response:
    """Return the problem document of a refusal."""
    if isinstance(error, Problem):
        return render(request, error)
    if isinstance(error, Refused):
        return render(request, refusal(error.complaints))
    complaint = error.complaint
    headers = {"retry-after": "1"} if complaint.code == IN_PROGRESS else None
    told = error.told if isinstance(error, Conflict) else None
    return render(request, Problem(complaint.code, complaint.message, [complaint], headers), told)


async def _http(request: Request, error: Exception) -> Response:
    if isinstance(error, Problem):
        return rendered_refusal(request, error)
    assert isinstance(error, HTTPException)
    code, detail = _STATUSES.get(error.status_code, _STATUSES[400])
    path = printable(request.url.path, 120)
    headers = {"allow": _allowed(request)} if error.status_code == 405 else error.headers
    problem = Problem(code, detail.format(path=path, method=request.method), (), headers)
    return render(request, problem)


def _allowed(request: Request) -> str:
    """Return every method of a path; the framework tells those of its first route only."""
    methods = {"GET"} if request.url.path in ("/docs", "/openapi.json") else set()
    paths = request.app.openapi()["paths"]
    if request.url.path in paths:  # what is written out goes before what has a place for anything
        paths = {request.url.path: paths[request.url.path]}
    for template, operations in paths.items():
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))
        if re.fullmatch(pattern, request.url.path):
            methods |= {name.upper() for name in operations}
    return ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return render(request, refusal(complaints(error.errors(), within=1)))


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Absent | Conflict | Forbidden | Refused)
    return rendered_refusal(request, error)


async def _database_failed(request: Request, error: Exception) -> Response:
    assert isinstance(error, DatabaseFailed)
    _log.error("database failed: %s", error.code)
    code, text = error.code, error.text
    if code not in PROBLEMS:  # what is wrong with it concerns the operator alone
        code, text = UNAVAILABLE
    return render(request, Problem(code, text, headers={"retry-after": "2"}))


async def _hindered(request: Request, error: Exception) -> Response:
    assert isinstance(error, Hindered)
    _log.error("hindered: %s", error.code)
    retry = {"retry-after": str(error.seconds)}
    return render(request, Problem(error.code, error.text, headers=retry))


async def _not_yours(request: Request, error: Exception) -> Response:
    detail = Text(
        "không thuộc địa bàn của bạn; hãy dùng máy khách của địa bàn đó",
        "not in your territory; use a client of that territory",
    )
    return render(request, Problem("outside-territory", detail))


async def _check_failed(request: Request, error: Exception) -> Response:
    assert isinstance(error, CheckFailed)
    _log.error("check %s of criterion %s failed", error.check, error.criterion, exc_info=error)
    detail = Text(
        f"phép kiểm tra “{error.check}” của tiêu chí {error.criterion} bị lỗi; không có kết luận. "
        "Hãy báo cho đơn vị cung cấp gói quy tắc.",
        f"check “{error.check}” of criterion {error.criterion} failed; there is no verdict. "
        "Tell whoever ships the rule pack.",
    )
    return render(request, Problem("rule-check-failed", detail))


async def _unexpected(request: Request, error: Exception) -> Response:
    detail = Text(
        "Dịch vụ gặp lỗi ngoài dự kiến và đã ghi lại. Hãy thử lại; nếu vẫn lỗi, báo quản trị viên.",
        "The service met an unexpected error and logged it. Try again; if it stays, tell the "
        "administrator.",
    )
    return render(request, Problem("internal-error", detail))


_STATUSES: Mapping[int, tuple[str, Text]] = {
    400: ("bad-request", Text("không đọc được yêu cầu", "the request could not be read")),
    404: (
        "not-found",
        Text("không có {path}; xem danh sách tại /docs", "there is no {path}; see /docs"),
    ),
    405: (
        "method-not-allowed",
        Text("{path} không nhận {method}; xem /docs", "{path} does not take {method}; see /docs"),
    ),
}
