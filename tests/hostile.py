"""Requests that should never come and always do, each with the answer it must get.

`BODIES` are bodies of the preview, `GETS` are reads. `remedy` are words that the answer must
contain in both languages, because they tell the caller what would have been right.
"""

from __future__ import annotations

import copy
import json
import unicodedata
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

Place = tuple[str | int, ...]

RATIO: Final = "households_internet_connected_rate"
PERCENT: Final = "working_age_smartphone_subscription_rate"
BOOLEAN: Final = "ntm_advanced_recognized_2021_2025"
COUNT: Final = "digital_skills_classes_count"
SET: Final = "smart_contents_implemented"
DECISION: Final = "969/QĐ-BNN-VPĐP"

VALID: Final[dict[str, Any]] = {
    "ruleset": "bnn3445.selection.smart",
    "as_of": "2024-12-31",
    "unit": {
        "level": "commune",
        "type": "xa",
        "code": "07894",
        "name": "Xã Hùng Lô",
        "attributes": {"area_island": False},
        "designations": [{"model": "ecom", "decision": DECISION, "date": "2023-03-16"}],
    },
    "facts": {
        BOOLEAN: True,
        RATIO: {"numerator": 3400, "denominator": 4000},
        PERCENT: {"percent": "85.50"},
        COUNT: 12,
        SET: ["a1", "b1"],
    },
    "members": [
        {
            "unit": {"level": "hamlet", "type": "ap", "code": "07894-01", "name": "Ấp 1"},
            "facts": {"hamlet_digital_team_established": True},
        }
    ],
}


class Hostile(NamedTuple):
    """A request, and the answer it must get; `code` and `pointer` are None where not fixed."""

    name: str
    content: bytes
    statuses: frozenset[int]
    code: str | None = None
    pointer: str | None = None
    remedy: tuple[str, ...] = ()


class Read(NamedTuple):
    """A hostile read, and the answer it must get."""

    name: str
    url: str
    statuses: frozenset[int]
    code: str | None = None
    pointer: str | None = None
    remedy: tuple[str, ...] = ()


def sent(body: Any) -> bytes:
    """Return a body as the bytes that travel; what is no character stays an escape."""
    return json.dumps(body).encode()


def with_value(place: Place, value: Any) -> dict[str, Any]:
    """Return the valid body with another value at one place; a new key is added."""
    body = copy.deepcopy(VALID)
    holder: Any = body
    for part in place[:-1]:
        holder = holder[part]
    holder[place[-1]] = value
    return body


def with_key(place: Place, key: str) -> dict[str, Any]:
    """Return the valid body with the key at one place renamed."""
    body = copy.deepcopy(VALID)
    holder: Any = body
    for part in place[:-1]:
        holder = holder[part]
    holder[key] = holder.pop(place[-1])
    return body


def without(place: Place) -> dict[str, Any]:
    """Return the valid body without one place."""
    body = copy.deepcopy(VALID)
    holder: Any = body
    for part in place[:-1]:
        holder = holder[part]
    del holder[place[-1]]
    return body


def with_text(old: str, new: str | bytes) -> bytes:
    """Return the valid body as bytes with one piece of text replaced."""
    text = json.dumps(VALID, ensure_ascii=False).encode()
    assert text.count(old.encode()) == 1, old
    return text.replace(old.encode(), new if isinstance(new, bytes) else new.encode())


def places(value: Any = VALID, above: Place = ()) -> Iterator[Place]:
    """Yield every place of the valid body, groups included."""
    if above:
        yield above
    if isinstance(value, dict | list):
        for part, below in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(below, (*above, part))


def spelled(place: Place) -> str:
    """Return a place as a JSON pointer."""
    return "".join(f"/{part}" for part in place)


def _at(name: str, place: Place, value: Any, code: str, *remedy: str, below: str = "") -> Hostile:
    """Return the valid body with one wrong value, to be refused with a pointer to its place."""
    content = sent(with_value(place, value))
    return Hostile(name, content, _422, code, spelled(place) + below, remedy)


