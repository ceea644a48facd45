"""Requests for a token as they are sent (RFC 6749, 2.3.1 and 4.4.2): the form and who sends it."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, unquote_plus

from fastapi import Request

from app.api.strict import StrictRequest
from app.rules.errors import Text

_FIELDS: Final = ("grant_type", "client_id", "client_secret", "scope")
_PLAIN: Final = re.compile(r"[\x20-\x7e]{1,200}")


class OAuthError(Exception):
    """A refusal in the words of RFC 6749."""

    def __init__(
        self, status: int, error: str, text: Text, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(text.en)
        self.status, self.error, self.text = status, error, text
        self.headers = dict(headers or {})


UNKNOWN_CLIENT: Final = Text(
    "sai client_id hoặc client_secret, hoặc máy khách đã bị thu hồi",
    "client_id or client_secret is wrong, or the client was revoked",
)


async def read_form(request: Request) -> dict[str, str]:
    """Return the fields of the form; raise OAuthError or Problem."""
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if sent != "application/x-www-form-urlencoded":
        raise _malformed(
            "hãy gửi Content-Type: application/x-www-form-urlencoded",
            "send Content-Type: application/x-www-form-urlencoded",
        )
    if request.query_params:
        raise _malformed("không nhận tham số trong địa chỉ", "no parameters in the address")
    body = await StrictRequest(request.scope, request.receive).body()
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=20
        )
    except ValueError as error:
        raise _malformed("không đọc được biểu mẫu", "the form cannot be read") from error
    form = dict(pairs)
    if len(form) != len(pairs) or not set(form) <= set(_FIELDS):
        raise _malformed(
            f"chỉ nhận mỗi trường một lần: {', '.join(_FIELDS)}",
            f"each field once, and no others than: {', '.join(_FIELDS)}",
        )
    return form


def read_credentials(request: Request, form: dict[str, str]) -> tuple[str, str]:
    """Return client id and secret, from the form or from HTTP Basic; not from both."""
    sent = request.headers.getlist("authorization")
    in_form = "client_id" in form or "client_secret" in form
    if len(sent) > 1 or (sent and in_form):
        raise _malformed(
            "chỉ dùng một cách xác thực: trong biểu mẫu hoặc HTTP Basic",
            "authenticate in one way only: in the form or by HTTP Basic",
        )
    if sent:
        client_id, secret = _basic(sent[0])
    else:
        client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
    if not (_PLAIN.fullmatch(client_id) and _PLAIN.fullmatch(secret)):
        raise OAuthError(401, "invalid_client", UNKNOWN_CLIENT)
    return client_id, secret


def _basic(header: str) -> tuple[str, str]:
    kind, _, encoded = header.partition(" ")
    try:
        plain = base64.b64decode(encoded, validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        plain = ""
    client_id, colon, secret = plain.partition(":")
    if kind.lower() != "basic" or not colon:
        return "", ""
    return unquote_plus(client_id), unquote_plus(secret)


def _malformed(vi: str, en: str) -> OAuthError:
    return OAuthError(400, "invalid_request", Text(vi, en))
