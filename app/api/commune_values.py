"""One value of a commune under its own address."""

from __future__ import annotations

from typing import Annotated, Any, Final

import asyncpg
from fastapi import APIRouter, Path, Response
from pydantic import Field

from app.api.answers import created
from app.api.deps import Recorder, Rules, Writer
from app.api.errors import problem_responses
from app.api.language import InLanguage
from app.api.moments import PeriodInPath
from app.api.officials import Change
from app.api.preconditions import Meant, Version
from app.api.problems import refusal
from app.api.strict import StrictRoute
from app.api.unit_shapes import CommuneInPath, Place
from app.api.value_shapes import MeasureIn, ValueOrUnchanged
from app.domain.refusals import Complaint, Refused
from app.domain.territory import Caller, Sight
from app.domain.values import entries, listing, recording, version
from app.domain.values.entries import Placed, Read, as_complaints
from app.rules.errors import Text
from app.rules.registry import Registry

router = APIRouter(prefix="/v1/communes", tags=["values"], route_class=StrictRoute)


_UNSEEN: Final = "?"  # the version of what came on record in the same moment; nobody can mean it


class OneValueIn(MeasureIn, Change):
    """One value; unit, period and indicator stand in the path and may be repeated here."""

    unit: Place | None = None
    period: str | None = Field(default=None, max_length=20)
    indicator: str | None = Field(default=None, max_length=120)
    version: Version = None


@router.put(
    "/{code}/values/{period}/{indicator}",
    summary="Record one value of a commune",
    response_model=ValueOrUnchanged,
    responses={
        201: {"model": ValueOrUnchanged, "description": "The first value of this period"},
        **problem_responses(400, 404, 409, 412, 413, 415, 422, 428),
    },
)
async def record_value(
    caller: Recorder,
    rules: Rules,
    connection: Writer,
    language: InLanguage,
    code: CommuneInPath,
    period: PeriodInPath,
    indicator: Annotated[str, Path(max_length=120, description="Code of an indicator.")],
    meant: Meant,
    body: OneValueIn,
) -> Response:
    """Put one value on record; the same once more changes nothing and says `unchanged`.

    What replaces a value on record says which one, by `If-Match` or `version`.
    """
    named = {"unit": code, "period": period.text, "indicator": indicator}
    _check_repeated(named, body)
    one = await _placed(caller, rules, connection, vars(body) | named)
    await recording.hold(connection, one)
    known = (await recording.current(connection, [one])).get(one.key)
    if known is not None and recording.says_the_same(one, known):
        _, shown = await listing.get(connection, Sight(caller.territory), known["id"])
        return created(shown | {"unchanged": True}, language, status=200)
    there = version(known["id"], known["status"]) if known else ""
    meant.check(there, body.version, required=bool(known))
    (stored,) = await recording.record(connection, body.by(caller), [one])
    if known is None and await recording.has_followed(connection, one):
        meant.check(_UNSEEN, body.version, required=True)
    status = 201 if known is None else 200
    shown = stored.shown() | {"unchanged": False}
    return created(shown, language, f"/v1/values/{stored.id}", status)


async def _placed(
    caller: Caller, rules: Registry, connection: asyncpg.Connection, raw: dict[str, Any]
) -> Placed:
    """Return one value with its unit; raise Refused with what is wrong with it."""
    read = Read()
    read.add(rules.indicators, 0, raw)
    placed = await entries.place(connection, caller.territory, rules, read)
    if read.complaints:
        raise Refused(as_complaints(read.complaints, numbered=False))
    return placed[0]


def _check_repeated(named: dict[str, str], body: OneValueIn) -> None:
    complaints = []
    for name, value in named.items():
        if getattr(body, name) not in (None, value):
            message = Text(
                f"“{name}” khác với đường dẫn ({value}); hãy bỏ hoặc ghi giống nhau",
                f"“{name}” differs from the path ({value}); leave it out or repeat it",
            )
            complaints.append(Complaint(f"/{name}", "wrong-value", message))
    if complaints:
        raise refusal(complaints)
