"""How submissions of evidence are asked for: by their communes, by who is above, by others."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Final

from evidence_operations import CHECK, FILED, LISTED, PURPOSE, SEEN, SUBMISSIONS, SUBMIT
from evidence_operations import CONTENT as FILE_CONTENT

from faults.direct import Asked
from faults.isolation_attempts import NEVER, Attempt, Probe, acted, listed, single
from faults.isolation_spots import SPOTS, Item
from faults.isolation_world import World, official

KIND: Final = "M"
# Communes whose own clients open submissions; those of the first three have slots for lists.
MAKERS: Final = "ABORW"
_WITH_SLOTS: Final = "ABO"
# Only a commune fills its submission; who is above may neither, nor may the nation read names. O
# became a part of A, whose office may do what its own could.
_BY_ITS_OFFICE: Final = (200, 201, 204, 403, 409)
_TODAY: Final = itertools.product(range(2027, 2199), range(1, 13))
_BEFORE: Final = itertools.product(range(1910, 2024), range(1, 13))
_SLOTS: Final = f"{SUBMISSIONS}/{{}}/slots"
_FILE: Final = f"{_SLOTS}/{FILED}/files"


def _opening(name: str) -> Item:
    """Return a submission as it is opened, for a month that none was opened for."""
    spot = SPOTS[name]
    ruleset = "phutho.commune" if name in _WITH_SLOTS else spot.rulesets[0]
    period = "{}-{:02d}".format(*next(_TODAY if spot.now else _BEFORE))
    return {
        "unit": spot.key, "ruleset": ruleset, "period": period,
        "parts": [{"code": "K1", "name": spot.says(KIND)}], "acting_official": official(spot),
    }  # fmt: skip


def _rows(name: str) -> str:
    said = SPOTS[name].says(KIND)
    return f"STT,Họ và Tên,Ghi chú\n1,{said} Một,{said}\n2,{said} Hai,\nTổng cộng:,2,\n"


def _check(name: str) -> Item:
    spot = SPOTS[name]
    said = spot.says(KIND)
    return CHECK | {"place": said, "seen": said, "acting_official": official(spot)}


def _submitting(name: str) -> Item:
    spot = SPOTS[name]
    document = SUBMIT["document"] | {"number": spot.says(KIND), "signer": spot.says(KIND)}
    return SUBMIT | {"document": document, "acting_official": official(spot)}


async def opened(world: World, name: str, *, filled: bool) -> int:
    """Let the client of a commune open a submission; return its number."""

    async def made(method: str, path: str, body: Any) -> Any:
        answer = await world.ask(name, Asked(method, path, body=body))
        assert answer.status < 300, (name, path, answer)
        return answer.json()

    id_ = int((await made("POST", SUBMISSIONS, _opening(name)))["id"])
    if filled and name in _WITH_SLOTS:
        slots = _SLOTS.format(id_)
        await made("PUT", f"{slots}/{LISTED}/rows", _rows(name))
        await made("PUT", f"{_FILE.format(id_)}/12.csv", FILE_CONTENT + SPOTS[name].says(KIND))
        await made("POST", f"{slots}/{SEEN}/findings", _check(name))
    return id_


async def fill(world: World) -> None:
    """Let communes fill submissions; nobody submits them."""
    for name in MAKERS:
        world.rows[name].ids[KIND] = await opened(world, name, filled=True)


def _read(
    path: str, *, query: str = "", right: Sequence[int] = (200,), slots: bool = True
) -> Probe:
    """Return how something of a submission is read."""
    ask = single(path, (KIND,), query=query)

    async def probe(world: World, name: str, fresh: bool) -> list[Attempt]:
        if slots and name not in _WITH_SLOTS:
            return []
        return [one._replace(right=tuple(right)) for one in await ask(world, name, fresh)]

    return probe


def _done(
    method: str, path: str, body: Any = None, *, query: str = "", slots: bool = True
) -> Probe:
    """Return how something is done to a submission, to a new one where it may succeed."""

    async def probe(world: World, name: str, fresh: bool) -> list[Attempt]:
        ids = world.rows[name].ids
        if KIND not in ids or (slots and name not in _WITH_SLOTS):
            return []
        id_ = await opened(world, name, filled=True) if fresh else ids[KIND]
        said = body(name) if callable(body) else body
        headers = (("if-match", "*"),) if path.endswith("/transitions") else ()
        asked, twin = (
            Asked(method, path.format(one), query, said, headers) for one in (id_, NEVER)
        )
        return [Attempt(asked, KIND, twin, _BY_ITS_OFFICE)]

    return probe


async def _open(world: World, name: str, fresh: bool) -> list[Attempt]:
    if name not in MAKERS:
        return []
    asked = Asked("POST", SUBMISSIONS, body=_opening(name))
    return [Attempt(asked, right=_BY_ITS_OFFICE)]


async def _decide(world: World, name: str, fresh: bool) -> list[Attempt]:
    """Decide on one of several: what is refused is refused in its item."""
    if name not in MAKERS:
        return []
    id_ = await opened(world, name, filled=False) if fresh else world.rows[name].ids[KIND]
    body = {"decisions": [_submitting(name) | {"id": id_, "version": "0"}]}
    return [Attempt(Asked("POST", f"{SUBMISSIONS}/decisions", body=body))]


def _parts(name: str) -> Item:
    return {"parts": [{"code": "K2", "name": SPOTS[name].says(KIND)}]}


_SIGNED: Final[Item] = {"confirmations": []}
_LISTS: Final = f"{_SLOTS}/{LISTED}"
_NAMED: Final = (200, 403)  # the nation is on no chain
EVIDENCE: Final[Mapping[str, Probe]] = {
    f"GET {SUBMISSIONS}": listed(
        SUBMISSIONS, "limit=500", "unit={}&limit=500", "under={}&limit=500"
    ),
    f"POST {SUBMISSIONS}": acted(_open, "commune"),
    f"POST {SUBMISSIONS}/decisions": acted(_decide, "commune"),
    f"GET {SUBMISSIONS}/{{id}}": _read(f"{SUBMISSIONS}/{{}}", slots=False),
    f"PUT {SUBMISSIONS}/{{id}}/parts": _done("PUT", f"{SUBMISSIONS}/{{}}/parts", _parts,
                                             slots=False),
    f"POST {SUBMISSIONS}/{{id}}/transitions": _done(
        "POST", f"{SUBMISSIONS}/{{}}/transitions", _submitting, slots=False
    ),
    f"GET {SUBMISSIONS}/{{id}}/diff": _read(  # nothing was submitted
        f"{SUBMISSIONS}/{{}}/diff", query="from=1&to=1", right=(404,), slots=False
    ),
    f"DELETE {SUBMISSIONS}/{{id}}/names": _done(
        "DELETE", f"{SUBMISSIONS}/{{}}/names", query=f"purpose={PURPOSE}", slots=False
    ),
    f"GET {SUBMISSIONS}/{{id}}/slots": _read(_SLOTS, slots=False),
    f"GET {SUBMISSIONS}/{{id}}/slots/{{slot}}": _read(_LISTS),
    f"PUT {SUBMISSIONS}/{{id}}/slots/{{slot}}/confirmations": _done(
        "PUT", f"{_LISTS}/confirmations", _SIGNED
    ),
    f"GET {SUBMISSIONS}/{{id}}/slots/{{slot}}/findings": _read(f"{_SLOTS}/{SEEN}/findings"),
    f"POST {SUBMISSIONS}/{{id}}/slots/{{slot}}/findings": _done(
        "POST", f"{_SLOTS}/{SEEN}/findings", _check
    ),
    f"GET {SUBMISSIONS}/{{id}}/slots/{{slot}}/rows": _read(f"{_LISTS}/rows"),
    f"PUT {SUBMISSIONS}/{{id}}/slots/{{slot}}/rows": _done("PUT", f"{_LISTS}/rows", _rows),
    f"DELETE {SUBMISSIONS}/{{id}}/slots/{{slot}}/rows": _done("DELETE", f"{_LISTS}/rows"),
    f"GET {SUBMISSIONS}/{{id}}/slots/{{slot}}/names": _read(
        f"{_LISTS}/names", query=f"purpose={PURPOSE}", right=_NAMED
    ),
    f"GET {SUBMISSIONS}/{{id}}/slots/{{slot}}/files": _read(_FILE),
    f"GET {SUBMISSIONS}/{{id}}/slots/{{slot}}/files/{{name}}": _read(f"{_FILE}/12.csv"),
    f"PUT {SUBMISSIONS}/{{id}}/slots/{{slot}}/files/{{name}}": _done(
        "PUT", f"{_FILE}/13.csv", FILE_CONTENT
    ),
    f"DELETE {SUBMISSIONS}/{{id}}/slots/{{slot}}/files/{{name}}": _done(
        "DELETE", f"{_FILE}/12.csv"
    ),
}  # fmt: skip
# A read that leaves in the audit that it was made.
NOTED: Final = frozenset({f"GET {SUBMISSIONS}/{{id}}/slots/{{slot}}/names"})
OPEN_FORMS: Final[Mapping[str, str]] = {
    f"GET {SUBMISSIONS}/chain": "the chain of approval as data",
    "GET /v1/evidence-forms": "documents of the state",
    "GET /v1/evidence-forms/{form}/template.csv": "documents of the state",
    "GET /v1/evidence-forms/{form}/template.xlsx": "documents of the state",
}
