"""The documented pack format is the real one: its example works, its schema accepts our packs."""

from __future__ import annotations

import datetime
import re
import textwrap
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from strategies import RULESETS, registry
from test_registry_faults import SLIPS

from app.cli.openapi import pack_schema
from app.discovery import find_packs, load_registry, read_pack_path
from app.rules.casework import outcomes
from app.rules.errors import RulesetFaults
from app.rules.packs import SourceFile
from app.rules.registry import Registry, build

ROOT = Path(__file__).parent.parent
DOCUMENT = ROOT / "docs" / "rulesets.md"
EXAMPLE = Path(__file__).parent / "example_province" / "vinh_du_rules"


def blocks(language: str) -> list[str]:
    """Return the fenced blocks of the documentation in a language."""
    text = DOCUMENT.read_text("utf-8")
    found = re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(one) for one in found]


def whole_examples() -> list[str]:
    """Return the blocks that are a ruleset by themselves."""
    return [one for one in blocks("yaml") if re.search(r"^ruleset:", one, flags=re.MULTILINE)]


def alone(path: Path) -> Registry:
    """Build the pack at a path beside the installed ones, whose indicators it may use."""
    return build([*find_packs(None), read_pack_path(path)])


def test_the_documentation_has_a_complete_example() -> None:
    assert whole_examples()


def test_every_complete_example_is_accepted_and_evaluated(tmp_path: Path) -> None:
    for number, text in enumerate(whole_examples()):
        path = tmp_path / f"example{number}.yaml"
        path.write_text(text, "utf-8")
        found = alone(path)
        (new,) = set(found.entries) - set(RULESETS)
        entry = found.entries[new]
        assert len(entry.cases) > 2
        met = entry.compiled.evaluate(entry.cases[0].inputs)
        assert met.outcome == "met"
        assert set(outcomes(entry.compiled.evaluate(entry.cases[-1].inputs)).values()) >= {
            "undetermined"
        }


def test_the_slip_in_the_documentation_is_told_as_it_is_printed(tmp_path: Path) -> None:
    """The line that the documentation shows for a misspelt key is the line people get."""
    (shown,) = re.findall(r"^(vi_du\.yaml:.*\[unknown-key\])$", DOCUMENT.read_text("utf-8"), re.M)
    (text,) = whole_examples()
    path = tmp_path / "vi_du.yaml"
    start = text.index('id: "vidu.3"')
    path.write_text(text[:start] + text[start:].replace("value:", "valeu:", 1), "utf-8")
    with pytest.raises(RulesetFaults) as refused:
        alone(path)
    told = [one.describe("en").replace(str(path), path.name) for one in refused.value.faults]
    assert shown in told


def test_every_slip_that_is_refused_is_explained_in_the_documentation() -> None:
    """The table of refusals lists the code of each slip in `test_registry_faults`."""
    text = DOCUMENT.read_text("utf-8")
    table = text[text.index("## What the start refuses") : text.index("## Editor support")]
    listed = {
        code
        for line in table.splitlines()
        if line.startswith("| `")
        for code in re.findall(r"`([a-z][a-z0-9-]+)`", line.split("|")[1])
    }
    assert len(listed) > 20
    assert {slip[2] for slip in SLIPS.values()} <= listed


# --- the schema -----------------------------------------------------------------------------------


def as_json(data: Any) -> Any:
    """Return YAML data as an editor's checker sees it: numbers, and dates as strings."""
    if isinstance(data, dict):
        return {key: as_json(value) for key, value in data.items()}
    if isinstance(data, list):
        return [as_json(value) for value in data]
    if isinstance(data, Decimal):
        return float(data)
    return data.isoformat() if isinstance(data, datetime.date) else data


def checker() -> Draft202012Validator:
    """Return a validator for the schema that `ntm openapi` writes."""
    schema = pack_schema()
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=FormatChecker())


def yaml_files() -> list[SourceFile]:
    """Return every YAML file of the built-in packs and of the example province."""
    packs = [*find_packs(None), read_pack_path(EXAMPLE)]
    return [file for pack in packs for file in pack.files]


@pytest.mark.parametrize(
    "file", yaml_files(), ids=lambda file: "/".join(Path(file.path).parts[-2:])
)
def test_every_yaml_file_fits_the_schema(file: SourceFile) -> None:
    assert [one.message for one in checker().iter_errors(as_json(file.data))] == []


def test_the_examples_of_the_documentation_fit_the_schema(tmp_path: Path) -> None:
    for text in whole_examples():
        path = tmp_path / "example.yaml"
        path.write_text(text, "utf-8")
        (file,) = read_pack_path(path).files
        assert [one.message for one in checker().iter_errors(as_json(file.data))] == []


@pytest.mark.parametrize(
    "change",
    [
        {"verison": "1"},
        {"ruleset": 1.1},
        {"level": "village"},
        {"criteria": []},
        {"overall": "maybe"},
        {"title": {"vi": "chỉ một thứ tiếng"}},
    ],
    ids=str,
)
def test_the_schema_refuses_what_the_reader_refuses(change: dict[str, Any]) -> None:
    data = next(file.data for file in yaml_files() if file.data.get("ruleset") == "phutho.commune")
    assert not checker().is_valid(as_json({**data, **change}))


def test_the_editor_line_of_each_built_in_file_leads_to_the_schema() -> None:
    """The first line of every YAML file points to the published schema, relative to the file."""
    for pack in find_packs(None):
        for file in pack.files:
            first = Path(file.path).read_text("utf-8").splitlines()[0]
            (target,) = re.findall(r"^# yaml-language-server: \$schema=(\S+)$", first)
            resolved = (Path(file.path).parent / target).resolve()
            assert resolved == ROOT / "openapi" / "ruleset.schema.json"


def test_the_example_of_the_documentation_takes_nothing_from_the_built_in_rulesets(
    tmp_path: Path,
) -> None:
    """Loading it leaves every other ruleset as it was."""
    (tmp_path / "vi_du.yaml").write_text(whole_examples()[0], "utf-8")
    found = load_registry(tmp_path)
    for id_ in RULESETS:
        assert found.entries[id_].compiled.digest == registry().entries[id_].compiled.digest
