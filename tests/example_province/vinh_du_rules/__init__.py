"""Rulesets of Vĩnh Dụ, an invented province: the YAML files beside this one, and one check.

The package imports nothing of the service that reads it.
"""

from __future__ import annotations

from collections.abc import Mapping


def full_shifts(observed: int, required: Mapping[str, int]) -> bool:
    """Tell whether the opening hours of a week are whole shifts, and enough of them."""
    shifts, left_over = divmod(observed, required["hours_per_shift"])
    return left_over == 0 and shifts >= required["shifts"]


CHECKS = {"full_shifts": full_shifts}
