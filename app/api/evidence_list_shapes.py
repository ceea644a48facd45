"""Lists of evidence and their forms, as they are shown; how a list is sent."""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, Field

from app.api.officials import OfficialIn
from app.api.shapes import Strict, Words
from app.api.uploads import Taken, UploadRoute
from app.domain.evidence.list_files import JSON
from app.domain.evidence.rows import LARGEST, LONGEST, MOST
from app.domain.own_files import XLSX
from app.domain.reading import container
from app.rules.errors import Text

_MEDIA: Final[dict[str, str | None]] = {
    "application/json": JSON,
    "text/csv": container.CSV,
    XLSX: container.XLSX,
}


class RowIn(Strict):
    """A row of a list, as its form has it."""

    number: int | None = Field(default=None, ge=1, le=LARGEST)
    name: Annotated[str, Field(min_length=1, max_length=LONGEST["name"])]
    note: Annotated[str, Field(max_length=LONGEST["note"])] | None = None


class Contradiction(BaseModel):
    """Where a list contradicts itself; nothing is mended."""

    code: str
    message: Words


class Repeated(BaseModel):
    """Rows whose name stands in a row above: how many, and which (from 1, at most 100)."""

    count: int
    numbers: list[int]


class SentListShape(BaseModel):
    """A list on record: counts and a keyed digest, never a name."""

    submission: int
    slot: str
    part: str | None
    rows: int
    stated_total: int | None
    repeated: Repeated
    contradictions: list[Contradiction]
    digest: str
    unchanged: bool
    at: datetime.datetime
    version: str


class MaskedRow(BaseModel):
    """A row with its name masked."""

    part: str | None
    number: int | None
    name: str
    has_note: bool


class MaskedPage(BaseModel):
    """One page of masked rows; `rows` counts all of them."""

    items: list[MaskedRow]
    next: str | None
    rows: int


class NamedRow(BaseModel):
    """A row with its name."""

    part: str | None
    number: int | None
    name: str
    note: str | None


class NamedPage(BaseModel):
    """One page of rows with names; `rows` counts all of them."""

    items: list[NamedRow]
    next: str | None
    rows: int


class FormColumn(BaseModel):
    """A column of a form, with its heading as printed."""

    column: Literal["number", "name", "note"]
    label: str


class FormUse(BaseModel):
    """A slot that is filled by a form."""

    ruleset: str
    slot: str
    criterion: str


class FormShape(BaseModel):
    """A form as the document prints it; `population`: how it differs from the indicator's."""

    form: str
    called: str
    title: str
    section: str
    lists: Literal["persons", "establishments"]
    columns: list[FormColumn]
    total: str
    confirmed_by: list[str]
    population: Words | None
    slots: list[FormUse]


class FormPage(BaseModel):
    """All forms."""

    items: list[FormShape]
    next: str | None


_FILE: Final = {"schema": {"type": "string", "format": "binary"}}
_JSON: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["rows"],
    "additionalProperties": False,
    "properties": {
        "rows": {"type": "array", "maxItems": MOST, "items": RowIn.model_json_schema()},
        "total": {
            "description": "What the last line (Tổng cộng) says.",
            "type": ["integer", "null"],
            "minimum": 0,
            "maximum": LARGEST,
        },
        "acting_official": OfficialIn.model_json_schema(),
    },
}
BODY: Final[dict[str, Any]] = {
    "required": True,
    "content": {"application/json": {"schema": _JSON}, "text/csv": _FILE, XLSX: _FILE},
}


class ListRoute(UploadRoute):
    """A route whose body is a list: it is on the disk, nameless, when the handler begins."""

    @property
    def taken(self) -> Taken:
        """What it takes: lists."""
        return _LISTS


_EMPTY: Final = Text(
    "thiếu danh sách; hãy gửi JSON, CSV hoặc XLSX làm nội dung của yêu cầu",
    "the list is missing; send JSON, CSV or XLSX as the body of the request",
)
_MEDIA_TYPES: Final = Text(
    f"hãy gửi danh sách với Content-Type là một trong: {', '.join(_MEDIA)}; mã UTF-8, không nén",
    f"send the list with one of these as Content-Type: {', '.join(_MEDIA)}; in UTF-8, not "
    "compressed",
)
_LISTS: Final = Taken(
    _MEDIA, lambda settings: settings.max_list_bytes, _MEDIA_TYPES, _EMPTY, _MEDIA_TYPES
)
