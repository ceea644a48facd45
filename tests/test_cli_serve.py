"""`ntm serve` on a real socket: it answers, stops cleanly, starts again, says what is wrong."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest
from conftest import LEAK, PREVIEW, Ntm, clone, environment, script, urls
from embedded_drills import eventually, living
from hostile import ATTRIBUTE, TODAY_COMMUNE, VALID
from running import free_port

from app.domain.clients import SCOPES
from app.embedded import Embedded

DEADLINE = 90.0  # for what must happen at last; nothing is said about how fast


class Known(NamedTuple):
    """A client and its secret."""

    client_id: str
    secret: str


class Serving(NamedTuple):
    """A service that runs as a process of its own."""

    process: subprocess.Popen[bytes]
    port: int
    logs: Path
    host: str

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
            http.client.HTTPConnection(self.host, self.port, timeout=DEADLINE)
        ) as connection:
            connection.request(method, target, body, dict(headers or {}))
            answer = connection.getresponse()
            told = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, told, answer.read()

    def token(self, known: Known) -> dict[str, Any]:
        """Return what the token endpoint answers to a client."""
        form = {
            "grant_type": "client_credentials",
            "client_id": known.client_id,
            "client_secret": known.secret,
        }
        found: dict[str, Any] = json.loads(
            self.ask("POST", "/v1/oauth/token", urlencode(form).encode(), FORM)[2]
        )
        return found

    def bearer(self, known: Known) -> dict[str, str]:
        """Return the header by which a client is known."""
        return {"authorization": f"Bearer {self.token(known)['access_token']}"}


def listens(port: int) -> bool:
    """Tell whether anybody accepts connections."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


@contextlib.contextmanager
def serving(
    folder: Path,
    *arguments: str,
    port: int | None = None,
    host: str = "127.0.0.1",
    env: Mapping[str, str] | None = None,
) -> Iterator[Serving]:
    """Start the installed command in a home of its own, wait until it is ready, kill what is left.

    Without an address in `env` it stands on an embedded database below that home.
    """
    port = port or free_port()
    home = folder / "home"
    home.mkdir(exist_ok=True)
    logs = Path(tempfile.mkdtemp(prefix="logs-", dir=folder))
    settings = environment({"HOME": str(home), "NTM_DATA_DIR": str(data(folder)), **(env or {})})
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
    started = Serving(process, port, logs, host)
    try:
        _wait_until_ready(started)
        yield started
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(DEADLINE)


def data(folder: Path) -> Path:
    """Return the data folder of a service that was started in `folder`."""
    return folder / "home" / "data"


def deserted(folder: Path) -> None:
    """Fail unless at last no process of the embedded database is left."""
    eventually(
        lambda: not living(data(folder)), lambda: f"still alive: {living(data(folder))}", DEADLINE
    )


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
def address(cluster: Embedded, worker_id: str) -> dict[str, str]:
    """The settings of a database for the services of this file, which need not load one each."""
    return clone(cluster, f"ntm_serve_{worker_id}")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, address: dict[str, str]) -> Iterator[Serving]:
    """One running service for the tests that only ask."""
    with serving(tmp_path_factory.mktemp("serve"), env=address) as started:
        yield started


@pytest.fixture(scope="module")
def known(address: dict[str, str]) -> Known:
    """A client with every scope in the whole nation, made by the command."""
    return made_by_the_command(address)


@pytest.fixture(scope="module")
def bearer(service: Serving, known: Known) -> dict[str, str]:
    """The header by which it is known to the service."""
    return service.bearer(known)


