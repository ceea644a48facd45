"""Import templates: a workbook for one ruleset and period, with a row for each unit to fill in.

A template holds an identity: whoever sends it back filled in has nothing to say about its columns.
"""

from __future__ import annotations

import datetime
import hashlib
from importlib import metadata
from typing import Final, Literal

import msgspec

from app.domain.own_files import IDENTITY_FORMAT
from app.domain.unit_periods import Entity
from app.rules.indicators import Indicator
from app.rules.period import Period
from app.rules.ruleset import Ruleset

GUIDE: Final = "Hướng dẫn"
DATA: Final = "Số liệu"
LOCALE: Final = "vi"
TITLE_ROWS: Final = 4
HEADER_ROW: Final = TITLE_ROWS + 1  # counted from 1, as people see it
FIRST_ROW: Final = HEADER_ROW + 1
MOST_UNITS: Final = 5_000

IGNORED: Final = "ignored"  # the meaning of a column that only helps whoever fills in
_SOFTWARE: Final = metadata.version("ntm-rules")

Entry = Literal[
    "place", "source", "truth", "count", "numerator", "denominator", "percent", "codes", "note"
]


class Column(msgspec.Struct, frozen=True):
    """A column of the data sheet: what it means to the import, and what is entered in it."""

    meaning: str
    heading: str
    entry: Entry
    comment: str = ""
    indicator: Indicator | None = None


class Form(msgspec.Struct, frozen=True):
    """Everything that a template is made of; `rows` are the cells of the place columns."""

    ruleset: Ruleset
    digest: str
    period: Period
    under: Entity
    day: datetime.date
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def file_name(self) -> str:
        """Return a name for the file: ASCII, no separators."""
        return f"{self.ruleset.ruleset}-{self.under.key}-{self.period.text}.xlsx"

    @property
    def tag(self) -> str:
        """Return what changes whenever the workbook would: the same tag, the same bytes."""
        inputs = (
            _SOFTWARE, IDENTITY_FORMAT, self.digest, self.period.text, self.day, self.under.named,
            self.columns, self.rows,
        )  # fmt: skip
        return hashlib.sha256(msgspec.json.encode(inputs, enc_hook=_plain)).hexdigest()[:32]


def _plain(indicator: object) -> object:
    return indicator.model_dump(mode="json") if isinstance(indicator, Indicator) else str(indicator)
