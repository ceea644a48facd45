"""Downloads: files that are made while they are sent, complete or visibly cut.

What can be refused is refused before the answer begins: the first rows are read by then. Whatever
fails later ends the connection without the end of the answer, and complete files say so in their
last row. Nobody holds a state of the record for long: an export has an end, and a reader who does
not read is cut.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from typing import Any, Final, Protocol

import asyncpg
from fastapi import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from app.api.answers import manners
from app.api.concurrency import ConcurrencyLimit
from app.api.download_shapes import CsvAnswer, NdjsonAnswer, XlsxAnswer
from app.api.problems import Problem, refusal
from app.domain.exports.csv_file import CsvFile
from app.domain.exports.ndjson_file import NdjsonFile
from app.domain.exports.one_state import one_state
from app.domain.exports.xlsx_file import MOST_ROWS, XlsxFile
from app.domain.refusals import Complaint
from app.domain.territory import Caller
from app.rules.errors import Text

Pages = AsyncGenerator[Sequence[Any], None]

_AT_ONCE: Final = 3  # of one process; each has a connection to the database of its own
_SOON: Final = 5  # seconds until it is worth asking again
_LONGEST: Final = 1_800.0  # seconds, from the request to the last byte
_TAKING: Final = 9.0  # seconds a reader may take for one part; the database waits for ten


class Rows(Protocol):
    """What becomes the rows of a file."""

    async def prepare(self, connection: asyncpg.Connection) -> Sequence[str]:
        """Find out what is asked for and return the headings; called once, before all else.

        Raises Problem, Refused, Absent.
        """
        ...

    def pages(self, connection: asyncpg.Connection) -> Pages:
        """Yield the rows, some at a time; what grants opened of them is counted by then."""
        ...


class CountedRows(Rows, Protocol):
    """Rows of which it can be told beforehand how many there are."""

    async def count(self, connection: asyncpg.Connection, most: int) -> int:
        """Return how many rows there are, and no more than one above `most`."""
        ...


class Cut(Exception):
    """A download that had begun cannot go on."""


class Downloads(ConcurrencyLimit):
    """The exports that run in this process; one client always leaves one to others."""

    def __init__(self, at_once: int = _AT_ONCE) -> None:
        super().__init__(at_once, at_once - 1, _BUSY, _ENOUGH, _SOON)


class Download(StreamingResponse):
    """An answer that ends what was opened for it, however it ends itself."""

    def __init__(
        self,
        opened: AsyncExitStack,
        first: bytes,
        rest: AsyncGenerator[bytes, None],
        headers: dict[str, str],
        until: float,
    ) -> None:
        super().__init__(rest, 200, headers)
        self._opened, self._first, self._rest, self._until = opened, first, rest, until
        self._only_head = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the parts while somebody takes them; raise where the answer stays incomplete."""
        self._only_head = scope.get("head_only", False)
        async with asyncio.timeout_at(self._until), self._opened:
            await super().__call__(scope, receive, send)

    async def stream_response(self, send: Send) -> None:
        """Send the head, the first part, the rest, the end."""
        head = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        if self._only_head:
            await self._opened.aclose()
        await _sent(send, head)
        if not self._only_head:
            await _sent(send, _body(self._first))
            async for part in self._rest:
                await _sent(send, _body(part))
        await self._opened.aclose()  # whoever has seen the end may ask for the next file
        await _sent(send, {"type": "http.response.body", "body": b"", "more_body": False})


def _body(part: bytes) -> Message:
    return {"type": "http.response.body", "body": part, "more_body": True}


async def _sent(send: Send, message: Message) -> None:
    try:
        async with asyncio.timeout(_TAKING):
            await send(message)
    except TimeoutError:
        raise Cut("the reader did not take what was sent") from None


async def csv(request: Request, caller: Caller, language: str, name: str, rows: Rows) -> Response:
    """Answer with a CSV file whose rows are read while it is sent; `name` is what it is called.

    Raises Problem, Refused, Absent, DatabaseFailed before anything is sent.
    """
    headers = _headers(language, name, f"{CsvAnswer.media_type}; charset=utf-8; header=present")
    return await _streamed(request, caller, headers, rows, CsvFile)


async def ndjson(
    request: Request, caller: Caller, language: str, name: str, rows: Rows
) -> Response:
    """Answer with items, one a line; raises as `csv` does."""
    headers = _headers(language, name, NdjsonAnswer.media_type)
    return await _streamed(request, caller, headers, rows, lambda _: NdjsonFile())


