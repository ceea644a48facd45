"""Lists that come as CSV or XLSX: the form as it is printed, filled in.

Above the heading stands whatever people put there; below the line with the total, or that for
signatures, the list is at its end. A row of the list that stands there is refused: it would be
lost in silence. Files are opened in the reading process alone.
"""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Any, Final

from app.domain.evidence import list_json, rows
from app.domain.evidence.rows import LARGEST, Collector, Listed
from app.domain.reading.frames import Fault, Order, Plain
from app.domain.reading.limited import reading
from app.domain.reading.plain import key
from app.domain.refusals import Complaint, Refused
from app.rules.errors import Text
from app.rules.forms import Form

Line = tuple[int, Sequence[str | None]]  # as a sheet or an editor counts it; null: unreadable
JSON: Final = "json"
_SEARCHED: Final = 50  # lines among which the heading must be
_MARGIN: Final = 200  # lines of a form that are no rows
_NUMBER: Final = re.compile(r"0*[1-9][0-9]{0,8}\.?")
_TOTAL: Final = re.compile(r"[0-9]{1,9}|[0-9]{1,3}(\.[0-9]{3}){1,2}")
_INTEGER: Final = re.compile(r"\s*[0-9]+[.)]?\s*")
# How else people call a total, as `key` returns it; “Tổng công ty” and “Cộng đồng” are names.
_SUM: Final = re.compile(r"(?=.*[0-9])([0-9]+ )?(tổng số\b.*|(tổng|cộng)([ :.]+[0-9].*)?)")
_CODES: Final = {"unsafe-file": "unsafe-file"}


async def read(file: IO[bytes], media: str, form: Form) -> tuple[Listed, Any]:
    """Return the list in a file, and on whose decision JSON says that it is sent.

    Raises MalformedJson, Refused, or Hindered where files cannot be read at the moment.
    """
    if media == JSON:
        return await asyncio.to_thread(lambda: list_json.read(_whole(file), form))
    lines = await _lines(file, media, form)
    return await asyncio.to_thread(of_lines, lines, form), None


def of_lines(lines: Iterable[Line], form: Form) -> Listed:
    """Return the list in the lines of a form; raise Refused with everything that is wrong."""
    left = iter(lines)
    collector = Collector()
    columns = _columns(left, form, collector)
    for line, cells in left:
        first = next((key(cell) for cell in cells if not _is_blank(cell)), None)
        if first is None:
            continue
        if first.startswith(key(form.total)):
            total = _total(line, cells, form, collector)
            _check_end(left, form, columns, collector)
            return collector.listed(total)
        if first in map(key, form.confirmed_by):
            _check_end(left, form, columns, collector, signed=True)
        elif _SUM.fullmatch(_words(cells)):
            collector.complain(f"/rows/{line}", _called(form))
        else:
            _add(collector, line, cells, columns)
    return collector.listed(None)


def _columns(lines: Iterator[Line], form: Form, collector: Collector) -> dict[str, int]:
    """Return where each column stands, and complain of rows above their headings.

    Raises Refused unless the columns are exactly those of the form.
    """
    named = _headings(form)
    names = {label for label, column in named.items() if column == "name"}
    above: list[Line] = []
    for line, cells in itertools.islice(lines, _SEARCHED):
        found = {place: key(cell) for place, cell in enumerate(cells) if not _is_blank(cell)}
        if names.isdisjoint(found.values()):
            above.append((line, cells))
            continue
        columns = {named.get(label, ""): place for place, label in found.items()}
        if len(columns) != len(found) or set(columns) != set(named.values()):
            break
        for early, one in above:
            if _is_row(one, columns):
                collector.complain(f"/rows/{early}", _ABOVE)
        return columns
    labels = ", ".join(f"“{one.label}”" for one in form.columns)
    message = Text(
        f"không thấy dòng tiêu đề có đúng các cột: {labels}; hãy dùng mẫu tải từ "
        "/v1/evidence-forms",
        f"there is no heading with exactly the columns {labels}; use the template from "
        "/v1/evidence-forms",
    )
    raise Refused([Complaint("", "wrong-columns", message)])


def _add(
    collector: Collector, line: int, cells: Sequence[str | None], columns: dict[str, int]
) -> None:
    """Add a line of the list; a line of which only the number is filled in says nothing."""
    where = f"/rows/{line}"
    if None in cells:
        collector.complain(where, _ODD)
        return
    said = {name: cells[at] or "" for name, at in columns.items() if at < len(cells)}
    places = set(columns.values())
    if any(not _is_blank(cell) for at, cell in enumerate(cells) if at not in places):
        collector.complain(where, _BESIDE)
        return
    name, note = said.get("name", ""), said.get("note", "")
    if _is_blank(name) and _is_blank(note):
        return
    number = said.get("number", "").strip()
    usable = _NUMBER.fullmatch(number) is not None
    if number and not usable:
        collector.complain(f"{where}/number", rows.NO_NUMBER)
    collector.add(where, int(number.rstrip(".")) if usable else None, name, note)


def _total(line: int, cells: Sequence[str | None], form: Form, collector: Collector) -> int | None:
    """Return what the last line of a list states, beside its words or after them."""
    stated = _words(cells)[len(key(form.total)) :].lstrip(" :")
    if not stated:
        return None
    number = int(stated.replace(".", "")) if _TOTAL.fullmatch(stated) else LARGEST + 1
    if number > LARGEST:
        collector.complain(f"/rows/{line}", rows.NO_TOTAL)
        return None
    return number


