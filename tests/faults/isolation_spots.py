"""Units of every relation, who calls, what is granted, and who may therefore see what.

That follows from the files of the register, not from the service's own code.
"""

from __future__ import annotations

import csv
import functools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import app.domain.register as register_files

Item = dict[str, Any]
CANARY: Final = re.compile(r"CNQ(\d\d)([A-Z][a-z0-9]?)Z|7700770(\d\d)07700(\d)")
FIRST: Final = {"hamlet": "admin_dossiers_submitted_online_hamlet_rate",
                "commune": "digital_skills_classes_count",
                "district": "district_has_linkage_model",
                "province": "communes_ntm_8_4_rate"}  # fmt: skip
SECOND: Final = {"hamlet": "hamlet_digital_team_established",
                 "commune": "commune_has_cooperative",
                 "district": "district_ntm_9_5_met",
                 "province": "linkage_models_digital_rate"}  # fmt: skip
NATION: Final = "nation"


class Spot(NamedTuple):
    """A unit with data of its own, and what it is judged by."""

    tag: str
    key: str
    rulesets: tuple[str, ...] = ()

    @property
    def level(self) -> str:
        """Its level."""
        return self.key.partition("-")[0]

    @property
    def now(self) -> bool:
        """Tell whether it exists today."""
        return self.key.endswith("-2025") or self.level == "hamlet"

    @property
    def period(self) -> str:
        """A year in which it exists."""
        return "2026" if self.now else "2024"

    def says(self, kind: str) -> str:
        """Return its canary of a kind."""
        return f"CNQ{self.tag}{kind}Z"


_PHU_THO: Final = ("phutho.commune", "bnn3445.selection.smart")
_ANY: Final = ("bnn3445.selection.smart", "bnn3445.content.smart")
SPOTS: Final[Mapping[str, Spot]] = {
    "A": Spot("01", "commune-07948-2025", _PHU_THO),
    "B": Spot("02", "commune-08152-2025", _PHU_THO),
    "H": Spot("03", "hamlet-07948-2025-01"),  # in A
    "P": Spot("04", "province-25-2025", ("bnn3445.province",)),  # above A and B
    "O": Spot("05", "commune-07960", _ANY),  # became a part of A
    "D": Spot("06", "district-228", ("phutho.district",)),  # was above O
    "N": Spot("07", "commune-07957", _ANY),  # was beside O, became a part of another one
    "Q": Spot("08", "province-25", ("bnn3445.province",)),  # was above D, became a part of P
    "R": Spot("09", "commune-29266-2025", _ANY),
    "V": Spot("10", "province-86-2025", ("bnn3445.province",)),  # above R
    "T": Spot("11", "province-84", ("travinh.province", "bnn3445.province")),  # a part of V
    "U": Spot("12", "commune-29266", ("travinh.commune", "bnn3445.selection.smart")),  # was in T
    "W": Spot("13", "commune-00004-2025", _ANY),
}
BY_TAG: Final = {spot.tag: name for name, spot in SPOTS.items()}
# Those who call; the receivers of grants sit in W's neighbour, far from everything.
_AFAR: Final = "commune-00008-2025"
UNITS_OF: Final[Mapping[str, str]] = {
    **{name: SPOTS[name].key for name in "ABPODVTRW"},
    **dict.fromkeys(("all", "values", "narrowed", "ended", "revoked"), _AFAR),
    NATION: "nation",
}
_WHOLE: Final = frozenset({"V1", "V2", "E1", "E2"})
_VALUES: Final = frozenset({"V1", "V2"})
# What a grant opens besides its purpose; A opens what it was made of, and its hamlets.
OPENED: Final[Mapping[str, Mapping[str, frozenset[str]]]] = {
    "all": dict.fromkeys("AOH", _WHOLE),
    "values": dict.fromkeys("AOH", _VALUES),
    "narrowed": {"A": frozenset({"V1", "E1"}), "O": frozenset({"V1"})},
    "R": {"B": _WHOLE},
}
GRANTS: Final[Mapping[str, tuple[str, Item]]] = {
    "all": ("Ga", {}),
    "values": ("Gb", {"resources": ["values"]}),
    "narrowed": ("Gc", {"indicators": [FIRST["commune"]], "rulesets": [_PHU_THO[0]]}),
    "ended": ("Gd", {}),
    "revoked": ("Ge", {}),
    "R": ("Gf", {"from_territory": SPOTS["B"].key, "to_territory": SPOTS["R"].key}),
}


# --- who may see what, by the files of the register ----------------------------------------------


@functools.cache
def _rows(name: str) -> list[dict[str, str]]:
    path = Path(str(register_files.__file__)).with_name(name)
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@functools.cache
def _above() -> dict[str, str]:
    above = {row["unit"]: row["parent_unit"] for row in _rows("units.csv")}
    return above | {SPOTS["H"].key: SPOTS["A"].key}


@functools.cache
def _line(key: str) -> frozenset[str]:
    """Return a unit and everything it descends from."""
    came = [row["from_unit"] for row in _rows("successors.csv") if row["to_unit"] == key]
    return frozenset({key}).union(*map(_line, came))


@functools.cache
def reaches(caller: str, spot: str) -> bool:
    """Tell whether a unit lies in a caller's own territory."""
    if caller == NATION:
        return True
    own, key = _line(UNITS_OF[caller]), SPOTS[spot].key
    while key in _above():
        if key in own:
            return True
        key = _above()[key]
    return False


def sees(caller: str, spot: str, kind: str) -> bool:
    """Tell whether a caller may see what is recorded of a unit: its own, or opened to it."""
    if reaches(caller, spot):
        return True
    given = GRANTS.get(caller, ("", {}))[0]
    return kind in OPENED.get(caller, {}).get(spot, ()) or (kind == given and kind != "")
