"""Deliberately nasty files, each with the report that is expected of it.

The reading process is tested with them by itself, and the API end to end.
"""

from __future__ import annotations

from typing import Final

from nasty import bombs, books, objects, offices, tables, texts, writing
from nasty.shapes import Nasty

FILES: Final[tuple[Nasty, ...]] = (
    *texts.FILES,
    *tables.FILES,
    *objects.FILES,
    *writing.FILES,
    *books.FILES,
    *offices.FILES,
    *bombs.FILES,
)