def _malformed(name: str, content: bytes, pointer: str | None = None, *remedy: str) -> Hostile:
    return Hostile(name, content, _400, "malformed-json", pointer, remedy)


_400: Final = frozenset({400})
_404: Final = frozenset({404})
_422: Final = frozenset({422})
_NUMERATOR: Final = f"/facts/{RATIO}/numerator"
_LARGEST: Final = "9007199254740991"
_FULL: Final = str.maketrans("0123456789", "０１２３４５６７８９")
_ARABIC: Final = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")


def _names() -> Iterator[Hostile]:
    """Yield bodies that name what does not exist, or leave out what must be there."""
    yield _at("unknown ruleset", ("ruleset",), "phutho.xa", "unknown-ruleset", "phutho.commune")
    yield _at("ruleset in other case", ("ruleset",), "BNN3445.selection.smart", "unknown-ruleset")
    yield _at("empty ruleset", ("ruleset",), "", "unknown-ruleset", "phutho.commune")
    yield _at("ruleset of 100,000 letters", ("ruleset",), "x" * 100_000, "unknown-ruleset")
    yield _at("ruleset is a number", ("ruleset",), 924, "wrong-type")
    yield _at("ruleset is null", ("ruleset",), None, "wrong-type")
    yield _at("unknown indicator", ("facts", "no_such"), 1, "unknown-indicator", "/v1/indicators")
    yield _at(
        "unknown indicator of a member",
        ("members", 0, "facts", "no_such"),
        True,
        "unknown-indicator",
        "/v1/indicators",
    )
    for what, digits in (("full-width", _FULL), ("Arabic", _ARABIC)):
        code = BOOLEAN.translate(digits)
        yield _at(f"indicator with {what} digits", ("facts", code), True, "unknown-indicator")
        yield _at(f"date in {what} digits", ("as_of",), "2024-12-31".translate(digits),
                  "wrong-type", "YYYY-MM-DD")  # fmt: skip
        yield _at(f"percent in {what} digits", ("facts", PERCENT, "percent"),
                  "85".translate(digits), "wrong-kind", "85.50")  # fmt: skip
        yield _at(f"unit code in {what} digits", ("unit", "code"), "07894".translate(digits),
                  "wrong-value")  # fmt: skip
    for holder in (
        (),
        ("unit",),
        ("unit", "designations", 0),
        ("facts", RATIO),
        ("members", 0),
        ("members", 0, "unit"),
    ):
        place = (*holder, "extra")
        yield _at(f"unknown key in {spelled(holder) or 'the body'}", place, 1, "unknown-field")
    yield _at("attributes of a member", ("members", 0, "unit", "attributes"), {}, "unknown-field")
    yield _at("key in other case", ("Facts",), {}, "unknown-field")
    yield _at(
        "unknown area class",
        ("unit", "attributes", "area_moon"),
        True,
        "unknown-attribute",
        "area_island",
    )
    yield _at(
        "an indicator as area class",
        ("unit", "attributes", BOOLEAN),
        True,
        "unknown-attribute",
        "area_island",
    )
    yield _at("area class as a fact", ("facts", "area_island"), True, "not-a-fact",
              "unit.attributes")  # fmt: skip
    yield _at("designation as a fact", ("facts", "central_pilot_smart"), DECISION, "not-a-fact",
              "unit.designations")  # fmt: skip
    yield _at("unknown set member", ("facts", SET), ["a1", "z9"], "unknown-member", "dd1",
              below="/1")  # fmt: skip
    yield _at("duplicate set member", ("facts", SET), ["a1", "b1", "a1"], "duplicate-member", "a1",
              below="/2")  # fmt: skip
    yield _at("level of another ruleset", ("unit", "level"), "province", "wrong-level", "commune")
    yield _at("unknown level", ("unit", "level"), "village", "wrong-value", "hamlet")
    yield _at("unknown type", ("unit", "type"), "city", "wrong-value", "thi_tran")
    yield _at("unknown model", ("unit", "designations", 0, "model"), "pilot", "wrong-value", "ecom")
    for gone in (("ruleset",), ("unit",), ("unit", "level"), ("members", 0, "unit"),
                 ("unit", "designations", 0, "decision")):  # fmt: skip
        yield Hostile(
            f"without {spelled(gone)}", sent(without(gone)), _422, "missing-field", spelled(gone)
        )


