"""A file as the tables that are read of it: text is one table, a workbook has its sheets."""

from __future__ import annotations

import io
import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO, Final

import msgspec

from app.domain.own_files import IDENTITY_SHEET
from app.domain.reading import books, container, identity, layout, ndjson, plan, text
from app.domain.reading.books import BookSheet
from app.domain.reading.causes import Unreadable
from app.domain.reading.cells import Row, is_blank
from app.domain.reading.frames import Order
from app.domain.reading.headings import Headings
from app.domain.reading.identity import Template
from app.domain.reading.layout import SEARCHED, Layout
from app.domain.reading.limits import MOST_SHEETS
from app.domain.reading.plan import LONG, WIDE, Plan
from app.domain.reading.workbook import Pulse
from app.rules.facts import printable

_SAMPLE: Final = 200  # lines that are looked at for what parts the cells
_SEPARATOR: Final = "sep="
_NAMED: Final = 20  # sheets that a message lists


class Opened(msgspec.Struct):
    """A table: where its columns stand, how its rows are read from the beginning.

    `ragged` rows may be shorter or longer than the header without being wrong: those of sheets.
    """

    format: str
    layout: Layout
    plan: Plan
    rows: Callable[[], Iterator[tuple[int, Row]]]
    sheet: str | None = None
    packed: bool = False
    encoding: str | None = None
    delimiter: str | None = None
    ragged: bool = False
    book: BookSheet | None = None
    template: Template | None = None


class Tables(msgspec.Struct):
    """The tables of a file, and the sheets that are not read: why, and their names.

    `order` is what was ordered, with what a template says besides.
    """

    tables: list[Opened]
    order: Order
    skipped: Sequence[tuple[str, str]] = ()


def open_tables(fd: int, order: Order, headings: Headings, pulse: Pulse) -> Tables:
    """Return the tables of an open file; raise Unreadable where it is none, or unsafe."""
    file = reopened(fd)
    kind = container.kind_of(file, order.media)
    if kind in (container.XLSX, container.XLS) and order.encoding is not None:
        raise Unreadable(
            "invalid-option",
            option="encoding",
            vi="tệp bảng tính tự nêu bảng mã của mình; hãy bỏ tham số này",
            en="a workbook tells its encoding itself; leave it out",
        )
    if kind == container.XLSX:
        return _of_book(container.XLSX, books.new_book(file, pulse), order, headings)
    if kind == container.XLS:
        from app.domain.reading.xls import old_book  # noqa: PLC0415  # seldom needed

        return _of_book(container.XLS, old_book(file), order, headings)
    if order.sheet is not None:
        raise Unreadable(
            "invalid-option",
            option="sheet",
            vi="tệp văn bản không có trang tính; hãy bỏ tham số này",
            en="a file of text has no sheets; leave it out",
        )
    packed = kind == container.GZIP
    source = (lambda: container.unpacked(reopened(fd))) if packed else (lambda: reopened(fd))
    return Tables([_text(source, order, headings, packed=packed)], order)


def reopened(fd: int) -> BinaryIO:
    """Return an open file from its beginning."""
    os.lseek(fd, 0, os.SEEK_SET)
    return io.BufferedReader(io.FileIO(fd, "rb", closefd=False), 2**16)


def _text(source: text.Source, order: Order, headings: Headings, *, packed: bool) -> Opened:
    encoding = text.encoding_of(_head(source), order.encoding)
    sample = list(itertools.islice(text.lines(source, encoding), _SAMPLE))
    if not sample:
        raise Unreadable("empty-file")
    first = next((line for line in sample if not line.isspace()), "")
    shown = text.shown_encoding(encoding)
    if first.lstrip("\ufeff \t").startswith("[") and order.media in (None, container.NDJSON):
        raise Unreadable("not-ndjson")
    if order.media == container.NDJSON or first.lstrip("\ufeff \t").startswith("{"):
        if order.media not in (None, container.NDJSON, container.GZIP):
            raise Unreadable("media-contradicts", declared=order.media, found=container.NDJSON)

        def objects() -> Iterator[tuple[int, Row]]:
            return ndjson.rows(text.lines(source, encoding), headings)

        found = Layout(0, 0, ndjson.COLUMNS, ())
        return Opened(
            container.NDJSON, found, plan.of_json(ndjson.COLUMNS), objects, None, packed, shown
        )
    separated = sample[0].strip("\ufeff\r\n")
    delimiter = separated[len(_SEPARATOR) :] if separated.startswith(_SEPARATOR) else ""
    skipped = int(delimiter in text.DELIMITERS and bool(delimiter))
    if not skipped:
        delimiter = text.delimiter_of(sample, lambda rows: layout.score(rows, headings))
    if order.media == container.TSV and delimiter != "\t":
        raise Unreadable("media-contradicts", declared=container.TSV, found=container.CSV)

    def rows() -> Iterator[tuple[int, Row]]:
        lines = text.lines(source, encoding)
        return text.rows(itertools.islice(lines, skipped, None), delimiter, 1 + skipped)

    found_layout = _layout(rows, headings)
    if found_layout is None:
        raise Unreadable("no-header")
    settled = plan.settle(found_layout, order, headings)
    form = container.TSV if delimiter == "\t" else container.CSV
    return Opened(form, found_layout, settled, rows, None, packed, shown, delimiter)


