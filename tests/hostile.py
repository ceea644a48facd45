"""Requests that should never come and always do, each with the answer it must get.

`BODIES` are bodies of the preview, `GETS` are reads. `remedy` are words that the answer must
contain in both languages, because they tell the caller what would have been right. `OPERATIONS`
are all operations of the service, each with a good request, from which bad ones are made.
"""

from __future__ import annotations

import copy
import datetime
import itertools
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple, cast

import evidence_operations as evidence
import httpx
from conftest import LEAK
from evidence_operations import (
    FILED,
    LISTED,
    NO_SUBMISSION,
    PURPOSE,
    SEEN,
    SUBMISSIONS,
    Office,
)
from evidence_operations import (
    FORMS as EVIDENCE_FORMS,
)
from fastapi import FastAPI
from import_calls import PROBLEM, REPORT
from working import work_off

from app.domain.clock import today

TODAY_COMMUNE: Final = evidence.COMMUNE
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
                f"cursor {raw[:9]!r}",
                f"{path}?cursor={raw}",
                _422,
                "invalid-text" if raw == "%00" else "invalid-cursor",
                "/cursor",
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
                 "/v1/evaluations/", "/v1/values/x", "/docs/static/%2e%2e/%2e%2e/pyproject.toml",
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


# --- every operation of the service --------------------------------------------------------------

NOBODY: Final = "ntm-0000000000000000"
_NUMBERS: Final = itertools.count(100)  # of decisions; each worker has a database of its own
_HAMLETS: Final = itertools.cycle(range(100, 1_000))  # a code has three digits at most


