"""Lists in pages: keyset cursors bound to the filters they were made for."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, TypeVar
from urllib.parse import urlencode

from fastapi import Query, Request
from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from app.api.problems import refusal
from app.domain.refusals import Complaint
from app.rules.errors import Text

Item = TypeVar("Item")


def _limit(value: Any) -> int:
    text = str(value)
    if text.isascii() and text.isdigit() and len(text) < 4 and 1 <= int(text) <= 500:
        return int(text)
    raise PydanticCustomError("limit_range", "an integer from 1 to 500")


Limit = Annotated[
    int,
    BeforeValidator(_limit),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 500}),
    Query(description="Items per page."),
]
Cursor = Annotated[
    str | None, Query(max_length=1000, description="`next` of the page before, unchanged.")
]


def page(
    items: Sequence[Item],
    key: Callable[[Item], str],
    limit: int,
    cursor: str | None,
    filters: Mapping[str, str | None],
) -> tuple[list[Item], str | None]:
    """Return one page of items sorted by `key`, and the cursor of the next page or None."""
    bound = hashlib.sha256(json.dumps(filters, sort_keys=True).encode()).hexdigest()[:12]
    after = _after(cursor, bound) if cursor is not None else ""
    rest = [item for item in items if key(item) > after]
    shown = rest[:limit]
    if len(rest) <= limit:
        return shown, None
    plain = json.dumps([bound, key(shown[-1])]).encode()
    return shown, base64.urlsafe_b64encode(plain).decode().rstrip("=")


def links(request: Request, following: str | None) -> dict[str, str]:
    """Return the Link header of a page that has a next one."""
    if following is None:
        return {}
    query = dict(request.query_params) | {"cursor": following}
    return {"link": f'<{request.url.path}?{urlencode(query)}>; rel="next"'}


def _after(cursor: str, bound: str) -> str:
    try:
        plain = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        found, after = json.loads(plain)
        if found == bound and isinstance(after, str):
            return after
    except (ValueError, TypeError, binascii.Error, RecursionError):
        pass
    message = Text(
        "con trỏ không hợp lệ hoặc thuộc bộ lọc khác; hãy gọi lại từ trang đầu, không có cursor",
        "the cursor is not valid or belongs to other filters; start again without cursor",
    )
    raise refusal([Complaint("/cursor", "invalid-cursor", message)])
