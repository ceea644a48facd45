"""Units by code and period: values and verdicts belong to the entity valid through a period.

A code is no identity, and in 2025 many codes mean two units: then the caller says on which day.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from typing import Final

import asyncpg
import msgspec

from app.domain.refusals import Absent, Complaint, Refused
from app.domain.unit_lookup import why_absent
from app.rules.errors import Text
from app.rules.period import Period


class Meant(msgspec.Struct, frozen=True):
    """A unit as a request names it: code or key, the period, and the day where it is given."""

    place: str
    period: Period
    on: datetime.date | None = None


class Entity(msgspec.Struct, frozen=True):
    """The unit that is meant, as it was on `day`: the last of its days in the period.

    `since` is its first day of all; None where that is not known.
    """

    id: int
    key: str
    level: str
    code: str
    type: str | None
    name: str
    district_id: int | None
    province_id: int | None
    day: datetime.date
    since: datetime.date | None = None

    @property
    def named(self) -> str:
        """Return name and code, for messages."""
        return f"{self.name} ({self.code})"

    def shown(self) -> dict[str, str | None]:
        """Return the unit in short."""
        return {
            "unit": self.key,
            "code": self.code,
            "level": self.level,
            "type": self.type,
            "name": self.name,
        }


class Unclear(msgspec.Struct, frozen=True):
    """Why no one unit is meant: the field that is wrong, the code of the problem, the remedy."""

    field: str
    code: str
    message: Text

    def complaint(self, pointer: str) -> Complaint:
        """Return it as a complaint about a request; `pointer` leads to the field of the unit."""
        within = pointer.rpartition("/")[0]
        where = pointer if self.field == "unit" else f"{within}/{self.field}"
        return Complaint(where, self.code, self.message)


# $1 places, $2 and $3 the first and last day looked at, $4 and $5 those of the period. `m` is what
# has the code on those days, `p` the same unit as it was last in the period.
_MATCHES: Final = """
SELECT w.n, u.id, u.key, u.level, m.name AS met_as, m.valid_from, m.valid_to,
       p.code, p.type, p.name, p.district_id, p.province_id, p.valid_to AS ends,
       (SELECT b.valid_from FROM unit_version b WHERE b.unit_id = u.id
         ORDER BY b.valid_from NULLS FIRST LIMIT 1) AS since
  FROM unnest($1::text[], $2::date[], $3::date[], $4::date[], $5::date[])
       WITH ORDINALITY w(place, first, last, since, until, n)
  JOIN LATERAL (
    SELECT * FROM unit_version WHERE code = w.place
     UNION ALL
    SELECT k.* FROM unit ku JOIN unit_version k ON k.unit_id = ku.id WHERE ku.key = w.place
  ) m ON (m.valid_from IS NULL OR m.valid_from <= w.last)
     AND (m.valid_to IS NULL OR m.valid_to > w.first)
  JOIN unit u ON u.id = m.unit_id
  LEFT JOIN LATERAL (
    SELECT * FROM unit_version o
     WHERE o.unit_id = m.unit_id AND (o.valid_from IS NULL OR o.valid_from <= w.until)
       AND (o.valid_to IS NULL OR o.valid_to > w.since)
     ORDER BY o.valid_from DESC NULLS LAST LIMIT 1
  ) p ON true
 ORDER BY w.n, m.valid_from NULLS FIRST
