"""`ntm import` against a service elsewhere that misbehaves: sent again safely, or told plainly."""

from __future__ import annotations

import datetime
import ipaddress
import json
import re
import signal
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import LEAK, Ntm, Ran, environment, script
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from far_service import COUNTS, CUT, TOKEN, FarService, Reply, Request, far_service, job, report
from running import DEADLINE, eventually, free_port

from app.cli import import_reports, remote, remote_answers

SECRET = "khoa-bi-mat-khong-duoc-lo"
IMPORTS, JOB = "/v1/imports", "/v1/jobs/5"
ROWS = "unit,period,indicator,value,source\n07894,2024,digital_skills_classes_count,3,BC 1\n"


@pytest.fixture
def far() -> Iterator[FarService]:
    """A service elsewhere that loads whatever it is sent."""
    with far_service() as service:
        service.tell("POST", IMPORTS, Reply(201, report()))
        yield service


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "số liệu.csv"
    found.write_text(ROWS, "utf-8")
    return found


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the command wanted to wait, each time; it does not."""
    found: list[float] = []
    monkeypatch.setattr(time, "sleep", found.append)
    return found


def env(url: str, **other: str) -> dict[str, str]:
    return {"NTM_API_URL": url, "NTM_CLIENT_ID": "ntm-1", "NTM_CLIENT_SECRET": SECRET, **other}


@pytest.fixture
def send(far: FarService, ntm: Ntm, file: Path, slept: list[float]) -> Ntm:
    """Run the command for the file; whatever happens, the secret is not shown, nor is our code."""

    def run(*arguments: object, env: object = None) -> Ran:
        found = ntm("import", *(arguments or (file,)), env=_env(far, env))
        assert SECRET not in found.said
        assert "token-1" not in found.said
        assert LEAK.search(found.said.replace(str(file.parent), "")) is None, found.said
        return found

    return run


def _env(far: FarService, other: object) -> dict[str, str]:
    return env(far.url) | (dict(other) if isinstance(other, dict) else {})


def test_a_file_is_sent_as_it_is_with_everything_that_is_said_of_it(
    far: FarService, send: Ntm, file: Path
) -> None:
    """The body is the file, options are parameters, and the client is known by its token."""
    ended = send(
        file, "--dry-run", "--mode", "partial", "--on-conflict", "skip", "--encoding", "utf-8",
        "--locale", "vi", "--sheet", "Tờ 1", "--period", "2024", "--on", "2024-05-01",
        "--source", "BC 12", "--measured-on", "2024-12-31",
    )  # fmt: skip
    assert ended.code == 0, ended.said
    (sent,) = far.of("POST", IMPORTS)
    assert sent.body == ROWS.encode()
    assert sent.query == {
        "dry_run": "true", "mode": "partial", "on_conflict": "skip", "encoding": "utf-8",
        "locale": "vi", "sheet": "Tờ 1", "period": "2024", "on": "2024-05-01", "source": "BC 12",
        "measured_on": "2024-12-31", "name": file.name,
    }  # fmt: skip
    assert sent.headers["authorization"] == "Bearer token-1"
    assert sent.headers["content-length"] == str(len(ROWS.encode()))
    assert "prefer" not in sent.headers  # small: answered at once
    (asked,) = far.of("POST", TOKEN)
    assert asked.headers["authorization"].startswith("Basic ")
    assert asked.body == b"grant_type=client_credentials"


def test_what_was_cut_off_is_sent_again_under_the_same_name(far: FarService, send: Ntm) -> None:
    """A connection that breaks is no reason to give up; the key makes both one request."""
    far.tell("POST", IMPORTS, CUT, CUT, Reply(201, report()))
    ended = send()
    assert ended.code == 0, ended.said
    sent = far.of("POST", IMPORTS)
    assert [one.body for one in sent] == [ROWS.encode()] * 3
    assert len({one.headers["idempotency-key"] for one in sent}) == 1
    assert "thử lại" in ended.err


def test_every_run_is_a_request_of_its_own(far: FarService, send: Ntm) -> None:
    """Whoever runs the command again wants to know how things stand now, not an answer of old."""
    assert send().code == send().code == 0
    keys = [one.headers["idempotency-key"] for one in far.of("POST", IMPORTS)]
    assert len(set(keys)) == 2


@pytest.mark.parametrize("status", [408, 429, 502, 503, 504])
def test_not_now_is_asked_again_as_late_as_the_service_wants(
    far: FarService, send: Ntm, slept: list[float], status: int
) -> None:
    """Retry-After is honoured, a little more or less; without one the pauses grow."""
    busy = {"code": "overloaded", "detail": "dịch vụ quá tải"}
    far.tell(
        "POST", IMPORTS, Reply(status, busy, {"retry-after": "30"}), Reply(status, busy),
        Reply(status, busy, {"retry-after": "99999"}), Reply(201, report()),
    )  # fmt: skip
    ended = send()
    assert ended.code == 0, ended.said
    for waited, wanted in zip(slept, (30, 2, 60), strict=True):  # nobody waits for ever
        assert wanted * 0.79 <= waited <= wanted * 1.21
    assert "dịch vụ quá tải" in ended.err


def test_a_service_that_never_has_time_is_given_up(
    far: FarService, send: Ntm, slept: list[float]
) -> None:
    """After some attempts the command ends with 1, and says what the service said."""
    far.tell("POST", IMPORTS, Reply(503, {"code": "overloaded", "detail": "dịch vụ quá tải"}))
    ended = send()
    assert ended.code == 1
    assert "dịch vụ quá tải" in ended.err
    assert len(far.of("POST", IMPORTS)) == len(remote.SOON) + 1 == len(slept) + 1


def test_the_first_attempt_still_at_work_is_waited_for(far: FarService, send: Ntm) -> None:
    """409 idempotency-in-progress means that the answer is on its way."""
    busy = Reply(409, {"code": "idempotency-in-progress", "detail": "đang xử lý"})
    far.tell("POST", IMPORTS, CUT, busy, Reply(201, report()))
    assert send().code == 0
    far.tell("POST", IMPORTS, Reply(409, {"code": "duplicate", "detail": "đã có"}))
    ended = send()
    assert (ended.code, far.asked[-1].path) == (1, IMPORTS)
    assert "đã có" in ended.err


def test_a_token_that_ended_early_is_renewed_once(far: FarService, send: Ntm) -> None:
    """401 leads to one new token, not to a loop; a service that wants none is believed."""
    tokens = [Reply(200, {"access_token": f"token-{n}", "expires_in": 900}) for n in (8, 9)]
    refusal = Reply(401, {"code": "invalid-token", "detail": "thiếu hoặc sai mã truy cập"})
    far.tell("POST", TOKEN, *tokens)
    far.tell("POST", IMPORTS, refusal, Reply(201, report()))
    assert send().code == 0
    assert [one.headers["authorization"] for one in far.of("POST", IMPORTS)] == [
        "Bearer token-8", "Bearer token-9",
    ]  # fmt: skip
    far.tell("POST", IMPORTS, refusal)
    ended = send()
    assert ended.code == 1
    assert "sai mã truy cập" in ended.err
    assert len(far.of("POST", IMPORTS)) == 2 + 2


def test_a_token_is_renewed_before_it_ends(far: FarService, send: Ntm, file: Path) -> None:
    """A run of many files outlives its first token."""
    far.tell(
        "POST", TOKEN, Reply(200, {"access_token": "token-a", "expires_in": 0}),
        Reply(200, {"access_token": "token-b", "expires_in": 900}),
    )  # fmt: skip
    assert send(file, file, file).code == 0
    sent = [one.headers["authorization"][-1] for one in far.of("POST", IMPORTS)]
    assert sent == ["a", "b", "b"]


def test_nobody_is_followed_elsewhere(far: FarService, send: Ntm) -> None:
    """A redirect is told, not followed: token and file are for the service that was named."""
    with far_service() as other:
        other.tell("POST", IMPORTS, Reply(201, report()))
        far.tell("POST", IMPORTS, Reply(307, None, {"location": f"{other.url}{IMPORTS}"}))
        ended = send()
        assert ended.code == 1
        assert f"{other.url}{IMPORTS}" in ended.err
        assert not other.asked


def test_an_answer_without_end_is_not_read_to_its_end(
    far: FarService, send: Ntm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The memory of whoever asks is not the service's to fill."""
    monkeypatch.setattr(remote_answers, "_LARGEST", 1_000)
    far.tell("POST", IMPORTS, Reply(201, report(padding="x" * 2_000)))
    ended = send()
    assert ended.code == 1
    assert "1000" in ended.err


