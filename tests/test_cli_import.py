"""`ntm import`: the same file, the same report, in this machine's database and in a service."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from conftest import LEAK, Ntm, Ran, clone
from cut_line import cut_line
from running import Serving, contents, fetch, in_database, owner_of, serving, settings_of
from template_files import FOLDER
from value_calls import COUNT, RATE, TRUTH

from app.__main__ import main
from app.cli.clients import make
from app.database import SCHEMA
from app.domain.clients import SCOPES
from app.embedded import Embedded

HERE = "07894"
HEADER = "Mã xã;Kỳ;Chỉ số;Giá trị;Tử số;Mẫu số;Nguồn"
SOURCE = "Báo cáo 12/BC-UBND"
Item = dict[str, Any]

SEALS = ("audit_seal", "audit_pending")  # written beside requests, a moment later


class Site(NamedTuple):
    """Where the command imports into, and the address by which a test looks into it."""

    env: Mapping[str, str]
    owner: str

    def values(self, period: str) -> dict[str, str]:
        """Return what counts for a period, by indicator."""
        found = fetch(
            self.owner,
            f"SELECT v.indicator, coalesce(v.truth::text, v.counted::text, v.percent,"
            f" v.numerator || '/' || v.denominator) AS said FROM {SCHEMA}.current_value c"
            f" JOIN {SCHEMA}.value v ON v.id = c.value_id WHERE c.period = $1",
            period,
        )
        return {one["indicator"]: one["said"] for one in found}

    def authors(self, period: str) -> set[str]:
        """Return who recorded the values of a period."""
        found = fetch(
            self.owner,
            f"SELECT DISTINCT r.author FROM {SCHEMA}.recording r"
            f" JOIN {SCHEMA}.value v ON v.recording_id = r.id WHERE v.period = $1",
            period,
        )
        return {one["author"] for one in found}


@pytest.fixture(scope="module")
def here(cluster: Embedded, worker_id: str, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The database of this machine."""
    folder = tmp_path_factory.mktemp("import")
    env = clone(cluster, f"cli_import_{worker_id}") | {"NTM_DATA_DIR": str(folder)}
    return Site(env, owner_of(env))


@pytest.fixture(scope="module")
def service(
    cluster: Embedded, worker_id: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Serving]:
    """A service as a process of its own, on a database of its own."""
    folder = tmp_path_factory.mktemp("service")
    env = clone(cluster, f"cli_import_far_{worker_id}") | {"NTM_DATA_DIR": str(folder)}
    with serving(folder, env) as started:
        yield started


def client_of(service: Serving, territory: str) -> Mapping[str, str]:
    """Make a client of the service; return the settings by which the command is that client."""
    settings = settings_of(service.env, Path(service.env["NTM_DATA_DIR"]))
    known = in_database(settings, lambda opened: make(opened, "Nạp", territory, list(SCOPES)))
    return {
        "NTM_API_URL": f"http://127.0.0.1:{service.port}",
        "NTM_CLIENT_ID": known["client_id"],
        "NTM_CLIENT_SECRET": known["client_secret"],
    }


@pytest.fixture(scope="module")
def there(service: Serving) -> Site:
    """The service elsewhere, and a client of the whole nation."""
    return Site(client_of(service, "VN"), owner_of(service.env))


@pytest.fixture(params=["here", "there"])
def site(request: pytest.FixtureRequest) -> Site:
    """The database of this machine, or a service."""
    found: Site = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="module")
def periods() -> Iterator[str]:
    return iter([f"{year}-{month:02}" for year in range(1990, 2020) for month in range(1, 13)])


@pytest.fixture
def period(periods: Iterator[str]) -> str:
    """A period that no other test records values for."""
    return next(periods)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "số liệu.csv"


def rows(period: str) -> list[str]:
    """Return three good rows, as they are written in Vietnam."""
    return [
        f"{HERE};{period};{TRUTH};có;;;{SOURCE}",
        f"{HERE};{period};{COUNT};1.234;;;{SOURCE}",
        f"{HERE};{period};{RATE};;3;4;{SOURCE}",
    ]


def table(*found: str) -> str:
    return "\n".join([HEADER, *found]) + "\n"


