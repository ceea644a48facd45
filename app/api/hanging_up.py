"""When the caller hangs up before the answer has begun, the work for it is cancelled.

A watcher receives what the server has to say, hands parts of the body to the handler, and cancels
it when the message comes that the caller is gone. It runs ahead of a handler that does not read by
two parts at most: the server then lets the caller wait.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, cast

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_GONE: Final = "http.disconnect"
_SOON: Final = 0.010  # seconds; what is over by then needs nobody to watch it


class HangingUp:
    """Cancel the handler of a request that nobody waits for."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request, or as much of it as somebody waits for."""
        if scope["type"] == "http":
            await _Call(receive, send).serve(self.app, scope)
        else:
            await self.app(scope, receive, send)


class _Call:
    """One request: who serves it, who watches its caller, how far it is."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._parts: asyncio.Queue[Message] | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._answering = self._hung_up = False
        self._last: Message | None = None

    async def serve(self, app: ASGIApp, scope: Scope) -> None:
        """Run the handler; end silently when it was cancelled because the caller hung up."""
        timer = None
        if not any(name == b"expect" for name, _ in scope["headers"]):
            timer = asyncio.get_running_loop().call_later(_SOON, self._watch)
        try:
            await app(scope, self.receive, self.send)
        except asyncio.CancelledError:
            if not self._hung_up or self._task.uncancel():  # somebody else cancels too
                raise
        finally:
            if timer is not None:
                timer.cancel()
            if self._watcher is not None:
                self._watcher.cancel()

    async def receive(self) -> Message:
        """Hand the next message to the handler."""
        if self._last is not None:
            return self._last
        message = await self._watch().get()
        if message["type"] == _GONE:
            self._last = message
        return message

    async def send(self, message: Message) -> None:
        """Send what the handler answers, while there is somebody to answer."""
        self._answering = True
        if not self._hung_up:
            await self._send(message)

    def _watch(self) -> asyncio.Queue[Message]:
        """Begin to watch, once; return where parts of the body arrive.

        A caller that waits for `100 Continue` gets it by our receiving only.
        """
        if self._parts is None:
            self._parts = asyncio.Queue(1)
            self._watcher = asyncio.create_task(self._watching(self._parts))
        return self._parts

    async def _watching(self, parts: asyncio.Queue[Message]) -> None:
        while (message := await self._receive())["type"] != _GONE:
            await parts.put(message)
        if not self._answering:  # afterwards the end is near anyway
            self._hung_up = True
            self._task.cancel()
        await parts.put(message)
