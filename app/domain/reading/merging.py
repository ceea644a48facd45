"""Merged cells: what names a row holds for all rows of its block, a value for the first alone.

Words across the columns of a table (a section, a note, a signature) are nobody's value.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from app.domain.reading.cells import Cell, Odd, Row
from app.domain.reading.outline import Block
from app.domain.reading.plan import ORIGIN, PLACE, Plan
from app.domain.reading.words import is_words


class Merging:
    """Lays the blocks of a sheet over its rows. `first` is the first row that was filled down."""

    def __init__(self, blocks: Sequence[Block], plan: Plan, last_heading: int) -> None:
        self._blocks = [one for one in blocks if one[2] > last_heading]
        self._labels = {
            plan.words[word] for word in (*PLACE, *ORIGIN, "indicator") if word in plan.words
        }
        self._values = {place for target in plan.targets for place in target.columns} | {
            plan.words[word] for word in ("value", "numerator", "denominator") if word in plan.words
        }
        self.filled: list[int] = []

    def over(self, rows: Iterator[tuple[int, Row]]) -> Iterator[tuple[int, Row]]:
        """Yield the rows with the blocks laid over them."""
        waiting = iter(self._blocks)
        coming = next(waiting, None)
        open_: list[tuple[Block, Cell]] = []
        self.filled.clear()
        for number, cells in rows:
            open_ = [one for one in open_ if one[0][2] >= number]
            while coming is not None and coming[0] <= number:
                if coming[2] >= number:
                    kept = (
                        cells[coming[1]] if coming[1] < len(cells) and coming[0] == number else None
                    )
                    open_.append((coming, kept))
                    if self._fills(coming):
                        self.filled.append(number)
                coming = next(waiting, None)
            for block, kept in open_:
                self._lay(block, kept, number, cells)
            yield number, cells

    def _fills(self, block: Block) -> bool:
        return block[1] in self._labels and block[2] > block[0]

    def _lay(self, block: Block, kept: Cell, number: int, cells: Row) -> None:
        if block[1] in self._labels and number > block[0]:
            cells.extend([None] * (block[1] + 1 - len(cells)))
            cells[block[1]] = kept
        banner = block[0] == block[2] and is_words(kept)
        covered = None if banner else Odd("merged-value")
        for place in self._values:
            first = number == block[0] and place == block[1]
            if block[1] <= place <= block[3] and not first:
                cells.extend([None] * (place + 1 - len(cells)))
                cells[place] = covered
