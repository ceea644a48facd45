"""Names as everybody may see them: the first letter of each word, and not how long it is."""

from __future__ import annotations

from typing import Final

_HIDDEN: Final = "***"


def masked(name: str) -> str:
    """Return a name masked: “Nguyễn Văn An” is “N*** V*** A***”; one letter alone is hidden."""
    return " ".join(word[: len(word) > 1] + _HIDDEN for word in name.split())
