"""The corpus, field by field: every hostile request that is fired at an operation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from hostile import TODAY_COMMUNE, Operation, Place, altered, places, sent, spelled

from faults.hostile_values import (
    HINTS,
    IN_PATH,
    IN_QUERY,
    MEDIA,
    NO_TEXT,
    TEXTS,
    TOKENS,
    VALUES,
    Value,
    wholes,
)
from faults.targets import PAGES, SENDING, Range, Shot, good_content, known_keys, with_raw

# Each costs a process that reads a file.
_DEAR: Final = SENDING | {
    "POST /v1/imports/{id}/commit", "PUT /v1/evidence-submissions/{id}/slots/{slot}/rows",
}  # fmt: skip
_READ: Final = ("encoding", "sheet")  # parameters that only whoever reads the file understands
_RARE: Final = 4
# Whatever is a file is right; what is in it, `test_http_evidence_files.py` tries.
_ANY_FILE: Final = ("PUT /v1/evidence-submissions/{id}/slots/{slot}/files/{name}",)
# Parameters of many operations, which one type describes for all of them.
_COMMON: Final = (
    "cursor", "limit", "on", "period", "ruleset", "under", "unit", "indicator", "level", "outcome",
    "acting_official_id", "acting_official_office", "acting_official_position",
    "id", "slot", "code", "name", "client_id",
)  # fmt: skip
# Objects in bodies of many operations, which one type describes as well.
_SHARED: Final = {"acting_official", "document"}
_UNKNOWN: Final = ("offset", "limit[]", "%00", "%ff", "__proto__", "_method", "x" * 999)


def shots(arena: Range, route: Operation) -> Iterator[Shot]:
    """Yield every hostile request of the corpus for one operation."""
    yield from path_shots(arena, route)
    yield from query_shots(arena, route)
    yield from token_shots(route)
    if route.form:
        yield from form_shots(arena, route)
    elif route.csv:
        if route.name not in (*SENDING, *_ANY_FILE):  # else `file_shots` has the files
            yield from csv_shots(arena, route)
    elif route.body is not None:
        yield from body_shots(arena, route)
    if route.body is not None and not route.form:
        good = good_content(route)
        for name, value in MEDIA:
            if not (route.csv and value == b"text/csv"):
                yield Shot(f"header:{name}", repr(value)[:40], route.url(), good, ((name, value),))


def path_shots(arena: Range, route: Operation) -> Iterator[Shot]:
    """Yield the operation with every value in every parameter of its path."""
    names, parts = route.template.split("/"), route.path.split("/")
    for number, name in enumerate(names):
        if name.startswith("{"):
            common = name[1:-1] in _COMMON
            for label, raw, text in arena.turn(route, name, IN_PATH) if common else IN_PATH:
                path = "/".join([*parts[:number], raw, *parts[number + 1 :]])
                url = route._replace(path=path).url()
                yield Shot(f"path:{name[1:-1]}", label, url, good_content(route), (), text)


def query_names(arena: Range, route: Operation) -> list[str]:
    """Return the parameters that an operation takes in its query."""
    if route in PAGES:
        return []
    operation = arena.described.operation(route.method, route.path)
    return [one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"]


def query_shots(arena: Range, route: Operation) -> Iterator[Shot]:
    """Yield the operation with every value in every parameter of its query, and unknown ones."""
    known, content = query_names(arena, route), good_content(route)
    for name in known:
        dear = route.name in SENDING and name in _READ
        values = IN_QUERY[::_RARE] if dear else IN_QUERY
        for label, raw, text in arena.turn(route, name, values) if name in _COMMON else values:
            url = route.url(f"{name}={raw}")
            yield Shot(f"query:{name}", label, url, content, (), text)
    for name in _UNKNOWN:
        if name not in known and not (name == "limit[]" and "limit" not in known):
            yield Shot("query:", f"unknown {name[:24]}", route.url(f"{name}=-1"), content)


def every_parameter(arena: Range, route: Operation) -> tuple[Shot, list[str]]:
    """Return the operation with the columns of all tables as parameters, and what to refuse.

    Refusals of a form name no place.
    """
    known = query_names(arena, route)
    unknown = [column for column in arena.columns if column not in known]
    url = route.url("&".join(f"{name}=-1" for name in unknown))
    shot = Shot("query:", "every column", url, good_content(route))
    return shot, [] if route.form else [f"/{name}" for name in unknown]


def token_shots(route: Operation) -> Iterator[Shot]:
    """Yield the operation with tokens that are none; one that everybody may call takes no heed."""
    if route.scope is None:
        return
    for value in TOKENS:
        header = (("authorization", value),)
        content = good_content(route)
        yield Shot("header:authorization", repr(value)[:40], route.url(), content, header)


def hint_shots(arena: Range, route: Operation) -> Iterator[Shot]:
    """Yield the good request with headers that are hints; of long lists only the beginning."""
    short = _short(query_names(arena, route))
    for name, values in HINTS.items():
        for value in arena.turn(route, name, values)[:: _RARE if route.name in _DEAR else 1]:
            header = ((name, value),)
            content = good_content(route)
            yield Shot(f"header:{name}", repr(value)[:40], route.url(short), content, header)


def _short(known: Sequence[str]) -> str:
    """Return the parameters by which an answer is short."""
    if "by" in known:  # statistics count everything before they show a part of it
        return f"under=commune-{TODAY_COMMUNE}-2025"
    wanted = {"limit": "1", "unit": TODAY_COMMUNE, "under": "25"}
    return next((f"{name}={value}" for name, value in wanted.items() if name in known), "")


def body_shots(arena: Range, route: Operation) -> Iterator[Shot]:
    """Yield every value at every place of a body, filled or not, and bodies that are none."""
    absent = [(key,) for key in known_keys(arena, route) if key not in route.body]
    for place in (*places(route.body), *absent):
        shared = not _SHARED.isdisjoint(place)
        for value in arena.turn(route, spelled(place), VALUES) if shared else VALUES:
            content = with_raw(route.body, {place: value.raw})
            yield Shot(f"body:{spelled(place)}", value.name, route.url(), content, (), value.text)
    for name, content in wholes(sent(route.body)):
        yield Shot("body:", name, route.url(), content)


def form_shots(arena: Range, route: Operation) -> Iterator[Shot]:
    """Yield every text in every field of a form, and forms that are none."""
    for name in (*route.body, "scope"):
        for value in TEXTS:
            content = _form({**route.body, name: value})
            yield Shot(f"form:{name}", value.name, route.url(), content, (), value.text)
    for name in arena.columns:
        if name not in (*route.body, "scope"):
            content = _form({**route.body, name: "1"})
            yield Shot("form:", f"unknown {name}", route.url(), content)
    for name, content in wholes(b'{"grant_type": "client_credentials"}'):
        yield Shot("form:", name, route.url(), content)


def _form(fields: Mapping[str, Any]) -> bytes:
    parts = []
    for name, value in fields.items():
        text = value.text if isinstance(value, Value) else value
        parts.append(f"{name}={quote(text.encode('utf-8', 'surrogatepass'), safe='')}")
    return "&".join(parts).encode()


def csv_shots(arena: Range, route: Operation) -> Iterator[Shot]:
    """Yield every text in every cell of a file, unknown columns, and files that are none."""
    head, row = (line.split(",") for line in route.body.splitlines()[:2])
    dear = route.name in _DEAR
    for number, name in enumerate(head):
        for value in arena.turn(route, name, TEXTS) if dear else TEXTS:
            cell = value.text.encode("utf-8", "surrogatepass").replace(b'"', b'""')
            cells = [one.encode() for one in row]
            cells[number] = b'"' + cell + b'"'
            content = ",".join(head).encode() + b"\n" + b",".join(cells) + b"\n"
            yield Shot(f"csv:{name}", value.name, route.url(), content, (), value.text)
    unknown = [column for column in arena.columns if column not in head]
    for column in arena.turn(route, "unknown", unknown) if dear else unknown:
        content = ",".join([*head, column]).encode() + b"\n" + ",".join([*row, "1"]).encode()
        yield Shot("csv:", f"unknown {column}", route.url(), content)
    for name, content in wholes(b'{"values": []}'):
        yield Shot("csv:", name, route.url(), content)
    for value in (*NO_TEXT, *(one for one in TEXTS if one.name == "1 MB")):
        raw = value.text.encode("utf-8", "surrogatepass")
        yield Shot("csv:", f"a file of {value.name}", route.url(), raw)


def objects(body: Any) -> Iterator[Place]:
    """Yield the places of all objects in a body, the body itself included."""
    for place in ((), *places(body)):
        found = body
        for part in place:
            found = found[part]
        if isinstance(found, dict):
            yield place


def mass_assignments(arena: Range, route: Operation) -> Iterator[tuple[Shot, list[str]]]:
    """Yield a body with the columns of all tables as further keys, for every object in it.

    Together with the places at which they must be refused: those that are no key of the body.
    """
    if route.body is None or route.form or route.csv:
        return
    own = keys_of(arena, route)
    for place in objects(route.body):
        added = [column for column in arena.columns if column not in own]
        changed: Any = route.body
        for column in added:
            changed = altered(changed, (*place, column), 1)
        pointers = [f"{spelled(place)}/{column}" for column in added]
        yield Shot(f"body:{spelled(place)}", "every column", route.url(), sent(changed)), pointers


def mass_assignment(route: Operation, all_at_once: Shot, pointer: str) -> Shot:
    """Return the body with one column as a further key of the same object."""
    holder, _, column = pointer.rpartition("/")
    place = next(one for one in objects(route.body) if spelled(one) == holder)
    content = sent(altered(route.body, (*place, column), 1))
    return all_at_once._replace(value=f"the column {column}", content=content)


def keys_of(arena: Range, route: Operation) -> set[str]:
    """Return every key that the description of an operation's body knows, at any depth."""
    operation = arena.described.operation(route.method, route.path)
    todo: list[Any] = [operation["requestBody"]]
    found: set[str] = set()
    seen: set[str] = set()
    while todo:
        part = todo.pop()
        if isinstance(part, list):
            todo += part
        elif isinstance(part, dict):
            found |= set(part.get("properties", ()))
            todo += part.values()
            reference = str(part.get("$ref", ""))
            if reference and reference not in seen:
                seen.add(reference)
                todo.append(arena.described.document["components"]["schemas"][reference[21:]])
    return found
