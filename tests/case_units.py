"""Units made for worked cases with members: each case has its own, and they lie below it."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from strategies import entry

from app.database import Database, driver_of
from app.rules.facts import Given
from app.rules.period import Period, read_period
from app.rules.verdict import Member

PROVINCE, NATION = "travinh.province", "qd924.nation"
TYPES: Final = {"commune": "xa", "district": "huyen", "province": "tinh"}
# The register always has members: where a case does not speak of them, one of each is unknown.
UNKNOWN: Final = tuple(Member({}, level) for level in TYPES)
Below = tuple[str, str, Mapping[str, Given]]


class Place(msgspec.Struct, frozen=True):
    """The unit made for a case, the period, and its members within it: code, level and facts."""

    code: str
    period: Period
    members: tuple[Below, ...]


class Made:
    """A register with the units of the cases and no others, but for the nation.

    The provinces came from province 84 and are of 2023; a nation's members have a month each.
    """

    def __init__(self) -> None:
        self.places: dict[tuple[str, str], Place] = {}
        self._units: list[tuple[Any, ...]] = []
        self._versions: list[tuple[Any, ...]] = []
        year = read_period("2023")
        assert year
        named, _ = self._enter("province", None, None, year, "84")
        lines = []
        for worked in entry(PROVINCE).cases:
            above, code = self._enter("province", None, None, year)
            lines.append((named, above, year.last, "whole", "thử"))
            members = UNKNOWN if worked.inputs.members is None else worked.inputs.members
            below = self._below(members, above, year)
            self.places[PROVINCE, worked.case.case] = Place(code, year, below)
        self._lines = lines
        for number, worked in enumerate(entry(NATION).cases):
            _, code = self._enter("nation", None, None, None)
            # Months in which the end of the district level is past: only the case's day decides.
            month = read_period(f"{2025 + (number + 6) // 12}-{(number + 6) % 12 + 1:02}")
            assert month
            members = UNKNOWN if worked.inputs.members is None else worked.inputs.members
            below = self._below(members, None, month)
            self.places[NATION, worked.case.case] = Place(code, month, below)

    async def fill(self, database: Database) -> None:
        """Put them in the place of the register of a database."""
        async with database.as_owner() as connection:
            driver = await driver_of(connection)
            await driver.execute("DELETE FROM lineage")
            await driver.execute(
                "DELETE FROM unit_version v USING unit u WHERE u.id = v.unit_id AND u.key <> 'VN'"
            )
            for table, columns, records in (
                ("unit", "id key level", self._units),
                (
                    "unit_version",
                    "unit_id code type name sort_key loose_key search_key province_id valid_from "
                    "valid_to",
                    self._versions,
                ),
                ("lineage", "from_unit_id to_unit_id effective_on extent source", self._lines),
            ):
                await driver.copy_records_to_table(
                    table, records=records, columns=columns.split(), schema_name="ntm"
                )

    def _below(
        self, members: Iterable[Member], above: int | None, life: Period | None
    ) -> tuple[Below, ...]:
        return tuple(
            (self._enter(one.level, one.type, above, life)[1], one.level, one.facts)
            for one in members
        )

    def _enter(
        self,
        level: str,
        type_: str | None,
        above: int | None,
        life: Period | None,
        code: str = "",
    ) -> tuple[int, str]:
        id_ = 1_000_000 + len(self._units)
        code = code or f"{50_000 + len(self._units)}"  # no unit of the register has such a code
        self._units.append((id_, f"{level}-{code}-case", level))
        days = (life.first, life.last + datetime.timedelta(1)) if life else (None, None)
        inside = id_ if level == "province" else above
        name, type_ = f"Đơn vị {code}", type_ or TYPES.get(level)
        self._versions.append((id_, code, type_, name, code, code, code, inside, *days))
        return id_, code
