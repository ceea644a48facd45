"""Lists in pages: keyset cursors bound to the filters they were made for."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import urlencode

from fastapi import Query, Request
from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from app.api.problems import Problem, refusal
from app.domain.refusals import Complaint
from app.rules.errors import Text

Item = TypeVar("Item")
LONG: Final = 15  # digits of the numbers of values, evaluations and acts of recording


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
    str | None, Query(max_length=4000, description="`next` of the page before, unchanged.")
]


def page(
    items: Sequence[Item],
    key: Callable[[Item], str],
    limit: int,
    cursor: str | None,
    filters: Mapping[str, str | None],
) -> tuple[list[Item], str | None]:
    """Return one page of items sorted by `key`, and the cursor of the next page or None."""
    after = read_cursor(cursor, filters, 1)
    rest = [item for item in items if after is None or key(item) > after[0]]
    return cut(rest, lambda item: [key(item)], limit, filters)


def cut(
    found: Sequence[Item],
    place: Callable[[Item], Sequence[str]],
    limit: int,
    filters: Mapping[str, str | None],
    *,
    endless: bool = False,
) -> tuple[list[Item], str | None]:
    """Return the first `limit` of what was found, and the cursor of the rest, if there is any.

    An `endless` list goes on: there is a cursor wherever anything was found.
    """
    shown = list(found[:limit])
    if not shown or (len(found) <= limit and not endless):
        return shown, None
    return shown, make_cursor(filters, place(shown[-1]))


def sliced(
    items: Sequence[Item], limit: int, cursor: str | None, filters: Mapping[str, str | None]
) -> tuple[list[Item], str | None]:
    """Return a page of a list that is short enough to be there as a whole, and its cursor."""
    after = read_number(cursor, filters)
    rest = list(enumerate(items, 1))[after : after + limit + 1]
    shown, following = cut(rest, lambda one: [str(one[0])], limit, filters)
    return [one for _, one in shown], following


def read_cursor(
    cursor: str | None, filters: Mapping[str, str | None], parts: int
) -> list[str] | None:
    """Return the place in the order that a cursor of this list and these filters names."""
    if cursor is None:
        return None
    after = _after(cursor, filters)
    if len(after) == parts:
        return after
    raise _no_cursor()


def read_number(cursor: str | None, filters: Mapping[str, str | None], digits: int = 9) -> int:
    """Return the number after which a page begins, in lists in the order of their making."""
    return _numbers(cursor, filters, 1, digits)[0]


def read_value_key(cursor: str | None, filters: Mapping[str, str | None]) -> list[str] | None:
    """Return unit, indicator, period and number after which a page of values begins."""
    after = read_cursor(cursor, filters, parts=4)
    if after is None:
        return None
    if re.fullmatch("[0-9]{1,9}", after[0]) and re.fullmatch(f"[0-9]{{1,{LONG}}}", after[3]):
        return after
    raise _no_cursor()


def read_position(cursor: str | None, filters: Mapping[str, str | None]) -> tuple[int, int]:
    """Return position and number after which a page of changes begins."""
    position, number = _numbers(cursor, filters, 2, LONG)
    return position, number


def read_place(cursor: str | None, filters: Mapping[str, str | None]) -> tuple[str, int]:
    """Return the name and the number after which a page of numbered parts begins."""
    name, number = read_cursor(cursor, filters, 2) or ("", "0")
    if not re.fullmatch("[0-9]{1,9}", number):
        raise _no_cursor()
    return name, int(number)


def _numbers(
    cursor: str | None, filters: Mapping[str, str | None], parts: int, digits: int
) -> list[int]:
    if cursor is None:
        return [0] * parts
    after = _after(cursor, filters)
    if len(after) == parts and all(re.fullmatch(f"[0-9]{{1,{digits}}}", part) for part in after):
        return [int(part) for part in after]
    raise _no_cursor()


def _after(cursor: str, filters: Mapping[str, str | None]) -> list[str]:
    """Return the parts of a cursor of these filters; none when it is not one."""
    try:
        plain = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        found, *after = json.loads(plain)
    except (ValueError, TypeError, binascii.Error, RecursionError):
        return []
    return after if found == _bound(filters) and all(map(_is_plain, after)) else []


def _no_cursor() -> Problem:
    message = Text(
        "con trỏ không hợp lệ hoặc thuộc bộ lọc khác; hãy gọi lại từ trang đầu, không có cursor",
        "the cursor is not valid or belongs to other filters; start again without cursor",
    )
    return refusal([Complaint("/cursor", "invalid-cursor", message)])


def make_cursor(filters: Mapping[str, str | None], after: Sequence[str]) -> str:
    """Return the cursor of the page that begins after a place in the order."""
    plain = json.dumps([_bound(filters), *after]).encode()
    return base64.urlsafe_b64encode(plain).decode().rstrip("=")


def links(request: Request, following: str | None) -> dict[str, str]:
    """Return the Link header of a page that has a next one."""
    if following is None:
        return {}
    query = dict(request.query_params) | {"cursor": following}
    return {"link": f'<{request.url.path}?{urlencode(query)}>; rel="next"'}


def _bound(filters: Mapping[str, str | None]) -> str:
    return hashlib.sha256(json.dumps(filters, sort_keys=True).encode()).hexdigest()[:12]


def _is_plain(part: Any) -> bool:
    """Tell whether a part of a cursor is text that a database takes: cursors can be forged."""
    return isinstance(part, str) and "\x00" not in part and part.isprintable()
