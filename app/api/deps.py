"""What routes ask for: who is calling and may they, and the registry of rulesets."""

from __future__ import annotations

import ipaddress
from typing import Annotated

import msgspec
from fastapi import Depends, Request, Security
from fastapi.security import SecurityScopes

from app.api.problems import Problem
from app.rules.errors import Text
from app.rules.registry import Registry

SCOPES = {"read": Text("đọc dữ liệu", "read data")}


class Caller(msgspec.Struct, frozen=True):
    """Who is calling, with what scopes."""

    scopes: frozenset[str]


async def caller(request: Request, wanted: SecurityScopes) -> Caller:
    """Return the caller; without client authentication only this host itself may call.

    `app.api.strict` asks this before it reads anything of the request.
    """
    host = request.client.host if request.client else ""
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = False
    if not local:
        raise Problem(
            "loopback-only",
            Text(
                "dịch vụ chưa xác thực máy khách nên chỉ trả lời yêu cầu từ chính máy này; "
                "hãy gọi qua 127.0.0.1",
                "the service does not authenticate clients yet and answers this host only; "
                "call it through 127.0.0.1",
            ),
        )
    return Caller(frozenset(wanted.scopes))


async def registry(request: Request) -> Registry:
    """Return the registry built at start."""
    found: Registry = request.app.state.registry
    return found


Reader = Annotated[Caller, Security(caller, scopes=["read"])]
Rules = Annotated[Registry, Depends(registry)]
