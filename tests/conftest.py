"""What the tests of the HTTP API and of the command share."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import asyncpg
import httpx
import pytest
from fastapi import FastAPI
from jsonschema import Draft202012Validator, FormatChecker
from pydantic import SecretStr
from typer.testing import CliRunner

from app.cli import app as command
from app.database import EVERYTHING, OWNER, SERVICE, Database
from app.discovery import load_registry
from app.domain import clients, unit_lookup
from app.domain.clients import SCOPES
from app.domain.clock import today
from app.domain.preparing import prepare
from app.domain.signing_keys import LIFETIME
from app.embedded import Embedded
from app.embedded.locks import Lock
from app.main import create_app
from app.rules.registry import Registry
from app.settings import VARIABLES, Settings

ROOT = Path(__file__).resolve().parents[1]
PREVIEW = "/v1/evaluations/preview"
HERE = "http://127.0.0.1:8000"
HASTY = 'ALTER DATABASE "{}" SET synchronous_commit = off'
OPENED: list[Database] = []
sys.modules.setdefault("sniffio", None)  # type: ignore[arg-type] # httpx looks for it every time
ANYTHING = {"if-match": "*"}  # for a change that may follow whatever is on record

# What no caller may ever see: traces, exceptions, models and files of the implementation.
LEAK = re.compile(
    r"Traceback|File \"|site-packages|\.py\b|/tmp/|/home/|pydantic|starlette|fastapi|msgspec"
    r"|\b[A-Z][a-z]+(?:[A-Z][a-z]+)*(?:Error|Exception|In|Shape)\b|NoneType|<class|object at 0x"
)


def pytest_xdist_auto_num_workers() -> int:
    """Return one worker more than there are processors: many a test waits for other processes."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_finish() -> None:
    """Spare the garbage collector what stays until the end; it looks less often at the rest."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


@functools.cache
def shipped() -> Registry:
    """Return all rulesets and indicators that are shipped, read once."""
    return load_registry(None)


@pytest.fixture(scope="session")
def registry() -> Registry:
    """All rulesets and indicators that are shipped."""
    return shipped()


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Embedded]:
    """One embedded PostgreSQL for all workers; its database `ntm` is prepared and never used."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "cluster"
    embedded = Embedded(folder)
    with Lock(folder / "prepared.lock").held(120):
        if not (folder / "prepared").exists():
            asyncio.run(_prepare(Settings(data_dir=folder)))
            (folder / "prepared").touch()
    yield embedded
    embedded.release()


async def _prepare(settings: Settings) -> None:
    async with Database(settings) as database:
        await prepare(database, lambda *_: None)


def urls(cluster: Embedded, name: str) -> dict[str, str]:
    """Return the settings by which a database of the cluster is used."""
    where = f"@/{name}?host={cluster.socket_folder}"
    return {
        "NTM_DATABASE_URL": f"postgresql://{SERVICE}{where}",
        "NTM_DATABASE_OWNER_URL": f"postgresql://{OWNER}{where}",
    }


def clone(
    cluster: Embedded, name: str, template: str = "ntm", *, hasty: bool = False
) -> dict[str, str]:
    """Make a database like a template of the cluster; return the settings by which it is used.

    Whoever comes back to a file of tests that others had a part of makes it anew. In a hasty one
    commits do not wait for the disk: nobody kills this server, but no command starts on it either.
    """
    statements = [
        f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)',
        f'CREATE DATABASE "{name}" TEMPLATE "{template}"',
    ]
    if hasty:
        statements.append(HASTY.format(name))
    asyncio.run(_execute(cluster, *statements))
    return urls(cluster, name)


async def _execute(cluster: Embedded, *statements: str) -> None:
    connection = await asyncpg.connect(host=cluster.socket_folder, user=OWNER, database="postgres")
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