class Operation(NamedTuple):
    """An operation with one good request; where that needs what is not there yet, see `ready`."""

    method: str
    template: str
    path: str
    scope: str | None = "read"
    body: Any = None
    status: int = 200
    form: bool = False
    query: str = ""  # parameters that must be given
    csv: bool = False
    also: tuple[str, ...] = ()  # scopes that it needs beside its own, by what it is about
    of_commune: bool = False  # only the office of the commune may send it, not one above
    sent_by: Office | None = None

    @property
    def name(self) -> str:
        """The operation as tests are called after it."""
        return f"{self.method} {self.template}"

    def url(self, query: str = "") -> str:
        """Return its address with these parameters, and those that must be given."""
        asked = query.removeprefix("?")
        given = [one.partition("=")[0] for one in asked.split("&")]
        needed = [one for one in self.query.split("&") if one.partition("=")[0] not in given]
        parts = [part for part in (*needed, asked) if part]
        return f"{self.path}?{'&'.join(parts)}" if parts else self.path

    async def ready(self, admin: httpx.AsyncClient) -> Operation:
        """Return the operation as a request that must succeed, with whatever it needs made."""
        if self.template.startswith(SUBMISSIONS):
            making = evidence.Making(admin, await evidence.office(admin))
            found = await evidence.made(making, self.method, self.template, self.path, self.body)
            return self._replace(**found._asdict(), sent_by=making.by if self.of_commune else None)
        if "{client_id}" in self.template:
            path = self.path.replace(NOBODY, await _new_client(admin))
            if self.template.endswith("/{id}"):
                await admin.post(path.rpartition("/")[0])  # the last secret is not retired
                shown = (await admin.get(path.rpartition("/secrets")[0])).json()
                path = f"{path.rpartition('/')[0]}/{shown['secrets'][0]['id']}"
            return self._replace(path=path)
        if self.template.endswith("/withdraw"):
            number = await new_designation(admin)
            return self._replace(path=self.path.replace("/1/", f"/{number}/"))
        if self.template.startswith("/v1/values/{id}"):
            return self._replace(path=self.path.replace("/1", f"/{await new_value(admin)}", 1))
        if self.template.startswith("/v1/grants/{id}"):
            made = (await admin.post("/v1/grants", json=NEW_GRANT)).json()
            return self._replace(path=self.path.replace("/1", f"/{made['id']}"))
        if self.template == "/v1/audit/{id}":
            await new_designation(admin)
            (newest,) = (await admin.get("/v1/audit?limit=1")).json()["items"]
            return self._replace(path=f"/v1/audit/{newest['id']}")
        if self.template.startswith("/v1/jobs/{id}"):
            job = await new_job(admin)
            if self.template.endswith("/events"):  # they end with the job
                await admin.post(f"/v1/jobs/{job}/cancel")
            return self._replace(path=self.path.replace("/1", f"/{job}", 1))
        if self.template.startswith("/v1/imports/{id}"):
            return self._replace(path=self.path.replace("/1", f"/{await new_import(admin)}", 1))
        if self.template.startswith("/v1/evaluation-runs/{id}"):
            run = await new_run(admin)
            ready = self._replace(path=self.path.replace("/1", f"/{run}", 1))
            return ready._replace(query=f"with={run}") if self.query else ready
        if self.method == "PUT":  # it says what is on record: no version has to be named
            answer = await admin.put(self.path, json=self.body)
            if answer.status_code == 428:
                headers = {"if-match": "*"}
                answer = await admin.put(self.path, json=self.body, headers=headers)
            assert answer.status_code in (200, 201), answer.text[:300]
        if self.template.startswith("/v1/evaluations/{id}"):
            number = await new_evaluation(admin, MEMBERS_EVALUATION)
            return self._replace(path=re.sub("/1(?=/|$)", f"/{number}", self.path))
        if self.method == "POST" and self.template.endswith("/hamlets"):
            return self._replace(body={**self.body, "code": f"{TODAY_COMMUNE}-{next(_HAMLETS)}"})
        if self.method == "POST" and self.template.endswith("/designations"):
            return self._replace(body={**self.body, "decision": fresh_decision()})
        if self.form:
            made = (await admin.post("/v1/clients", json=NEW_CLIENT)).json()
            names = ("client_id", "client_secret")
            return self._replace(body={**self.body, **{name: made[name] for name in names}})
        return self

    async def call(
        self,
        caller: httpx.AsyncClient,
        query: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Call it as it wants to be called."""
        content: dict[str, Any] = {"data": self.body} if self.form else {"json": self.body}
        if self.csv:
            content = {"content": self.body.encode()}
            headers = {"content-type": "text/csv", **(headers or {})}
        if self.sent_by:
            headers = {**(headers or {}), **self.sent_by.headers}
        request = caller.build_request(self.method, self.url(query), headers=headers, **content)
        if self.form:
            request.headers.pop("authorization", None)  # a client authenticates in one way only
        return await caller.send(request)


def without_report(answer: httpx.Response) -> httpx.Response:
    """Return the problem that an answer is: a refused import tells its whole report with it."""
    is_problem = answer.headers.get("content-type") == "application/problem+json"
    if not is_problem or set(found := answer.json()) - PROBLEM != REPORT:
        return answer
    assert LEAK.search(answer.text) is None, answer.text
    headers = {name: answer.headers[name] for name in ("content-type", "content-language")}
    problem = {name: told for name, told in found.items() if name in PROBLEM}
    return httpx.Response(answer.status_code, headers=headers, json=problem)


def fresh_decision() -> str:
    """Return a decision that nobody has recorded."""
    return f"{next(_NUMBERS)}/QĐ-TEST"


async def _new_client(admin: httpx.AsyncClient) -> str:
    answer = await admin.post("/v1/clients", json=NEW_CLIENT)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["client_id"])


async def new_designation(admin: httpx.AsyncClient) -> int:
    """Record a designation; return its number."""
    body = {**DESIGNATION, "decision": fresh_decision()}
    answer = await admin.post(f"/v1/communes/{TODAY_COMMUNE}/designations", json=body)
    assert answer.status_code == 201, answer.text
    return max(int(one["id"]) for one in answer.json()["designations"])


async def new_value(admin: httpx.AsyncClient, **other: Any) -> int:
    """Record a value that says something new; return its number."""
    body = {**VALUE, "source": fresh_decision(), **other}
    answer = await admin.post("/v1/values", json={"values": [body]})
    assert answer.status_code == 201, answer.text
    return int(answer.json()["items"][0]["id"])


async def new_evaluation(admin: httpx.AsyncClient, body: Mapping[str, Any]) -> int:
    """Put a verdict on record; return its number."""
    answer = await admin.post("/v1/evaluations", json=body)
    assert answer.status_code == 201, answer.text
    return int(answer.json()["id"])


async def new_job(admin: httpx.AsyncClient) -> int:
    """Begin a job that nobody works on; return its number."""
    answer = await admin.post(
        "/v1/imports?dry_run=true",
        content=FILE.encode(),
        headers={"content-type": "text/csv", "prefer": "respond-async"},
    )
    assert answer.status_code == 202, answer.text
    return int(answer.json()["id"])


async def new_import(admin: httpx.AsyncClient) -> int:
    """Check a file without loading it; return the number of the import."""
    answer = await admin.post(
        "/v1/imports?dry_run=true",
        content=FILE.replace("Báo cáo 13", fresh_decision()).encode(),
        headers={"content-type": "text/csv"},
    )
    assert answer.status_code == 201, answer.text
    return int(answer.json()["id"])


async def new_run(admin: httpx.AsyncClient) -> int:
    """Judge a commune in a run of its own; return the number of the run."""
    answer = await admin.post("/v1/evaluation-runs", json=RUN)
    assert answer.status_code == 202, answer.text
    served = cast(httpx.ASGITransport, admin._transport).app
    state = cast(FastAPI, served).state
    await work_off(state.settings, state.database, state.registry)
    job = (await admin.get(answer.headers["location"])).json()
    assert job["state"] == "succeeded", job
    return int(job["result"]["run"])


NEW_CLIENT: Final = {"name": "Phòng Văn hoá", "territory": "25", "scopes": ["read"]}
NEW_GRANT: Final[dict[str, Any]] = {
    "from_territory": TODAY_COMMUNE,
    "to_territory": "86",
    "resources": ["values", "evaluations"],
    "purpose": "Phối hợp kiểm tra",
    "until": str(today() + datetime.timedelta(days=30)),
}
DESIGNATION: Final = {
    "model": "smart",
    "authority": "province",
    "decision": "1/QĐ-TEST",
    "date": "2025-08-01",
    "source": "Quyết định kèm theo",
}
ATTRIBUTE: Final = {"value": True, "from": "2025-08-01", "to": "2026-08-01", "source": "Công văn 1"}
HAMLET: Final = {
    "code": f"{TODAY_COMMUNE}-01",
    "name": "Khu 1",
    "type": "khu_dan_cu",
    "valid_from": "2025-08-01",
}
VALUE: Final[dict[str, Any]] = {
    "unit": TODAY_COMMUNE,
    "on": "2025-08-01",
    "period": "2025",
    "indicator": "adults_smartphone_internet_rate",
    "value": {"numerator": 850, "denominator": 1000},
    "source": "Báo cáo 12/BC-UBND",
    "measured_on": "2025-12-01",
    "note": "rà soát cuối năm",
}
FILE: Final = (
    "unit,on,period,indicator,value,numerator,denominator,source,measured_on,note\n"
    f"{TODAY_COMMUNE},2025-08-01,2025,digital_healthcare_services,true,,,Báo cáo 13/BC-UBND,,\n"
)
EVALUATION: Final[dict[str, Any]] = {
    "ruleset": "phutho.commune",
    "unit": TODAY_COMMUNE,
    "on": "2025-08-01",
    "period": "2025",
    "as_of": "2025-12-31",
}
# The province of Trà Vinh as it was; its communes are the members that this criterion counts.
MEMBERS_EVALUATION: Final = {"ruleset": "travinh.province", "unit": "84", "period": "2024"}
COUNTING: Final = "travinh.province.1b.1"
RUN: Final = {
    "ruleset": "phutho.commune",
    "under": TODAY_COMMUNE,
    "on": "2025-08-01",
    "period": "2025",
    "as_of": "2025-12-31",
}
IMPACT: Final = {**RUN, "changes": [{"criterion": "phutho.1.1.1", "threshold": "90"}]}
ASKED: Final = {
    "code": "07894",
    "name": "Xã Hùng Lô",
    "province": "Phú Thọ",
    "district": "Việt Trì",
    "on": "2025-01-01",
}
_COMMUNE: Final = "/v1/communes/{code}"
_HERE: Final = f"/v1/communes/{TODAY_COMMUNE}"
_CLIENT: Final = "/v1/clients/{client_id}"
_VALUE: Final = "/v1/values/{id}"
_VERDICT: Final = "/v1/evaluations/{id}"
_SUBMISSION: Final = f"{SUBMISSIONS}/{{id}}"
_SLOT: Final = f"{_SUBMISSION}/slots/{{slot}}"
_SUBMITTED: Final = f"{SUBMISSIONS}/{NO_SUBMISSION}"
_FILES_OF: Final = f"{_SUBMITTED}/slots/{FILED}/files"
_SUBMIT: Final = "evidence:submit"

OPERATIONS: Final = (
    Operation("GET", "/livez", "/livez", None),
    Operation("GET", "/readyz", "/readyz", None),
    Operation("GET", "/.well-known/jwks.json", "/.well-known/jwks.json", None),
    Operation("GET", "/.well-known/oauth-authorization-server",
              "/.well-known/oauth-authorization-server", None),
    Operation("POST", "/v1/oauth/token", "/v1/oauth/token", None,
              {"grant_type": "client_credentials", "client_id": NOBODY, "client_secret": "x"},
              form=True),
    Operation("GET", "/v1/vocabulary", "/v1/vocabulary"),
    Operation("GET", "/v1/rulesets", "/v1/rulesets"),
    Operation("GET", "/v1/rulesets/{id}", "/v1/rulesets/phutho.commune"),
    Operation("GET", "/v1/indicators", "/v1/indicators"),
    Operation("GET", "/v1/indicators/{code}", "/v1/indicators/area_island"),
    Operation("POST", "/v1/evaluations/preview", "/v1/evaluations/preview", body=VALID),
    Operation("GET", "/v1/evaluations", "/v1/evaluations"),
    Operation("POST", "/v1/evaluations", "/v1/evaluations", body=EVALUATION, status=201),
    Operation("GET", _VERDICT, "/v1/evaluations/1"),
    Operation("POST", f"{_VERDICT}/replay", "/v1/evaluations/1/replay"),
    Operation("GET", f"{_VERDICT}/members", "/v1/evaluations/1/members",
              query=f"criterion={COUNTING}"),
    Operation("GET", f"{_VERDICT}/compare/{{other}}", "/v1/evaluations/1/compare/1"),
    Operation("GET", "/v1/values", "/v1/values"),
    Operation("POST", "/v1/values", "/v1/values", "values:write", {"values": [VALUE]}, 201),
    Operation("GET", _VALUE, "/v1/values/1"),
    Operation("GET", f"{_VALUE}/history", "/v1/values/1/history"),
    Operation("POST", f"{_VALUE}/retract", "/v1/values/1/retract", "values:write",
              {"reason": "ghi nhầm số"}),
    Operation("POST", "/v1/values/import", "/v1/values/import", "values:write", FILE, csv=True),
    Operation("GET", "/v1/values.csv", "/v1/values.csv"),
    Operation("GET", "/v1/values.ndjson", "/v1/values.ndjson"),
    Operation("GET", "/v1/values.xlsx", "/v1/values.xlsx"),
    Operation("GET", "/v1/evaluations.csv", "/v1/evaluations.csv"),
    Operation("GET", "/v1/evaluations.ndjson", "/v1/evaluations.ndjson"),
    Operation("GET", "/v1/evaluations.xlsx", "/v1/evaluations.xlsx"),
    Operation("POST", "/v1/imports", "/v1/imports", "values:write", FILE, 201, csv=True),
    Operation("GET", "/v1/imports", "/v1/imports"),
    Operation("GET", "/v1/imports/{id}", "/v1/imports/1"),
    Operation("POST", "/v1/imports/{id}/commit", "/v1/imports/1/commit", "values:write"),
    Operation("GET", "/v1/imports/{id}/rejected.csv", "/v1/imports/1/rejected.csv"),
    Operation("GET", "/v1/import-templates/{ruleset}.xlsx",
              "/v1/import-templates/phutho.commune.xlsx",
              query=f"under={TODAY_COMMUNE}&period=2025&on=2025-08-01"),
    Operation("GET", "/v1/jobs", "/v1/jobs"),
    Operation("GET", "/v1/jobs/{id}", "/v1/jobs/1"),
    Operation("POST", "/v1/jobs/{id}/cancel", "/v1/jobs/1/cancel"),
    Operation("GET", "/v1/jobs/{id}/events", "/v1/jobs/1/events"),
    Operation("POST", "/v1/evaluation-runs", "/v1/evaluation-runs", body=RUN, status=202),
    Operation("GET", "/v1/evaluation-runs", "/v1/evaluation-runs"),
    Operation("GET", "/v1/evaluation-runs/{id}", "/v1/evaluation-runs/1"),
    Operation("GET", "/v1/evaluation-runs/{id}/compare", "/v1/evaluation-runs/1/compare",
              query="with=1"),
    Operation("POST", "/v1/impact", "/v1/impact", body=IMPACT),
    Operation("GET", "/v1/statistics/outcomes", "/v1/statistics/outcomes",
              query="period=2026&under=86"),
    Operation("GET", "/v1/statistics/completeness", "/v1/statistics/completeness",
              query="ruleset=phutho.commune&period=2025"),
    Operation("GET", "/v1/statistics/series", "/v1/statistics/series",
              query="from=2026&to=2026&under=86&indicator=adults_smartphone_internet_rate"),
    Operation("GET", "/v1/units", "/v1/units"),
    Operation("POST", "/v1/units/resolve", "/v1/units/resolve", body={"items": [ASKED]}),
    Operation("GET", "/v1/units/{code}", "/v1/units/86"),
    Operation("GET", "/v1/units/{code}/lineage", "/v1/units/86/lineage"),
    Operation("PUT", "/v1/units/{code}/identifiers/{scheme}", "/v1/units/25/identifiers/ioc",
              "values:write", {"value": "H45"}),
    Operation("GET", "/v1/communes", "/v1/communes"),
    Operation("GET", "/v1/communes.csv", "/v1/communes.csv", query="under=25"),
    Operation("GET", "/v1/communes.geojson", "/v1/communes.geojson", query="under=86"),
    Operation("GET", _COMMUNE, _HERE),
    Operation("PUT", f"{_COMMUNE}/attributes/{{name}}", f"{_HERE}/attributes/area_island",
              "values:write", ATTRIBUTE),
    Operation("POST", f"{_COMMUNE}/designations", f"{_HERE}/designations", "values:write",
              DESIGNATION, 201),
    Operation("PUT", f"{_COMMUNE}/values/{{period}}/{{indicator}}",
              f"{_HERE}/values/2025/commune_website_exists", "values:write",
              {"value": True, "on": "2025-08-01", "source": "Báo cáo 12/BC-UBND",
               "measured_on": "2025-12-01", "note": "rà soát cuối năm"}),
    Operation("GET", f"{_COMMUNE}/standing", f"{_HERE}/standing", query="period=2026"),
    Operation("GET", f"{_COMMUNE}/hamlets", f"{_HERE}/hamlets"),
    Operation("POST", f"{_COMMUNE}/hamlets", f"{_HERE}/hamlets", "values:write", HAMLET, 201),
    Operation("GET", "/v1/designations", "/v1/designations"),
    Operation("POST", "/v1/designations/{id}/withdraw", "/v1/designations/1/withdraw",
              "values:write", {"reason": "ghi nhầm xã"}),
    Operation("POST", SUBMISSIONS, SUBMISSIONS, _SUBMIT, evidence.OPENING, 201, of_commune=True),
    Operation("GET", SUBMISSIONS, SUBMISSIONS),
    Operation("GET", f"{SUBMISSIONS}/chain", f"{SUBMISSIONS}/chain"),
    Operation("GET", _SUBMISSION, _SUBMITTED),
    Operation("PUT", f"{_SUBMISSION}/parts", f"{_SUBMITTED}/parts", _SUBMIT, evidence.PARTS,
              of_commune=True),
    Operation("POST", f"{_SUBMISSION}/transitions", f"{_SUBMITTED}/transitions", "read",
              evidence.SUBMIT, also=(_SUBMIT,), of_commune=True),
    Operation("POST", f"{SUBMISSIONS}/decisions", f"{SUBMISSIONS}/decisions", "read",
              evidence.DECISIONS, also=(_SUBMIT,), of_commune=True),
    Operation("GET", f"{_SUBMISSION}/diff", f"{_SUBMITTED}/diff", query="from=1&to=1"),
    Operation("DELETE", f"{_SUBMISSION}/names", f"{_SUBMITTED}/names", "evidence:names",
              status=204, query=f"purpose={PURPOSE}", of_commune=True),
    Operation("GET", f"{_SUBMISSION}/slots", f"{_SUBMITTED}/slots"),
    Operation("GET", _SLOT, f"{_SUBMITTED}/slots/{LISTED}"),
    Operation("PUT", f"{_SLOT}/confirmations", f"{_SUBMITTED}/slots/{LISTED}/confirmations",
              _SUBMIT, evidence.SIGNED, of_commune=True),
    Operation("GET", f"{_SLOT}/findings", f"{_SUBMITTED}/slots/{SEEN}/findings"),
    Operation("POST", f"{_SLOT}/findings", f"{_SUBMITTED}/slots/{SEEN}/findings", "read",
              evidence.CHECK, 201, also=(_SUBMIT,), of_commune=True),
    Operation("GET", f"{_SLOT}/rows", f"{_SUBMITTED}/slots/{LISTED}/rows"),
    Operation("PUT", f"{_SLOT}/rows", f"{_SUBMITTED}/slots/{LISTED}/rows", _SUBMIT,
              evidence.ROWS, csv=True, of_commune=True),
    Operation("DELETE", f"{_SLOT}/rows", f"{_SUBMITTED}/slots/{LISTED}/rows", _SUBMIT,
              status=204, of_commune=True),
    Operation("GET", f"{_SLOT}/names", f"{_SUBMITTED}/slots/{LISTED}/names", "evidence:names",
              query=f"purpose={PURPOSE}", of_commune=True),
    Operation("GET", f"{_SLOT}/files", _FILES_OF),
    Operation("GET", f"{_SLOT}/files/{{name}}", f"{_FILES_OF}/{evidence.FILE_NAME}"),
    Operation("PUT", f"{_SLOT}/files/{{name}}", f"{_FILES_OF}/{evidence.FILE_NAME}", "read",
              evidence.CONTENT, 201, csv=True, also=(_SUBMIT,), of_commune=True),
    Operation("DELETE", f"{_SLOT}/files/{{name}}", f"{_FILES_OF}/{evidence.FILE_NAME}", _SUBMIT,
              status=204, of_commune=True),
    Operation("GET", EVIDENCE_FORMS, EVIDENCE_FORMS),
    Operation("GET", f"{EVIDENCE_FORMS}/{{form}}/template.csv",
              f"{EVIDENCE_FORMS}/phutho.form.03/template.csv"),
    Operation("GET", f"{EVIDENCE_FORMS}/{{form}}/template.xlsx",
              f"{EVIDENCE_FORMS}/phutho.form.03/template.xlsx"),
    Operation("GET", "/v1/grants", "/v1/grants"),
    Operation("POST", "/v1/grants", "/v1/grants", "clients:admin", NEW_GRANT, 201),
    Operation("GET", "/v1/grants/{id}", "/v1/grants/1"),
    Operation("POST", "/v1/grants/{id}/revoke", "/v1/grants/1/revoke", "clients:admin"),
    Operation("GET", "/v1/audit", "/v1/audit"),
    Operation("GET", "/v1/audit/{id}", "/v1/audit/1"),
    Operation("GET", "/v1/clients", "/v1/clients", "clients:admin"),
    Operation("POST", "/v1/clients", "/v1/clients", "clients:admin", NEW_CLIENT, 201),
    Operation("GET", _CLIENT, f"/v1/clients/{NOBODY}", "clients:admin"),
    Operation("POST", f"{_CLIENT}/revoke", f"/v1/clients/{NOBODY}/revoke", "clients:admin"),
    Operation("POST", f"{_CLIENT}/secrets", f"/v1/clients/{NOBODY}/secrets", "clients:admin",
              status=201),
    Operation("DELETE", f"{_CLIENT}/secrets/{{id}}", f"/v1/clients/{NOBODY}/secrets/1",
              "clients:admin", status=204),
)  # fmt: skip
GUARDED: Final = tuple(one for one in OPERATIONS if one.scope)
# Operations that take JSON; those that write something are refused without a trace.
TAKING: Final = tuple(
    one for one in OPERATIONS if one.body is not None and not (one.form or one.csv)
)
NEW_TAKING: Final = tuple(one for one in TAKING if one.body is not VALID)

# --- what is wrong in a field, by what the field wants --------------------------------------------

_HALF: Final = "\ud800"
_SQL: Final = "'; DROP TABLE unit; --"
_NO_TEXT: Final[tuple[Any, ...]] = (None, 1, True, 1.5, [], {}, ["x"])
_NO_WORDS: Final[tuple[Any, ...]] = (*_NO_TEXT, "", "   ", "\u00a0", "x" * 201, "ề" * 201)
_NO_DAY: Final[tuple[Any, ...]] = (
    1, True, [], {}, "", "2024-13-01", "2025-02-30", "0001-01-01", "99999-01-01", "9999-12-31",
    "20250801", "2025-8-1", "01/08/2025", "2025-08-01T00:00:00Z", " 2025-08-01", "2025-08-01\n",
    "today", _SQL, "2025-08-01".translate(_FULL), "2025-08-01".translate(_ARABIC), 20250801,
)  # fmt: skip
_NO_CODE: Final[tuple[Any, ...]] = (
    *_NO_TEXT, "", "x", "7948", "07948 ", " 07948", "07948\n", "9" * 20, "x" * 10_000, _SQL,
    "0794%", "0794_", "07948\\", "07948".translate(_FULL), "07948".translate(_ARABIC),
)  # fmt: skip
_NO_CHOICE: Final[tuple[Any, ...]] = (
    *_NO_TEXT,
    "",
    "x",
    "SMART",
    "Xa",
    "smart ",
    "x" * 10_000,
    _SQL,
)
_NO_TRUTH: Final[tuple[Any, ...]] = (None, "true", "có", 0, 1, 1.0, [], {}, "")
_NO_SCOPES: Final[tuple[Any, ...]] = (
    None, "read", 1, True, {}, [], [1], [None], [["read"]], [""], ["READ"], ["read "], ["nope"],
    ["read", "nope"], ["read"] * 21, ["x" * 10_000], [_SQL], ["ｒead"], ["read values:write"],
)  # fmt: skip
_WITHOUT_NULL: Final = 1
_NO_SOURCE: Final[tuple[Any, ...]] = (
    *_NO_TEXT, "", "   ", "\u00a0", "x" * 501, "ề" * 501, "a\u202eb", "\x1b[2J",
)  # fmt: skip
_NO_NOTE: Final[tuple[Any, ...]] = (*_NO_TEXT[_WITHOUT_NULL:], "", "   ", "x" * 2_001)
_NO_PERIOD: Final[tuple[Any, ...]] = (
    *_NO_TEXT, "", "x", "25", "02025", "2025 ", " 2025", "2025\n", "1899", "2200", "0000", "2025-",
    "2025-0", "2025-00", "2025-13", "2025-1", "2025-H0", "2025-H3", "2025-h1", "2025-Q5", "2025-Q",
    "2025Q1", "2025-12-31", "2025/2026", "2025".translate(_FULL), "2025".translate(_ARABIC),
    "２０２５-H1", "x" * 10_000, _SQL, 2025,
)  # fmt: skip
_NO_INDICATOR: Final[tuple[Any, ...]] = (
    *_NO_TEXT, "", "x", "ADULTS_SMARTPHONE_INTERNET_RATE", "adults_smartphone_internet_rate ",
    "adults_smartphone_internet_rate\n", "x" * 10_000, _SQL, "__class__", "%", "phutho.commune",
)  # fmt: skip
_NO_RATIO: Final[tuple[Any, ...]] = (
    None, True, 1, 1.5, "x", "85", "85%", "85.50", [], ["a1"], {}, {"numerator": 1},
    {"denominator": 1}, {"numerator": -1, "denominator": 2}, {"numerator": "1", "denominator": 2},
    {"numerator": 1.0, "denominator": 2}, {"numerator": 1, "denominator": True},
    {"numerator": 3, "denominator": 2}, {"numerator": 1, "denominator": 10**16},
    {"numerator": 1, "denominator": 10**400}, {"numerator": 1, "denominator": 2, "percent": "50"},
    {"percent": 85}, {"percent": "85,5"}, {"percent": "100.01"}, {"percent": ""},
    {"percent": "８５"}, {"percent": "85", "extra": 1}, {"numerator": [], "denominator": {}},
)  # fmt: skip
_NO_RULESET: Final[tuple[Any, ...]] = (
    *_NO_TEXT, "", "x", "PHUTHO.commune", "phutho.commune ", "x" * 10_000, _SQL, "phutho",
)  # fmt: skip


def _no_names(known: str) -> tuple[Any, ...]:
    """Return what is no list of names, where one that is known is among them."""
    return (
        1, True, known, {}, [], [1], [None], [[known]], [""], ["x"], [known.upper()], [f"{known} "],
        [f"{known}\n"], [known, "x"], [known] * 2, [known] * 201, ["x" * 10_000], [_SQL], ["%"],
    )  # fmt: skip


def _official(*above: str | int) -> dict[Place, tuple[Any, ...]]:
    """Return the fields of the official who acts, and of the document by which."""
    fields: dict[Place, tuple[Any, ...]] = {
        (*above, "acting_official", name): _NO_WORDS for name in ("id", "office", "position")
    }
    return fields | {
        (*above, "document", "number"): _NO_WORDS,
        (*above, "document", "symbol"): _NO_WORDS,
        (*above, "document", "date"): (None, *_NO_DAY),
        (*above, "document", "signer"): _NO_WORDS,
    }


_NO_PART: Final[tuple[Any, ...]] = (
    *_NO_TEXT, "", " ", "K 1", "K1 ", "K1\n", "Khu/1", "khu_ấp", "x" * 41, _SQL, "Ｋ1",
)  # fmt: skip
_NO_REASON: Final[tuple[Any, ...]] = (*_NO_TEXT, "", "   ", "x", "x" * 2_001)
_NO_FILES: Final[tuple[Any, ...]] = (None, "x", 1, {}, [1], [None], [""], ["x" * 256], ["a"] * 51)
_NO_NUMBER: Final[tuple[Any, ...]] = (None, "1", True, 1.5, 0, -1, 10**15, [], {})
# For each operation that is new here: every field with values that it must refuse.
FIELDS: Final[dict[str, dict[Place, tuple[Any, ...]]]] = {
    "POST /v1/units/resolve": {
        ("items",): (None, 1, "x", {}, [], [1], [None], [[]], ["07894"], [{}] * 1_001),
        ("items", 0, "code"): _NO_CODE[_WITHOUT_NULL:],
        ("items", 0, "name"): _NO_WORDS[_WITHOUT_NULL:],
        ("items", 0, "province"): _NO_WORDS[_WITHOUT_NULL:],
        ("items", 0, "district"): _NO_WORDS[_WITHOUT_NULL:],
        ("items", 0, "on"): _NO_DAY,
    },
    "PUT /v1/units/{code}/identifiers/{scheme}": {("value",): _NO_WORDS},
    "PUT /v1/communes/{code}/attributes/{name}": {
        ("value",): _NO_TRUTH,
        ("from",): (None, *_NO_DAY),
        ("to",): (*_NO_DAY, "2025-08-01", "2025-07-31"),
        ("source",): _NO_WORDS,
    },
    "POST /v1/communes/{code}/designations": {
        ("model",): _NO_CHOICE,
        ("authority",): _NO_CHOICE,
        ("decision",): _NO_WORDS,
        ("date",): _NO_DAY,
        ("source",): _NO_WORDS,
    },
    "POST /v1/communes/{code}/hamlets": {
        ("code",): (*_NO_CODE, "07948", "07948-1", "07948-1234", "07948-01\n", "07894-01",
                    "07948-" + "01".translate(_FULL), "07948-" + "01".translate(_ARABIC)),
        ("name",): _NO_WORDS,
        ("type",): _NO_CHOICE,
        ("valid_from",): (None, *_NO_DAY),
    },
    "POST /v1/designations/{id}/withdraw": {("reason",): _NO_WORDS},
    "POST /v1/values": {
        ("values",): (None, 1, "x", {}, [], [1], [None], [[]], ["07948"], [{}] * 1_001),
        ("values", 0, "unit"): _NO_CODE,
        ("values", 0, "on"): _NO_DAY,
        ("values", 0, "period"): _NO_PERIOD,
        ("values", 0, "indicator"): _NO_INDICATOR,
        ("values", 0, "value"): _NO_RATIO,
        ("values", 0, "source"): _NO_SOURCE,
        ("values", 0, "measured_on"): _NO_DAY,
        ("values", 0, "note"): _NO_NOTE,
    },
    "PUT /v1/communes/{code}/values/{period}/{indicator}": {
        ("value",): (None, "true", "có", 0, 1, 1.0, [], {}, "", {"numerator": 1, "denominator": 2}),
        ("source",): _NO_SOURCE,
        ("on",): _NO_DAY,
        ("measured_on",): _NO_DAY,
        ("note",): _NO_NOTE,
        ("unit",): (*_NO_CODE[_WITHOUT_NULL:], "07894", "25", f"commune-{TODAY_COMMUNE}"),
        ("period",): (*_NO_PERIOD[_WITHOUT_NULL:], "2024", "2025-H1"),
        ("indicator",): (*_NO_INDICATOR[_WITHOUT_NULL:], "commune_social_media_account"),
    },
    "POST /v1/values/{id}/retract": {("reason",): _NO_SOURCE},
    "POST /v1/evaluations": {
        ("ruleset",): _NO_RULESET,
        ("unit",): _NO_CODE[_WITHOUT_NULL:],
        ("units",): (1, True, "07948", {}, [], [1], [None], [[]], [""], ["x"], [{}],
                     ["07948"] * 501),
        ("on",): _NO_DAY,
        ("period",): _NO_PERIOD,
        ("as_of",): _NO_DAY,
    },
    "POST /v1/evaluation-runs": {
        ("ruleset",): _NO_RULESET,
        ("under",): (*_NO_CODE, "vn", "VN ", "province-"),
        ("period",): _NO_PERIOD,
        ("as_of",): _NO_DAY,
        ("on",): _NO_DAY,
    },
    "POST /v1/impact": {
        ("ruleset",): _NO_RULESET[_WITHOUT_NULL:],
        ("under",): (*_NO_CODE, "vn", "VN ", "province-"),
        ("period",): _NO_PERIOD,
        ("as_of",): _NO_DAY,
        ("on",): _NO_DAY,
        ("changes",): (1, True, "x", {}, [], [1], [None], [[]], [{}],
                       [{"criterion": "phutho.1.1.1", "threshold": "90"}] * 201),
        ("changes", 0, "criterion"): (*_NO_TEXT, "", "x", "PHUTHO.1.1.1", "phutho.1.1.1 ",
                                      "x" * 10_000, _SQL, "phutho"),
        ("changes", 0, "threshold"): (*_NO_TEXT, "", "x", 90, "-1", "+1", "1e2", "90%", "90,5",
                                      " 90", "90\n", "090", "NaN", "0x5A", "1" * 17, "0.1234567",
                                      "90".translate(_FULL), "90".translate(_ARABIC), _SQL),
        ("changes", 0, "branch"): (*_NO_TEXT[_WITHOUT_NULL:], "", "x", "x" * 501, _SQL),
    },
    f"POST {SUBMISSIONS}": {
        ("unit",): (*_NO_CODE, "vn", "VN ", "province-"),
        ("on",): _NO_DAY,
        ("ruleset",): _NO_RULESET,
        ("period",): _NO_PERIOD,
        ("parts", 0, "code"): _NO_PART,
        ("parts", 0, "name"): _NO_WORDS,
    },
    f"PUT {_SUBMISSION}/parts": {
        ("parts",): (None, 1, True, "x", {}, [1], [None], [[]], [{}],
                     [{"code": "K1", "name": "Khu 1"}] * 501),
        ("parts", 0, "code"): _NO_PART,
        ("parts", 0, "name"): _NO_WORDS,
    },
    f"POST {_SUBMISSION}/transitions": {
        ("action",): _NO_CHOICE,
        ("reason",): _NO_REASON[_WITHOUT_NULL:],
        ("items",): (None, 1, "x", {}, [1], [None], [[]], [{}] * 201),
        ("version",): (*_NO_TEXT[_WITHOUT_NULL:], "x" * 101),
        **_official(),
    },
    f"POST {SUBMISSIONS}/decisions": {
        ("decisions",): (None, 1, "x", {}, [], [1], [None], [[]], [{}] * 101),
        ("decisions", 0, "id"): _NO_NUMBER,
        ("decisions", 0, "version"): (*_NO_TEXT, "x" * 101),
        ("decisions", 0, "action"): _NO_CHOICE,
        **_official("decisions", 0),
    },
    f"PUT {_SLOT}/confirmations": {
        ("confirmations",): (None, 1, "x", {}, [1], [None], [[]], [{}] * 2_001),
        ("confirmations", 0, "who"): _NO_WORDS,
        ("confirmations", 0, "part"): _NO_PART[_WITHOUT_NULL:],
        ("confirmations", 0, "signed_on"): (None, *_NO_DAY),
        ("confirmations", 0, "document", "signer"): _NO_WORDS,
    },
    f"POST {_SLOT}/findings": {
        ("kind",): _NO_CHOICE,
        ("found_on",): (None, *_NO_DAY),
        ("place",): _NO_WORDS,
        ("seen",): (*_NO_TEXT, "", "   ", "x" * 4_001),
        ("holds",): _NO_TRUTH,
        ("photos",): _NO_FILES,
        **{place: values for place, values in _official().items() if place[0] != "document"},
    },
    "POST /v1/grants": {
        ("from_territory",): (*_NO_CODE, "VN", "vn", "VN ", "commune-07948-2025-01-01"),
        ("to_territory",): (*_NO_CODE[_WITHOUT_NULL:], TODAY_COMMUNE, "vn", "province-"),
        ("to_client",): (*_NO_TEXT[_WITHOUT_NULL:], "", "x", "ntm-", "ntm-" + "0" * 15,
                         "ntm-" + "0" * 17, "ntm-" + "A" * 16, f"{NOBODY}\n", f" {NOBODY}",
                         "ntm-" + ("0" * 16).translate(_FULL), "x" * 10_000, _SQL),
        ("resources",): (None, "values", 1, True, {}, [], [1], [None], [["values"]], [""],
                         ["VALUES"], ["values "], ["clients"], ["values"] * 2, ["values"] * 3,
                         ["x" * 10_000], [_SQL]),
        ("rulesets",): _no_names("phutho.commune"),
        ("indicators",): _no_names("adults_smartphone_internet_rate"),
        ("purpose",): (*_NO_WORDS, "a\u202eb", "\x1b[2J"),
        ("until",): (None, *_NO_DAY, "1900-01-01", "2199-12-31", "2199-12-31T00:00:00Z",
                     "2030-01-01T00:00:00", "2030-01-01T00:00Z", "2030-01-01T24:00:00Z",
                     "2030-02-30T00:00:00Z", "0001-01-01T00:00:00+14:00", 10**400),
    },
    "POST /v1/clients": {
        ("name",): _NO_WORDS,
        ("territory",): (*_NO_CODE, "vn", "VN ", "province-", "commune-07894-2025-01-01"),
        ("scopes",): _NO_SCOPES,
    },
}  # fmt: skip


def altered(body: Any, place: Place, value: Any) -> Any:
    """Return the body with another value at one place; a new key is added."""
    changed = copy.deepcopy(body)
    holder = changed
    for part in place[:-1]:
        holder = holder[part]
    holder[place[-1]] = value
    return changed


def shortened(body: Any, place: Place) -> Any:
    """Return the body without one place."""
    changed = copy.deepcopy(body)
    holder = changed
    for part in place[:-1]:
        holder = holder[part]
    del holder[place[-1]]
    return changed


_MARK: Final = "MARK-OF-THE-TEST"


def spoilt(body: Any) -> Iterator[tuple[str, bytes, frozenset[int]]]:
    """Yield bodies that no model should ever see, made of a good one: name, bytes, statuses."""
    text = sent(body)
    place = next(one for one in places(body) if not isinstance(_at_place(body, one), dict | list))
    marked = sent(altered(body, place, _MARK))
    either = _400 | _422
    for raw, statuses in (
        ("NaN", _400), ("Infinity", _400), ("-Infinity", _400), ("1e1000000", either),
        ("-1e1000000", either), ("1e99999999999999999999", either), ("9" * 5_000, _400),
        ("9" * 400, _422), ("[" * 33 + "]" * 33, _400), ("[" * 100_000 + "]" * 100_000, _400),
        ('{"a":' * 50_000 + "1" + "}" * 50_000, _400), ('"\\u0000"', _422), ('"\\ud800"', _400),
        ('"a\\udfffb"', _400), ('"\x00"', _400), ('"\n"', _400), ("'x'", _400), ("0x10", _400),
        ("", _400), ("undefined", _400), ("５", _400),
    ):  # fmt: skip
        yield raw[:20], marked.replace(f'"{_MARK}"'.encode(), raw.encode()), statuses
    for name, content in (
        ("cut", text[:-1]), ("twice", text + text), ("comma", text[:-1] + b",}"),
        ("byte order mark", b"\xef\xbb\xbf" + text), ("utf-16", text.decode().encode("utf-16")),
        ("utf-32", text.decode().encode("utf-32")), ("latin-1", b'{"x": "\xe9"}'),
        ("overlong", b'{"x": "\xc0\x80"}'), ("a form", b"a=b"), ("gzip", b"\x1f\x8b\x08\x00"),
        ("endless lists", b"[" * 100_000), ("the same key twice", b'{"a": 1, "a": 1}'),
        ("the same key in two spellings", '{"ký": 1, "ky\u0301": 1}'.encode()),
    ):  # fmt: skip
        yield name, content, _400
    for name, content in (
        ("empty object", b"{}"), ("null", b"null"), ("text", b'"x"'), ("number", b"5"),
        ("true", b"true"), ("list of nothing", b"[null]"), ("NUL in a key", b'{"\\u0000": 1}'),
        ("__class__", b'{"__class__": {}}'), ("long key", b'{"%s": 1}' % (b"k" * 10_000)),
    ):  # fmt: skip
        yield name, content, _422
    yield "empty body", b"", either


def _at_place(body: Any, place: Place) -> Any:
    for part in place:
        body = body[part]
    return body


# Path segments that name nothing: escaped as they travel.
SEGMENTS: Final = (
    "%00", "%ff", "%ED%A0%80", "%C0%80", "%0a", "07948%0A", "07948%00", "%2007948", "07948%20",
    "07948".translate(_FULL), "07948".translate(_ARABIC), "9" * 20, "9" * 10_000, "-1", "0",
    "2147483648", "0x10", "1e5", "1e1000000", "NaN", "null", "x", "X" * 10_000, "%25", "_", "%5C",
    "'%20OR%20'1'='1", "1;DROP%20TABLE%20unit", "..%2f..%2fetc", "%2e%2e", "*", "%F0%9F%98%80",
    "commune-", "commune-07948-2025-1-1", "hamlet-" + "1" * 30, "ntm-" + "0" * 15,
    "ntm-" + "0" * 17, "ntm-" + "A" * 16, "ntm-" + "０" * 16, "%7Bcode%7D", "__class__", "A" * 200,
)  # fmt: skip

# Values of query parameters, escaped as they travel.
VALUES: Final = (
    "", "%00", "a%00b", "%ff", "%ED%A0%80", "%0a", "%20", "%5C", "%25", "_", "%25%25", "%5C%25",
    "'", "'%20OR%20'1'='1", "1;DROP%20TABLE%20unit", "%24%241", "x" * 201, "x" * 10_000,
    "%CC%81" * 100,
    "2024-13-01", "2025-02-30", "0001-01-01", "99999-01-01", "2025-08-01%0A", "20250801",
    "2025-08-01T00:00:00Z", "2025-08-01".translate(_FULL), "2025-08-01".translate(_ARABIC), "today",
    "25".translate(_FULL), "25".translate(_ARABIC), "25%20", "25%0A", "9" * 20, "9" * 1_000, "-1",
    "0", "1e1000000", "NaN", "null", "true", "[]", "%7B%7D", "99", "99999", "VN", "vn",
    "%F0%9F%98%80", "%E2%80%AE", "%F4%8F%BF%BF", "WyJ4Il0",
)  # fmt: skip

# What the token endpoint must refuse: content and headers.
_FORM: Final = {"content-type": "application/x-www-form-urlencoded"}
_GRANT: Final = b"grant_type=client_credentials"
FORMS: Final[tuple[tuple[str, bytes, dict[str, str]], ...]] = (
    ("nothing", b"", {}),
    ("empty form", b"", _FORM),
    ("JSON", b'{"grant_type": "client_credentials"}', {"content-type": "application/json"}),
    ("JSON as a form", b'{"grant_type": "client_credentials"}', _FORM),
    ("multipart", b"--x\r\n\r\n--x--", {"content-type": "multipart/form-data; boundary=x"}),
    ("media type that is none", _GRANT, {"content-type": ";;"}),
    ("no client", _GRANT, _FORM),
    ("grant only, twice", _GRANT + b"&" + _GRANT, _FORM),
    ("password grant", b"grant_type=password&client_id=a&client_secret=b", _FORM),
    ("unknown field", _GRANT + b"&client_id=a&client_secret=b&audience=x", _FORM),
    ("NUL", _GRANT + b"&client_id=%00&client_secret=%00", _FORM),
    ("raw NUL", _GRANT + b"&client_id=\0&client_secret=\0", _FORM),
    ("not UTF-8", _GRANT + b"&client_id=%ff&client_secret=b", _FORM),
    ("raw bytes", _GRANT + b"&client_id=\xff\xfe&client_secret=b", _FORM),
    ("surrogate", _GRANT + b"&client_id=%ED%A0%80&client_secret=b", _FORM),
    ("full-width", _GRANT + "&client_id=ｎｔｍ&client_secret=b".encode(), _FORM),
    ("SQL", _GRANT + b"&client_id='%20OR%201=1--&client_secret='%20OR%201=1--", _FORM),
    ("long id", _GRANT + b"&client_id=" + b"x" * 100_000 + b"&client_secret=b", _FORM),
    ("long secret", _GRANT + b"&client_id=a&client_secret=" + b"x" * 100_000, _FORM),
    ("a thousand fields", b"&".join(b"a%d=1" % number for number in range(1_000)), _FORM),
    ("separators", b"&" * 100_000, _FORM),
    ("semicolons", b"grant_type=client_credentials;client_id=a;client_secret=b", _FORM),
    ("10 MB", b"a=" + b"x" * 10_000_000, _FORM),
    ("utf-16", "grant_type=client_credentials".encode("utf-16"), _FORM),
    ("gzip", b"\x1f\x8b\x08\x00", {**_FORM, "content-encoding": "gzip"}),
    *(
        (f"authorization {value[:20]!r}", _GRANT, {**_FORM, "authorization": value})
        for value in ("", "Basic", "Basic ", "Basic x", "Basic =", "Basic YTpi", "Basic //8=",
                      "Basic AAA6AAA=", "Bearer x", "Digest a=b", "Basic " + "QUFB" * 10_000)
    ),
    ("both ways", _GRANT + b"&client_id=a", {**_FORM, "authorization": "Basic YTpi"}),
)  # fmt: skip
