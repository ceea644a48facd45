"""The laws of hostile input, as a judge that counts every answer and keeps what broke a law."""

from __future__ import annotations

import contextlib
import logging
import traceback
from collections import Counter
from collections.abc import Iterator
from typing import Final

import httpx
from conftest import LEAK, problem
from hostile import Operation, without_report

from faults.hostile_values import SHORT
from faults.targets import PAGES, Range, Shot

_ENOUGH: Final = 200  # kept broken laws; more are counted only
# What has been read and understood, and is refused; never "who are you" to whom we know.
_REFUSED: Final = frozenset({400, 404, 409, 412, 413, 415, 422, 428})


class Judge:
    """Counts answers by operation and status, and keeps which law was broken by what."""

    def __init__(self, arena: Range) -> None:
        self._arena = arena
        self.answers: Counter[tuple[str, int]] = Counter()
        self.broken: list[str] = []
        self.breaches = 0

    @property
    def sent(self) -> int:
        """Return how many requests were judged."""
        return self.answers.total()

    def complain(self, route: Operation, shot: Shot, what: object) -> None:
        """Keep that a law was broken."""
        self.breaches += 1
        if len(self.broken) < _ENOUGH:
            self.broken.append(f"{route.name} {shot.field} [{shot.value}]: {str(what)[:400]}")

    def judge(
        self, route: Operation, shot: Shot, answer: httpx.Response, *, accepted: bool | None
    ) -> None:
        """Check one answer; `accepted` tells whether it must succeed, None that it may."""
        self.answers[route.name, answer.status_code] += 1
        try:
            self._described(route, answer)
            if answer.status_code >= 400:
                self._good_refusal(route, shot, answer)
            self._expected(route, shot, answer, accepted)
        except AssertionError as error:
            self.complain(route, shot, str(error) or traceback.format_exc(limit=-1))

    def _described(self, route: Operation, answer: httpx.Response) -> None:
        assert answer.status_code < 500, f"{answer.status_code} {answer.text[:200]}"
        if route in PAGES:
            return
        described = self._arena.described.operation(route.method, route.path)["responses"]
        assert str(answer.status_code) in described, f"{answer.status_code} is not described"
        if answer.status_code not in (204, 304):
            request = answer.request  # the judge of answers knows operations by their path
            answer.request = httpx.Request(route.method, request.url.copy_with(path=route.path))
            self._arena.described.judge(answer)
            answer.request = request

    def _good_refusal(self, route: Operation, shot: Shot, answer: httpx.Response) -> None:
        if route.form and answer.status_code != 404:
            found = answer.json()
            assert set(found) == {"error", "error_description"}, found
            assert LEAK.search(answer.text) is None, answer.text
            said = answer.text
        else:
            document = problem(without_report(answer), answer.headers["content-language"])
            said = " ".join(
                [
                    document["detail"],
                    *(f"{e['pointer']} {e['message']}" for e in document["errors"]),
                ]
            )
        if len(shot.text) > SHORT:
            run = shot.text.strip()[:SHORT]
            assert run not in said, "more than a short name of what was sent came back"
        assert "\0" not in said
        assert "\x1b" not in said

    def _expected(
        self, route: Operation, shot: Shot, answer: httpx.Response, accepted: bool | None
    ) -> None:
        status = answer.status_code
        if shot.field == "header:authorization":
            assert status == 401, f"{status} with no token"
        elif accepted:
            assert status < 300, f"{status}, listed as accepted: {answer.text[:300]}"
        elif accepted is False:
            # Who guesses secrets is told to wait after some time.
            refused = _REFUSED | (frozenset({401, 429}) if route.form else frozenset())
            assert status in refused, f"{status} is no refusal: {answer.text[:200]}"


class Overheard(logging.Handler):
    """What the service logs while it is under fire; an exception in it breaks a law."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.traces: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record that tells of an exception."""
        message = record.getMessage()
        if record.exc_info or "Traceback" in message or record.levelno >= logging.ERROR:
            self.traces.append(f"{record.name}: {message[:300]} {str(record.exc_info)[:300]}")


@contextlib.contextmanager
def overhearing() -> Iterator[Overheard]:
    """Listen to every log for the length of a block."""
    heard, root = Overheard(), logging.getLogger()
    root.addHandler(heard)
    try:
        yield heard
    finally:
        root.removeHandler(heard)
