"""Log lines: JSON on standard error for machines, plain lines for people at a terminal.

Everything that is logged, by whomever, passes here. Of a failure the line tells where it happened
and what kind it was; the words of exceptions stay out, for they quote what callers sent.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator
from typing import Any, Final

import msgspec
import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict, Processor

_OURS: Final = "ntm"
_LEVELS: Final = {
    _OURS: logging.INFO,
    "uvicorn": logging.INFO,
    # The queue's failures are told by our worker, once each; their own lines quote the driver.
    "procrastinate": logging.CRITICAL,
    "psycopg": logging.CRITICAL,
}  # of all others: warnings
_encoder = msgspec.json.Encoder(enc_hook=str)
_extra = structlog.stdlib.ExtraAdder()


def configure(form: str) -> None:
    """Send all log lines to standard error as `json`, `console` or, by `auto`, what fits there."""
    people = form == "console" or (form == "auto" and sys.stderr.isatty())
    handler = logging.StreamHandler()
    handler.setFormatter(formatter(people=people))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name, level in _LEVELS.items():
        logging.getLogger(name).setLevel(level)


def formatter(*, people: bool) -> logging.Formatter:
    """Return what turns a record into a line."""
    shown: Processor = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if people
        else structlog.processors.JSONRenderer(_json)
    )
    return ProcessorFormatter(
        foreign_pre_chain=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _extras_of_ours,
        ],
        processors=[ProcessorFormatter.remove_processors_meta, _without_words, shown],
    )


def _json(event: EventDict, **_: Any) -> str:
    return _encoder.encode(event).decode()


def _extras_of_ours(logger: Any, name: str, event: EventDict) -> EventDict:
    """Add the fields that our own modules log; nobody knows what others attach to a record."""
    if str(event["logger"]).partition(".")[0] == _OURS:
        return _extra(logger, name, event)
    return event


def _without_words(_: Any, __: str, event: EventDict) -> EventDict:
    """Render a failure as its place and kind."""
    given = event.pop("exc_info", None)
    error = given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        event["exception"] = "".join(_told(error))
    return event


def _told(error: BaseException) -> Iterator[str]:
    """Yield causes first, then the error: frames with lines of our source, then what it is."""
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        yield from _told(cause)
        yield "\nled to:\n"
    yield "Traceback (most recent call last):\n"
    yield from traceback.format_tb(error.__traceback__)
    yield f"{type(error).__module__}.{type(error).__qualname__}"
    for name in ("sqlstate", "constraint_name"):
        if isinstance(found := getattr(error, name, None), str):
            yield f" {name}={found}"
    for number, one in enumerate(getattr(error, "exceptions", ())):
        yield f"\nof which {number + 1}:\n"
        yield from _told(one)
