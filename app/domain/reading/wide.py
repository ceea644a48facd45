"""Tables of the wide form: a row is a unit, a column an indicator or a part of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from app.domain.reading.cells import Cell, Complaint, Row, is_blank, text_of
from app.domain.reading.duplicates import Duplicates
from app.domain.reading.facts import FactReader
from app.domain.reading.plan import Plan, Target
from app.domain.reading.proofs import Proofs
from app.domain.reading.rowwise import TOTAL, Readers, Rowwise, remember, value_of
from app.domain.reading.telling import Listener, Value
from app.domain.reading.words import is_words

Parts = tuple[Cell, Cell, Cell]


class WideTable(Rowwise):
    """Reads the rows of one table of the wide form."""

    def __init__(self, plan: Plan, name: str | None, readers: Readers) -> None:
        super().__init__(plan, name, readers)
        self._values: dict[tuple[int, Parts], Value] = {}
        self._headed: list[Mapping[str, str]] = [
            dict(self.columns) | _headed(plan, target) for target in plan.targets
        ]

    def _said(self, cells: Row) -> list[tuple[int, Target, Parts]]:
        """Return the values of a row: a blank cell says nothing."""
        found = []
        for number, target in enumerate(self.plan.targets):
            value, numerator, denominator = (
                None if place is None else cells[place]
                for place in (target.value, target.numerator, target.denominator)
            )
            if not (is_blank(value) and is_blank(numerator) and is_blank(denominator)):
                found.append((number, target, (value, numerator, denominator)))
        return found

    def survey(self, row: int, cells: Row, proofs: Proofs, duplicates: Duplicates) -> None:
        """Look at a row for what it proves; its place gets its number where it has values."""
        if len(cells) != self.width:
            return
        said = self._said(cells)
        if not said:
            return
        key = self.place_of(cells)
        place = self.place(key)
        if not isinstance(place, int) or place < 0:
            return
        self.check_header(row, key, cells)
        if not all(is_words(cell) for cell in _written(said)):
            self.last_value = row
        for _, target, (value, numerator, denominator) in said:
            proofs.look(row, target.indicator, value, scaled=target.percent)
            proofs.look_at_count(numerator)
            proofs.look_at_count(denominator)
            duplicates.mark(place, 1 << target.indicator)
        if self.plan.unnamed:
            self.check_unnamed(row, cells)

    def tell(self, row: int, cells: Row, facts: FactReader, listener: Listener) -> None:
        """Tell what a row says, or all that is wrong with it."""
        if len(cells) != self.width:
            if self.passed_over(row, cells, None, listener):
                return
            cells = [*cells, *[None] * self.width][: self.width]
        said = self._said(cells)
        place = self.place(self.place_of(cells))
        if not said:
            self._empty(row, cells, place, listener)
            return
        values = [self._value(number, target, parts, facts) for number, target, parts in said]
        odd = isinstance(place, tuple) or place == TOTAL or any(one.wrong for one in values)
        if odd and self.passed_over(row, cells, place, listener):
            return
        if odd and self.signed(row, place, _written(said), listener):
            listener.rows += 1
            listener.note("text-row", row, None, _first(cells))
            return
        origin = self.origin(cells)
        listener.rows += 1
        if isinstance(place, tuple) or isinstance(origin, list):
            if isinstance(place, tuple) and self._only_text(place, values):
                listener.note("text-row", row, None, _first(cells))
                return
            wrong = origin if isinstance(origin, list) else []
            listener.poor(row, place, values, wrong, self.columns)
            return
        bad = [value for value in values if value.wrong]
        if bad:
            known = len(bad) < len(values)  # else nothing tells that the unit is none as well
            listener.poor(row, () if known else place, bad, (), self.columns)
        for value in values:
            if value.said is not None:
                listener.good(row, place, value, origin)

    def _empty(
        self, row: int, cells: Row, place: int | tuple[Complaint, ...], listener: Listener
    ) -> None:
        """Pass over a row without values; one that is no unit's is told."""
        if self.passed_over(row, cells, place, listener):
            return
        listener.rows += 1
        said = sum(not is_blank(cell) for cell in cells)
        if said == 1 or isinstance(place, tuple):
            listener.note("text-row", row, None, _first(cells))

    @staticmethod
    def _only_text(place: tuple[Complaint, ...], values: list[Value]) -> bool:
        """Tell whether a row names no unit and has nothing that could be a value: signatures."""
        nameless = any(one.code == "no-unit" for one in place)
        return nameless and all(
            any(
                one.code in ("not-a-number", "not-a-truth", "unknown-member") for one in value.wrong
            )
            for value in values
        )

    def _value(self, number: int, target: Target, parts: Parts, facts: FactReader) -> Value:
        """Read a value."""
        key = number, parts
        known = self._values.get(key)
        if known is None:
            read = facts.read(target.indicator, *parts, scaled=target.percent)
            value = value_of(target.indicator, read, self._headed[number])
            known = remember(self._values, key, value)
        return known

    def values_in(self, cells: Row) -> int:
        """Return how many values a row has."""
        return len(self._said([*cells, *[None] * self.width]))


def _headed(plan: Plan, target: Target) -> dict[str, str]:
    first = plan.columns[target.columns[0]]
    parts = {
        "value": target.value, "numerator": target.numerator, "denominator": target.denominator
    }  # fmt: skip
    return {"indicator": first} | {
        part: first if place is None else plan.columns[place] for part, place in parts.items()
    }


def _written(said: Sequence[tuple[int, Target, Parts]]) -> Iterator[Cell]:
    """Yield the cells that the values of a row are written in."""
    return (cell for _, _, parts in said for cell in parts if not is_blank(cell))


def _first(cells: Row) -> str:
    return text_of(next(cell for cell in cells if not is_blank(cell)))[:60]