@pytest.fixture(scope="session")
def settings(
    cluster: Embedded, worker_id: str, tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    """Settings with a database of this worker's own."""
    found = clone(cluster, f"ntm_{worker_id}", hasty=True)
    return Settings(
        database_url=SecretStr(found["NTM_DATABASE_URL"]),
        database_owner_url=SecretStr(found["NTM_DATABASE_OWNER_URL"]),
        data_dir=tmp_path_factory.mktemp("data"),
        max_running=1_000,  # tests of racing writers want all of them to get in
    )


@contextlib.asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Database]:
    """Open a database for everything; between files of tests it has no connections."""
    async with Database(settings) as found:
        OPENED.append(found)
        yield found.acting_for(EVERYTHING)
        OPENED.remove(found)


@pytest.fixture(scope="module", autouse=True)
async def _no_connections_between_files() -> AsyncIterator[None]:
    """A server has a hundred connections for the pools of all files, of all workers."""
    yield
    for one in OPENED:
        await one.disconnect()


@pytest.fixture(scope="session")
async def database(settings: Settings) -> AsyncIterator[Database]:
    """This worker's database: the whole register, no client but those that tests make."""
    async with opened(settings) as found:
        yield found


@pytest.fixture(scope="session")
def service(registry: Registry, settings: Settings, database: Database) -> FastAPI:
    """The application, built once."""
    return create_app(settings, registry, database)


Served = Callable[..., Coroutine[Any, Any, None]]  # an application, whoever made it


class Renewed(httpx.Auth):
    """A token that is issued anew before it ends, for what may go on for longer than it lives."""

    def __init__(self, issue: Callable[[], str]) -> None:
        self._issue, self._token, self._until = issue, "", 0.0
        self.first = f"Bearer {self()}"

    def __call__(self) -> str:
        """Return a token that lives for some minutes yet."""
        if time.monotonic() > self._until:
            self._token, self._until = self._issue(), time.monotonic() + LIFETIME / 3
        return self._token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send it along, unless a request says itself who sends it."""
        if request.headers.get("authorization", self.first) == self.first:
            request.headers["authorization"] = f"Bearer {self()}"
        yield request


def calling(
    service: Served, host: str = "127.0.0.1", token: str = "", auth: Renewed | None = None
) -> httpx.AsyncClient:
    """Return a client whose calls come from `host` and never raise what the service raised."""
    transport = httpx.ASGITransport(app=service, raise_app_exceptions=False, client=(host, 50_000))
    sender = auth.first if auth else f"Bearer {token}" if token else ""
    headers = {"authorization": sender} if sender else {}
    return httpx.AsyncClient(transport=transport, base_url=HERE, headers=headers, auth=auth)


class Member(NamedTuple):
    """A machine client as tests use it: known to the service, with a way to call it."""

    client_id: str
    secret: str
    http: httpx.AsyncClient


class Join(Protocol):
    """Make a client of a territory with these scopes (all, when none is named)."""

    async def __call__(self, territory: str, *scopes: str) -> Member:
        """Return the client, ready to call."""
        ...


@pytest.fixture
async def join(service: FastAPI, database: Database) -> AsyncIterator[Join]:
    """Make machine clients; their connections are closed after the test."""
    joined: list[httpx.AsyncClient] = []

    async def make(territory: str, *scopes: str) -> Member:
        held = list(scopes or SCOPES)
        async with database.reading() as connection:
            unit = await unit_lookup.get(connection, territory, today())
        async with database.transaction() as session:
            made, secret = await clients.add(session, f"test {territory}", unit, held)
            client_id = made.client_id
        http = calling(service, token=service.state.tokens.issue(client_id, held))
        joined.append(http)
        return Member(client_id, secret, http)

    yield make
    for http in joined:
        await http.aclose()


@pytest.fixture
async def client(join: Join) -> httpx.AsyncClient:
    """A caller with every scope in the whole nation."""
    return (await join("VN")).http


@pytest.fixture
async def stranger(service: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A caller without a token."""
    async with calling(service) as caller:
        yield caller


