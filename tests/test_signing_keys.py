"""The file of the signing keys: made once, private, changed without stopping anybody."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import httpx
import jwt
import pytest
from conftest import HERE, calling
from fastapi import FastAPI
from forged import LIFETIME, Mint, own_jwk, own_key

from app.api.tokens import Tokens
from app.database import Database
from app.domain.signing_keys import KeysUnusable, SigningKeys
from app.main import create_app
from app.rules.registry import Registry
from app.settings import Settings

CLIENT: Final = "ntm-0123456789abcdef"
Clock = Callable[[float], None]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the keys of one test lie."""
    (tmp_path / "own").mkdir()
    return tmp_path / "own" / "keys.json"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Move the clock of the keys, and of what remembers tokens, by seconds."""

    def move(seconds: float) -> None:
        moved = SimpleNamespace(time=lambda: time.time() + seconds)
        monkeypatch.setattr("app.domain.signing_keys.time", moved)
        monkeypatch.setattr("app.api.tokens.time", moved)

    return move


def on_file(path: Path) -> list[dict[str, Any]]:
    """Return the keys as they are written."""
    found: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))["keys"]
    return found


def overwrite(path: Path, text: str) -> None:
    """Let a file hold something else, as a careless editor would."""
    path.write_text(text, "utf-8")


# --- the first start ---------------------------------------------------------------------------


def test_the_keys_are_made_on_first_start_and_kept_on_the_next(path: Path) -> None:
    first = SigningKeys(path).current()
    assert SigningKeys(path).current() == first
    assert [one["kid"] for one in on_file(path)] == [first.kid]


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_nobody_else_may_read_the_keys_whatever_the_mask(path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        keys = SigningKeys(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        keys.rotate()
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_file_is_a_key_set_that_others_can_read(path: Path) -> None:
    keys = SigningKeys(path)
    token = Tokens(keys, HERE).issue(CLIENT, ["read"])
    keys.rotate()
    read = {one.key_id: one for one in jwt.PyJWKSet.from_dict({"keys": on_file(path)}).keys}
    kid = jwt.get_unverified_header(token)["kid"]
    assert jwt.decode(token, read[kid], algorithms=["ES256"], audience=HERE)


def test_no_half_written_file_is_left_behind(path: Path) -> None:
    SigningKeys(path).rotate()
    SigningKeys(path).rotate()
    assert [one.name for one in path.parent.iterdir()] == ["keys.json"]


def test_two_services_never_make_the_same_key(tmp_path: Path) -> None:
    made = [SigningKeys(tmp_path / f"{n}.json").current() for n in range(20)]
    assert len({one.kid for one in made}) == len({one.d for one in made}) == 20


_STARTING: Final = """
import pathlib, sys, time
from app.domain.signing_keys import SigningKeys
path, go = map(pathlib.Path, sys.argv[1:])
print("ready", flush=True)
while not go.exists():
    time.sleep(0.001)