def _head(source: text.Source) -> bytes:
    return source().read(4_096)


def _layout(rows: Callable[[], Iterator[tuple[int, Row]]], headings: Headings) -> Layout | None:
    """Return the layout of a table by its first rows that have content."""
    return layout.find(_first(rows), headings)


def _first(rows: Callable[[], Iterator[tuple[int, Row]]]) -> list[tuple[int, Row]]:
    said = (
        (number, cells) for number, cells in rows() if not all(is_blank(cell) for cell in cells)
    )
    return list(itertools.islice(said, SEARCHED))


def _of_book(format_: str, sheets: Sequence[BookSheet], order: Order, headings: Headings) -> Tables:
    """Return the tables of a workbook: the sheet of a template, the one named, or all with one."""
    if len(sheets) > MOST_SHEETS:
        raise Unreadable("too-many-sheets", most=MOST_SHEETS)
    hidden = next((one for one in sheets if one.name == IDENTITY_SHEET), None)
    template = None if hidden is None else identity.read(hidden.rows())
    others = [one for one in sheets if one is not hidden]
    if template is not None and order.sheet not in (None, template.sheet):
        own = template.sheet
        raise Unreadable(
            "invalid-option",
            option="sheet",
            vi=f"số liệu của mẫu nhập nằm ở trang tính “{own}”; hãy bỏ tham số này",
            en=f"the values of a template stand in its sheet “{own}”; leave it out",
        )
    if order.sheet is not None:
        named = [one for one in others if one.name.casefold() == order.sheet.strip().casefold()]
        if not named:
            shown = ", ".join(printable(one.name) for one in others[:_NAMED])
            raise Unreadable("no-sheet", sheet=order.sheet, sheets=shown)
        others = named
    if template is not None:
        return _of_template(format_, others, identity.ordered(template, order), headings, template)
    found, skipped = [], []
    for sheet in others:
        if not sheet.visible and order.sheet is None:
            skipped.append(("hidden-sheet", sheet.name))
        elif (at := _layout(sheet.rows, headings)) is not None:
            found.append((sheet, at))
        elif _first(sheet.rows):
            skipped.append(("sheet-skipped", sheet.name))
    if not found:
        raise Unreadable("no-header")
    tables = [_table(format_, one, at, order, headings) for one, at in found]
    names = {form: one.sheet for one in reversed(tables) if (form := one.plan.form)}
    if len(names) > 1:  # what is refused of both could not be sent again in one file
        raise Unreadable("mixed-sheets", None, names[LONG], long=names[LONG], wide=names[WIDE])
    return Tables(tables, order, skipped)


def _of_template(
    format_: str,
    sheets: Sequence[BookSheet],
    order: Order,
    headings: Headings,
    template: Template,
) -> Tables:
    """Return the one table of a template; others that could be tables are told."""
    sheet = next((one for one in sheets if one.name == template.sheet), None)
    if sheet is None:
        raise Unreadable("template-changed", sheet=template.sheet)
    head = list(itertools.takewhile(lambda row: row[0] <= template.header_row, sheet.rows()))
    at = identity.layout(template, head, order.catalogue, headings)
    table = _table(format_, sheet, at, order, headings)
    table.template = template
    skipped = [
        ("sheet-beside-template", one.name)
        for one in sheets
        if one is not sheet and one.visible and _layout(one.rows, headings) is not None
    ]
    return Tables([table], order, skipped)


def _table(format_: str, sheet: BookSheet, at: Layout, order: Order, headings: Headings) -> Opened:
    settled = plan.settle(at, order, headings, sheet.name)
    return Opened(format_, at, settled, sheet.rows, sheet.name, ragged=True, book=sheet)