def _check_end(
    lines: Iterator[Line],
    form: Form,
    columns: dict[str, int],
    collector: Collector,
    *,
    signed: bool = False,
) -> None:
    """Complain of rows below the total, where nobody looks for them; signatures may follow."""
    named, signatures = _headings(form), set(map(key, form.confirmed_by))
    for line, cells in lines:
        said = {key(cell) for cell in cells if not _is_blank(cell)}
        signed = signed or not said.isdisjoint(signatures)
        headings = {named[one] for one in said if one in named}
        # “Họ và tên:” alone may stand above who signs.
        if len(headings) >= min(2, len(columns)) or _words(cells).startswith(key(form.total)):
            collector.complain(f"/rows/{line}", _ANOTHER)
        elif _is_row(cells, columns):
            collector.complain(f"/rows/{line}", _LATE)
        elif said and not signed:
            collector.complain(f"/rows/{line}", _BELOW)


def _is_row(cells: Sequence[str | None], columns: dict[str, int]) -> bool:
    """Tell whether a line outside the list has a number and a name; an unreadable cell may be."""
    if "number" not in columns:
        return False
    number, name = (
        cells[at] if at < len(cells) else "" for at in (columns["number"], columns["name"])
    )
    return (number is None or _INTEGER.fullmatch(number) is not None) and not _is_blank(name)


def _words(cells: Sequence[str | None]) -> str:
    """Return what a line says, cell after cell, as `key` does."""
    return " ".join("?" if one is None else key(one) for one in cells if not _is_blank(one))


async def _lines(file: IO[bytes], media: str, form: Form) -> list[Line]:
    """Return the lines of a file, as the reading process tells them."""
    found: list[Line] = []
    faults: list[Fault] = []
    order = Order((), {}, media=media, plain=tuple(_headings(form)))
    async with reading(file, order) as read_:
        async for frame in read_.frames():
            if isinstance(frame, Plain):
                found += frame.rows
                if len(found) > rows.MOST + _MARGIN:
                    raise Refused([Complaint("", "too-many-rows", rows.TOO_MANY)])
            elif isinstance(frame, Fault):
                faults.append(frame)
    if faults:
        raise _refused(faults)
    return found


def _headings(form: Form) -> dict[str, str]:
    """Return the columns of a form by their headings, in the ways in which they may be written."""
    return {key(label): one.column for one in form.columns for label in (one.label, *one.also)}


def _refused(faults: Sequence[Fault]) -> Refused:
    """Return why a file is refused; what encoding it has cannot be stated here."""
    return Refused(
        Complaint(
            "" if one.row is None else f"/rows/{one.row}",
            _CODES.get(one.code, "invalid-file"),
            _NOT_UTF_8 if one.code == "unknown-encoding" else Text(one.vi, one.en),
        )
        for one in faults
    )


def _called(form: Form) -> Text:
    """Return what to write in a line that states a total in other words than the form."""
    return Text(
        f"dòng này có vẻ là dòng tổng; biểu mẫu ghi “{form.total}”, hãy ghi đúng như vậy",
        f"this looks like the total; the form calls it “{form.total}”, write exactly that",
    )


def _whole(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


def _is_blank(cell: str | None) -> bool:
    return cell is not None and not cell.strip()


_ODD: Final = Text(
    "ô có lỗi hoặc công thức chưa có kết quả; hãy ghi giá trị",
    "a cell is an error, or a formula without its result; write the value",
)
_BESIDE: Final = Text(
    "có chữ ngoài các cột của biểu mẫu; hãy chuyển vào cột ghi chú hoặc xoá",
    "something stands beside the columns of the form; move it into the notes, or remove it",
)
_BELOW: Final = Text(
    "có nội dung dưới dòng tổng cộng; hãy chuyển lên trên hoặc xoá",
    "something stands below the line of the total; move it up, or remove it",
)
_ABOVE: Final = Text(
    "dòng có số thứ tự và tên đứng trên dòng tiêu đề; hãy chuyển mọi dòng của danh sách xuống dưới "
    "dòng tiêu đề, hoặc xoá",
    "a line with a number and a name stands above the heading; put all rows of the list below the "
    "heading, or remove it",
)
_LATE: Final = Text(
    "dòng có số thứ tự và tên đứng dưới dòng tổng cộng hoặc dòng ký; hãy chuyển mọi dòng của danh "
    "sách lên trên, hoặc xoá; mỗi phần (part) gửi một danh sách riêng",
    "a line with a number and a name stands below the total or the signatures; put all rows of the "
    "list above them, or remove it; send one list for each part (part)",
)
_ANOTHER: Final = Text(
    "thêm một dòng tiêu đề hoặc dòng tổng cộng ở dưới chỗ danh sách đã hết; hãy gộp thành một danh "
    "sách với một dòng tổng cộng ở cuối, hoặc gửi riêng từng phần (part)",
    "one more heading or total stands below the end of the list; make it one list with one total "
    "at its end, or send one list for each part (part)",
)
_NOT_UTF_8: Final = Text(
    "tệp không phải UTF-8; hãy lưu dạng “CSV UTF-8” hoặc .xlsx rồi gửi lại",
    "the file is not UTF-8; save it as “CSV UTF-8” or .xlsx and send it again",
)