async def _streamed(
    request: Request,
    caller: Caller,
    headers: dict[str, str],
    rows: Rows,
    write: Callable[[Sequence[str]], CsvFile | NdjsonFile],
) -> Response:
    until = asyncio.get_running_loop().time() + _LONGEST
    async with _in_time(until), AsyncExitStack() as opened:
        opened.enter_context(_downloads(request).one_more(caller.client_id))
        connection = await opened.enter_async_context(_one_state(request, caller))
        file = write(await rows.prepare(connection))
        parts = _parts(file, rows.pages(connection))
        opened.push_async_callback(parts.aclose)
        first = await anext(parts)
        return Download(opened.pop_all(), first, parts, headers, until)


async def _parts(file: CsvFile | NdjsonFile, pages: Pages) -> AsyncGenerator[bytes, None]:
    waiting = file.begin()  # goes out with the first rows, which may still be refused
    async with aclosing(pages):
        async for page in pages:
            yield waiting + file.part(page)
            waiting = b""
    yield waiting + file.end()


async def workbook(
    request: Request, caller: Caller, language: str, name: str, rows: CountedRows
) -> Response:
    """Answer with a workbook, which is whole before anything is sent.

    Raises as `csv` does, and 422 `too-many-rows`.
    """
    until = asyncio.get_running_loop().time() + _LONGEST
    async with _in_time(until), AsyncExitStack() as opened:
        opened.enter_context(_downloads(request).one_more(caller.client_id))
        async with _one_state(request, caller) as connection:
            file = XlsxFile(await rows.prepare(connection))
            opened.callback(file.discard)
            if await rows.count(connection, MOST_ROWS) > MOST_ROWS:
                raise refusal([Complaint("", "too-many-rows", _TOO_MANY)])
            make_room(request)
            await file.begin()
            async with aclosing(rows.pages(connection)) as pages:
                async for page in pages:
                    await file.add(page)
        await file.complete()
        parts = file.parts()
        opened.push_async_callback(parts.aclose)
        headers = _headers(language, name, XlsxAnswer.media_type)
        headers["content-length"] = str(file.size)
        return Download(opened.pop_all(), b"", parts, headers, until)


@asynccontextmanager
async def _in_time(until: float) -> AsyncIterator[None]:
    """Turn the end of the time into 503 `query-timeout`, while nothing is sent yet."""
    try:
        async with asyncio.timeout_at(until):
            yield
    except TimeoutError:
        raise Problem("query-timeout", _TOO_LONG, headers={"retry-after": "60"}) from None


def _one_state(request: Request, caller: Caller) -> AbstractAsyncContextManager[asyncpg.Connection]:
    return one_state(request.app.state.database, caller.context())


def _downloads(request: Request) -> Downloads:
    found: Downloads = request.app.state.downloads
    return found


def make_room(request: Request) -> None:
    """Give back the room of the request at the gate: what takes long must not block others."""
    give_back: Callable[[], None] | None = getattr(request.state, "make_room", None)
    if give_back is not None:
        give_back()


def _headers(language: str, name: str, media: str) -> dict[str, str]:
    return manners(language) | {
        "content-type": media,
        "content-disposition": f'attachment; filename="{name}"',
        "cache-control": "no-store",  # no tag either: nobody knows the file before it is sent
    }


_ENOUGH: Final = Text(
    "bạn đang tải số tệp tối đa được phép cùng lúc; hãy chờ một tệp tải xong rồi gọi lại",
    "you are downloading as many files as may run at once; ask again when one of them has ended",
)
_BUSY: Final = Text(
    "đang có nhiều lượt tải tệp; hãy thử lại sau ít giây",
    "several files are being downloaded; try again in a few seconds",
)
_TOO_LONG: Final = Text(
    "làm tệp này mất quá nhiều thời gian; hãy lọc hẹp hơn, hoặc tải .csv",
    "the file takes too long to make; ask for less, or for .csv",
)
_TOO_MANY: Final = Text(
    f"bảng tính chứa tối đa {MOST_ROWS} dòng; hãy tải .csv, hoặc lọc hẹp hơn",
    f"a workbook holds {MOST_ROWS} rows at most; ask for .csv, or for less",
)
