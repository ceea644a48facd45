"""Names of citizens (Law 91/2025/QH15): sealed, read by who may with a purpose, deleted for good.

Canary names are searched in every answer, in the log and in a dump of the database.
"""

from __future__ import annotations

import itertools
import json
import logging
import stat
import uuid
from collections.abc import AsyncIterator, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from evidence_calls import (
    CANARIES,
    CSV,
    FORM_03,
    FORM_07,
    PARTS,
    PURPOSE,
    at,
    listed,
    sent,
    sent_file,
)
from fastapi import FastAPI
from own_database import own
from submission_calls import (
    OLD,
    OLD_DAY,
    RULESET,
    SUBMISSIONS,
    Offices,
    acted,
    moved,
    opened,
    slots,
    working,
)

from app import logs
from app.database import Database
from app.database.backup import _run as run_program
from app.domain.audit import sealing, verifying
from app.domain.audit.verifying import Witness
from app.domain.evidence.keys import BYTES, Keys
from app.domain.evidence.masking import masked
from app.domain.hindrances import Hindered
from app.settings import Settings

settings, database, service = own("evidence_names")
offices, team = working(OLD_DAY, "module")
Office = dict[str, httpx.AsyncClient]
_YEARS = itertools.count(1950)
_READS = """
SELECT action, client, reason, details FROM audit_entry
 WHERE action LIKE 'evidence.names%' AND details::jsonb ->> 'submission' = $1::text ORDER BY id
"""


@pytest.fixture(scope="module")
async def office(offices: Offices) -> Office:
    """The chain of a commune, and who is not on it."""
    found = await offices.of(OLD)
    found["neighbour"] = await offices.joined("08500", "read", "evidence:names")
    found["nation"] = await offices.joined("VN", "read", "evidence:names")
    found["auditor"] = await offices.joined(OLD["province"], "read", "clients:admin")
    return found


@pytest.fixture
async def draft(office: Office) -> int:
    """A draft whose Phụ lục 03 names the canaries."""
    year = str(next(_YEARS))
    id_ = int((await opened(office["commune"], OLD["commune"], year, parts=PARTS))["id"])
    await sent(office["commune"], id_, FORM_03, listed(CANARIES))
    return id_


@pytest.fixture
async def owner(settings: Settings) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the database's owner, who may do to it what nobody should."""
    assert settings.database_owner_url is not None
    connection = await asyncpg.connect(settings.database_owner_url.get_secret_value())
    await connection.execute("SET search_path TO ntm; SET ntm.nation TO 't'")
    yield connection
    await connection.close()


async def key_file(owner: asyncpg.Connection, settings: Settings, id_: int) -> Path:
    """Return the file of a submission's key."""
    name = await owner.fetchval("SELECT names_key FROM evidence_submission WHERE id = $1", id_)
    return settings.names_keys / f"{name.hex}.key"


async def asked(client: httpx.AsyncClient, id_: int, **query: Any) -> httpx.Response:
    """Ask for the names of Phụ lục 03."""
    return await client.get(at(id_, FORM_03, "names"), params={"purpose": PURPOSE} | query)


async def reads(owner: asyncpg.Connection, id_: int) -> list[dict[str, Any]]:
    """Return what the audit has of reading or deleting the names of a submission."""
    rows = await owner.fetch(_READS, str(id_))
    return [{**dict(row), "details": json.loads(row["details"])} for row in rows]


def code_of(answer: httpx.Response) -> tuple[int, str]:
    """Return status and code of a problem."""
    return answer.status_code, answer.json()["code"]


# --- reading --------------------------------------------------------------------------------------


async def test_who_reads_names_stands_in_the_audit_with_the_purpose(
    office: Office, draft: int, owner: asyncpg.Connection
) -> None:
    """Every page: who, what for, how many; it is stored nowhere on the way."""
    early = await asked(office["district"], draft)
    assert code_of(early) == (403, "not-on-the-chain")  # a draft is the commune's alone
    await moved(office["commune"], draft, "submit", "commune", OLD_DAY)
    for who in ("commune", "district", "province"):
        answer = await asked(office[who], draft, limit=2)
        assert answer.status_code == 200, answer.text
        assert [one["name"] for one in answer.json()["items"]] == list(CANARIES[:2])
        assert answer.headers["cache-control"] == "no-store"
        assert "etag" not in answer.headers
    following = answer.json()["next"]
    last = await asked(office["province"], draft, limit=2, cursor=following)
    assert last.status_code == 200, last.text
    assert [one["name"] for one in last.json()["items"]] == list(CANARIES[2:])
    found = await reads(owner, draft)
    assert [one["details"]["rows"] for one in found] == [2, 2, 2, 1]
    assert {one["reason"] for one in found} == {PURPOSE}
    assert len({one["client"] for one in found}) == 3


