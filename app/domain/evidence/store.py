"""Where the contents of files of evidence lie: under random ids, behind one small interface.

A content is there whole or not at all, whatever is killed when. The database names it afterwards:
what no row names is nobody's, and is removed some day.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import os
import re
import shutil
import uuid
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import IO, Final, Protocol

import msgspec

from app.domain.hindrances import Hindered, of_files
from app.rules.errors import Text

_ID: Final = re.compile(r"[0-9a-f]{32}")
_MAKING: Final = ".part"
_PIECE: Final = 256 * 1024
_AGAIN: Final = 60  # seconds


class Lying(msgspec.Struct, frozen=True):
    """A content that lies in a store, and since when."""

    id: str
    since: datetime.datetime


class Store(Protocol):
    """Keeps contents; every method raises Hindered where the store cannot be used."""

    async def put(self, id_: str, file: IO[bytes], size: int) -> None:
        """Keep the whole of an open file; when it returns, the content outlives a failure."""
        ...

    def open(self, id_: str) -> AsyncGenerator[bytes, None]:
        """Yield a content, piece by piece; raise Hindered before the first where it is lost."""
        ...

    async def delete(self, ids: Sequence[str]) -> None:
        """Remove contents; those that are not there are as good as removed."""
        ...

    def all(self) -> AsyncGenerator[Sequence[Lying], None]:
        """Yield everything that lies there, some at a time; what a kill left halfway, too."""
        ...


def new_id() -> str:
    """Return a random id, which says nothing of what lies under it."""
    return uuid.uuid4().hex


class FolderStore:
    """A folder of this machine; sub-folders by the first two digits keep each of them small."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def put(self, id_: str, file: IO[bytes], size: int) -> None:
        """Write a content beside its place, to the disk, and put it there in one step."""
        await asyncio.to_thread(self._put, id_, file)

    async def open(self, id_: str) -> AsyncGenerator[bytes, None]:
        """Yield a content from its file."""
        file = await asyncio.to_thread(self._opened, id_)
        try:
            while piece := await asyncio.to_thread(_read, file):
                yield piece
        finally:
            file.close()

    async def delete(self, ids: Sequence[str]) -> None:
        """Remove the files of contents."""
        await asyncio.to_thread(self._delete, ids)

    async def all(self) -> AsyncGenerator[Sequence[Lying], None]:
        """Yield what lies in each sub-folder."""
        for below in await asyncio.to_thread(self._below):
            yield await asyncio.to_thread(_lying, below)

    def _path(self, id_: str) -> Path:
        if not _ID.fullmatch(id_.removesuffix(_MAKING)):
            raise ValueError("this is no id of a content")
        return self._folder / id_[:2] / id_

    def _put(self, id_: str, file: IO[bytes]) -> None:
        with of_files():
            path = self._path(id_)
            made = path.with_name(id_ + _MAKING)
            if not path.parent.exists():
                self._folder.mkdir(0o700, parents=True, exist_ok=True)
                path.parent.mkdir(0o700, exist_ok=True)
                _settle(self._folder)
                _settle(self._folder.parent)
            try:
                _write(made, file)
                made.rename(path)
            except BaseException:
                made.unlink(missing_ok=True)
                raise
            _settle(path.parent)

    def _opened(self, id_: str) -> IO[bytes]:
        with of_files():
            try:
                return self._path(id_).open("rb")
            except FileNotFoundError:
                raise lost() from None

    def _delete(self, ids: Sequence[str]) -> None:
        with of_files():
            paths = [self._path(one) for one in ids]
            for path in paths:
                path.unlink(missing_ok=True)
            for folder in {path.parent for path in paths}:
                if folder.exists():
                    _settle(folder)

    def _below(self) -> list[Path]:
        with of_files():
            return sorted(self._folder.glob("[0-9a-f][0-9a-f]"))


def unavailable(text: Text) -> Hindered:
    """Say that the store cannot be used, and what to do."""
    return Hindered("storage-unavailable", text, _AGAIN)


def lost() -> Hindered:
    """Say that a content is not where the record says it is."""
    return unavailable(_LOST)


def _write(path: Path, file: IO[bytes]) -> None:
    """Write the whole of an open file to a new one, and to the disk."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with os.fdopen(os.open(path, flags, 0o600), "wb") as out:
        file.seek(0)
        shutil.copyfileobj(file, out, _PIECE)
        out.flush()
        os.fsync(out.fileno())


def _settle(folder: Path) -> None:
    """Have what stands in a folder outlive a power failure."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _read(file: IO[bytes]) -> bytes:
    with of_files():
        return file.read(_PIECE)


def _lying(folder: Path) -> list[Lying]:
    found = []
    with of_files():
        for path in sorted(folder.iterdir()):
            with contextlib.suppress(FileNotFoundError):  # put in its place, or removed, meanwhile
                since = datetime.datetime.fromtimestamp(path.stat().st_mtime, datetime.UTC)
                if _ID.fullmatch(path.name.removesuffix(_MAKING)):
                    found.append(Lying(path.name, since))
    return found


_LOST: Final = Text(
    "không tìm thấy nội dung tệp trong kho lưu trữ; hãy báo quản trị viên phục hồi kho tệp từ bản "
    "sao lưu",
    "the content of the file is not in the store; tell the administrator to restore the store "
    "from a backup",
)
