"""Keys of names: one file for each submission, in a folder outside the database.

Whoever has the database alone reads no names; when the file is shredded, nobody does (ADR 0039).
"""

from __future__ import annotations

import logging
import os
import secrets
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from app.domain.hindrances import Hindered, of_files
from app.rules.errors import Text

BYTES: Final = 32
_log: Final = logging.getLogger("ntm.evidence")
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL
_LATER: Final = 300  # seconds until somebody may have brought the key back


class Keys:
    """The keys in a folder, which is made with the first of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def make(self, name: uuid.UUID) -> bytes:
        """Return a key, made and safe on the disk if there is none yet.

        A process that ends half-way leaves no half of a key: the file gets its name when it is
        whole.
        """
        path, making = self._path(name), self._folder / f".{name.hex}.part"
        with of_files():
            if not self._folder.exists():
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                _settle(self._folder.parent)
            if not path.exists():
                making.unlink(missing_ok=True)
                with _opened(making, _NEW) as file:
                    os.write(file, secrets.token_bytes(BYTES))
                    os.fsync(file)
                with suppress(FileExistsError):
                    os.link(making, path)
                making.unlink()
                _settle(self._folder)
        return self.get(name)

    def get(self, name: uuid.UUID) -> bytes:
        """Return a key; raise Hindered where it is missing or none."""
        try:
            key = self._path(name).read_bytes()
        except OSError as error:
            _log.error("the key %s of names cannot be read: %s", name.hex, error.strerror)
            raise unavailable() from None
        if len(key) != BYTES:
            _log.error("the key %s of names is none: it has %d bytes", name.hex, len(key))
            raise unavailable()
        return key

    def shred(self, name: uuid.UUID) -> None:
        """Destroy a key: overwrite it, then remove its file; one that is gone is gone."""
        path = self._path(name)
        with of_files(), suppress(FileNotFoundError):
            with _opened(path, os.O_WRONLY) as file:
                os.write(file, secrets.token_bytes(BYTES))
                os.fsync(file)
            path.unlink()
            _settle(self._folder)

    def _path(self, name: uuid.UUID) -> Path:
        return self._folder / f"{name.hex}.key"


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    file = os.open(path, flags | os.O_NOFOLLOW, 0o600)
    try:
        yield file
    finally:
        os.close(file)


def _settle(folder: Path) -> None:
    """Make names last that were given or taken in a folder."""
    with _opened(folder, os.O_RDONLY) as opened:
        os.fsync(opened)


def unavailable() -> Hindered:
    """Say that names cannot be read at the moment."""
    return Hindered("names-unavailable", _UNAVAILABLE, _LATER)


_UNAVAILABLE: Final = Text(
    "chưa mở được họ tên của hồ sơ này: khoá không có ở máy chủ hoặc dữ liệu đã bị sửa; hãy báo "
    "quản trị viên kiểm tra NTM_NAMES_KEYS_DIR và bản sao lưu khoá",
    "the names of this submission cannot be opened: its key is not on the server, or what is "
    "stored was altered; ask the administrator to check NTM_NAMES_KEYS_DIR and the copy of the "
    "keys",
)
