"""Values that should never come and always do: one list for bodies, queries, paths and headers.

What each of them is called is what `accepted.py` names where a field takes it all the same.
"""

from __future__ import annotations

import gzip
import json
import unicodedata
from collections.abc import Iterator
from typing import Final, NamedTuple
from urllib.parse import quote

_FULL: Final = str.maketrans("0123456789", "０１２３４５６７８９")
_ARABIC: Final = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
# What may come back of a text of the caller's, in one piece: a short name between quotes.
SHORT: Final = 130
_CANARY: Final = "CANARY-7f3a9c-"


class Value(NamedTuple):
    """A hostile value by its name: as JSON travels, and the text it says where it is one."""

    name: str
    raw: bytes
    text: str = ""


def _text(name: str, text: str) -> Value:
    return Value(name, json.dumps(text).encode(), text)


SQL: Final = tuple(
    _text(f"SQL {number}", text)
    for number, text in enumerate((
        "'", '"', "%", "_", "\\", "100%", "ends in a backslash\\", "'; DROP TABLE unit; --",
        "' OR '1'='1", "1) OR 1=1--", "$1", ":name", "%(x)s", "'||pg_sleep(10)||'",
        "0; SET ROLE ntm_owner", "set_config('ntm.nation','on',false)", "{1,2}", "E'\\\\x00'",
        "/**/UNION/**/SELECT/**/secret_hash/**/FROM/**/client_secret",
    ))
)  # fmt: skip
INSTANTS: Final = tuple(
    _text(f"instant {text}", text)
    for text in (
        "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2025-08-01T00:00:00",
        "2025-08-01 00:00:00+07", "2025-08-01T24:00:00Z", "2025-08-01T00:00:00+99:99",
        "10000-01-01T00:00:00Z", "-0001-01-01", "2025-02-29", "0000-00-00", "infinity", "epoch",
    )
)  # fmt: skip
DIGITS: Final = tuple(
    _text(f"{name} digits {text}", text.translate(table))
    for name, table in (("full-width", _FULL), ("Arabic", _ARABIC))
    for text in ("07948", "2025", "2025-08-01", "12")
)
# Letters that are letters: fields of free text take them, all others refuse them.
LETTERS: Final = (
    _text("NFD", unicodedata.normalize("NFD", "Xã Tân Lập")),
    _text("zero-width space", "Xã\u200bTân"),
    _text("emoji", "😀"),
    _text("last character", "\U0010ffff"),
    _text("path", "../../../../etc/passwd"),
    _text("template", "{{7*7}}${jndi:ldap://x/y}"),
    _text("formula", "=cmd|' /C calc'!A0"),
    _text("markup", "<script>alert(1)</script>"),
    _text("class", "__class__"),
    _text("number as text", "1e1000000"),
    _text("NaN as text", "NaN"),
    _text("twenty digits", "9" * 20),
)
ODD: Final = (
    _text("empty", ""),
    _text("blank", "  "),
    _text("zero-width only", "\u200b"),
    _text("byte order mark", "\ufeffx"),
    _text("right to left", "a\u202eb"),
    _text("escape sequence", "\x1b[2J"),
    _text("line break", "a\r\nX-Injected: 1"),
    _text("not a character", "\uffff"),
    _text("long", _CANARY * 500),
    _text("1 MB", _CANARY * 74_899),
)
NO_TEXT: Final = (
    _text("NUL", "\0"),
    _text("NUL inside", "a\0b"),
    _text("lone surrogate", "\ud800"),
    _text("half a pair", "a\udfffb"),
)
TEXTS: Final = (*SQL, *INSTANTS, *DIGITS, *LETTERS, *ODD, *NO_TEXT)
NUMBERS: Final = tuple(
    Value(raw[:24], raw.encode())
    for raw in (
        "NaN", "Infinity", "-Infinity", "1e1000000", "-1e1000000", "1e-400", "1e400",
        "1234567890123456789.012345", "1234567890123456789012345", "7" * 4_000,
        "9223372036854775808", "-9223372036854775809", "-1", "-0", "-0.0", "1.5", "1e2", "20250801",
        "1754006400", "01",
        "0x10", "1_000", "+1", ".5", "１２",
    )
)  # fmt: skip
SHAPES: Final = (
    Value("null", b"null"),
    Value("true", b"true"),
    Value("empty list", b"[]"),
    Value("empty object", b"{}"),
    Value("list of null", b"[null]"),
    Value("object of ours", b'{"numerator": 1, "denominator": 2, "percent": "50"}'),
    Value("same key twice", b'{"a": 1, "a": 2}'),
    Value("NUL in a key", b'{"\\u0000": 1}'),
    Value("half a key", b'{"\\ud800": 1}'),
    Value("900 lists deep", b"[" * 900 + b"]" * 900),
    Value("900 objects deep", b'{"a":' * 900 + b"1" + b"}" * 900),
    Value("NaN inside", b'{"a": [NaN, 1e1000000]}'),
    Value("raw NUL", b'"\x00"'),
    Value("not UTF-8", b'"\xc3\x28\xff"'),
    Value("surrogate in UTF-8", b'"\xed\xa0\x80"'),
)
VALUES: Final = (*TEXTS, *NUMBERS, *SHAPES)
# What is one value in one place, for every place: the smallest corpus that has every kind.
FEW: Final = tuple(
    one
    for one in VALUES
    if one.name in {"NaN", "1e1000000", "lone surrogate", "NUL", "null", "-1", "900 lists deep",
                    "same key twice", "SQL 0", "instant 2025-08-01T00:00:00"}
)  # fmt: skip