def made_by_the_command(env: Mapping[str, str]) -> Known:
    """Make a client with every scope in the whole nation."""
    scopes = [f"--scope={one}" for one in ("read", "values:write", "clients:admin")]
    ended = subprocess.run(
        [script(), "clients", "add", "Phú Thọ", "--territory=VN", *scopes, "--json"],
        env=environment(env),
        capture_output=True,
        timeout=DEADLINE,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    made = json.loads(ended.stdout)
    return Known(made["client_id"], made["client_secret"])


JSON = {"content-type": "application/json"}
FORM = {"content-type": "application/x-www-form-urlencoded"}


def _problem(body: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(body)
    assert set(found) == {"type", "title", "status", "detail", "code", "instance", "errors"}
    assert LEAK.search(body.decode("utf-8")) is None
    return found


# --- asking --------------------------------------------------------------------------------------


def test_it_says_where_it_listens_and_where_the_documentation_is(service: Serving) -> None:
    assert f"http://127.0.0.1:{service.port}" in service.said()
    assert "/docs" in service.said()


def test_a_preview_is_judged_over_tcp(service: Serving, bearer: dict[str, str]) -> None:
    content = json.dumps(VALID).encode()
    status, headers, body = service.ask("POST", PREVIEW, content, JSON | bearer)
    assert status == 200
    assert headers["content-type"] == "application/json"
    assert json.loads(body)["ruleset"]["id"] == VALID["ruleset"]


def test_who_shows_no_token_is_told_where_to_get_one(service: Serving) -> None:
    status, headers, body = service.ask("GET", "/v1/units/25")
    assert (status, _problem(body)["code"]) == (401, "invalid-token")
    assert headers["www-authenticate"].startswith("Bearer ")
    assert "/v1/oauth/token" in _problem(body)["detail"]


def test_a_large_body_of_a_stranger_is_answered_before_it_is_all_there(service: Serving) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=DEADLINE) as line:
        line.sendall(_head("Content-Length: 1000000000") + b" " * 100)
        assert _answer(line).startswith(b"HTTP/1.1 401 ")


def test_a_chunked_preview_is_judged_over_tcp(service: Serving, bearer: dict[str, str]) -> None:
    content = json.dumps(VALID).encode()
    with socket.create_connection(("127.0.0.1", service.port), timeout=DEADLINE) as line:
        line.sendall(_head("Transfer-Encoding: chunked", bearer=bearer))
        for start in range(0, len(content), 100):
            piece = content[start : start + 100]
            line.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
        line.sendall(b"0\r\n\r\n")
        assert _answer(line).startswith(b"HTTP/1.1 200 ")


def _head(*lines: str, target: str = PREVIEW, bearer: Mapping[str, str] | None = None) -> bytes:
    head = [f"POST {target} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json"]
    head += [f"{name}: {value}" for name, value in (bearer or {}).items()]
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
def test_a_body_of_10_mb_is_refused_before_it_is_all_there(
    service: Serving, bearer: dict[str, str], way: str
) -> None:
    chunked = way == "chunked"
    header = "Transfer-Encoding: chunked" if chunked else "Content-Length: 10000000"
    piece = b" " * 65_536
    with socket.create_connection(("127.0.0.1", service.port), timeout=DEADLINE) as line:
        line.sendall(_head(header, bearer=bearer))
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
    service: Serving, bearer: dict[str, str], lines: list[str], rest: bytes
) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=DEADLINE) as line:
        with contextlib.suppress(ConnectionError):
            line.sendall(_head(*lines, bearer=bearer) + rest)
            line.shutdown(socket.SHUT_WR)
        found = _answer(line)
    assert not found or found.startswith(b"HTTP/1.1 4"), found[:200]
    assert LEAK.search(found.decode("utf-8", "replace")) is None
    assert service.ask("GET", "/livez")[0] == 200


@pytest.mark.parametrize("cut", [0, 1, 10, 100])
def test_a_caller_that_hangs_up_is_no_reason_to_fail(
    service: Serving, bearer: dict[str, str], cut: int
) -> None:
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", service.port), timeout=DEADLINE) as line:
            head = _head("Content-Length: 5000", bearer=bearer)
            line.sendall((head + b"{" * 50)[: 50 * cut])
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
        "/v1/units/%00",
        "/v1/units?q=%00",
        "/v1/units?on=0001-01-01",
        "/v1/communes/" + "9" * 5_000,
        "/v1/clients/%2e%2e/%2e%2e",
        "/v1/rulesets/" + "x" * 5_000,
    ],
    ids=lambda target: target[:40],
)
def test_a_strange_path_is_not_found(service: Serving, bearer: dict[str, str], target: str) -> None:
    status, headers, body = service.ask("GET", target, headers=bearer)
    assert status in (404, 422)
    assert headers["content-type"] == "application/problem+json"
    assert _problem(body)["status"] == status
    assert b"root:" not in body


