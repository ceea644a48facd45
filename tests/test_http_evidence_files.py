"""Files of evidence over HTTP: who may send what where, what is read back, what is refused."""

from __future__ import annotations

import asyncio
import base64
import datetime
import hashlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit

import httpx
import pytest
from conftest import Described, problem
from evidence_files_made import BAD, GOOD, NAMES, PDF, large_pdf, png
from export_calls import on_a_socket
from fake_s3 import FakeS3
from own_database import own
from sqlalchemy import text
from submission_calls import LAST_DAY, OLD, SUBMISSIONS, Item, Offices, Team, moved, opened, working

from app.database import Database
from app.domain.evidence import files, removing
from app.domain.evidence.store import FolderStore
from app.rules.registry import Registry
from app.settings import Settings

settings, database, service = own("files", max_evidence_file_bytes=3 * 1024 * 1024)
offices, team = working(LAST_DAY, "module")

SLOT: Final = "phutho.1.2.3.documents"
PERIODS = (f"{year}-{month:02}" for year in range(2015, 2025) for month in range(1, 13))


@pytest.fixture
async def draft(team: Team) -> str:
    """The address of the files of a slot of a new draft."""
    found = await opened(team["commune"], OLD["commune"], next(PERIODS))
    return f"{SUBMISSIONS}/{found['id']}/slots/{SLOT}/files"


@pytest.fixture
def commune(team: Team) -> httpx.AsyncClient:
    """The commune's client."""
    return team["commune"]


def on_disk(settings: Settings) -> set[Path]:
    """Return every file of the store."""
    return {path for path in settings.evidence.rglob("*") if path.is_file()}


