"""Does the document speak of this unit on this day?

Applicability is shown beside a verdict and never changes an outcome; only the exemption of
communes chosen by the centre (3445, 2.1 and 2.2) makes criteria not applicable.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Final

from app.rules.ruleset import Ruleset
from app.rules.verdict import Inputs


def is_exempt(ruleset: Ruleset, inputs: Inputs) -> bool:
    """Tell whether the unit was chosen by one of the deciding documents, on or before as_of."""
    exemption = ruleset.exemption
    return exemption is not None and any(
        one.model == exemption.model
        and _number(one.decision) in {_number(decision) for decision in exemption.decisions}
        and (one.date is None or one.date <= inputs.as_of)
        for one in inputs.designations
    )


def _number(decision: str) -> str:
    """Return a decision number with the one letter Đ, whatever keyboard it was typed on."""
    return decision.translate(_D_LETTERS)


# U+0110 is the letter; U+00D0 and U+0189 look the same and come from some keyboards.
_D_LETTERS: Final = str.maketrans("ÐƉ", "ĐĐ")


def compile_applicability(ruleset: Ruleset) -> Callable[[Inputs], str]:
    """Return a function that gives the document's status for unit and day: scope, issue, period."""
    first, last = issue_window(ruleset.document.issued)
    since, until = ruleset.in_force.since, ruleset.in_force.until
    starts = max(first, since) if since else first
    # Within a blank day of issue nothing is known, unless the document names its period.
    known = last if since is None else starts

    def status(inputs: Inputs) -> str:
        if inputs.scope in ("out_of_scope", "partly_in_scope"):
            return inputs.scope
        if inputs.as_of < starts:
            return "before_issue"
        if until is None:
            return "not_stated"
        if inputs.as_of > until:
            return "after_period"
        return "not_stated" if inputs.as_of < known else "in_period"

    return status


def issue_window(issued: str) -> tuple[datetime.date, datetime.date]:
    """Return the first and the last day that a date printed as `2023`, `2024-10` can mean."""
    parts = [int(part) for part in issued.split("-")]
    if len(parts) == 3:
        day = datetime.date(*parts)
        return day, day
    first = datetime.date(parts[0], parts[1] if len(parts) == 2 else 1, 1)
    following = (
        datetime.date(first.year + (first.month == 12), first.month % 12 + 1, 1)
        if len(parts) == 2
        else datetime.date(first.year + 1, 1, 1)
    )
    return first, following - datetime.timedelta(days=1)
