"""What can be wrong with a fact, a pack or a check; every message in Vietnamese and English.

The kernel raises these and nothing else. No message carries a stack trace or a bare code: each
names the place, says what is wrong there, and what to do next.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec


class Text(msgspec.Struct, frozen=True, gc=False):
    """One sentence in both languages of the service."""

    vi: str
    en: str

    def format(self, **values: object) -> Text:
        """Fill the same placeholders in both languages."""
        return Text(self.vi.format(**values), self.en.format(**values))


class FactError(ValueError):
    """A value that cannot be a fact of its indicator.

    `pointer` is relative to the value (`""`, `"/numerator"`); `code` is stable kebab-case.
    """

    def __init__(self, code: str, message: Text, pointer: str = "") -> None:
        super().__init__(message.en)
        self.code = code
        self.message = message
        self.pointer = pointer


class Misfit(ValueError):
    """Parts of a pack that do not go together; raised inside the models of the pack format."""

    def __init__(self, vi: str, en: str) -> None:
        super().__init__(en)
        self.message = Text(vi, en)


class CheckFailed(RuntimeError):
    """A pack's own check raised, or answered something other than true or false."""

    def __init__(self, criterion: str, check: str) -> None:
        super().__init__(f"check {check!r} of criterion {criterion!r} failed")
        self.criterion = criterion
        self.check = check


class Fault(msgspec.Struct, frozen=True, gc=False):
    """One thing wrong with a pack: where it stands (file, line, place inside) and what it is."""

    file: str
    line: int | None
    place: str
    code: str
    message: Text

    def describe(self, language: str = "vi") -> str:
        """Return `file:line: place: message [code]` on one line."""
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        place = f" {self.place}:" if self.place else ""
        return f"{where}:{place} {getattr(self.message, language)} [{self.code}]"


class RulesetFaults(Exception):
    """Every fault of every pack, in one report; the service does not start on any."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(
            sorted(faults, key=lambda fault: (fault.file, fault.line or 0, fault.place, fault.code))
        )
        super().__init__("\n".join(fault.describe("en") for fault in self.faults))
