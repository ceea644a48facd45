"""Lists that come as JSON: strict, and no message repeats what was sent."""

from __future__ import annotations

import re
from typing import Any, Final

from app.domain.evidence import rows
from app.domain.evidence.rows import LARGEST, MOST, Collector, Listed
from app.domain.refusals import Complaint, Refused
from app.domain.strict_json import MalformedJson, read_json
from app.rules.errors import Text
from app.rules.forms import Form

_KEYS: Final = frozenset({"rows", "total", "acting_official"})
_ROW: Final = re.compile(r"/rows/[0-9]+")


def read(content: bytes, form: Form) -> tuple[Listed, Any]:
    """Return the list in a body, and on whose decision it is sent, as it stands there.

    Raises MalformedJson or Refused.
    """
    body = _body(content)
    if not isinstance(body, dict) or not isinstance(body.get("rows"), list) or set(body) - _KEYS:
        raise Refused([Complaint("", "invalid-rows", _SHAPE)])
    collector = Collector()
    known = {one.column for one in form.columns}
    for place, row in enumerate(body["rows"]):
        where = f"/rows/{place}"
        if not isinstance(row, dict) or set(row) - known or "name" not in row:
            collector.complain(where, _ROW_SHAPE)
            continue
        number = row.get("number")
        if number is not None and not rows.is_number(number):
            collector.complain(f"{where}/number", rows.NO_NUMBER)
        collector.add(where, number, row["name"], row.get("note"))
    total = body.get("total")
    if total is not None and not (type(total) is int and 0 <= total <= LARGEST):
        collector.complain("/total", rows.NO_TOTAL)
    return collector.listed(total), body.get("acting_official")


def _body(content: bytes) -> Any:
    """Return JSON; of what is wrong within it only the row is told, keys may be names.

    What has more brackets and marks than the longest list is not even opened: it would need
    many times its size in memory.
    """
    if content.count(b"{") + content.count(b"[") > 2 * MOST or any(
        content.count(mark) > 8 * MOST for mark in (b":", b",")
    ):
        raise Refused([Complaint("", "too-many-rows", rows.TOO_MANY)])
    try:
        return read_json(content)
    except MalformedJson as error:
        if not error.complaint.pointer:
            raise
        where = error.complaint.pointer
    except Refused as error:
        where = error.complaints[0].pointer
    row = _ROW.match(where)
    raise Refused([Complaint(row[0] if row else "", "invalid-rows", _UNUSABLE)])


_SHAPE: Final = Text(
    'nội dung phải có dạng {"rows": [{"number": 1, "name": "…", "note": null}], "total": 1}; '
    "total và acting_official có thể bỏ, không có khoá nào khác",
    'the body must be like {"rows": [{"number": 1, "name": "…", "note": null}], "total": 1}; '
    "total and acting_official may be left out, there are no other keys",
)
_ROW_SHAPE: Final = Text(
    "mỗi dòng là một đối tượng có name, và number, note nếu biểu mẫu có; không có khoá nào khác",
    "each row is an object with name, and number and note where the form has them; no other keys",
)
_UNUSABLE: Final = Text(
    "có khoá bị lặp lại, số hoặc ký tự không hợp lệ, hoặc lồng nhau quá sâu; hãy sửa rồi gửi lại",
    "a key stands twice, a number or a character is not valid, or it is nested too deep; mend it "
    "and send it again",
)
