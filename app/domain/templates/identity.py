"""The hidden sheet by which an import knows a template: what it is of, what each column means."""

from __future__ import annotations

from collections.abc import Iterator

from app.domain.own_files import IDENTITY_FORMAT, IDENTITY_MARK
from app.domain.templates import DATA, FIRST_ROW, HEADER_ROW, LOCALE, Form


def rows(form: Form) -> Iterator[tuple[str | int, ...]]:
    """Yield the rows of the sheet: the mark, keys with values, then the table of columns.

    Columns and rows are counted from 1; the heading is kept so that a column that was moved can
    be found again.
    """
    yield IDENTITY_MARK, IDENTITY_FORMAT
    yield "ruleset", form.ruleset.ruleset
    yield "digest", form.digest
    yield "period", form.period.text
    yield "under", form.under.key
    yield "on", form.day.isoformat()
    yield "locale", LOCALE
    yield "sheet", DATA
    yield "header_row", HEADER_ROW
    yield "first_row", FIRST_ROW
    yield "column", "meaning", "heading"
    for number, column in enumerate(form.columns, 1):
        yield number, column.meaning, column.heading
