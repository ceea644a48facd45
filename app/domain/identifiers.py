"""Codes of units in other agencies' systems."""

from __future__ import annotations

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.unit_lookup import Found
from app.domain.units import UnitIdentifier


async def record(session: AsyncSession, unit: Found, scheme: str, value: str) -> None:
    """Record what a scheme calls a unit; the last word counts."""
    statement = insert(UnitIdentifier).values(unit_id=unit.id, scheme=scheme, value=value)
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["unit_id", "scheme"], set_={"value": statement.excluded.value}
        )
    )
