"""The rows of a list: read strictly, compared with what the list says of itself, nothing mended.

No message repeats a name, nor anything else that stands where a name may stand.
"""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from app.domain.refusals import Complaint, Refused
from app.rules.errors import Text

MOST: Final = 100_000
MOST_TOLD: Final = 100
LARGEST: Final = 10**9
MARK: Final = 8  # bytes of the mark of a name
LONGEST: Final = {"name": 200, "note": 500}


class Row(msgspec.Struct, frozen=True, array_like=True):
    """A row of a form: its number as written, a name, a note."""

    number: int | None
    name: str
    note: str | None


class Listed(msgspec.Struct, frozen=True):
    """A list as it was handed in; `total` is what its last line says."""

    rows: Sequence[Row]
    total: int | None

    def digest(self, key: bytes) -> str:
        """Return what tells this list from others, and nothing about names without the key."""
        content = msgspec.json.encode([self.rows, self.total])
        return hmac.new(key, content, hashlib.sha256).hexdigest()

    def repeated(self) -> list[int]:
        """Return which rows (from 1) have a name that stands in a row above."""
        seen: set[str] = set()
        found = []
        for place, row in enumerate(self.rows, 1):
            name = row.name.casefold()
            if name in seen:
                found.append(place)
            seen.add(name)
        return found

    def marks(self, key: bytes) -> bytes:
        """Return a mark of each name, by which parts of a slot find names that stand in several.

        Without the key nobody can tell whose mark it is.
        """
        return b"".join(
            hmac.digest(key, row.name.casefold().encode(), "sha256")[:MARK] for row in self.rows
        )

    def contradictions(self) -> Iterator[tuple[str, Text]]:
        """Yield where the list contradicts itself; it is kept as it was handed in."""
        if self.total not in (None, len(self.rows)):
            yield "total-differs-from-rows", TOTAL_DIFFERS
        numbers = [row.number for row in self.rows if row.number is not None]
        if len(set(numbers)) < len(numbers):
            yield "repeated-numbers", NUMBERS_REPEATED


def repeated_before(lists: Sequence[bytes]) -> list[int]:
    """Return of each part's marks how many of its names stand in a part before it, each once."""
    seen: set[bytes] = set()
    found = []
    for marks in lists:
        own = {marks[first : first + MARK] for first in range(0, len(marks), MARK)}
        found.append(len(own & seen))
        seen |= own
    return found


class Collector:
    """Collects the rows of a list, and what is wrong with them."""

    def __init__(self) -> None:
        self._rows: list[Row] = []
        self._complaints: list[Complaint] = []

    def add(self, where: str, number: int | None, name: Any, note: Any) -> None:
        """Add a row that stands at a place of what was sent; raise Refused for too many."""
        if len(self._rows) >= MOST:
            raise Refused([Complaint("", "too-many-rows", TOO_MANY)])
        row = Row(
            number,
            self._line(f"{where}/name", "name", name) or "",
            self._line(f"{where}/note", "note", note),
        )
        if not row.name and isinstance(name, str) and not name.strip():
            self.complain(f"{where}/name", NO_NAME)
        self._rows.append(row)

    def complain(self, where: str, message: Text) -> None:
        """Say what is wrong at a place; raise Refused where enough is."""
        self._complaints.append(Complaint(where, "invalid-rows", message))
        if len(self._complaints) >= MOST_TOLD:
            raise Refused(self._complaints)

    def listed(self, total: int | None) -> Listed:
        """Return the list; raise Refused with everything that is wrong."""
        if self._complaints:
            raise Refused(self._complaints)
        if not self._rows and total != 0:
            raise Refused([Complaint("", "invalid-rows", EMPTY)])
        return Listed(tuple(self._rows), total)

    def _line(self, where: str, column: str, value: Any) -> str | None:
        """Return text on one line in NFC; None where there is none, or it is wrong."""
        if value is None and column == "note":
            return None
        if not isinstance(value, str):
            self.complain(where, NO_TEXT)
            return None
        line = " ".join(unicodedata.normalize("NFC", value).split())
        if not line.isprintable():
            self.complain(where, UNSEEN)
            return None
        if len(line) > LONGEST[column]:
            self.complain(where, TOO_LONG[column])
            return None
        return line or None


def is_number(value: object) -> bool:
    """Tell whether a row can have this number."""
    return type(value) is int and 1 <= value <= LARGEST


TOO_MANY: Final = Text(
    f"danh sách có hơn {MOST:,} dòng; hãy chia theo khu dân cư (part)".replace(",", "."),
    f"the list has more than {MOST:,} rows; split it by parts (part)",
)
EMPTY: Final = Text(
    "danh sách không có dòng nào; nếu đúng là không có ai, hãy ghi tổng cộng là 0",
    "the list has no rows; if there is nobody to be listed, state a total of 0",
)
NO_NAME: Final = Text("dòng này thiếu tên; hãy ghi tên", "the row has no name; give it")
NO_TEXT: Final = Text("phải là chữ", "must be text")
UNSEEN: Final = Text(
    "có ký tự điều khiển hoặc ký tự ẩn; hãy bỏ chúng",
    "contains control or invisible characters; remove them",
)
TOO_LONG: Final = {
    column: Text(f"dài quá {most} ký tự; hãy rút ngắn", f"has more than {most} characters")
    for column, most in LONGEST.items()
}
NO_NUMBER: Final = Text(
    "số thứ tự phải là số nguyên từ 1", "the number of a row must be an integer from 1"
)
NO_TOTAL: Final = Text(
    "tổng cộng phải là số nguyên từ 0, hoặc để trống",
    "the total must be an integer from 0, or left out",
)
TOTAL_DIFFERS: Final = Text(
    "tổng cộng ghi trong danh sách khác số dòng; hãy kiểm tra rồi nộp lại nếu sai",
    "the total that the list states differs from its rows; check it, and send it again if wrong",
)
NUMBERS_REPEATED: Final = Text(
    "có số thứ tự bị lặp lại; hãy kiểm tra xem có dòng thừa không",
    "a number of a row stands twice; check whether a row is one too many",
)
