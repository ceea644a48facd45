"""Names of files as people give them: data only, never a path, and fit for every system."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from app.domain.refusals import Complaint, Refused
from app.rules.errors import Text

_LONGEST: Final = 255  # bytes in UTF-8, as file systems count
_FORBIDDEN: Final = re.compile(r'[<>:"/\\|?*\ufffd]')
_DEVICE: Final = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])", re.IGNORECASE)


def normal(name: str) -> str:
    """Return a name in NFC with runs of spaces folded; raise Refused where it is not safe to save.

    Two ways to write one name (as macOS and Windows do) mean one file.
    """
    found = unicodedata.normalize("NFC", name)
    stem = found.partition(".")[0].strip()
    wrong = (
        not found.isprintable()  # control characters, and such as turn the direction of writing
        or _FORBIDDEN.search(found) is not None
        or found != found.strip()
        or found.startswith((".", "~"))
        or found.endswith(".")
        or _DEVICE.fullmatch(stem) is not None
    )
    folded = " ".join(found.split())
    if wrong or not 1 <= len(folded.encode("utf-8", "surrogatepass")) <= _LONGEST:
        raise Refused([Complaint("/name", "invalid-filename", _WRONG)])
    return folded


_WRONG: Final = Text(
    f'tên tệp không hợp lệ; tên dài tối đa {_LONGEST} byte, không có / \\ : * ? " < > | hay ký tự '
    "điều khiển, không bắt đầu bằng dấu chấm hoặc ~, không kết thúc bằng dấu chấm hoặc dấu cách, "
    "không phải tên thiết bị (CON, NUL…); hãy đổi tên tệp, ví dụ bien-ban-01.pdf",
    f'this is no name for a file; it has at most {_LONGEST} bytes, none of / \\ : * ? " < > | and '
    "no control characters, does not begin with a dot or ~, does not end with a dot or a space, "
    "and is no device (CON, NUL…); rename the file, for example bien-ban-01.pdf",
)
