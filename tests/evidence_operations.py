"""Good requests of the operations of evidence, and how what each of them needs is made.

Only the office of a commune fills a submission: such requests are sent by a client of its own.
"""

from __future__ import annotations

import itertools
from typing import Any, Final, NamedTuple, cast
from urllib.parse import quote
from weakref import WeakKeyDictionary

import httpx
from fastapi import FastAPI

from app.domain.clock import today

Item = dict[str, Any]
SUBMISSIONS: Final = "/v1/evidence-submissions"
FORMS: Final = "/v1/evidence-forms"
NO_SUBMISSION: Final = 999_999_999
COMMUNE: Final = "07948"  # Phường Âu Cơ, Phú Thọ, since 2025-07-01
LISTED, SEEN, FILED = "phutho.1.1.2.list", "phutho.1.2.1.check", "phutho.1.2.3.documents"
FILE_NAME: Final = "12.csv"
PURPOSE: Final = quote("Thẩm tra hồ sơ")
SCOPES: Final = ("read", "evidence:submit", "evidence:names")
# Who checks what the commune submits today: territory and scopes.
ABOVE: Final = {
    "appraise": ("25", ("read", "evidence:appraise")),
    "approve": ("25", ("read", "evidence:approve")),
}
# One submission may be open for a period: each that is made here has its own.
_WITHIN: Final = (*(f"{month:02d}" for month in range(1, 13)), "Q1", "Q2", "Q3", "Q4", "H1", "H2")
_PERIODS: Final = (f"{year}-{part}" for year, part in itertools.product(range(2026, 2199), _WITHIN))
_CLIENTS: Final[WeakKeyDictionary[FastAPI, dict[str, str]]] = WeakKeyDictionary()
_CHECKED: Final[WeakKeyDictionary[FastAPI, int]] = WeakKeyDictionary()

OFFICIAL: Final = {"id": "CB-07", "office": "UBND phường", "position": "Chủ tịch"}
DOCUMENT: Final = {
    "number": "12", "symbol": "TTr-UBND", "date": str(today()), "signer": "Chủ tịch",
}  # fmt: skip
OPENING: Final[Item] = {
    "unit": COMMUNE,
    "on": "2025-08-01",
    "ruleset": "phutho.commune",
    "period": "2025",
    "parts": [{"code": "K1", "name": "Khu 1"}],
}
PARTS: Final[Item] = {"parts": [{"code": "K2", "name": "Khu 2"}]}
_NAMES: Final = ("Nguyễn Văn An", "Trần Thị Bình", "Lê Văn Cường", "Phạm Thị Dung", "Vũ Văn Em")
ROWS: Final = "\n".join([
    "STT,Họ và Tên,Ghi chú",
    *(f"{number},{name},đã rà soát" for number, name in enumerate(_NAMES, 1)),
    f"Tổng cộng:,{len(_NAMES)},",
    "",
])  # fmt: skip
CONTENT: Final = "Nội dung,Số liệu\nMô hình,12\n"  # of a file
SIGNED: Final[Item] = {
    "confirmations": [
        {"who": "UBND xã", "part": None, "signed_on": str(today()),
         "document": DOCUMENT},
    ],
}  # fmt: skip
CHECK: Final[Item] = {
    "kind": "field",
    "found_on": str(today()),
    "place": "UBND phường Âu Cơ",
    "seen": "Trang thông tin điện tử hoạt động",
    "holds": True,
    "acting_official": OFFICIAL,
}
SUBMIT: Final[Item] = {
    "action": "submit", "document": DOCUMENT, "acting_official": OFFICIAL,
}  # fmt: skip


def acting(action: str) -> Item:
    """Return what an office above decides, by an official of its own."""
    official = {"id": f"CB-{action}", "office": f"Cơ quan {action}", "position": "Giám đốc"}
    return SUBMIT | {"action": action, "acting_official": official}


DECISIONS: Final[Item] = {"decisions": [SUBMIT | {"id": NO_SUBMISSION, "version": "1"}]}


class Office(NamedTuple):
    """A client of an office."""

    client_id: str
    token: str

    @property
    def headers(self) -> dict[str, str]:
        """How its requests are sent, whoever else would send them."""
        return {"authorization": f"Bearer {self.token}"}


async def office(admin: httpx.AsyncClient, action: str = "submit") -> Office:
    """Return who takes an action, in the service of somebody who may make clients."""
    made = _CLIENTS.setdefault(_service(admin), {})
    territory, scopes = ABOVE.get(action, (COMMUNE, SCOPES))
    if action not in made:
        body = {"name": f"Cơ quan {action}", "territory": territory, "scopes": list(scopes)}
        answer = await admin.post("/v1/clients", json=body)
        assert answer.status_code == 201, answer.text[:300]
        made[action] = answer.json()["client_id"]
    issued = _service(admin).state.tokens.issue(made[action], list(scopes))
    return Office(made[action], issued)