def digest(content: bytes) -> str:
    """Return a digest as a field of RFC 9530."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(content).digest()).decode()}:"


def id_of(address: str) -> int:
    """Return the submission of an address."""
    return int(address.split("/")[3])


async def acts(database: Database, address: str) -> list[str]:
    """Return what the audit has of changes of the files of a submission."""
    wanted = (
        "SELECT details FROM audit_entry WHERE action LIKE 'evidence.file-%'"
        " AND action <> 'evidence.file-read' ORDER BY id"
    )
    async with database.as_owner() as connection:
        found = (await connection.execute(text(wanted))).scalars().all()
    return [one for one in found if f'"submission":{id_of(address)}' in one]


async def count(client: httpx.AsyncClient, address: str) -> int:
    """Return how many files stand in a slot."""
    return len((await client.get(address)).json()["items"])


@pytest.mark.parametrize("name", GOOD)
async def test_a_file_is_read_back_as_it_was_sent(
    commune: httpx.AsyncClient, draft: str, described: Described, name: str
) -> None:
    """Every kind comes back byte by byte, as an attachment that no browser runs (THREATS 15)."""
    content, address = GOOD[name], f"{draft}/{quote(name)}"
    sent = await commune.put(address, content=content)
    described.judge(sent)
    assert sent.status_code == 201, sent.text
    body = sent.json()
    assert body["sha256"] == hashlib.sha256(content).hexdigest()
    assert (body["name"], body["size"], body["step"]) == (name, len(content), "commune")
    assert urlsplit(sent.headers["location"]).path == address
    read = await commune.get(address)
    described.judge(read)
    assert read.content == content
    assert read.headers["content-type"].partition(";")[0] == body["media"]
    assert read.headers["content-disposition"].startswith("attachment; ")
    assert f"filename*=UTF-8''{quote(name)}" in read.headers["content-disposition"]
    assert read.headers["x-content-type-options"] == "nosniff"
    assert read.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert read.headers["cache-control"] == "private, no-cache"
    assert read.headers["repr-digest"] == digest(content)
    assert int(read.headers["content-length"]) == len(content)
    head = await commune.head(address)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["etag"] == read.headers["etag"]
    known = {"if-none-match": read.headers["etag"]}
    assert (await commune.get(address, headers=known)).status_code == 304


async def test_the_same_again_changes_nothing(
    commune: httpx.AsyncClient, draft: str, settings: Settings, database: Database
) -> None:
    """A file is idempotent by its digest: no revision, no audit, no second content."""
    first = (await commune.put(f"{draft}/a.pdf", content=PDF)).json()
    submission = f"{SUBMISSIONS}/{id_of(draft)}"
    version, lying = (await commune.get(submission)).json()["version"], on_disk(settings)
    again = await commune.put(f"{draft}/a.pdf", content=PDF)
    assert (again.status_code, again.json()) == (200, first | {"unchanged": True})
    assert (await commune.get(submission)).json()["version"] == version
    assert on_disk(settings) == lying
    told = await acts(database, draft)
    assert len(told) == 1
    assert "a.pdf" not in told[0], "names of files may name people"


async def test_another_content_takes_the_place(
    commune: httpx.AsyncClient, draft: str, settings: Settings, database: Database
) -> None:
    """Nothing is edited: the former file is ended, and the submission says that it has changed."""
    await commune.put(f"{draft}/a.pdf", content=PDF)
    submission = f"{SUBMISSIONS}/{id_of(draft)}"
    version = (await commune.get(submission)).json()["version"]
    later = await commune.put(f"{draft}/a.pdf", content=PDF + b"\n")
    assert (later.status_code, later.json()["unchanged"]) == (200, False)
    assert (await commune.get(f"{draft}/a.pdf")).content == PDF + b"\n"
    assert (await commune.get(submission)).json()["version"] != version
    assert await count(commune, draft) == 1
    assert len(await acts(database, draft)) == 2
    # No version was submitted with the former content: nobody keeps it.
    former = {"sha256": hashlib.sha256(PDF).hexdigest()}
    assert problem(await commune.get(f"{draft}/a.pdf", params=former))["code"] == "file-deleted"


async def test_what_was_submitted_stays_readable(team: Team, draft: str) -> None:
    """A content that a submitted version names is kept when the draft goes on without it."""
    commune, id_ = team["commune"], id_of(draft)
    await commune.put(f"{draft}/a.pdf", content=PDF)
    await moved(commune, id_, "submit", "commune", LAST_DAY)
    frozen = await commune.put(f"{draft}/a.pdf", content=PDF + b"\n")
    assert (frozen.status_code, problem(frozen)["code"]) == (409, "submission-frozen")
    assert problem(await commune.delete(f"{draft}/a.pdf"))["code"] == "submission-frozen"
    await moved(team["district"], id_, "return", "district", LAST_DAY)
    await moved(commune, id_, "reopen", "commune", LAST_DAY)
    assert (await commune.delete(f"{draft}/a.pdf")).status_code == 204
    assert (await commune.get(f"{draft}/a.pdf")).status_code == 404
    former = {"sha256": hashlib.sha256(PDF).hexdigest().upper()}
    assert (await commune.get(f"{draft}/a.pdf", params=former)).content == PDF


async def test_a_change_may_say_which_state_it_means(
    commune: httpx.AsyncClient, draft: str, settings: Settings
) -> None:
    """Who has seen an older state of the submission changes nothing (412)."""
    submission = f"{SUBMISSIONS}/{id_of(draft)}"
    seen = (await commune.get(submission)).headers["etag"]
    lying = on_disk(settings)
    sent = await commune.put(f"{draft}/a.pdf", content=PDF, headers={"if-match": seen})
    assert sent.status_code == 201, sent.text
    kept = on_disk(settings) - lying
    for answer in (
        await commune.put(f"{draft}/a.pdf", content=PDF, headers={"if-match": seen}),
        await commune.put(f"{draft}/b.pdf", content=PDF, headers={"if-match": seen}),
        await commune.delete(f"{draft}/a.pdf", headers={"if-match": seen}),
        await commune.delete(
            f"{submission}/names", params={"purpose": "Hết hạn lưu"}, headers={"if-match": seen}
        ),
    ):
        assert (answer.status_code, problem(answer)["code"]) == (412, "precondition-failed")
    assert on_disk(settings) - lying == kept
    now = (await commune.get(submission)).headers["etag"]
    gone = await commune.delete(f"{draft}/a.pdf", headers={"if-match": now})
    assert gone.status_code == 204


async def test_an_office_that_checks_sends_its_own_photos(team: Team, draft: str) -> None:
    """Photos of a check stand beside the commune's files, and nobody touches another's."""
    commune, district, id_ = team["commune"], team["district"], id_of(draft)
    await commune.put(f"{draft}/a.png", content=png())
    too_early = await district.put(f"{draft}/b.png", content=png())
    assert (too_early.status_code, problem(too_early)["code"]) == (403, "not-your-office")
    submitted = await moved(commune, id_, "submit", "commune", LAST_DAY)
    sent = await district.put(f"{draft}/b.png", content=png())
    assert (sent.status_code, sent.json()["step"]) == (201, "district")
    assert (await commune.get(f"{SUBMISSIONS}/{id_}")).json()["version"] != submitted["version"]
    others = await district.put(f"{draft}/a.png", content=png((b"tEXt", b"a\0b")))
    assert (others.status_code, problem(others)["code"]) == (403, "not-your-file")
    early = await team["province"].put(f"{draft}/c.png", content=png())
    assert (early.status_code, problem(early)["code"]) == (403, "not-your-office")
    finding = {
        "kind": "field", "found_on": "2025-06-30", "place": "Khu 3", "seen": "Đủ", "holds": True,
        "photos": ["b.png"], "acting_official": {"id": "1", "office": "Huyện", "position": "CV"},
    }  # fmt: skip
    found = await district.post(f"{draft.removesuffix('files')}findings", json=finding)
    assert found.status_code == 201, found.text
    later = await district.put(f"{draft}/b.png", content=png((b"tEXt", b"a\0b")))
    assert (later.status_code, problem(later)["code"]) == (409, "file-in-finding")
    await moved(district, id_, "return", "district", LAST_DAY)
    await moved(commune, id_, "reopen", "commune", LAST_DAY)
    taken = await commune.delete(f"{draft}/b.png")
    assert (taken.status_code, problem(taken)["code"]) == (403, "not-your-file")
    assert await count(commune, draft) == 2


async def test_who_may_not_sees_nothing(
    offices: Offices, team: Team, draft: str, settings: Settings
) -> None:
    """A foreign submission is not there; a client without the scope sends nothing."""
    await team["commune"].put(f"{draft}/a.pdf", content=PDF)
    lying = on_disk(settings)
    elsewhere = await offices.joined("00004", "read", "evidence:submit")
    for answer in (
        await elsewhere.put(f"{draft}/a.pdf", content=PDF),
        await elsewhere.get(f"{draft}/a.pdf"),
        await elsewhere.get(draft),
        await elsewhere.delete(f"{draft}/a.pdf"),
    ):
        assert (answer.status_code, problem(answer)["code"]) == (404, "submission-not-found")
    reader = await offices.joined(OLD["commune"], "read")
    for answer in (
        await reader.put(f"{draft}/b.pdf", content=PDF),
        await reader.delete(f"{draft}/a.pdf"),
    ):
        assert (answer.status_code, problem(answer)["code"]) == (403, "insufficient-scope")
    nation = await offices.joined("VN", "read", "evidence:submit")
    answer = await nation.put(f"{draft}/b.pdf", content=PDF)
    assert answer.status_code in (403, 409)
    assert on_disk(settings) == lying


async def test_hostile_files_leave_nothing(
    commune: httpx.AsyncClient, draft: str, settings: Settings, described: Described
) -> None:
    """422 or 415, and neither the record nor the store has anything of it (THREATS 15, 16)."""
    lying = on_disk(settings)
    for case, (name, content, code) in BAD.items():
        answer = await commune.put(f"{draft}/{quote(name)}", content=content)
        described.judge(answer)
        wanted = (415, "unsupported-media-type") if code == "unsupported" else (422, code)
        assert (answer.status_code, problem(answer)["code"]) == wanted, case
    assert await count(commune, draft) == 0
    assert on_disk(settings) == lying


async def test_hostile_names_are_refused(
    commune: httpx.AsyncClient, draft: str, settings: Settings
) -> None:
    """A name is never a path: nothing is written anywhere (THREATS 14)."""
    lying = on_disk(settings)
    for name in NAMES:
        # A dot is written as %2E%2E by whoever wants to get past the client's own tidying.
        written = quote(name, safe="").replace(".", "%2E")
        answer = await commune.put(f"{draft}/{written}", content=PDF)
        assert (answer.status_code, problem(answer)["code"]) == (422, "invalid-filename"), name
    assert on_disk(settings) == lying


async def test_a_digest_that_is_stated_is_checked(commune: httpx.AsyncClient, draft: str) -> None:
    """RFC 9530: what does not arrive as it was meant is refused; so is what cannot be read."""
    address, right, wrong = f"{draft}/a.pdf", digest(PDF), digest(b"other")
    for headers in ({"repr-digest": wrong}, {"content-digest": wrong},
                    {"repr-digest": right, "content-digest": wrong}):  # fmt: skip
        answer = await commune.put(address, content=PDF, headers=headers)
        assert (answer.status_code, problem(answer)["code"]) == (422, "digest-mismatch")
    other = {"sha256": hashlib.sha256(b"").hexdigest()}
    answer = await commune.put(address, content=PDF, params=other)
    assert problem(answer)["code"] == "digest-mismatch"
    for unread in ("md5=:AAAA:", "sha-256=abc", "sha-256=:AAAA:", right + ", " + wrong, ""):
        answer = await commune.put(address, content=PDF, headers={"repr-digest": unread})
        assert (answer.status_code, problem(answer)["code"]) == (422, "wrong-value"), unread
    assert await count(commune, draft) == 0
    both = {"repr-digest": f"sha-512=:AAAA:, {right}", "content-digest": right}
    stated = {"sha256": hashlib.sha256(PDF).hexdigest()}
    answer = await commune.put(address, content=PDF, headers=both, params=stated)
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize(
    ("media", "status"),
    [
        ("application/pdf", 201),
        ("application/octet-stream", 201),
        ("image/png", 415),
        ("text/html", 415),
        ("multipart/form-data; boundary=x", 415),
        ("application/x-www-form-urlencoded", 415),
    ],
)
async def test_what_is_declared_must_not_contradict(
    commune: httpx.AsyncClient, draft: str, media: str, status: int
) -> None:
    """The content decides what a file is; a declaration of something else is refused."""
    headers = {"content-type": media}
    answer = await commune.put(f"{draft}/a.pdf", content=PDF, headers=headers)
    assert answer.status_code == status, answer.text


async def test_an_encoding_or_nothing_is_refused(commune: httpx.AsyncClient, draft: str) -> None:
    """What is sent is the file; an empty one is none."""
    packed = await commune.put(f"{draft}/a.pdf", content=PDF, headers={"content-encoding": "gzip"})
    assert packed.status_code == 415
    empty = await commune.put(f"{draft}/a.pdf", content=b"")
    assert (empty.status_code, problem(empty)["code"]) == (422, "missing-field")
    unknown = await commune.put(f"{draft}/a.pdf?overwrite=true", content=PDF)
    assert problem(unknown)["code"] == "unknown-field"


async def test_unknown_slots_and_files_are_absent(
    commune: httpx.AsyncClient, draft: str, settings: Settings
) -> None:
    """404 that says which of the two is not there."""
    lying = on_disk(settings)
    elsewhere = draft.replace(SLOT, "phutho.9.9.9.list")
    for answer in (
        await commune.put(f"{elsewhere}/a.pdf", content=PDF),
        await commune.get(elsewhere),
        await commune.get(f"{elsewhere}/a.pdf"),
        await commune.delete(f"{elsewhere}/a.pdf"),
    ):
        assert (answer.status_code, problem(answer)["code"]) == (404, "slot-not-found")
    for answer in (await commune.get(f"{draft}/b.pdf"), await commune.delete(f"{draft}/b.pdf")):
        assert (answer.status_code, problem(answer)["code"]) == (404, "file-not-found")
    assert on_disk(settings) == lying


async def test_too_large_is_told_however_it_is_sent(
    offices: Offices, commune: httpx.AsyncClient, draft: str, settings: Settings
) -> None:
    """413 for two declared gigabytes without reading them, and at the limit when chunked."""
    lying = on_disk(settings)
    declared = {"content-length": str(2 * 2**30)}
    answer = await commune.put(f"{draft}/a.pdf", content=PDF, headers=declared)
    assert (answer.status_code, problem(answer)["code"]) == (413, "payload-too-large")

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"%PDF-" + b"x" * 100_000

    answer = await commune.put(f"{draft}/a.pdf", content=endless())
    assert (answer.status_code, problem(answer)["code"]) == (413, "payload-too-large")
    limit = settings.max_evidence_file_bytes
    assert (await commune.put(f"{draft}/a.pdf", content=large_pdf(limit))).status_code == 201
    assert (await commune.put(f"{draft}/b.pdf", content=large_pdf(limit + 1))).status_code == 413
    assert len(on_disk(settings) - lying) == 1


async def test_an_upload_that_is_cut_leaves_nothing(
    offices: Offices, commune: httpx.AsyncClient, draft: str, settings: Settings
) -> None:
    """Over a real socket: who hangs up half-way has sent nothing."""
    lying = on_disk(settings)
    async with on_a_socket(offices.service) as address:
        host, _, port = urlsplit(address).netloc.partition(":")
        head = (
            f"PUT {draft}/a.pdf HTTP/1.1\r\nhost: {host}\r\n"
            f"authorization: {commune.headers['authorization']}\r\n"
            f"content-length: {len(PDF)}\r\n\r\n"
        ).encode()
        with socket.create_connection((host, int(port))) as line:
            line.sendall(head + PDF[:-20])
            await asyncio.sleep(0.05)
        async with httpx.AsyncClient(base_url=address, headers=commune.headers) as http:
            assert (await http.get(draft)).json()["items"] == []
            assert (await http.put(f"{draft}/a.pdf", content=PDF)).status_code == 201
            assert (await http.get(f"{draft}/a.pdf")).content == PDF
    assert len(on_disk(settings) - lying) == 1


async def test_a_full_store_takes_nothing(
    commune: httpx.AsyncClient, draft: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """507, and the record does not name what is not kept (THREATS 28)."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("app.domain.evidence.store._write", full)
        answer = await commune.put(f"{draft}/a.pdf", content=PDF)
    assert (answer.status_code, problem(answer)["code"]) == (507, "storage-full")
    assert await count(commune, draft) == 0
    assert (await commune.put(f"{draft}/a.pdf", content=PDF)).status_code == 201


