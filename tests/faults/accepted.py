"""Hostile values that are right where they stand: per operation, field and value, each with why.

Whatever is not listed here must be refused; whatever is listed must be taken, and what is stored
must be read back as it was sent (in NFC, as the contract says of all text).
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from faults.hostile_values import DIGITS, INSTANTS, LETTERS, ODD, SQL, TEXTS, Value


class Rule(NamedTuple):
    """Values that fields of operations take; the names of both are regular expressions."""

    operations: str
    fields: str
    values: frozenset[str]
    why: str


def _names(values: Iterable[Value], *without: str) -> frozenset[str]:
    return frozenset(one.name for one in values) - set(without)


_CALM: Final = _names((*SQL, *INSTANTS, *DIGITS, *LETTERS), "zero-width space", "last character")
# Free text is kept as it is: quotes, digits of other scripts and line breaks are text like any;
# but in what stands on one line (all but notes) white space of any kind is one space.
FREE: Final = _CALM | {"line break"}
_SHOWN_ONLY: Final = _names((*SQL, *INSTANTS, *DIGITS, *LETTERS, *ODD), "empty", "long", "1 MB")
_RAW_WORDS: Final = frozenset(
    f"raw {raw}"
    for raw in ("%ff", "%C0%80", "%", "%zz", "-1", "0x10", "1e1000000", "NaN", "Infinity",
                "1" + "0" * 20, "9223372036854775808", "1.5", "+1", "1_000", "[]", "%7B%7D", "null")
)  # fmt: skip
_HALVES: Final = frozenset({"lone surrogate", "half a pair"})
_WORDS: Final = (
    "a search takes any words; bytes that are no text are read as U+FFFD and find nothing"
)
_PREVIEW: Final = "POST /v1/evaluations/preview"
_STORING: Final = "|".join((
    "POST /v1/values", "PUT /v1/communes/{code}/values/{period}/{indicator}",
    "POST /v1/values/{id}/retract", "PUT /v1/units/{code}/identifiers/{scheme}",
    "PUT /v1/communes/{code}/attributes/{name}", "POST /v1/communes/{code}/designations",
    "POST /v1/communes/{code}/hamlets", "POST /v1/designations/{id}/withdraw", "POST /v1/clients",
    "POST /v1/grants", "POST /v1/grants/{id}/revoke", "POST /v1/clients/{client_id}/revoke",
    "POST /v1/evaluations", "POST /v1/evaluation-runs",
))  # fmt: skip


def _of_length(least: int) -> frozenset[str]:
    """Return free texts of a length on one line."""
    found = {one.name: unicodedata.normalize("NFC", " ".join(one.text.split())) for one in TEXTS}
    return frozenset(name for name in FREE if len(found[name]) >= least)


_EVIDENCE: Final = "/v1/evidence-submissions"
_SLOT: Final = f"{_EVIDENCE}/{{id}}/slots/{{slot}}"
_FILLING: Final = "|".join((
    f"POST {_EVIDENCE}", f"PUT {_EVIDENCE}/{{id}}/parts",
    f"POST {_EVIDENCE}/{{id}}/transitions", f"POST {_EVIDENCE}/decisions",
    f"PUT {_SLOT}/confirmations", f"POST {_SLOT}/findings",
))  # fmt: skip
_CODES: Final = frozenset(
    one.name for one in TEXTS if re.fullmatch("[A-Za-z0-9._-]{1,40}", one.text)
)
_RAW_PURPOSES: Final = frozenset(
    f"raw {raw}"
    for raw in ("1e1000000", "Infinity", "1" + "0" * 20, "9223372036854775808", "1_000")
)
_SAID_NOTHING: Final = frozenset({"empty", "blank"})
_IN_WORDS: Final = frozenset({
    "1234567890123456789.0123", "123456789012345678901234", "9223372036854775808",
    "-9223372036854775809", "-1", "-0", "-0.0", "1.5", "1e2", "20250801", "1754006400",
})  # fmt: skip

RULES: Final = (
    Rule(_STORING, "body:.*/(source|note|reason|decision|name|purpose)|body:/acting_official/.*",
         FREE, "free text"),
    Rule("PUT /v1/units/{code}/identifiers/{scheme}", "body:/value", FREE,
         "another system's code is any text"),
    Rule("(POST|PUT) (?!.*/(transitions|findings)$).*", "body:/(acting_official|version)",
         frozenset({"null"}), "may be left out"),
    Rule(_FILLING, "body:.*/(name|place|seen)|body:.*/document/(number|symbol|signer)|"
         "body:.*/acting_official/.*", FREE, "free text"),
    Rule(f"POST {_EVIDENCE}|PUT {_EVIDENCE}/{{id}}/parts", "body:/parts/0/code", _CODES,
         "a code is what a commune gives its parts"),
    Rule(f"POST {_EVIDENCE}", "body:/(on|parts)", frozenset({"null"}), "may be left out"),
    Rule(f"POST {_EVIDENCE}/{{id}}/transitions", "body:/reason", _of_length(3) | {"null"},
         "free text, where a reason is needed"),
    Rule(f"POST {_EVIDENCE}/{{id}}/transitions", "body:/version", frozenset({"null"}),
         "the header says it"),
    Rule(f"POST {_EVIDENCE}/decisions", "body:/decisions/0/version", _SHOWN_ONLY | {"empty"},
         "another version is refused in the item"),
    Rule(f"POST {_EVIDENCE}/decisions", "body:/decisions/0/id",
         frozenset({"20250801", "1754006400"}), "another submission is refused in the item"),
    Rule(_FILLING, "body:/(parts|items|photos|confirmations)", frozenset({"empty list"}),
         "there may be none"),
    Rule(f"PUT {_SLOT}/confirmations", "body:/confirmations/0/(part|document)",
         frozenset({"null"}), "the list is signed as a whole; without a document"),
    Rule(f"POST {_SLOT}/findings", "body:/holds", frozenset({"true"}), "that is what was seen"),
    Rule(f"GET {_SLOT}/(names|files/{{name}})|DELETE {_EVIDENCE}/{{id}}/names", "query:purpose",
         _of_length(5) | _RAW_PURPOSES | _HALVES - {"lone surrogate"},
         "free text; bytes that are no text are read as U+FFFD"),
    Rule(f"PUT {_SLOT}/rows", "csv:(Họ và Tên|Ghi chú)", FREE, "names and notes"),
    Rule(f"PUT {_SLOT}/rows", "csv:(STT|Ghi chú)", frozenset({"empty", "blank"}),
         "an empty cell says nothing"),
    Rule(f"PUT {_SLOT}/files/{{name}}", "header:content-type", frozenset({"b'text/plain'"}),
         "a CSV file is text"),
    Rule("POST /v1/grants/{id}/revoke|POST /v1/clients/{client_id}/revoke", "body:(/reason)?",
         frozenset({"null", "nothing", "only null", "only empty object"}), "may be left out"),
    Rule("POST /v1/grants", "body:/(to_client|rulesets|indicators)", frozenset({"null"}),
         "may be left out"),
    Rule("POST /v1/evaluations", "body:/units", frozenset({"null"}), "there is one unit"),
    Rule("PUT /v1/communes/{code}/values/{period}/{indicator}", "body:/(unit|period|indicator)",
         frozenset({"null"}), "the address says it"),
    Rule("PUT /v1/communes/{code}/values/{period}/{indicator}", "body:/version",
         _SHOWN_ONLY | {"empty"}, "it says what is on record: no version is compared"),
    Rule("POST /v1/values/import", "csv:(source|note)", FREE, "free text"),
    Rule("POST /v1/values/import", "csv:(numerator|denominator|measured_on)",
         frozenset({"empty", "blank"}), "an empty cell says nothing"),
    Rule("POST /v1/values/import", "csv:note", frozenset({"empty", "blank"}),
         "an empty cell says nothing"),
    Rule("POST /v1/imports", "(csv|line):(source|note)", FREE, "free text"),
    Rule("POST /v1/imports", "csv:(on|numerator|denominator|measured_on|note)", _SAID_NOTHING,
         "an empty cell says nothing"),
    Rule("POST /v1/imports", "line:(on|measured_on|note)", _SAID_NOTHING | {"null"},
         "an empty cell says nothing"),
    Rule("POST /v1/imports", "csv:value", frozenset({"byte order mark"}),
         "x is yes, whatever that cannot be seen stands before it"),
    Rule("POST /v1/imports", "line:value", frozenset({"SQL 5", "-0", "-0.0", "1.5", "1e2"}),
         "100% is a share; a bare number is one, too"),
    Rule("POST /v1/imports", "line:(source|note)", _IN_WORDS,
         "a number is kept in the digits of JSON"),
    Rule("POST /v1/imports", "query:(source|name)", FREE | _RAW_WORDS | _HALVES,
         "free text; bytes that are no text are read as U+FFFD"),
    Rule("POST /v1/oauth/token", "form:scope", frozenset({"empty"}), "an empty field is not sent"),
    Rule("GET /v1/(units|indicators)", "query:q", _SHOWN_ONLY - {"blank", "zero-width only"}
         | _RAW_WORDS | _HALVES, _WORDS),
    Rule("GET /v1/indicators", "query:q",
         frozenset({"blank", "zero-width only", "raw %EF%BB%BF"}), _WORDS),
    Rule("PUT /v1/units/{code}/identifiers/{scheme}", "path:scheme",
         frozenset({"instant infinity", "instant epoch"}), "a word in small letters is a scheme"),
    Rule(_PREVIEW, "body:.*/(name|decision)", _SHOWN_ONLY, "shown to who sent it, never stored"),
    Rule("POST /v1/units/resolve", "body:/items/0/(name|province|district)",
         _SHOWN_ONLY - {"blank"}, "a name that nothing has means nothing"),
    Rule(_PREVIEW, "body:/as_of|body:.*/unit/(type|code|name)|body:.*/date|body:/members",
         frozenset({"null"}), "may be left out, so it may be null"),
    Rule("POST /v1/units/resolve", "body:/items/0/.*", frozenset({"null"}), "may be left out"),
    Rule("POST /v1/evaluations|POST /v1/evaluation-runs|POST /v1/impact",
         "body:/(as_of|min_status)", frozenset({"null"}), "may be left out"),
    Rule("POST /v1/impact", "body:/(ruleset_file|against)", frozenset({"null"}),
         "may be left out"),
    Rule("GET /v1/jobs", "query:kind", frozenset({"instant infinity", "instant epoch", "raw null"}),
         "a word in small letters may be a kind"),
    Rule("POST /v1/values|PUT .*/values/.*", "body:.*/(measured_on|note)", frozenset({"null"}),
         "may be left out"),
    Rule("PUT .*/attributes/.*", "body:/to", frozenset({"null"}), "has no end"),
    Rule("POST .*/designations", "body:/date", frozenset({"null"}), "the day is not known"),
    Rule(f"{_PREVIEW}|PUT .*/(attributes|values)/.*",
         "body:/value|body:.*/(area_island|hamlet_digital_team_established"
         "|ntm_advanced_recognized_2021_2025)", frozenset({"true"}), "is a truth value"),
    Rule(_PREVIEW, "body:/facts/digital_skills_classes_count|body:/facts/.*/(numer|denomin)ator",
         frozenset({"-0", "20250801", "1754006400"}), "is a count; -0 is 0"),
    Rule("POST /v1/values", "body:.*/numerator", frozenset({"-0"}), "is a count; -0 is 0"),
    Rule("POST /v1/values", "body:.*/denominator", frozenset({"20250801", "1754006400"}),
         "is a count"),
    Rule(_PREVIEW, "body:.*/(attributes|facts)", frozenset({"empty object"}), "nothing is known"),
    Rule(_PREVIEW, "body:.*/(designations|members|smart_contents_implemented)",
         frozenset({"empty list"}), "there are none"),
)  # fmt: skip


@functools.cache
def accepted(operation: str, field: str, value: str) -> bool:
    """Tell whether a field of an operation takes a value that is hostile elsewhere."""
    return any(
        value in rule.values
        and any(operation == one or _fits(one, operation) for one in _split(rule.operations))
        and re.fullmatch(rule.fields, field)
        for rule in RULES
    )


@functools.cache
def _split(operations: str) -> list[str]:
    return re.split(r"\|(?=[A-Z]+ )", operations)


def _fits(pattern: str, operation: str) -> bool:
    return bool(re.fullmatch(re.sub(r"\{(\w+)\}", r"\\{\1\\}", pattern), operation))


# Where something stored can be read again: from the answer to what stored it.
READ_AGAIN: Final[Mapping[str, Callable[[Any, str], str]]] = {
    "POST /v1/values": lambda told, _: f"/v1/values/{told['items'][0]['id']}",
    "PUT /v1/communes/{code}/values/{period}/{indicator}": lambda told, _: (
        f"/v1/values/{told['id']}"
    ),
    "POST /v1/values/{id}/retract": lambda _, path: path.replace("/retract", "/history"),
    "POST /v1/values/import": lambda *_: "/v1/values?indicator=digital_healthcare_services",
    "POST /v1/imports": lambda told, _: (
        "/v1/values?indicator=digital_healthcare_services&limit=500"
        if "counts" in told
        else "/v1/imports?limit=5"  # told of a job: its file, and what was said of it
    ),
    "PUT /v1/units/{code}/identifiers/{scheme}": lambda _, path: path.partition("/identifiers")[0],
    "PUT /v1/communes/{code}/attributes/{name}": lambda _, path: (
        f"{path.partition('/attributes')[0]}?on=2025-08-02"
    ),
    "POST /v1/communes/{code}/designations": lambda _, path: path.rpartition("/")[0],
    "POST /v1/communes/{code}/hamlets": lambda _, path: f"{path}?on=2025-08-02&limit=500",
    "POST /v1/grants": lambda told, _: f"/v1/grants/{told['id']}",
    "POST /v1/clients": lambda told, _: f"/v1/clients/{told['client_id']}",
}


def leaves(found: Any) -> Iterable[Any]:
    """Yield every value in an answer that is no list and no object."""
    if isinstance(found, dict | list):
        for below in found.values() if isinstance(found, dict) else found:
            yield from leaves(below)
    else:
        yield found
