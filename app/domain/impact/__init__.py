"""Impact: what a changed threshold or a candidate ruleset would change; nothing is stored.

The units of a territory are judged twice from what is on record, by the ruleset as it is and by
the candidate; those that come out differently are named.
"""

from __future__ import annotations

from typing import Final

KIND: Final = "impact"  # of the jobs that weigh it where there are many units
MOST_AT_ONCE: Final = 1_000  # units that are judged within a request; more are a job
MOST_NAMED: Final = 5_000  # changed units that an answer names; all of them are counted