async def test_a_record_that_fails_leaves_no_content(
    commune: httpx.AsyncClient, draft: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was kept for a file that could not be put on record is removed."""
    lying = on_disk(settings)

    async def fail(*_: object) -> None:
        raise RuntimeError("it fails")

    with monkeypatch.context() as patch:
        patch.setattr(files, "record", fail)
        assert (await commune.put(f"{draft}/a.pdf", content=PDF)).status_code == 500
    assert on_disk(settings) == lying


async def test_a_slot_has_room_for_so_many(
    commune: httpx.AsyncClient, draft: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slot is no archive; what stands there can still be replaced."""
    monkeypatch.setattr(files, "MOST", 2)
    for name in ("a.pdf", "b.pdf"):
        assert (await commune.put(f"{draft}/{name}", content=PDF)).status_code == 201
    answer = await commune.put(f"{draft}/c.pdf", content=PDF)
    assert (answer.status_code, problem(answer)["code"]) == (409, "too-many-files")
    assert (await commune.put(f"{draft}/a.pdf", content=PDF + b"\n")).status_code == 200


async def test_two_at_once_under_one_name_are_one_file(
    commune: httpx.AsyncClient, draft: str, settings: Settings
) -> None:
    """Whoever comes second follows the first, or finds his content there."""
    lying = on_disk(settings)
    contents = [PDF, PDF, PDF + b"\n"]
    answers = await asyncio.gather(
        *(commune.put(f"{draft}/a.pdf", content=one) for one in contents)
    )
    assert sorted(one.status_code for one in answers) == [200, 200, 201]
    (standing,) = (await commune.get(draft)).json()["items"]
    assert standing["sha256"] in {hashlib.sha256(one).hexdigest() for one in contents}
    assert (await commune.get(f"{draft}/a.pdf")).status_code == 200
    assert len(on_disk(settings) - lying) >= 1


async def test_a_content_that_was_altered_is_never_whole(
    offices: Offices, commune: httpx.AsyncClient, draft: str, settings: Settings
) -> None:
    """A damaged content ends without its last piece; a lost one is told (THREATS 46)."""
    lying = on_disk(settings)
    content = large_pdf(600_000)
    await commune.put(f"{draft}/a.pdf", content=content)
    (path,) = on_disk(settings) - lying
    path.write_bytes(content[:-1] + b"x")
    async with (
        on_a_socket(offices.service) as address,
        httpx.AsyncClient(base_url=address, headers=commune.headers) as http,
    ):
        with pytest.raises(httpx.RemoteProtocolError):
            await http.get(f"{draft}/a.pdf")
        path.unlink()
        lost = await http.get(f"{draft}/a.pdf")
    assert (lost.status_code, problem(lost)["code"]) == (503, "storage-unavailable")
    assert offices.service.state.file_downloads.running == 0


@pytest.mark.parametrize("left", [b"", PDF[:-1], PDF[:-1] + b"x"])
async def test_a_content_of_one_piece_that_was_altered_is_told(
    commune: httpx.AsyncClient, draft: str, settings: Settings, left: bytes
) -> None:
    """Before anything is sent it can still be told: 503, not half an answer (THREATS 46)."""
    lying = on_disk(settings)
    await commune.put(f"{draft}/a.pdf", content=PDF)
    (path,) = on_disk(settings) - lying
    path.write_bytes(left)
    cut = await commune.get(f"{draft}/a.pdf")
    assert (cut.status_code, problem(cut)["code"]) == (503, "storage-unavailable")


@pytest.mark.parametrize("left", [None, PDF[:-1]])
async def test_a_lost_content_that_is_sent_again_is_kept_again(
    commune: httpx.AsyncClient, draft: str, settings: Settings, database: Database,
    left: bytes | None,
) -> None:  # fmt: skip
    """The file on record does not change, and can be read once more (THREATS 46)."""
    before = on_disk(settings)
    first = (await commune.put(f"{draft}/a.pdf", content=PDF)).json()
    submission = f"{SUBMISSIONS}/{id_of(draft)}"
    version = (await commune.get(submission)).json()["version"]
    (path,) = on_disk(settings) - before
    path.unlink()
    if left is not None:
        path.write_bytes(left)
    again = await commune.put(f"{draft}/a.pdf", content=PDF)
    assert (again.status_code, again.json()) == (200, first)
    assert (await commune.get(f"{draft}/a.pdf")).content == PDF
    assert (await commune.get(submission)).json()["version"] == version
    assert (await commune.put(f"{draft}/a.pdf", content=PDF)).json()["unchanged"] is True
    assert len(on_disk(settings) - before) == (1 if left is None else 2)
    assert len(await acts(database, draft)) == 2


async def test_contents_are_deleted_when_their_time_is_over(
    commune: httpx.AsyncClient, draft: str, settings: Settings, database: Database
) -> None:
    """Names, sizes and digests stay on record; the content is gone, and that is told (410)."""
    await commune.put(f"{draft}/a.pdf", content=PDF)
    await commune.put(f"{draft}/b.png", content=png())
    lying, kept = on_disk(settings), FolderStore(settings.evidence)
    for deleted in (2, 0):  # done again, nothing happens
        async with database.writing() as connection:
            found = await removing.delete_contents(connection, kept, id_of(draft))
        assert found == deleted
    assert len(lying - on_disk(settings)) == 2
    answer = await commune.get(f"{draft}/a.pdf")
    assert (answer.status_code, problem(answer)["code"]) == (410, "file-deleted")
    items = (await commune.get(draft)).json()["items"]
    assert [(one["name"], one["content_deleted"]) for one in items] == [
        ("a.pdf", True),
        ("b.png", True),
    ]
    submission: Item = (await commune.get(f"{SUBMISSIONS}/{id_of(draft)}")).json()
    assert submission["files_deleted_at"] is not None


async def test_contents_that_nothing_names_are_found(
    commune: httpx.AsyncClient, draft: str, settings: Settings, database: Database
) -> None:
    """What a kill left, and what was replaced before anybody submitted it, is nobody's."""
    lying = on_disk(settings)
    await commune.put(f"{draft}/a.pdf", content=PDF)
    (former,) = on_disk(settings) - lying
    await commune.put(f"{draft}/a.pdf", content=PDF + b"\n")
    (current,) = on_disk(settings) - lying - {former}
    kept = FolderStore(settings.evidence)
    now = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
    async with database.reading() as connection:
        found = await removing.orphans(connection, kept, now)
        assert former.name in found
        assert current.name not in found
        assert await removing.orphans(connection, kept, now - datetime.timedelta(days=1)) == []
        await connection.execute("SELECT set_config('ntm.nation', '', true)")
        with pytest.raises(LookupError):
            await removing.orphans(connection, kept, now)


async def test_a_bucket_serves_as_the_folder_does(
    settings: Settings, registry: Registry, database: Database, draft: str
) -> None:
    """Where a bucket is set, nothing is written to the folder, and files are read back from it."""
    lying = on_disk(settings)
    with FakeS3() as bucket:
        found = settings.model_copy(update=bucket.settings())
        offices = Offices(found, registry, database, LAST_DAY)
        commune = await offices.joined(OLD["commune"], "read", "evidence:submit")
        assert (await commune.put(f"{draft}/a.pdf", content=PDF)).status_code == 201
        assert (await commune.get(f"{draft}/a.pdf")).content == PDF
        assert len(bucket.objects) == 1
        assert "a.pdf" not in "".join(bucket.objects)
        bucket.refused = "/"
        for answer in (
            await commune.get(f"{draft}/a.pdf"),
            await commune.put(f"{draft}/b.pdf", content=PDF),
        ):
            assert (answer.status_code, problem(answer)["code"]) == (503, "storage-unavailable")
        await offices.close()
    assert on_disk(settings) == lying
