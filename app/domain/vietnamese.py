"""Search keys for Vietnamese text: what people type finds what is written."""

from __future__ import annotations

import unicodedata


def search_key(text: str) -> str:
    """Return text without diacritics and case, Đ as d, white space folded."""
    apart = unicodedata.normalize("NFD", text.casefold().replace("đ", "d"))
    plain = "".join(char for char in apart if not unicodedata.combining(char))
    return " ".join(plain.split())