@pytest.mark.parametrize(
    "body", [b"<html>Bad gateway</html>", b"[]", b'{"id": 7}', b'{"id": "7", "counts": {}}', b""]
)
def test_what_is_no_report_is_told_as_such(far: FarService, send: Ntm, body: bytes) -> None:
    """Another service at that address, or a newer one, ends in a sentence, not in a traceback."""
    far.tell("POST", IMPORTS, Reply(201, body))
    ended = send()
    assert ended.code == 1
    assert "NTM_API_URL" in ended.err
    far.tell("POST", IMPORTS, Reply(202, body))
    assert send().code == 1


def test_a_large_file_becomes_a_job_that_is_followed(
    far: FarService, send: Ntm, file: Path, slept: list[float]
) -> None:
    """The service is asked not to keep the caller waiting; its job is looked at now and then."""
    file.write_text(ROWS + "#" * (1024 * 1024), "utf-8")
    far.tell("POST", IMPORTS, Reply(202, job("queued")))
    done = {"import": 7, "state": "committed", "counts": COUNTS}
    far.tell(
        "GET",
        JOB,
        Reply(200, job("running")),
        CUT,
        Reply(503),
        Reply(200, job("succeeded", result=done)),
    )
    far.tell("GET", f"{IMPORTS}/7", Reply(200, report()))
    ended = send()
    assert ended.code == 0, ended.said
    (sent,) = far.of("POST", IMPORTS)
    assert sent.headers["prefer"] == "respond-async"
    assert len(far.of("GET", JOB)) == 4
    assert all(one > 0 for one in slept)


