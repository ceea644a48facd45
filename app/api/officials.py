"""Who acts behind a client, as the client states it: kept with what was done, never a name."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from fastapi import Depends, Query
from pydantic import Field

from app.api.preconditions import Version
from app.api.problems import refusal
from app.api.shapes import Line, Strict
from app.domain.refusals import Complaint
from app.domain.territory import Caller, Official
from app.rules.errors import Text


class OfficialIn(Strict):
    """The official on whose decision a client acts: number, office and position, no name."""

    id: Line
    office: Line
    position: Line


def acting(caller: Caller, official: OfficialIn | None) -> Caller:
    """Return the caller as acting for an official, where one is stated."""
    if official is None:
        return caller
    stated = Official(official.id, official.office, official.position)
    return msgspec.structs.replace(caller, official=stated)


class Change(Strict):
    """A change, and on whose decision it is made where the client states it."""

    acting_official: OfficialIn | None = Field(
        default=None, description="On whose decision: kept in the audit with what was done."
    )

    def by(self, caller: Caller) -> Caller:
        """Return the caller as acting for the official."""
        return acting(caller, self.acting_official)


class EndingIn(Change):
    """Why something is ended; the whole body may be left out."""

    reason: Line | None = None
    version: Version = None


_WORD: Final[dict[str, Any]] = {"min_length": 1, "max_length": 500, "pattern": r"^[^\x00-\x1f]+$"}


async def official_in_query(
    acting_official_id: Annotated[
        str | None, Query(description="Number of the official who decided.", **_WORD)
    ] = None,
    acting_official_office: Annotated[
        str | None, Query(description="The official's office.", **_WORD)
    ] = None,
    acting_official_position: Annotated[
        str | None, Query(description="The official's position.", **_WORD)
    ] = None,
) -> Official | None:
    """Return the official on whose decision a file is sent, for bodies that are no JSON."""
    given = (acting_official_id, acting_official_office, acting_official_position)
    if not any(given):
        return None
    names = ("acting_official_id", "acting_official_office", "acting_official_position")
    missing = [name for name, one in zip(names, given, strict=True) if one is None]
    if missing:
        message = Text(
            f"hãy nêu đủ {', '.join(names)}, hoặc không nêu gì",
            f"give all of {', '.join(names)}, or none",
        )
        raise refusal([Complaint(f"/{name}", "missing-field", message) for name in missing])
    return Official(*(str(one) for one in given))


OfficialInQuery = Annotated[Official | None, Depends(official_in_query)]
