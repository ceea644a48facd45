"""Confirmations (xác nhận): who of those whom text or form name has signed a list, and when."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any, Final

import asyncpg
import msgspec

from app.domain import audit
from app.domain.audit import Act
from app.domain.evidence import editing, parts
from app.domain.evidence.editing import Held
from app.domain.evidence.slots import Filled, filled, signing_digest
from app.domain.refusals import Complaint, Conflict, Refused
from app.domain.territory import Caller
from app.rules.errors import Text
from app.rules.forms import Slot


class Signature(msgspec.Struct, frozen=True):
    """A signature as it is handed in; `part` is empty where the list is signed as a whole."""

    who: str
    part: str
    signed_on: datetime.date
    document: Mapping[str, Any] | None = None


_CURRENT: Final = """
SELECT id, who, part, digest, signed_on, document FROM evidence_confirmation
 WHERE submission_id = $1 AND slot = $2 AND ended_at IS NULL ORDER BY who, part
"""
_END: Final = "UPDATE evidence_confirmation SET ended_at = clock_timestamp() WHERE id = ANY($1)"
_ADD: Final = """
INSERT INTO evidence_confirmation
       (submission_id, slot, who, part, digest, signed_on, document, client)
SELECT $1, $2, w.who, w.part, w.digest, w.signed_on, w.document::jsonb, $8
  FROM unnest($3::text[], $4::text[], $5::text[], $6::date[], $7::text[])
       w (who, part, digest, signed_on, document)
"""


async def replace(
    connection: asyncpg.Connection,
    caller: Caller,
    held: Held,
    slot: Slot,
    wanted: Sequence[Signature],
    day: datetime.date,
) -> bool:
    """Say who has signed a slot's list, all of them; return whether anything changed.

    Raises Refused for somebody whom neither text nor form names, Conflict where there is nothing
    to sign.
    """
    there = await filled(connection, held.id)
    known = await parts.of(connection, held.id)
    for number, one in enumerate(wanted):
        parts.check_known(one.part, known, f"/confirmations/{number}/part")
    _check(slot, wanted, there, day)
    signed = {(one.who, one.part): one for one in wanted}
    lists = there.lists.get(slot.slot, {})
    digests = {key: signing_digest(lists, key[1]) for key in signed}
    current = await connection.fetch(_CURRENT, held.id, slot.slot)
    kept = {
        (row["who"], row["part"])
        for row in current
        if _same(row, signed.get((row["who"], row["part"])), digests)
    }
    ended = [row["id"] for row in current if (row["who"], row["part"]) not in kept]
    fresh = [one for key, one in signed.items() if key not in kept]
    if not ended and not fresh:
        return False
    await connection.execute(_END, ended)
    if fresh:
        columns = zip(
            *[
                (
                    one.who,
                    one.part,
                    digests[one.who, one.part],
                    one.signed_on,
                    one.document and msgspec.json.encode(one.document).decode(),
                )
                for one in fresh
            ],
            strict=True,
        )
        await connection.execute(_ADD, held.id, slot.slot, *map(list, columns), caller.client_id)
    await editing.touch(connection, held)
    told = {"submission": held.id, "slot": slot.slot, "signed": len(wanted)}
    await audit.note(connection, caller, [Act("evidence.confirmed", held.place, told)])
    return True


def _same(
    row: asyncpg.Record, one: Signature | None, digests: Mapping[tuple[str, str], str | None]
) -> bool:
    return one is not None and (row["signed_on"], _read(row["document"]), row["digest"]) == (
        one.signed_on,
        one.document and dict(one.document),
        digests[one.who, one.part],
    )


async def of(connection: asyncpg.Connection, submission: int, slot: str) -> list[dict[str, Any]]:
    """Return who has signed the list of a slot."""
    return [
        {
            "who": row["who"],
            "part": row["part"] or None,
            "signed_on": row["signed_on"],
            "document": _read(row["document"]),
        }
        for row in await connection.fetch(_CURRENT, submission, slot)
    ]


def _read(document: str | None) -> dict[str, Any] | None:
    return None if document is None else msgspec.json.decode(document, type=dict[str, Any])


def _check(slot: Slot, wanted: Sequence[Signature], there: Filled, day: datetime.date) -> None:
    named = [one.who for one in slot.evidence.confirmed_by]
    lists = there.lists.get(slot.slot, {})
    complaints, seen = [], set()
    for number, one in enumerate(wanted):
        where = f"/confirmations/{number}"
        apart = one.who == slot.in_parts and bool(there.parts)
        if one.who not in named:
            complaints.append(Complaint(f"{where}/who", "unknown-signer", _nobody(named)))
        elif apart != bool(one.part):
            complaints.append(Complaint(f"{where}/part", "wrong-part", _apart(one.who, apart)))
        elif (one.who, one.part) in seen:
            complaints.append(Complaint(where, "duplicate-signature", _TWICE))
        elif one.signed_on > day:
            complaints.append(Complaint(f"{where}/signed_on", "future-day", _FUTURE))
        seen.add((one.who, one.part))
    if complaints:
        raise Refused(complaints)
    for number, one in enumerate(wanted):
        if signing_digest(lists, one.part) is None:
            raise Conflict(Complaint(f"/confirmations/{number}", "nothing-to-confirm", _NO_LIST))


def _nobody(named: Sequence[str]) -> Text:
    shown = ", ".join(f"“{one}”" for one in named) or "-"
    return Text(
        f"văn bản và biểu mẫu không đòi xác nhận này; những bên xác nhận: {shown}",
        f"neither text nor form demands this confirmation; who confirms: {shown}",
    )


def _apart(who: str, apart: bool) -> Text:
    if apart:
        return Text(
            f"“{who}” xác nhận theo từng khu dân cư; hãy ghi part",
            f"“{who}” signs part by part; give part",
        )
    return Text(
        f"“{who}” xác nhận cả danh sách; hãy bỏ part",
        f"“{who}” signs the whole list; leave part out",
    )


_TWICE: Final = Text("xác nhận này được nêu hai lần; chỉ giữ một", "given twice; keep one")
_FUTURE: Final = Text(
    "ngày xác nhận ở tương lai; hãy ghi ngày đã ký", "the day is to come; give the day of signing"
)
_NO_LIST: Final = Text(
    "chưa có danh sách để xác nhận; hãy nộp danh sách bằng PUT …/rows trước",
    "there is no list to confirm yet; send it by PUT …/rows first",
)
