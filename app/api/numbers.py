"""Numbers in paths: written one way, without leading zeros, so that one thing has one address."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from fastapi import Path
from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError
from starlette.convertors import Convertor, register_url_convertor

_DIGITS: Final = 15


class _Number(Convertor[int]):
    """A number from 1 on, up to the next slash or the very end of the path."""

    regex = rf"[1-9][0-9]{{0,{_DIGITS - 1}}}(?![^/])"

    def convert(self, value: str) -> int:
        return int(value)

    def to_string(self, value: int) -> str:
        return str(value)


def _read(value: Any) -> int:
    text = str(value)
    if re.fullmatch(_Number.regex, text):
        return int(text)
    raise PydanticCustomError("int_parsing", "an integer")


register_url_convertor("number", _Number())
Number = Annotated[
    int,
    BeforeValidator(_read),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 10**_DIGITS - 1}),
]
RecordInPath = Annotated[
    int, Path(ge=1, le=10**_DIGITS - 1, description="Number as it was answered.")
]