GOOD = {TRUTH: "true", COUNT: "1234", RATE: "3/4"}


def run(ntm: Ntm, site: Site, *arguments: object) -> Ran:
    """Run the command; whatever happens, no secret and nothing of our code is shown."""
    ended = ntm("import", *arguments, env=site.env)
    assert site.env.get("NTM_CLIENT_SECRET", "no secret at all") not in ended.said
    assert "Traceback" not in ended.said
    return ended


def reports(ran: Ran) -> list[Item]:
    """Return the reports that --json prints."""
    return [json.loads(line) for line in ran.out.splitlines()]


def test_a_file_is_checked_then_loaded_then_unchanged(
    ntm: Ntm, site: Site, file: Path, period: str
) -> None:
    """A dry run writes nothing; the real one loads; once more changes nothing. All exit with 0."""
    file.write_text(table(*rows(period)), "utf-8")
    tried = run(ntm, site, file, "--dry-run", "--locale", "vi")
    assert tried.code == 0, tried.said
    assert "chạy thử" in tried.out
    assert site.values(period) == {}
    loaded = run(ntm, site, file, "--locale", "vi")
    assert loaded.code == 0, loaded.said
    assert "đã nạp" in loaded.out
    assert site.values(period) == GOOD
    assert site.authors(period) == {site.env.get("NTM_CLIENT_ID", "ntm")}
    again = run(ntm, site, file, "--locale", "vi", "--json")
    (report,) = reports(again)
    assert (again.code, report["counts"]["unchanged"], report["counts"]["created"]) == (0, 3, 0)
    assert report["path"] == str(file)


def test_what_is_wrong_is_told_and_can_be_mended(
    ntm: Ntm, site: Site, file: Path, period: str, tmp_path: Path
) -> None:
    """One bad row keeps all out, is left in a file to mend, and comes in once it is mended."""
    bad = f"99999;{period};{TRUTH};có;;;{SOURCE}"
    file.write_text(table(*rows(period), bad), "utf-8")
    folder = tmp_path / "sửa"
    refused = run(ntm, site, file, "--rejected", folder, "--locale", "vi")
    assert refused.code == 1
    assert "unit-not-found" in refused.out
    assert "bị từ chối" in refused.out
    assert site.values(period) == {}
    partly = run(ntm, site, file, "--mode", "partial", "--locale", "vi", "--json")
    (report,) = reports(partly)
    assert (partly.code, report["state"], report["counts"]["rejected"]) == (1, "committed", 1)
    assert site.values(period) == GOOD
    (mend,) = folder.iterdir()
    text = mend.read_text("utf-8-sig")
    assert "99999" in text
    mend.write_text(text.replace("99999", "07897"), "utf-8")
    mended = run(ntm, site, mend, "--json")
    assert (mended.code, reports(mended)[0]["counts"]["created"]) == (0, 1), mended.said


def test_options_reach_the_reader(ntm: Ntm, site: Site, file: Path, period: str) -> None:
    """What the file does not say, the command says; what differs from the record is left alone."""
    content = f"Mã xã\tChỉ số\tGiá trị\n{HERE}\t{COUNT}\t7\n"
    file.write_bytes(gzip.compress(content.encode("utf-16")))
    given = ("--period", period, "--source", SOURCE, "--measured-on", "2019-12-31")
    assert run(ntm, site, file).code == 1  # no period and no source
    assert run(ntm, site, file, *given).code == 0
    file.write_bytes(content.replace("\t7", "\t8").encode())
    for choice, code, count in (("skip", 0, "skipped"), ("fail", 1, "rejected")):
        ended = run(ntm, site, file, *given, "--on-conflict", choice, "--json")
        assert (ended.code, reports(ended)[0]["counts"][count]) == (code, 1)
    assert site.values(period) == {COUNT: "7"}
    assert run(ntm, site, file, *given).code == 0
    assert site.values(period) == {COUNT: "8"}