"""
# A key names one unit whenever it existed.
EVER: Final = Period(datetime.date(1900, 1, 1), datetime.date(2199, 12, 31), "-")
_EXPLAINED: Final = 50  # more units that do not exist are not looked up one by one


async def resolve(
    connection: asyncpg.Connection, wanted: Iterable[Meant]
) -> dict[Meant, Entity | Unclear]:
    """Return for everything that is meant the one unit, or why there is none."""
    distinct = list(dict.fromkeys(wanted))
    matches: dict[Meant, list[asyncpg.Record]] = {one: [] for one in distinct}
    rows = await connection.fetch(
        _MATCHES,
        [one.place for one in distinct],
        [one.on or one.period.first for one in distinct],
        [one.on or one.period.last for one in distinct],
        [one.period.first for one in distinct],
        [one.period.last for one in distinct],
    )
    for row in rows:
        matches[distinct[row["n"] - 1]].append(row)
    absent = [meant for meant, found in matches.items() if not found]
    why = {
        meant: await why_absent(connection, meant.place, meant.on or meant.period.last)
        for meant in absent[:_EXPLAINED]
    }
    return {
        meant: _one(meant, found)
        if found
        else Unclear("unit", "unit-not-found", why.get(meant, _NONE))
        for meant, found in matches.items()
    }


async def get(connection: asyncpg.Connection, meant: Meant, pointer: str = "/unit") -> Entity:
    """Return the one unit that is meant; raise Absent or Refused with what to do."""
    return clear((await resolve(connection, [meant]))[meant], pointer)


def clear(found: Entity | Unclear, pointer: str = "/unit") -> Entity:
    """Return a unit that was resolved; raise Absent or Refused where it was not."""
    if isinstance(found, Entity):
        return found
    complaint = found.complaint(pointer)
    raise Absent(complaint) if found.code == "unit-not-found" else Refused([complaint])


def _one(meant: Meant, found: Sequence[asyncpg.Record]) -> Entity | Unclear:
    last = {row["id"]: row for row in found}  # of several versions the latest
    if len(last) > 1:
        return _ambiguous(meant, list(last.values()))
    row = found[-1]
    if row["code"] is None:
        return _outside(meant, row)
    ended = row["ends"] - datetime.timedelta(days=1) if row["ends"] else datetime.date.max
    return Entity(
        row["id"], row["key"], row["level"], row["code"], row["type"], row["name"],
        row["district_id"], row["province_id"], min(meant.period.last, ended), row["since"],
    )  # fmt: skip


def _ambiguous(meant: Meant, found: Sequence[asyncpg.Record]) -> Unclear:
    vi = ", ".join(f"{_met(row)} ({_life(row, 'từ', 'đến')})" for row in found)
    en = ", ".join(f"{_met(row)} ({_life(row, 'from', 'until')})" for row in found)
    return Unclear(
        "unit",
        "ambiguous-unit",
        Text(
            f"trong kỳ {meant.period.text} mã {meant.place} chỉ nhiều đơn vị: {vi}; hãy ghi on "
            "(một ngày mà đơn vị đó có hiệu lực)",
            f"in {meant.period.text} the code {meant.place} means several units: {en}; give on "
            "(a day on which the one meant exists)",
        ),
    )


def _met(row: asyncpg.Record) -> str:
    return f"{row['met_as']} [{row['key']}]"


def _life(row: asyncpg.Record, since: str, until: str) -> str:
    parts = []
    if row["valid_from"]:
        parts.append(f"{since} {row['valid_from']}")
    if isinstance(row["valid_to"], datetime.date):
        parts.append(f"{until} {row['valid_to'] - datetime.timedelta(days=1)}")
    return " ".join(parts) or "-"


def _outside(meant: Meant, row: asyncpg.Record) -> Unclear:
    named = _met(row)
    life = _life(row, "từ", "đến"), _life(row, "from", "until")
    return Unclear(
        "on",
        "unit-outside-period",
        Text(
            f"{named} ({life[0]}) không tồn tại trong kỳ {meant.period.text}; hãy chọn on trong "
            "kỳ đó, hoặc ghi cho đơn vị tiền thân",
            f"{named} ({life[1]}) does not exist in {meant.period.text}; choose a day of that "
            "period for on, or name its predecessor",
        ),
    )


_NONE: Final = Text(
    "không có đơn vị hành chính mã này trong kỳ; tìm tại /v1/units?q=",
    "there is no administrative unit with this code in the period; search with /v1/units?q=",
)
