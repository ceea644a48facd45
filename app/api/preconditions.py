"""Changes say which state they mean, so that nobody overwrites what he has not seen.

A single resource carries its `version`, and an entity tag that begins with it. Whoever changes
the resource sends the tag in `If-Match` (RFC 9110, 13.1.1), or the version in the body where a
gateway drops headers.
"""

from __future__ import annotations

import hashlib
import re
from typing import Annotated, Any, Final

import msgspec
from fastapi import Depends, Header, Request
from pydantic import Field

from app.api.problems import Problem
from app.rules.errors import Text

_TAG: Final = re.compile(r'"([!#-~]*)"')
_DIGITS: Final = 16

IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        max_length=2_000,
        description="The ETag of what is to be changed, as it was read; * for whatever is there.",
    ),
]
Version = Annotated[
    str | None,
    Field(max_length=100, description="`version` of what is to be changed, instead of If-Match."),
]


class Stated(msgspec.Struct, frozen=True):
    """The state that a caller means, as its header says."""

    header: str | None

    def check(self, current: str, version: str | None, *, required: bool = False) -> None:
        """Raise Problem 412 unless what is there is what the caller means, 428 if it says nothing.

        `current` is the version of what is there (empty: nothing), `version` what the body names.
        """
        if self.header is None and version is None:
            if required:
                raise Problem("precondition-required", _REQUIRED)
            return
        if version not in (None, current) or not self._fits(current):
            raise Problem("precondition-failed", _FAILED)

    def _fits(self, current: str) -> bool:
        if self.header is None:
            return True
        if not current:
            return False  # there is nothing that could be meant
        if self.header.strip() == "*":
            return True
        tags = (_TAG.fullmatch(one.strip()) for one in self.header.split(","))
        return any(tag is not None and tag[1].rpartition("-")[0] == current for tag in tags)


async def stated(request: Request, if_match: IfMatch = None) -> Stated:
    """Return what the header If-Match says, sent in one line or in several (RFC 9110, 5.3)."""
    return Stated(if_match and ", ".join(request.headers.getlist("if-match")))


Meant = Annotated[Stated, Depends(stated)]


def version_of(state: Any) -> str:
    """Return the version of a resource whose state is JSON data."""
    content = msgspec.json.encode(state, order="deterministic")
    return hashlib.sha256(content).hexdigest()[:_DIGITS]


_REQUIRED: Final = Text(
    "dữ liệu này đã có: hãy đọc nó rồi gửi lại với tiêu đề If-Match (ETag vừa đọc) hoặc trường "
    "version, để không ghi đè thay đổi của người khác",
    "this is on record already: read it and send the request again with the header If-Match (the "
    "ETag just read) or the field version, so that nobody else's change is overwritten",
)
_FAILED: Final = Text(
    "dữ liệu đã thay đổi từ khi bạn đọc; hãy đọc lại, xem thay đổi rồi gửi với phiên bản mới",
    "it has changed since you read it; read it again, look at the change and send the new version",
)