def problem(answer: httpx.Response, language: str = "vi") -> dict[str, Any]:
    """Return the problem document of an error answer, after checking that it is a good one."""
    assert 400 <= answer.status_code < 600, answer.text[:300]
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["content-language"] == language
    found: dict[str, Any] = answer.json()
    assert set(found) == {"type", "title", "status", "detail", "code", "instance", "errors"}
    assert found["status"] == answer.status_code
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", found["code"])
    assert found["type"] == f"/problems/{found['code']}"
    assert found["title"].strip()
    assert found["detail"].strip()
    for one in found["errors"]:
        assert set(one) == {"pointer", "code", "message"}
        assert one["pointer"] == "" or one["pointer"].startswith("/")
        assert one["message"].strip()
    assert LEAK.search(answer.text) is None, LEAK.search(answer.text)
    return found


def lasting(answer: httpx.Response) -> dict[str, str]:
    """Return the headers of an answer without those that differ from request to request."""
    return {
        name: value
        for name, value in answer.headers.items()
        if name != "x-request-id" and not name.startswith("ratelimit")
    }


class Described:
    """The API description, as a judge of answers: only what it describes may be answered."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        self.paths: dict[str, dict[str, Any]] = document["paths"]
        self._closed = {"components": _closed(document["components"])}
        self._patterns = [
            (re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))), operations)
            for template, operations in self.paths.items()
        ]
        self._validators: dict[tuple[str, str, str], Draft202012Validator] = {}

    def operation(self, method: str, path: str) -> dict[str, Any]:
        """Return the operation that answers a concrete path."""
        for pattern, operations in self._patterns:
            if pattern.fullmatch(path) and method.lower() in operations:
                found: dict[str, Any] = operations[method.lower()]
                return found
        raise AssertionError(f"{method} {path} is not described")

    def judge(self, answer: httpx.Response) -> None:
        """Fail unless status, media type and every key of the answer are described."""
        request = answer.request
        operation = self.operation(request.method, request.url.path)
        status = str(answer.status_code)
        described = operation["responses"].get(status)
        assert described, f"{status} of {request.url.path} is not described"
        media = answer.headers["content-type"].partition(";")[0]
        assert media in described["content"], f"{media} of {request.url.path} is not described"
        if not media.endswith("json") or media == "application/x-ndjson":
            return  # a file: others look into it
        asked = operation["operationId"], status, media
        if asked not in self._validators:
            schema = {**_closed(described["content"][media]["schema"]), **self._closed}
            self._validators[asked] = Draft202012Validator(schema, format_checker=FormatChecker())
        found = self._validators[asked].iter_errors(answer.json())
        wrong = [f"{one.json_path}: {one.message[:200]}" for one in found]
        assert not wrong, wrong[:5]


def _closed(schema: Any) -> Any:
    """Return the schema with no room for keys that it does not name."""
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    if closed.get("type") == "object" and "properties" in closed:
        closed.setdefault("additionalProperties", False)
    return closed


@pytest.fixture(scope="session")
def described() -> Described:
    """The committed description of the API."""
    return Described(json.loads((ROOT / "openapi" / "openapi.json").read_text("utf-8")))


class Ran(NamedTuple):
    """How a run of the command ended, and what it said where."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """Everything it said."""
        return self.out + self.err

    def cells(self) -> list[list[str]]:
        """Return the cells of every table row it printed."""
        rows = [line.strip() for line in self.said.splitlines() if line.strip().startswith("│")]
        return [[cell.strip() for cell in row.strip("│").split("│")] for row in rows]


class Ntm(Protocol):
    """Run the command with these arguments."""

    def __call__(self, *arguments: object, env: Mapping[str, str] | None = None) -> Ran:
        """Return how it ended."""
        ...


# A wide screen without colours, so that no message is folded; nothing set by the developer.
SCREEN: dict[str, str | None] = {
    "COLUMNS": "4000",
    "NO_COLOR": "1",
    "TERM": "dumb",
    **dict.fromkeys(("FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS", "TTY_COMPATIBLE")),
    **{f"NTM_{name.upper()}": None for name in ("lang", "drills")},
    **dict.fromkeys(VARIABLES),
    # Nothing outside the test's own folders: not the developer's data, not another server.
    "NTM_DATA_DIR": "/proc/nowhere",
    **dict.fromkeys(("XDG_DATA_HOME", "PGHOST", "PGPORT", "PGUSER", "PGDATABASE", "PGOPTIONS")),
}


def _load(folder: Path | None) -> Registry:
    return shipped() if folder is None else load_registry(folder)


def run_here(*arguments: object, env: Mapping[str, str] | None = None) -> Ran:
    """Run the command in this process; an exception that it lets through fails the test."""
    settings = {**SCREEN, **(env or {})}
    with pytest.MonkeyPatch.context() as patch:
        # Only to save time: what is shipped is not read anew by every call in this process.
        patch.setattr("app.cli.console.load_registry", _load, raising=False)
        ended = CliRunner().invoke(command, [str(one) for one in arguments], env=settings)
    if ended.exception is not None and not isinstance(ended.exception, SystemExit):
        raise ended.exception
    return Ran(ended.exit_code, ended.stdout, ended.stderr)


@pytest.fixture
def ntm() -> Ntm:
    """The command in this process."""
    return run_here


def environment(env: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment for the command as a process of its own."""
    wanted = {**os.environ, **SCREEN, "PYTHONIOENCODING": "utf-8", **(env or {})}
    return {name: value for name, value in wanted.items() if value is not None}


