"""What people write where a value is due and no number: yes, no, or words of something else."""

from __future__ import annotations

import re
from typing import Final

from app.domain.reading.cells import Cell, Day, Number, is_blank
from app.domain.reading.misread import Misread
from app.domain.reading.numbers import readings
from app.domain.vietnamese import search_key

YES: Final = frozenset({"co", "x", "dat", "1", "true", "yes", "dung", "y", "v", "✓", "✔", "☑"})
NO: Final = frozenset({
    "khong", "khong dat", "khong co", "chua", "chua dat", "chua co", "0", "false", "no", "sai", "n",
})  # fmt: skip
OF: Final = re.compile(r"([^/]{1,40})/([^/]{1,40})")  # 3400/4000
_CODELIKE: Final = re.compile(r"[a-z0-9_.|; -]+")


def truth(cell: Cell) -> bool:
    """Return whether a cell says yes; raise Misread where it says neither yes nor no."""
    if isinstance(cell, bool):
        return cell
    if isinstance(cell, Day):
        raise Misread("not-a-truth", cell)
    said = cell.written() if isinstance(cell, Number) else search_key(str(cell))
    if said in YES or said in NO:
        return said in YES
    raise Misread("not-a-truth", cell)


def is_words(cell: Cell) -> bool:
    """Tell whether a cell has plain words, which no indicator could take for a value."""
    if not isinstance(cell, str) or is_blank(cell):
        return False
    text = cell.strip()
    bare = text.rstrip("% ")
    return (
        readings(bare) == (None, None)
        and not OF.fullmatch(bare)
        and not _CODELIKE.fullmatch(text)
        and search_key(text) not in YES | NO
    )
