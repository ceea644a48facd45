"""`ntm openapi`: the committed description is the one the code gives."""

from __future__ import annotations

import functools
import json
import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, Ntm
from jsonschema import Draft202012Validator

from app.cli.openapi import api_document
from app.discovery import read_pack_path

COMMITTED = ROOT / "openapi"
FILES = ("openapi.json", "ruleset.schema.json")


def test_the_committed_files_are_those_of_the_code(ntm: Ntm) -> None:
    ran = ntm("openapi", "--check", "--to", COMMITTED)
    assert ran.code == 0, ran.err
    assert ran.err == ""


def test_writing_gives_the_committed_files(process: Ntm, tmp_path: Path) -> None:
    ran = process("openapi")
    assert ran.code == 0, ran.err
    for name in FILES:
        written = (tmp_path / "openapi" / name).read_bytes()
        assert written == (COMMITTED / name).read_bytes(), name
        assert f"openapi/{name}" in ran.out
    assert process("openapi", "--check").code == 0


@pytest.fixture
def once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Describe the API once for all: that takes longest, and is always the same."""
    monkeypatch.setattr("app.cli.openapi.api_document", _document)


@functools.cache
def _document() -> dict[str, Any]:
    return api_document()


@pytest.mark.usefixtures("once")
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("drift", ["a key more", "one space", "no file"])
def test_drift_is_named_and_mended_by_writing(
    ntm: Ntm, tmp_path: Path, name: str, drift: str
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(COMMITTED, folder)
    file = folder / name
    document = json.loads(file.read_text("utf-8"))
    if drift == "a key more":
        file.write_text(json.dumps({**document, "x": 1}), "utf-8")
    elif drift == "one space":
        file.write_text(file.read_text("utf-8") + " ", "utf-8")
    else:
        file.unlink()
    before = file.read_bytes() if file.exists() else None
    ran = ntm("openapi", "--check", "--to", folder)
    assert ran.code == 1
    assert name in ran.err
    assert next(other for other in FILES if other != name) not in ran.err
    assert "ntm openapi" in ran.err
    assert (file.read_bytes() if file.exists() else None) == before  # a check writes nothing
    assert ntm("openapi", "--to", folder).code == 0
    assert ntm("openapi", "--check", "--to", folder).code == 0


def test_a_missing_folder_is_drift_of_both_files(ntm: Ntm, tmp_path: Path) -> None:
    ran = ntm("openapi", "--check", "--to", tmp_path / "nothing")
    assert ran.code == 1
    assert all(name in ran.err for name in FILES)
    assert not (tmp_path / "nothing").exists()


def test_the_description_does_not_depend_on_the_packs_at_hand(ntm: Ntm, pack: Path) -> None:
    env = {"NTM_RULESETS_DIR": str(pack)}
    assert ntm("openapi", "--check", "--to", COMMITTED, env=env).code == 0


def _plain(file: Path) -> Any:
    """Return what a file of a pack holds, as an editor that checks it by the schema sees it."""

    def spelled(value: object) -> object:
        return float(value) if isinstance(value, Decimal) else str(value)

    return json.loads(json.dumps(read_pack_path(file).files[0].data, default=spelled))


def test_the_schema_of_packs_accepts_the_shipped_packs_and_refuses_others(pack: Path) -> None:
    schema = json.loads((COMMITTED / "ruleset.schema.json").read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    files = [*(ROOT / "app" / "rules").glob("*/*.yaml")]
    assert len(files) > 10
    for file in files:
        assert not list(validator.iter_errors(_plain(file))), file
    good = _plain(pack / "well.yaml")
    assert not list(validator.iter_errors(good))
    for wrong in ({**good, "extra": 1}, {**good, "level": "village"}, {**good, "criteria": []}):
        assert list(validator.iter_errors(wrong))
