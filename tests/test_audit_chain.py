"""The chain of hashes and its signed checkpoints, without a database."""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from app.domain.audit import chain, checkpoints, verifying
from app.domain.audit.chain import GENESIS, Entry, canonical, link
from app.domain.audit.checkpoints import Checkpoint, Checkpoints, CheckpointsUnusable, Head
from app.domain.signing_keys import SigningKeys
from app.settings import Settings

PLAIN: Final = Entry(
    7, 1_763_000_000_000_001, "ntm-0123456789abcdef", None, None, None, "values.recorded",
    12, None, 3, "r-1", None, '{"values":[1]}',
)  # fmt: skip
_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
_MAYBE_TEXT = st.none() | _TEXT
_MAYBE_ID = st.none() | st.integers(-(2**31), 2**31 - 1)
ENTRIES = st.builds(
    Entry, st.integers(1, 2**53 - 1), st.integers(-(2**52), 2**52), _TEXT, _MAYBE_TEXT, _MAYBE_TEXT,
    _MAYBE_TEXT, _TEXT, _MAYBE_ID, _MAYBE_ID, _MAYBE_ID, _MAYBE_TEXT, _MAYBE_TEXT, _TEXT,
)  # fmt: skip


# --- the chain -----------------------------------------------------------------------------------


@given(ENTRIES)
def test_an_entry_is_its_canonical_json(entry: Entry) -> None:
    """Anybody can compute the bytes: they are what RFC 8785 makes of the columns."""
    assert canonical(entry) == rfc8785.dumps(list(msgspec.structs.astuple(entry)))


@given(ENTRIES, ENTRIES)
def test_two_entries_have_the_same_bytes_only_if_they_are_the_same(one: Entry, two: Entry) -> None:
    """No column can borrow from its neighbour, and null is not an empty text."""
    assert (canonical(one) == canonical(two)) == (one == two)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ({"reason": None}, {"reason": ""}),
        ({"request_id": "ab", "reason": "c"}, {"request_id": "a", "reason": "bc"}),
        ({"reason": 'x","y'}, {"reason": "x", "details": "y"}),
        ({"unit_id": 1, "district_id": None}, {"unit_id": None, "district_id": 1}),
        ({"at": PLAIN.at}, {"at": PLAIN.at + 1}),
    ],
)
def test_what_looks_alike_is_told_apart(one: dict[str, Any], two: dict[str, Any]) -> None:
    """Neighbouring columns, quotes, nulls and microseconds make a difference."""
    first, second = (msgspec.structs.replace(PLAIN, **other) for other in (one, two))
    assert link(GENESIS, 1, first) != link(GENESIS, 1, second)


def test_the_hash_is_what_the_description_says() -> None:
    """An independent computation gives the same: the chain can be verified without this code."""
    plain = b'[7,1763000000000001,"ntm-0123456789abcdef",null,null,null,"values.recorded",12,null' \
        b',3,"r-1",null,"{\\"values\\":[1]}"]'  # fmt: skip
    before = hashlib.sha256(b"ntm audit chain 1").digest()
    assert before == GENESIS
    assert link(before, 5, PLAIN) == hashlib.sha256(before + bytes(7) + b"\x05" + plain).digest()


def test_a_hash_depends_on_what_was_before_and_on_its_position() -> None:
    """The same entry elsewhere has another hash."""
    found = {
        link(before, position, PLAIN) for before in (GENESIS, bytes(32)) for position in (1, 2)
    }
    assert len(found) == 4


def test_every_column_of_an_entry_is_hashed() -> None:
    """No column is left out, so that none can be changed unseen."""
    from app.domain.audit import AuditEntry  # noqa: PLC0415 - only here is there a table

    assert list(Entry.__struct_fields__) == [one.name for one in AuditEntry.__table__.columns]
    assert chain.COLUMNS.count(",") + 1 == len(Entry.__struct_fields__)


# --- checkpoints ---------------------------------------------------------------------------------


@pytest.fixture
def keys(tmp_path: Path) -> SigningKeys:
    """The signing keys of one test."""
    return SigningKeys(tmp_path / "keys.json")


@pytest.fixture
def file(tmp_path: Path) -> Checkpoints:
    """A file of checkpoints that is not there yet."""
    return Checkpoints(tmp_path / "checkpoints.jsonl")


def _head(position: int) -> Head:
    return Head(position, hashlib.sha256(str(position).encode()).digest())


def test_a_checkpoint_is_one_line_on_a_private_file(file: Checkpoints, keys: SigningKeys) -> None:
    """Each is appended; nobody else may write to the file; the newest is the last."""
    for position in (1, 5, 9):
        assert file.add(_head(position), keys.current())
    content = file.path.read_text("ascii")
    assert content.count("\n") == 3
    assert content.endswith("\n")
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    told = json.loads(content.splitlines()[1])
    assert set(told) == {"position", "hash", "at", "kid", "x", "y", "signature"}
    assert (told["position"], told["hash"]) == (5, _head(5).hash.hex())
    newest = file.newest()
    assert newest is not None
    assert newest.position == 9
    assert verifying.witness(file.lines(), keys.all()).damage == ()


def test_a_checkpoint_that_is_there_or_is_older_is_not_added(
    file: Checkpoints, keys: SigningKeys
) -> None:
    """Several processes see the same chain: each state is written once, in order."""
    assert file.add(_head(5), keys.current())
    assert not file.add(_head(5), keys.current())
    assert not file.add(_head(4), keys.current())
    assert len(file.lines()) == 1


