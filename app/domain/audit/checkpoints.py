"""Signed checkpoints outside the database: who can change the database cannot make them match.

The file has one JSON object on each line: a position of the chain, its hash, when, and by which
key of the service it is signed (ES256 over the rest, in canonical JSON). Lines are only added.
A line carries the public key, for keys are forgotten after they retired; what makes the file
trustworthy is its newest line, which must be signed by a key that the service still has: its hash
vouches for everything before it. Older lines only tell in which range a chain was rewritten.
"""

from __future__ import annotations

import base64
import contextlib
import datetime
import fcntl
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from app.domain.signing_keys import Key, SigningKeys
from app.rules.errors import Text
from app.settings import Settings

# No token begins with these bytes: a signature for one purpose is useless for the other.
_PURPOSE: Final = b"ntm audit checkpoint 1\n"
_ALGORITHM: Final = ec.ECDSA(hashes.SHA256())
_BYTES: Final = 32  # of a number of P-256
_TAIL: Final = 4096  # bytes, more than a line has


class CheckpointsUnusable(Exception):
    """The file of the checkpoints cannot be used; the text says what to do."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.en)
        self.text = text


class Head(msgspec.Struct, frozen=True):
    """The last position of the chain and its hash."""

    position: int
    hash: bytes


class Checkpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A line of the file: `hash` in hex, `x` and `y` the public key as in a JWK."""

    position: int
    hash: str
    at: str
    kid: str
    x: str
    y: str
    signature: str = ""

    @property
    def taken_at(self) -> float:
        """Return when it was taken, in seconds since 1970; raise ValueError for no instant."""
        return datetime.datetime.fromisoformat(self.at).timestamp()

    def agrees(self, hash_: bytes) -> bool:
        """Tell whether the chain has this hash at its position."""
        return self.hash == hash_.hex()

    def signed_bytes(self) -> bytes:
        """Return what the signature is over: all fields but itself."""
        told = msgspec.to_builtins(self)
        del told["signature"]
        return _PURPOSE + msgspec.json.encode(told, order="sorted")

    def holds(self) -> bool:
        """Tell whether the signature is by the key that the line carries."""
        try:
            public = ec.EllipticCurvePublicNumbers(
                _number(self.x), _number(self.y), ec.SECP256R1()
            ).public_key()
            sent = _decoded(self.signature)
            if len(sent) != 2 * _BYTES:
                return False
            r, s = (int.from_bytes(half, "big") for half in (sent[:_BYTES], sent[_BYTES:]))
            public.verify(encode_dss_signature(r, s), self.signed_bytes(), _ALGORITHM)
        except (ValueError, InvalidSignature):
            return False
        return True

    def is_by(self, keys: Sequence[Key]) -> bool:
        """Tell whether it carries one of these keys."""
        return any((one.x, one.y) == (self.x, self.y) for one in keys)


def signed(head: Head, key: Key) -> Checkpoint:
    """Return the checkpoint of a position, signed by a key of the service now."""
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds")
    bare = Checkpoint(head.position, head.hash.hex(), now, key.kid, key.x, key.y)
    private = ec.derive_private_key(_number(str(key.d)), ec.SECP256R1())
    r, s = decode_dss_signature(private.sign(bare.signed_bytes(), _ALGORITHM))
    numbers = r.to_bytes(_BYTES, "big") + s.to_bytes(_BYTES, "big")
    return msgspec.structs.replace(bare, signature=_encoded(numbers))


class Checkpoints:
    """The file of the checkpoints; several processes may add to it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def check(self) -> None:
        """Make the file where there is none; raise CheckpointsUnusable when it cannot grow."""
        try:
            with self._opened():
                pass
        except OSError as error:
            raise _unusable(self.path, error) from error

    def lines(self) -> list[Checkpoint | None]:
        """Return what stands in every line, None where that is no checkpoint.

        Raises CheckpointsUnusable when the file cannot be read; a missing one has no lines.
        """
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _unusable(self.path, error) from error
        return [_read(line) for line in content.splitlines()]

    def newest(self) -> Checkpoint | None:
        """Return what the last line says; raise OSError when it cannot be read."""
        try:
            with self.path.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
                last = file.read().splitlines()[-1:]
        except FileNotFoundError:
            return None
        return _read(last[0]) if last else None

    def add(self, head: Head, key: Key) -> bool:
        """Add a checkpoint unless the file has it, or a later one; tell whether it was added.

        It is on the disk when this returns. Raises OSError.
        """
        with self._opened() as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # until the file is closed
            last = self.newest()
            if last is not None and (
                last.position > head.position
                or (last.position == head.position and last.is_by([key]))
            ):
                return False
            line = msgspec.json.encode(signed(head, key)) + b"\n"
            if not _ends_a_line(self.path):  # a crash cut the line before this one short
                line = b"\n" + line
            if os.write(file, line) != len(line):
                raise OSError("the line was not written whole")
            os.fsync(file)
        return True

    def renew(self, keys: SigningKeys) -> None:
        """Sign the newest checkpoint anew with the key that signs now.

        For after a rotation: the key that signed it will be forgotten. Raises CheckpointsUnusable.
        """
        try:
            last = self.newest()
            if last is not None and last.holds() and last.is_by(keys.all()):
                self.add(Head(last.position, bytes.fromhex(last.hash)), keys.current())
        except OSError as error:
            raise _unusable(self.path, error) from error

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int]:
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            yield file
        finally:
            os.close(file)


def of(settings: Settings) -> Checkpoints:
    """Return the file that the settings name; raise CheckpointsUnusable when it cannot grow."""
    found = Checkpoints(settings.checkpoints)
    if settings.audit_checkpoints is None:
        try:
            settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise _unusable(found.path, error) from error
    found.check()
    return found


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        if not file.seek(0, os.SEEK_END):
            return True
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def _read(line: bytes) -> Checkpoint | None:
    """Return the checkpoint that a line is; None for anything else."""
    try:
        found = msgspec.json.decode(line, type=Checkpoint)
        if found.position < 1 or bytes.fromhex(found.hash).hex() != found.hash:
            return None
        return found if found.taken_at else None
    except ValueError:  # of JSON, UTF-8, hex and instants
        return None


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _number(text: str) -> int:
    return int.from_bytes(_decoded(text), "big")


def _unusable(path: Path, error: OSError) -> CheckpointsUnusable:
    why = error.strerror or type(error).__name__
    return CheckpointsUnusable(
        Text(
            f"không dùng được tệp mốc kiểm toán {path} ({why}); hãy sửa quyền, hoặc đặt "
            "NTM_AUDIT_CHECKPOINTS là một tệp ghi được, tốt nhất trên máy khác",
            f"the file of audit checkpoints {path} cannot be used ({why}); mend its permissions, "
            "or set NTM_AUDIT_CHECKPOINTS to a file that can be written, best on another machine",
        )
    )
