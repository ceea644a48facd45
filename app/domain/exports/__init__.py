"""Exports: everything that fits the filters of a list, as one file of one state of the record.

Rows are read page by page and sent as they are read, so that memory does not grow with them. What
a file is made of (`values`, `evaluations`, `communes`) and how it is written (`csv_file`,
`ndjson_file`, `xlsx_file`) know nothing of each other: cells are text, whole numbers, or nothing.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Literal

import msgspec

Cell = str | int | None
Row = Sequence[Cell]
Headings = Literal["en", "vi"]


class Column(msgspec.Struct, frozen=True):
    """A column of a table: the name of its field, and what it is called in Vietnamese."""

    name: str
    vi: str


def headed(columns: Sequence[Column], headings: Headings) -> list[str]:
    """Return the headings of a table: names of fields, or Vietnamese ones."""
    return [column.vi if headings == "vi" else column.name for column in columns]


def instant(moment: datetime.datetime) -> str:
    """Return an instant in UTC, written as in JSON."""
    return moment.isoformat().replace("+00:00", "Z")
