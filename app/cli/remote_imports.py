"""Importing a file into a service elsewhere: sent as it is read, then followed to its report."""

from __future__ import annotations

import contextlib
import itertools
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from rich.progress import Progress

from app.cli.console import err, phrase
from app.cli.import_options import Options
from app.cli.remote import LONG, Service
from app.cli.remote_answers import NOT_OURS, Answer, Failed, refused
from app.rules.errors import Text

_PATH: Final = "/v1/imports"
_CHUNK: Final = 256 * 1024
_AT_ONCE: Final = 1024 * 1024  # larger files are worked on after the answer
_ENDED: Final = frozenset({"succeeded", "failed", "cancelled"})
_POLLS: Final = (0.3, 0.5, 1.0, 2.0)  # seconds between looks at a job, the last one for good


class RemoteImports:
    """Files are sent to a service and loaded there; it answers with a report."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def load(self, file: Path, options: Options, bars: Progress) -> Mapping[str, Any]:
        """Send a file and return the report on it; raise Failed where there is none.

        Interrupted, it cancels the job that was begun, so that nothing goes on unseen.
        """
        answer = self._send(file, options, bars)
        if answer.status == 202:
            return _followed(self._service, answer.body, bars)
        # What was refused for its rows is a problem document with all of the report in it.
        if answer.status == 201 or (answer.status == 422 and "counts" in answer.body):
            return answer.body
        raise refused(answer)

    def rejected(self, id_: int, target: Path) -> None:
        """Write the rows that an import refused to a file; raise Failed."""
        self._service.download(f"{_PATH}/{id_}/rejected.csv", target)

    def _send(self, file: Path, options: Options, bars: Progress) -> Answer:
        size = file.stat().st_size
        bar = bars.add_task(phrase("Gửi", "Sending"), total=size)

        def content() -> Iterator[bytes]:
            bars.reset(bar, total=size)
            with file.open("rb") as opened:
                while chunk := opened.read(_CHUNK):
                    yield chunk
                    bars.advance(bar, len(chunk))

        headers = {
            # The service looks at the content: a name ending in .csv says little about a file.
            "content-type": "application/octet-stream",
            "content-length": str(size),
            # New for each run: sent again after a cut connection the file counts once, but whoever
            # runs the command again wants to know how things stand now.
            "idempotency-key": f"ntm-import-{uuid.uuid4().hex}",
        }
        if size > _AT_ONCE:
            headers["prefer"] = "respond-async"
        try:
            return self._service.call(
                "POST", _PATH, params=options.parameters(file.name), headers=headers, body=content
            )
        finally:
            bars.remove_task(bar)


def _followed(service: Service, begun: Mapping[str, Any], bars: Progress) -> Mapping[str, Any]:
    """Follow a job to its end and return the report on the import."""
    job = _read_job(begun)
    path = f"/v1/jobs/{job.id}"
    bar = bars.add_task(phrase("Xử lý", "Working"), total=None)
    pauses = itertools.chain(_POLLS, itertools.repeat(_POLLS[-1]))
    try:
        while job.state not in _ENDED:
            bars.update(bar, completed=job.progress.done, total=job.progress.total)
            time.sleep(next(pauses))
            job = _read_job(service.read(path, LONG))
    except KeyboardInterrupt:
        _cancel(service, job.id)
        raise
    finally:
        bars.remove_task(bar)
    if job.result is None:
        raise _no_result(job)
    return service.read(f"{_PATH}/{job.result.import_}")


def _cancel(service: Service, job: int) -> None:
    """Cancel a job; where that fails, tell that it goes on."""
    with contextlib.suppress(Failed):
        answer = service.call("POST", f"/v1/jobs/{job}/cancel", pauses=())
        if answer.status in (200, 409):  # or it has ended by itself
            return
    goes_on = phrase(
        f"không huỷ được công việc số {job}: dịch vụ vẫn đang xử lý, xem /v1/jobs/{job}",
        f"job {job} could not be cancelled and goes on: see /v1/jobs/{job}",
    )
    err().print(goes_on, style="yellow")


class _Result(msgspec.Struct, frozen=True, rename={"import_": "import"}):
    import_: int


class _Done(msgspec.Struct, frozen=True):
    done: int
    total: int | None


class _Job(msgspec.Struct, frozen=True):
    """What is looked at of a job."""

    id: int
    state: str
    progress: _Done
    result: _Result | None = None
    problem: dict[str, Any] | None = None


def _read_job(body: Mapping[str, Any]) -> _Job:
    try:
        return msgspec.convert(body, _Job)
    except msgspec.ValidationError as error:
        raise Failed(NOT_OURS) from error


def _no_result(job: _Job) -> Failed:
    if job.state == "cancelled":
        return Failed(
            Text(
                "công việc nạp tệp đã bị huỷ; không có gì được ghi",
                "the import was cancelled; nothing was written",
            )
        )
    problem = job.problem or {}
    said = problem.get("detail")
    if not isinstance(said, dict):
        said = {"vi": "không rõ lý do", "en": "no reason is told"}
    return Failed(Text(str(said.get("vi")), str(said.get("en"))), problem or None)
