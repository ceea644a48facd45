"""A template as an XLSX workbook: plain cells, drop-downs, comments; no formula, no macro, no link.

The same form gives the same bytes, so its tag is a strong one.
"""

from __future__ import annotations

import datetime
import io
import math
from typing import Any, Final

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.utility import xl_col_to_name, xl_rowcol_to_cell
from xlsxwriter.worksheet import Worksheet

from app.domain.own_files import IDENTITY_SHEET
from app.domain.templates import (
    DATA,
    FIRST_ROW,
    GUIDE,
    HEADER_ROW,
    Column,
    Form,
    guide,
    identity,
)
from app.domain.templates.validation import rule

_OPTIONS: Final = {
    "in_memory": True,
    # A name that begins with = or http is a text and stays one.
    "strings_to_formulas": False,
    "strings_to_numbers": False,
    "strings_to_urls": False,
}
_MADE: Final = datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC)  # the same bytes every day
_WIDTHS: Final = {"place": 22, "source": 30, "note": 30, "codes": 24}
_WIDTH: Final = 15
_LINE: Final = 15  # points


def written(form: Form) -> bytes:
    """Return the workbook; takes a while for thousands of units: not for the event loop."""
    content = io.BytesIO()
    book = xlsxwriter.Workbook(content, _OPTIONS)
    book.set_properties({"title": form.ruleset.title.vi, "author": "ntm", "created": _MADE})
    styles = _Styles(book)
    _guide(book.add_worksheet(GUIDE), form, styles)
    _data(book.add_worksheet(DATA), form, styles)
    _identity(book.add_worksheet(IDENTITY_SHEET), form)
    book.close()
    return content.getvalue()


class _Styles:
    """The formats of a workbook; what can be filled in is not locked."""

    def __init__(self, book: xlsxwriter.Workbook) -> None:
        def style(**named: Any) -> Format:
            return book.add_format({"valign": "top", **named})

        self.title = style(bold=True, font_size=14)
        self.heading = style(bold=True, font_size=12, bottom=1)
        self.text = style(text_wrap=True)
        self.code = style(font_name="Courier New", num_format="@")
        self.place = style(num_format="@", bg_color="#F2F2F2", border=1, border_color="#D9D9D9")
        self.header = style(bold=True, text_wrap=True, align="center", bg_color="#DDEBF7", border=1)
        self.missing = book.add_format({"bg_color": "#FFC7CE"})
        open_ = {"locked": False}
        self.entries = {
            "source": style(num_format="@", text_wrap=True, **open_),
            "note": style(num_format="@", text_wrap=True, **open_),
            "codes": style(num_format="@", **open_),
            "truth": style(align="center", **open_),
            "count": style(num_format="#,##0", **open_),
            "numerator": style(num_format="#,##0", **open_),
            "denominator": style(num_format="#,##0", **open_),
            "percent": style(**open_),
        }

    def of(self, column: Column) -> Format:
        """Return the format of the cells of a column."""
        return self.place if column.entry == "place" else self.entries[column.entry]


def _guide(sheet: Worksheet, form: Form, styles: _Styles) -> None:
    shown = {"title": styles.title, "heading": styles.heading, "code": styles.code}
    sheet.set_column(0, 0, 110)
    sheet.hide_gridlines(2)
    for number, (kind, line) in enumerate(guide.lines(form)):
        sheet.write_string(number, 0, line, shown.get(kind, styles.text))


def _data(sheet: Worksheet, form: Form, styles: _Styles) -> None:
    header, first = HEADER_ROW - 1, FIRST_ROW - 1  # xlsxwriter counts from 0
    last = first + len(form.rows) - 1
    for number, line in enumerate(guide.heading(form)):
        sheet.write_string(number, 0, line, styles.title if number == 0 else None)
    sheet.set_row(header, _LINE * max(_lines(column) for column in form.columns))
    for number, column in enumerate(form.columns):
        sheet.set_column(number, number, _width(column), styles.of(column))
        sheet.write_string(header, number, column.heading, styles.header)
        if column.comment:
            size = {"width": 420, "height": 40 + 18 * _lines_of(column.comment, 60)}
            sheet.write_comment(header, number, column.comment, {"author": "ntm", **size})
        if (found := rule(form.columns, number, first)) is not None:
            sheet.data_validation(first, number, last, number, found)
    for row, cells in enumerate(form.rows, first):
        for number, text in enumerate(cells):
            sheet.write_string(row, number, text, styles.place)
    _mark_missing_sources(sheet, form, styles, last)
    sheet.freeze_panes(first, 2)
    sheet.protect("", {"format_cells": True, "format_columns": True, "format_rows": True,
                       "delete_rows": True})  # fmt: skip
    sheet.set_landscape()
    sheet.repeat_rows(header)


def _mark_missing_sources(sheet: Worksheet, form: Form, styles: _Styles, last: int) -> None:
    """Colour the source where a row has values and no source."""
    first = FIRST_ROW - 1
    entries = [one.entry for one in form.columns]
    source, note = entries.index("source"), entries.index("note")
    if note == source + 1:
        return  # nothing is measured
    cell = xl_rowcol_to_cell(first, source, col_abs=True)
    since, until = (f"${xl_col_to_name(one)}{first + 1}" for one in (source + 1, note - 1))
    criteria = f'=AND(COUNTA({since}:{until})>0,{cell}="")'
    sheet.conditional_format(
        first, source, last, source,
        {"type": "formula", "criteria": criteria, "format": styles.missing},
    )  # fmt: skip


def _identity(sheet: Worksheet, form: Form) -> None:
    for number, cells in enumerate(identity.rows(form)):
        for place, cell in enumerate(cells):
            if isinstance(cell, int):
                sheet.write_number(number, place, cell)
            else:
                sheet.write_string(number, place, cell)
    sheet.hide()


def _width(column: Column) -> int:
    if column.meaning == "unit":
        return 12
    return _WIDTHS.get(column.entry, _WIDTH)


def _lines(column: Column) -> int:
    return min(_lines_of(column.heading, _width(column) - 2), 16)


def _lines_of(text: str, width: int) -> int:
    return sum(max(1, math.ceil(len(line) / width)) for line in text.split("\n"))
