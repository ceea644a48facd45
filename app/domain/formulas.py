"""Text that a spreadsheet would run as a formula: an apostrophe goes before it in CSV files.

Text that begins with apostrophes before a formula gets another one, so that taking one away always
gives back what was written.
"""

from __future__ import annotations

import re
from typing import Final

# What spreadsheets take for the beginning of a formula, full-width forms included.
_FORMULA: Final = re.compile("'*[=+\\-@\t\r\n\x00＝＋－＠]")
_NUMBER: Final = re.compile(r"[+-]?[0-9]+([.,][0-9]+)*%?")


def guarded(text: str) -> str:
    """Return text that no spreadsheet runs as a formula; numbers stay as they are."""
    if _FORMULA.match(text) and not _NUMBER.fullmatch(text):
        return f"'{text}"
    return text


def unguarded(text: str) -> str:
    """Return text as it was before it was guarded."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text
