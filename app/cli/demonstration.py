"""The demonstration: verdicts for real communes on synthetic values that say so."""

from __future__ import annotations

import msgspec

from app.cli.console import language, out, phrase
from app.cli.evaluate import judge_all, read_csv_subjects
from app.cli.tables import details, summary
from app.domain import demonstration
from app.rules.registry import Registry


def show(registry: Registry) -> None:
    """Print the summary of all demonstration communes and one verdict in full."""
    ruleset, name = demonstration.RULESET, demonstration.FILE
    found = read_csv_subjects(registry, ruleset, name, demonstration.content())
    named = [
        msgspec.structs.replace(
            one,
            unit=msgspec.structs.replace(
                one.unit, name=demonstration.NAMES.get(str(one.unit.code)), type="xa"
            ),
        )
        for one in found
    ]
    verdicts = judge_all(registry, ruleset, named, name)
    shown = next((one for one in verdicts if one["outcome"] == "not_met"), verdicts[0])
    console = out()
    console.print(details(shown, language()))
    console.print(summary(verdicts, language()))
    console.print(
        phrase(
            "Số liệu minh hoạ là giả định, không phải số liệu thật của các xã.",
            "The demonstration values are synthetic, not real figures of these communes.",
        ),
        style="yellow",
    )
