"""`ntm serve` on a real socket: it answers, stops cleanly, and refuses to be seen elsewhere."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from conftest import LEAK, PREVIEW, Ntm, environment, script
from hostile import VALID

DEADLINE = 30.0


class Serving(NamedTuple):
    """A service that runs as a process of its own."""

    process: subprocess.Popen[bytes]
    port: int
    logs: Path

    def said(self) -> str:
        """Return everything it said so far."""
        return "".join(file.read_text("utf-8") for file in sorted(self.logs.iterdir()))

    def ask(
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, dict[str, str], bytes]:
        """Send one request over TCP; return status, headers and body of the answer."""
        with contextlib.closing(
            http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        ) as connection:
            connection.request(method, target, body, dict(headers or {}))
            answer = connection.getresponse()
            told = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, told, answer.read()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Tell whether anybody accepts connections."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


@contextlib.contextmanager
def serving(
    folder: Path, *arguments: str, port: int | None = None, env: Mapping[str, str] | None = None
) -> Iterator[Serving]:
    """Start the installed command in an empty home, wait until it is ready, kill what is left."""
    port = port or free_port()
    home, logs = folder / "home", folder / "logs"
    for each in (home, logs):
        each.mkdir(exist_ok=True)
    settings = environment(
        {"HOME": str(home), "TMPDIR": str(home), "NTM_DATA_DIR": str(home / "data"), **(env or {})}
    )
    with (logs / "out").open("wb") as out, (logs / "err").open("wb") as err:
        process = subprocess.Popen(
            [script(), "serve", "--port", str(port), *arguments],
            cwd=home,
            env=settings,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
    started = Serving(process, port, logs)
    try:
        _wait_until_ready(started)
        yield started
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(DEADLINE)


def _wait_until_ready(started: Serving) -> None:
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        assert started.process.poll() is None, started.said()
        with contextlib.suppress(OSError):
            if started.ask("GET", "/readyz")[0] == 200:
                return
        time.sleep(0.05)
    raise AssertionError(f"not ready: {started.said()}")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """One running service for the tests that only ask."""
    with serving(tmp_path_factory.mktemp("serve")) as started:
        yield started


JSON = {"content-type": "application/json"}


def _problem(body: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(body)
    assert set(found) == {"type", "title", "status", "detail", "code", "instance", "errors"}
    assert LEAK.search(body.decode("utf-8")) is None
    return found


# --- asking --------------------------------------------------------------------------------------


def test_it_says_where_it_listens_and_where_the_documentation_is(service: Serving) -> None:
    assert f"http://127.0.0.1:{service.port}" in service.said()
    assert "/docs" in service.said()


def test_a_preview_is_judged_over_tcp(service: Serving) -> None:
    status, headers, body = service.ask("POST", PREVIEW, json.dumps(VALID).encode(), JSON)
    assert status == 200
    assert headers["content-type"] == "application/json"
    assert json.loads(body)["ruleset"]["id"] == VALID["ruleset"]


def test_a_chunked_preview_is_judged_over_tcp(service: Serving) -> None:
    content = json.dumps(VALID).encode()
    with socket.create_connection(("127.0.0.1", service.port), timeout=DEADLINE) as line:
        line.sendall(_head("Transfer-Encoding: chunked"))
        for start in range(0, len(content), 100):
            piece = content[start : start + 100]
            line.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
        line.sendall(b"0\r\n\r\n")
        assert _answer(line).startswith(b"HTTP/1.1 200 ")


def _head(*lines: str, target: str = PREVIEW) -> bytes:
    head = [f"POST {target} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json"]
    return "\r\n".join([*head, "Connection: close", *lines, "", ""]).encode()


def _answer(line: socket.socket) -> bytes:
    """Return what the service answers until it closes, or resets, the connection."""
    line.settimeout(DEADLINE)
    found = b""
    with contextlib.suppress(ConnectionError):
        while piece := line.recv(65_536):
            found += piece
    return found


@pytest.mark.parametrize("way", ["chunked", "declared"])
def test_a_body_of_10_mb_is_refused_before_it_is_all_there(service: Serving, way: str) -> None:
    chunked = way == "chunked"
    header = "Transfer-Encoding: chunked" if chunked else "Content-Length: 10000000"
    piece = b" " * 65_536
    with socket.create_connection(("127.0.0.1", service.port), timeout=DEADLINE) as line:
        line.sendall(_head(header))
        for _ in range(10_000_000 // len(piece)):
            answered, _, _ = select.select([line], [], [], 0)
            if answered:
                break
            with contextlib.suppress(ConnectionError):
                line.sendall(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
        found = _answer(line)
    head, _, body = found.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 413 "), found[:200]
    assert _problem(body)["code"] == "payload-too-large"
    assert service.ask("GET", "/livez")[0] == 200


@pytest.mark.parametrize(
    ("lines", "rest"),
    [
        (["Content-Length: 5"], b"x" * 100),
        (["Content-Length: -5"], b"x" * 100),
        (["Content-Length: 5", "Content-Length: 6"], b"xxxxxx"),
        (["Content-Length: 5", "Transfer-Encoding: chunked"], b"0\r\n\r\n"),
        (["Transfer-Encoding: chunked"], b"zz\r\nx\r\n0\r\n\r\n"),
        (["Transfer-Encoding: chunked"], b"-1\r\nx\r\n0\r\n\r\n"),
        (["Transfer-Encoding: gzip"], b"x"),
        (["X: a\x00b"], b""),
        (["nonsense"], b""),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_lying_request_is_a_bad_request_and_the_service_lives(
    service: Serving, lines: list[str], rest: bytes
) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=DEADLINE) as line:
        with contextlib.suppress(ConnectionError):
            line.sendall(_head(*lines) + rest)
            line.shutdown(socket.SHUT_WR)
        found = _answer(line)
    assert not found or found.startswith(b"HTTP/1.1 4"), found[:200]
    assert LEAK.search(found.decode("utf-8", "replace")) is None
    assert service.ask("GET", "/livez")[0] == 200


@pytest.mark.parametrize("cut", [0, 1, 10, 100])
def test_a_caller_that_hangs_up_is_no_reason_to_fail(service: Serving, cut: int) -> None:
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", service.port), timeout=DEADLINE) as line:
            line.sendall((_head("Content-Length: 5000") + b"{" * 50)[: 50 * cut])
    assert service.ask("GET", "/livez")[0] == 200
    assert "Traceback" not in service.said()


@pytest.mark.parametrize(
    "target",
    [
        "/v1/rulesets/../x",
        "/v1/rulesets/..",
        "/docs/static/../../pyproject.toml",
        "/docs/static/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/docs/static/..%2f..%2f..%2fetc%2fpasswd",
        "/v1/rulesets/%00",
        "/v1/rulesets/%ff",
        "/v1/rulesets/a%00b",
        "/v1/indicators/%ED%A0%80",
        "//v1/rulesets",
        "/v1/rulesets;x=1",
        "/v1/rulesets/" + "x" * 5_000,
    ],
    ids=lambda target: target[:40],
)
def test_a_strange_path_is_not_found(service: Serving, target: str) -> None:
    status, headers, body = service.ask("GET", target)
    assert status in (404, 422)
    assert headers["content-type"] == "application/problem+json"
    assert _problem(body)["status"] == status
    assert b"root:" not in body


def test_64_kb_of_header_and_of_path_do_not_hurt(service: Serving) -> None:
    status, _, _ = service.ask("GET", "/livez", headers={"x-large": "a" * 65_536})
    assert status in (200, 400, 431)
    status, _, _ = service.ask("GET", "/v1/rulesets/" + "a" * 65_536)
    assert status in (400, 404, 414, 422)
    assert service.ask("GET", "/livez")[0] == 200


def test_every_error_a_service_answers_is_in_the_language_asked_for(service: Serving) -> None:
    for language in ("vi", "en"):
        headers = {"accept-language": language}
        status, told, body = service.ask("GET", "/nope", headers=headers)
        assert (status, told["content-language"]) == (404, language)
        assert _problem(body)["code"] == "not-found"


# --- stopping and starting -----------------------------------------------------------------------


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_cleanly_when_it_is_told_to(tmp_path: Path, told: signal.Signals) -> None:
    with serving(tmp_path) as started:
        assert started.ask("POST", PREVIEW, json.dumps(VALID).encode(), JSON)[0] == 200
        started.process.send_signal(told)
        code = started.process.wait(DEADLINE)
        assert code in (0, -told, 128 + told)
        assert not listens(started.port)
        assert "Traceback" not in started.said()
        assert "Application shutdown complete" in started.said()
    assert list((tmp_path / "home").rglob("*")) == []


def test_killed_it_leaves_nothing_behind_and_starts_again_on_the_same_port(tmp_path: Path) -> None:
    with serving(tmp_path) as first:
        line = socket.create_connection(("127.0.0.1", first.port), timeout=DEADLINE)
        with line:
            line.sendall(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert line.recv(65_536).startswith(b"HTTP/1.1 200 ")
            first.process.kill()
            assert first.process.wait(DEADLINE) == -signal.SIGKILL
            with pytest.raises(ProcessLookupError):  # nobody of its group is left
                os.killpg(first.process.pid, 0)
            assert not listens(first.port)
            assert list((tmp_path / "home").rglob("*")) == []
            with serving(tmp_path, port=first.port) as second:
                content = json.dumps(VALID).encode()
                assert second.ask("POST", PREVIEW, content, JSON)[0] == 200


def test_a_port_that_is_taken_ends_with_1_and_says_so(process: Ntm, service: Serving) -> None:
    ran = process("serve", "--port", service.port)
    assert ran.code == 1
    assert "address already in use" in ran.err
    assert "Traceback" not in ran.err
    assert service.ask("GET", "/livez")[0] == 200


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "10.0.0.5", "example.org", "", "127.0.0.1.example.org", "[/x]"]
)
def test_it_refuses_to_listen_for_other_hosts(ntm: Ntm, host: str) -> None:
    port = free_port()
    ran = ntm("serve", "--host", host, "--port", port)
    assert ran.code == 2
    assert "127.0.0.1" in ran.err
    assert host in ran.err
    assert not listens(port)


def test_the_installed_command_refuses_to_listen_for_other_hosts(process: Ntm) -> None:
    port = free_port()
    ran = process("--lang", "en", "serve", "--host", "0.0.0.0", "--port", port)
    assert ran.code == 2
    assert "0.0.0.0" in ran.err
    assert "127.0.0.1" in ran.err
    assert not listens(port)


def test_the_demonstration_is_shown_before_it_serves(tmp_path: Path) -> None:
    with serving(tmp_path, "--demo") as started:
        said = (started.logs / "out").read_text("utf-8")
        assert "giả định" in said
        assert "phutho.1.1.1" in said
        assert "không đạt" in said
        assert started.ask("GET", "/livez")[0] == 200


# --- rulesets of one's own -----------------------------------------------------------------------


def test_a_bad_pack_stops_it_with_file_and_line_and_nothing_listens(
    process: Ntm, pack: Path
) -> None:
    file = pack / "well.yaml"
    lines = file.read_text("utf-8").splitlines()
    number = lines.index('level: "commune"')
    lines[number] = 'level: "village"'
    file.write_text("\n".join(lines), "utf-8")
    port = free_port()
    ran = process("serve", "--port", port, env={"NTM_RULESETS_DIR": str(pack)})
    assert ran.code == 1
    assert f"{file}:{number + 1}:" in ran.err
    assert ran.out == ""
    assert "Traceback" not in ran.err
    assert not listens(port)


def test_a_good_pack_is_listed_and_judged_by(tmp_path: Path, pack: Path) -> None:
    with serving(tmp_path, env={"NTM_RULESETS_DIR": str(pack)}) as started:
        listed = json.loads(started.ask("GET", "/v1/rulesets")[2])["items"]
        assert len(listed) == 14
        (mine,) = [one for one in listed if one["id"] == "test.well"]
        assert mine["title"] == {"vi": "Xã có giếng", "en": "Commune with wells"}
        assert mine["overall"] == "explicit"
        found = json.loads(started.ask("GET", "/v1/indicators?ruleset=test.well")[2])["items"]
        assert [one["code"] for one in found] == ["test_wells_rate"]
        for numerator, outcome, gap in (
            (50, "met", None),
            (40, "not_met", {"more": 10, "of": "hộ có giếng"}),
        ):
            body = {
                "ruleset": "test.well",
                "as_of": "2024-12-31",
                "unit": {"level": "commune"},
                "facts": {"test_wells_rate": {"numerator": numerator, "denominator": 100}},
            }
            status, _, content = started.ask("POST", PREVIEW, json.dumps(body).encode(), JSON)
            verdict = json.loads(content)
            assert (status, verdict["outcome"]) == (200, outcome)
            assert verdict["criteria"][0]["id"] == "test.well.1"
            assert verdict["criteria"][0]["cite"] == "Văn bản thử 1/TEST ngày 01/01/2024, Điều 1"
            assert verdict["criteria"][0]["gap"] == gap
            assert verdict["applicability"]["status"] == "in_period"
