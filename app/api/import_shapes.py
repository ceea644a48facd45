"""Imports as they are shown."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, Field

from app.api.errors import MEDIA_TYPE, REF, ErrorItem
from app.api.shapes import Words
from app.domain.imports import Mode, OnConflict, State
from app.domain.imports.storing import Stored


class OptionsShape(BaseModel):
    """How the sender says that the file is to be read."""

    encoding: str | None
    locale: str | None
    sheet: str | None
    period: str | None
    on: datetime.date | None
    source: str | None
    measured_on: datetime.date | None


class FileShape(BaseModel):
    """The file, and how it was read; null as long as that is not known."""

    name: str | None
    size: int
    sha256: str
    format: str | None = Field(description="csv, tsv, xlsx, xls or ndjson.")
    encoding: str | None
    delimiter: str | None
    packed: bool
    locale: str | None
    form: str | None = Field(description="long: a row a value; wide: a row a unit.")
    sheets: list[str]


class CountsShape(BaseModel):
    """Values by what becomes of them; `superseded` are those created that follow another one."""

    created: int
    unchanged: int
    superseded: int
    skipped: int
    rejected: int


class CauseShape(BaseModel):
    """One thing wrong, or to be told of, with the first hundred rows as the file counts them."""

    code: str
    column: str | None
    sheet: str | None
    message: Words
    rows: list[int]
    count: int
    sample: str | None


class ImportInShort(BaseModel):
    """A file that was sent, and what becomes of its values.

    Counts say the same whether the values were loaded (state committed) or not.
    """

    id: int
    state: State
    dry_run: bool
    mode: Mode
    on_conflict: OnConflict
    options: OptionsShape
    file: FileShape
    rows: int | None
    counts: CountsShape | None
    rejected: str | None = Field(description="Where the refused rows are, to mend and send again.")
    job: int | None
    created_at: datetime.datetime
    ended_at: datetime.datetime | None
    freed_at: datetime.datetime | None = Field(
        description="Since when the file and its refused rows are kept no longer."
    )
    by: str


class ImportShape(ImportInShort):
    """An import with its report: what is wrong, and what is to be told of, by cause."""

    conflicts: list[CauseShape]
    warnings: list[CauseShape]


class ImportPage(BaseModel):
    """One page of imports, newest first."""

    items: list[ImportInShort]
    next: str | None


class RefusedImport(ImportShape):
    """A problem document (RFC 9457) that is a report as well: nothing was loaded."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    instance: str
    errors: list[ErrorItem]


_refused = RefusedImport.model_json_schema(ref_template=REF)
_refused.pop("$defs", None)
# What OpenAPI says of 422: a request that was wrong, or a file that was refused.
REFUSED: Final[dict[str, Any]] = {
    "description": "Something in the request is wrong, or the file was refused and the answer is "
    "its report as well",
    "content": {
        MEDIA_TYPE: {"schema": {"anyOf": [{"$ref": REF.format(model="ProblemDocument")}, _refused]}}
    },
}


def shown(stored: Stored, *, whole: bool = True) -> dict[str, Any]:
    """Return an import as it is shown, with what was found in it unless that is left out."""
    report: Mapping[str, Any] = stored.report or {}
    counts = report.get("counts")
    own = {"name": stored.name, "size": stored.size, "sha256": stored.sha256}
    found = {name: report.get(name, []) for name in ("conflicts", "warnings")} if whole else {}
    return {
        "id": stored.id,
        "state": stored.state,
        "dry_run": stored.wanted.dry_run,
        "mode": stored.wanted.mode,
        "on_conflict": stored.wanted.on_conflict,
        "options": stored.wanted.options,
        "file": own | report.get("file", _UNREAD),
        "rows": report.get("rows"),
        "counts": counts,
        **found,
        "rejected": f"/v1/imports/{stored.id}/rejected.csv"
        if counts and counts["rejected"] and stored.freed_at is None
        else None,
        "job": stored.job_id,
        "created_at": stored.created_at,
        "ended_at": stored.ended_at,
        "freed_at": stored.freed_at,
        "by": stored.client,
    }


_UNREAD: Final[dict[str, Any]] = {
    "format": None, "encoding": None, "delimiter": None, "packed": False, "locale": None,
    "form": None, "sheets": [],
}  # fmt: skip
