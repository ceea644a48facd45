"""Why the institution refuses a request: collected, placed and explained, never one at a time."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from app.rules.errors import Text


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
    """What was asked for contradicts what is on record already."""

    def __init__(self, complaint: Complaint) -> None:
        super().__init__(complaint.message.en)
        self.complaint = complaint


class Forbidden(Exception):
    """The caller may not do what was asked for."""

    def __init__(self, complaint: Complaint) -> None:
        super().__init__(complaint.message.en)
        self.complaint = complaint


def pointer(*parts: str | int) -> str:
    """Return a JSON pointer (RFC 6901) to the place described by the parts.

    A part of more than 200 characters is no key of ours and is cut: answers stay short.
    """
    return "".join(
        "/" + _clipped(str(part)).replace("~", "~0").replace("/", "~1") for part in parts
    )


def _clipped(part: str, limit: int = 200) -> str:
    return part if len(part) <= limit else part[:limit] + "…"
