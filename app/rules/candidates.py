"""Candidates: rulesets that nobody installed, checked like a pack's, to see what they would change.

A candidate is data alone: it ships no checks of its own. Its indicators join the catalogue; cases
are worked where it has any, and none is demanded. What comes from outside is bounded before it is
compiled: numbers, depth, places, members of cases.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from app.rules.cases import Case
from app.rules.casework import CaseFault, disagreements, work_out
from app.rules.errors import Fault, RulesetFaults, Text
from app.rules.evaluate import Compiled, codes_in
from app.rules.indicators import Indicator
from app.rules.names import indicator_faults, placed, ruleset_faults
from app.rules.packs import PackSource, Parsed, Place, SourceFile, parse
from app.rules.registry import Registry
from app.rules.ruleset import Ruleset

MOST_PLACES: Final = 20_000  # keys and items of a file
_DEEPEST: Final = 40
_LARGEST: Final = 15  # digits before or after the decimal point
_MOST_MEMBERS: Final = 20_000  # of all cases together


def candidate(registry: Registry, source: SourceFile) -> Compiled:
    """Check and compile the ruleset of one file; raise RulesetFaults with every fault.

    It may have the id of an installed ruleset, in whose place it is looked at, or a new one.
    """
    faults = list(_excesses(source))
    if faults:
        raise RulesetFaults(faults)
    found = parse(PackSource(source.path, source.path, (source,)), source, faults)
    if found is None or not isinstance(found.model, Ruleset):
        raise RulesetFaults(faults or [source.fault((), "not-a-ruleset", _NO_RULESET)])
    ruleset = found.model
    catalogue = {**registry.indicators, **{one.code: one for one in ruleset.indicators}}
    faults += _redefined(found, ruleset, registry.indicators)
    faults += _taken(found, ruleset, registry)
    slips = list(indicator_faults(found, catalogue))
    named = list(ruleset_faults(found, ruleset, catalogue))
    faults += [fault for _, fault in slips] + named
    if named or {code for code, _ in slips} & codes_in(ruleset):
        raise RulesetFaults(faults)
    compiled = Compiled(ruleset, catalogue, {})
    faults += _failed_cases(found, ruleset, compiled)
    if faults:
        raise RulesetFaults(faults)
    return compiled


def _excesses(source: SourceFile) -> Iterator[Fault]:
    """Yield what is more than any document needs, and more than is compiled for a stranger."""
    if len(source.lines) > MOST_PLACES:
        yield source.fault((), "too-large", _TOO_LARGE)
    elif any(len(place) > _DEEPEST for place in source.lines):
        yield source.fault((), "too-large", _TOO_DEEP)
    else:
        for place, number in _numbers(source.data, ()):
            if _excessive(number):
                yield source.fault(place, "out-of-range", _TOO_LONG)


def _numbers(data: Any, place: Place) -> Iterator[tuple[Place, int | Decimal]]:
    if isinstance(data, dict | list):
        for part, below in data.items() if isinstance(data, dict) else enumerate(data):
            yield from _numbers(below, (*place, part))
    elif isinstance(data, Decimal) or type(data) is int:
        yield place, data


def _excessive(number: int | Decimal) -> bool:
    if isinstance(number, int):
        return abs(number) >= 10**_LARGEST
    exponent = number.as_tuple().exponent
    return number.adjusted() >= _LARGEST or not isinstance(exponent, int) or exponent < -_LARGEST


def _redefined(found: Parsed, ruleset: Ruleset, known: Mapping[str, Indicator]) -> Iterator[Fault]:
    seen: dict[str, Indicator] = dict(known)
    for number, indicator in enumerate(ruleset.indicators):
        if seen.setdefault(indicator.code, indicator) != indicator:
            message = Text(
                f"chỉ số “{indicator.code}” đã được khai báo khác; hãy dùng mã mới",
                f"the indicator “{indicator.code}” is defined differently already; use a new code",
            )
            place: Place = ("indicators", number, "code")
            yield found.source.fault(place, "redefined-indicator", message)


def _taken(found: Parsed, ruleset: Ruleset, registry: Registry) -> Iterator[Fault]:
    """Yield the ids that are used twice, or by an installed ruleset in whose place it is not."""
    seen = {
        id_
        for entry in registry.entries.values()
        if entry.ruleset.ruleset != ruleset.ruleset
        for id_ in (entry.ruleset.ruleset, *(one.id for one in entry.ruleset.walk()))
    }
    for place, id_ in _ids(ruleset):
        if id_ in seen:
            message = Text(
                f"mã “{id_}” đã được dùng; mỗi mã chỉ dùng một lần",
                f"the id “{id_}” is taken; an id is used once",
            )
            yield found.source.fault(place, "duplicate-id", message)
        seen.add(id_)


def _ids(ruleset: Ruleset) -> Iterator[tuple[Place, str]]:
    yield ("ruleset",), ruleset.ruleset
    for place, criterion in placed(ruleset):
        yield (*place, "id"), criterion.id


def _failed_cases(found: Parsed, ruleset: Ruleset, compiled: Compiled) -> Iterator[Fault]:
    named = {case.case: case for case in ruleset.cases}
    members = 0
    for number, case in enumerate(ruleset.cases):
        place: Place = ("cases", number)
        members += sum(one.times for one in case.members or ())
        if members > _MOST_MEMBERS:
            yield found.source.fault((*place, "members"), "too-large", _TOO_MANY_MEMBERS)
        else:
            yield from _worked(found, place, case, named, compiled)


def _worked(
    found: Parsed, place: Place, case: Case, named: Mapping[str, Case], compiled: Compiled
) -> Iterator[Fault]:
    try:
        worked = work_out(case, named, compiled)
        judgement = compiled.evaluate(worked.inputs)
    except CaseFault as error:
        yield found.source.fault((*place, *error.place), "case-unusable", error.message)
        return
    for what, expected, got in disagreements(worked, judgement):
        message = Text(
            f"{what}: cần {expected}, kết quả là {got}", f"{what}: expected {expected}, got {got}"
        )
        yield found.source.fault(place, "case-failed", message)


_NO_RULESET: Final = Text(
    "tệp phải là một bộ quy tắc (khoá ruleset ở mức ngoài cùng)",
    "the file must be a ruleset (with the key ruleset at its top)",
)
_TOO_LARGE: Final = Text(
    f"tệp có hơn {MOST_PLACES} mục; hãy chia nhỏ",
    f"the file has more than {MOST_PLACES} keys and items; make it smaller",
)
_TOO_DEEP: Final = Text(
    f"tệp lồng nhau quá {_DEEPEST} mức; hãy bớt mức",
    f"the file is nested deeper than {_DEEPEST} levels; use fewer",
)
_TOO_LONG: Final = Text(
    f"số có quá {_LARGEST} chữ số; hãy kiểm tra lại",
    f"the number has more than {_LARGEST} digits; check it",
)
_TOO_MANY_MEMBERS: Final = Text(
    f"các trường hợp có tất cả hơn {_MOST_MEMBERS} đơn vị thành viên; hãy giảm times hoặc bớt "
    "trường hợp",
    f"the cases have more than {_MOST_MEMBERS} members together; lower times or leave cases out",
)
