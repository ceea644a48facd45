"""What a pack hands to its own check, as data that can be stored and handed over again."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, PlainSerializer

_DECIMAL: Final = "$decimal"
_DATE: Final = "$date"


def _tagged(value: Any) -> Any:
    """Return what a check is given as JSON data; numbers and dates keep their type by a tag."""
    if isinstance(value, dict):
        return {key: _tagged(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_tagged(one) for one in value]
    if isinstance(value, Decimal):
        return {_DECIMAL: str(value)}
    return {_DATE: value.isoformat()} if isinstance(value, datetime.date) else value


def _untagged(value: Any) -> Any:
    """Return what `_tagged` was given."""
    if isinstance(value, dict):
        if value.keys() == {_DECIMAL}:
            return Decimal(value[_DECIMAL])
        if value.keys() == {_DATE}:
            return datetime.date.fromisoformat(value[_DATE])
        return {key: _untagged(one) for key, one in value.items()}
    return [_untagged(one) for one in value] if isinstance(value, list) else value


# What a pack hands to its own check; a ruleset that was stored hands over the very same.
CheckWith = Annotated[
    dict[str, Any],
    BeforeValidator(_untagged),
    PlainSerializer(_tagged, return_type=dict[str, Any], when_used="json"),
]
