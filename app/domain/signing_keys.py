"""The keys that sign tokens: one file, made on first start; old keys verify until tokens end.

The file is a JWK Set (RFC 7517). The first key signs; of a retired key only the public half is
kept, until the last token it signed has ended.
"""

from __future__ import annotations

import base64
import contextlib
import json
import logging
import os
import secrets
import tempfile
import time
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from app.embedded.locks import Lock
from app.rules.errors import Text
from app.settings import Settings

_log = logging.getLogger("ntm")
LIFETIME: Final = 900  # seconds a token lives
LEEWAY: Final = 30  # seconds by which clocks may differ
ALGORITHM: Final = "ES256"
_BYTES: Final = 32  # of a coordinate of P-256


class KeysUnusable(Exception):
    """The file of the signing keys cannot be used; the text says what to do."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.en)
        self.text = text


class Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key on the curve P-256; `d` is the private half, `retired` when it stopped signing."""

    kid: str
    x: str
    y: str
    d: str | None = None
    retired: int | None = None
    kty: Literal["EC"] = "EC"
    crv: Literal["P-256"] = "P-256"

    def public(self) -> dict[str, str]:
        """Return the public half, as anybody may see it."""
        return {
            "kty": "EC", "crv": "P-256", "kid": self.kid, "x": self.x, "y": self.y,
            "use": "sig", "alg": ALGORITHM,
        }  # fmt: skip

    def private(self) -> dict[str, str]:
        """Return both halves."""
        return self.public() | {"d": str(self.d)}

    def verifies(self, now: float) -> bool:
        """Tell whether a token signed by this key can still be valid."""
        return self.retired is None or now <= self.retired + LIFETIME + LEEWAY


class _File(msgspec.Struct, forbid_unknown_fields=True):
    keys: list[Key]


class SigningKeys:
    """The keys of a file; a change of the file is noticed at the next use."""

    def __init__(self, path: Path) -> None:
        """Read the keys, after making the file when there is none; raise KeysUnusable."""
        self._path = path
        try:
            if not path.exists():
                _write(path, [_made()], replace=False)
        except OSError as error:
            raise _unusable(path, str(error.strerror)) from error
        self._seen: tuple[int, int, int] | None = None
        self._keys: list[Key] = []
        self.all()

    def current(self) -> Key:
        """Return the key that signs."""
        return self.all()[0]

    def all(self) -> list[Key]:
        """Return every key that can still verify a token.

        While the file is missing or damaged, the keys read before go on to serve.
        """
        try:
            found = self._path.stat()
            mark = (found.st_mtime_ns, found.st_ino, found.st_size)
            if mark != self._seen:
                self._seen = mark
                self._keys = _read(self._path)
        except (OSError, KeysUnusable) as error:
            if not self._keys:
                if isinstance(error, OSError):
                    raise _unusable(self._path, str(error.strerror)) from error
                raise
            _log.error("signing keys cannot be read anew: %s", error)
        now = time.time()
        return [key for key in self._keys if key.verifies(now)]

    def by_id(self, kid: str) -> Key | None:
        """Return the key with this id, if it can still verify a token."""
        return next((key for key in self.all() if key.kid == kid), None)

    def rotate(self) -> Key:
        """Let a new key sign from now on; return it."""
        with Lock(self._path.parent).held(patience=10):
            return self._rotate()

    def _rotate(self) -> Key:
        now = int(time.time())
        old = [
            msgspec.structs.replace(key, d=None, retired=key.retired or now) for key in self.all()
        ]
        made = _made()
        _write(self._path, [made, *old], replace=True)
        return made


def of(settings: Settings) -> SigningKeys:
    """Return the keys that the settings name; only the data folder is made where it is missing."""
    if settings.signing_key_file is None:
        try:
            settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise _unusable(settings.keys, str(error.strerror)) from error
    return SigningKeys(settings.keys)


def _made() -> Key:
    numbers = ec.generate_private_key(ec.SECP256R1()).private_numbers()
    public = numbers.public_numbers
    return Key(
        secrets.token_hex(8),
        _encoded(public.x),
        _encoded(public.y),
        _encoded(numbers.private_value),
    )


def _encoded(number: int) -> str:
    return base64.urlsafe_b64encode(number.to_bytes(_BYTES, "big")).decode().rstrip("=")


def _read(path: Path) -> list[Key]:
    if path.stat().st_mode & 0o007:
        raise _unusable(path, "others may read it: chmod 600")
    try:
        keys = msgspec.json.decode(path.read_bytes(), type=_File).keys
        for key in keys:
            _check(key)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise _unusable(path, f"{type(error).__name__}") from error
    signs = [key for key in keys if key.d is not None]
    if not keys or signs[:1] != keys[:1] or keys[0].retired is not None:
        raise _unusable(path, "the first key does not sign")
    if len({key.kid for key in keys}) != len(keys):
        raise _unusable(path, "one kid twice")
    return keys


def _check(key: Key) -> None:
    """Raise ValueError unless the numbers are a point of the curve, and its own private half."""
    public = ec.EllipticCurvePublicNumbers(_number(key.x), _number(key.y), ec.SECP256R1())
    public.public_key()
    if key.d is not None:
        derived = ec.derive_private_key(_number(key.d), ec.SECP256R1()).public_key()
        if derived.public_numbers() != public:
            raise ValueError("two halves of two keys")


def _number(text: str) -> int:
    content = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if len(content) != _BYTES or base64.urlsafe_b64encode(content).decode().rstrip("=") != text:
        raise ValueError("not 32 bytes in base64url")
    return int.from_bytes(content, "big")


def _write(path: Path, keys: list[Key], *, replace: bool) -> None:
    """Write the file whole and private; without `replace`, whoever was first has made it."""
    making = None
    try:
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
            making = Path(file.name)
            file.write(json.dumps({"keys": [_plain(key) for key in keys]}, indent=1) + "\n")
            file.flush()
            os.fsync(file.fileno())
        if replace:
            making.replace(path)
        else:
            with contextlib.suppress(FileExistsError):
                os.link(making, path)
    except OSError as error:
        raise _unusable(path, str(error.strerror)) from error
    finally:
        if making is not None:  # it holds a private key
            making.unlink(missing_ok=True)


def _plain(key: Key) -> dict[str, Any]:
    """Return a key as a member of a JWK Set."""
    return {name: value for name, value in msgspec.to_builtins(key).items() if value is not None}


def _unusable(path: Path, why: str) -> KeysUnusable:
    return KeysUnusable(
        Text(
            f"không dùng được tệp khoá ký {path} ({why}); hãy sửa quyền hoặc nội dung, hoặc đặt "
            "NTM_SIGNING_KEY_FILE (tệp chưa có sẽ được tạo)",
            f"the signing key file {path} cannot be used ({why}); mend its permissions or "
            "content, or set NTM_SIGNING_KEY_FILE (a missing file is made)",
        )
    )
