"""Verdicts as tables a person reads: outcome, observed, required, what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from rich.table import Table
from rich.text import Text as Styled

from app.cli.console import plain
from app.rules.vocabulary import APPLICABILITY, BASES, OUTCOMES, REASONS

_STYLES: Final = {
    "met": "green",
    "not_met": "red",
    "undetermined": "yellow",
    "not_applicable": "dim",
    "no_criterion": "cyan",
    "no_overall_rule": "cyan",
}
_MARKS: Final = {
    "met": "✔",
    "not_met": "✘",
    "undetermined": "?",
    "not_applicable": "–",
    "no_criterion": "·",
    "no_overall_rule": "·",
}


def summary(verdicts: Iterable[Mapping[str, Any]], language: str) -> Table:
    """Return one row per unit: outcome, top criteria, leaf counts."""
    verdicts = list(verdicts)
    vi = language == "vi"
    table = Table(
        title=plain(_title(verdicts[0], language)) if verdicts else None, title_justify="left"
    )
    table.add_column("Đơn vị" if vi else "Unit")
    table.add_column("Kết luận" if vi else "Outcome")
    tops = verdicts[0]["criteria"] if verdicts else []
    tops = tops if len(tops) <= 12 else []
    for top in tops:
        table.add_column(top["id"].removeprefix(verdicts[0]["ruleset"]["id"].split(".")[0] + "."))
    for heading in ("✔", "✘", "?"):
        table.add_column(heading, justify="right")
    for verdict in verdicts:
        counts = verdict["counts"]
        table.add_row(
            plain(unit_name(verdict["unit"])),
            _whole(verdict, language),
            *(
                outcome(one["outcome"], language, short=True)
                for one in verdict["criteria"][: len(tops)]
            ),
            *(str(counts[key]) for key in ("met", "not_met", "undetermined")),
        )
    return table


def details(verdict: Mapping[str, Any], language: str) -> Table:
    """Return every criterion of one verdict with observed, required, reason and gap."""
    vi = language == "vi"
    status = verdict["applicability"]["status"]
    caption = f"{getattr(BASES[verdict['basis']], language)}"
    if status != "in_period":
        caption += f" · {getattr(APPLICABILITY[status], language)}"
    if verdict["unused_facts"]:
        caption += f" · {'không dùng' if vi else 'not used'}: {', '.join(verdict['unused_facts'])}"
    table = Table(
        title=plain(f"{unit_name(verdict['unit'])}: ") + _whole(verdict, language),
        title_justify="left",
        caption=plain(caption),
        caption_justify="left",
    )
    table.add_column("Tiêu chí" if vi else "Criterion", no_wrap=True)
    table.add_column("Kết quả" if vi else "Outcome")
    table.add_column("Nội dung" if vi else "Text", ratio=3)
    table.add_column("Số liệu" if vi else "Observed", no_wrap=True)
    table.add_column("Yêu cầu" if vi else "Required", no_wrap=True)
    table.add_column("Lý do, còn thiếu" if vi else "Reason, gap", ratio=2)
    for depth, criterion in _flat(verdict["criteria"], 0):
        table.add_row(
            plain("  " * depth + criterion["id"]),
            outcome(criterion["outcome"], language),
            plain(_clip(criterion["text"][language] if "text" in criterion else "")),
            plain(observed(criterion["observed"], language)),
            plain(threshold(criterion["required"])),
            plain(why(criterion, language)),
        )
    return table


def outcome(word: str, language: str, short: bool = False) -> Styled:
    """Return an outcome with its mark and colour."""
    label = _MARKS[word] if short else f"{_MARKS[word]} {getattr(OUTCOMES[word], language)}"
    return Styled(label, style=_STYLES[word])


def observed(found: Mapping[str, Any] | None, language: str) -> str:
    """Return what was observed, counts first."""
    if found is None:
        return ""
    if "counts_known" not in found:
        value = found["value"]
        if isinstance(value, bool):
            yes, no = ("có", "không") if language == "vi" else ("yes", "no")
            return yes if value else no
        return ", ".join(value) if isinstance(value, list) else str(value)
    if found["numerator"] is None:
        return f"≈ {found['percent']}%"
    percent = f" = {found['percent']}%" if found["percent"] is not None else ""
    return f"{found['numerator']}/{found['denominator']}{percent}"


def threshold(found: Mapping[str, Any] | None) -> str:
    """Return the threshold as read."""
    if found is None:
        return ""
    unit = "%" if found["unit"] == "percent" else ""
    values = [found["value"]] if found["value"] else [one["value"] for one in found["branches"]]
    return " / ".join(f"{found['operator']} {value}{unit}" for value in values)


def why(criterion: Mapping[str, Any], language: str) -> str:
    """Return the reasons and the gap in words; of a group only where it has no children's."""
    parts = []
    if not criterion["criteria"]:
        parts = [getattr(REASONS[reason], language) for reason in criterion["reasons"]]
    if criterion["gap"]:
        more, of = criterion["gap"]["more"], criterion["gap"]["of"]
        parts.append(f"cần thêm {more}: {of}" if language == "vi" else f"{more} more: {of}")
    if criterion["coverage"]:
        found = criterion["coverage"]
        reported, present = ("có báo cáo", "có") if language == "vi" else ("reported", "present")
        parts.append(
            f"{found['reported']}/{found['items']} {reported}, {found['present']} {present}"
        )
    return "; ".join(parts)


def unit_name(unit: Mapping[str, Any]) -> str:
    """Return name and code of a unit, as far as they are known."""
    name, code = unit.get("name"), unit.get("code")
    if name and code:
        return f"{name} ({code})"
    return str(name or code or unit["level"])


def _title(verdict: Mapping[str, Any], language: str) -> str:
    ruleset = verdict["ruleset"]
    return f"{ruleset['title'][language]} - {ruleset['document']['short']}"


def _whole(verdict: Mapping[str, Any], language: str) -> Styled:
    """Return the outcome; where the document states no rule, the computed summary beside it."""
    shown = outcome(verdict["outcome"], language)
    if verdict["all_items"] is None:
        return shown
    label = "; các mục: " if language == "vi" else "; all items: "
    return shown + Styled(label) + outcome(verdict["all_items"], language)


def _flat(
    criteria: Iterable[Mapping[str, Any]], depth: int
) -> Iterable[tuple[int, Mapping[str, Any]]]:
    for criterion in criteria:
        yield depth, criterion
        yield from _flat(criterion["criteria"], depth + 1)


def _clip(text: str, limit: int = 72) -> str:
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
