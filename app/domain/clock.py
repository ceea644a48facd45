"""The time in Vietnam, by which days begin and end."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Final

VIETNAM_TIME: Final = datetime.timezone(datetime.timedelta(hours=7))  # UTC+7 all year


def today() -> datetime.date:
    """Return the day it is in Vietnam."""
    return datetime.datetime.now(VIETNAM_TIME).date()


def clock_of(day: datetime.date | None) -> Callable[[], datetime.date]:
    """Return what says which day it is: a day that stands still, or today."""
    return today if day is None else lambda: day