def _kinds() -> Iterator[Hostile]:
    """Yield facts and fields of the wrong kind."""
    value: Any
    for value in ("true", "có", 1, 0, None, [], {}, ["a1"], {"numerator": 1, "denominator": 2}):
        yield _at(f"boolean as {value!r}", ("facts", BOOLEAN), value, "wrong-kind", "true", "false")
    for value in ("12", True, 12.0, 1.5, None, [], [12], {}, {"numerator": 1, "denominator": 2}):
        yield _at(f"count as {value!r}", ("facts", COUNT), value, "wrong-kind")
    for value in (
        85,
        "85%",
        "85",
        True,
        None,
        [],
        [1, 2],
        {},
        {"numerator": 1},
        {"denominator": 1},
    ):
        yield _at(f"ratio as {value!r}", ("facts", RATIO), value, "wrong-kind", "85.50")
    for value in ("a1", 1, True, None, {}, {"a1": True}, [1], [None], [["a1"]], ["a1", True]):
        yield _at(f"set as {value!r}", ("facts", SET), value, "wrong-kind")
    for value in ("3400", True, 3400.0, None, [], {}, [3400]):
        yield _at(f"numerator as {value!r}", ("facts", RATIO, "numerator"), value, "wrong-kind")
    both = {"numerator": 1, "denominator": 2, "percent": "50"}
    yield _at("percent and counts at once", ("facts", RATIO), both, "wrong-kind", "85.50")
    for value in ("true", "false", 1, 0, None, []):
        yield _at(f"area class as {value!r}", ("unit", "attributes", "area_island"), value,
                  "wrong-type", "true", "false")  # fmt: skip
    for place in (("unit",), ("facts",), ("unit", "attributes"), ("members", 0),
                  ("unit", "designations", 0)):  # fmt: skip
        for value in ([], "x", 1):
            yield _at(f"{spelled(place)} as {value!r}", place, value, "wrong-type")
    for place in (("members",), ("unit", "designations")):
        for value in ({}, "x", 1):
            yield _at(f"{spelled(place)} as {value!r}", place, value, "wrong-type")
    yield _at("name is a number", ("unit", "name"), 5, "wrong-type")
    yield _at("empty name", ("unit", "name"), "", "wrong-value")
    yield _at("name of 201 letters", ("unit", "name"), "x" * 201, "wrong-value", "200")
    yield _at("21 designations", ("unit", "designations"),
              VALID["unit"]["designations"] * 21, "wrong-value", "20")  # fmt: skip
    yield _at("20,001 members", ("members",), VALID["members"] * 20_001, "wrong-value", "20000")
    for value in ("7894", "07894 ", " 07894", "07894\n", "VN1", "07894-", "07894-1234", ""):
        yield _at(f"unit code {value!r}", ("unit", "code"), value, "wrong-value")


def _numbers() -> Iterator[Hostile]:
    """Yield numbers that are no counts."""
    for raw in ("1.0", "1e2", "-0.0", "1e400", "1e-400", "0.1"):
        content = with_text("3400", raw)
        yield Hostile(f"numerator {raw}", content, _422, "wrong-kind", _NUMERATOR)
    for raw in ("-1", "9007199254740992", "1" + "0" * 400):
        content = with_text("3400", raw)
        yield Hostile(
            f"numerator {raw[:20]}", content, _422, "out-of-range", _NUMERATOR, ("0", _LARGEST)
        )
    for raw in ("NaN", "Infinity", "-Infinity", "1" * 5_000, "0." + "1" * 5_000):
        yield _malformed(f"numerator {raw[:20]}", with_text("3400", raw), _NUMERATOR)
    for raw in ("1e99999999999999999999", "1e-99999999999999999999"):
        content = with_text("3400", raw)
        yield Hostile(f"numerator {raw}", content, _400 | _422, None, _NUMERATOR)
    for raw in ("01", "+1", ".5", "1.", "0x10", "1_000", "３４００", "1,000"):
        yield _malformed(f"numerator {raw}", with_text("3400", raw))
    for raw in ("-1", "9007199254740992", "1" + "0" * 400):
        yield Hostile(
            f"count {raw[:20]}", with_text(f'"{COUNT}": 12', f'"{COUNT}": {raw}'), _422,
            "out-of-range", f"/facts/{COUNT}", (_LARGEST,),
        )  # fmt: skip
    yield _malformed("as_of is NaN", with_text('"2024-12-31"', "NaN"), "/as_of")


