"""`ntm serve` as operators see it: its log lines, its metrics, and how it stops."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from conftest import Ntm, clone
from hostile import ATTRIBUTE, TODAY_COMMUNE
from running import DEADLINE, FORM, Known, Serving, eventually, free_port, serving

from app.embedded import Embedded

TARGET: Final = f"/v1/communes/{TODAY_COMMUNE}/attributes/area_island"
BODY: Final = json.dumps(ATTRIBUTE).encode()
CANARY: Final = "chim-hoang-yen"


@pytest.fixture(scope="module")
def address(cluster: Embedded, worker_id: str) -> dict[str, str]:
    """The settings of a database for the services of this file."""
    return clone(cluster, f"ntm_traffic_{worker_id}")


@pytest.fixture
def known(process: Ntm, address: dict[str, str]) -> Known:
    """A client with every scope in the whole nation, made by the command."""
    scopes = [f"--scope={one}" for one in ("read", "values:write")]
    ran = process("clients", "add", "Thử", "--territory=VN", *scopes, "--json", env=address)
    assert ran.code == 0, ran.err
    made = json.loads(ran.out)
    return Known(made["client_id"], made["client_secret"])


def at_home(folder: Path, env: dict[str, str], **more: str) -> dict[str, str]:
    """Return an environment whose data folder lies in `folder`."""
    return {**env, "HOME": str(folder), "NTM_DATA_DIR": str(folder / "data"), **more}


def lines(started: Serving) -> list[dict[str, Any]]:
    """Return the log lines; every line after the greeting must be JSON."""
    said = (started.logs / "err").read_text("utf-8").splitlines()
    return [json.loads(one) for one in said if one.startswith("{")]


# --- stopping ------------------------------------------------------------------------------------


def _begins(started: Serving, bearer: dict[str, str]) -> socket.socket:
    """Open a line and send a change without the end of its body."""
    line = socket.create_connection(("127.0.0.1", started.port), timeout=DEADLINE)
    head = [f"PUT {TARGET} HTTP/1.1", "Host: x", "Content-Type: application/json"]
    head += [f"Content-Length: {len(BODY)}", f"Authorization: {bearer['authorization']}"]
    line.sendall("\r\n".join([*head, "", ""]).encode() + BODY[:10])
    return line


def _refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=DEADLINE).close()
    except ConnectionRefusedError:
        return True
    return False


def test_what_is_in_flight_when_it_is_told_to_stop_is_finished(
    tmp_path: Path, address: dict[str, str], known: Known
) -> None:
    """After SIGTERM nobody new is let in, whoever is being served gets the answer, then it ends."""
    with serving(tmp_path, at_home(tmp_path, address)) as started:
        with contextlib.closing(_begins(started, started.bearer(known))) as line:
            started.ask("GET", "/livez")  # by now the change has been received, as far as it goes
            started.process.send_signal(signal.SIGTERM)
            eventually(lambda: _refused(started.port), lambda: "it still lets others in")
            assert started.process.poll() is None
            line.sendall(BODY[10:])
            found = b""
            while piece := line.recv(65_536):
                found += piece
        assert found.startswith(b"HTTP/1.1 200 "), found[:300]
        started.process.wait(DEADLINE)
        assert "Traceback" not in started.said()


def test_who_never_ends_does_not_keep_it_from_stopping(
    tmp_path: Path, address: dict[str, str], known: Known
) -> None:
    """After NTM_SHUTDOWN_SECONDS it ends, whatever is still in flight."""
    env = at_home(tmp_path, address, NTM_SHUTDOWN_SECONDS="1")
    with serving(tmp_path, env) as started:
        with contextlib.closing(_begins(started, started.bearer(known))):
            started.ask("GET", "/livez")
            started.process.send_signal(signal.SIGTERM)
            started.process.wait(
                20
            )  # the body may take 30 s: it is the stop that is not waited for
        assert "Application shutdown complete" in started.said()


def test_a_body_that_does_not_arrive_in_time_is_408(
    tmp_path: Path, address: dict[str, str], known: Known
) -> None:
    """A sender that stalls gets `request-timeout` after NTM_BODY_SECONDS; the line is closed."""
    env = at_home(tmp_path, address, NTM_BODY_SECONDS="0.2")
    with serving(tmp_path, env) as started:
        with contextlib.closing(_begins(started, started.bearer(known))) as line:
            found = b""
            while piece := line.recv(65_536):
                found += piece
        head, _, body = found.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 408 "), found[:300]
        assert b"connection: close" in head.lower()
        assert json.loads(body)["code"] == "request-timeout"
        form = b"grant_type=client_credentials"
        with socket.create_connection(("127.0.0.1", started.port), timeout=DEADLINE) as stalled:
            told = f"Content-Type: {FORM['content-type']}\r\nContent-Length: 999"
            stalled.sendall(
                f"POST /v1/oauth/token HTTP/1.1\r\nHost: x\r\n{told}\r\n\r\n".encode() + form
            )
            found = b""
            while piece := stalled.recv(65_536):
                found += piece
        assert found.startswith(b"HTTP/1.1 408 "), found[:300]
        assert json.loads(found.partition(b"\r\n\r\n")[2])["error"] == "invalid_request"


# --- what it says --------------------------------------------------------------------------------


def test_every_request_is_one_line_of_json_without_secrets(
    tmp_path: Path, address: dict[str, str], known: Known
) -> None:
    """In production the log is JSON on standard error: one line a request, no query, no secret."""
    with serving(tmp_path, at_home(tmp_path, address)) as started:
        bearer = started.bearer(known)
        found = started.ask("GET", f"/v1/units?q={CANARY}&limit=1", headers=bearer)
        started.ask("POST", f"/v1/oauth/token?client_secret={CANARY}")
        started.ask("GET", f"/{CANARY}")
        started.leave()
        told = [one for one in lines(started) if one["event"] == "request"]
        (mine,) = [one for one in told if one["request_id"] == found.headers["x-request-id"]]
        assert (mine["route"], mine["status"]) == ("/v1/units", 200)
        assert mine["client_id"] == known.client_id
        assert [one["route"] for one in told if one["route"] != "/readyz"] == [
            "/v1/oauth/token", "/v1/units", "/v1/oauth/token", "-"
        ]  # fmt: skip
        said = started.said()
        for secret in (CANARY, known.secret, bearer["authorization"].partition(" ")[2]):
            assert secret not in said
        assert "Application shutdown complete." in [one["event"] for one in lines(started)]
        raw = (started.logs / "err").read_text("utf-8").splitlines()
        assert [one for one in raw[1:] if not one.startswith("{")] == []


@pytest.mark.parametrize(("form", "json_lines"), [("auto", True), ("console", False)])
def test_the_form_of_the_lines_is_a_setting(
    tmp_path: Path, address: dict[str, str], form: str, json_lines: bool
) -> None:
    """NTM_LOG_FORMAT chooses: JSON when nobody sits at a terminal, plain lines when asked for."""
    with serving(tmp_path, at_home(tmp_path, address, NTM_LOG_FORMAT=form)) as started:
        started.ask("GET", "/livez")
        started.leave()
        requests = [one for one in started.said().splitlines() if "/livez" in one]
        assert len(requests) == 1
        assert requests[0].startswith("{") == json_lines


# --- what it shows -------------------------------------------------------------------------------


def _scraped(port: int, path: str = "/metrics") -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://127.0.0.1:{port}{path}", timeout=DEADLINE) as answer:
        found: str = answer.read().decode()
    return found


@pytest.fixture
def measured(tmp_path: Path, address: dict[str, str]) -> Iterator[tuple[Serving, int]]:
    """A service that shows its metrics, and the port of them."""
    port = free_port()
    env = at_home(tmp_path, address, NTM_METRICS_PORT=str(port))
    with serving(tmp_path, env) as started:
        yield started, port


def test_metrics_have_a_port_of_their_own(measured: tuple[Serving, int]) -> None:
    """Prometheus reads requests and connections at NTM_METRICS_PORT, and nothing at the API's."""
    started, port = measured
    started.ask("GET", "/livez")
    found = _scraped(port)
    assert re.search(r'^ntm_requests_total\{.*route="/livez".*\} 1\.0$', found, re.MULTILINE)
    assert re.search(
        r'^ntm_database_connections\{pool="plain",state="idle"\} [1-9]', found, re.MULTILINE
    )
    assert "ntm_requests_running 0.0" in found
    assert started.ask("GET", "/metrics").status == 404
    started.leave()
    assert "Traceback" not in started.said()


