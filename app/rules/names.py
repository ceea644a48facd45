"""Do the names in a pack mean anything? Unknown indicators, kinds that do not fit, shadowing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from app.rules.errors import Fault, Text
from app.rules.indicators import Condition, Indicator, Share
from app.rules.packs import PackSource, Parsed, Place
from app.rules.ruleset import Criterion, Ruleset
from app.rules.vocabulary import RESERVED_WORDS

_REQUIRED_KIND = {"percent": "ratio", "count": "count"}


def indicator_faults(
    parsed: Parsed, catalogue: Mapping[str, Indicator]
) -> Iterator[tuple[str, Fault]]:
    """Yield what is wrong with the names inside the indicators of a file.

    With each fault comes the code of the share that cannot be compiled for it, or "".
    """
    indicators: tuple[Indicator, ...] = getattr(parsed.model, "indicators", ())
    for index, indicator in enumerate(indicators):
        inside: Place
        place: Place = ("indicators", index)
        for number, other in enumerate(indicator.look_alikes):
            if other.code not in catalogue:
                inside = (*place, "look_alikes", number, "code")
                yield "", _unknown(parsed, inside, other.code)
        if indicator.derived:
            inside = (*place, "derived")
            for fault in _share_faults(parsed, inside, indicator.derived, catalogue):
                yield (indicator.code if catalogue[indicator.code] is indicator else ""), fault


def ruleset_faults(
    parsed: Parsed, ruleset: Ruleset, catalogue: Mapping[str, Indicator]
) -> Iterator[Fault]:
    """Yield what is wrong with the names inside the criteria of a ruleset."""
    for place, criterion in placed(ruleset):
        yield from _leaf_faults(parsed, place, criterion, catalogue)
        for number, reading in enumerate(criterion.every_reading):
            inside = (*place, "every_reading", number, "condition")
            yield from _condition_faults(parsed, inside, reading.condition, catalogue)
        for number, other in enumerate(criterion.reading.alternatives if criterion.reading else ()):
            inside = (*place, "reading", "alternatives", number, "condition")
            yield from _condition_faults(parsed, inside, other.condition, catalogue)


def check_faults(pack: PackSource) -> Iterator[Fault]:
    """Yield the checks of a pack that take the name of a word of the format, or are no function."""
    for name, check in pack.checks.items():
        if name in RESERVED_WORDS:
            yield Fault(
                pack.name, None, f"CHECKS[{name!r}]", "shadowed-word",
                Text(
                    f"“{name}” là từ của định dạng; hãy đặt tên khác cho phép kiểm tra",
                    f"“{name}” is a word of the format; give the check another name",
                ),
            )  # fmt: skip
        elif not callable(check):
            yield Fault(
                pack.name, None, f"CHECKS[{name!r}]", "not-a-function",
                Text("phải là một hàm (observed, required) -> bool",
                     "must be a function (observed, required) -> bool"),
            )  # fmt: skip


def placed(ruleset: Ruleset) -> Iterator[tuple[Place, Criterion]]:
    """Yield every criterion with its place in the file."""
    waiting = [(("criteria", index), one) for index, one in enumerate(ruleset.criteria)]
    stack: list[tuple[Place, Criterion]] = list(reversed(waiting))
    while stack:
        place, criterion = stack.pop()
        yield place, criterion
        children = [
            ((*place, "criteria", index), one) for index, one in enumerate(criterion.criteria)
        ]
        stack.extend(reversed(children))


def _leaf_faults(
    parsed: Parsed, place: Place, criterion: Criterion, catalogue: Mapping[str, Indicator]
) -> Iterator[Fault]:
    codes: list[tuple[Place, str]] = []
    if criterion.indicator:
        codes.append((("indicator",), criterion.indicator))
    codes += [(("sum", number), code) for number, code in enumerate(criterion.sum)]
    for inside, code in codes:
        indicator = catalogue.get(code)
        if indicator is None:
            yield _unknown(parsed, (*place, *inside), code)
        elif wanted := _wanted_kind(criterion, indicator):
            yield _misfit(parsed, (*place, *inside), indicator, wanted)
    if criterion.check and criterion.check not in parsed.pack.checks:
        known = ", ".join(sorted(parsed.pack.checks)) or "-"
        yield parsed.source.fault(
            (*place, "check"), "unknown-check",
            Text(f"gói không có phép kiểm tra “{criterion.check}”; đang có: {known}",
                 f"the pack ships no check “{criterion.check}”; it has: {known}"),
        )  # fmt: skip
    for branch_number, branch in enumerate(
        criterion.required.branches if criterion.required else ()
    ):
        for number, code in enumerate(branch.when_any):
            inside = (*place, "required", "branches", branch_number, "when_any", number)
            if code not in catalogue:
                yield _unknown(parsed, inside, code)
            elif catalogue[code].kind != "attribute":
                yield _misfit(parsed, inside, catalogue[code], "attribute")


def _wanted_kind(criterion: Criterion, indicator: Indicator) -> str | None:
    """Return the kind the criterion needs where the indicator is of another one."""
    if criterion.sum:
        return "count" if indicator.kind != "count" else None
    if criterion.required and criterion.required.branches and indicator.derived:
        return "ratio (branches do not go with a derived share)"
    if criterion.required:
        wanted = _REQUIRED_KIND[criterion.required.unit]
        return wanted if indicator.kind != wanted else None
    if criterion.contains is not None:
        found = _has(indicator, criterion.contains)
        return None if found else f"set {{{criterion.contains}}}"
    if criterion.no_criterion or criterion.check:
        return "value" if indicator.kind in ("attribute", "designation") else None
    return "boolean" if indicator.kind not in ("boolean", "set") else None


def _condition_faults(
    parsed: Parsed, place: Place, condition: Condition, catalogue: Mapping[str, Indicator]
) -> Iterator[Fault]:
    wanted = {"count", "ratio"} if condition.at_least is not None else {"boolean", "set"}
    wanted = {"count"} if condition.sum else wanted
    for code in [condition.indicator] if condition.indicator else condition.sum or ():
        if code not in catalogue:
            yield _unknown(parsed, place, str(code))
        elif catalogue[code].kind not in wanted:
            yield _misfit(parsed, place, catalogue[code], " / ".join(sorted(wanted)))
        elif condition.contains is not None and not _has(catalogue[code], condition.contains):
            yield _misfit(parsed, place, catalogue[code], f"set {{{condition.contains}}}")
    if condition.share:
        yield from _share_faults(parsed, (*place, "share"), condition.share, catalogue)
    for word in ("all", "any"):
        for number, part in enumerate(getattr(condition, word) or ()):
            yield from _condition_faults(parsed, (*place, word, number), part, catalogue)


def _share_faults(
    parsed: Parsed, place: Place, share: Share, catalogue: Mapping[str, Indicator]
) -> Iterator[Fault]:
    yield from _condition_faults(parsed, (*place, "holds"), share.holds, catalogue)
    derived = [
        code for code in share.holds.codes() if code in catalogue and catalogue[code].derived
    ]
    if share.holds.shares() or derived:
        yield parsed.source.fault(
            (*place, "holds"), "misfit",
            Text("điều kiện của thành viên không được là một tỷ lệ suy ra khác",
                 "what holds of a member must not be another derived share"),
        )  # fmt: skip


def _has(indicator: Indicator, member: str) -> bool:
    return member in [one.code for one in indicator.members]


def _unknown(parsed: Parsed, place: Place, code: str) -> Fault:
    return parsed.source.fault(
        place, "unknown-indicator",
        Text(f"không có chỉ số “{code}” trong danh mục; xem `ntm rulesets show` hoặc khai báo nó",
             f"no indicator “{code}” in the catalogue; declare it under indicators"),
    )  # fmt: skip


def _misfit(parsed: Parsed, place: Place, indicator: Indicator, wanted: str) -> Fault:
    return parsed.source.fault(
        place, "wrong-kind",
        Text(f"{indicator.code} là kiểu {indicator.kind}, ở đây cần {wanted}",
             f"{indicator.code} is a {indicator.kind}; a {wanted} is needed here"),
    )  # fmt: skip
