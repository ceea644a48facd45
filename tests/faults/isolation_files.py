"""Lists in whatever medium they come: what is on record for them, and what stands in an answer.

A row of a list is known by its id. Statistics have none: there a row is the unit with what is
counted of it, so that a number of somebody else's is a row that is not one's own.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from export_calls import cells, lines, records

from app.database import driver_of
from faults.direct import Reply
from faults.isolation_spots import FIRST, NATION, SECOND, SPOTS, reaches, sees
from faults.isolation_world import World

XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
COUNTED: Final = FIRST["commune"]  # the indicator that statistics add up
JUDGED: Final = "bnn3445.selection.smart"  # the ruleset whose verdicts they count
READ: Final = "bnn3445.annex1"  # a ruleset that reads the indicator
YEAR: Final = "2026"
_VALUES: Final = (
    "FROM current_value c JOIN value v ON v.id = c.value_id JOIN unit u ON u.id = v.unit_id "
    "WHERE c.status <> 'retracted'"
)
# Everything of territories that is on record, as the owner counts it: what names a row, its unit,
# and what it is of: an indicator, a ruleset, or whom it belongs to.
ROWS: Final[Mapping[str, str]] = {
    "values": f"SELECT v.id, v.unit_id, v.indicator AS what {_VALUES}",
    "evaluations": "SELECT id, unit_id, ruleset AS what FROM evaluation",
    "audit": "SELECT id, unit_id, '' AS what FROM audit_entry",
    "clients": "SELECT client_id AS id, unit_id, '' AS what FROM client",
    "grants": "SELECT id, unit_id, coalesce(to_client, to_unit_id::text) AS what FROM data_grant",
    "jobs": "SELECT id, unit_id, client AS what FROM job",
    "evidence-submissions": "SELECT id, unit_id, '' AS what FROM evidence_submission",
    "imports": "SELECT id, unit_id, client AS what FROM value_import",
    "evaluation-runs": "SELECT r.id, r.unit_id, "
    "CASE WHEN r.ended_at IS NULL THEN r.client ELSE '' END AS what FROM evaluation_run r",
    "series": "SELECT concat_ws(' ', u.key, v.period, v.counted) AS id, v.unit_id, "
    f"v.indicator AS what {_VALUES} AND v.indicator = '{COUNTED}'",
    "completeness": "SELECT concat_ws(' ', u.key, 1) AS id, v.unit_id, v.indicator AS what "
    f"{_VALUES} AND v.indicator = '{COUNTED}' AND v.period = '{YEAR}'",
    "outcomes": "SELECT DISTINCT concat_ws(' ', u.key, 1) AS id, e.unit_id, e.ruleset AS what "
    "FROM evaluation e JOIN unit u ON u.id = e.unit_id "
    f"WHERE e.ruleset = '{JUDGED}' AND e.period = '{YEAR}'",
    "communes.geojson": f"SELECT concat('value ', v.id) AS id, v.unit_id, v.indicator AS what "
    f"{_VALUES} UNION ALL SELECT concat('evaluation ', id), unit_id, ruleset FROM evaluation",
}  # fmt: skip


class OnRecord:
    """Everything of territories that is on record at a moment, and what of it a caller sees."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._rows: dict[str, list[tuple[Any, int | None, str]]] = {}
        self._seen: dict[tuple[str, str], set[Any]] = {}

    async def count(self) -> None:
        """Count as the owner everything that is on record now."""
        self._seen.clear()
        async with self._world.database.as_owner() as connection:
            driver = await driver_of(connection)
            for noun, statement in ROWS.items():
                rows = await driver.fetch(statement)
                self._rows[noun] = [(row["id"], row["unit_id"], row["what"]) for row in rows]

    def seen(self, caller: str, noun: str) -> set[Any]:
        """Return the rows of a list that a caller sees."""
        known = (caller, noun)
        if known not in self._seen:
            rows = self._rows[noun]
            self._seen[known] = {row[0] for row in rows if self._sees(caller, noun, *row[1:])}
        return self._seen[known]

    def _sees(self, caller: str, noun: str, unit: int | None, what: str) -> bool:
        units = {rows.unit: name for name, rows in self._world.rows.items()}
        home = self._world.homes[caller]
        if noun == "grants" and what in (self._world.clients[caller], str(home)):
            return True
        if noun in ("jobs", "imports") and what == self._world.clients[caller]:
            return True
        if noun == "evaluation-runs" and what and not self._sees_jobs_of(caller, what):
            return False
        if unit not in units:
            return caller == NATION or unit == home
        return sees(caller, units[unit], _kind_of(units[unit], what))

    def _sees_jobs_of(self, caller: str, client: str) -> bool:
        """Tell whether a caller sees jobs of a client; what has not ended is seen with its job."""
        maker = next(name for name, id_ in self._world.clients.items() if id_ == client)
        return maker == caller or caller == NATION or (maker in SPOTS and reaches(caller, maker))


