"""How files are to be imported, as the command was told; the same for a service and for here."""

from __future__ import annotations

import enum

import msgspec


class Mode(enum.StrEnum):
    """What becomes of the good rows where others are bad."""

    all = "all"
    partial = "partial"


class OnConflict(enum.StrEnum):
    """What becomes of a value that differs from the one on record."""

    new_version = "new_version"
    skip = "skip"
    fail = "fail"


class Locale(enum.StrEnum):
    """Which marks numbers are written with."""

    vi = "vi"
    en = "en"


class Options(msgspec.Struct, frozen=True):
    """What is said of every file; None is left to the file."""

    dry_run: bool = False
    mode: Mode = Mode.all
    on_conflict: OnConflict = OnConflict.new_version
    encoding: str | None = None
    locale: Locale | None = None
    sheet: str | None = None
    period: str | None = None
    on: str | None = None
    source: str | None = None
    measured_on: str | None = None

    def parameters(self, name: str) -> dict[str, str]:
        """Return them as parameters of a request for a file of this name."""
        said = {key: value for key, value in msgspec.structs.asdict(self).items() if value}
        return {key: "true" if value is True else str(value) for key, value in said.items()} | {
            "name": name
        }
