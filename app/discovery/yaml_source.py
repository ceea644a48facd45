"""Read one YAML file into plain data, exactly: no floats, no duplicate keys, every line known."""

from __future__ import annotations

import datetime
import unicodedata
from decimal import Decimal
from typing import Any, Final

import yaml

from app.rules.errors import Fault, Text
from app.rules.packs import Place, SourceFile

# PyYAML built without libyaml has the second one only: same result, slower.
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DEEPEST: Final = 100
_INT, _FLOAT, _BOOL, _NULL, _TIME = (
    f"tag:yaml.org,2002:{name}" for name in ("int", "float", "bool", "null", "timestamp")
)


def read_yaml(path: str, content: bytes) -> SourceFile:
    """Return the file as data with the line of each place; unreadable parts become faults."""
    reader = _Reader(path)
    try:
        text = content.decode("utf-8-sig")
        _check_depth(text)
        node = yaml.compose(text, Loader=_LOADER)
        data = reader.value(node, ()) if node is not None else {}
    except UnicodeDecodeError as error:
        reader.fault(
            None, (), "not-utf-8",
            f"tệp không phải UTF-8 (byte thứ {error.start}); hãy lưu lại bằng UTF-8",
            f"the file is not UTF-8 (byte {error.start}); save it as UTF-8",
        )  # fmt: skip
        data = {}
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        known = getattr(error, "problem", None) or getattr(error, "reason", None)
        problem = (
            "nested too deep" if isinstance(error, RecursionError) else known or "not readable"
        )
        reader.fault(
            mark.line + 1 if mark else None,
            (),
            "not-yaml",
            f"không đọc được YAML: {problem}",
            f"this is not YAML: {problem}",
        )
        data = {}
    return SourceFile(path, data, reader.lines, tuple(reader.faults))


def _check_depth(text: str) -> None:
    """Raise RecursionError for what is nested deeper than any pack: libyaml would crash on it."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _DEEPEST:
                raise RecursionError
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


class _Reader:
    def __init__(self, path: str) -> None:
        self.path = path
        self.lines: dict[Place, int] = {}
        self.faults: list[Fault] = []
        self.seen: set[int] = set()

    def fault(self, line: int | None, place: Place, code: str, vi: str, en: str) -> None:
        where = "/".join(str(part) for part in place)
        self.faults.append(Fault(self.path, line, where, code, Text(vi, en)))

    def value(self, node: yaml.Node, place: Place) -> Any:
        line = node.start_mark.line + 1
        self.lines[place] = line
        if id(node) in self.seen:
            self.fault(
                line,
                place,
                "yaml-alias",
                "không dùng bí danh YAML (*tên); hãy ghi lại nội dung",
                "YAML aliases (*name) are not read; write the content again",
            )
            return None
        self.seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, place)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*place, index)) for index, item in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)
        return self.scalar(node, place, line)

    def mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line, key = key_node.start_mark.line + 1, key_node.value
            if not isinstance(key_node, yaml.ScalarNode):
                self.fault(line, place, "bad-key", "khoá phải là chữ", "a key is a plain word")
                continue
            if key_node.tag in (_INT, _FLOAT):
                self.fault(
                    line, (*place, key), "unquoted-id",
                    f"khoá {key} trông như số; hãy đặt trong dấu nháy kép",
                    f"the key {key} looks like a number; put it in double quotes",
                )  # fmt: skip
            if key in found:
                self.fault(
                    line, (*place, key), "duplicate-key",
                    f"khoá “{key}” bị lặp lại", f"the key “{key}” is given twice",
                )  # fmt: skip
            found[key] = self.value(value_node, (*place, key))
        return found

    def scalar(self, node: yaml.ScalarNode, place: Place, line: int) -> Any:
        raw: str = node.value
        try:
            if node.tag == _INT:
                return int(raw)
            if node.tag == _FLOAT:
                return Decimal(raw)
            if node.tag == _TIME:
                return datetime.date.fromisoformat(raw)
        except (ValueError, ArithmeticError):
            self.fault(
                line, place, "unquoted-id",
                f"không hiểu {raw}; nếu là mã hãy đặt trong dấu nháy kép",
                f"{raw} is not understood; put it in double quotes if it is an id",
            )  # fmt: skip
            return raw
        if node.tag == _BOOL:
            return raw.lower() in ("true", "yes", "on")
        return None if node.tag == _NULL else unicodedata.normalize("NFC", raw)
