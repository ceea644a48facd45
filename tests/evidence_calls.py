"""What tests of evidence share: drafts of communes of Phú Thọ, and lists as they are sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import httpx
from submission_calls import SUBMISSIONS, Item

from app.domain.own_files import XLSX

FORM_03: Final = "phutho.1.1.1.list"
FORM_04: Final = "phutho.1.1.2.list"
FORM_07: Final = "phutho.1.3.3.list"
PURPOSE: Final = "Đối chiếu danh sách khi thẩm tra"
# Names that must be found nowhere but where they are asked for: parts of them stand in no other.
CANARIES: Final = ("Quỷnh Zờ Chimhoàngyến", "Lạng Xê Chimhoàngyến", "Hoàng Yến Canarius")
PARTS: Final = [{"code": "K1", "name": "Khu 1"}, {"code": "K2", "name": "Khu 2"}]
CSV: Final = {"content-type": "text/csv"}
WORKBOOK: Final = {"content-type": XLSX}


def at(id_: int, slot: str, what: str = "rows") -> str:
    """Return an address below a slot."""
    return f"{SUBMISSIONS}/{id_}/slots/{slot}/{what}"


def listed(names: Sequence[str], **more: Any) -> Item:
    """Return a list as JSON."""
    rows = [{"number": n, "name": name, "note": None} for n, name in enumerate(names, 1)]
    return {"rows": rows, "total": len(rows)} | more


async def sent(client: httpx.AsyncClient, id_: int, slot: str, body: Item, **query: str) -> Item:
    """Send a list; return what is answered."""
    answer = await client.put(at(id_, slot), json=body, params=query)
    assert answer.status_code == 200, answer.text[:800]
    found: Item = answer.json()
    return found


async def sent_file(
    client: httpx.AsyncClient, id_: int, slot: str, content: bytes, headers: dict[str, str] = CSV
) -> httpx.Response:
    """Send a list as a file; return the answer."""
    return await client.put(at(id_, slot), content=content, headers=headers)