def test_64_kb_of_header_and_of_path_do_not_hurt(service: Serving, bearer: dict[str, str]) -> None:
    status, _, _ = service.ask("GET", "/livez", headers={"x-large": "a" * 65_536})
    assert status in (200, 400, 431)
    status, _, _ = service.ask("GET", "/v1/rulesets/" + "a" * 65_536, headers=bearer)
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
def test_it_stops_cleanly_when_it_is_told_to(
    tmp_path: Path, address: dict[str, str], known: Known, told: signal.Signals
) -> None:
    with serving(tmp_path, env=address) as started:
        content, headers = json.dumps(VALID).encode(), JSON | started.bearer(known)
        assert started.ask("POST", PREVIEW, content, headers)[0] == 200
        started.process.send_signal(told)
        code = started.process.wait(DEADLINE)
        assert code in (0, -told, 128 + told)
        assert not listens(started.port)
        assert "Traceback" not in started.said()
        assert "Application shutdown complete" in started.said()
    left = [one.name for one in (tmp_path / "home").rglob("*") if one.is_file()]
    assert sorted(left) == ["audit-checkpoints.jsonl", "signing-keys.json"]


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGKILL])
def test_however_it_ends_its_database_ends_too_and_what_was_stored_is_there_again(
    tmp_path: Path, told: signal.Signals
) -> None:
    target = f"/v1/communes/{TODAY_COMMUNE}/attributes/area_island"
    with serving(tmp_path) as first:
        assert set(living(data(tmp_path)).values()) == {"supervisor", "postgres"}
        known = made_by_the_command({"NTM_DATA_DIR": str(data(tmp_path))})
        headers = JSON | first.bearer(known)
        status, _, body = first.ask("PUT", target, json.dumps(ATTRIBUTE).encode(), headers)
        assert status == 200, body
        first.process.send_signal(told)
        assert first.process.wait(DEADLINE) in (0, -told, 128 + told)
        with pytest.raises(ProcessLookupError):  # nobody of its group is left
            os.killpg(first.process.pid, 0)
        assert not listens(first.port)
        deserted(tmp_path)
    with serving(tmp_path, port=first.port) as second:  # the key that signed the token is kept
        day = ATTRIBUTE["from"]
        status, _, body = second.ask(
            "GET", f"/v1/communes/{TODAY_COMMUNE}?on={day}", headers=headers
        )
        assert status == 200, body
        assert json.loads(body)["attributes"]["area_island"] == ATTRIBUTE
        assert "Traceback" not in second.said()
    deserted(tmp_path)


