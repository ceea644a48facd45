"""Forms to fill in, as the document prints them: CSV or XLSX; filled in, they are taken as lists.

Numbered lines that stay empty are no rows.
"""

from __future__ import annotations

import csv
import datetime
import io
from collections.abc import Iterator, Sequence
from typing import Final

import xlsxwriter

from app.rules.forms import Form

_LINES: Final = 30  # to fill in; more may be added above the total
_BOM: Final = "\ufeff"
_MADE: Final = datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC)  # the same bytes every day
_OPTIONS: Final = {
    "in_memory": True,
    "strings_to_formulas": False,
    "strings_to_numbers": False,
    "strings_to_urls": False,
}
_WIDTHS: Final = {"number": 8, "name": 45, "note": 30}


def as_csv(form: Form) -> bytes:
    """Return the form as CSV in UTF-8."""
    written = io.StringIO()
    csv.writer(written, lineterminator="\r\n").writerows(_lines(form))
    return (_BOM + written.getvalue()).encode()


def as_xlsx(form: Form) -> bytes:
    """Return the form as a workbook with one sheet: plain cells, no formula, no macro."""
    content = io.BytesIO()
    book = xlsxwriter.Workbook(content, _OPTIONS)
    book.set_properties({"title": form.title, "author": "ntm", "created": _MADE})
    sheet = book.add_worksheet(form.called)
    bold = book.add_format({"bold": True})
    cell = book.add_format({"border": 1, "num_format": "@"})
    count = book.add_format({"border": 1})
    last = len(_head(form)) + _LINES
    for place, column in enumerate(form.columns):
        sheet.set_column(place, place, _WIDTHS[column.column])
    for row, cells in enumerate(_lines(form)):
        in_table = len(_head(form)) <= row < last
        for place, said in enumerate(cells):
            if isinstance(said, int):
                sheet.write_number(row, place, said, count)
            elif in_table:
                sheet.write_string(row, place, said, cell)
            else:
                sheet.write_string(row, place, said, bold)
    book.close()
    return content.getvalue()


def _lines(form: Form) -> Iterator[Sequence[str | int]]:
    yield from _head(form)
    for number in range(1, _LINES + 1):
        yield [number if one.column == "number" else "" for one in form.columns]
    yield [form.total]
    yield from ([], list(form.confirmed_by))


def _head(form: Form) -> list[Sequence[str]]:
    return [[form.called], [form.title], [], [one.label for one in form.columns]]
