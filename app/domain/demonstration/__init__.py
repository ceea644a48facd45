"""Synthetic values for real communes of Phú Thọ (units of 2024); none of them is a real figure.

Codes and names of the communes: package vietnamadminunits 1.0.4 (MIT, Copyright (c) 2025 Tran
Ngoc Minh Hieu).
"""

from __future__ import annotations

from importlib import resources
from typing import Final

RULESET: Final = "phutho.commune"
FILE: Final = "phu_tho_2024.csv"


def content() -> bytes:
    """Return the facts file as shipped."""
    return resources.files(__name__).joinpath(FILE).read_bytes()