def test_killed_with_an_open_connection_it_starts_again_on_the_same_port_at_once(
    tmp_path: Path, address: dict[str, str]
) -> None:
    with serving(tmp_path, env=address) as first:
        line = socket.create_connection(("127.0.0.1", first.port), timeout=DEADLINE)
        with line:
            line.sendall(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert line.recv(65_536).startswith(b"HTTP/1.1 200 ")
            first.process.kill()
            assert first.process.wait(DEADLINE) == -signal.SIGKILL
            with serving(tmp_path, port=first.port, env=address) as second:
                assert second.ask("GET", "/readyz")[0] == 200


def test_two_services_share_one_embedded_database_and_the_second_outlives_the_first(
    tmp_path: Path,
) -> None:
    with serving(tmp_path) as first, serving(tmp_path) as second:
        assert list(living(data(tmp_path)).values()).count("supervisor") == 1
        known = made_by_the_command({"NTM_DATA_DIR": str(data(tmp_path))})
        first.process.kill()
        first.process.wait(DEADLINE)
        found = second.ask("GET", "/v1/units/25", headers=second.bearer(known))
        assert found[0] == 200, found
    deserted(tmp_path)


def test_a_port_that_is_taken_ends_with_1_before_anything_else_is_touched(
    process: Ntm, service: Serving, tmp_path: Path
) -> None:
    folder = tmp_path / "untouched"
    ran = process("serve", "--port", service.port, env={"NTM_DATA_DIR": str(folder)})
    assert ran.code == 1
    assert str(service.port) in ran.err
    assert "--port" in ran.err
    assert "Address already in use" in ran.err
    assert "Traceback" not in ran.err
    assert not folder.exists()
    assert service.ask("GET", "/livez")[0] == 200


# --- where it listens, and as whom it is known ---------------------------------------------------

PLAIN_HTTP = "NTM_ISSUER"  # what the warning of plain HTTP names


def test_any_host_may_be_bound_with_a_warning_of_plain_http(
    tmp_path: Path, address: dict[str, str]
) -> None:
    with serving(tmp_path, "--host", "0.0.0.0", env=address) as started:
        assert f"http://0.0.0.0:{started.port}" in started.said()
        assert PLAIN_HTTP in started.said()
        assert "TLS" in started.said()
        assert started.ask("GET", "/readyz")[0] == 200
        assert started.ask("GET", "/v1/units")[0] == 401


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.8.9.1", "::1"])
def test_this_host_may_be_bound_without_a_warning(
    tmp_path: Path, address: dict[str, str], host: str
) -> None:
    if host == "::1" and not _has_ipv6():
        pytest.skip("this host has no IPv6")
    with serving(tmp_path, "--host", host, host=host, env=address) as started:
        shown_host = f"[{host}]" if ":" in host else host
        assert f"http://{shown_host}:{started.port}/docs" in started.said()
        assert PLAIN_HTTP not in started.said()
        body = started.ask("GET", "/.well-known/oauth-authorization-server")[2]
        assert json.loads(body)["issuer"] == f"http://{shown_host}:{started.port}"


def _has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@pytest.mark.parametrize(
    "host",
    ["192.0.2.1", "no-such-host.invalid", "a" * 64, "a..b", "2001:db8::1", "[/x]", "1.2.3.4.5"],
)
def test_a_host_that_is_not_ours_ends_with_1_and_says_so(ntm: Ntm, host: str) -> None:
    ran = ntm("serve", "--host", host, "--port", free_port())
    assert ran.code == 1
    assert host in ran.err
    assert "--host" in ran.err
    assert "Traceback" not in ran.err


def test_the_issuer_that_was_set_stands_in_tokens_and_metadata(
    tmp_path: Path, address: dict[str, str], known: Known
) -> None:
    issuer = "https://ntm.example.gov.vn"
    with serving(tmp_path, env={**address, "NTM_ISSUER": f"{issuer}/"}) as started:
        found = json.loads(started.ask("GET", "/.well-known/oauth-authorization-server")[2])
        assert found["issuer"] == issuer
        assert found["token_endpoint"] == f"{issuer}/v1/oauth/token"
        assert found["jwks_uri"] == f"{issuer}/.well-known/jwks.json"
        token = started.token(known)["access_token"]
        claims = token.split(".")[1]
        said = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        assert (said["iss"], said["aud"]) == (issuer, issuer)
        headers = {"authorization": f"Bearer {token}"}
        assert started.ask("GET", "/v1/units/25", headers=headers)[0] == 200
    with serving(tmp_path, env=address) as other:  # the same key, but another issuer
        assert other.ask("GET", "/v1/units/25", headers=headers)[0] == 401


# --- what is wrong with the settings or the database ---------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NTM_ISSUER", "ntm.example.gov.vn"),
        ("NTM_ISSUER", ""),
        ("NTM_CORS_ORIGINS", "https://a.vn/path"),
        ("NTM_MAX_BODY_BYTES", "1"),
        ("NTM_MAX_BODY_BYTES", "4 MB"),
        ("NTM_DATABASE_POOL", "0"),
    ],
)
def test_a_setting_that_is_none_ends_with_2_and_its_name(ntm: Ntm, name: str, value: str) -> None:
    port = free_port()
    ran = ntm("serve", "--port", port, env={name: value})
    assert ran.code == 2
    assert name in ran.err
    assert not LEAK.search(ran.err)
    assert not listens(port)


