"""The stores of contents: a folder, and a bucket behind a real socket."""

from __future__ import annotations

import asyncio
import datetime
import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_s3 import FakeS3

from app.domain.evidence import store, stores
from app.domain.evidence.store import FolderStore, Store
from app.domain.hindrances import Hindered
from app.settings import Settings

SMALL = b"x" * 1_000
LARGE = os.urandom(1024) * (9 * 1024)  # 9 MB: a bucket gets it in parts
LONG_AGO = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)


@pytest.fixture
def bucket() -> Iterator[FakeS3]:
    """A server that speaks as much S3 as is used here."""
    with FakeS3() as found:
        yield found


@pytest.fixture(params=["folder", "bucket"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Each store in turn."""
    settings = Settings(data_dir=tmp_path)
    if request.param == "bucket":
        settings = settings.model_copy(update=request.getfixturevalue("bucket").settings())
    return stores.of(settings)


async def content_of(kept: Store, id_: str) -> bytes:
    """Return a whole content."""
    return b"".join([piece async for piece in kept.open(id_)])


async def all_of(kept: Store) -> list[str]:
    """Return the ids of everything in a store."""
    return sorted([one.id async for some in kept.all() for one in some])


def below(folder: Path) -> list[Path]:
    """Return everything in a folder and its folders."""
    return list(folder.rglob("*"))


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
async def test_what_is_put_is_read_until_it_is_deleted(kept: Store, content: bytes) -> None:
    """A store gives back the very bytes, and forgets what is deleted."""
    one, other = store.new_id(), store.new_id()
    await kept.put(one, io.BytesIO(content), len(content))
    await kept.put(other, io.BytesIO(SMALL), len(SMALL))
    assert await content_of(kept, one) == content
    assert await all_of(kept) == sorted([one, other])
    assert {lying.since > LONG_AGO async for some in kept.all() for lying in some} == {True}
    await kept.delete([one, store.new_id()])
    assert await all_of(kept) == [other]
    await kept.delete([one])  # once more: it is gone already
    with pytest.raises(Hindered) as lost:
        await content_of(kept, one)
    assert lost.value.code == "storage-unavailable"


async def test_an_empty_store_has_nothing(kept: Store) -> None:
    """Nothing needs to be made by hand before a store is used."""
    assert await all_of(kept) == []


async def test_the_folder_is_closed_to_others(tmp_path: Path) -> None:
    """Files of evidence are for the account of the service alone."""
    kept, id_ = FolderStore(tmp_path / "evidence"), store.new_id()
    await kept.put(id_, io.BytesIO(SMALL), len(SMALL))
    modes = {path.name: path.stat().st_mode & 0o777 for path in below(tmp_path)}
    assert modes == {"evidence": 0o700, id_[:2]: 0o700, id_: 0o600}


@pytest.mark.parametrize("id_", ["../../etc/passwd", "a" * 31, "A" * 32, "", "x/../" + "a" * 32])
async def test_no_id_leads_out_of_the_folder(tmp_path: Path, id_: str) -> None:
    """Only what the store itself would name is looked for (ASVS 5.3.2)."""
    kept = FolderStore(tmp_path)
    with pytest.raises(ValueError, match="no id"):
        await content_of(kept, id_)
    with pytest.raises(ValueError, match="no id"):
        await kept.delete([id_])


async def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """507 at the end of the room; what was written of the content is removed (threat 28)."""
    kept = FolderStore(tmp_path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    id_ = store.new_id()
    (tmp_path / id_[:2]).mkdir()
    with pytest.raises(Hindered) as hindered:
        await kept.put(id_, io.BytesIO(SMALL), len(SMALL))
    assert hindered.value.code == "storage-full"
    assert await all_of(kept) == []


WRITER = """
import asyncio, os, sys
from pathlib import Path
from app.domain.evidence.store import FolderStore

class Slow:
    def seek(self, _):
        pass
    def read(self, _=-1):
        print("writing", flush=True)
        sys.stdin.readline()
        return b"x" * 100_000

asyncio.run(FolderStore(Path(sys.argv[1])).put(sys.argv[2], Slow(), 10**9))
"""


def test_killed_while_writing_nothing_can_be_seen(tmp_path: Path) -> None:
    """kill -9 in the middle of a content: it is not there, and what is left can be removed."""
    id_ = store.new_id()
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path), id_],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as writer:  # fmt: skip
        assert writer.stdin
        assert writer.stdout
        for _ in range(5):
            assert writer.stdout.readline() == "writing\n"
            writer.stdin.write("\n")
            writer.stdin.flush()
        writer.send_signal(signal.SIGKILL)
    assert below(tmp_path) != [], "it was killed too early to show anything"
    kept = FolderStore(tmp_path)
    assert not (tmp_path / id_[:2] / id_).exists()
    with pytest.raises(Hindered):
        asyncio.run(content_of(kept, id_))
    left = asyncio.run(all_of(kept))
    assert left == [f"{id_}.part"], "no file is ever named so: it is an orphan"
    asyncio.run(kept.delete(left))
    assert asyncio.run(all_of(kept)) == []


# --- a bucket ------------------------------------------------------------------------------------


async def test_a_bucket_is_used_under_its_prefix_and_signed(bucket: FakeS3, tmp_path: Path) -> None:
    """Objects lie under the prefix; every request is signed, and no secret is sent or shown."""
    settings = Settings(data_dir=tmp_path).model_copy(update=bucket.settings())
    kept, id_ = stores.of(settings), store.new_id()
    await kept.put(id_, io.BytesIO(SMALL), len(SMALL))
    assert list(bucket.objects) == [f"/minh-chung/ntm/{id_}"]
    assert all("Credential=somebody/" in one for one in bucket.signatures)
    assert bucket.signatures
    assert "a-secret-of-the-bucket" not in "".join(bucket.signatures) + repr(settings) + repr(kept)
    assert below(tmp_path) == []


async def test_a_bucket_that_breaks_off_shows_nothing(bucket: FakeS3, tmp_path: Path) -> None:
    """Where the last part of an upload is refused, there is no object."""
    kept = stores.of(Settings(data_dir=tmp_path).model_copy(update=bucket.settings()))
    bucket.refused = "partNumber=2"
    with pytest.raises(Hindered) as hindered:
        await kept.put(store.new_id(), io.BytesIO(LARGE), len(LARGE))
    assert hindered.value.code == "storage-unavailable"
    assert "secret" not in str(hindered.value)
    assert await all_of(kept) == []


async def test_a_bucket_that_refuses_or_is_not_there_says_what_to_do(
    bucket: FakeS3, tmp_path: Path
) -> None:
    """503 with the settings to look at."""
    settings = Settings(data_dir=tmp_path).model_copy(update=bucket.settings())
    kept = stores.of(settings)
    bucket.refused = "/"
    for what in (kept.put(store.new_id(), io.BytesIO(SMALL), 9), content_of(kept, "a" * 32),
                 kept.delete(["a" * 32]), all_of(kept)):  # fmt: skip
        with pytest.raises(Hindered) as hindered:
            await what
        assert "NTM_EVIDENCE_S3" in hindered.value.text.vi


async def test_without_its_driver_the_bucket_is_refused_at_the_start(
    tmp_path: Path, bucket: FakeS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who sets a bucket without the extra learns what to install."""
    monkeypatch.setitem(sys.modules, "obstore", None)
    monkeypatch.delitem(sys.modules, "app.domain.evidence.s3", raising=False)
    with pytest.raises(Hindered) as hindered:
        stores.of(Settings(data_dir=tmp_path).model_copy(update=bucket.settings()))
    assert "ntm-rules[s3]" in hindered.value.text.en
