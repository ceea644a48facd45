"""Strict JSON: UTF-8 only, depth at most 32, no duplicate keys, no NaN, exact numbers, NFC text."""

from __future__ import annotations

import json
import unicodedata
from decimal import Decimal
from typing import Any, Final, NoReturn

from app.domain.refusals import Complaint, Refused, pointer
from app.rules.errors import Text
from app.rules.facts import printable

DEEPEST: Final = 32
_LONGEST_NUMBER: Final = 1_000


class MalformedJson(ValueError):
    """Bytes that are not JSON as RFC 8259 and this service understand it."""

    def __init__(self, complaint: Complaint) -> None:
        super().__init__(complaint.message.en)
        self.complaint = complaint


def read_json(content: bytes) -> Any:
    """Return the data of a JSON text: ints exact, fractions as Decimal, strings in NFC.

    Raises MalformedJson, or Refused where text contains NUL; both name the place.
    """
    try:
        found = json.loads(
            content.decode("utf-8"),
            object_pairs_hook=_Members,
            parse_constant=_Unreadable,
            parse_float=_fraction,
            parse_int=_integer,
        )
    except UnicodeDecodeError as error:
        _malformed(
            f"byte {error.start} không phải UTF-8; hãy gửi UTF-8",
            f"byte {error.start} is not UTF-8; send UTF-8",
        )
    except json.JSONDecodeError as error:
        place = f"{error.lineno}:{error.colno}"
        _malformed(
            f"sai cú pháp tại dòng:cột {place}; hãy kiểm tra dấu ngoặc, dấu phẩy, dấu nháy",
            f"syntax error at line:column {place}; check brackets, commas and quotes",
        )
    except RecursionError:
        _too_deep("")
    return _checked(found, ())


class _Members:
    """The members of a JSON object as read, duplicates included."""

    __slots__ = ("pairs",)

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        self.pairs = pairs


class _Unreadable:
    """A number that is none: NaN, Infinity, or one of more than a thousand digits."""

    __slots__ = ("shown",)

    def __init__(self, raw: str) -> None:
        self.shown = raw[:20]


def _fraction(raw: str) -> Decimal | _Unreadable:
    try:
        return Decimal(raw) if len(raw) <= _LONGEST_NUMBER else _Unreadable(raw)
    except ArithmeticError:  # an exponent beyond what Decimal can hold
        return _Unreadable(raw)


def _integer(raw: str) -> int | _Unreadable:
    return int(raw) if len(raw) <= _LONGEST_NUMBER else _Unreadable(raw)


def _checked(value: Any, place: tuple[str | int, ...]) -> Any:
    kind = type(value)
    if kind is str:
        return _text(value, place)
    if kind is _Unreadable:
        _malformed(
            f"“{value.shown}” không phải số hợp lệ; hãy gửi số nguyên hoặc bỏ trống",
            f"“{value.shown}” is not a usable number; send an integer or leave it out",
            pointer(*place),
        )
    if kind is not _Members and kind is not list:
        return value
    if len(place) >= DEEPEST:
        _too_deep(pointer(*place))
    if kind is list:
        return [_checked(item, (*place, index)) for index, item in enumerate(value)]
    return _object(value, place)


def _object(members: _Members, place: tuple[str | int, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in members.pairs:
        name = _text(key, place)
        where = (*place, name)
        if name in found:
            _malformed(
                f"khoá “{printable(name)}” bị lặp lại; chỉ giữ một",
                f"the key “{printable(name)}” is given twice; keep one",
                pointer(*where),
            )
        found[name] = _checked(value, where)
    return found


def _text(text: str, place: tuple[str | int, ...]) -> str:
    if text.isascii() and "\x00" not in text:
        return text
    if _has_surrogate(text):
        _malformed(
            "có ký tự thay thế (surrogate) đứng riêng; hãy gửi chữ UTF-8 hợp lệ",
            "a lone surrogate is not a character; send valid UTF-8 text",
            pointer(*place),
        )
    if "\x00" in text:
        message = Text(
            "chữ không được chứa ký tự NUL; hãy bỏ ký tự đó",
            "text must not contain NUL; remove it",
        )
        raise Refused([Complaint(pointer(*place), "invalid-text", message)])
    return unicodedata.normalize("NFC", text)


def _has_surrogate(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _too_deep(where: str) -> NoReturn:
    _malformed(
        f"lồng nhau quá {DEEPEST} mức; hãy làm phẳng dữ liệu",
        f"nested deeper than {DEEPEST} levels; flatten the data",
        where[:200],
    )


def _malformed(vi: str, en: str, where: str = "") -> NoReturn:
    raise MalformedJson(Complaint(where, "malformed-json", Text(vi, en)))