def escaped(value: Value) -> str:
    """Return a text as it travels in an address; half a character travels as its three bytes."""
    text = value.text[:10_000]
    return quote(text.encode("utf-8", "surrogatepass"), safe="'*;=-_.()!~")


# As they travel in an address: what no text can say, and numbers that are none.
_RAW_IN_QUERY: Final = (
    "%ff", "%C0%80", "%", "%zz", "-1", "0x10", "1e1000000", "NaN", "Infinity", "1" + "0" * 20,
    "9223372036854775808", "1.5", "+1", "1_000", "[]", "%7B%7D", "null", "%EF%BB%BF",
)  # fmt: skip
IN_QUERY: Final = (
    *((one.name, escaped(one), one.text) for one in (*TEXTS,) if one.name != "1 MB"),
    *((f"raw {raw[:24]}", raw, "") for raw in _RAW_IN_QUERY),
)
_RAW_IN_PATH: Final = (
    "%ff", "%C0%80", "%00", "%2e%2e", "..%2f..%2fetc", "%2F", "9223372036854775808", "-1", "1.5",
    "0", "00", "1e5", "0x10", "%2B1", "1%20", "%201", "1%0A", "%7Bcode%7D", "9" * 2_000,
)  # fmt: skip
IN_PATH: Final = (
    *(
        (one.name, escaped(one).replace("/", "%2F"), one.text)
        for one in TEXTS
        if one.text and one.name not in ("1 MB", "class", "path")
    ),
    *((f"raw {raw[:24]}", raw, "") for raw in _RAW_IN_PATH),
)


def wholes(good: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield bodies that are no JSON object of ours at all, made of a good one."""
    text = good.decode()
    for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32"):
        yield encoding, text.encode(encoding)
    yield "byte order mark before", b"\xef\xbb\xbf" + good
    yield "cut", good[:-1]
    yield "cut in the middle", good[: len(good) // 2]
    yield "twice", good + good
    yield "in a list", b"[" + good + b"]"
    yield "in a text", json.dumps(text).encode()
    yield "first key twice", b"{" + good[1 : good.index(b":")] + b": null," + good[1:]
    yield "gzip", gzip.compress(good)
    yield "trailing comma", good[:-1] + b",}"
    yield "nothing", b""
    for value in (*NUMBERS, *SHAPES):
        yield f"only {value.name}", value.raw
    for value in (*ODD, *NO_TEXT):
        yield f"only the text {value.name}", value.raw


_HINT: Final = (
    b"", b",", b";;;", b"\xff\xfe", b"\xed\xa0\x80", b"'; DROP TABLE unit; --", b"x" * 10_000,
    b"vi;q=NaN,en;q=1e1000000", b"*" * 200, b"{}", b"\xef\xbc\x91", b'W/"', b'"' * 999,
)  # fmt: skip
# Headers that the service reads get all of them; those that it should not even look at, a few.
HINTS: Final = {
    **dict.fromkeys(
        ("accept-language", "x-request-id", "if-none-match", "idempotency-key", "if-match"), _HINT
    ),
    "prefer": (*_HINT, b"respond-async; x", b"RESPOND-ASYNC, wait=1e99", b"wait=-1",
               b"handling=strict, x", b'handling="strict", \xed\xa0\x80', b"respond-async" * 900),
    **dict.fromkeys(
        ("accept", "origin", "x-forwarded-for", "x-forwarded-host", "forwarded", "cookie", "range",
         "traceparent", "if-modified-since", "x-http-method-override", "user-agent"),
        _HINT[3:6:2],
    ),
}  # fmt: skip
TOKENS: Final = (
    b"", b"Bearer", b"Bearer ", b"Bearer x", b"Bearer x.y.z", b"Bearer " + b"A" * 9_000,
    b"Basic YTpi",
    b"Bearer \xff\xfe", b"bearer null", b"Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.",
    b"Bearer " + b".".join([b"W" + b"1tb" * 900] * 3), b"Bearer '; DROP TABLE client; --",
)  # fmt: skip
MEDIA: Final = (
    ("content-type", b""), ("content-type", b"text/plain"), ("content-type", b"\xff"),
    ("content-type", b"application/json; charset=utf-16"), ("content-type", b"multipart/form-data"),
    ("content-type", b"application/json, text/csv"), ("content-type", b"x" * 10_000),
    ("content-encoding", b"gzip"), ("content-encoding", b"gzip, gzip, gzip, gzip, gzip"),
    ("content-encoding", b"br"), ("content-encoding", b"\xff"),
)  # fmt: skip
