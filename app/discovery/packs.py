"""Where packs come from: the entry point group `ntm.rulesets` and a folder of YAML files.

A file in the folder carries no code; a sub-folder is a pack of several files. A package names a
module with `*.yaml` beside it and may ship `CHECKS`: installing it is the operator's decision.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import metadata, resources
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from app.discovery.yaml_source import read_yaml
from app.rules.errors import Fault, RulesetFaults, Text
from app.rules.packs import PackSource, SourceFile
from app.rules.registry import Registry, build

ENTRY_POINT_GROUP: Final = "ntm.rulesets"
_SUFFIXES: Final = (".yaml", ".yml")


def load_registry(folder: Path | None) -> Registry:
    """Find, read, check and compile every pack; raise RulesetFaults with all faults at once."""
    return build(find_packs(folder))


def find_packs(folder: Path | None) -> list[PackSource]:
    """Return the packs of all installed packages and of the folder, if one is given."""
    return [*_installed(), *(_in_folder(folder) if folder is not None else ())]


def read_pack_path(path: Path) -> PackSource:
    """Return the pack at a path: one YAML file, or a folder whose files make one pack."""
    if not path.exists():
        raise RulesetFaults([_absent(path)])
    files = _visible(path) if path.is_dir() else [path]
    sources = tuple(
        read_yaml(str(file), file.read_bytes())
        for file in files
        if file.is_file() and file.suffix in _SUFFIXES
    )
    if not sources:
        raise RulesetFaults([_absent(path)])
    return PackSource(name=str(path), package=path.name, files=sources)


def _installed() -> Iterator[PackSource]:
    for point in sorted(metadata.entry_points(group=ENTRY_POINT_GROUP), key=lambda one: one.value):
        package = f"{point.dist.name} {point.dist.version}" if point.dist else point.value
        try:
            module = point.load()
            files, checks = tuple(_beside(module)), getattr(module, "CHECKS", {})
        except (Exception, SystemExit) as error:  # whatever a foreign module does, it is named
            message = Text(
                f"không nạp được gói ({type(error).__name__}); hãy cài lại hoặc gỡ gói",
                f"the package cannot be loaded ({type(error).__name__}); mend or remove it",
            )
            yield _unusable(point.value, package, "pack-unloadable", message)
            continue
        if not isinstance(checks, Mapping):
            message = Text(
                "CHECKS phải là bảng tên - hàm (dict)", "CHECKS must be a dict of functions by name"
            )
            yield _unusable(point.value, package, "bad-checks", message)
        elif not files:
            message = Text(
                "gói không có tệp YAML nào bên cạnh mô-đun; kiểm tra package-data",
                "there is no YAML file beside the module; check the package-data",
            )
            yield _unusable(point.value, package, "nothing-here", message)
        else:
            yield PackSource(point.value, package, files, dict(checks))


def _unusable(name: str, package: str, code: str, message: Text) -> PackSource:
    """Return a pack that consists of one fault."""
    fault = Fault(name, None, "", code, message)
    return PackSource(name, package, (SourceFile(name, {}, {}, (fault,)),))


def _beside(module: ModuleType) -> Iterator[SourceFile]:
    """Read the YAML files of a package, or those beside a plain module of one."""
    package = module.__name__ if hasattr(module, "__path__") else str(module.__package__)
    files: list[Any] = [
        one for one in resources.files(package).iterdir() if one.name.endswith(_SUFFIXES)
    ]
    for file in sorted(files, key=lambda one: str(one.name)):
        yield read_yaml(str(file), file.read_bytes())


def _in_folder(folder: Path) -> Iterator[PackSource]:
    if not folder.is_dir():
        raise RulesetFaults([_absent(folder)])
    for path in _visible(folder):
        if path.is_dir() or path.suffix in _SUFFIXES:
            yield read_pack_path(path)


def _visible(folder: Path) -> list[Path]:
    """Return what is in a folder but for hidden entries (`.git`, the `..data` of a volume)."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _absent(path: Path) -> Fault:
    message = Text(
        "không có tệp YAML nào ở đây; kiểm tra đường dẫn (NTM_RULESETS_DIR)",
        "there is no YAML file here; check the path (NTM_RULESETS_DIR)",
    )
    return Fault(str(path), None, "", "nothing-here", message)
