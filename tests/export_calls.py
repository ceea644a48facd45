"""What the tests of exports share: asking for files, reading them, proving that they are whole."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import hashlib
import io
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx
import openpyxl
import uvicorn
from conftest import Served

Item = dict[str, Any]
BOM = b"\xef\xbb\xbf"
MEDIA = {
    "csv": "text/csv; charset=utf-8; header=present",
    "ndjson": "application/x-ndjson",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


async def exported(client: httpx.AsyncClient, path: str, **params: Any) -> bytes:
    """Return a file, after checking how it was answered."""
    answer = await client.get(path, params=params)
    assert answer.status_code == 200, answer.text[:500]
    name = path.removeprefix("/v1/")
    assert answer.headers["content-type"] == MEDIA[name.rpartition(".")[2]]
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
    assert answer.headers["cache-control"] == "no-store"
    assert "etag" not in answer.headers
    if path.endswith(".xlsx"):
        assert answer.headers["content-length"] == str(len(answer.content))
    return answer.content


def table(content: bytes) -> list[list[str]]:
    """Return headings and rows of a CSV file, after checking that it is whole."""
    assert content.startswith(BOM)
    assert content.endswith(b"\r\n")
    before, _, last = content.removesuffix(b"\r\n").rpartition(b"\r\n")
    told = before + b"\r\n"
    rows = list(csv.reader(io.StringIO(told.decode("utf-8-sig"), newline=""), strict=True))
    expected = f"#sha256,{hashlib.sha256(told).hexdigest()},rows,{len(rows) - 1}"
    assert last.decode() == expected
    assert all(len(row) == len(rows[0]) for row in rows)
    return rows


def records(content: bytes) -> list[dict[str, str]]:
    """Return the rows of a CSV file by their headings."""
    headings, *rows = table(content)
    return [dict(zip(headings, row, strict=True)) for row in rows]


def lines(content: bytes) -> list[Item]:
    """Return the items of an NDJSON file, after checking that it is whole."""
    *told, last, nothing = content.split(b"\n")
    assert nothing == b""
    hashed = hashlib.sha256(b"".join(one + b"\n" for one in told)).hexdigest()
    assert json.loads(last) == {"end": {"rows": len(told), "sha256": hashed}}
    return [json.loads(one) for one in told]


def cells(content: bytes) -> list[list[str | int | None]]:
    """Return headings and rows of a workbook, after checking that nothing in it is a formula."""
    book = openpyxl.load_workbook(io.BytesIO(content))
    (sheet,) = book.worksheets
    assert not book.defined_names
    assert {cell.data_type for row in sheet.iter_rows() for cell in row} <= {"s", "n"}
    assert not any(cell.hyperlink for row in sheet.iter_rows() for cell in row)
    return [[cell.value for cell in row] for row in sheet.iter_rows()]  # type: ignore[misc]


async def everything(client: httpx.AsyncClient, path: str, **params: Any) -> list[Item]:
    """Return the items of a list, all its pages together."""
    found: list[Item] = []
    asked: Item = {"limit": 500} | params
    while True:
        answer = await client.get(path, params=asked)
        assert answer.status_code == 200, answer.text[:300]
        page = answer.json()
        found += page["items"]
        if page["next"] is None:
            return found
        asked["cursor"] = page["next"]


@contextlib.asynccontextmanager
async def on_a_socket(service: Served) -> AsyncIterator[str]:
    """Serve on a real socket in this process; yield the address."""

    line = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(service, lifespan="off", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve(sockets=[line]))
    try:
        yield f"http://127.0.0.1:{line.getsockname()[1]}"
    finally:
        server.should_exit = True
        await running
