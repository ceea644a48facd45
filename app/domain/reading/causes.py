"""Every cause for which a cell, a row or a file is not taken, or is with a warning, by its code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from app.domain.reading.fault_texts import FAULTS
from app.domain.reading.frames import Fault
from app.domain.reading.row_texts import WARNINGS, WRONG
from app.rules.errors import Text
from app.rules.facts import printable

# Faults that have more than one sentence.
SAID_AS: Final = {"unknown-column-near": "unknown-column", "missing-statement": "missing-column"}


class Unreadable(Exception):
    """Why the file as a whole is refused, with the place in it where that is known."""

    def __init__(
        self,
        code: str,
        /,
        row: int | None = None,
        sheet: str | None = None,
        column: str | None = None,
        **words: object,
    ) -> None:
        super().__init__(code)
        message = FAULTS[code].format(**words)
        code = SAID_AS.get(code, code)
        column = None if column is None else printable(column)
        self.faults: tuple[Fault, ...] = (Fault(code, message.vi, message.en, sheet, row, column),)

    @classmethod
    def together(cls, several: Sequence[Unreadable]) -> Unreadable:
        """Return several as one: no fault hides another."""
        first, *_ = several
        first.faults = tuple(fault for one in several for fault in one.faults)
        return first


def bad(code: str, /, **words: object) -> Text:
    """Say what is wrong with a row or a value."""
    return WRONG[code].format(**words)


def note(code: str) -> Text:
    """Say what was read in a way that one should know of."""
    return WARNINGS[code]
