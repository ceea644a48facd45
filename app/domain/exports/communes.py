"""Communes for export: the register of a day with what is recorded of each commune for that day."""

from __future__ import annotations

import datetime
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Final

import asyncpg

from app.domain import commune_facts, unit_listing
from app.domain.commune_facts import COMMUNE_COLUMNS
from app.domain.exports import Column, Row
from app.domain.unit_listing import Wanted
from app.rules.registry import Registry

_COLUMNS: Final = (
    Column("unit", "Khoá đơn vị"),
    Column("code", "Mã đơn vị"),
    Column("name", "Tên đơn vị"),
    Column("type", "Loại đơn vị"),
    Column("province", "Tỉnh"),
    Column("province_code", "Mã tỉnh"),
    Column("district", "Huyện"),
    Column("district_code", "Mã huyện"),
    Column("valid_from", "Từ ngày"),
    Column("valid_to", "Đến trước ngày"),
    Column("legal_basis", "Căn cứ pháp lý"),
    Column("lat", "Vĩ độ"),
    Column("lon", "Kinh độ"),
    Column("area_km2", "Diện tích (km2)"),
)
_LAST: Final = Column("designations", "Quyết định lựa chọn thí điểm")
_PAGE: Final = 250


def columns(registry: Registry) -> list[Column]:
    """Return the columns: those of the register, one for each area class, the designations."""
    return [*_COLUMNS, *_classes(registry), _LAST]


def _classes(registry: Registry) -> list[Column]:
    found = registry.indicators.values()
    return [Column(one.code, one.name.vi) for one in found if one.kind == "attribute"]


async def pages(
    connection: asyncpg.Connection, registry: Registry, wanted: Wanted
) -> AsyncGenerator[list[Row], None]:
    """Yield the communes wanted as rows of a table, 250 at a time, in Vietnamese order."""
    after: Sequence[str] | None = None
    classes = [column.name for column in _classes(registry)]
    while True:
        found = await unit_listing.page(connection, wanted, _PAGE, after, COMMUNE_COLUMNS)
        if found:
            shown = [commune_facts.shown(unit, row) for unit, row in found]
            yield [_row(one, classes) for one in shown]
        if len(found) < _PAGE:
            return
        after = unit_listing.place_in_order(found[-1][0])


def _row(shown: Mapping[str, Any], classes: Sequence[str]) -> Row:
    above = {one["level"]: one for one in shown["path"]}
    point, nothing = shown["point"] or {}, dict[str, Any]()
    names = [above.get(level, nothing).get(field)
             for level in ("province", "district") for field in ("name", "code")]  # fmt: skip
    return (
        shown["unit"], shown["code"], shown["name"], shown["type"], *names,
        _text(shown["valid_from"]), _text(shown["valid_to"]), shown["legal_basis"],
        _text(point.get("lat")), _text(point.get("lon")), shown["area_km2"],
        *(_truth(shown["attributes"].get(name)) for name in classes),
        "|".join(_designation(one) for one in shown["designations"]),
    )  # fmt: skip


def _text(value: datetime.date | float | None) -> str | None:
    return None if value is None else str(value)


def _truth(attribute: Mapping[str, Any] | None) -> str | None:
    return None if attribute is None else str(attribute["value"]).lower()


def _designation(one: Mapping[str, Any]) -> str:
    """Return a designation: model, decision and day, of which the day need not be known."""
    return " ".join(one[name] for name in ("model", "decision", "date") if one[name])