def test_several_that_append_at_once_write_whole_lines(
    file: Checkpoints, keys: SigningKeys
) -> None:
    """Lines neither mix nor repeat nor go back."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: file.add(_head(n), keys.current()), range(1, 60)))
    found = [one.position for one in file.lines() if one is not None]
    assert len(found) == len(file.lines())
    assert found == sorted(set(found))
    assert found[-1] == 59


CHANGES: Final[dict[str, Callable[[Checkpoint], Any]]] = {
    "position": lambda one: one.position + 1,
    "hash": lambda one: "00" + one.hash[2:],
    "at": lambda one: one.at.replace("20", "19", 1),
    "kid": lambda one: one.kid + "0",
    "x": lambda one: one.y,
    "y": lambda one: one.x,
    "signature": lambda one: ("B" if one.signature[0] == "A" else "A") + one.signature[1:],
}


@pytest.mark.parametrize("field", [*CHANGES, "cut", "none", "empty"])
def test_a_line_that_was_changed_is_told(file: Checkpoints, keys: SigningKeys, field: str) -> None:
    """Every field is under the signature; a line that is none is told by its number."""
    for position in (1, 2, 3):
        file.add(_head(position), keys.current())
    lines = file.path.read_bytes().splitlines()
    found = file.lines()[1]
    assert found is not None
    if field in CHANGES:
        other = msgspec.structs.replace(found, **{field: CHANGES[field](found)})
        lines[1] = msgspec.json.encode(other)
    else:
        lines[1] = {"cut": lines[1][:-20], "none": b"\xff\xfe", "empty": b""}[field]
    file.path.write_bytes(b"\n".join(lines) + b"\n")
    known = verifying.witness(file.lines(), keys.all())
    (told,) = known.damage
    assert told.kind == "checkpoint-altered"
    assert "2" in told.text.en
    assert [one.position for one in known.checkpoints] == [1, 3]


def test_a_forged_newest_line_is_told(file: Checkpoints, keys: SigningKeys, tmp_path: Path) -> None:
    """Anybody can make a key and sign: only our keys count, unless the operator says otherwise."""
    file.add(_head(1), keys.current())
    file.add(_head(2), SigningKeys(tmp_path / "other.json").current())
    (told,) = verifying.witness(file.lines(), keys.all()).damage
    assert told.kind == "checkpoint-unknown-key"
    assert verifying.witness(file.lines(), keys.all(), allow_retired=True).damage == ()


def test_a_key_id_of_ours_with_another_key_is_not_ours(
    file: Checkpoints, keys: SigningKeys, tmp_path: Path
) -> None:
    """The key itself counts, not what it calls itself."""
    other = SigningKeys(tmp_path / "other.json").current()
    file.add(_head(2), msgspec.structs.replace(other, kid=keys.current().kid))
    (told,) = verifying.witness(file.lines(), keys.all()).damage
    assert told.kind == "checkpoint-unknown-key"


def test_after_a_rotation_the_newest_line_is_by_the_new_key(
    file: Checkpoints, keys: SigningKeys
) -> None:
    """Signed anew at once: the old key will be forgotten, and older lines stay good."""
    file.add(_head(3), keys.current())
    made = keys.rotate()
    file.renew(keys)
    file.renew(keys)
    found = file.lines()
    assert [(one.position, one.kid == made.kid) for one in found if one] == [(3, False), (3, True)]
    assert verifying.witness(found, [made]).damage == ()


def test_a_rotation_does_not_vouch_for_what_was_forged(
    file: Checkpoints, keys: SigningKeys, tmp_path: Path
) -> None:
    """A newest line that is not ours is not signed anew."""
    file.add(_head(3), SigningKeys(tmp_path / "other.json").current())
    keys.rotate()
    file.renew(keys)
    assert len(file.lines()) == 1
    Checkpoints(tmp_path / "missing").renew(keys)
    assert not (tmp_path / "missing").exists()


def test_a_line_after_one_that_was_cut_by_a_crash_begins_anew(
    file: Checkpoints, keys: SigningKeys
) -> None:
    """Half a line spoils neither what follows nor that it is told."""
    file.add(_head(1), keys.current())
    file.path.write_bytes(file.path.read_bytes() + b'{"position": 2, "ha')
    assert file.add(_head(3), keys.current())
    found = [one and one.position for one in file.lines()]
    assert found == [1, None, 3]
    (told,) = verifying.witness(file.lines(), keys.all()).damage
    assert told.kind == "checkpoint-altered"


def test_a_signature_of_a_checkpoint_is_no_token(file: Checkpoints, keys: SigningKeys) -> None:
    """What is signed begins with words that no token begins with."""
    file.add(_head(1), keys.current())
    found = file.newest()
    assert found is not None
    assert found.signed_bytes().startswith(b"ntm audit checkpoint 1\n{")


def test_a_file_that_cannot_be_made_or_read_is_told_with_what_to_do(tmp_path: Path) -> None:
    """The start-up refuses it; a missing file in a good folder is made."""
    for path in (tmp_path, tmp_path / "nowhere" / "file"):
        with pytest.raises(CheckpointsUnusable) as refused:
            Checkpoints(path).check()
        assert "NTM_AUDIT_CHECKPOINTS" in refused.value.text.vi
    with pytest.raises(CheckpointsUnusable):
        Checkpoints(tmp_path).lines()
    settings = Settings(data_dir=tmp_path / "new")
    assert checkpoints.of(settings).path == tmp_path / "new" / "audit-checkpoints.jsonl"
    assert settings.checkpoints.read_bytes() == b""
    elsewhere = Settings(data_dir=tmp_path / "new", audit_checkpoints=tmp_path / "elsewhere")
    assert checkpoints.of(elsewhere).path == tmp_path / "elsewhere"
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointsUnusable):
        checkpoints.of(Settings(data_dir=tmp_path / "file"))
