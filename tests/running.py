"""What tests of databases and outages share: servers, running services, answers, contents.

Only what a test started is ever ended, by its process id.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import http.client
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlencode

import asyncpg
import httpx
import pytest
from conftest import calling, environment, script, shipped
from evidence_operations import (
    FILED,
    FORMS,
    LISTED,
    NO_SUBMISSION,
    SEEN,
    SUBMISSIONS,
    Making,
    office,
)
from fastapi import FastAPI
from pydantic import SecretStr
from working import work_off

from app.cli.clients import make
from app.database import EVERYTHING, SCHEMA, Database
from app.domain.audit.sealing import seal_all
from app.domain.clients import SCOPES
from app.domain.clock import today
from app.embedded.cluster import Account, as_user, binaries
from app.main import create_app
from app.settings import Settings

DEADLINE = 60.0  # for what must happen at last; nothing is said about how fast
DRILLS = int(os.environ.get("NTM_DRILLS", "1"))  # rounds of every outage; 30 by hand
DEBIAN = Path("/usr/lib/postgresql/15/bin")
JSON = {"content-type": "application/json"}
FORM = {"content-type": "application/x-www-form-urlencoded"}
Result = TypeVar("Result")


def eventually(
    holds: Callable[[], object], complaint: Callable[[], str], seconds: float = DEADLINE
) -> None:
    """Wait until something holds; complain when it never does."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, complaint()
        time.sleep(0.05)


# --- databases -----------------------------------------------------------------------------------


def settings_of(env: Mapping[str, str], folder: Path, **more: Any) -> Settings:
    """Return the settings that environment variables of a database mean."""
    owner = env.get("NTM_DATABASE_OWNER_URL")
    return Settings(
        database_url=SecretStr(env["NTM_DATABASE_URL"]),
        database_owner_url=SecretStr(owner) if owner else None,
        data_dir=folder,
        **more,
    )


def owner_of(env: Mapping[str, str]) -> str:
    """Return the address by which the owner uses a database."""
    return env.get("NTM_DATABASE_OWNER_URL", env["NTM_DATABASE_URL"])


def fetch(url: str, statement: str, *values: object) -> list[asyncpg.Record]:
    """Return what one statement answers."""

    async def run() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(url, timeout=10)
        try:
            return list(await connection.fetch(statement, *values))
        finally:
            await connection.close()

    return asyncio.run(run())


def execute(url: str, *statements: str) -> None:
    """Run statements, each in a transaction of its own."""
    for statement in statements:
        fetch(url, statement)


def in_database(settings: Settings, work: Callable[[Database], Awaitable[Result]]) -> Result:
    """Do some work with a database and close it."""

    async def run() -> Result:
        async with Database(settings) as database:
            return await work(database.acting_for(EVERYTHING))

    return asyncio.run(run())


def tables(url: str) -> list[str]:
    """Return the names of all tables in our schema."""
    found = fetch(url, "SELECT tablename FROM pg_tables WHERE schemaname = $1", SCHEMA)
    return sorted(row["tablename"] for row in found)


def contents(url: str) -> dict[str, tuple[int, str | None]]:
    """Return for every table how many rows it has, and a digest of them."""
    return {
        table: tuple(
            fetch(
                url,
                f"SELECT count(*), md5(string_agg(t::text, E'\\n' ORDER BY t::text)) "
                f'FROM {SCHEMA}."{table}" t',
            )[0]
        )
        for table in tables(url)
    }


@contextlib.contextmanager
def connected_as(url: str, name: str = "somebody") -> Iterator[None]:
    """Let another connection use a database for the length of a block."""
    loop = asyncio.new_event_loop()
    connection = loop.run_until_complete(
        asyncpg.connect(url, timeout=10, server_settings={"application_name": name})
    )
    try:
        yield
    finally:
        loop.run_until_complete(connection.close())
        loop.close()


# --- what a service answers ----------------------------------------------------------------------


