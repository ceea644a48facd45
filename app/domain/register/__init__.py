"""Loading the register: units, dated versions and lineage from the files that come along.

The files list the units of Vietnam before and after 2025-07-01. Names, codes, points, areas and
the mapping of 2025: package vietnamadminunits 1.0.4 (MIT, Copyright (c) 2025 Tran Ngoc Minh Hieu),
compared with other public lists of the National Statistics Office's catalogue.
"""

from __future__ import annotations

import csv
import datetime
import hashlib
import io
from collections.abc import Iterator, Mapping
from decimal import Decimal
from importlib import resources
from typing import Any, Final

import asyncpg

from app.domain.register.merge import UNCHANGED, Loaded, Progress, merge
from app.domain.units import KNOWN_FROM, NATION, VIETNAM
from app.domain.vietnamese import loose_key, name_key, search_key, sort_key, split_type

__all__ = ["UNCHANGED", "Loaded", "Progress", "digest", "is_loaded", "load"]

_KEYS_VERSION: Final = b"1"  # grows when the sort, name or search keys are made differently
_UNITS: Final = "units.csv"
_LINEAGE: Final = "successors.csv"


def digest() -> str:
    """Return what identifies the files and the way their keys are made."""
    content = _KEYS_VERSION + _bytes(_UNITS) + _bytes(_LINEAGE)
    return hashlib.sha256(content).hexdigest()


async def is_loaded(connection: asyncpg.Connection) -> bool:
    """Tell whether any register is loaded."""
    return bool(await connection.fetchval("SELECT count(*) FROM register"))


async def load(connection: asyncpg.Connection, progress: Progress) -> Loaded:
    """Bring the register to the state of the files, all or nothing, one loader at a time.

    `connection` is the owner's. Loading the same files again changes nothing.
    """
    async with connection.transaction():
        return await _load(connection, progress)


async def _load(connection: asyncpg.Connection, progress: Progress) -> Loaded:
    await connection.execute("SELECT pg_advisory_xact_lock(7410)")
    known = await connection.fetchval("SELECT digest FROM register")
    mark = digest()
    if known == mark:
        return UNCHANGED
    versions = list(_versions(progress))
    edges = [
        (row["from_unit"], row["to_unit"], _day(row["effective_date"]), row["extent"],
         row["source"])
        for row in _rows(_LINEAGE)
    ]  # fmt: skip
    loaded = await merge(connection, versions, edges, progress)
    await connection.execute(_REMEMBER, mark, KNOWN_FROM)
    return loaded


_REMEMBER: Final = """
INSERT INTO register (id, revision, digest, known_from, loaded_at) VALUES (1, 1, $1, $2, now())
    ON CONFLICT (id) DO UPDATE SET revision = register.revision + 1, digest = $1, known_from = $2,
                                   loaded_at = now()
"""


def _versions(progress: Progress) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of `incoming`, the nation first."""
    rows = list(_rows(_UNITS))
    parents = {(row["unit"], row["valid_from"]): row["parent_unit"] for row in rows}
    last_parent = {row["unit"]: row["parent_unit"] for row in rows}
    yield (
        NATION, NATION, None, VIETNAM, *_keys(VIETNAM), None, None, None,
        *(None,) * 6,
    )  # fmt: skip
    for number, row in enumerate(rows, 1):
        parent = parents[row["unit"], row["valid_from"]]
        above = {row["level"]: row["unit"], _level(parent): parent}
        if _level(parent) == "district":
            above["province"] = last_parent[parent]
        yield (
            row["unit"], row["code"], row["type"], row["name"], *_keys(row["name"]), parent,
            above.get("district"), above.get("province"), _day(row["valid_from"]),
            _day(row["valid_to"]), row["legal_basis"] or None, _number(row["lat"]),
            _number(row["lon"]), _number(row["area_km2"]),
        )  # fmt: skip
        if number % 500 == 0 or number == len(rows):
            progress("reading", number, len(rows))


def _keys(name: str) -> tuple[str, str, str]:
    return sort_key(name), loose_key(name_key(split_type(name)[1])), search_key(name)


def _level(key: str) -> str:
    return "nation" if key == NATION else key.partition("-")[0]


def _rows(name: str) -> Iterator[Mapping[str, str]]:
    return csv.DictReader(io.StringIO(_bytes(name).decode("utf-8")))


def _bytes(name: str) -> bytes:
    return resources.files(__package__).joinpath(name).read_bytes()


def _day(text: str) -> datetime.date | None:
    return datetime.date.fromisoformat(text) if text else None


def _number(text: str) -> Decimal | None:
    return Decimal(text) if text else None