@pytest.mark.parametrize(
    ("ended", "said"),
    [
        (job("failed", problem={"detail": {"vi": "hỏng rồi", "en": "x"}}), "hỏng rồi"),
        (job("cancelled"), "đã bị huỷ"),
        (job("failed"), "không rõ lý do"),
        ({"id": 5}, "NTM_API_URL"),
    ],
)  # fmt: skip
def test_a_job_that_comes_to_nothing_is_told(
    far: FarService, send: Ntm, ended: dict[str, object], said: str
) -> None:
    """Whoever follows a job learns why there is no report."""
    far.tell("POST", IMPORTS, Reply(202, job("queued")))
    far.tell("GET", JOB, Reply(200, ended))
    found = send()
    assert found.code == 1
    assert said in found.err


def test_interrupted_it_cancels_the_job_it_began(far: FarService, file: Path) -> None:
    """Ctrl+C ends what goes on elsewhere as well; the exit code is that of an interruption."""
    far.tell("POST", IMPORTS, Reply(202, job("queued")))
    far.tell("GET", JOB, Reply(200, job("running")))
    far.tell("POST", f"{JOB}/cancel", Reply(200, job("cancelled")))
    process = subprocess.Popen(
        [script(), "import", str(file)], env=environment(env(far.url)),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        # Whoever runs the tests in the background has them ignore it, and their processes too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    )  # fmt: skip
    try:
        eventually(lambda: far.of("GET", JOB), lambda: "the job is not followed")
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=DEADLINE)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130, said
    assert len(far.of("POST", f"{JOB}/cancel")) == 1
    assert b"Traceback" not in said


