"""The demonstration: verdicts for real communes on synthetic values that say so."""

from __future__ import annotations

from importlib import resources

from app.cli.console import language, out, phrase
from app.cli.evaluate import judge_all, read_json_subjects
from app.cli.tables import details, summary
from app.rules.registry import Registry

RULESET = "phutho.commune"
FILE = "phu_tho_2024.json"


def show(registry: Registry) -> None:
    """Print the summary of all demonstration communes and one verdict in full."""
    content = resources.files("app.domain.demonstration").joinpath(FILE).read_bytes()
    subjects = read_json_subjects(FILE, content)
    verdicts = judge_all(registry, RULESET, subjects, FILE)
    console = out()
    console.print(
        phrase(
            "Số liệu minh hoạ là giả định, không phải số liệu thật của các xã.",
            "The demonstration values are synthetic, not real figures of these communes.",
        ),
        style="yellow",
    )
    console.print(summary(verdicts, language()))
    shown = next((one for one in verdicts if one["outcome"] == "not_met"), verdicts[0])
    console.print(details(shown, language()))
