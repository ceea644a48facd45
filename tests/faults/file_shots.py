"""Files of values with hostile cells: every text in every column, every fact in every key.

A process reads each file, so that as many rows stand in one as can: the report must name every one
of them. What no row can say is a file of its own.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import httpx
from hostile import TODAY_COMMUNE, VALUE, Operation

from faults.accepted import accepted
from faults.hostile_values import FEW, NO_TEXT, TEXTS, VALUES, Value, wholes
from faults.targets import Range, Shot, with_raw

# Where the files that are sent, and the rows that were refused, stay: whoever sent them reads them.
KEPT: Final = ("value_import", "value_import_rejection", "audit_entry", "audit_pending")
_NDJSON: Final = (("content-type", b"application/x-ndjson"),)
_FIRST: Final = 2026  # a year for every row: two values of one year contradict each other
_LONG: Final = "1 MB"
_LONGEST: Final = 200_000  # characters: a file that is larger is left to a job
# Columns that are known besides those of the good file: of the unit, or of files that the service
# has written itself.
_KNOWN: Final = frozenset({"code", "id", "level", "name", "reason", "recorded_at", "status"})
_NO_CELL: Final = frozenset({one.name for one in NO_TEXT} | {_LONG})
_NO_LINE: Final = frozenset({"raw NUL", "not UTF-8", "surrogate in UTF-8", _LONG})


class File(NamedTuple):
    """A file, and the lines on which what must be refused stands."""

    shot: Shot
    hostile: Mapping[int, str]


def files(arena: Range, route: Operation) -> Iterator[File]:
    """Yield every hostile file; each holds nothing that is right."""
    head, row = _table(route)
    for number, name in enumerate(head):
        yield _of_rows(route, name, [
            (one.name, _with(head, row, number, one.text, place))
            for place, one in enumerate(TEXTS)
            if one.name not in _NO_CELL and not accepted(route.name, f"csv:{name}", one.name)
        ])  # fmt: skip
    for key in VALUE:
        yield _of_lines(route, key, [
            (one.name, with_raw(_item(place), {(key,): one.raw}))
            for place, one in enumerate(VALUES)
            if one.name not in _NO_LINE and not accepted(route.name, f"line:{key}", one.name)
        ])  # fmt: skip
    yield from _no_rows(arena, route)


def right_files(route: Operation) -> Iterator[tuple[Shot, list[Value]]]:
    """Yield files of rows that are right, with the texts that must be read again."""
    head, row = _table(route)
    for number, name in enumerate(head):
        right = [one for one in TEXTS if accepted(route.name, f"csv:{name}", one.name)]
        rows = [_with(head, row, number, one.text, place) for place, one in enumerate(right)]
        if right:
            shot = Shot(f"csv:{name}", "all that is right", route.url(), _csv(head, rows))
            yield shot, right
    for key in VALUE:
        right = [one for one in VALUES if accepted(route.name, f"line:{key}", one.name)]
        lines = [with_raw(_item(place), {(key,): one.raw}) for place, one in enumerate(right)]
        if right:
            content = b"".join(line + b"\n" for line in lines)
            yield Shot(f"line:{key}", "all that is right", route.url(), content, _NDJSON), right


def columns(arena: Range, route: Operation) -> tuple[Shot, list[str]]:
    """Return a file that has the columns of every table besides its own, and their names."""
    head, row = _table(route)
    more = [one for one in arena.columns if one not in (*head, *_KNOWN)]
    content = _csv([*head, *more], [[*row, *("1" for _ in more)]])
    return Shot("csv:", "every column", route.url(), content), more


def told_of(answer: httpx.Response) -> tuple[set[int], set[str]]:
    """Return the rows and the columns that a report names as wrong."""
    causes = answer.json().get("conflicts", ())
    return {row for one in causes for row in one["rows"]}, {one["column"] for one in causes}


def _no_rows(arena: Range, route: Operation) -> Iterator[File]:
    """Yield what is refused as a whole, at no line in particular."""
    head, row = _table(route)
    found: list[Shot] = []
    for one in (*NO_TEXT, *(one for one in TEXTS if one.name == _LONG)):
        raw = one.text[:_LONGEST].encode("utf-8", "surrogatepass")
        content = _csv(head, [_with(head, row, len(head) - 3, "MARK", 0)]).replace(b"MARK", raw)
        found.append(Shot("csv:source", one.name, route.url(), content))
        found.append(Shot("csv:", f"a file of {one.name}", route.url(), raw))
    for one in (one for one in VALUES if one.name in _NO_LINE):
        raw = one.raw[:_LONGEST] + b'"' if one.name == _LONG else one.raw
        content = with_raw(_item(0), {("source",): raw})
        found.append(Shot("line:/source", one.name, route.url(), content, _NDJSON))
    few = {f"only {one.name}" for one in FEW}
    for name, content in wholes(b'{"values": []}'):
        if name in few or not name.startswith("only "):
            found.append(Shot("csv:", name, route.url(), content))
    yield from (File(one, {}) for one in found)


def _table(route: Operation) -> tuple[list[str], list[str]]:
    head, row = (line.split(",") for line in route.body.splitlines())
    return head, row


def _with(head: Sequence[str], row: Sequence[str], number: int, text: str, place: int) -> list[str]:
    """Return a row of a year of its own with another text in one cell."""
    cells = list(row)
    cells[head.index("on")], cells[head.index("period")] = "", str(_FIRST + place)
    cells[number] = text
    return cells


def _item(place: int) -> dict[str, Any]:
    """Return a value as a line says it, of a year of its own."""
    return {**VALUE, "unit": TODAY_COMMUNE, "on": None, "period": str(_FIRST + place)}


def _csv(head: Iterable[str], rows: Iterable[Iterable[str]]) -> bytes:
    written = io.StringIO()
    writer = csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return written.getvalue().encode("utf-8", "surrogatepass")


def _of_rows(route: Operation, name: str, rows: Sequence[tuple[str, list[str]]]) -> File:
    head, _ = _table(route)
    hostile, line = {}, 2
    for told, cells in rows:
        hostile[line] = told
        line += _csv(head, [cells]).count(b"\n") - 1
    content = _csv(head, [cells for _, cells in rows])
    return File(Shot(f"csv:{name}", "every text", route.url(), content), hostile)


def _of_lines(route: Operation, key: str, lines: Sequence[tuple[str, bytes]]) -> File:
    content = b"".join(line + b"\n" for _, line in lines)
    hostile = {number: told for number, (told, _) in enumerate(lines, 1)}
    return File(Shot(f"line:{key}", "every value", route.url(), content, _NDJSON), hostile)
