"""A candidate by changed thresholds: the ruleset as data with other numbers in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from app.domain.refusals import Complaint, Refused
from app.rules.errors import Text
from app.rules.evaluate import Compiled, snapshot
from app.rules.facts import LARGEST_COUNT, printable
from app.rules.registry import Entry
from app.rules.ruleset import Criterion
from app.rules.stored import rebuild
from app.rules.verdict import canonical

_HIGHEST: Final = Decimal(1_000_000)  # percent, where a numerator may exceed its denominator
Data = dict[str, Any]


class Change(msgspec.Struct, frozen=True):
    """Another threshold for a criterion, or for one branch of it, named as verdicts name it."""

    criterion: str
    threshold: Decimal
    branch: str | None = None


def changed(entry: Entry, changes: Sequence[Change]) -> Compiled:
    """Return the ruleset with other thresholds; raise Refused with all that is wrong with them."""
    compiled = entry.compiled
    data: Data = msgspec.json.decode(snapshot(compiled.ruleset, compiled.indicators))
    criteria = {one.id: one for one in compiled.ruleset.walk()}
    written = {one["id"]: one for one in _below(data["ruleset"])}
    complaints: list[Complaint] = []
    seen: set[tuple[str, str | None]] = set()
    for number, change in enumerate(changes):
        place = f"/changes/{number}"
        criterion = criteria.get(change.criterion)
        found = list(_wrong(compiled, criterion, change, place))
        if (change.criterion, change.branch) in seen:
            found.append(Complaint(f"{place}/criterion", "wrong-value", _twice(change)))
        seen.add((change.criterion, change.branch))
        complaints += found
        if not found:
            _apply(written[change.criterion], change)
    if complaints:
        raise Refused(complaints)
    return rebuild(canonical(data), entry.parsed.pack.checks)


def _below(data: Data) -> Iterator[Data]:
    for one in data["criteria"]:
        yield one
        yield from _below(one)


def _wrong(
    compiled: Compiled, criterion: Criterion | None, change: Change, place: str
) -> Iterator[Complaint]:
    if criterion is None:
        yield Complaint(f"{place}/criterion", "unknown-criterion", _unknown(compiled, change))
        return
    required = criterion.required
    if required is None:
        yield Complaint(f"{place}/criterion", "no-threshold", _no_threshold(change))
        return
    branches = [one.text for one in required.branches]
    if change.branch not in (branches or (None,)):
        yield Complaint(f"{place}/branch", "wrong-value", _branches(change, branches))
    if message := _out_of_range(compiled, criterion, change.threshold):
        yield Complaint(f"{place}/threshold", "out-of-range", message)


def _out_of_range(compiled: Compiled, criterion: Criterion, threshold: Decimal) -> Text | None:
    """Say what a threshold of the criterion can be, where this one cannot be its threshold."""
    unit = criterion.required and criterion.required.unit
    most = Decimal(LARGEST_COUNT)
    if unit == "percent":
        code = criterion.indicator
        exceeds = code and compiled.indicators[code].numerator_may_exceed_denominator
        most = _HIGHEST if exceeds else Decimal(100)
    whole = unit == "count" or bool(criterion.every_reading)
    if 0 <= threshold <= most and (not whole or threshold == int(threshold)):
        return None
    kinds = ("số nguyên", "an integer") if whole else ("số", "a number")
    return Text(
        f"ngưỡng của {criterion.id} là một {kinds[0]} từ 0 đến {most}",
        f"the threshold of {criterion.id} is {kinds[1]} from 0 to {most}",
    )


def _apply(written: Data, change: Change) -> None:
    """Write a threshold into the data of a criterion, and into every reading that repeats it.

    What asks for all of a share (= 100 %) asks for at least as much when it asks for less.
    """
    required, value = written["required"], f"{change.threshold:f}"
    if (required["operator"], required["unit"]) == ("=", "percent") and change.threshold < 100:
        required["operator"] = ">="
    if change.branch is not None:
        for branch in required["branches"]:
            if branch["text"] == change.branch:
                branch["value"] = value
        return
    before = required["value"]
    required["value"] = value
    for reading in written["every_reading"]:
        _replace(reading["condition"], Decimal(before), int(change.threshold))


def _replace(condition: Data, before: Decimal, after: int) -> None:
    if condition["at_least"] is not None and condition["at_least"] == before:
        condition["at_least"] = after
    for part in (*(condition["all"] or ()), *(condition["any"] or ())):
        _replace(part, before, after)


def thresholds(compiled: Compiled) -> Mapping[str, Criterion]:
    """Return the criteria of a ruleset that have a threshold, by id."""
    return {one.id: one for one in compiled.ruleset.walk() if one.required}


def _unknown(compiled: Compiled, change: Change) -> Text:
    id_, shown = compiled.ruleset.ruleset, printable(change.criterion)
    known = ", ".join(thresholds(compiled)) or "-"
    return Text(
        f"{id_} không có tiêu chí “{shown}”; các tiêu chí có ngưỡng: {known}",
        f"{id_} has no criterion “{shown}”; those with a threshold are: {known}",
    )


def _no_threshold(change: Change) -> Text:
    return Text(
        f"tiêu chí {change.criterion} không có ngưỡng bằng số để đổi; hãy gửi ruleset_file nếu "
        "muốn đổi cách xét",
        f"the criterion {change.criterion} has no threshold to change; send a ruleset_file to "
        "change what it asks for",
    )


def _branches(change: Change, branches: Sequence[str]) -> Text:
    if not branches:
        return Text(
            f"ngưỡng của {change.criterion} không chia theo phân loại địa bàn; hãy bỏ branch",
            f"the threshold of {change.criterion} does not depend on an area class; leave branch "
            "out",
        )
    known = "; ".join(f"“{one}”" for one in branches)
    return Text(
        f"ngưỡng của {change.criterion} chia theo phân loại địa bàn; hãy ghi branch là một trong: "
        f"{known}",
        f"the threshold of {change.criterion} depends on the area class; give branch as one of: "
        f"{known}",
    )


def _twice(change: Change) -> Text:
    return Text(
        f"ngưỡng của {change.criterion} được đổi hai lần; chỉ ghi một lần",
        f"the threshold of {change.criterion} is changed twice; give it once",
    )
