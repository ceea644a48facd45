"""Every error leaves the service as a problem document (RFC 9457), the framework's own included."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import Response

from app.api.answers import json_bytes, manners
from app.api.language import preferred
from app.api.problems import PROBLEMS, Problem, refusal
from app.database.failures import UNAVAILABLE, DatabaseFailed
from app.domain.refusals import (
    Absent,
    Complaint,
    Conflict,
    Forbidden,
    Refused,
    no_period,
    pointer,
)
from app.rules.errors import CheckFailed, Text
from app.rules.facts import printable

_log = logging.getLogger("ntm")

MEDIA_TYPE = "application/problem+json"
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
    409: "It contradicts what is on record",
    413: "The body is too large",
    415: "The body is of another media type",
    422: "Something in the request is wrong; every fault is listed with its place",
    500: "The service failed",
    503: "The database does not answer or the service is overloaded; try again",
}


def problem_responses(*statuses: int, everyone: bool = False) -> dict[int | str, dict[str, Any]]:
    """Return what OpenAPI says of an operation's error answers; `everyone` may call it."""
    always = {500} if everyone else {401, 403, 500, 503}
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
    app.add_exception_handler(Absent, _single)
    app.add_exception_handler(Conflict, _single)
    app.add_exception_handler(Forbidden, _single)
    app.add_exception_handler(DatabaseFailed, _database_failed)
    app.add_exception_handler(CheckFailed, _check_failed)
    app.add_exception_handler(Exception, _unexpected)


def render(request: Request, problem: Problem) -> Response:
    """Return the problem document in the caller's language."""
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
    }
    headers = manners(language) | dict(problem.headers or {})
    return Response(json_bytes(body), status, headers, MEDIA_TYPE)


async def _http(request: Request, error: Exception) -> Response:
    if isinstance(error, Problem):
        return render(request, error)
    assert isinstance(error, HTTPException)
    code, detail = _STATUSES.get(error.status_code, _STATUSES[400])
    path = request.url.path[:200]
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
    assert isinstance(error, Refused)
    return render(request, refusal(error.complaints))


async def _single(request: Request, error: Exception) -> Response:
    assert isinstance(error, Absent | Conflict | Forbidden)
    complaint = error.complaint
    return render(request, Problem(complaint.code, complaint.message, [complaint]))


async def _database_failed(request: Request, error: Exception) -> Response:
    assert isinstance(error, DatabaseFailed)
    _log.error("database failed: %s", error.code)
    code, text = error.code, error.text
    if code not in PROBLEMS:  # what is wrong with it concerns the operator alone
        code, text = UNAVAILABLE
    return render(request, Problem(code, text, headers={"retry-after": "2"}))


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


def complaints(errors: Iterable[Mapping[str, Any]], within: int = 0) -> list[Complaint]:
    """Return pydantic's errors as complaints; `within` leading parts of each place are left out."""
    found = []
    for error in errors:
        place: Sequence[str | int] = error["loc"]
        named = place[-1] if place and isinstance(place[-1], str) else "JSON"
        code, message = _explain(error, named)
        found.append(Complaint(pointer(*place[within:]), code, message))
    return found


def _explain(error: Mapping[str, Any], name: str) -> tuple[str, Text]:
    kind, context = error["type"], error.get("ctx") or {}
    if isinstance(error.get("input"), str):  # of a text, the length is that of characters
        kind = {"too_long": "string_too_long", "too_short": "string_too_short"}.get(kind, kind)
    name = printable(name)
    if kind == "extra_forbidden":
        return "unknown-field", Text(
            f"không có trường “{name}”; hãy bỏ hoặc sửa tên (xem /docs)",
            f"there is no field “{name}”; remove it or mend its name (see /docs)",
        )
    if kind == "missing":
        what = "nội dung JSON", "the JSON body"
        vi, en = what if name == "body" else (f"“{name}”", f"“{name}”")
        return "missing-field", Text(f"thiếu {vi}", f"{en} is missing")
    if kind in _MISSING:
        return "missing-field", _MISSING[kind]
    if kind in _TYPES:
        wanted = _TYPES[kind]
        return "wrong-type", Text(f"“{name}” phải là {wanted.vi}", f"“{name}” must be {wanted.en}")
    return _wrong_value(kind, context, name, error.get("input"))


