"""How files to download are described, and the parameters that they share."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from fastapi.responses import JSONResponse
from pydantic import RootModel

from app.domain.exports import Headings
from app.domain.own_files import XLSX

HeadingsInQuery = Annotated[
    Headings, Query(description="Column headings: names of fields (en), or Vietnamese (vi).")
]


class CsvText(RootModel[str]):
    """UTF-8 with a byte order mark, comma, CRLF; the last row is `#sha256,<hex>,rows,<n>`."""


class NdjsonText(RootModel[str]):
    """An item a line as in the list; the last line is `{"end": {"rows": n, "sha256": "<hex>"}}`."""


class Workbook(RootModel[bytes]):
    """A workbook of one sheet; the first row are the headings, every cell is text or a number."""


class CsvAnswer(JSONResponse):
    """An answer in CSV."""

    media_type = "text/csv"


class NdjsonAnswer(JSONResponse):
    """An answer in NDJSON."""

    media_type = "application/x-ndjson"


class XlsxAnswer(JSONResponse):
    """An answer that is a workbook."""

    media_type = XLSX
