"""What the routes of lists share: parts, keys, whose decision it is, places in pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import msgspec
from fastapi import Depends, Query, Request
from pydantic import BeforeValidator, StringConstraints, ValidationError

from app.api.evidence_shapes import Code
from app.api.invalid import complaints
from app.api.officials import OfficialIn, acting
from app.api.problems import refusal
from app.api.shapes import one_line
from app.domain.evidence.keys import Keys
from app.domain.evidence.names import Page, Shown
from app.domain.refusals import Complaint
from app.domain.territory import Caller, Official
from app.rules.errors import Text

PartInQuery = Annotated[
    Code | None, Query(description="Code of a part (khu dân cư, thôn, ấp) of the submission.")
]
PurposeText = Annotated[
    str, BeforeValidator(one_line), StringConstraints(min_length=5, max_length=500)
]
Purpose = Annotated[PurposeText, Query(description="What for; it is kept in the audit.")]


def _keys(request: Request) -> Keys:
    return Keys(request.app.state.settings.names_keys)


NamesKeys = Annotated[Keys, Depends(_keys)]


def by_whom(caller: Caller, official: Official | None, said: Any = None) -> Caller:
    """Return the caller as acting for the official whom the query names, or the body of a list."""
    if said is None:
        return msgspec.structs.replace(caller, official=official)
    if official is not None:
        raise refusal([Complaint("/acting_official", "wrong-value", _TWO_OFFICIALS)])
    try:
        return acting(caller, OfficialIn.model_validate(said))
    except ValidationError as error:
        placed = [{**one, "loc": ("acting_official", *one["loc"])} for one in error.errors()]
        raise refusal(complaints(placed)) from None


def filters_of(list_: str, id_: int, slot: str, part: str | None) -> dict[str, str | None]:
    """Return what a cursor is bound to."""
    return {"list": list_, "id": str(id_), "slot": slot, "part": part}


def place_of(one: Shown) -> Sequence[str]:
    """Return the place of a row in the lists of a slot."""
    return one.part, str(one.place)


def page_of(
    found: Page, items: Sequence[Mapping[str, Any]], following: str | None
) -> dict[str, Any]:
    """Return a page as it is answered."""
    return {"items": items, "next": following, "rows": found.rows}


_TWO_OFFICIALS: Final = Text(
    "nêu cán bộ quyết định ở nội dung hoặc ở tham số, không nêu cả hai",
    "name the official in the body or in the parameters, not in both",
)
