"""The whole of a reading: what is wrong with the file, its places, its values, in two passes.

The first pass learns how the file writes and which units it speaks of; the second tells its values.
Where values stand twice, one pass more finds out whether they contradict each other.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import BinaryIO, Final

from app.domain.reading import originals, plain
from app.domain.reading.causes import Unreadable, note
from app.domain.reading.cells import Row, Style, is_blank
from app.domain.reading.channel import Channel
from app.domain.reading.duplicates import Duplicates
from app.domain.reading.facts import FactReader
from app.domain.reading.frames import PLACES_TOGETHER, End, Fault, Note, Order, Table
from app.domain.reading.headings import Headings
from app.domain.reading.limits import MOST_CELLS, MOST_ROWS
from app.domain.reading.long import LongTable
from app.domain.reading.merging import Merging
from app.domain.reading.numbers import LOCALES
from app.domain.reading.origins import OriginReader
from app.domain.reading.places import PlaceBook, PlaceReader
from app.domain.reading.plan import LONG
from app.domain.reading.proofs import Proofs
from app.domain.reading.rowwise import Readers, letters
from app.domain.reading.tables import Opened, Tables, open_tables, reopened
from app.domain.reading.telling import Listener, Teller
from app.domain.reading.wide import WideTable

_OFTEN: Final = 1_000  # rows between two looks at the clock
Read = LongTable | WideTable


def conduct(fd: int, incoming: BinaryIO, outgoing: BinaryIO) -> None:
    """Read the open file `fd` as the order says that comes in; tell what it says."""
    channel = Channel(incoming, outgoing)
    end = End(0, 0)
    try:
        order = channel.order()
        if order.locale not in (None, *LOCALES):
            raise Unreadable("invalid-option", option="locale", vi="vi, en", en="vi, en")
        end = _conducted(channel, fd, order)
    except Unreadable as wrong:
        for fault in wrong.faults:
            channel.send(fault)
    except (MemoryError, RecursionError):
        for fault in Unreadable("unsafe-file").faults:
            channel.send(fault)
    channel.send(end)
    channel.flush()


def _conducted(channel: Channel, fd: int, order: Order) -> End:
    """Read the file in the way that is ordered; return how much it was."""
    if order.plain is not None:
        return plain.tell(channel, lambda: reopened(fd), order.media, order.plain)
    headings = Headings(order.catalogue)
    tables = open_tables(fd, order, headings, lambda: channel.alive(0))
    if order.only_rows is None:
        return _Reading(channel, tables, headings).end()
    originals.tell(channel, tables, order.only_rows)
    return End(0, 0)


class _Reading:
    """The passes over the tables of a file."""

    def __init__(self, channel: Channel, tables: Tables, headings: Headings) -> None:
        self._channel, self._order = channel, tables.order
        self._opened, self._skipped = tables.tables, tables.skipped
        self._book = PlaceBook()
        readers = Readers(PlaceReader(self._order, self._book), OriginReader(self._order), headings)
        self._tables: list[Read] = [
            LongTable(one.plan, one.sheet, readers, self._order.catalogue)
            if one.plan.form == LONG
            else WideTable(one.plan, one.sheet, readers)
            for one in self._opened
        ]
        self._merging = [
            Merging(one.book.merged if one.book else (), one.plan, one.layout.last)
            for one in self._opened
        ]
        self._duplicates = Duplicates()

    def end(self) -> End:
        """Read everything and tell it; return how much it was."""
        style, about = self._survey()
        for opened, rows in zip(self._opened, about, strict=True):
            self._channel.send(_told(opened, style, rows))
        units = self._resolved()
        self._duplicates.merge(self._book.places, units)
        allowed, levels = self._allowed(units)
        catalogue = self._order.catalogue
        facts = FactReader(catalogue, style)
        if self._duplicates.any:
            self._pass(facts, Listener(self._duplicates, allowed))
        teller = Teller(self._channel, catalogue, self._duplicates, allowed, levels)
        stopped: Sequence[Fault] = ()
        try:
            self._tell_of_sheets(teller)
            self._pass(facts, teller)
        except Unreadable as wrong:  # more is wrong than can be told: what was read is told
            stopped = wrong.faults
        if not teller.rows and not stopped:
            stopped = Unreadable("empty-file").faults
        teller.end()
        for fault in stopped:
            self._channel.send(fault)
        return End(teller.rows, teller.cells)

    def _survey(self) -> tuple[Style, list[int]]:
        """Make the first pass; return how the file writes, and how many rows the tables have."""
        proofs = Proofs(self._order.catalogue, self._order.locale)
        about, cells = [], 0
        for number, table in enumerate(self._tables):
            rows = 0
            for row, said in self._rows(number):
                rows += 1
                if not rows % _OFTEN:
                    self._channel.alive(rows)
                    if rows > MOST_ROWS:
                        raise Unreadable("too-many-rows", most=MOST_ROWS)
                table.survey(row, said, proofs, self._duplicates)
            cells += rows * max(len(table.plan.targets), 1)
            about.append(rows)
            if sum(about) > MOST_ROWS:
                raise Unreadable("too-many-rows", most=MOST_ROWS)
            if cells > MOST_CELLS:
                raise Unreadable("too-many-cells", most=MOST_CELLS)
        return proofs.style(), about

    def _rows(self, number: int) -> Iterator[tuple[int, Row]]:
        """Return the rows of a table below its header; those of sheets get the width of it."""
        opened = self._opened[number]
        last = opened.layout.last
        rows = itertools.dropwhile(lambda one: one[0] <= last, opened.rows())
        return self._fitted(number) if opened.book else rows

    def _fitted(self, number: int) -> Iterator[tuple[int, Row]]:
        opened, table = self._opened[number], self._tables[number]
        width, last = table.width, opened.layout.last
        for row, cells in self._merging[number].over(opened.rows()):
            if row > last:
                yield row, _fitted(opened, row, cells, width) if len(cells) != width else cells

    def _resolved(self) -> list[tuple[int, int] | None]:
        """Ask the parent for the units of all places."""
        places, units = self._book.places, []
        for first in range(0, len(places), PLACES_TOGETHER):
            units += self._channel.ask(first, places[first : first + PLACES_TOGETHER])
        return units

    def _allowed(
        self, units: Sequence[tuple[int, int] | None]
    ) -> tuple[list[int], list[str | None]]:
        """Return for each place the indicators of its level as bits, and its level."""
        numbers = {one.code: index for index, one in enumerate(self._order.catalogue)}
        names = list(self._order.measured)
        bits = [
            sum(1 << numbers[code] for code in codes if code in numbers)
            for codes in self._order.measured.values()
        ]
        return (
            [0 if one is None else bits[one[1]] for one in units],
            [None if one is None else names[one[1]] for one in units],
        )

    def _pass(self, facts: FactReader, listener: Listener) -> None:
        for number, table in enumerate(self._tables):
            listener.begin(number, table.name)
            for seen, (row, cells) in enumerate(self._rows(number), 1):
                if not seen % _OFTEN:
                    self._channel.alive(listener.told)
                table.tell(row, cells, facts, listener)

    def _tell_of_sheets(self, teller: Teller) -> None:
        """Tell what is to be known of the sheets, and of those that are not read."""
        for code, name in self._skipped:
            text = note(code)
            self._channel.send(Note(code, text.vi, text.en, name))
        for number, opened in enumerate(self._opened):
            teller.begin(number, opened.sheet)
            if opened.layout.numbering is not None:
                teller.note("numbering-row", opened.layout.numbering, None)
            for place in opened.plan.unused:
                teller.note("column-not-used", opened.layout.row, opened.plan.columns[place])
            for row in self._merging[number].filled:
                teller.note("merged-cells", row, None)
            if opened.book is None:
                continue
            if opened.book.formulas:
                teller.note_several(
                    "formula-value", opened.book.first_formula, opened.book.formulas
                )
            if opened.book.hidden_rows or opened.book.hidden_columns:
                teller.note("hidden-rows", opened.book.first_hidden, None)


def _told(opened: Opened, style: Style, about: int) -> Table:
    return Table(
        opened.format,
        opened.packed,
        style.locale,
        opened.plan.form,
        opened.layout.row,
        opened.plan.columns,
        opened.plan.meaning,
        opened.encoding,
        opened.delimiter,
        opened.sheet,
        opened.template.identity if opened.template else None,
        about,
    )


def _fitted(opened: Opened, row: int, cells: Row, width: int) -> Row:
    """Return a row of a sheet as wide as its table; raise Unreadable for values beside it."""
    beside = next((n for n in range(width, len(cells)) if not is_blank(cells[n])), None)
    if beside is not None:
        units = [opened.plan.words[word] for word in ("unit", "name") if word in opened.plan.words]
        if not isinstance(cells[beside], str) or not all(is_blank(cells[one]) for one in units):
            raise Unreadable("unnamed-column", row, opened.sheet, letters(beside))
        if all(map(is_blank, cells[:width])):  # words beside the table, told as such
            return [cells[beside], *[None] * (width - 1)]
    return [*cells[:width], *[None] * (width - len(cells))]