def test_without_a_port_there_are_no_metrics(tmp_path: Path, address: dict[str, str]) -> None:
    """Metrics are off unless a port is set: the process listens at one port only."""
    with serving(tmp_path, at_home(tmp_path, address)) as started:
        found = set(Path(f"/proc/{started.process.pid}/net/tcp").read_text("utf-8").splitlines())
        sockets = {
            match[1]
            for link in Path(f"/proc/{started.process.pid}/fd").iterdir()
            if (match := re.fullmatch(r"socket:\[(\d+)\]", str(link.readlink())))
        }
        listening = [one.split() for one in found if one.split()[3] == "0A"]
        ours = [one for one in listening if one[9] in sockets]
        assert len(ours) == 1, ours


def test_a_port_of_metrics_that_is_taken_ends_with_1_and_its_setting(
    process: Ntm, tmp_path: Path, address: dict[str, str]
) -> None:
    """Metrics that cannot be served stop the start, with the name of the setting to change."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        env = at_home(tmp_path, address, NTM_METRICS_PORT=str(port))
        ran = process("serve", "--port", free_port(), env=env)
    assert ran.code == 1
    assert "NTM_METRICS_PORT" in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NTM_MAX_RUNNING", "0"),
        ("NTM_RATE_LIMIT", "-1"),
        ("NTM_BODY_SECONDS", "0"),
        ("NTM_SHUTDOWN_SECONDS", "soon"),
        ("NTM_LOG_FORMAT", "xml"),
        ("NTM_METRICS_PORT", "70000"),
    ],
)
def test_a_setting_of_traffic_that_is_none_ends_with_2_and_its_name(
    ntm: Ntm, name: str, value: str
) -> None:
    """A wrong setting is named before anything is opened."""
    ran = ntm("serve", "--port", free_port(), env={name: value})
    assert ran.code == 2
    assert name in ran.err
