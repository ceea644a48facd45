"""The other side: FastAPI and asyncpg with nothing between them.

No token, no strictness, no entity tag, no problem documents: the same SELECT, the same bytes.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import msgspec
from fastapi import FastAPI, Response

from app.domain.unit_lookup import COLUMNS, SOURCE, found
from bench.http import bare_records

ONE = f"SELECT {COLUMNS} {SOURCE} AND v.code = $2"
LIST = f"""
SELECT {COLUMNS} {SOURCE}
   AND u.level = $2 AND v.province_id = (SELECT id FROM unit WHERE key = $3)
 ORDER BY v.sort_key, v.code, u.key LIMIT $4
"""


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    async with asyncpg.create_pool(
        os.environ["NTM_DATABASE_URL"],
        min_size=10,
        max_size=10,
        # The settings by which ours connects: neither side plans a statement twice.
        server_settings={
            "search_path": "ntm",
            "jit": "off",
            "plan_cache_mode": "force_generic_plan",
        },
    ) as pool:
        app.state.pool = pool
        yield {}


app = FastAPI(lifespan=_lifespan)
app.include_router(bare_records.router)


@app.get("/units/{code}")
async def read_unit(code: str, on: datetime.date) -> Response:
    """Send one unit."""
    async with app.state.pool.acquire() as connection:
        row = await connection.fetchrow(ONE, on, code)
    return Response(msgspec.json.encode(found(row, on).shown), media_type="application/json")


@app.get("/units")
async def list_units(level: str, under: str, on: datetime.date, limit: int) -> Response:
    """Send a list of units; whether there are more is not asked."""
    async with app.state.pool.acquire() as connection:
        rows = await connection.fetch(LIST, on, level, under, limit)
    items = [found(row, on).shown for row in rows]
    return Response(
        msgspec.json.encode({"items": items, "next": None}), media_type="application/json"
    )
