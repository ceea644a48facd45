"""A CSV file of the long form as a table: its columns, its cells, and where they do not fit.

UTF-8 with or without a byte order mark, comma or semicolon; the first line names the columns.
"""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterator
from typing import Final

import msgspec

from app.rules.errors import Text
from app.rules.facts import printable

COLUMNS: Final = (
    "unit", "on", "period", "indicator", "value", "numerator", "denominator",
    "source", "measured_on", "note",
)  # fmt: skip


class RowComplaint(msgspec.Struct, frozen=True):
    """One thing wrong in the file: the line as an editor counts it, the column, the remedy."""

    line: int
    column: str
    code: str
    message: Text


def read_cells(
    content: bytes, complaints: list[RowComplaint]
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line, cells by column); a file that is no such table is one complaint."""
    try:
        text = unicodedata.normalize("NFC", content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        message = Text(
            "tệp không phải UTF-8; hãy lưu lại dạng CSV UTF-8",
            "the file is not UTF-8; save it as CSV UTF-8",
        )
        complaints.append(RowComplaint(line, "", "not-utf-8", message))
        return
    head = text.split("\n", 1)[0]
    delimiter = ";" if head.count(";") > head.count(",") else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        if not _good_header(header, complaints):
            return
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                message = Text(
                    f"dòng có {len(cells)} ô, cần {len(header)}; kiểm tra dấu phân cách",
                    f"the row has {len(cells)} cells, {len(header)} are needed; check separators",
                )
                complaints.append(RowComplaint(reader.line_num, "", "wrong-cell-count", message))
                continue
            stripped = (cell.strip() for cell in cells)
            yield reader.line_num, dict(zip(header, stripped, strict=True))
    except csv.Error:
        message = Text(
            "dòng không đúng dạng CSV; kiểm tra dấu nháy kép", "this is not CSV; check the quotes"
        )
        complaints.append(RowComplaint(reader.line_num, "", "not-csv", message))


def _good_header(header: list[str], complaints: list[RowComplaint]) -> bool:
    missing = [name for name in COLUMNS if name not in header]
    unknown = [name for name in header if name not in COLUMNS]
    repeated = sorted({name for name in header if name in COLUMNS and header.count(name) > 1})
    for name in missing:
        message = Text(
            f"thiếu cột “{name}”; thêm cột này (có thể để trống)",
            f"the column “{name}” is missing; add it (it may be left empty)",
        )
        complaints.append(RowComplaint(1, name, "missing-column", message))
    for name in unknown:
        shown, known = printable(name), ", ".join(COLUMNS)
        message = (
            _NO_NAME
            if not name
            else Text(
                f"không có cột “{shown}”; các cột: {known}",
                f"there is no column “{shown}”; columns are: {known}",
            )
        )
        complaints.append(RowComplaint(1, shown, "unknown-column", message))
    for name in repeated:
        message = Text(f"cột “{name}” bị lặp lại", f"the column “{name}” is given twice")
        complaints.append(RowComplaint(1, name, "repeated-column", message))
    return not (missing or unknown or repeated)


_NO_NAME: Final = Text(
    "có cột không tên ở dòng đầu; hãy xoá các cột trống ở cuối bảng rồi lưu lại",
    "there is a column without a name; delete the empty columns at the end and save again",
)
