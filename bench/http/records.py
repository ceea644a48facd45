"""Values and verdicts on record: the requests, and what the bare service is to send."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any, Final

from app.domain.demonstration import content
from bench.http.loading import Case
from bench.http.services import Service

COMMUNE: Final = "08287"
PERIOD: Final = "2024"
BEFORE: Final = "2023"  # of the values that are loaded together: not read by the verdict
COMMUNES: Final = 50
RULESET: Final = "phutho.commune"
JUDGE: Final = json.dumps({"ruleset": RULESET, "unit": COMMUNE, "period": PERIOD}).encode()
LISTED: Final = 100
# What differs between two acts of recording the same.
OWN: Final = ("id", "created_at", "recorded_at", "by")
NAMES: Final = ("verdict", "verdicts", "values")  # of the files of what the bare service sends


def prepare(ours: Service, bare: Service, folder: Path) -> tuple[Case, ...]:
    """Put values and verdicts on record through our service; return the cases.

    Stops unless both services put the same on record and send answers of the same size.
    """
    values = json.dumps({"values": _values()}).encode()
    many = json.dumps({"values": _thousand(ours)}).encode()
    ours.ask("/v1/values", values)
    sent = {"values": ours.ask("/v1/values", many)}
    for _ in range(LISTED + 1):
        sent["verdict"] = ours.ask("/v1/evaluations", JUDGE)
    number = json.loads(sent["verdict"])["id"]
    one, listed = f"/v1/evaluations/{number}", f"/v1/evaluations?limit={LISTED}"
    sent["verdicts"] = ours.ask(listed)
    for name in NAMES:
        (folder / name).write_bytes(sent[name])
    cases = (
        Case("evaluate 20 values", "/v1/evaluations", "/evaluations", JUDGE),
        Case("one verdict", one, f"/evaluations/{number}"),
        Case("100 verdicts", listed, f"/evaluations?limit={LISTED}"),
        Case("record 1,000 values", "/v1/values", "/values", many, 1),
    )
    _check(ours, bare, cases)
    return cases


def _check(ours: Service, bare: Service, cases: tuple[Case, ...]) -> None:
    """Stop unless what the bare service writes and sends is what ours does."""
    for case in cases:
        before = _on_record(ours)
        theirs = bare.ask(case.bare, case.body)
        if case.body is not None and _on_record(ours) != before:
            raise SystemExit(f"{case.name}: the two services do not record the same")
        mine = ours.ask(case.ours, case.body)
        if abs(len(mine) - len(theirs)) > len(mine) / 100:
            raise SystemExit(f"{case.name}: the two services do not send as much")


def _on_record(ours: Service) -> list[dict[str, Any]]:
    """Return the last verdict and some values, without what is each act's own."""
    newest = json.loads(ours.ask("/v1/evaluations?limit=1"))["items"]
    verdict = json.loads(ours.ask(f"/v1/evaluations/{newest[0]['id']}"))
    values = json.loads(ours.ask(f"/v1/values?period={BEFORE}&limit=500"))["items"]
    return [
        {name: value for name, value in one.items() if name not in OWN}
        for one in (verdict, *values)
    ]


def _values() -> list[dict[str, Any]]:
    """Return the values of the demonstration for one commune."""
    rows = csv.DictReader(io.StringIO(content().decode("utf-8")))
    return [_value(row) for row in rows if row["unit"] == COMMUNE]


def _value(row: dict[str, str]) -> dict[str, Any]:
    value: Any = row["value"] == "true"
    if row["numerator"]:
        value = {name: int(row[name]) for name in ("numerator", "denominator")}
    return {
        "unit": row["unit"],
        "period": PERIOD,
        "indicator": row["indicator"],
        "value": value,
        "source": row["source"],
    }


def _thousand(ours: Service) -> list[dict[str, Any]]:
    """Return the same values for fifty communes, of the year before."""
    path = f"/v1/units?level=commune&under=25&on={BEFORE}-12-31&limit={COMMUNES + 1}"
    codes = [one["code"] for one in json.loads(ours.ask(path))["items"]]
    communes = [code for code in codes if code != COMMUNE][:COMMUNES]
    return [{**one, "unit": code, "period": BEFORE} for code in communes for one in _values()]
