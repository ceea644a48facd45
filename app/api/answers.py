"""Answers: JSON bytes with an entity tag, in one place."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec
from fastapi import Request
from starlette.responses import Response

_encoder = msgspec.json.Encoder()


def json_bytes(value: Any) -> bytes:
    """Return `value` as JSON in UTF-8."""
    return _encoder.encode(value)


def manners(language: str) -> dict[str, str]:
    """Return the headers that every answer of ours carries."""
    return {
        "content-language": language,
        "vary": "Accept-Language",
        "x-content-type-options": "nosniff",
    }


def tag_of(body: bytes, value: Any) -> str:
    """Return the entity tag of an answer; that of a resource with a version begins with it."""
    version = value.get("version") if isinstance(value, dict) else None
    digest = hashlib.sha256(body).hexdigest()[:32]
    return f'"{version}-{digest}"' if version else f'"{digest}"'


def created(value: Any, language: str, location: str | None = None, status: int = 201) -> Response:
    """Answer a change that was made; `location` is where the new thing can be read."""
    body = json_bytes(value)
    headers = manners(language) | ({"location": location} if location else {})
    if isinstance(value, dict) and "version" in value:
        headers["etag"] = tag_of(body, value)
    return Response(body, status, headers, "application/json")


def holds(request: Request, tag: str) -> bool:
    """Tell whether the caller holds the answer with this entity tag already."""
    sent = request.headers.get("if-none-match", "").split(",")
    return not {one.strip().removeprefix("W/") for one in sent}.isdisjoint({tag, "*"})


def answer(
    request: Request,
    value: Any,
    language: str,
    headers: Mapping[str, str] | None = None,
    media_type: str = "application/json",
) -> Response:
    """Answer a read: 200 with an ETag, or 304 when the caller holds this very answer.

    Bytes are JSON already.
    """
    body = value if isinstance(value, bytes) else json_bytes(value)
    tag = tag_of(body, value)
    sent = manners(language) | {"etag": tag, "cache-control": "no-cache"} | dict(headers or {})
    if holds(request, tag):
        return Response(status_code=304, headers=sent)
    return Response(body, 200, sent, media_type)
