"""Five synthetic rulesets for every commune of the country, as files of the pack format."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any, Final

import yaml

from app.rules.indicators import Indicator
from app.rules.registry import Registry
from bench.load.filling import indicators

RULESETS: Final = tuple(f"bench.commune.{number}" for number in range(1, 6))
CRITERIA: Final = 20
# By kind: a fact that is enough, and one that is not.
_FACTS: Final[dict[str, tuple[Any, Any]]] = {
    "boolean": (True, False), "count": (10, 9), "ratio": ("50/100", "49/100"),
}  # fmt: skip
_WORDS: Final = {"vi": "Bộ quy tắc giả định", "en": "Synthetic ruleset"}


def write(folder: Path, registry: Registry) -> None:
    """Write the rulesets; each reads other indicators, as far as there are."""
    measured = [registry.indicators[code] for code in indicators(registry)]
    usable = [one for one in measured if one.kind in _FACTS and one.derived is None]
    folder.mkdir(exist_ok=True)
    for number, id_ in enumerate(RULESETS):
        first = number * CRITERIA % (len(usable) - CRITERIA)
        read = usable[first : first + CRITERIA]
        text = yaml.safe_dump(_ruleset(id_, read), allow_unicode=True, sort_keys=False)
        (folder / f"{id_}.yaml").write_text(text, "utf-8")


def _ruleset(id_: str, read: list[Indicator]) -> dict[str, Any]:
    return {
        "ruleset": id_,
        "version": "1",
        "level": "commune",
        "title": _WORDS,
        "document": {
            "number": "0/BENCH",
            "title": _WORDS["vi"],
            "short": "Văn bản giả định 0/BENCH",
            "issuer": "-",
            "issued": "2025-07-01",
            "source_grade": "secondary",
        },
        "in_force": {"until": datetime.date(2030, 12, 31)},
        "scope": {"country": True},
        "overall": "explicit",
        "criteria": [_criterion(f"{id_}.{n:02}", one) for n, one in enumerate(read, 1)],
        "cases": [
            _case(id_, "đủ", {one.code: _FACTS[one.kind][0] for one in read}, "met"),
            _case(id_, "thiếu", {one.code: _FACTS[one.kind][1] for one in read}, "not_met"),
            _case(id_, "chưa có số liệu", {}, "undetermined"),
        ],
    }


def _criterion(id_: str, one: Indicator) -> dict[str, Any]:
    found: dict[str, Any] = {
        "id": id_,
        "text": {"vi": one.name.vi, "en": one.name.en},
        "section": "Điều 1",
        "indicator": one.code,
    }
    if one.kind == "ratio":
        found["required"] = _at_least(50, "percent")
    elif one.kind == "count":
        found["required"] = _at_least(10, "count")
    return found


def _at_least(value: int, unit: str) -> dict[str, Any]:
    return {"operator": ">=", "value": value, "unit": unit, "as_written": f"từ {value}"}


def _case(id_: str, name: str, facts: dict[str, Any], outcome: str) -> dict[str, Any]:
    return {"case": name, "ruleset": id_, "facts": facts, "expect": {"*": outcome}}
