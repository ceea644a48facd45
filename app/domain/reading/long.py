"""Tables of the long form: a row is one value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from app.domain.reading.cells import Cell, Complaint, Odd, Row, is_blank, text_of
from app.domain.reading.duplicates import Duplicates
from app.domain.reading.facts import FactReader
from app.domain.reading.frames import Measure
from app.domain.reading.places import complaint
from app.domain.reading.plan import FACT, Plan
from app.domain.reading.proofs import Proofs
from app.domain.reading.rowwise import LOST, Key, Readers, Rowwise, getter, remember, value_of
from app.domain.reading.telling import Listener, Value

_VALUES: Final = ("value", "numerator", "denominator")
_MALFORMED: Final = "malformed-json"


class LongTable(Rowwise):
    """Reads the rows of one table of the long form."""

    def __init__(
        self, plan: Plan, name: str | None, readers: Readers, catalogue: Sequence[Measure]
    ) -> None:
        super().__init__(plan, name, readers)
        self._catalogue = catalogue
        self._fact_words = [word for word in FACT if word in plan.words]
        self._fact_of = getter([plan.words[word] for word in self._fact_words])
        self._bits: dict[Key, int] = {}
        self._values: dict[Key, Value] = {}
        self._indicators: dict[Cell, int | Complaint] = {}
        value = "value" if "value" in plan.words else "numerator"
        self._headed: Mapping[str, str] = dict(self.columns) | {
            word: plan.heading(word if word in plan.words else value) for word in FACT
        }

    def survey(self, row: int, cells: Row, proofs: Proofs, duplicates: Duplicates) -> None:
        """Look at a row for what it proves; its place gets its number."""
        if len(cells) != self.width:
            return
        key = self.place_of(cells)
        place = self.place(key)
        fact = self._fact_of(cells)
        bit = self._bits.get(fact)
        if bit is None:
            bit = self._look(row, fact, proofs)
        if place.__class__ is int:
            self.check_header(row, key, cells)
            if bit and place >= 0:
                self.last_value = row
                duplicates.mark(place, bit)
            if self.plan.unnamed:
                self.check_unnamed(row, cells)

    def _look(self, row: int, fact: Key, proofs: Proofs) -> int:
        """Return the indicator of a row as a bit; 0 where there is none, or no value."""
        cells = dict(zip(self._fact_words, fact, strict=True))
        index = self._indicator(cells.get("indicator"))
        bit = 0
        if isinstance(index, int):
            proofs.look(row, index, cells.get("value"))
            if self._catalogue[index].kind == "ratio":
                proofs.look_at_count(cells.get("numerator"))
                proofs.look_at_count(cells.get("denominator"))
            bit = 0 if all(is_blank(cells.get(word)) for word in _VALUES) else 1 << index
        return remember(self._bits, fact, bit)

    def tell(self, row: int, cells: Row, facts: FactReader, listener: Listener) -> None:
        """Tell what a row says, or all that is wrong with it."""
        if len(cells) != self.width:
            if self.passed_over(row, cells, None, listener):
                return
            cells = [*cells, *[None] * self.width][: self.width]
        place = self.place(self.place_of(cells))
        fact = self._fact_of(cells)
        value = self._values.get(fact)
        if value is None:
            value = self._value(fact, facts)
        origin = self.origin(cells)
        if (
            value.said is not None
            and place.__class__ is int
            and origin.__class__ is tuple
            and place >= 0
        ):
            listener.rows += 1
            listener.good(row, place, value, origin)
            return
        self._poor(row, cells, place, value, origin, listener)

    def _poor(
        self,
        row: int,
        cells: Row,
        place: int | tuple[Complaint, ...],
        value: Value,
        origin: object,
        listener: Listener,
    ) -> None:
        """Tell a row that is no good value."""
        if isinstance(cells[0], Odd) and cells[0].code == _MALFORMED:
            listener.rows += 1
            listener.poor(row, (complaint("", _MALFORMED, cells[0]),), [LOST], (), self.columns)
            return
        if self.passed_over(row, cells, place, listener):
            return
        listener.rows += 1
        said = dict(zip(self._fact_words, self._fact_of(cells), strict=True))
        written = [cell for cell in said.values() if not is_blank(cell)]
        if not written or self.signed(row, place, written, listener):
            only = next(cell for cell in cells if not is_blank(cell))
            listener.note("text-row", row, None, text_of(only)[:60])
            return
        wrong = origin if isinstance(origin, list) else []
        listener.poor(row, place, [value], wrong, self.columns)

    def _value(self, fact: Key, facts: FactReader) -> Value:
        """Read the value of a row."""
        cells = dict(zip(self._fact_words, fact, strict=True))
        index = self._indicator(cells.get("indicator"))
        if isinstance(index, Complaint):
            value = Value(None, None, (index,), self._headed)
        else:
            read = facts.read(index, *(cells.get(word) for word in _VALUES))
            value = value_of(index, read, self._headed)
        return remember(self._values, fact, value)

    def _indicator(self, cell: Cell) -> int | Complaint:
        """Return the indicator that a cell names by code or name."""
        known = self._indicators.get(cell)
        if known is None:
            found = self.headings.indicator(text_of(cell))
            if is_blank(cell):
                known = complaint("indicator", "missing-cell")
            elif len(found) == 1:
                known = found[0]
            else:
                code = "ambiguous-indicator" if found else "unknown-indicator"
                known = complaint("indicator", code, cell)
            remember(self._indicators, cell, known)
        return known

    def values_in(self, cells: Row) -> int:
        """Return how many values a row has."""
        return 1
