"""A cell that cannot be read: why, and what stands there."""

from __future__ import annotations

from app.domain.reading.causes import bad
from app.domain.reading.cells import Cell, text_of
from app.rules.facts import printable


class Misread(Exception):
    """A cell that says nothing that fits: in which part, why, and the words of the message."""

    def __init__(self, code: str, cell: Cell, part: str = "value", /, **words: object) -> None:
        super().__init__(code)
        self.code, self.part = code, part
        self.message, self.sample = bad(code, **words), shown(cell)


def shown(cell: Cell) -> str:
    """Return a cell as it may be repeated in a message."""
    return printable(text_of(cell))