def _percentages() -> Iterator[Hostile]:
    """Yield percentages that are none."""
    value: Any
    place: Place = ("facts", PERCENT, "percent")
    yield _at("percent 100.01", place, "100.01", "out-of-range", "100")
    yield _at("percent 999", place, "999", "out-of-range", "100")
    for raw in ("085", "85,5", "1e1", "-0", "-1", "+85", " 85", "85 ", "85\n", "85.", ".5", "",
                "85%", "NaN", "1/2", "85.1234567", "0x55"):  # fmt: skip
        yield _at(f"percent {raw!r}", place, raw, "wrong-kind", "85.50")
    for value in (85, 85.5, True, None, ["85"], {}):
        yield _at(f"percent as {value!r}", place, value, "wrong-kind", "85.50")


def _dates() -> Iterator[Hostile]:
    """Yield days that are none."""
    raws: tuple[Any, ...] = (
        "2024-13-01", "2024-02-30", "2023-02-29", "0001-01-01", "9999-12-31", "20241231",
        "2024-12-31T00:00:00", "2024-12-31T00:00:00Z", "2024-W01-1", "31/12/2024", "2024-1-1",
        " 2024-12-31", "2024-12-31\n", "", "today", 20241231, 0, True, [2024, 12, 31], {},
    )  # fmt: skip
    places_of_days: tuple[Place, ...] = (("as_of",), ("unit", "designations", 0, "date"))
    for place in places_of_days:
        for raw in raws:
            yield _at(f"{spelled(place)} {raw!r}", place, raw, "wrong-type", "YYYY-MM-DD")


