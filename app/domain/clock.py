"""The time in Vietnam, by which days begin and end."""

from __future__ import annotations

import datetime
from typing import Final

VIETNAM_TIME: Final = datetime.timezone(datetime.timedelta(hours=7))  # UTC+7 all year
