"""What files of ours are known by when they come back: one part writes it, another one reads it."""

from __future__ import annotations

from typing import Final

XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
TRAILER: Final = "#sha256"  # begins the last row of an export, which tells that it is whole
# The hidden sheet of a template; who reads it refuses a format that it does not know.
IDENTITY_SHEET: Final = "_ntm"
IDENTITY_MARK: Final = "ntm-template"
IDENTITY_FORMAT: Final = 1
