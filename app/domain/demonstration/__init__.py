"""Synthetic values for real communes of Phú Thọ (units of 2024); none of them is a real figure.

Codes and names of the communes: package vietnamadminunits 1.0.4 (MIT, Copyright (c) 2025 Tran
Ngoc Minh Hieu).
"""

from __future__ import annotations

from importlib import resources
from typing import Final

RULESET: Final = "phutho.commune"
FILE: Final = "phu_tho_2024.csv"
NAMES: Final = {
    "08287": "Xã Hùng Lô",
    "08497": "Xã Tiên Kiên",
    "07975": "Xã Hùng Xuyên",
    "08533": "Xã Vĩnh Lại",
    "07921": "Xã Phượng Lâu",
    "08527": "Xã Cao Xá",
    "08686": "Xã Đồng Trung",
    "08677": "Xã Sơn Thủy",
}


def content() -> bytes:
    """Return the facts file as shipped."""
    return resources.files(__name__).joinpath(FILE).read_bytes()
