"""Tokens as attackers, and careless colleagues, would make them; some with the real key.

Whatever may be signed is signed with the service's own key, so that a token of this file is
refused for what it says and not because its signature is wrong.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from app.domain.signing_keys import Key

LIFETIME = 900
# The order of the group of P-256: (r, s) and (r, n - s) sign the same.
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_PEM, _DER = serialization.Encoding.PEM, serialization.Encoding.DER
_HASHES: Mapping[str, hashes.HashAlgorithm] = {
    "ES256": hashes.SHA256(),
    "ES384": hashes.SHA384(),
    "ES512": hashes.SHA512(),
}

Part = Mapping[str, Any] | list[Any] | bytes


def b64(content: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def unb64(text: str) -> bytes:
    """Return the bytes of base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def plain(part: Part) -> bytes:
    """Return a part of a token as bytes; bytes are taken as they are."""
    if isinstance(part, bytes):
        return part
    return json.dumps(part, separators=(",", ":"), sort_keys=True).encode()


def private(key: Key) -> ec.EllipticCurvePrivateKey:
    """Return the private key of a key of the service."""
    return ec.derive_private_key(int.from_bytes(unb64(str(key.d)), "big"), ec.SECP256R1())


def ecdsa(key: ec.EllipticCurvePrivateKey, content: bytes, alg: str = "ES256") -> bytes:
    """Return a signature as JOSE writes it: r and s, each as long as the curve's numbers."""
    r, s = decode_dss_signature(key.sign(content, ec.ECDSA(_HASHES[alg])))
    size = (key.curve.key_size + 7) // 8
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def nested(deep: int) -> bytes:
    """Return a JSON text of this depth."""
    return b'{"a":' * deep + b"1" + b"}" * deep


class Mint(NamedTuple):
    """What a token of the service is made of."""

    issuer: str
    key: Key
    client_id: str

    def header(self, **changes: Any) -> dict[str, Any]:
        """Return the header of a good token, changed; a change to None leaves a field out."""
        return _changed({"alg": "ES256", "typ": "at+jwt", "kid": self.key.kid}, changes)

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Return the claims of a good token, changed; a change to None leaves a claim out."""
        now = int(time.time())
        good = {
            "iss": self.issuer,
            "aud": self.issuer,
            "sub": self.client_id,
            "client_id": self.client_id,
            "scope": "clients:admin read values:write",
            "jti": "c29tZXRoaW5nIHJhbmRvbQ",
            "iat": now,
            "exp": now + LIFETIME,
        }
        return _changed(good, changes)

    def signed(
        self,
        header: Part | None = None,
        claims: Part | None = None,
        key: ec.EllipticCurvePrivateKey | None = None,
        alg: str = "ES256",
    ) -> str:
        """Return a token, signed with the service's own key unless another is given."""
        said = self.said(header, claims)
        return f"{said}.{b64(ecdsa(key or private(self.key), said.encode(), alg))}"

    def said(self, header: Part | None = None, claims: Part | None = None) -> str:
        """Return header and claims, not yet signed."""
        head = plain(self.header() if header is None else header)
        body = plain(self.claims() if claims is None else claims)
        return f"{b64(head)}.{b64(body)}"

    def claiming(self, **changes: Any) -> str:
        """Return a token with these claims, signed with the service's own key."""
        return self.signed(claims=self.claims(**changes))

    def heading(self, **changes: Any) -> str:
        """Return a token with this header, signed with the service's own key."""
        return self.signed(header=self.header(**changes))

    def hmac(self, secret: bytes, alg: str = "HS256", **changes: Any) -> str:
        """Return a token that takes what everybody knows for a shared secret."""
        said = self.said(self.header(alg=alg, **changes))
        digest = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}[alg]
        return f"{said}.{b64(hmac.new(secret, said.encode(), digest).digest())}"

    def rsa(self) -> str:
        """Return a token signed by an RSA key of one's own."""
        said = self.said(self.header(alg="RS256"))
        signature = generate_private_key(65537, 2048).sign(
            said.encode(), PKCS1v15(), hashes.SHA256()
        )
        return f"{said}.{b64(signature)}"

    def public(self, form: str) -> bytes:
        """Return the public key in one of the forms in which it may be taken for a secret."""
        public = private(self.key).public_key()
        info = serialization.PublicFormat.SubjectPublicKeyInfo
        point = serialization.PublicFormat.UncompressedPoint
        return {
            "pem": lambda: public.public_bytes(_PEM, info),
            "der": lambda: public.public_bytes(_DER, info),
            "ssh": lambda: public.public_bytes(
                serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
            ),
            "point": lambda: public.public_bytes(serialization.Encoding.X962, point),
            "jwk": lambda: json.dumps(self.key.public()).encode(),
            "x": lambda: unb64(self.key.x),
        }[form]()

    def mirrored(self, token: str) -> str:
        """Return the token with the other signature that the same key could have made."""
        said, _, signature = token.rpartition(".")
        both = unb64(signature)
        s = ORDER - int.from_bytes(both[32:], "big")
        return f"{said}.{b64(both[:32] + s.to_bytes(32, 'big'))}"


def _changed(good: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


def own_key(curve: ec.EllipticCurve | None = None) -> ec.EllipticCurvePrivateKey:
    """Return a key that nobody knows but the attacker."""
    return ec.generate_private_key(curve or ec.SECP256R1())


def own_jwk(key: ec.EllipticCurvePrivateKey, kid: str) -> dict[str, str]:
    """Return the public half of a P-256 key as a JWK."""
    numbers = key.public_key().public_numbers()
    return {
        "kty": "EC", "crv": "P-256", "kid": kid, "use": "sig", "alg": "ES256",
        "x": b64(numbers.x.to_bytes(32, "big")), "y": b64(numbers.y.to_bytes(32, "big")),
    }  # fmt: skip
