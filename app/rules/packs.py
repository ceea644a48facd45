"""From the plain data of a pack's files to checked models; every fault is collected, none stops.

The kernel reads no files: `app.discovery` hands over each file's data with the line of every
place in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from pydantic import ValidationError

from app.rules.errors import Fault, Misfit, Text
from app.rules.forms import FormFile
from app.rules.ruleset import CaseFile, IndicatorFile, Ruleset

PackFile = Ruleset | IndicatorFile | CaseFile | FormFile
Place = tuple[str | int, ...]


class SourceFile(msgspec.Struct, frozen=True):
    """One YAML file: its plain data, the line of each place in it, and what could not be read."""

    path: str
    data: Any
    lines: Mapping[Place, int]
    faults: tuple[Fault, ...] = ()

    def fault(self, place: Place, code: str, message: Text) -> Fault:
        """Return a fault at a place of this file, with the nearest known line."""
        return Fault(self.path, self.line(place), spelled(self.data, place), code, message)

    def line(self, place: Place) -> int | None:
        """Return the line of the place, or of the nearest thing around it."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place)


class PackSource(msgspec.Struct, frozen=True):
    """One pack as found: where it comes from, its files, and the checks it ships."""

    name: str
    package: str
    files: tuple[SourceFile, ...]
    checks: Mapping[str, Callable[[Any, Any], bool]] = {}


class Parsed(msgspec.Struct, frozen=True):
    """One file of a pack as a checked model."""

    source: SourceFile
    model: PackFile
    pack: PackSource


# What names an entry of a list, in this order.
_NAMES: Final = ("id", "code", "case", "slot", "form")
_FORMS: Final[dict[str, type[PackFile]]] = {
    "ruleset": Ruleset,
    "indicators": IndicatorFile,
    "cases": CaseFile,
    "forms": FormFile,
    "slots": FormFile,
}


def parse(pack: PackSource, source: SourceFile, faults: list[Fault]) -> Parsed | None:
    """Return the file as a model; faults are added to `faults`, and then there is no model."""
    faults.extend(source.faults)
    if source.faults:
        return None
    form = next((_FORMS[key] for key in _FORMS if _has(source.data, key)), None)
    if form is None:
        message = Text(
            "tệp phải có một trong các khoá ở mức ngoài cùng: ruleset, indicators, cases, forms, "
            "slots",
            "the file needs one of these keys at its top: ruleset, indicators, cases, forms, slots",
        )
        faults.append(source.fault((), "unknown-file-kind", message))
        return None
    try:
        return Parsed(source, form.model_validate(source.data), pack)
    except ValidationError as error:
        faults.extend(_fault(source, one) for one in error.errors())
        return None


def _has(data: Any, key: str) -> bool:
    return isinstance(data, dict) and key in data


def _fault(source: SourceFile, error: Any) -> Fault:
    place = tuple(part for part in error["loc"] if part != "[key]")
    code, message = explain_error(error)
    return source.fault(place, code, message)


def explain_error(error: Any) -> tuple[str, Text]:
    """Return the code and the message of one pydantic error in a pack."""
    kind, given, context = error["type"], error.get("input"), error.get("ctx") or {}
    if kind == "extra_forbidden":
        return "unknown-key", Text(
            f"không có khoá “{error['loc'][-1]}” trong định dạng; xem docs/rulesets.md",
            f"the format has no key “{error['loc'][-1]}”; see docs/rulesets.md",
        )
    if kind == "missing":
        return "missing-key", Text(
            f"thiếu khoá “{error['loc'][-1]}”", f"the key “{error['loc'][-1]}” is missing"
        )
    if kind == "string_type" and given is not None and not isinstance(given, dict | list | str):
        return "unquoted-id", Text(
            f"YAML đọc giá trị này thành {given!s}, không phải chữ; hãy đặt trong dấu nháy kép",
            f"YAML reads this as {given!s}, not as text; put it in double quotes",
        )
    if isinstance(context.get("error"), Misfit):
        return "misfit", context["error"].message
    expected = context.get("expected") or context.get("pattern") or error["msg"]
    return "wrong-value", Text(
        f"giá trị không hợp lệ; cần: {expected}", f"not a valid value; expected: {expected}"
    )


def spelled(data: Any, place: Place) -> str:
    """Return a place as people say it: ids instead of positions where there are any."""
    words: list[str] = []
    for part in place:
        data = _inside(data, part)
        name = _name(data) if isinstance(part, int) else None
        if name:
            words = [name]
        else:
            words.append(str(part))
    return "/".join(words)


def _inside(data: Any, part: str | int) -> Any:
    try:
        return data[part]
    except (KeyError, IndexError, TypeError):
        return None


def _name(data: Any) -> str | None:
    if not isinstance(data, dict):
        return None
    return next((str(data[key]) for key in _NAMES if key in data), None)
