"""Administrative units: legal entities with dated versions, and the lineage between them.

A code is no identity: codes are used again after 2025-07-01. A code and a day find one version of
one entity. Days run from `valid_from` up to, not including, `valid_to`; empty means open.
"""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Final

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, Numeric, String, text
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base

NATION: Final = "VN"
VIETNAM: Final = "Việt Nam"
# Before this day the register shows the oldest state that is known, and says so.
KNOWN_FROM: Final = datetime.date(2025, 1, 1)
CODE_PATTERN: Final = r"^(VN|[0-9]{2}|[0-9]{3}|[0-9]{5}(-[0-9]{2,3})?)$"
KEY_PATTERN: Final = r"^(province|district|commune|hamlet)-[0-9]{2,5}(-[0-9]{2,4}){0,2}$"
PLACE_PATTERN: Final = f"{CODE_PATTERN}|{KEY_PATTERN}"


class Unit(Base):
    """A legal entity: its territory does not change; whose does is another entity."""

    __tablename__ = "unit"
    __table_args__ = (
        CheckConstraint(
            "level in ('nation', 'province', 'district', 'commune', 'hamlet')", name="level"
        ),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    key: Mapped[str] = mapped_column(String(collation="C"), unique=True)
    level: Mapped[str]


class UnitVersion(Base):
    """A unit as it was called and where it belonged, from one day to another."""

    __tablename__ = "unit_version"
    __table_args__ = (
        CheckConstraint("valid_from < valid_to", name="order"),
        CheckConstraint("name is nfc normalized", name="nfc"),
        ExcludeConstraint(
            (text("int8range(unit_id::bigint, unit_id::bigint, '[]')"), "="),
            (text("daterange(valid_from, valid_to)"), "&&"),
            name="ex_unit_version_one_at_a_time",
        ),
        Index("ix_unit_version_sort_key_code", "sort_key", "code"),
        Index("ix_unit_version_unit_id", "unit_id"),
        Index("ix_unit_version_code", "code"),
        Index("ix_unit_version_parent_id", "parent_id"),
        Index("ix_unit_version_district_id", "district_id"),
        Index("ix_unit_version_province_id", "province_id"),
        Index("ix_unit_version_loose_key", "loose_key"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    code: Mapped[str] = mapped_column(String(collation="C"))
    type: Mapped[str | None]
    name: Mapped[str]
    sort_key: Mapped[str] = mapped_column(String(collation="C"))
    loose_key: Mapped[str] = mapped_column(String(collation="C"))
    search_key: Mapped[str] = mapped_column(String(collation="C"))
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    district_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    province_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    valid_from: Mapped[datetime.date | None]
    valid_to: Mapped[datetime.date | None]
    legal_basis: Mapped[str | None]
    latitude: Mapped[Decimal | None] = mapped_column(Numeric(9, 6))
    longitude: Mapped[Decimal | None] = mapped_column(Numeric(9, 6))
    area_km2: Mapped[Decimal | None] = mapped_column(Numeric(12, 4))


class Lineage(Base):
    """An edge: a unit became another one, as a whole or in part."""

    __tablename__ = "lineage"
    __table_args__ = (CheckConstraint("extent in ('whole', 'part')", name="extent"),)

    from_unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), primary_key=True)
    to_unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), primary_key=True, index=True)
    effective_on: Mapped[datetime.date]
    extent: Mapped[str]
    source: Mapped[str]


class UnitIdentifier(Base):
    """A unit's code in another agency's system."""

    __tablename__ = "unit_identifier"

    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), primary_key=True)
    scheme: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]


class Register(Base):
    """What is loaded: one row; `revision` grows with every change of the units."""

    __tablename__ = "register"
    __table_args__ = (CheckConstraint("id = 1", name="single"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    revision: Mapped[int]
    digest: Mapped[str]
    known_from: Mapped[datetime.date]
    loaded_at: Mapped[datetime.datetime]
