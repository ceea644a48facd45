"""Which language the caller reads: Vietnamese unless English is preferred."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from fastapi import Depends, Request

Language = Literal["vi", "en"]
_RANGE = re.compile(
    r"^\s*([a-zA-Z]{1,8}|\*)(?:-[a-zA-Z0-9-]*)?\s*(?:;\s*q\s*=\s*([01](?:\.\d{1,3})?))?\s*$"
)


def preferred(header: str) -> Language:
    """Return the language of an Accept-Language header (RFC 9110); unreadable parts are skipped."""
    weights = {"vi": 0.0, "en": 0.0}
    for part in header.split(",")[:32]:
        found = _RANGE.match(part)
        if found and found[1].lower() in weights:
            weight = float(found[2]) if found[2] else 1.0
            weights[found[1].lower()] = max(weights[found[1].lower()], weight)
    return "en" if weights["en"] > weights["vi"] else "vi"


async def language(request: Request) -> Language:
    """Return the caller's language."""
    return preferred(request.headers.get("accept-language", ""))


InLanguage = Annotated[Language, Depends(language)]