def _wrong_value(
    kind: str, context: Mapping[str, Any], name: str, given: object
) -> tuple[str, Text]:
    if kind == "period_type":
        return "invalid-period", no_period(str(given))
    if kind == "literal_error":
        allowed = str(context.get("expected", "")).replace(" or ", ", ")
        return "wrong-value", Text(
            f"“{name}” phải là một trong: {allowed}", f"“{name}” must be one of: {allowed}"
        )
    known = _VALUES.get(kind, Text("không hợp lệ; xem /docs", "is not valid; see /docs"))
    said = known.format(**context)
    return "wrong-value", Text(f"“{name}” {said.vi}", f"“{name}” {said.en}")


_MISSING: Mapping[str, Text] = {
    "code_or_name": Text("thiếu “code” hoặc “name”", "“code” or “name” is missing"),
    "unit_or_units": Text(
        "hãy ghi “unit” hoặc “units”, không ghi cả hai", "give either “unit” or “units”"
    ),
}
_VALUES: Mapping[str, Text] = {
    "string_too_long": Text(
        "dài quá {max_length} ký tự; hãy rút ngắn", "has more than {max_length} characters"
    ),
    "text_unprintable": Text(
        "có ký tự điều khiển hoặc ký tự ẩn; hãy bỏ chúng",
        "contains control or invisible characters; remove them",
    ),
    "search_empty": Text(
        "phải có ít nhất một chữ hoặc số", "must contain at least a letter or a digit"
    ),
    "limit_range": Text("phải là số nguyên từ 1 đến 500", "must be an integer from 1 to 500"),
    "too_short": Text(
        "phải có ít nhất {min_length} phần tử", "must have at least {min_length} items"
    ),
    "greater_than_equal": Text("phải từ {ge} trở lên", "must be {ge} or more"),
    "less_than_equal": Text("không được quá {le}", "must be {le} or less"),
    "no_origin": Text(
        "phải là các gốc như https://bang-dieu-khien.example.vn, cách nhau bằng dấu phẩy",
        "must be origins like https://dashboard.example.vn, separated by commas",
    ),
    "no_address": Text(
        "phải là địa chỉ như https://ntm.example.gov.vn",
        "must be an address like https://ntm.example.gov.vn",
    ),
    "string_too_short": Text("không được để trống", "must not be empty"),
    "too_long": Text(
        "có quá {max_length} phần tử; hãy chia nhỏ", "has more than {max_length} items; split it"
    ),
    "string_pattern_mismatch": Text(
        "không đúng dạng cho phép (chữ số 0-9, mã như trong danh mục); xem /docs",
        "does not have the form it must have (digits 0-9, codes as listed); see /docs",
    ),
}
_TYPES: Mapping[str, Text] = {
    "bool_type": Text("true hoặc false", "true or false"),
    "string_type": Text("chuỗi ký tự", "a string"),
    "int_type": Text("số nguyên", "an integer"),
    "int_parsing": Text("số nguyên (chữ số 0-9)", "an integer (digits 0-9)"),
    "dict_type": Text("một đối tượng JSON", "a JSON object"),
    "model_type": Text("một đối tượng JSON", "a JSON object"),
    "model_attributes_type": Text("một đối tượng JSON", "a JSON object"),
    "list_type": Text("một danh sách", "a list"),
    "tuple_type": Text("một danh sách", "a list"),
    "date_type": Text(
        "ngày dạng YYYY-MM-DD, từ 1900 đến 2199", "a date like YYYY-MM-DD, from 1900 to 2199"
    ),
    "instant_type": Text(
        "thời điểm có múi giờ như 2025-01-31T08:00:00+07:00 (trong URL viết dấu + là %2B)",
        "an instant with offset like 2025-01-31T08:00:00+07:00 (in a URL write + as %2B)",
    ),
    "date_from_datetime_parsing": Text("ngày dạng YYYY-MM-DD", "a date like YYYY-MM-DD"),
    "date_parsing": Text("ngày dạng YYYY-MM-DD", "a date like YYYY-MM-DD"),
    "bool_parsing": Text("true hoặc false", "true or false"),
}