@pytest.mark.parametrize(
    ("who", "code"),
    [
        ("department", (403, "insufficient-scope")),
        ("nation", (403, "not-on-the-chain")),
        ("neighbour", (404, "submission-not-found")),
    ],
)
async def test_nobody_else_reads_names(
    office: Office, draft: int, owner: asyncpg.Connection, who: str, code: tuple[int, str]
) -> None:
    """Without the scope, off the chain, of elsewhere: refused, and nothing was read."""
    assert code_of(await asked(office[who], draft)) == code
    gone = await office[who].delete(f"{SUBMISSIONS}/{draft}/names", params={"purpose": PURPOSE})
    assert code_of(gone) == code
    assert await reads(owner, draft) == []


@pytest.mark.parametrize("purpose", [None, "", "xem", "x\x00yzzy", "a" * 501])
async def test_names_are_not_read_without_a_purpose(
    office: Office, draft: int, owner: asyncpg.Connection, purpose: str | None
) -> None:
    query = {} if purpose is None else {"purpose": purpose}
    answer = await office["commune"].get(at(draft, FORM_03, "names"), params=query)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/purpose"
    assert await reads(owner, draft) == []


# --- canaries -------------------------------------------------------------------------------------


@pytest.fixture
def log() -> Iterator[StringIO]:
    """What is logged while a test runs, of all loggers and levels."""
    stream, root = StringIO(), logging.getLogger()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.formatter(people=False))
    level = root.level
    root.setLevel(logging.DEBUG)
    root.addHandler(handler)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


def spellings(name: str) -> Iterator[bytes]:
    """Yield a word of a name in the ways in which bytes may hold it."""
    for word in name.split():
        if "chim" in word.casefold() or "canari" in word.casefold():
            for text in (word, word.lower(), word.encode().hex(), json.dumps(word)[1:-1]):
                yield text.encode()
            yield word.encode("utf-16-le")


async def test_canaries_are_found_nowhere(
    office: Office, draft: int, log: StringIO, database: Database, service: FastAPI, tmp_path: Path
) -> None:
    """No answer but that of `names`, no log line, no dump has a part of a name.

    The submission is handed in twice, and a verdict rests on it.
    """
    client, words = office["commune"], [one for name in CANARIES for one in spellings(name)]
    text = "STT,Họ và Tên,Ghi chú\n" + "".join(f"1,{name},{name}\n" for name in CANARIES)
    answers = [
        await client.put(at(draft, FORM_03), json=listed(CANARIES)),
        await client.put(at(draft, FORM_07), json=listed([f"HTX {one}" for one in CANARIES])),
        await client.put(at(draft, FORM_03), json=listed([*CANARIES, CANARIES[0]])),
        await client.put(at(draft, FORM_03), json={"rows": [{CANARIES[0]: 1}]}),
        await client.put(at(draft, FORM_03), json={CANARIES[1]: []}),
        await client.put(at(draft, FORM_03), json=listed(CANARIES), params={"part": "K9"}),
        await sent_file(client, draft, FORM_03, text.encode()),
        await sent_file(client, draft, FORM_03, text.replace("STT", "TT").encode(), CSV),
        await sent_file(client, draft, FORM_03, (text + f",,,{CANARIES[2]}\n").encode()),
    ]
    assert (await asked(client, draft)).status_code == 200
    below = f"{SUBMISSIONS}/{draft}"
    period = (await client.get(below)).json()["period"]
    judged = {"ruleset": RULESET, "unit": OLD["commune"], "period": period}
    for _ in range(2):
        answers.append(await acted(client, draft, "submit", "commune", OLD_DAY))
        answers.append(await client.post("/v1/evaluations", json=judged))
        verdict = answers[-1].json()
        assert verdict["evidence_submission"]["id"] == draft, verdict
        answers.append(await acted(office["district"], draft, "return", "district", OLD_DAY))
        answers.append(await acted(client, draft, "reopen", "commune", OLD_DAY))
        answers.append(await client.put(at(draft, FORM_03), json=listed(CANARIES[:2])))
    for path in (
        SUBMISSIONS, below, f"{below}/slots", f"{below}/slots/{FORM_03}", at(draft, FORM_03),
        f"{below}/slots/{FORM_03}/files", f"{below}/slots/{FORM_03}/findings",
        f"{below}/diff?from=1&to=2", "/v1/values", "/v1/evaluations", "/v1/evidence-forms",
        f"/v1/evaluations/{verdict['id']}", "/v1/evaluations.ndjson", "/v1/values.csv",
        f"/v1/evaluations.csv?ruleset={RULESET}&criteria=true",
    ):  # fmt: skip
        found = [await office[who].get(path) for who in ("commune", "province")]
        assert {one.status_code for one in found} == {200}, path
        answers += found
    answers.append(await office["auditor"].get("/v1/audit", params={"limit": 500}))
    assert "evidence.names-read" in answers[-1].text
    for answer in answers:
        assert not [one for one in words if one in answer.content], answer.request.url
    run_program(database, "pg_dump", "--schema=ntm", "--enable-row-security",
                f"--file={tmp_path / 'dump'}")  # fmt: skip
    dump = (tmp_path / "dump").read_bytes()
    assert answers[0].json()["digest"].encode() in dump  # it holds what was sent
    assert not [one for one in words if one in dump]
    assert "request" in log.getvalue()
    assert not [one for one in words if one in log.getvalue().encode()]


