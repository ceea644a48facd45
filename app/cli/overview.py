"""Many verdicts at a glance: outcomes by ruleset and period, and the criteria that fail most."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from rich.table import Table
from rich.text import Text as Styled

from app.cli.console import language, phrase, plain
from app.cli.tables import outcome
from app.domain.evaluations.conduct import Conducted
from app.rules.registry import Registry
from app.rules.stored import leaf_outcomes
from app.rules.vocabulary import MET, NO_CRITERION, NOT_APPLICABLE, NOT_MET, UNDETERMINED

_SHOWN: Final = (MET, NOT_MET, UNDETERMINED)
_BAR: Final = 24
_MOST: Final = 6


def outcomes(verdicts: Mapping[tuple[str, str], Sequence[Conducted]]) -> Table:
    """Return one row per ruleset and period: how many units came out how."""
    title = phrase("Kết luận theo bộ quy tắc và kỳ", "Outcomes by ruleset and period")
    table = Table(title=title, title_justify="left")
    table.add_column(phrase("Bộ quy tắc", "Ruleset"), no_wrap=True)
    table.add_column(phrase("Kỳ", "Period"))
    table.add_column(phrase("Đơn vị", "Units"), justify="right")
    for word in _SHOWN:
        table.add_column(outcome(word, language()), justify="right")
    table.add_column("", no_wrap=True)
    for (ruleset, period), found in verdicts.items():
        counted = Counter(_whole(one) for one in found)
        table.add_row(
            ruleset,
            period,
            str(len(found)),
            *(str(counted[word]) for word in _SHOWN),
            _bar([(counted[word], style) for word, style in _STYLES], len(found)),
        )
    return table


def hardest(found: Sequence[Conducted], registry: Registry, spoken: str) -> Table:
    """Return the criteria without children that the most units do not meet."""
    failed: Counter[str] = Counter()
    for one in found:
        failed.update(id_ for id_, word in leaf_outcomes(one.judgement).items() if word == NOT_MET)
    ruleset = found[0].judgement.ruleset
    title = phrase("Tiêu chí khó nhất: ", "The hardest criteria: ") + ruleset
    table = Table(title=title, title_justify="left")
    table.add_column(phrase("Tiêu chí", "Criterion"), no_wrap=True)
    table.add_column(phrase("Nội dung", "Text"), ratio=1)
    table.add_column(phrase("Không đạt", "Not met"), justify="right")
    table.add_column("", no_wrap=True)
    texts = {one.id: one.text for one in registry.entries[ruleset].ruleset.walk()}
    for id_, count in sorted(failed.items(), key=lambda pair: (-pair[1], pair[0]))[:_MOST]:
        bar = _bar([(count, "red")], len(found))
        table.add_row(id_, plain(getattr(texts[id_], spoken)), f"{count}/{len(found)}", bar)
    return table


_STYLES: Final = (
    (MET, "green"),
    (NOT_MET, "red"),
    (UNDETERMINED, "yellow"),
    (NOT_APPLICABLE, "dim"),
    (NO_CRITERION, "cyan"),
)


def _whole(one: Conducted) -> str:
    """Return the outcome; where the document states no rule, the computed summary."""
    return one.judgement.all_items or one.judgement.outcome


def _bar(parts: Sequence[tuple[int, str]], total: int) -> Styled:
    bar, drawn, counted = Styled(), 0, 0
    for count, style in parts:
        counted += count
        until = round(_BAR * counted / total)
        bar.append("█" * (until - drawn), style)
        drawn = until
    return bar
