"""Requests that nobody thought of: several mutations of a good one at once, by Hypothesis.

Each carries at least one value that must be refused where it stands, so each must be refused.
"""

from __future__ import annotations

from typing import Any, Final

from hostile import Operation, Place, places, sent, spelled
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from faults.accepted import accepted
from faults.hostile_values import FEW, IN_QUERY, TEXTS, VALUES, escaped
from faults.shots import path_shots, query_names
from faults.targets import Range, Shot, good_content, with_raw

Made = tuple[Shot, ...]
_JSON: Final = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=30)
    | st.sampled_from([one.text for one in TEXTS if one.name not in ("1 MB", "long")]),
    lambda below: (
        st.lists(below, max_size=4) | st.dictionaries(st.text(max_size=9), below, max_size=4)
    ),
    max_leaves=8,
)
_UNKNOWN: Final = st.text(
    st.characters(codec="utf-8", categories=("L", "N", "P")), min_size=1, max_size=20
)


def made(arena: Range, route: Operation, size: int, number: int) -> list[Shot]:
    """Return hostile requests of one operation, the same ones for the same number."""
    found: list[Shot] = []
    strategy = _bodies(route) if _takes_json(route) else _addresses(arena, route)

    @seed(number)
    @settings(
        max_examples=size,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(shot: Shot) -> None:
        found.append(shot)

    collect()
    return found


def _takes_json(route: Operation) -> bool:
    return route.body is not None and not (route.form or route.csv)


@st.composite
def _bodies(draw: st.DrawFn, route: Operation) -> Shot:
    """Draw a body with one value that is refused, and up to four others anything at all."""
    everywhere = list(places(route.body))
    place = draw(st.sampled_from(everywhere))
    field = f"body:{spelled(place)}"
    refused = [one for one in VALUES if not accepted(route.name, field, one.name)]
    value = draw(st.sampled_from(refused or list(FEW)))
    changes: dict[Place, bytes] = {place: value.raw}
    for other in draw(st.lists(st.sampled_from(everywhere), max_size=4, unique=True)):
        if not any(_overlap(other, one) for one in changes):
            changes[other] = draw(_raws)
    content = with_raw(route.body, changes)
    names = f"{value.name} and {len(changes) - 1} more: {[spelled(one) for one in changes]}"
    return Shot(field, names, route.url(), content, draw(_headers), value.text)


_raws: Final = st.one_of(
    st.sampled_from([one.raw for one in VALUES if one.name != "1 MB"]), _JSON.map(sent)
)
_headers: Final = st.sampled_from(
    ((), (("accept-language", b"en"),), (("x-request-id", b"\xff"),), (("idempotency-key", b""),))
)


def _overlap(one: Place, other: Place) -> bool:
    short = min(len(one), len(other))
    return one[:short] == other[:short]


@st.composite
def _addresses(draw: st.DrawFn, arena: Range, route: Operation) -> Shot:
    """Draw a query with a parameter that is none, among others that may be anything."""
    known = query_names(arena, route)
    unknown = draw(_UNKNOWN.filter(lambda name: name not in known))
    chosen: list[Any] = [draw(st.tuples(st.just(unknown), _parts))]
    if known:
        chosen += draw(st.lists(st.tuples(st.sampled_from(known), _parts), max_size=4))
    query = "&".join(f"{_quoted(name)}={raw}" for name, raw in draw(st.permutations(chosen)))
    on_paths = [shot.url.partition("?")[0] for shot in path_shots(arena, route)]
    path = draw(st.sampled_from([route.path, *on_paths]))
    url = route._replace(path=path).url(query)
    return Shot("query:", query[:200], url, good_content(route), draw(_headers))


def _quoted(text: str) -> str:
    return escaped(TEXTS[0]._replace(text=text))


_parts: Final = st.sampled_from([raw for _, raw, _ in IN_QUERY]) | st.text(max_size=20).map(_quoted)
