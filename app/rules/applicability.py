"""Does the document speak of this unit on this day?

Applicability is shown beside a verdict and never changes an outcome; only the exemption of
communes chosen by the centre (3445, 2.1 and 2.2) makes criteria not applicable.
"""

from __future__ import annotations

import datetime
import functools
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


def applicability(ruleset: Ruleset, inputs: Inputs) -> str:
    """Return the status of the document for the unit and day: scope, then issue, then period."""
    if inputs.scope in ("out_of_scope", "partly_in_scope"):
        return inputs.scope
    first, last = issue_window(ruleset.document.issued)
    since, until = ruleset.in_force.since, ruleset.in_force.until
    if inputs.as_of < max(first, since or first):
        return "before_issue"
    if until is not None and inputs.as_of > until:
        return "after_period"
    # Within a blank day of issue nothing is known, unless the document names its period.
    if until is None or (since is None and inputs.as_of < last):
        return "not_stated"
    return "in_period"


@functools.cache
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