def test_workbooks_and_what_is_no_file_of_values_are_each_told(
    ntm: Ntm, site: Site, file: Path
) -> None:
    """A template comes in, a bomb or a picture does not; every file is tried, and summed up."""
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    template = FOLDER / "libreoffice.xlsx"
    ended = run(ntm, site, file, template)
    assert ended.code == 1
    summary = ended.out.partition("Tổng hợp")[2]
    assert template.name in summary
    assert file.name in summary
    again = run(ntm, site, template, "--json")
    counts = reports(again)[0]["counts"]
    assert again.code == 0
    assert (counts["created"], counts["unchanged"]) == (0, 80)


def test_a_file_too_large_to_wait_for_is_followed_as_a_job(
    ntm: Ntm, there: Site, file: Path
) -> None:
    """Beyond a megabyte the service works on after its answer, and the report is the same."""
    months = [f"{year}-{month:02}" for year in range(1940, 1990) for month in range(1, 13)]
    note = "ghi chú dài " * 160
    lines = [f"{HERE};{month};{COUNT};3;;;{SOURCE};{note}" for month in months]
    file.write_text("\n".join([f"{HEADER};Ghi chú", *lines]), "utf-8")
    assert file.stat().st_size > 1024 * 1024
    ended = run(ntm, there, file, "--json")
    (report,) = reports(ended)
    assert (ended.code, report["counts"]["created"]) == (0, len(months)), ended.said
    (job,) = fetch(there.owner, f"SELECT state FROM {SCHEMA}.job WHERE id = $1", report["job"])
    assert job["state"] == "succeeded"


def unsealed(url: str) -> dict[str, tuple[int, str | None]]:
    """Return the contents of all tables but those that the service seals the audit in."""
    return {name: found for name, found in contents(url).items() if name not in SEALS}


def test_a_wrong_secret_is_told_without_it(ntm: Ntm, there: Site, file: Path, period: str) -> None:
    """Neither the wrong secret nor the file is shown; nothing is loaded."""
    file.write_text(table(*rows(period)), "utf-8")
    before = unsealed(there.owner)
    wrong = Site({**there.env, "NTM_CLIENT_SECRET": "sai-hoan-toan"}, there.owner)
    ended = run(ntm, wrong, file)
    assert ended.code == 1
    assert "NTM_CLIENT_SECRET" in ended.err
    assert LEAK.search(ended.said.replace(str(file.parent), "")) is None
    assert unsealed(there.owner) == before


def test_a_client_that_may_not_is_told_so(
    ntm: Ntm, service: Serving, there: Site, file: Path, period: str
) -> None:
    """A client of another province cannot load: its rows are outside its territory."""
    elsewhere = Site(client_of(service, "86"), there.owner)
    file.write_text(table(*rows(period)), "utf-8")
    ended = run(ntm, elsewhere, file, "--locale", "vi")
    assert ended.code == 1
    assert "outside-territory" in ended.out
    assert there.values(period) == {}


def test_an_answer_that_was_lost_is_asked_for_again_and_has_one_effect(
    ntm: Ntm, there: Site, file: Path, period: str
) -> None:
    """The file came on record but the line broke: sent again, it gets the first answer."""
    file.write_text(table(*rows(period)), "utf-8")
    port = int(there.env["NTM_API_URL"].rpartition(":")[2])
    with cut_line(port, b"POST /v1/imports") as line:
        line.cuts = 2
        address = f"http://127.0.0.1:{line.port}"
        ended = run(ntm, there, file, "--locale", "vi", "--url", address, "--json")
        assert line.cuts == 0
    assert ended.code == 0, ended.said
    assert reports(ended)[0]["counts"]["created"] == 3
    counted = f"SELECT count(*) FROM {SCHEMA}.value WHERE period = $1"
    assert fetch(there.owner, counted, period)[0][0] == 3
    sent = f"SELECT count(*) FROM {SCHEMA}.value_import WHERE sha256 = $1"
    assert fetch(there.owner, sent, reports(ended)[0]["file"]["sha256"])[0][0] == 1


def test_interrupted_while_it_is_loaded_the_command_says_nothing(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Loading takes a while: an interruption then is exit code 130, and no trace of our code."""

    class Loading:
        @property
        def main(self) -> None:
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "app.cli", Loading())
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130
    assert capfd.readouterr() == ("", "")