def script() -> str:
    """Return the installed command."""
    return str(Path(sys.executable).with_name("ntm"))


@pytest.fixture
def process(tmp_path: Path) -> Ntm:
    """The installed command as a process of its own, in an empty folder."""

    def run(*arguments: object, env: Mapping[str, str] | None = None) -> Ran:
        ended = subprocess.run(
            [script(), *(str(one) for one in arguments)],
            cwd=tmp_path,
            env=environment(env),
            capture_output=True,
            timeout=60,
            check=False,
        )
        return Ran(ended.returncode, ended.stdout.decode("utf-8"), ended.stderr.decode("utf-8"))

    return run


GOOD_PACK = """\
ruleset: "test.well"
version: "1"
level: "commune"
title: {vi: "Xã có giếng", en: "Commune with wells"}
document:
  number: "1/TEST"
  title: "Văn bản thử"
  short: "Văn bản thử 1/TEST ngày 01/01/2024"
  issuer: "Cơ quan thử"
  issued: "2024-01-01"
  source_grade: "secondary"
in_force: {until: 2030-12-31}
scope: {country: true}
overall: "explicit"
criteria:
  - id: "test.well.1"
    text: {vi: "Tỷ lệ hộ có giếng từ 50%", en: "Share of households with a well: from 50%"}
    section: "Điều 1"
    indicator: "test_wells_rate"
    required: {operator: ">=", value: 50, unit: "percent", as_written: "từ 50%"}
indicators:
  - code: "test_wells_rate"
    theme: "digital_economy"
    name: {vi: "Tỷ lệ hộ có giếng", en: "Share of households with a well"}
    kind: "ratio"
    levels: ["commune"]
    validity: "stock"
    numerator: {vi: "hộ có giếng", en: "households with a well"}
    denominator: {vi: "hộ", en: "households"}
cases:
  - case: "đủ"
    ruleset: "test.well"
    facts: {test_wells_rate: "50/100"}
    expect: {"test.well.1": "met", overall: "met"}
  - case: "thiếu một hộ"
    ruleset: "test.well"
    facts: {test_wells_rate: "49/100"}
    expect: {"test.well.1": "not_met", overall: "not_met"}
  - case: "chưa có số liệu"
    ruleset: "test.well"
    expect: {"test.well.1": "undetermined", overall: "undetermined"}
"""


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """A folder with one small, complete ruleset of one's own."""
    folder = tmp_path / "packs"
    folder.mkdir()
    (folder / "well.yaml").write_text(GOOD_PACK, "utf-8")
    return folder
