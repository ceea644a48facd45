"""What keeps work from being done for the moment, and is nobody's fault: it is tried again."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from app.rules.errors import Text

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_ROOM: Final = 60  # seconds until there may be room
_MEANS: Final = 30


class Hindered(Exception):
    """Work cannot be done at the moment: the code of the problem, what to do, when to try again.

    What `passes` by itself, as the turn of others does, is waited for however often.
    """

    def __init__(self, code: str, text: Text, seconds: int, *, passes: bool = False) -> None:
        super().__init__(text.en)
        self.code, self.text = code, text
        self.seconds, self.passes = seconds, passes


@contextmanager
def of_files() -> Iterator[None]:
    """Turn failures of files and processes of this machine into Hindered.

    Within a transaction they would be taken for failures of the connection to the database.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise Hindered("storage-full", _NO_ROOM, _ROOM) from error
        raise Hindered("reading-unavailable", _NO_MEANS, _MEANS) from error


_NO_ROOM: Final = Text(
    "máy chủ hết chỗ lưu tệp; hãy báo quản trị viên rồi thử lại",
    "the server has no room for the file; tell the administrator, then try again",
)
_NO_MEANS: Final = Text(
    "máy chủ tạm thời không mở được tệp hoặc tiến trình để đọc tệp; hãy thử lại sau ít phút, nếu "
    "vẫn vậy hãy báo quản trị viên",
    "the server cannot open a file, or a process to read it, at the moment; try again in a few "
    "minutes, and tell the administrator if it stays",
)
