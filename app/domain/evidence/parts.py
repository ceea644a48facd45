"""Parts of a commune whose lists and signatures come apart: khu dân cư, thôn, ấp.

No document lists them: the register's hamlets are taken at first, and the commune may say others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import asyncpg
import msgspec

from app.domain import audit
from app.domain.audit import Act
from app.domain.evidence import editing
from app.domain.evidence.editing import Held
from app.domain.refusals import Complaint, Conflict, Refused
from app.domain.territory import Caller
from app.rules.errors import Text

MOST: Final = 500


class Part(msgspec.Struct, frozen=True):
    """A part by its code within the commune, and its name."""

    code: str
    name: str


_OF: Final = "SELECT code, name FROM evidence_part WHERE submission_id = $1 ORDER BY code"
_HAMLETS: Final = """
SELECT v.code, v.name FROM unit_version v JOIN unit u ON u.id = v.unit_id AND u.level = 'hamlet'
 WHERE v.parent_id = $1 AND (v.valid_from IS NULL OR v.valid_from <= $2)
   AND (v.valid_to IS NULL OR v.valid_to > $2)
 ORDER BY v.code
"""
_USED: Final = """
SELECT part FROM evidence_list WHERE submission_id = $1 AND ended_at IS NULL AND part <> ''
 UNION
SELECT part FROM evidence_confirmation
 WHERE submission_id = $1 AND ended_at IS NULL AND part <> ''
"""
_DROP: Final = "DELETE FROM evidence_part WHERE submission_id = $1"
_ADD: Final = """
INSERT INTO evidence_part (submission_id, code, name)
SELECT $1, * FROM unnest($2::text[], $3::text[])
"""


async def of(connection: asyncpg.Connection, submission: int) -> list[Part]:
    """Return the parts of a submission by code."""
    return [Part(**row) for row in await connection.fetch(_OF, submission)]


async def hamlets(connection: asyncpg.Connection, held: Held) -> list[Part]:
    """Return the hamlets that the register has of the commune on the day of the submission."""
    return [Part(**row) for row in await connection.fetch(_HAMLETS, held.unit_id, held.unit_on)]


async def add(connection: asyncpg.Connection, submission: int, found: Sequence[Part]) -> None:
    """Give a submission its first parts."""
    await connection.execute(
        _ADD, submission, [one.code for one in found], [one.name for one in found]
    )


async def replace(
    connection: asyncpg.Connection, caller: Caller, held: Held, wanted: Sequence[Part]
) -> bool:
    """Say which parts there are; return whether anything changed.

    Raises Refused for a code given twice, Conflict for a part that has a list or a signature.
    """
    check_distinct(wanted)
    if sorted(wanted, key=lambda one: one.code) == await of(connection, held.id):
        return False
    codes = {one.code for one in wanted}
    used = sorted({row["part"] for row in await connection.fetch(_USED, held.id)} - codes)
    if used:
        raise Conflict(Complaint("/parts", "part-in-use", _in_use(used[0])))
    await connection.execute(_DROP, held.id)
    await add(connection, held.id, wanted)
    await editing.touch(connection, held)
    told = {"submission": held.id, "parts": len(wanted)}
    await audit.note(connection, caller, [Act("evidence.parts-stated", held.place, told)])
    return True


def check_known(part: str, known: Sequence[Part], pointer: str = "/part") -> None:
    """Raise Refused for a part that the submission does not have."""
    if part and part not in {one.code for one in known}:
        codes = ", ".join(one.code for one in known[:20])
        message = Text(
            "hồ sơ không có khu dân cư mã này; "
            + (f"các mã: {codes}" if codes else "hãy khai báo bằng PUT …/parts trước"),
            "the submission has no part with this code; "
            + (f"its codes: {codes}" if codes else "state its parts by PUT …/parts first"),
        )
        raise Refused([Complaint(pointer, "unknown-part", message)])


def check_distinct(wanted: Sequence[Part]) -> None:
    """Raise Refused for a code that is given twice."""
    seen: set[str] = set()
    complaints = []
    for number, one in enumerate(wanted):
        if one.code in seen:
            message = Text(
                f"mã {one.code} được nêu hai lần; chỉ giữ một",
                f"the code {one.code} is given twice; keep one",
            )
            complaints.append(Complaint(f"/parts/{number}/code", "duplicate-part", message))
        seen.add(one.code)
    if complaints:
        raise Refused(complaints)


def _in_use(part: str) -> Text:
    return Text(
        f"khu dân cư {part} đã có danh sách hoặc xác nhận; hãy xoá chúng trước",
        f"the part {part} has a list or a signature; remove them first",
    )