@pytest.mark.parametrize("port", ["0", "65536", "-1", "x", "8e3", ""])
def test_a_port_that_is_none_ends_with_2(ntm: Ntm, port: str) -> None:
    ran = ntm("serve", "--port", port)
    assert ran.code == 2
    assert "--port" in ran.err


@pytest.mark.parametrize(
    "url",
    ["", "x", "mysql://u:geheim@127.0.0.1/x", "postgresql://u:geheim@127.0.0.1", "postgresql://",
     "postgresql://u:geheim@127.0.0.1:port/x", "/var/run/x", "sqlite:///x"],
)  # fmt: skip
def test_an_address_that_is_none_is_wrong_use_and_shows_how_to_write_it(ntm: Ntm, url: str) -> None:
    port = free_port()
    ran = ntm("--lang", "en", "serve", "--port", port, env={"NTM_DATABASE_URL": url})
    assert ran.code == 2
    assert "NTM_DATABASE_URL" in ran.err
    assert "postgresql://user:password@host:5432/name" in ran.err
    assert "geheim" not in ran.said
    assert "Traceback" not in ran.err
    assert not listens(port)


@pytest.mark.parametrize("where", ["127.0.0.1:{port}", "no-such-host.invalid:5432"])
def test_a_database_that_nobody_answers_for_ends_with_1_and_its_address(
    process: Ntm, where: str
) -> None:
    port, host = free_port(), where.format(port=free_port())
    env = {"NTM_DATABASE_URL": f"postgresql://u:geheim@{host}/x"}
    ran = process("--lang", "en", "serve", "--port", port, env=env)
    assert ran.code == 1
    assert host in ran.err
    assert "cannot be reached" in ran.err
    assert "geheim" not in ran.said
    assert "Traceback" not in ran.err
    assert not listens(port)


def test_a_database_that_is_not_there_ends_with_1_and_says_what_to_check(
    process: Ntm, cluster: Embedded
) -> None:
    ran = process("serve", "--port", free_port(), env=urls(cluster, "no_such_database"))
    assert ran.code == 1
    assert "NTM_DATABASE_URL" in ran.err
    assert "no_such_database" in ran.err
    assert "Traceback" not in ran.err


def test_a_data_folder_that_cannot_be_made_ends_with_1_and_says_what_to_set(process: Ntm) -> None:
    ran = process("serve", "--port", free_port(), env={"NTM_DATA_DIR": "/proc/nowhere/data"})
    assert ran.code == 1
    assert "/proc/nowhere/data" in ran.err
    assert "NTM_DATA_DIR" in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("content", ["", "{", "[]", '{"keys": []}', '{"keys": [{"kty": "RSA"}]}'])
def test_signing_keys_that_are_none_end_it_with_1_and_are_left_as_they_are(
    ntm: Ntm, address: dict[str, str], tmp_path: Path, content: str
) -> None:
    file = tmp_path / "keys.json"
    file.write_text(content, "utf-8")
    env = {**address, "NTM_DATA_DIR": str(tmp_path), "NTM_SIGNING_KEY_FILE": str(file)}
    ran = ntm("serve", "--port", free_port(), env=env)
    assert ran.code == 1
    assert str(file) in ran.err
    assert "Traceback" not in ran.err
    assert file.read_text("utf-8") == content


# --- the demonstration ---------------------------------------------------------------------------


def shown(started: Serving) -> Known:
    """Return the client for trying that a service printed."""
    out = (started.logs / "out").read_text("utf-8")
    found = re.search(r"client_id=(ntm-[0-9a-f]{16}) -d client_secret=(\S+)", out)
    assert found, out
    return Known(found[1], found[2])


