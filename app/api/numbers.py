"""Numbers in paths: written one way, without leading zeros, so that one thing has one address."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Path
from starlette.convertors import Convertor, register_url_convertor

_DIGITS: Final = 15


class _Number(Convertor[int]):
    """A number from 1 on, up to the next slash or the very end of the path."""

    regex = rf"[1-9][0-9]{{0,{_DIGITS - 1}}}(?![^/])"

    def convert(self, value: str) -> int:
        return int(value)

    def to_string(self, value: int) -> str:
        return str(value)


register_url_convertor("number", _Number())
RecordInPath = Annotated[
    int, Path(ge=1, le=10**_DIGITS - 1, description="Number as it was answered.")
]