class Known(NamedTuple):
    """A client of the whole nation with every scope, and its secret."""

    client_id: str
    secret: str


async def filled(settings: Settings, database: Database) -> Known:
    """Put something into every table over HTTP; return who did it."""
    made = await make(database, "Hệ thống thử", "VN", list(SCOPES))
    app = create_app(settings, shipped(), database)
    token = app.state.tokens.issue(made["client_id"], list(SCOPES))
    designation = {
        "model": "smart", "authority": "central", "decision": "969/QĐ-BNN-VPĐP",
        "date": "2023-03-16", "source": "văn bản",
    }  # fmt: skip
    attribute = {"value": True, "from": "2025-01-01", "to": None, "source": "thử"}
    hamlet = {"code": "07894-01", "name": "Khu 1", "type": "khu_dan_cu", "valid_from": "2025-08-01"}
    province = {"name": "Phú Thọ", "territory": "25", "scopes": ["read"]}
    async with calling(app, token=token) as http:
        for method, path, body, status in (
            ("PUT", "/v1/communes/07894/attributes/area_island", attribute, 200),
            ("POST", "/v1/communes/07894/designations", designation, 201),
            ("POST", "/v1/communes/07894/designations", designation | {"model": "ecom"}, 201),
            ("POST", "/v1/communes/07894/hamlets", hamlet, 201),
            ("PUT", "/v1/units/25/identifiers/tax", {"value": "PT-25"}, 200),
            ("POST", "/v1/clients", province, 201),
            ("POST", "/v1/designations/2/withdraw", {"reason": "nhầm"}, 200),
        ):
            answer = await http.request(method, path, json=body)
            assert answer.status_code == status, answer.text
        await measured_and_judged(http)
        await _shared(app, http)
        await _in_bulk(http)
        await Making(http, await office(http)).everything(period="2025")
        await work_off(settings, database, shipped())
    await seal_all(database)
    return Known(made["client_id"], made["client_secret"])


async def _shared(app: FastAPI, http: httpx.AsyncClient) -> None:
    """Grant the values of a commune to another province, and read under the grant."""
    grant = {
        "from_territory": "07894", "to_territory": "86", "resources": ["values"],
        "purpose": "thử", "until": str(today() + datetime.timedelta(days=30)),
    }  # fmt: skip
    other = {"name": "Vĩnh Long", "territory": "86", "scopes": ["read"]}
    keyed = {"idempotency-key": "grant-1"}
    assert (await http.post("/v1/grants", json=grant, headers=keyed)).status_code == 201
    made = (await http.post("/v1/clients", json=other)).json()
    token = app.state.tokens.issue(made["client_id"], ["read"])
    async with calling(app, token=token) as receiver:
        assert (await receiver.get("/v1/values")).json()["items"]


async def _in_bulk(http: httpx.AsyncClient) -> None:
    """Import a file of which a row is refused, check another, and judge a commune in a run."""
    table = (
        "unit,on,period,indicator,value,source\n"
        "07894,2025-08-01,2025,digital_healthcare_services,true,BC 2\n"
        "07894,2025-08-01,2025,nope,true,BC 2\n"
    )
    for query in ("mode=partial", "dry_run=true"):  # what is only checked is kept whole
        sent = await http.post(
            f"/v1/imports?{query}", content=table.encode(), headers={"content-type": "text/csv"}
        )
        assert sent.status_code == 201, sent.text
    run = {"ruleset": "phutho.commune", "under": "07894", "period": "2025", "on": "2025-08-01"}
    assert (await http.post("/v1/evaluation-runs", json=run)).status_code == 202


