"""The same inputs, ruleset and semantics give the same bytes in every process."""

from __future__ import annotations

import functools
import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence

import msgspec
import pytest
from strategies import DAY, RULESETS, entry, judged, member, registry

from app.discovery import find_packs
from app.rules.packs import PackSource
from app.rules.registry import Registry, build
from app.rules.verdict import SEMANTICS, Designation, canonical, inputs_digest

# Judge every worked case of every ruleset and print a line for each: digests and canonical bytes.
SCRIPT = """
import sys
from app.discovery import load_registry
from app.rules.verdict import canonical
for id_, entry in load_registry(None).entries.items():
    for worked in entry.cases:
        found = entry.compiled.evaluate(worked.inputs)
        line = f"{id_} {found.digest} {found.inputs_digest} ".encode() + canonical(found)
        sys.stdout.buffer.write(line + b"\\n")
"""
ENVIRONMENTS = (
    {"PYTHONHASHSEED": "1", "LC_ALL": "C", "TZ": "Pacific/Kiritimati", "PYTHONUTF8": "0"},
    {"PYTHONHASHSEED": "4242", "LC_ALL": "C.UTF-8", "TZ": "America/Los_Angeles"},
)


@functools.cache
def here() -> bytes:
    """Return what the script prints, worked out in this process."""
    lines = []
    for id_, found in registry().entries.items():
        for worked in found.cases:
            one = found.compiled.evaluate(worked.inputs)
            head = f"{id_} {one.digest} {one.inputs_digest} "
            lines.append(head.encode() + canonical(one) + b"\n")
    return b"".join(lines)


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=["C", "UTF-8"])
def test_another_process_gives_the_same_bytes(environment: dict[str, str]) -> None:
    """Whatever the hash seed, the locale and the time zone of the process."""
    found = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={**os.environ, **environment},
        capture_output=True,
        check=True,
    )
    assert found.stdout.count(b"\n") > 400
    assert hashlib.sha256(found.stdout).hexdigest() == hashlib.sha256(here()).hexdigest()


def ways_round(packs: Sequence[PackSource]) -> list[list[PackSource]]:
    """Return the packs in other orders, their files turned round as well."""
    turned = [msgspec.structs.replace(one, files=one.files[::-1]) for one in packs]
    return [list(packs)[::-1], list(packs)[2:] + list(packs)[:2], turned]


def said(found: Registry) -> list[bytes]:
    """Return the verdicts of a registry on the worked cases."""
    return [
        canonical(found.entries[id_].compiled.evaluate(worked.inputs))
        for id_ in RULESETS
        for worked in entry(id_).cases[:3]
    ]


@pytest.mark.parametrize("way", [0, 1, 2])
def test_the_order_of_packs_and_files_changes_nothing(way: int) -> None:
    """Neither what there is nor any verdict: there is no inheritance and no override."""
    found = build(ways_round(find_packs(None))[way])
    assert list(found.entries) == list(registry().entries)
    assert found.indicators == registry().indicators
    assert said(found) == said(registry())


@pytest.mark.parametrize("ruleset", RULESETS)
def test_a_verdict_names_ruleset_inputs_and_semantics(ruleset: str) -> None:
    found = entry(ruleset)
    one = found.compiled.evaluate(found.cases[0].inputs)
    assert (one.ruleset, one.semantics) == (ruleset, SEMANTICS)
    assert one.inputs_digest == inputs_digest(found.cases[0].inputs)
    assert one.digest == found.compiled.digest
    assert {len(one.digest), len(one.inputs_digest)} == {64}


def test_every_ruleset_has_its_own_digest() -> None:
    assert len({one.compiled.digest for one in registry().entries.values()}) == len(RULESETS)


def test_equal_inputs_written_in_another_order_have_the_same_digest() -> None:
    facts = {"modern_electronic_one_stop": True, "security_feedback_channel": False}
    turned = dict(reversed(facts.items()))
    one, other = judged(facts, "phutho.commune"), judged(turned, "phutho.commune")
    assert one.inputs_digest == other.inputs_digest
    changed = judged({**facts, "security_feedback_channel": True}, "phutho.commune")
    assert one.inputs_digest != changed.inputs_digest


def test_the_order_of_designations_and_of_members_does_not_count() -> None:
    one, other = (
        Designation(None, "12/QĐ-UBND", "smart"),
        Designation(DAY, "969/QĐ-BNN-VPĐP", "ecom"),
    )
    chosen = [judged({}, "bnn3445.selection.smart", designations=pair)
              for pair in ((one, other), (other, one))]  # fmt: skip
    assert canonical(chosen[0]) == canonical(chosen[1])
    units = [member({"commune_ntm_8_4_met": value}) for value in (True, False)]
    shares = [judged({}, "qd924.nation", members=tuple(pair)) for pair in (units, units[::-1])]
    assert canonical(shares[0]) == canonical(shares[1])
    assert shares[0].inputs_digest != judged({}, "qd924.nation", members=(units[0],)).inputs_digest
