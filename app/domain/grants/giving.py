"""Giving and revoking grants: what may be opened, to whom, and until when."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from typing import Final

import asyncpg
import msgspec

from app.domain import audit, territory
from app.domain.audit import Act
from app.domain.clock import VIETNAM_TIME
from app.domain.previews import unknown_ruleset
from app.domain.refusals import Complaint, Conflict, Forbidden, Refused, no_indicator, pointer
from app.domain.ruleset_snapshots import was_used
from app.domain.territory import EVALUATIONS, VALUES, Caller, Territory
from app.domain.unit_lookup import Found
from app.rules.errors import Text
from app.rules.facts import printable
from app.rules.registry import Registry

MOST_YEARS: Final = 5
MOST_GRANTS: Final = 100  # that hold, of one client to one receiver: nobody buries another in them


class Until(msgspec.Struct, frozen=True):
    """The end of a grant: an instant, and the last day where a day was given."""

    at: datetime.datetime
    day: datetime.date | None = None

    @classmethod
    def of(cls, given: datetime.date | datetime.datetime) -> Until:
        """Return the end that a day, as it is in Vietnam, or an instant means."""
        if isinstance(given, datetime.datetime):
            return cls(given)
        midnight = datetime.datetime.combine(given, datetime.time(), VIETNAM_TIME)
        return cls(midnight + datetime.timedelta(days=1), given)

    @property
    def last_day(self) -> datetime.date:
        """The last day in Vietnam on which the grant holds, if only for a part of it."""
        return self.day or self.at.astimezone(VIETNAM_TIME).date()


class Wish(msgspec.Struct, frozen=True):
    """A grant to give: one of `to_client` and `to_unit` is there; None in a list means all."""

    opened: Found
    to_client: str | None
    to_unit: Found | None
    resources: Sequence[str]
    rulesets: Sequence[str] | None
    indicators: Sequence[str] | None
    purpose: str
    until: Until


_GIVE: Final = """
INSERT INTO data_grant (unit_id, district_id, province_id, units, districts, provinces, to_client,
                        to_unit_id, resources, rulesets, indicators, purpose, until, until_day,
                        granted_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
RETURNING id
"""


async def give(connection: asyncpg.Connection, rules: Registry, caller: Caller, wish: Wish) -> int:
    """Put a grant on record; return its number.

    Raises Absent, Refused with all that is wrong, or Conflict where there are too many.

    Whether the client exists that it is given to is not asked: the answer would tell.
    """
    opened = await _opened(connection, caller, wish.opened)
    complaints = [
        *await _own(connection, caller, wish),
        *_lists(rules, wish),
        *await _rulesets(connection, rules, wish.rulesets or ()),
        *_end(wish.until),
    ]
    if complaints:
        raise Refused(complaints)
    await _check_number(connection, caller, wish)
    _, *arrays = opened.arrays()
    id_: int = await connection.fetchval(
        _GIVE,
        *territory.place(wish.opened),
        *arrays,
        wish.to_client,
        wish.to_unit and wish.to_unit.id,
        wish.resources,
        wish.rulesets,
        wish.indicators,
        wish.purpose,
        wish.until.at,
        wish.until.day,
        caller.client_id,
    )
    await audit.note(connection, caller, [_given(id_, wish)])
    return id_


async def _opened(connection: asyncpg.Connection, caller: Caller, unit: Found) -> Territory:
    """Return what a unit opens; raise Refused for the nation, Absent for what lies elsewhere."""
    if unit.level == "nation":
        message = Text(
            "không thể chia sẻ dữ liệu cả nước một lần; hãy chọn tỉnh, huyện hoặc xã",
            "the whole nation cannot be opened at once; choose a province, district or commune",
        )
        raise Refused([Complaint("/from_territory", "wrong-level", message)])
    caller.territory.require(unit, "/from_territory")
    return await territory.resolve(connection, unit.id, unit.level)


_UNIT_OF: Final = "SELECT unit_id FROM client WHERE client_id = $1"


async def _own(connection: asyncpg.Connection, caller: Caller, wish: Wish) -> list[Complaint]:
    """Complain of a grant to whoever sees it all already: oneself, or the unit it opens."""
    place = "/to_client" if wish.to_unit is None else "/to_territory"
    if wish.to_unit is None:
        own = wish.to_client == caller.client_id
    else:
        known = await connection.fetchval(_UNIT_OF, caller.client_id)
        own = wish.to_unit.id in (known, wish.opened.id)
    message = Text(
        "bên nhận đã thấy toàn bộ dữ liệu này; hãy chọn máy khách hoặc địa bàn khác",
        "the receiver sees all of this anyway; choose another client or territory",
    )
    return [Complaint(place, "wrong-value", message)] if own else []


_HELD: Final = """
SELECT count(*) FROM data_grant
 WHERE granted_by = $1 AND (to_client = $2 OR to_unit_id = $3)
   AND revoked_at IS NULL AND until > now()
"""


async def _check_number(connection: asyncpg.Connection, caller: Caller, wish: Wish) -> None:
    to_unit = wish.to_unit and wish.to_unit.id
    held = await connection.fetchval(_HELD, caller.client_id, wish.to_client, to_unit)
    if held >= MOST_GRANTS:
        message = Text(
            f"bạn đã chia sẻ cho bên này {held} lần còn hiệu lực; hãy gộp lại hoặc thu hồi bớt",
            f"you have given this receiver {held} grants that hold; join some or revoke some",
        )
        raise Conflict(Complaint("", "too-many-grants", message))


def _lists(rules: Registry, wish: Wish) -> Iterator[Complaint]:
    """Complain of what is named twice, or narrows nothing, or is no indicator."""
    named = (("resources", wish.resources, None), ("rulesets", wish.rulesets, EVALUATIONS),
             ("indicators", wish.indicators, VALUES))  # fmt: skip
    for name, given, narrowed in named:
        for index, one in enumerate(given or ()):
            if one in (given or ())[:index]:
                message = Text(
                    f"“{printable(one)}” bị lặp lại; hãy ghi một lần",
                    f"“{printable(one)}” is given twice; give it once",
                )
                yield Complaint(pointer(name, index), "duplicate-member", message)
        if given is not None and narrowed and narrowed not in wish.resources:
            message = Text(
                f"“{name}” cần có “{narrowed}” trong resources; hãy thêm hoặc bỏ “{name}”",
                f"“{name}” needs “{narrowed}” among the resources; add it or leave out “{name}”",
            )
            yield Complaint(f"/{name}", "wrong-value", message)
    for index, one in enumerate(wish.indicators or ()):
        if one not in rules.indicators:
            place = pointer("indicators", index)
            yield Complaint(place, "unknown-indicator", no_indicator(one))


async def _rulesets(
    connection: asyncpg.Connection, rules: Registry, named: Sequence[str]
) -> list[Complaint]:
    """Complain of rulesets that are neither installed nor behind any verdict on record."""
    return [
        Complaint(pointer("rulesets", index), "unknown-ruleset", unknown_ruleset(rules, one))
        for index, one in enumerate(named)
        if one not in rules.entries and not await was_used(connection, one)
    ]


def _end(until: Until) -> Iterator[Complaint]:
    now = datetime.datetime.now(VIETNAM_TIME)
    if until.at <= now or until.last_day > _years_after(now.date(), MOST_YEARS):
        message = Text(
            f"“until” phải ở tương lai và không quá {MOST_YEARS} năm; hãy chọn ngày khác",
            f"“until” must lie ahead, by {MOST_YEARS} years at most; choose another day",
        )
        yield Complaint("/until", "wrong-value", message)


def _years_after(day: datetime.date, years: int) -> datetime.date:
    """Return the same day some years later; the last of February where there is no such day."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return day.replace(year=day.year + years, day=28)


def _given(id_: int, wish: Wish) -> Act:
    told = {
        "grant": id_,
        "to_client": wish.to_client,
        "to_territory": wish.to_unit and wish.to_unit.key,
        "resources": wish.resources,
        "rulesets": wish.rulesets,
        "indicators": wish.indicators,
        "purpose": wish.purpose,
        "until": wish.until.day or wish.until.at,
    }
    return Act("grant.given", territory.place(wish.opened), told)


async def lock(connection: asyncpg.Connection, id_: int) -> None:
    """Let nobody else change a grant of the caller's side until the transaction ends."""
    await connection.execute("SELECT FROM data_grant WHERE id = $1 FOR UPDATE", id_)


# A grant that ended by itself stays so: revoking it changes nothing.
_REVOKE: Final = """
UPDATE data_grant SET revoked_at = clock_timestamp(), revoked_by = $2, revoked_because = $3
 WHERE id = $1 AND revoked_at IS NULL AND until > clock_timestamp()
RETURNING unit_id, district_id, province_id
"""


def check_giver(grant: asyncpg.Record) -> None:
    """Raise Forbidden where a grant, a row of `listing`, is read by its receiver."""
    if not grant["given"]:
        message = Text(
            "chỉ bên cho mới thu hồi được; hãy hỏi đơn vị đã chia sẻ dữ liệu này",
            "only the giver's side can revoke it; ask the office that shares this data",
        )
        raise Forbidden(Complaint("/id", "not-the-giver", message))


async def revoke(
    connection: asyncpg.Connection, caller: Caller, grant: asyncpg.Record, reason: str | None
) -> None:
    """End a grant of the caller's side from the next request on; once ended it stays as it is."""
    place = await connection.fetchrow(_REVOKE, grant["id"], caller.client_id, reason)
    if place is not None:
        act = Act("grant.revoked", tuple(place), {"grant": grant["id"]}, reason)
        await audit.note(connection, caller, [act])
