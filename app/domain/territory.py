"""Territories: what a client may reach, past units included, and the one gate to territory rows.

A territory is a unit of today and everything it descends from: a client of Vĩnh Long reaches the
past of Trà Vinh. It resolves to arrays of ids, which rows carry unchanged from their writing on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol, TypeVar

import asyncpg
import msgspec
from sqlalchemy import ColumnElement, ForeignKey, Select, any_, literal, or_, select, true
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Integer

from app.database import Context
from app.domain.refusals import Absent, Complaint
from app.domain.unit_lookup import with_predecessors
from app.rules.errors import Text

Place = tuple[int, int | None, int | None]  # a unit, its district, its province


class Territorial:
    """Columns of every row that belongs to a unit: the unit and where it lay then."""

    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), index=True)
    district_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"), index=True)
    province_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"), index=True)

    @property
    def place(self) -> Place:
        """Where the row lies."""
        return self.unit_id, self.district_id, self.province_id


Row = TypeVar("Row", bound=Territorial)


class Lying(Protocol):
    """A unit that was found, and where it lies."""

    @property
    def id(self) -> int:
        """Its number."""
        ...

    @property
    def district_id(self) -> int | None:
        """The district it lies in."""
        ...

    @property
    def province_id(self) -> int | None:
        """The province it lies in."""
        ...

    @property
    def named(self) -> str:
        """Name and code, for messages."""
        ...


def place(unit: Lying) -> Place:
    """Return where a unit lies."""
    return unit.id, unit.district_id, unit.province_id


class Territory(msgspec.Struct, frozen=True):
    """The ids a territory reaches; `nation` reaches everything."""

    nation: bool
    units: frozenset[int]
    districts: frozenset[int]
    provinces: frozenset[int]

    def reaches(self, unit: Lying) -> bool:
        """Tell whether a unit lies in the territory."""
        return self.holds(place(unit))

    def holds(self, where: Place) -> bool:
        """Tell whether a place lies in the territory."""
        unit, district, province = where
        return (
            self.nation
            or unit in self.units
            or district in self.districts
            or province in self.provinces
        )

    def with_(self, other: Territory) -> Territory:
        """Return what both reach together."""
        return Territory(
            self.nation or other.nation,
            self.units | other.units,
            self.districts | other.districts,
            self.provinces | other.provinces,
        )

    def require(self, unit: Lying, pointer: str = "/code") -> None:
        """Raise Absent unless a unit lies in the territory."""
        if not self.reaches(unit):
            raise Absent(Complaint(pointer, "outside-territory", outside(unit)))

    def arrays(self) -> tuple[bool, list[int], list[int], list[int]]:
        """Return the parameters of `reached`."""
        return self.nation, sorted(self.units), sorted(self.districts), sorted(self.provinces)


def outside(unit: Lying) -> Text:
    """Say that a unit lies elsewhere."""
    return Text(
        f"{unit.named} không thuộc địa bàn của bạn; hãy dùng máy khách của địa bàn đó",
        f"{unit.named} is not in your territory; use a client of that territory",
    )


def reached(row: str, first: int) -> str:
    """Return the SQL condition that a row lies in a territory.

    The territory's `arrays` are the four parameters that begin with number `first`.
    """
    return (
        f"(${first} OR {row}.unit_id = ANY(${first + 1}::int[])"
        f" OR {row}.district_id = ANY(${first + 2}::int[])"
        f" OR {row}.province_id = ANY(${first + 3}::int[]))"
    )


_NOTHING: Final[frozenset[int]] = frozenset()
EVERYWHERE: Final = Territory(True, _NOTHING, _NOTHING, _NOTHING)


VALUES: Final = "values"
EVALUATIONS: Final = "evaluations"


class Grant(msgspec.Struct, frozen=True):
    """What a grant opens for reading: resources of a territory, all of them or what is named."""

    id: int
    resources: frozenset[str]
    territory: Territory
    rulesets: frozenset[str] | None = None
    indicators: frozenset[str] | None = None

    def named(self, resource: str) -> frozenset[str] | None:
        """Return the rulesets of the evaluations, or indicators of the values; None means all."""
        return self.rulesets if resource == EVALUATIONS else self.indicators


class Sight(msgspec.Struct, frozen=True):
    """What a caller sees of one resource: its own territory, and what grants open."""

    own: Territory
    resource: str = ""
    grants: tuple[Grant, ...] = ()

    def require(self, unit: Lying, pointer: str = "/unit") -> None:
        """Raise Absent unless something of a unit can be seen."""
        if not any(one.territory.reaches(unit) for one in self.grants):
            self.own.require(unit, pointer)

    def opened(self) -> Mapping[frozenset[str] | None, Territory]:
        """Return what grants open, by what they are narrowed to; None: to nothing."""
        found: dict[frozenset[str] | None, Territory] = {}
        for one in self.grants:
            named = one.named(self.resource)
            found[named] = one.territory.with_(found[named]) if named in found else one.territory
        return found


class Official(msgspec.Struct, frozen=True):
    """Who acts behind a client, as the client states it: no name, a number, office, position."""

    id: str
    office: str
    position: str


class Caller(msgspec.Struct, frozen=True):
    """Who is calling: a client, what it may do and where, and in which request.

    `unit_id` and `level` are those of the unit that its territory was given as.
    """

    id: int
    client_id: str
    scopes: frozenset[str]
    territory: Territory
    grants: tuple[Grant, ...] = ()
    request_id: str | None = None
    official: Official | None = None
    unit_id: int = 0
    level: str = "nation"

    def sight(self, resource: str) -> Sight:
        """Return what the caller sees of a resource."""
        opened = (one for one in self.grants if resource in one.resources)
        return Sight(self.territory, resource, tuple(opened))

    def context(self) -> Context:
        """Return whose rows the caller's transactions reach."""
        reached = self.territory
        _, units, districts, provinces = reached.arrays()
        return Context(
            client=self.client_id,
            nation=reached.nation,
            units=tuple(units),
            districts=tuple(districts),
            provinces=tuple(provinces),
            grants=tuple(one.id for one in self.grants),
        )


