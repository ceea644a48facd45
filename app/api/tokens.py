"""Access tokens (RFC 9068, ES256): the one file that knows the JWT library.

python-jose accepts much that it should not, so everything is decided before and around it:
  1. size, characters and canonical base64 of the token, before anything is parsed;
  2. header and claims are JSON in one reading only: no key twice, no NUL, no depth;
  3. the header has exactly `alg` ES256, `typ` at+jwt and a `kid` of ours: no `crit`, `jku`, `jwk`;
  4. the one public key with that `kid`, and the one algorithm, are handed to the library;
  5. every claim is required, of its exact type, and nothing else may stand beside it;
  6. whatever goes wrong, and however, is the same answer: no caller.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
import time
from collections.abc import Iterable
from typing import Final, Literal

import msgspec
from jose import jwt

from app.domain.signing_keys import ALGORITHM, LEEWAY, LIFETIME, SigningKeys
from app.domain.strict_json import read_json

_LONGEST: Final = 4096
_LONGEST_HEADER: Final = 512
_TOKEN: Final = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
_KEPT: Final = 10_000
_OPTIONS: Final = {
    "require_aud": True, "require_iat": True, "require_exp": True, "require_iss": True,
    "require_sub": True, "require_jti": True, "verify_at_hash": False, "leeway": LEEWAY,
}  # fmt: skip


class Grant(msgspec.Struct, frozen=True):
    """What a valid token says: the client and the scopes it asked for, until when."""

    client_id: str
    scopes: frozenset[str]
    until: int


class _Header(msgspec.Struct, forbid_unknown_fields=True):
    alg: Literal["ES256"]
    typ: Literal["at+jwt"]
    kid: str


class _Claims(msgspec.Struct, forbid_unknown_fields=True):
    iss: str
    aud: str
    sub: str
    client_id: str
    scope: str
    jti: str
    iat: int
    exp: int


class Tokens:
    """Issues and verifies the tokens of one issuer."""

    def __init__(self, keys: SigningKeys, issuer: str) -> None:
        self.keys = keys
        self.issuer = issuer
        self._known: dict[str, tuple[str, Grant]] = {}

    def issue(self, client_id: str, scopes: Iterable[str]) -> str:
        """Return a token of a client with these scopes."""
        key, now = self.keys.current(), int(time.time())
        claims = _Claims(
            iss=self.issuer,
            aud=self.issuer,
            sub=client_id,
            client_id=client_id,
            scope=" ".join(sorted(scopes)),
            jti=secrets.token_urlsafe(16),
            iat=now,
            exp=now + LIFETIME,
        )
        headers = {"typ": "at+jwt", "kid": key.kid}
        return jwt.encode(msgspec.to_builtins(claims), key.private(), ALGORITHM, headers)

    def verify(self, token: str) -> Grant | None:
        """Return what a token says, or None when it is not exactly one of ours and in time."""
        known = self._known.get(token)
        if known is None:
            try:
                known = self._verified(token)
            except Exception:
                return None
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[token] = known
        kid, grant = known
        if self.keys.by_id(kid) is None or time.time() >= grant.until + LEEWAY:
            self._known.pop(token, None)
            return None
        return grant

    def _verified(self, token: str) -> tuple[str, Grant]:
        header = _header(token)
        key = self.keys.by_id(header.kid)
        if key is None:
            raise ValueError("unknown key")
        claims = msgspec.convert(
            jwt.decode(
                token,
                key.public(),
                algorithms=[ALGORITHM],
                audience=self.issuer,
                issuer=self.issuer,
                options=_OPTIONS,
            ),
            _Claims,
        )
        if claims.exp - claims.iat != LIFETIME or claims.sub != claims.client_id:
            raise ValueError("not a token that this service issues")
        if claims.iat > time.time() + LEEWAY:
            raise ValueError("issued in the future")
        return header.kid, Grant(claims.client_id, frozenset(claims.scope.split()), claims.exp)


def _header(token: str) -> _Header:
    if len(token) > _LONGEST:
        raise ValueError("too long")
    parts = _TOKEN.fullmatch(token)
    if parts is None or len(parts[1]) > _LONGEST_HEADER:
        raise ValueError("not a token")
    header, payload, _ = (_decoded(part) for part in parts.groups())
    read_json(payload)  # refuses what the library would read in its own way: keys given twice
    return msgspec.convert(read_json(header), _Header)


def _decoded(part: str) -> bytes:
    """Return the bytes of a part; raise ValueError unless it is their one canonical spelling."""
    try:
        content = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except binascii.Error as error:
        raise ValueError("not base64") from error
    if base64.urlsafe_b64encode(content).decode().rstrip("=") != part:
        raise ValueError("not canonical")
    return content