# --- files ----------------------------------------------------------------------------------------


async def test_a_scan_of_a_list_is_read_as_its_names_are(
    office: Office, draft: int, owner: asyncpg.Connection, settings: Settings
) -> None:
    """In a slot of persons: scope, chain, purpose, audit, no-store; gone with the names."""
    scan, content = at(draft, FORM_03, "files/quet.txt"), "\n".join(CANARIES).encode()
    other = at(draft, FORM_07, "files/quet.txt")
    for path in (scan, scan, other):
        sent_ = await office["commune"].put(path, content=content + path.encode())
        assert sent_.json()["personal_data"] is (path == scan), sent_.text
    again = await office["commune"].put(scan, content=content)  # what was replaced is kept, too
    assert again.json()["unchanged"] is False
    foreign, off = (404, "submission-not-found"), (403, "not-on-the-chain")
    for who, code in (("district", off), ("nation", off), ("neighbour", foreign)):
        assert code_of(await office[who].get(scan, params={"purpose": PURPOSE})) == code
    await moved(office["commune"], draft, "submit", "commune", OLD_DAY)
    assert code_of(await office["department"].get(scan, params={"purpose": PURPOSE})) == (
        403, "insufficient-scope",
    )  # fmt: skip
    without = await office["district"].get(scan)
    assert (without.status_code, without.json()["errors"][0]["pointer"]) == (422, "/purpose")
    own = await office["commune"].get(scan)  # who sent it knows it
    read = await office["district"].get(scan, params={"purpose": PURPOSE})
    for answer in (own, read):
        assert (answer.status_code, answer.content) == (200, content)
        assert answer.headers["cache-control"] == "no-store"
    acts = await owner.fetch(
        "SELECT client, reason FROM audit_entry WHERE action = 'evidence.file-read'"
        " AND details::jsonb ->> 'submission' = $1::text ORDER BY id", str(draft),
    )  # fmt: skip
    assert [one["reason"] for one in acts] == [None, PURPOSE]
    assert len({one["client"] for one in acts}) == 2
    assert (await office["department"].get(other)).status_code == 200

    await moved(office["district"], draft, "refuse", "district", OLD_DAY)
    gone = await office["district"].delete(
        f"{SUBMISSIONS}/{draft}/names", params={"purpose": PURPOSE}
    )
    assert gone.status_code == 204, gone.text
    assert code_of(await office["commune"].get(scan)) == (410, "file-deleted")
    lying = [one.read_bytes() for one in settings.evidence.rglob("*") if one.is_file()]
    assert [one for one in lying if content in one] == [content + other.encode()]
    assert (await office["department"].get(other)).status_code == 200


# --- keys -----------------------------------------------------------------------------------------


async def test_each_submission_has_a_key_of_its_own_that_nobody_else_reads(
    office: Office, draft: int, owner: asyncpg.Connection, settings: Settings
) -> None:
    """Outside the database, 0600 in a folder 0700."""
    path = await key_file(owner, settings, draft)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert len(path.read_bytes()) == BYTES
    keys = [one.read_bytes() for one in path.parent.iterdir()]
    assert len(set(keys)) == len(keys)


async def test_a_chunk_that_was_altered_or_moved_does_not_open(
    office: Office, draft: int, owner: asyncpg.Connection, log: StringIO
) -> None:
    """What is stored of names is authenticated, each at its place; nothing counts as read."""
    await sent(office["commune"], draft, FORM_07, listed(["HTX Ba Đồng"]))
    chunks = await owner.fetch(
        "SELECT list_id, content FROM evidence_list_chunk WHERE submission_id = $1", draft
    )
    (one, other) = [(row["list_id"], row["content"]) for row in chunks]
    bent = one[1][:-1] + bytes([one[1][-1] ^ 1])
    change = "UPDATE evidence_list_chunk SET content = $2 WHERE list_id = $1"
    for content in (bent, other[1], b""):
        await owner.execute("ALTER TABLE evidence_list_chunk NO FORCE ROW LEVEL SECURITY")
        await owner.execute(change, one[0], content)
        await owner.execute("ALTER TABLE evidence_list_chunk FORCE ROW LEVEL SECURITY")
        for answer in (await asked(office["commune"], draft),
                       await office["commune"].get(at(draft, FORM_03))):  # fmt: skip
            assert code_of(answer) == (503, "names-unavailable")
    assert await reads(owner, draft) == []
    assert "cannot be opened" in log.getvalue()
    assert (await slots(office["commune"], draft))[FORM_03]["list_total"] == len(CANARIES)


