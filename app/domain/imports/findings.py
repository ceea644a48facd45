"""What is found in a file: how many values become what, and what is wrong, grouped by cause.

A cause is told once, with the rows it concerns: one thing wrong in ten thousand rows is one thing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from app.rules.errors import Text

MOST_ROWS: Final = 100  # rows of a cause that the report names; the others are counted
MOST_CAUSES: Final = 500  # of a code, that have texts of their own
MOST_REJECTED: Final = 100_000  # rows whose cells and reasons are kept
MOST_REASONS: Final = 20  # of a row, that are kept
NOT_KEPT: Final = "refused-rows-not-kept"
STOPPED: Final = "too-many-bad-rows"  # the one fault before which something was read


class Where(msgspec.Struct, frozen=True):
    """A place in a file: sheet, row as the sheet or an editor counts it, heading of the column."""

    sheet: str | None = None
    row: int | None = None
    column: str | None = None


class Cause(msgspec.Struct):
    """One thing wrong, or to be told of; the rows it was seen in, as far as they are named."""

    code: str
    column: str | None
    sheet: str | None
    message: Text
    sample: str | None
    rows: list[int] = msgspec.field(default_factory=list)
    count: int = 0
    last: int | None = None

    def seen(self, row: int | None, times: int = 1) -> None:
        """Note a row in which it was seen; the same row again is no other one."""
        if row is not None and row == self.last:
            return
        self.last, self.count = row, self.count + times
        if row is not None and len(self.rows) < MOST_ROWS:
            self.rows.append(row)

    def shown(self) -> dict[str, Any]:
        """Return it as the report shows it, in both languages."""
        return {
            "code": self.code,
            "column": self.column,
            "sheet": self.sheet,
            "message": {"vi": self.message.vi, "en": self.message.en},
            "rows": self.rows,
            "count": self.count,
            "sample": self.sample,
        }


# A cause, and what stands in the row where that says more than the row itself.
Reason = Cause | tuple[Cause, str]


class Causes:
    """Things of one kind (conflicts, warnings), each once, in the order in which they were met."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str | None, str | None, str | None], Cause] = {}
        self._texts: dict[tuple[str, str | None, str | None], int] = {}

    def __iter__(self) -> Iterator[Cause]:
        """Yield every cause."""
        return iter(self._known.values())

    def add(
        self, code: str, message: Text, where: Where, sample: str | None = None, times: int = 1
    ) -> Cause:
        """Note that something was seen; return its cause."""
        kind = (code, where.column, where.sheet)
        known = self._known.get((*kind, message.vi))
        if known is None:
            texts = self._texts[kind] = self._texts.get(kind, 0) + 1
            if texts > MOST_CAUSES:
                known = self._known.setdefault((*kind, None), Cause(*kind, _OTHERS, None))
            else:
                known = self._known[*kind, message.vi] = Cause(*kind, message, sample)
        known.seen(where.row, times)
        return known


class Findings:
    """All that is found in a file."""

    def __init__(self) -> None:
        self.conflicts, self.warnings = Causes(), Causes()
        self.created = self.superseded = self.unchanged = self.skipped = self.rejected = 0
        self.faults: list[str] = []
        self.rejections: dict[tuple[str | None, int], list[Reason]] = {}
        self._left_out: dict[str | None, bytearray] = {}  # rows that are not kept, a bit each

    def reject(
        self,
        code: str,
        message: Text,
        where: Where,
        cells: int,
        sample: str | None = None,
        *,
        plain: bool = False,
    ) -> None:
        """Note what is wrong in a row, and how many more values are lost by it.

        What is `plain` is seen in the row itself: its sample is not kept for each.
        """
        self.rejected += cells
        cause = self.conflicts.add(code, message, where, sample)
        key = (where.sheet, where.row or 0)
        if key not in self.rejections and len(self.rejections) >= MOST_REJECTED:
            self._leave_out(*key)
            return
        reasons = self.rejections.setdefault(key, [])
        if len(reasons) < MOST_REASONS:
            reasons.append(cause if plain or sample is None else (cause, sample))
        elif len(reasons) == MOST_REASONS:
            reasons.append(_MORE)

    def _leave_out(self, sheet: str | None, row: int) -> None:
        rows = self._left_out.setdefault(sheet, bytearray())
        byte, bit = divmod(row, 8)
        rows.extend(bytes(max(byte + 1 - len(rows), 0)))
        rows[byte] |= 1 << bit

    def complete(self) -> None:
        """Tell how many refused rows are not kept."""
        left_out = sum(int.from_bytes(rows).bit_count() for rows in self._left_out.values())
        if left_out:
            text = _LEFT_OUT.format(most=MOST_REJECTED, count=left_out)
            self.warnings.add(NOT_KEPT, text, Where(), None, left_out)

    def fault(self, code: str, message: Text, where: Where, sample: str | None = None) -> None:
        """Note why the file as a whole is refused; then nothing is said of its values.

        Only a file that has too many faults of values was read: as far as it says.
        """
        self.faults.append(code)
        self.conflicts.add(code, message, where, sample)
        if code != STOPPED:
            self.created = self.superseded = self.unchanged = self.skipped = self.rejected = 0
            self.rejections.clear()
            self._left_out.clear()

    def counts(self) -> dict[str, int]:
        """Return how many values became what; `superseded` are some of those created."""
        return {
            "created": self.created,
            "unchanged": self.unchanged,
            "superseded": self.superseded,
            "skipped": self.skipped,
            "rejected": self.rejected,
        }


_LEFT_OUT: Final = Text(
    "chỉ lưu {most} dòng bị từ chối đầu tiên; {count} dòng khác không được lưu: hãy sửa và gửi lại "
    "các dòng đã lưu, rồi gửi lại cả tệp",
    "only the first {most} refused rows are kept; {count} further rows are not: mend the kept ones "
    "and send them again, then the whole file",
)
_OTHERS: Final = Text(
    "các lỗi khác cùng loại; xem lý do của từng dòng trong rejected.csv",
    "more of the same kind; the reason of each row stands in rejected.csv",
)
_MORE: Final = Cause(
    "further-reasons",
    None,
    None,
    Text(
        "dòng này còn lỗi khác; hãy sửa các lỗi đã nêu rồi gửi lại",
        "there is more wrong in this row; mend what is named and send it again",
    ),
    None,
)