def visible_to(caller: Caller, rows: type[Row]) -> Select[Row]:
    """Return the statement that every query on territory rows starts from."""
    return select(rows).where(_reached(caller.territory, rows))


def _reached(territory: Territory, rows: type[Territorial]) -> ColumnElement[bool]:
    if territory.nation:
        return true()
    return or_(
        rows.unit_id == any_(_array(territory.units)),
        rows.district_id == any_(_array(territory.districts)),
        rows.province_id == any_(_array(territory.provinces)),
    )


def _array(ids: frozenset[int]) -> ColumnElement[list[int]]:
    return literal(sorted(ids), ARRAY(Integer))


_HAMLETS: Final = "SELECT unit_id FROM unit_version WHERE parent_id = ANY($1::int[])"
_KEPT: Final = 4096


class Territories:
    """Territories already resolved, for one revision of the register."""

    def __init__(self) -> None:
        self._revision = -1
        self._known: dict[int, Territory] = {}

    async def of(
        self, connection: asyncpg.Connection, unit: int, level: str, revision: int
    ) -> Territory:
        """Return the territory of a unit; resolved once for each revision of the register."""
        if revision != self._revision or len(self._known) >= _KEPT:
            self._revision, self._known = revision, {}
        known = self._known
        if unit not in known:
            known[unit] = await resolve(connection, unit, level)
        return known[unit]


async def resolve(connection: asyncpg.Connection, unit: int, level: str) -> Territory:
    """Return the territory of a unit: itself, everything it descends from, what lies below."""
    if level == "nation":
        return EVERYWHERE
    ids = await with_predecessors(connection, [unit])
    below = [row["unit_id"] for row in await connection.fetch(_HAMLETS, ids)]
    reached = frozenset(ids)
    return Territory(
        False,
        units=reached | frozenset(below) if level in ("commune", "hamlet") else reached,
        districts=reached if level in ("district", "commune") else _NOTHING,
        provinces=reached if level == "province" else _NOTHING,
    )