def _kind_of(name: str, what: str) -> str:
    """Return the kind of a row of a unit by the indicator or ruleset that it is of."""
    if what in (*FIRST.values(), *SECOND.values()):
        return "V1" if what in FIRST.values() else "V2"
    if what in SPOTS[name].rulesets:
        return "E1" if what == SPOTS[name].rulesets[0] else "E2"
    return ""


def noun_of(path: str) -> str:
    """Return what a list is of, whatever the medium."""
    name = path.rpartition("/")[2]
    return name if name in ROWS else name.partition(".")[0]


def is_file(path: str) -> bool:
    """Tell whether an answer is a file: whole, without pages."""
    return "." in path.rpartition("/")[2]


def words(reply: Reply) -> str:
    """Return everything that an answer says; a workbook is unpacked."""
    if reply.headers.get("content-type") != XLSX:
        return reply.body.decode()
    with zipfile.ZipFile(io.BytesIO(reply.body)) as book:
        return "\n".join(book.read(name).decode() for name in book.namelist())


def rows_in(path: str, content: bytes) -> set[Any]:
    """Return the ids in a file, which must be whole."""
    match path.rpartition(".")[2]:
        case "csv":
            return {int(one["id"]) for one in records(content)}
        case "ndjson":
            return {one["id"] for one in lines(content)}
        case "xlsx":
            headings, *rows = cells(content)
            return {row[headings.index("id")] for row in rows}
        case _:
            raise AssertionError(f"nobody can read {path}")


def rows_on(noun: str, page: Mapping[str, Any]) -> set[Any]:
    """Return the ids on a page of a list."""
    if noun == "communes.geojson":
        return set(_mapped(page))
    return {id_ for one in page["items"] for id_ in _IDS.get(noun, _id)(one)}


def _id(one: Mapping[str, Any]) -> Iterable[Any]:
    yield one.get("id", one.get("client_id"))


def _points(one: Mapping[str, Any]) -> Iterable[str]:
    for point in one["points"]:
        if point["known"]:
            yield f"{one['unit']['unit']} {point['period']} {point['counted']}"


def _recorded(one: Mapping[str, Any]) -> Iterable[str]:
    if number := one["values"]["recorded"]:
        yield f"{one['unit']['unit']} {number}"


def _evaluated(one: Mapping[str, Any]) -> Iterable[str]:
    if number := one["evaluated"]:
        yield f"{one['unit']['unit']} {number}"


_IDS: Final[Mapping[str, Callable[[Mapping[str, Any]], Iterable[Any]]]] = {
    "series": _points,
    "completeness": _recorded,
    "outcomes": _evaluated,
}


def _mapped(page: Mapping[str, Any]) -> Iterable[str]:
    for feature in page["features"]:
        told = feature["properties"]
        for value in (told["values"] or {}).values():
            if value is not None:
                yield f"value {value['id']}"
        for one in told.get("rulesets", [told["verdict"]] if "verdict" in told else []):
            if one["id"] is not None:
                yield f"evaluation {one['id']}"


MAPPED: Final = f"indicator={COUNTED},{SECOND['commune']}"
