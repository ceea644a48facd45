"""Opening a submission: one unit, one ruleset, one period; one that is not ended at a time."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Sequence
from typing import Final

import asyncpg
import msgspec

from app.domain import audit, ruleset_snapshots, scope, unit_lookup
from app.domain.audit import Act
from app.domain.evidence import chain, editing, parts
from app.domain.evidence.chain import Office
from app.domain.evidence.editing import Held
from app.domain.evidence.parts import Part
from app.domain.previews import check_level, known_ruleset
from app.domain.refusals import Complaint, Conflict, Forbidden, Refused
from app.domain.territory import Caller, outside, place
from app.domain.unit_periods import Entity, Meant, Unclear, resolve
from app.rules.errors import Text
from app.rules.period import Period
from app.rules.registry import Entry, Registry


class Wish(msgspec.Struct, frozen=True):
    """What is to be opened; without parts the register's hamlets are taken."""

    unit: str
    on: datetime.date | None
    ruleset: str
    period: Period
    parts: Sequence[Part] | None = None


# Of two that are opened at once, one waits for the other here and then is none.
_OPEN: Final = f"""
INSERT INTO evidence_submission
       (unit_id, district_id, province_id, ruleset, digest, period, period_first, period_last,
        unit_on, state, revision, version, names_key, client)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'draft', 1, 0, $10, $11)
ON CONFLICT (unit_id, ruleset, period)
      WHERE state NOT IN ({chain.SQL_ENDED}) DO NOTHING
RETURNING id
"""
_THERE: Final = f"""
SELECT id FROM evidence_submission
 WHERE unit_id = $1 AND ruleset = $2 AND period = $3
   AND state NOT IN ({chain.SQL_ENDED})
"""


async def open_(
    connection: asyncpg.Connection,
    registry: Registry,
    caller: Caller,
    wish: Wish,
    today: datetime.date,
) -> Held:
    """Open a submission and return it; it lies where its unit lies on the day it is opened.

    Raises Refused with everything that is wrong with the wish, Forbidden for an office that is no
    commune's, Conflict where one is open already.
    """
    entry, unit = await _meant(connection, registry, caller, wish)
    if chain.office_of(caller) is not Office.COMMUNE:
        raise Forbidden(Complaint("", "not-your-office", _NOT_A_COMMUNE))
    await ruleset_snapshots.keep(connection, entry)
    first = wish.period.first
    day = max(first, unit.since or first, min(unit.day, today))
    (lying,) = await unit_lookup.by_ids(connection, [unit.id], day)
    id_ = await connection.fetchval(
        _OPEN, *place(lying), wish.ruleset, entry.compiled.digest, wish.period.text, first,
        wish.period.last, day, uuid.uuid4(), caller.client_id,
    )  # fmt: skip
    if id_ is None:
        there = await connection.fetchval(_THERE, unit.id, wish.ruleset, wish.period.text)
        raise Conflict(Complaint("", "submission-open", _there(unit, there)))
    held = await editing.hold(connection, caller, id_)
    given = wish.parts if wish.parts is not None else await parts.hamlets(connection, held)
    parts.check_distinct(given)
    await parts.add(connection, id_, given)
    told = {"submission": id_, "ruleset": wish.ruleset, "period": wish.period.text}
    await audit.note(connection, caller, [Act("submission.opened", held.place, told)])
    return held


async def _meant(
    connection: asyncpg.Connection, registry: Registry, caller: Caller, wish: Wish
) -> tuple[Entry, Entity]:
    complaints: list[Complaint] = []
    entry = known_ruleset(registry, wish.ruleset, complaints)
    meant = Meant(wish.unit, wish.period, wish.on)
    unit = (await resolve(connection, [meant]))[meant]
    if isinstance(unit, Unclear):
        complaints.append(unit.complaint("/unit"))
    elif not caller.territory.reaches(unit):
        complaints.append(Complaint("/unit", "outside-territory", outside(unit)))
    elif entry is not None:
        check_level(entry.compiled, unit.level, "/unit", complaints)
        if not complaints and unit.level not in ("commune", "hamlet"):
            complaints.append(Complaint("/unit", "wrong-level", _NO_CHAIN))
        rule = entry.ruleset.scope
        if (await scope.of(connection, rule, [unit.id]))[unit.id] == scope.OUT:
            complaints.append(Complaint("/unit", "ruleset-out-of-scope", _out(entry, unit)))
    if complaints or entry is None or isinstance(unit, Unclear):
        raise Refused(complaints)
    return entry, unit


def _there(unit: Entity, id_: int) -> Text:
    return Text(
        f"{unit.named} đã có hồ sơ số {id_} chưa kết thúc cho bộ quy tắc và kỳ này; hãy dùng hồ sơ "
        f"đó tại /v1/evidence-submissions/{id_}, hoặc rút nó trước",
        f"{unit.named} has submission {id_} open by this ruleset for this period; use it at "
        f"/v1/evidence-submissions/{id_}, or withdraw it first",
    )


def _out(entry: Entry, unit: Entity) -> Text:
    id_, document = entry.ruleset.ruleset, entry.ruleset.document.short
    return Text(
        f"{unit.named} không thuộc phạm vi của {id_} ({document}); hãy chọn bộ quy tắc khác",
        f"{unit.named} is outside the scope of {id_} ({document}); choose another ruleset",
    )


_NOT_A_COMMUNE: Final = Text(
    "hồ sơ minh chứng do cơ quan của xã lập; hãy dùng máy khách của xã",
    "a submission of evidence is opened by the office of a commune; use a client of the commune",
)
_NO_CHAIN: Final = Text(
    "chuỗi thẩm tra, thẩm định, phê duyệt chỉ có cho xã (và thôn, ấp, khu dân cư của xã); hãy nêu "
    "một xã",
    "there is a chain of verification, appraisal and approval for communes and their hamlets "
    "only; name a commune",
)