def _service(client: httpx.AsyncClient) -> FastAPI:
    return cast(FastAPI, cast(httpx.ASGITransport, client._transport).app)


class Making:
    """Makes submissions and what is in them, as the office of the commune."""

    def __init__(self, admin: httpx.AsyncClient, by: Office) -> None:
        self._http, self.by = admin, by

    async def _sent(self, method: str, path: str, **body: Any) -> Item:
        headers = self.by.headers | body.pop("headers", {})
        answer = await self._http.request(method, SUBMISSIONS + path, headers=headers, **body)
        assert answer.status_code in (200, 201), answer.text[:500]
        found: Item = answer.json()
        return found

    async def opened(self, period: str | None = None) -> Item:
        """Open a submission for a period, or one of its own; return it."""
        return await self._sent("POST", "", json=OPENING | {"period": period or next(_PERIODS)})

    async def listed(self, id_: int) -> None:
        """Send a list."""
        headers = {"content-type": "text/csv"}
        path = f"/{id_}/slots/{LISTED}/rows"
        await self._sent("PUT", path, content=ROWS.encode(), headers=headers)

    async def filed(self, id_: int) -> None:
        """Send a file."""
        headers = {"content-type": "text/csv"}
        path = f"/{id_}/slots/{FILED}/files/{FILE_NAME}"
        await self._sent("PUT", path, content=CONTENT.encode(), headers=headers)

    async def signed(self, id_: int) -> None:
        """State who signed the list."""
        await self._sent("PUT", f"/{id_}/slots/{LISTED}/confirmations", json=SIGNED)

    async def found(self, id_: int) -> None:
        """Record a check."""
        await self._sent("POST", f"/{id_}/slots/{SEEN}/findings", json=CHECK)

    async def measured(self, period: str) -> None:
        """Put a value on record, which a submission of the period then contains."""
        value = {"unit": COMMUNE, "on": "2025-08-01", "period": period, "value": True,
                 "indicator": "commune_website_exists", "source": f"Báo cáo {period}"}  # fmt: skip
        answer = await self._http.post("/v1/values", json={"values": [value]})
        assert answer.status_code == 201, answer.text[:300]

    async def submitted(self, id_: int) -> None:
        """Submit it as it is."""
        headers = {"if-match": "*"}
        await self._sent("POST", f"/{id_}/transitions", json=SUBMIT, headers=headers)

    async def appraised(self) -> int:
        """Open a submission with a value in it, submit it, let it be appraised."""
        opened = await self.opened()
        await self.measured(opened["period"])
        id_ = int(opened["id"])
        await self.submitted(id_)
        headers = (await office(self._http, "appraise")).headers | {"if-match": "*"}
        body = acting("appraise")
        await self._sent("POST", f"/{id_}/transitions", json=body, headers=headers)
        return id_

    async def everything(self, checks: int = 1, period: str | None = None) -> int:
        """Open a submission, put something into each of its tables, submit it."""
        id_ = int((await self.opened(period))["id"])
        checked = [self.found] * checks
        for step in (self.listed, self.filed, self.signed, *checked, self.submitted):
            await step(id_)
        return id_

    async def checked(self) -> int:
        """Return a submission with six checks and a list, made once in a service."""
        service = _service(self._http)
        if service not in _CHECKED:
            _CHECKED[service] = await self.everything(checks=6)
        return _CHECKED[service]


class Ready(NamedTuple):
    """What of an operation's request is other than it is written down."""

    path: str
    body: Any
    query: str


async def made(making: Making, method: str, template: str, path: str, body: Any) -> Ready:
    """Make what an operation needs; return its path, body and parameters."""
    below = template.removeprefix(SUBMISSIONS)
    if method == "POST" and not below:
        return Ready(path, body | {"period": next(_PERIODS)}, "")
    if "{id}" not in below and below != "/decisions":
        return Ready(path, body, "")
    opened = await making.opened()
    id_, version, query = opened["id"], opened["version"], ""
    if below.endswith(("/rows", "/names", "/confirmations")):
        if (method, below[-5:]) != ("PUT", "/rows"):
            await making.listed(id_)
        query = "purpose=" + PURPOSE if below.endswith("/names") else ""
    elif (below.endswith("/{name}") and method != "PUT") or below.endswith("/files"):
        await making.filed(id_)
    elif below.endswith("/diff"):
        await making.submitted(id_)
        query = "from=1&to=1"
    elif below.endswith("/transitions"):
        await making.measured(opened["period"])
        body = body | {"version": version}
    elif below == "/decisions":
        await making.measured(opened["period"])
        body = {"decisions": [body["decisions"][0] | {"id": id_, "version": version}]}
    return Ready(path.replace(str(NO_SUBMISSION), str(id_)), body, query)
