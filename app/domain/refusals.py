"""Why the institution refuses a request: collected, placed and explained, never one at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from app.rules.errors import Text
from app.rules.facts import printable


class Complaint(msgspec.Struct, frozen=True, gc=False):
    """One thing wrong with what was handed in; `pointer` is a JSON pointer into it."""

    pointer: str
    code: str
    message: Text


class Refused(Exception):
    """A request that cannot be honoured, with everything that is wrong with it."""

    def __init__(self, complaints: Iterable[Complaint]) -> None:
        self.complaints = tuple(complaints)
        super().__init__("; ".join(one.message.en for one in self.complaints))


class Absent(Exception):
    """What was named is not there, or not for this caller: the two look the same."""

    def __init__(self, complaint: Complaint) -> None:
        super().__init__(complaint.message.en)
        self.complaint = complaint


class Conflict(Exception):
    """What was asked for contradicts what is on record already; `told` is more about it."""

    def __init__(self, complaint: Complaint, told: Mapping[str, Any] | None = None) -> None:
        super().__init__(complaint.message.en)
        self.complaint = complaint
        self.told = told


class Forbidden(Exception):
    """The caller may not do what was asked for."""

    def __init__(self, complaint: Complaint) -> None:
        super().__init__(complaint.message.en)
        self.complaint = complaint


def no_indicator(code: str) -> Text:
    """Say that there is no such indicator, and where they are listed."""
    return Text(
        f"không có chỉ số “{printable(code)}”; tra danh mục tại /v1/indicators",
        f"there is no indicator “{printable(code)}”; look it up in /v1/indicators",
    )


def no_period(text: str) -> Text:
    """Say what a period looks like."""
    shown = printable(text)
    return Text(
        f"“{shown}” không phải một kỳ; kỳ có dạng 2024, 2024-H1, 2024-Q3 hoặc 2024-10",
        f"“{shown}” is no period; a period is 2024, 2024-H1, 2024-Q3 or 2024-10",
    )


def pointer(*parts: str | int) -> str:
    """Return a JSON pointer (RFC 6901) to the place described by the parts.

    A part of more than 200 characters is no key of ours and is cut: answers stay short.
    """
    return "".join(
        "/" + _clipped(str(part)).replace("~", "~0").replace("/", "~1") for part in parts
    )


def _clipped(part: str, limit: int = 200) -> str:
    return part if len(part) <= limit else part[:limit] + "…"
