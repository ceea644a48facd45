"""Codes of units in other agencies' systems; what they were before stands in the audit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain import audit
from app.domain.audit import Act
from app.domain.territory import Caller, place
from app.domain.unit_lookup import Found
from app.domain.units import UnitIdentifier

_IDENTIFYING: Final = 7416  # the first half of an advisory lock: one change of a unit at a time


async def held(session: AsyncSession, unit: Found) -> dict[str, str]:
    """Return a unit's codes by scheme; nobody else changes them until the transaction ends."""
    await session.execute(select(func.pg_advisory_xact_lock(_IDENTIFYING, unit.id)))
    found = await session.scalars(
        select(UnitIdentifier)
        .where(UnitIdentifier.unit_id == unit.id)
        .order_by(UnitIdentifier.scheme)
    )
    return {one.scheme: one.value for one in found}


async def record(
    session: AsyncSession,
    caller: Caller,
    unit: Found,
    known: Mapping[str, str],
    scheme: str,
    value: str,
) -> None:
    """Record what a scheme calls a unit, unless that is known; the last word counts."""
    if known.get(scheme) == value:
        return
    statement = insert(UnitIdentifier).values(unit_id=unit.id, scheme=scheme, value=value)
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["unit_id", "scheme"], set_={"value": statement.excluded.value}
        )
    )
    told = {"scheme": scheme, "value": value, "before": known.get(scheme)}
    await audit.note_in(session, caller, Act("identifier.recorded", place(unit), told))