async def test_a_key_that_is_gone_is_never_made_anew(
    office: Office, draft: int, owner: asyncpg.Connection, settings: Settings
) -> None:
    """Until it is brought back, names are not read and lists not followed; counts go on."""
    client, path = office["commune"], await key_file(owner, settings, draft)
    kept = path.rename(path.with_suffix(".away"))
    for answer in (await asked(client, draft), await client.get(at(draft, FORM_03)),
                   await client.put(at(draft, FORM_03), json=listed(["A B"]))):  # fmt: skip
        assert code_of(answer) == (503, "names-unavailable")
    assert not path.exists()
    kept.rename(path)
    assert (await asked(client, draft)).status_code == 200


def test_a_key_is_made_once_and_shredded_for_good(tmp_path: Path) -> None:
    """What was left half made does not stand in the way; shredding overwrites, then removes."""
    keys, name = Keys(tmp_path / "keys"), uuid.uuid4()
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / f".{name.hex}.part").write_bytes(b"half")
    made = keys.make(name)
    assert (keys.make(name), keys.get(name)) == (made, made)
    (path,) = (tmp_path / "keys").iterdir()
    (tmp_path / "same").hardlink_to(path)
    keys.shred(name)
    keys.shred(name)
    assert not path.exists()
    assert (tmp_path / "same").read_bytes() != made
    with pytest.raises(Hindered):
        keys.get(name)


# --- deleting -------------------------------------------------------------------------------------


async def test_names_are_deleted_for_good_and_everything_else_stays(
    office: Office, draft: int, owner: asyncpg.Connection, settings: Settings, database: Database
) -> None:
    """The key is shredded, nothing encrypted is left; counts, digests and the audit chain stay."""
    client, path = office["commune"], await key_file(owner, settings, draft)
    before = (await slots(client, draft))[FORM_03]
    names = f"{SUBMISSIONS}/{draft}/names"
    for _ in range(2):  # once more changes nothing
        gone = await client.delete(names, params={"purpose": PURPOSE})
        assert gone.status_code == 204, gone.text
    assert not path.exists()
    left = "SELECT count(*) FROM evidence_list_chunk WHERE submission_id = $1"
    assert await owner.fetchval(left, draft) == 0
    for answer in (await asked(client, draft), await client.get(at(draft, FORM_03)),
                   await client.put(at(draft, FORM_03), json=listed(["A B"]))):  # fmt: skip
        assert code_of(answer) == (410, "names-deleted")
    assert (await slots(client, draft))[FORM_03] == before
    assert (await client.get(f"{SUBMISSIONS}/{draft}")).json()["names_deleted_at"] is not None
    (act,) = await reads(owner, draft)
    assert (act["action"], act["reason"]) == ("evidence.names-deleted", PURPOSE)
    await sealing.seal_all(database)
    async with verifying.snapshot(database) as connection:
        assert (await verifying.verify(connection, Witness())).damage == ()


async def test_names_stay_while_they_are_being_checked(office: Office, draft: int) -> None:
    """What an office is to verify is not taken from under it."""
    submitted = await acted(office["commune"], draft, "submit", "commune", OLD_DAY)
    assert submitted.status_code == 200, submitted.text
    names = f"{SUBMISSIONS}/{draft}/names"
    refused = await office["commune"].delete(names, params={"purpose": PURPOSE})
    assert code_of(refused) == (409, "submission-frozen")
    assert (await asked(office["district"], draft)).status_code == 200


async def test_a_deletion_that_was_cut_off_is_finished_by_doing_it_again(
    office: Office, draft: int, owner: asyncpg.Connection, settings: Settings
) -> None:
    """Ended between the shredding and the end of the transaction: names are gone, and repeated."""
    path = await key_file(owner, settings, draft)
    path.unlink()
    names = f"{SUBMISSIONS}/{draft}/names"
    gone = await office["commune"].delete(names, params={"purpose": PURPOSE})
    assert gone.status_code == 204
    assert code_of(await asked(office["commune"], draft)) == (410, "names-deleted")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Nguyễn Văn An", "N*** V*** A***"),
        ("Ý", "***"),
        ("Y Bơ Niê", "*** B*** N***"),
        ("Đặng  Ái-Vân", "Đ*** Á***"),
    ],
)
def test_a_mask_shows_first_letters_and_no_length(name: str, shown: str) -> None:
    assert masked(name) == shown
