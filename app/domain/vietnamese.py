"""Vietnamese text: the order of the dictionary, and keys by which what people type is found."""

from __future__ import annotations

import functools
import re
import unicodedata
from typing import Final

import msgspec

_ALPHABET: Final = "aăâbcdđeêfghijklmnoôơpqrstuưvwxyz"
# One ASCII character a letter, in the order of the alphabet; all above "!" and " ".
_RANKS: Final = {letter: chr(ord("A") + rank) for rank, letter in enumerate(_ALPHABET)}
# ngang, huyền, hỏi, ngã, sắc, nặng: the order of the tones in dictionaries.
_TONES: Final = {"\u0300": "1", "\u0309": "2", "\u0303": "3", "\u0301": "4", "\u0323": "5"}
# Đ, African Đ and Eth look alike and are typed for one another.
_D_FAMILY: Final = str.maketrans("ÐðƉɖ", "ĐđĐđ")
_INVISIBLE: Final = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
_TONE: Final = re.compile("![0-5]")
_DIGITS: Final = "0123456789"
_NUMBER: Final = re.compile(r"[0-9]+")
_APOSTROPHES: Final = re.compile("['’‘ʼ`]")
_BETWEEN: Final = re.compile(r"[\W_]+")


class TypeName(msgspec.Struct, frozen=True):
    """A type of unit as people write it before a name."""

    type: str
    level: str
    words: tuple[str, ...]


TYPE_NAMES: Final = (
    TypeName("thanh_pho", "province", ("thành phố", "tp")),
    TypeName("tinh", "province", ("tỉnh",)),
    TypeName("thanh_pho", "district", ("thành phố", "tp")),
    TypeName("thi_xa", "district", ("thị xã", "tx")),
    TypeName("quan", "district", ("quận", "q")),
    TypeName("huyen", "district", ("huyện", "h")),
    TypeName("thi_tran", "commune", ("thị trấn", "tt")),
    TypeName("dac_khu", "commune", ("đặc khu",)),
    TypeName("phuong", "commune", ("phường", "p")),
    TypeName("xa", "commune", ("xã", "x")),
    TypeName("khu_dan_cu", "hamlet", ("khu dân cư", "kdc")),
    TypeName("thon", "hamlet", ("thôn",)),
    TypeName("ap", "hamlet", ("ấp",)),
)


def search_key(text: str) -> str:
    """Return text without diacritics and case, Đ as d, white space folded."""
    clean = _INVISIBLE.sub("", text).translate(_D_FAMILY)
    apart = unicodedata.normalize("NFD", clean.casefold().replace("đ", "d"))
    plain = "".join(char for char in apart if not unicodedata.combining(char))
    return " ".join(plain.split())


def sort_key(text: str) -> str:
    """Return an ASCII key that orders texts as Vietnamese dictionaries do, syllable by syllable.

    Within a syllable letters come first, then the tone; numbers count as numbers.
    """
    return " ".join(key for key in map(_word_key, text.split()) if key)


def name_key(text: str) -> str:
    """Return a key that is equal for all ways to spell one name.

    Case, white space, hyphens, apostrophes, composed or decomposed letters, the place of the
    tone mark (Hoà, Hòa) and Đ or D make no difference; tones and vowels do.
    """
    return sort_key(_APOSTROPHES.sub("", text)).replace(_RANKS["đ"], _RANKS["d"])


# The letters that remain when diacritics are left out: ă and â are a, and so on.
_PLAIN_RANKS: Final = str.maketrans(
    {_RANKS[marked]: _RANKS[plain] for marked, plain in zip("ăâđêôơư", "aadeoou", strict=True)}
)


def loose_key(key: str) -> str:
    """Return a name key without tones and diacritics: for what is typed without them."""
    return _TONE.sub("", key).translate(_PLAIN_RANKS)


def split_type(text: str) -> tuple[frozenset[str], str]:
    """Return the types that stand before a name (in any spelling), and the rest of the name."""
    words = text.replace(".", " ").split()
    keys = [loose_key(_word_key(word)) for word in words]
    for length in (3, 2, 1):
        found = _TYPES_BY_KEY.get(tuple(keys[:length]))
        if found and len(words) > length:
            return found, " ".join(words[length:])
    return frozenset(), " ".join(words)


@functools.lru_cache(maxsize=65_536)
def _word_key(word: str) -> str:
    """Return the key of one word; what a hyphen or the like divides are several syllables."""
    clean = unicodedata.normalize("NFC", _INVISIBLE.sub("", word).translate(_D_FAMILY)).lower()
    return " ".join(_syllable_key(part) for part in _BETWEEN.split(clean) if part)


def _syllable_key(syllable: str) -> str:
    apart = unicodedata.normalize("NFD", syllable)
    tone = next((_TONES[char] for char in apart if char in _TONES), "0")
    letters = unicodedata.normalize("NFC", "".join(c for c in apart if c not in _TONES))
    spelled = _NUMBER.sub(_padded, letters)
    return (
        "".join(char if char in _DIGITS else _RANKS.get(char, "") for char in spelled) + f"!{tone}"
    )


def _padded(number: re.Match[str]) -> str:
    return number[0].zfill(6)


def _types_by_key() -> dict[tuple[str, ...], frozenset[str]]:
    found: dict[tuple[str, ...], set[str]] = {}
    for known in TYPE_NAMES:
        for words in known.words:
            found.setdefault(tuple(loose_key(name_key(words)).split()), set()).add(known.type)
    return {key: frozenset(types) for key, types in found.items()}


_TYPES_BY_KEY: Final = _types_by_key()