def test_a_job_that_cannot_be_cancelled_is_told(
    far: FarService, send: Ntm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the service does not hear the cancellation, the caller learns that the job goes on."""

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupt)
    far.tell("POST", IMPORTS, Reply(202, job("queued")))
    far.tell("POST", f"{JOB}/cancel", CUT)
    ended = send()
    assert ended.code == 130
    assert "/v1/jobs/5" in ended.err


def test_the_rows_that_were_refused_are_fetched_whole_or_not_at_all(
    far: FarService, send: Ntm, file: Path, tmp_path: Path
) -> None:
    """--rejected leaves a file to mend; where the service points elsewhere, nobody follows."""
    counts = COUNTS | {"rejected": 1}
    refused = report(counts=counts, rejected="https://evil.example/x", state="refused")
    problem = {"code": "invalid-rows", "detail": "có dòng lỗi", "errors": []}
    far.tell("POST", IMPORTS, Reply(422, problem | refused))
    path, folder = f"{IMPORTS}/7/rejected.csv", tmp_path / "sửa" / "đây"
    far.tell("GET", path, CUT, Reply(200, b"reason\r\nsai\r\n"))
    ended = send(file, "--rejected", folder)
    assert ended.code == 1
    (mend,) = folder.iterdir()
    assert mend.name == "số liệu-7-rejected.csv"
    assert mend.read_text("utf-8") == "reason\nsai\n"
    assert str(mend) in ended.out
    mend.unlink()
    short = Reply(200, b"rea", {"content-length": "900", "connection": "close"})
    far.tell("GET", path, short)
    assert send(file, "--rejected", folder).code == 1
    assert list(folder.iterdir()) == []


def test_every_file_is_tried_and_summed_up(
    far: FarService, send: Ntm, file: Path, tmp_path: Path
) -> None:
    """One bad file keeps no other from being loaded; the exit code tells that there was one."""
    files = [file, tmp_path / "b.csv", tmp_path / "c.csv"]
    for one in files[1:]:
        one.write_text(ROWS, "utf-8")
    refusal = Reply(422, {
        "code": "invalid-request", "detail": "sai",
        "errors": [{"pointer": "/on", "code": "x", "message": "ngày sai"},
                   {"pointer": "/sheet", "code": "x", "message": "trang sai"}],
    })  # fmt: skip
    far.tell("POST", IMPORTS, Reply(201, report()), refusal, Reply(201, report()))
    ended = send(*files)
    assert ended.code == 1
    assert [one.query["name"] for one in far.of("POST", IMPORTS)] == [one.name for one in files]
    assert "/on: ngày sai" in ended.err
    assert "/sheet: trang sai" in ended.err
    summary = ended.out.partition("Tổng hợp")[2]
    assert [one.name in summary for one in files] == [True] * 3


def test_reports_for_programs_are_lines_of_json(far: FarService, send: Ntm, file: Path) -> None:
    """--json prints the whole report of each file on a line, and why there is none."""
    far.tell("POST", IMPORTS, Reply(201, report()), Reply(403, {"code": "x", "detail": "cấm"}))
    ended = send(file, file, "--json")
    assert ended.code == 1
    first, second = (json.loads(line) for line in ended.out.splitlines())
    assert first == {"path": str(file), **report()}
    assert second == {"path": str(file), "problem": {"code": "x", "detail": "cấm"}}


def test_causes_are_told_with_their_rows(far: FarService, send: Ntm) -> None:
    """Each cause is one line: where, how often, why, in the language that was asked for."""
    cause = {
        "code": "unit-not-found", "column": "Mã", "sheet": "Tờ 1", "rows": [2, 3, 4, 9],
        "message": {"vi": "không có đơn vị", "en": "there is no unit"}, "count": 4,
        "sample": "=HYPERLINK()\x1b[31m",
    }  # fmt: skip
    counts = COUNTS | {"rejected": 4}
    warning = cause | {"code": "ambiguous-number", "rows": [5], "count": 1}
    far.tell(
        "POST", IMPORTS, Reply(201, report(counts=counts, conflicts=[cause], warnings=[warning]))
    )
    ended = send()
    assert ended.code == 1
    assert "2-4, 9" in ended.out
    assert "Tờ 1: Mã" in ended.out
    assert "không có đơn vị [unit-not-found]" in ended.out
    assert "ambiguous-number" in ended.out
    assert "\x1b[31m" not in ended.out


@pytest.mark.parametrize(
    ("rows", "count", "said"),
    [
        ([], 3, "-"),
        ([2], 1, "2"),
        ([2, 3, 4, 9, 11, 12], 6, "2-4, 9, 11-12"),
        ([2, 3], 500, "2-3 …"),
        (list(range(2, 60, 2)), 29, "2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24 …"),
    ],
)
def test_rows_are_told_in_short(rows: list[int], count: int, said: str) -> None:
    """Runs of rows are two numbers, and what is left out is marked."""
    assert import_reports.runs(rows, count) == said


@pytest.mark.parametrize(
    ("arguments", "other", "said"),
    [
        (("nowhere.csv",), {}, "nowhere.csv"),
        (("@", "--on", "31/12/2024"), {}, "--on"),
        (("@", "--measured-on", "2024-02-30"), {}, "--measured-on"),
        (("@", "--period", "24"), {}, "--period"),
        (("@", "--mode", "some"), {}, "--mode"),
        (("@", "--rejected", "@"), {}, "--rejected"),
        (("@",), {"NTM_CLIENT_SECRET": None}, "NTM_CLIENT_SECRET"),
        (("@",), {"NTM_CLIENT_ID": None}, "NTM_CLIENT_ID"),
        (("@", "--url", "http://ntm.example.gov.vn"), {}, "https://"),
        (("@", "--url", "http://10.0.0.5:8000"), {}, "https://"),
        (("@", "--url", "ftp://127.0.0.1"), {}, "ftp://127.0.0.1"),
        (("@", "--url", "https://a:b@ntm.example.gov.vn"), {}, "NTM_CLIENT_SECRET"),
        (("@", "--url", ""), {}, "https://"),
        (("@", "--url", "http://["), {}, "https://"),
        (("@",), {"NTM_API_UR": "x"}, "NTM_API_UR"),
        ((), {}, "FILE"),
    ],
)
def test_wrong_use_ends_with_2_before_anything_is_sent(
    far: FarService,
    ntm: Ntm,
    file: Path,
    arguments: tuple[str, ...],
    other: dict[str, str],
    said: str,
) -> None:
    """A mistake in the call is told with what to do; a secret goes encrypted or not at all."""
    given = [str(file) if one == "@" else one for one in arguments]
    ended = ntm("import", *given, env=env(far.url) | other)
    assert ended.code == 2, ended.said
    assert said in ended.err
    assert "a:b@" not in ended.said
    assert not far.asked


def test_an_address_that_is_told_goes_before_the_one_that_is_set(
    far: FarService, ntm: Ntm, file: Path
) -> None:
    """--url stands for this run alone."""
    elsewhere = f"http://127.0.0.1:{free_port()}"
    assert ntm("import", file, "--url", far.url, env=env(elsewhere)).code == 0


def test_a_host_that_is_not_there_is_told(ntm: Ntm, file: Path, slept: list[float]) -> None:
    """Nobody listens: some attempts, then a sentence and 1."""
    ended = ntm("import", file, env=env(f"http://127.0.0.1:{free_port()}"))
    assert ended.code == 1
    assert "NTM_API_URL" in ended.err
    assert len(slept) == len(remote.SOON)


def test_a_certificate_that_nobody_vouches_for_is_refused(
    ntm: Ntm, file: Path, tmp_path: Path, slept: list[float]
) -> None:
    """TLS is verified: neither the secret nor a byte of the file goes to a stranger."""
    with far_service(_self_signed(tmp_path)) as stranger:
        ended = ntm("import", file, env=env(stranger.url))
        assert ended.code == 1
        assert re.search("certificate", ended.err, re.IGNORECASE)
        assert not stranger.asked


def _self_signed(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(address, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(made.public_bytes(pem))
    (folder / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


def test_a_refused_client_is_told_which_settings_are_wrong(far: FarService, send: Ntm) -> None:
    """A wrong secret is named by its setting, never by itself."""
    far.tell("POST", TOKEN, Reply(401, {"error": "invalid_client", "error_description": "x"}))
    ended = send()
    assert ended.code == 1
    assert "NTM_CLIENT_SECRET" in ended.err
    assert not far.of("POST", IMPORTS)


def test_the_language_that_was_asked_for_goes_along(far: FarService, ntm: Ntm, file: Path) -> None:
    """--lang en asks the service for English as well."""

    def refuse(request: Request) -> Reply:
        words = "refused" if request.headers["accept-language"] == "en" else "từ chối"
        return Reply(422, {"code": "wrong-value", "detail": words, "errors": []})

    far.tell("POST", IMPORTS, refuse)
    ended = ntm("--lang", "en", "import", file, env=env(far.url))
    assert (ended.code, "refused" in ended.err) == (1, True)