async def measured_and_judged(http: httpx.AsyncClient) -> None:
    """Put values and verdicts on record: followed, retracted, and read by members."""
    common = {"unit": "07894", "on": "2025-08-01", "period": "2025", "source": "BC 1/BC-UBND"}
    rate = {"numerator": 850, "denominator": 1000}
    first = {**common, "indicator": "adults_smartphone_internet_rate", "value": rate}
    second = {**common, "indicator": "digital_teaching_services", "value": True, "note": "thử"}
    third = {**common, "indicator": "smart_contents_implemented", "value": ["a1", "b1"]}
    later = {**first, "value": {**rate, "numerator": 860}}
    judged = {"ruleset": "phutho.commune", "period": "2025", "on": "2025-08-01"}
    members = {"ruleset": "travinh.province", "unit": "84", "period": "2024"}

    async def send(path: str, body: object, status: int = 201) -> Any:
        answer = await http.post(path, json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    recorded = await send("/v1/values", {"values": [first, second, third]})
    await send("/v1/evaluations", judged | {"unit": "07894"})
    await send("/v1/values", {"values": [later]})
    number = recorded["items"][1]["id"]
    await send(f"/v1/values/{number}/retract", {"reason": "nhầm"}, 200)
    await send("/v1/evaluations", judged | {"units": ["07894"]})
    await send("/v1/evaluations", members)


ASKED: Mapping[str, tuple[str, ...]] = {
    "/livez": ("/livez",),
    "/readyz": ("/readyz",),
    "/openapi.json": ("/openapi.json",),
    "/.well-known/jwks.json": ("/.well-known/jwks.json",),
    "/.well-known/oauth-authorization-server": ("/.well-known/oauth-authorization-server",),
    "/v1/vocabulary": ("/v1/vocabulary",),
    "/v1/rulesets": ("/v1/rulesets",),
    "/v1/rulesets/{id}": ("/v1/rulesets/phutho.commune",),
    "/v1/indicators": ("/v1/indicators?limit=5",),
    "/v1/indicators/{code}": ("/v1/indicators/@",),
    "/v1/units": (
        "/v1/units?level=province",
        "/v1/units?level=province&on=2025-02-01",
        "/v1/units?under=25&limit=500",
        "/v1/units?q=dien%20bien&on=2025-02-01",
        "/v1/units?parent=commune-07894&on=2025-08-01",
        "/v1/units?level=nowhere",
    ),
    "/v1/units/{code}": (
        "/v1/units/25",
        "/v1/units/25?on=2025-02-01",
        "/v1/units/84?on=2025-02-01",
        "/v1/units/84",
        "/v1/units/07894?on=2024-01-01",
        "/v1/units/99999",
    ),
    "/v1/units/{code}/lineage": ("/v1/units/25/lineage", "/v1/units/86/lineage?on=2025-08-01"),
    "/v1/communes": (
        "/v1/communes?under=25&limit=500",
        "/v1/communes?under=86&on=2025-02-01&limit=500",
    ),
    "/v1/communes.geojson": ("/v1/communes.geojson?under=25",),
    "/v1/communes/{code}": (
        "/v1/communes/07894",
        "/v1/communes/07894?on=2025-02-01",
        "/v1/communes/25",
    ),
    "/v1/communes/{code}/hamlets": (
        "/v1/communes/07894/hamlets?on=2025-08-02",
        "/v1/communes/07894/hamlets?on=2025-02-01",
    ),
    "/v1/designations": ("/v1/designations", "/v1/designations?model=smart&on=2024-01-01"),
    "/v1/values": (
        "/v1/values",
        "/v1/values?status=retracted",
        "/v1/values?updated_since=2025-01-01T00:00:00Z",
        "/v1/values?unit=07894&on=2025-08-01&with_predecessors=true",
    ),
    "/v1/values/{id}": tuple(f"/v1/values/{number}" for number in range(1, 6)),
    "/v1/values/{id}/history": tuple(f"/v1/values/{number}/history" for number in range(1, 6)),
    "/v1/evaluations": (
        "/v1/evaluations",
        "/v1/evaluations?latest=true&under=25",
        "/v1/evaluations?updated_since=2025-01-01T00:00:00Z",
    ),
    "/v1/evaluations/{id}": tuple(f"/v1/evaluations/{number}" for number in range(1, 5)),
    "/v1/evaluations/{id}/members": (
        "/v1/evaluations/3/members?criterion=travinh.province.1b.1",
        "/v1/evaluations/1/members?criterion=phutho.1.1.1",
    ),
    "/v1/evaluations/{id}/compare/{other}": (
        "/v1/evaluations/1/compare/2",
        "/v1/evaluations/3/compare/1",
    ),
    "/v1/communes/{code}/standing": ("/v1/communes/07894/standing?period=2025&on=2025-08-01",),
    "/v1/grants": ("/v1/grants", "/v1/grants?direction=given&state=active"),
    "/v1/grants/{id}": ("/v1/grants/1", "/v1/grants/999999999"),
    "/v1/audit": ("/v1/audit", "/v1/audit?unit=07894&on=2025-08-01&limit=2"),
    "/v1/audit/{id}": ("/v1/audit/1", "/v1/audit/999999999"),
    "/v1/values.csv": ("/v1/values.csv", "/v1/values.csv?headings=vi&under=25"),
    "/v1/values.ndjson": ("/v1/values.ndjson",),
    "/v1/values.xlsx": ("/v1/values.xlsx?unit=99999",),  # a workbook says when it was made
    "/v1/evaluations.csv": ("/v1/evaluations.csv?ruleset=phutho.commune&criteria=true",),
    "/v1/evaluations.ndjson": ("/v1/evaluations.ndjson",),
    "/v1/evaluations.xlsx": ("/v1/evaluations.xlsx?unit=99999",),
    "/v1/communes.csv": ("/v1/communes.csv?under=25",),
    "/v1/imports": ("/v1/imports",),
    "/v1/imports/{id}": ("/v1/imports/1",),
    "/v1/imports/{id}/rejected.csv": ("/v1/imports/1/rejected.csv",),
    "/v1/import-templates/{ruleset}.xlsx": (
        "/v1/import-templates/phutho.commune.xlsx?under=25&period=2024",
    ),
    "/v1/jobs": ("/v1/jobs",),
    "/v1/jobs/{id}": ("/v1/jobs/1",),
    "/v1/jobs/{id}/events": ("/v1/jobs/1/events",),
    "/v1/evaluation-runs": ("/v1/evaluation-runs",),
    "/v1/evaluation-runs/{id}": ("/v1/evaluation-runs/1",),
    "/v1/evaluation-runs/{id}/compare": ("/v1/evaluation-runs/1/compare?with=1",),
    "/v1/statistics/outcomes": ("/v1/statistics/outcomes?period=2025",),
    "/v1/statistics/completeness": (
        "/v1/statistics/completeness?ruleset=phutho.commune&period=2025&under=25&on=2025-08-01",
    ),
    "/v1/statistics/series": (
        "/v1/statistics/series?indicator=adults_smartphone_internet_rate&from=2024&to=2025",
    ),
    SUBMISSIONS: (SUBMISSIONS, f"{SUBMISSIONS}?state=submitted&awaiting=me"),
    f"{SUBMISSIONS}/chain": (f"{SUBMISSIONS}/chain",),
    f"{SUBMISSIONS}/{{id}}": (f"{SUBMISSIONS}/1", f"{SUBMISSIONS}/{NO_SUBMISSION}"),
    f"{SUBMISSIONS}/{{id}}/diff": (f"{SUBMISSIONS}/1/diff?from=1&to=1",),
    f"{SUBMISSIONS}/{{id}}/slots": (f"{SUBMISSIONS}/1/slots",),
    f"{SUBMISSIONS}/{{id}}/slots/{{slot}}": (f"{SUBMISSIONS}/1/slots/{LISTED}",),
    f"{SUBMISSIONS}/{{id}}/slots/{{slot}}/findings": (f"{SUBMISSIONS}/1/slots/{SEEN}/findings",),
    f"{SUBMISSIONS}/{{id}}/slots/{{slot}}/files": (f"{SUBMISSIONS}/1/slots/{FILED}/files",),
    # The contents lie beside the database, and who reads names changes what the audit answers.
    f"{SUBMISSIONS}/{{id}}/slots/{{slot}}/files/{{name}}": (
        f"{SUBMISSIONS}/1/slots/{FILED}/files/khac.csv",
    ),
    f"{SUBMISSIONS}/{{id}}/slots/{{slot}}/rows": (f"{SUBMISSIONS}/1/slots/{LISTED}/rows",),
    f"{SUBMISSIONS}/{{id}}/slots/{{slot}}/names": (f"{SUBMISSIONS}/1/slots/{LISTED}/names",),
    FORMS: (FORMS,),
    f"{FORMS}/{{form}}/template.csv": (f"{FORMS}/phutho.form.04/template.csv",),
    f"{FORMS}/{{form}}/template.xlsx": (f"{FORMS}/none/template.xlsx",),
    "/v1/clients": ("/v1/clients", "/v1/clients?limit=1"),
    "/v1/clients/{client_id}": ("/v1/clients/{client_id}", "/v1/clients/ntm-0000000000000000"),
}
MEANT = [
    {"code": "07894"},
    {"code": "84", "on": "2025-02-01"},
    {"code": "84"},
    {"name": "Tỉnh Phú Thọ"},
    {"name": "tra vinh", "on": "2025-02-01"},
    {"name": "Xã Tân Lập"},
]


async def answers(
    settings: Settings, database: Database, client_id: str
) -> dict[str, tuple[int, bytes]]:
    """Return status and body of every GET route, of some resolving, and of every replay."""
    app = create_app(settings, shipped(), database)
    known = {path for path, operations in app.openapi()["paths"].items() if "get" in operations}
    missing = sorted(known - set(ASKED))
    assert not missing, f"ASKED of tests/running.py does not say how to ask {missing}"
    found = {}
    token = app.state.tokens.issue(client_id, list(SCOPES))
    async with calling(app, token=token) as http:
        for path in (path for paths in ASKED.values() for path in paths):
            answer = await http.get(path.replace("{client_id}", client_id))
            found[path] = (answer.status_code, answer.content)
        resolved = await http.post("/v1/units/resolve", json=MEANT)
        found["resolve"] = (resolved.status_code, resolved.content)
        for number in range(1, 4):
            path = f"/v1/evaluations/{number}/replay"
            replayed = await http.post(path)
            found[path] = (replayed.status_code, replayed.content)
    return found


# --- a PostgreSQL of one's own -------------------------------------------------------------------


def account() -> Account | None:
    """Return whom a server runs as when the tests run as root, which PostgreSQL refuses."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            user = pwd.getpwnam(name)
            return Account(user.pw_uid, user.pw_gid)
    return Account(65534, 65534)


def bundled() -> Path:
    """Return the programs of the PostgreSQL that comes along."""
    return binaries(account())


class Server:
    """A PostgreSQL that is not the embedded one, without any setting of ours."""

    def __init__(self, programs: Path, *options: str) -> None:
        self.programs, self.options = programs, options
        self._account = account()
        self.folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
        self.folder.chmod(0o755)
        if self._account:
            os.chown(self.folder, self._account.uid, self._account.gid)
        self._process: subprocess.Popen[bytes] | None = None

    def make(self) -> None:
        """Make its files; the superuser is called `postgres`."""
        self._run("initdb", "-D", str(self.data), "-U", "postgres", "--auth=trust",
                  "-E", "UTF8", "--locale=C", "--no-sync")  # fmt: skip

    @property
    def data(self) -> Path:
        """Return its data folder."""
        return self.folder / "data"

    def url(self, user: str = "postgres", name: str = "postgres") -> str:
        """Return an address in it."""
        return f"postgresql://{user}@/{name}?host={self.folder}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = [part for one in self.options for part in ("-c", one)]
        self._process = subprocess.Popen(
            [self.programs / "postgres", "-D", self.data, "-k", self.folder,
             "-c", "listen_addresses=", *options],
            **as_user(self._account),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        eventually(self._answers, lambda: f"{self.programs} does not start")

    def stop(self) -> None:
        """Stop it, ending its connections."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(DEADLINE)
            self._process = None

    def clean(self) -> None:
        """End it and remove its files."""
        try:
            self.stop()
        finally:
            if self._process is not None:
                self._process.kill()
                self._process.wait()
            shutil.rmtree(self.folder, ignore_errors=True)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return bool(fetch(self.url(), "SELECT 1"))
        return False

    def _run(self, program: str, *arguments: str) -> None:
        ended = subprocess.run(
            [self.programs / program, *arguments],
            **as_user(self._account),
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr.decode("utf-8", "replace")


@contextlib.contextmanager
def server(programs: Path, *options: str) -> Iterator[Server]:
    """Yield a PostgreSQL of one's own that runs; nothing of it lives on afterwards."""
    made = Server(programs, *options)
    try:
        made.make()
        made.start()
        yield made
    finally:
        made.clean()


# --- a running service ---------------------------------------------------------------------------


class Answer(NamedTuple):
    """What came back for one request."""

    target: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body as data."""
        return json.loads(self.body)


class Serving(NamedTuple):
    """A service that runs as a process of its own."""

    process: subprocess.Popen[bytes]
    port: int
    logs: Path
    env: Mapping[str, str]

    def said(self) -> str:
        """Return everything it said so far."""
        return "".join(file.read_text("utf-8") for file in sorted(self.logs.iterdir()))

    def ask(
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request over TCP; return the answer."""
        with contextlib.closing(
            http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        ) as connection:
            connection.request(method, target, body, dict(headers or {}))
            answer = connection.getresponse()
            told = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(target, answer.status, told, answer.read())

    def ask_for_token(self, known: Known) -> Answer:
        """Ask for a token with every scope."""
        form = {
            "grant_type": "client_credentials",
            "client_id": known.client_id,
            "client_secret": known.secret,
        }
        return self.ask("POST", "/v1/oauth/token", urlencode(form).encode(), FORM)

    def bearer(self, known: Known) -> dict[str, str]:
        """Return the header by which a client is known."""
        found = self.ask_for_token(known)
        assert found.status == 200, found
        return {"authorization": f"Bearer {found.json()['access_token']}"}

    def is_ready(self) -> bool:
        """Tell whether it can answer."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.ask("GET", "/readyz").status == 200
        return False

    def wait_until_ready(self) -> None:
        """Wait until it can answer; fail when it ended or never can."""

        def ready() -> bool:
            assert self.process.poll() is None, self.said()
            return self.is_ready()

        eventually(ready, lambda: f"not ready: {self.said()}")

    def leave(self) -> None:
        """Let it stop in good order."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(DEADLINE)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def serving(
    folder: Path,
    env: Mapping[str, str],
    port: int | None = None,
    command: Sequence[str] | None = None,
) -> Iterator[Serving]:
    """Start the installed command, or another, wait until it is ready, kill what is left."""
    port = port or free_port()
    logs = Path(tempfile.mkdtemp(prefix="logs-", dir=folder))
    with (logs / "out").open("wb") as out, (logs / "err").open("wb") as err:
        process = subprocess.Popen(
            [*(command or (script(), "serve")), "--port", str(port)],
            cwd=folder,
            env=environment(env),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
    started = Serving(process, port, logs, env)
    try:
        started.wait_until_ready()
        yield started
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(DEADLINE)


def run_async(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine to its end in a loop of its own."""
    return asyncio.run(work)


needs_debian = pytest.mark.skipif(
    not (DEBIAN / "initdb").exists(),
    reason=f"Debian's PostgreSQL 15 is not installed ({DEBIAN}): apt-get install postgresql-15",
)
