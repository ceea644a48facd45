"""Numbers as people write them: which mark parts the decimals, and where that cannot be told.

Vietnamese writes 1.234,5; English writes 1,234.5. What can be read in one way only proves that way
for the whole file; `3.400` alone can be 3400 or 3.4. Digits are ASCII; everything is exact.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

VIETNAMESE: Final = "vi"
ENGLISH: Final = "en"
LOCALES: Final = (VIETNAMESE, ENGLISH)

Readings = tuple[Decimal | None, Decimal | None]

_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,30}")
_SPACED: Final = re.compile(r"([+-]?[1-9][0-9]{0,2}(?:[ \u00a0\u202f][0-9]{3})+)([.,][0-9]{1,18})?")
_SPACES: Final = str.maketrans("", "", " \u00a0\u202f")
# A group of thousands does not begin with nought: 0,125 is no hundred and twenty-five.
_WRITTEN: Final = {
    VIETNAMESE: re.compile(r"[+-]?(?:[1-9][0-9]{0,2}(?:\.[0-9]{3})+|[0-9]{1,18})(?:,[0-9]{1,18})?"),
    ENGLISH: re.compile(r"[+-]?(?:[1-9][0-9]{0,2}(?:,[0-9]{3})+|[0-9]{1,18})(?:\.[0-9]{1,18})?"),
}


def readings(text: str) -> Readings:
    """Return what a text is as a number in Vietnamese and in English; None where it is none."""
    if _WHOLE.fullmatch(text):
        number = Decimal(text)
        return number, number
    if _SPACED.fullmatch(text):
        text = text.translate(_SPACES)
    vietnamese = english = None
    if _WRITTEN[VIETNAMESE].fullmatch(text):
        vietnamese = Decimal(text.replace(".", "").replace(",", "."))
    if _WRITTEN[ENGLISH].fullmatch(text):
        english = Decimal(text.replace(",", ""))
    return vietnamese, english


def possible(found: Readings, most: int | None) -> Readings:
    """Leave out what is more than there can be: of a share, 85.125 is not 85125 per cent."""
    if most is None:
        return found
    kept = [one if one is not None and one <= most else None for one in found]
    return found if kept == [None, None] else (kept[0], kept[1])


def proven(found: Readings) -> str | None:
    """Return the way of writing that a number proves; None where both ways can be meant."""
    vietnamese, english = found
    if (vietnamese is None) == (english is None):
        return None
    return ENGLISH if vietnamese is None else VIETNAMESE


def is_ambiguous(found: Readings) -> bool:
    """Tell whether the two ways of writing make two numbers of it."""
    return None not in found and found[0] != found[1]