def test_the_demonstration_is_shown_with_a_client_that_gets_a_token(
    tmp_path: Path, cluster: Embedded, worker_id: str
) -> None:
    env = clone(cluster, f"ntm_demo_{worker_id}")
    with serving(tmp_path, "--demo", env=env) as first:
        said = (first.logs / "out").read_text("utf-8")
        assert "giả định" in said
        assert "phutho.1.1.1" in said
        assert "không đạt" in said
        known = shown(first)
        answer = first.token(known)
        assert answer["token_type"] == "Bearer"
        assert set(answer["scope"].split()) == set(SCOPES)
        asked = re.search(r'"http://127\.0\.0\.1:\d+(/v1/\S+)"', said)
        assert asked
        assert first.ask("GET", asked[1], headers=first.bearer(known))[0] == 200
        status, _, body = first.ask("GET", "/v1/values?limit=500", headers=first.bearer(known))
        assert status == 200, body
        sources = [one["source"] for one in json.loads(body)["items"]]
        assert len(sources) == 500
        assert all("synthetic" in source for source in sources)
        recipe = re.search(r"TOKEN=.*?\ncurl [^\n]*", said, re.DOTALL)
        assert recipe
        if shutil.which("curl") and shutil.which("bash"):
            ran = subprocess.run(
                ["bash", "-c", recipe[0]],
                env={**os.environ, "no_proxy": "*", "NO_PROXY": "*"},
                capture_output=True,
                check=False,
            )
            assert ran.returncode == 0, ran.stderr
            found = json.loads(ran.stdout)["items"]
            assert {one["ruleset"]["id"] for one in found} == {"phutho.commune"}
    with serving(tmp_path, "--demo", env=env) as second:
        again = shown(second)
        assert again.client_id == known.client_id
        assert again.secret != known.secret
        assert "access_token" in second.token(again)
        assert second.token(known)["error"] == "invalid_client"


def test_where_others_have_clients_nobody_is_let_in_for_a_demonstration(
    tmp_path: Path, address: dict[str, str], known: Known
) -> None:
    with serving(tmp_path, "--demo", env=address) as started:
        out = (started.logs / "out").read_text("utf-8")
        assert "client_secret=" not in out
        assert "ntm clients list" in out
        assert "access_token" in started.token(known)


# --- rulesets of one's own -----------------------------------------------------------------------


def test_a_bad_pack_stops_it_with_file_and_line_and_nothing_listens(
    process: Ntm, address: dict[str, str], pack: Path
) -> None:
    file = pack / "well.yaml"
    lines = file.read_text("utf-8").splitlines()
    number = lines.index('level: "commune"')
    lines[number] = 'level: "village"'
    file.write_text("\n".join(lines), "utf-8")
    port = free_port()
    ran = process("serve", "--port", port, env={**address, "NTM_RULESETS_DIR": str(pack)})
    assert ran.code == 1
    assert f"{file}:{number + 1}:" in ran.err
    assert ran.out == ""
    assert "Traceback" not in ran.err
    assert not listens(port)


def test_a_good_pack_is_listed_and_judged_by(
    tmp_path: Path, address: dict[str, str], known: Known, pack: Path
) -> None:
    with serving(tmp_path, env={**address, "NTM_RULESETS_DIR": str(pack)}) as started:
        bearer = started.bearer(known)
        listed = json.loads(started.ask("GET", "/v1/rulesets", headers=bearer)[2])["items"]
        assert len(listed) == 14
        (mine,) = [one for one in listed if one["id"] == "test.well"]
        assert mine["title"] == {"vi": "Xã có giếng", "en": "Commune with wells"}
        assert mine["overall"] == "explicit"
        url = "/v1/indicators?ruleset=test.well"
        found = json.loads(started.ask("GET", url, headers=bearer)[2])["items"]
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
            sent = json.dumps(body).encode()
            status, _, content = started.ask("POST", PREVIEW, sent, JSON | bearer)
            verdict = json.loads(content)
            assert (status, verdict["outcome"]) == (200, outcome)
            assert verdict["criteria"][0]["id"] == "test.well.1"
            assert verdict["criteria"][0]["cite"] == "Văn bản thử 1/TEST ngày 01/01/2024, Điều 1"
            assert verdict["criteria"][0]["gap"] == gap
            assert verdict["applicability"]["status"] == "in_period"
