"""Hamlets (ấp, thôn, khu dân cư): units below a commune, entered by those who know them."""

from __future__ import annotations

import datetime
import re
from typing import Final

import asyncpg
from sqlalchemy import func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain import audit
from app.domain.audit import Act
from app.domain.refusals import Complaint, Conflict, Refused
from app.domain.territory import Caller, place
from app.domain.unit_lookup import Found
from app.domain.units import Register, Unit, UnitVersion
from app.domain.vietnamese import loose_key, name_key, search_key, sort_key, split_type
from app.rules.errors import Text


async def add(
    session: AsyncSession,
    caller: Caller | None,
    commune: Found,
    code: str,
    name: str,
    type_: str,
    valid_from: datetime.date,
) -> int:
    """Enter a hamlet of a commune and return its unit id.

    Raises Refused for a code that is not the commune's or a day before the commune began,
    Conflict when the commune has a hamlet with this code.
    """
    _check(commune, code, valid_from)
    key = f"hamlet-{commune.key.removeprefix('commune-')}-{code.rpartition('-')[2]}"
    # One at a time: the second of two that enter the same code meets the first one's row.
    await session.execute(update(Register).values(revision=Register.revision + 1))
    if await session.scalar(select(func.count()).where(Unit.key == key)):
        message = Text(
            f"{commune.named} đã có khu dân cư mã {code}; hãy dùng mã khác",
            f"{commune.named} has a hamlet with code {code} already; use another code",
        )
        raise Conflict(Complaint("/code", "duplicate", message))
    unit = Unit(key=key, level="hamlet")
    session.add(unit)
    await session.flush()
    described = {
        "unit_id": unit.id,
        "code": code,
        "type": type_,
        "name": name,
        "sort_key": sort_key(name),
        "loose_key": loose_key(name_key(split_type(name)[1])),
        "search_key": search_key(name),
        "parent_id": commune.id,
    }
    versions = await session.scalars(
        select(UnitVersion)
        .where(UnitVersion.unit_id == commune.id)
        .where(or_(UnitVersion.valid_to.is_(None), UnitVersion.valid_to > valid_from))
    )
    rows = [
        described
        | {
            "district_id": version.district_id,
            "province_id": version.province_id,
            "valid_from": max(valid_from, version.valid_from or valid_from),
            "valid_to": version.valid_to,
        }
        for version in versions
    ]
    await session.execute(insert(UnitVersion), rows)
    await audit.note_in(session, caller, Act("hamlet.entered", place(commune), {"hamlet": key}))
    return unit.id


# After a new version of a commune its hamlets lie where it lies, from the same day on.
_FOLLOW: Final = (
    """
CREATE TEMP TABLE following ON COMMIT DROP AS
SELECT h.unit_id, h.code, h.type, h.name, h.sort_key, h.loose_key, h.search_key, h.parent_id,
       c.district_id, c.province_id, greatest(h.valid_from, c.valid_from) AS valid_from, c.valid_to
  FROM (SELECT DISTINCT ON (v.unit_id) v.* FROM unit_version v
          JOIN unit u ON u.id = v.unit_id AND u.level = 'hamlet'
         ORDER BY v.unit_id, v.valid_from) h
  JOIN unit_version c ON c.unit_id = h.parent_id
   AND (c.valid_to IS NULL OR c.valid_to > h.valid_from)
""",
    "DELETE FROM unit_version v USING unit u WHERE u.id = v.unit_id AND u.level = 'hamlet'",
    """
INSERT INTO unit_version (unit_id, code, type, name, sort_key, loose_key, search_key, parent_id,
                          district_id, province_id, valid_from, valid_to)
SELECT * FROM following
""",
)


async def follow_communes(connection: asyncpg.Connection) -> None:
    """Give hamlets the versions that their communes have, within the caller's transaction.

    A hamlet whose commune turns out to have ended before it began keeps its identity but is
    nowhere on any day.
    """
    for statement in _FOLLOW:
        await connection.execute(statement)


def _check(commune: Found, code: str, valid_from: datetime.date) -> None:
    complaints = []
    own = str(commune.shown["code"])
    if not re.fullmatch(rf"{own}-[0-9]{{2,3}}", code):
        message = Text(
            f"mã phải là mã xã và hai hoặc ba chữ số: {own}-01",
            f"the code must be the commune's and two or three digits: {own}-01",
        )
        complaints.append(Complaint("/code", "wrong-value", message))
    began = commune.shown["valid_from"]
    if began is not None and valid_from < began:
        message = Text(
            f"{commune.named} chỉ có từ {began}; hãy chọn ngày từ đó trở đi",
            f"{commune.named} exists since {began} only; choose that day or a later one",
        )
        complaints.append(Complaint("/valid_from", "wrong-value", message))
    if complaints:
        raise Refused(complaints)