print(SigningKeys(path).current().kid)
"""


def test_of_processes_that_start_at_once_only_one_makes_the_key(path: Path, tmp_path: Path) -> None:
    go = tmp_path / "go"
    command = [sys.executable, "-c", _STARTING, str(path), str(go)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    for one in started:
        assert one.stdout
        assert one.stdout.readline() == "ready\n"
    go.touch()
    kids = {one.communicate(timeout=60)[0].strip() for one in started}
    assert [one.returncode for one in started] == [0] * 4
    assert kids == {on_file(path)[0]["kid"]}
    assert [one.name for one in path.parent.iterdir()] == ["keys.json"]


def test_who_comes_second_uses_the_key_of_who_came_first(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = SigningKeys(path).current()
    seen = Path.exists
    monkeypatch.setattr(Path, "exists", lambda self: self != path and seen(self))
    assert SigningKeys(path).current() == first


# --- rotation ----------------------------------------------------------------------------------


def test_after_a_rotation_new_tokens_have_the_new_key_and_old_ones_are_let_in(path: Path) -> None:
    tokens = Tokens(SigningKeys(path), HERE)
    old, remembered = tokens.keys.current(), tokens.issue(CLIENT, ["read"])
    never_seen = tokens.issue(CLIENT, ["read"])
    assert tokens.verify(remembered)
    new = tokens.keys.rotate()
    assert new.kid != old.kid
    assert tokens.keys.current() == new
    assert tokens.verify(remembered)
    assert tokens.verify(never_seen)
    assert tokens.verify(tokens.issue(CLIENT, ["read"]))
    assert [key.kid for key in tokens.keys.all()] == [new.kid, old.kid]


def test_of_a_key_that_signs_no_more_only_the_public_half_is_kept(path: Path) -> None:
    keys = SigningKeys(path)
    old = keys.current()
    keys.rotate()
    assert str(old.d) not in path.read_text("utf-8")
    assert "d" not in on_file(path)[1]
    assert on_file(path)[1]["x"] == old.x
    assert keys.by_id(old.kid) is not None
    assert keys.by_id(old.kid).d is None  # type: ignore[union-attr]


def test_a_token_signed_with_an_old_key_after_its_end_is_refused(path: Path, clock: Clock) -> None:
    tokens = Tokens(SigningKeys(path), HERE)
    stolen = Mint(HERE, tokens.keys.current(), CLIENT)
    tokens.keys.rotate()
    assert tokens.verify(stolen.signed()) is not None
    clock(LIFETIME + 31)
    assert tokens.verify(stolen.signed()) is None


def test_an_old_key_stays_until_its_last_token_has_ended(path: Path, clock: Clock) -> None:
    keys = SigningKeys(path)
    old = keys.current()
    new = keys.rotate()
    clock(LIFETIME + 20)
    assert keys.by_id(old.kid) is not None
    clock(LIFETIME + 40)
    assert keys.by_id(old.kid) is None
    assert keys.all() == [new]


def test_what_ended_leaves_the_file_with_the_next_rotation(path: Path, clock: Clock) -> None:
    keys = SigningKeys(path)
    first = keys.current()
    second = keys.rotate()
    clock(LIFETIME + 40)
    third = keys.rotate()
    assert [one["kid"] for one in on_file(path)] == [third.kid, second.kid]
    assert first.kid not in path.read_text("utf-8")


def test_a_second_rotation_does_not_lengthen_the_life_of_an_old_key(
    path: Path, clock: Clock
) -> None:
    keys = SigningKeys(path)
    first = keys.current()
    keys.rotate()
    clock(LIFETIME)
    keys.rotate()
    assert keys.by_id(first.kid) is not None
    clock(LIFETIME + 40)
    assert keys.by_id(first.kid) is None


def test_the_key_that_signs_never_ends(path: Path, clock: Clock) -> None:
    keys = SigningKeys(path)
    made = keys.current()
    clock(10 * 365 * 86_400)
    assert keys.current() == made


def test_many_rotations_in_a_row_keep_every_key_whose_tokens_live(path: Path) -> None:
    tokens = Tokens(SigningKeys(path), HERE)
    issued = []
    for _ in range(20):
        issued.append(tokens.issue(CLIENT, ["read"]))
        tokens.keys.rotate()
    assert all(tokens.verify(one) for one in issued)


def test_a_running_service_notices_the_rotation_of_another_process(path: Path) -> None:
    tokens = Tokens(SigningKeys(path), HERE)
    old = tokens.issue(CLIENT, ["read"])
    new = SigningKeys(path).rotate()
    assert tokens.keys.current() == new
    assert tokens.verify(old)
    other = Tokens(SigningKeys(path), HERE)
    assert other.verify(old)
    assert tokens.verify(other.issue(CLIENT, ["read"]))


def test_a_running_service_goes_on_when_the_file_is_away_for_a_moment(path: Path) -> None:
    tokens = Tokens(SigningKeys(path), HERE)
    token = tokens.issue(CLIENT, ["read"])
    path.rename(path.with_name("away.json"))
    assert tokens.verify(token)
    assert tokens.verify(tokens.issue(CLIENT, ["read"]))
    path.with_name("away.json").rename(path)
    assert tokens.verify(token)


@pytest.fixture
def own_service(settings: Settings, registry: Registry, database: Database, path: Path) -> FastAPI:
    """A service with keys of its own."""
    own = settings.model_copy(update={"signing_key_file": path})
    return create_app(own, registry, database)


async def test_over_http_a_rotation_is_published_at_once(own_service: FastAPI, path: Path) -> None:
    async with calling(own_service) as caller:
        before = (await caller.get("/.well-known/jwks.json")).json()["keys"]
        new = SigningKeys(path).rotate()
        after = (await caller.get("/.well-known/jwks.json")).json()["keys"]
    assert [one["kid"] for one in after] == [new.kid, before[0]["kid"]]
    assert after[1] == before[0]


@pytest.mark.parametrize("damage", ["{", '{"keys": []}', ""])
async def test_a_running_service_goes_on_when_the_file_is_damaged_under_it(
    own_service: FastAPI, path: Path, damage: str
) -> None:
    tokens: Tokens = own_service.state.tokens
    seen, unseen = tokens.issue(CLIENT, ["read"]), tokens.issue(CLIENT, ["read"])
    assert tokens.verify(seen)
    overwrite(path, damage)
    async with calling(own_service) as caller:
        for token in (seen, unseen):  # nobody's: the client is not on record
            headers = {"authorization": f"Bearer {token}"}
            answers: list[httpx.Response] = [
                await caller.get("/v1/indicators", headers=headers),
                await caller.get("/.well-known/jwks.json"),
            ]
            assert [one.status_code for one in answers] == [401, 200]
    assert tokens.verify(seen)
    assert tokens.verify(unseen)


# --- files that cannot be used -----------------------------------------------------------------


def unusable(path: Path) -> KeysUnusable:
    """Fail unless the keys cannot be used and the message says in both languages what to do."""
    with pytest.raises(KeysUnusable) as refused:
        SigningKeys(path)
    text = refused.value.text
    for said in (text.vi, text.en):
        assert str(path) in said
        assert "NTM_SIGNING_KEY_FILE" in said
    assert text.vi != text.en
    assert "khoá ký" in text.vi
    assert "signing key" in text.en
    return refused.value


def _good(path: Path) -> dict[str, Any]:
    SigningKeys(path)
    return on_file(path)[0]


def _jwk(**changes: Any) -> Callable[[dict[str, Any]], str]:
    def damage(good: dict[str, Any]) -> str:
        changed = {name: value for name, value in (good | changes).items() if value != "-"}
        return json.dumps({"keys": [changed]})

    return damage


DAMAGES: Final[dict[str, Callable[[dict[str, Any]], str | bytes]]] = {
    "empty": lambda good: "",
    "a brace": lambda good: "{",
    "a list": lambda good: json.dumps([good]),
    "null": lambda good: "null",
    "no keys": lambda good: "{}",
    "an empty list of keys": lambda good: '{"keys": []}',
    "keys null": lambda good: '{"keys": null}',
    "a key that is none": lambda good: '{"keys": [1]}',
    "cut off": lambda good: json.dumps({"keys": [good]})[:-20],
    "more behind": lambda good: json.dumps({"keys": [good]}) + "{}",
    "not UTF-8": lambda good: json.dumps(
        {"keys": [good | {"kid": "é"}]}, ensure_ascii=False
    ).encode("latin-1"),
    "zeros": lambda good: bytes(300),
    "PEM": lambda good: "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n",
    "unknown field": _jwk(password="x"),
    "no private half": _jwk(d="-"),
    "no kid": _jwk(kid="-"),
    "kid a number": _jwk(kid=1),
    "no x": _jwk(x="-"),
    "RSA": _jwk(kty="RSA"),
    "a shared secret": lambda good: '{"keys": [{"kty": "oct", "kid": "x", "k": ""}]}',
    "another curve": _jwk(crv="P-384"),
    "x not base64": _jwk(x="!!!"),
    "x too short": _jwk(x="AAAA"),
    "d not base64": _jwk(d="!!!"),
    "d empty": _jwk(d=""),
    "d zero": _jwk(d="A" * 43),
    "halves of two pairs": _jwk(**{k: own_jwk(own_key(), "x")[k] for k in ("x", "y")}),
    "one kid twice": lambda good: json.dumps({"keys": [good, good]}),
    "the key that signs retired": _jwk(retired=1),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_file_is_refused_at_start_with_advice(path: Path, name: str) -> None:
    good = _good(path)
    content = DAMAGES[name](good)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    refused = unusable(path)
    for said in (refused.text.vi, refused.text.en, str(refused)):
        assert good["d"] not in said


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_file_is_never_overwritten(path: Path, name: str) -> None:
    content = DAMAGES[name](_good(path))
    damaged = content.encode() if isinstance(content, str) else content
    path.write_bytes(damaged)
    with pytest.raises(KeysUnusable):
        SigningKeys(path).rotate()
    assert path.read_bytes() == damaged


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o602, 0o606, 0o601, 0o777])
def test_a_file_that_everybody_may_open_is_refused(path: Path, mode: int) -> None:
    SigningKeys(path)
    path.chmod(mode)
    assert "chmod 600" in unusable(path).text.en


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640, 0o440])
def test_a_file_for_its_owner_and_his_group_is_used(path: Path, mode: int) -> None:
    first = SigningKeys(path).current()
    path.chmod(mode)
    assert SigningKeys(path).current() == first


def test_a_folder_in_which_nothing_can_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for where in (
        tmp_path / "file" / "keys.json",
        tmp_path / "file" / "deeper" / "keys.json",
        Path("/proc/nowhere/keys.json"),
    ):
        unusable(where)


def test_a_folder_in_the_place_of_the_file_is_refused(path: Path) -> None:
    path.mkdir(parents=True)
    path.chmod(0o700)
    unusable(path)


def test_a_name_that_is_too_long_for_a_file_is_refused(tmp_path: Path) -> None:
    unusable(tmp_path / ("x" * 300))


def test_a_link_to_nowhere_is_refused(path: Path, tmp_path: Path) -> None:
    path.symlink_to(tmp_path / "nowhere")
    unusable(path)


def test_a_folder_that_may_not_be_entered_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: Any, **__: Any) -> os.stat_result:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", denied)
        unusable(path)


def test_a_rotation_that_cannot_be_written_changes_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = SigningKeys(path)
    first, content = keys.current(), path.read_bytes()

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    for step in ("app.domain.signing_keys.os.fsync", "app.domain.signing_keys.os.replace"):
        with monkeypatch.context() as patch:
            patch.setattr(step, full)
            with pytest.raises(KeysUnusable, match="No space left"):
                keys.rotate()
        assert path.read_bytes() == content
        assert keys.current() == first
        assert [one.name for one in path.parent.iterdir()] == ["keys.json"], step
