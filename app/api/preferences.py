"""How a caller would like to be answered (RFC 7240): `Prefer: respond-async` asks for a job."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Header, Request

from app.api.problems import refusal
from app.domain.refusals import Complaint
from app.rules.errors import Text
from app.rules.facts import printable

ASYNC: Final = "respond-async"
_KNOWN: Final = frozenset({ASYNC, "handling", "wait"})
_STRICT: Final = ("strict", '"strict"')

Prefer = Annotated[
    str | None,
    Header(
        alias="Prefer",
        description="respond-async: answer 202 with a job. Others are ignored, or refused with "
        "handling=strict.",
    ),
]


def wants_job(request: Request) -> bool:
    """Tell whether the caller prefers a job to waiting.

    Raises Problem for preferences that are not known, where the caller wants to be told of them.
    """
    given: dict[str, str] = {}
    for one in ",".join(request.headers.getlist("prefer")).split(","):
        name, _, value = one.partition(";")[0].partition("=")
        if name.strip():
            given.setdefault(name.strip().lower(), value.strip().lower())
    unknown = sorted(set(given) - _KNOWN)
    if unknown and given.get("handling") in _STRICT:
        raise refusal([Complaint("/prefer", "wrong-value", _unknown(unknown[0]))])
    return ASYNC in given


def _unknown(name: str) -> Text:
    shown = printable(name)
    return Text(
        f"không có Prefer: {shown}; ở đây nhận {ASYNC}; bỏ nó đi hoặc bỏ handling=strict",
        f"there is no Prefer: {shown}; {ASYNC} is taken here; leave it out, or handling=strict",
    )