def _text() -> Iterator[Hostile]:
    """Yield bodies whose bytes or letters are not what JSON in UTF-8 may hold."""
    yield _at("NUL in a name", ("unit", "name"), "a\0b", "invalid-text")
    yield _at("NUL in a set member", ("facts", SET), ["a1\0"], "invalid-text", below="/0")
    yield _at("NUL in the ruleset", ("ruleset",), "\0", "invalid-text")
    yield Hostile("NUL in a key", sent(with_key(("facts", COUNT), "a\0b")), _422, "invalid-text",
                  "/facts")  # fmt: skip
    for half in ("\ud800", "\udfff", "a\udc00b"):
        content = sent(with_value(("unit", "name"), half))
        yield _malformed(f"lone surrogate {half!r} in a name", content, "/unit/name")
    content = sent(with_key(("facts", COUNT), "a\ud800"))
    yield _malformed("lone surrogate in a key", content, "/facts")
    text = sent(VALID)
    for control in (b"\x00", b"\x01", b"\n", b"\r", b"\t", b"\x1f"):
        yield _malformed(f"raw {control!r} in a name", with_text("Hùng Lô", b"H" + control))
    yield _malformed("byte order mark", b"\xef\xbb\xbf" + text)
    for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32"):
        yield _malformed(encoding, text.decode().encode(encoding))
    yield _malformed("windows-1258", with_text("Hùng Lô", "Hùng".encode("cp1258")), "", "UTF-8")
    for raw in (b"\xff", b"\x80", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xe1\xba"):
        yield _malformed(f"not UTF-8: {raw!r}", with_text("Hùng Lô", raw), "", "UTF-8")


def _syntax() -> Iterator[Hostile]:
    """Yield bodies that are no JSON object, or are one twice over."""
    text = sent(VALID)
    yield Hostile("empty body", b"", _400 | _422)
    yield Hostile("white space", b" \n ", _400 | _422)
    for raw in (b"null", b"[]", b'""', b"1", b"true", b"[" + text + b"]"):
        yield Hostile(f"body {raw[:10]!r}", raw, _400 | _422)
    yield Hostile("empty object", b"{}", _422, "missing-field", "/ruleset")
    for name, raw in (
        ("truncated", text[:-1]),
        ("two bodies", text + text),
        ("rest after the body", text + b"x"),
        ("trailing comma", text[:-1] + b",}"),
        ("single quotes", b"{'ruleset': 'phutho.commune'}"),
        ("unquoted key", b'{ruleset: "phutho.commune"}'),
        ("comment", b"/* */" + text),
        ("a form", b"ruleset=phutho.commune"),
        ("XML", b"<?xml version='1.0'?><a/>"),
        ("bad escape", b'{"ruleset": "\\x41"}'),
    ):
        yield _malformed(name, raw)
    for name, once, pointer in (
        ("in the body", '"as_of": "2024-12-31"', "/as_of"),
        ("in the unit", '"name": "Xã Hùng Lô"', "/unit/name"),
        ("among area classes", '"area_island": false', "/unit/attributes/area_island"),
        ("in a designation", '"date": "2023-03-16"', "/unit/designations/0/date"),
        ("among the facts", f'"{COUNT}": 12', f"/facts/{COUNT}"),
        ("in a ratio", '"numerator": 3400', _NUMERATOR),
        ("in a member", '"name": "Ấp 1"', "/members/0/unit/name"),
    ):
        yield _malformed(f"the same key twice {name}", with_text(once, f"{once}, {once}"), pointer)
    twice = '"ký": 1, "' + unicodedata.normalize("NFD", "ký") + '": 1'
    content = with_text(f'"{COUNT}": 12', twice)
    yield _malformed("the same key in two spellings", content, "/facts/ký")
    for deep in (33, 1_000, 100_000):
        lists, objects = b"[" * deep + b"]" * deep, b'{"a":' * deep + b"1" + b"}" * deep
        yield _malformed(f"{deep} lists deep", lists, None, "32")
        yield _malformed(f"{deep} objects deep", objects, None, "32")
        yield _malformed(f"{deep} deep in a fact", with_text('["a1", "b1"]', lists), None, "32")
    yield _malformed("100,000 lists that do not end", b"[" * 100_000)


def _several() -> Iterator[Hostile]:
    """Yield a body with faults of several kinds."""
    body = with_value(("facts", "no_such"), 1)
    body["facts"][BOOLEAN] = "true"
    body["members"][0]["facts"]["no_such"] = 1
    yield Hostile("several faults", sent(body), _422, "invalid-request", f"/facts/{BOOLEAN}")
    yield Hostile("several faults", sent(body), _422, "invalid-request", "/facts/no_such")
    yield Hostile("several faults", sent(body), _422, "invalid-request", "/members/0/facts/no_such")
    slashed = with_value(("facts", RATIO), {"numerator": 1, "denominator": 2, "a/b~c": 1})
    yield Hostile("a key with / and ~", sent(slashed), _422, "unknown-field",
                  f"/facts/{RATIO}/a~1b~0c")  # fmt: skip
    slashed = with_value(("facts", "a/b~c"), 1)
    yield Hostile("an indicator with / and ~", sent(slashed), _422, "unknown-indicator",
                  "/facts/a~1b~0c")  # fmt: skip


BODIES: Final = (
    *_names(),
    *_kinds(),
    *_numbers(),
    *_percentages(),
    *_dates(),
    *_text(),
    *_syntax(),
    *_several(),
)


def _reads() -> Iterator[Read]:
    """Yield reads of what is not there, or with parameters that are none."""
    for path in ("/v1/rulesets", "/v1/indicators"):
        for raw in ("0", "-1", "501", "1.0", "1e2", "", "x", "+5", " 5", "５", "٥", "1" + "0" * 20,
                    "0x10", "1_0", "²"):  # fmt: skip
            yield Read(f"limit {raw!r}", f"{path}?limit={raw}", _422, "wrong-value", "/limit")
        for raw in ("", "x", "%ff", "W10", "bnVsbA", "WyJ4Il0", "e30", "MQ", "%00", "W" * 900):
            yield Read(
                f"cursor {raw[:9]!r}", f"{path}?cursor={raw}", _422, "invalid-cursor", "/cursor"
            )
        yield Read("cursor of 5,000", f"{path}?cursor={'W' * 5000}", _422, None, "/cursor")
        yield Read("level", f"{path}?level=village", _422, "wrong-value", "/level", ("hamlet",))
    for query in ("theme=x", "kind=number", "q="):
        name = query.partition("=")[0]
        yield Read(query, f"/v1/indicators?{query}", _422, "wrong-value", f"/{name}")
    yield Read("ruleset", "/v1/indicators?ruleset=x", _422, "unknown-ruleset", "/ruleset",
               ("phutho.commune",))  # fmt: skip
    yield Read("long q", f"/v1/indicators?q={'x' * 201}", _422, "wrong-value", "/q", ("200",))
    for folder, code in (("rulesets", "ruleset-not-found"), ("indicators", "indicator-not-found")):
        for raw in (
            "nope",
            "%00",
            "%ff",
            "%0a",
            "a%00b",
            "..%2f",
            "%2e%2e",
            "%ED%A0%80",
            "ａ",
            "*",
        ):
            url = f"/v1/{folder}/{raw}"
            yield Read(f"{folder} {raw}", url, _404, code if "%2" not in raw else None)
        yield Read(f"{folder}, long", f"/v1/{folder}/{'x' * 121}", _404 | _422)
        yield Read(f"{folder}, longer", f"/v1/{folder}/{'x' * 10_000}", _404 | _422)
        yield Read(f"{folder}/", f"/v1/{folder}/", _404, "not-found")
    yield Read("ruleset in other case", "/v1/rulesets/PHUTHO.commune", _404, "ruleset-not-found")
    full = f"/v1/indicators/{BOOLEAN.translate(_FULL)}"
    yield Read("indicator in full-width digits", full, _404, "indicator-not-found")
    ruleset = "/v1/rulesets/phutho.commune"
    for raw in ("", "x", "A" * 64, "0" * 63, "0" * 65, "０" * 64, "0" * 64 + "%0a", "g" * 64):
        yield Read(f"digest {raw[:9]}", f"{ruleset}?digest={raw}", _422, "wrong-value", "/digest")
    yield Read("other digest", f"{ruleset}?digest={'0' * 64}", _404, "ruleset-not-found")
    for path in ("/nope", "/v1", "/v1/", "/v1/nope", "/v1//rulesets", "/v2/rulesets", "/.env",
                 "/v1/evaluations", "/docs/static/%2e%2e/%2e%2e/pyproject.toml",
                 "/docs/static/..%2f..%2fpyproject.toml", "/docs/static/%00", "/docs/static/",
                 "/docs/static/nope.js"):  # fmt: skip
        yield Read(path, path, _404, "not-found")


GETS: Final = tuple(_reads())

# Values that are put at every place of the valid body, and keys that replace every key.
NASTY: Final[tuple[tuple[str, Any], ...]] = (
    ("null", None),
    ("true", True),
    ("-1", -1),
    ("0", 0),
    ("1.5", 1.5),
    ("10^400", 10**400),
    ("2^63", 2**63),
    ("NaN", float("nan")),
    ("Infinity", float("inf")),
    ("empty text", ""),
    ("NUL", "\0"),
    ("long text", "x" * 5_000),
    ("full-width digits", "２０２４"),
    ("lone surrogate", "\ud800"),
    ("escape sequence", "\x1b[2J\u202e"),
    ("empty list", []),
    ("list of lists", [[[]]]),
    ("empty object", {}),
    ("object", {"percent": {"numerator": []}}),
)
NASTY_KEYS: Final = ("", "x", "\0", "\ud800", "x" * 5_000, "a/b~c", "__class__", "level", "percent")
