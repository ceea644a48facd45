"""The planted bug of two drills: a key is looked up, acted upon, and stored in three transactions.

Run as a program it serves so on a port, for the drill that kills it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import MutableMapping
from typing import Any, Final

import asyncpg
import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.database import Database
from app.discovery import load_registry
from app.domain.preparing import prepare
from app.main import create_app
from app.settings import Settings

TABLE: Final = """
CREATE TABLE IF NOT EXISTS public.careless (key text PRIMARY KEY, status int, body bytea);
GRANT SELECT, INSERT ON public.careless TO ntm_service;
"""
_FIND: Final = "SELECT status, body FROM public.careless WHERE key = $1"
_KEEP: Final = "INSERT INTO public.careless VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
_FOR_LONG: Final = 0.02  # seconds between the act and the storing of its key: time to be killed


class CheckThenAct:
    """An application around ours that takes keys away from it and minds them carelessly."""

    def __init__(self, app: ASGIApp, parameters: MutableMapping[str, Any]) -> None:
        self._app, self._parameters = app, parameters
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; one with a key is looked up first."""
        headers = dict(scope.get("headers", ()))
        key = headers.pop(b"idempotency-key", b"").decode()
        if scope["type"] != "http" or not key:
            await self._app(scope, receive, send)
            return
        kept = await self._connections()
        row = await kept.fetchrow(_FIND, key)
        if row is None:
            bare = {**scope, "headers": list(headers.items())}
            status, body = await self._act(bare, receive)
            if status < 300:
                await asyncio.sleep(_FOR_LONG)
                await kept.execute(_KEEP, key, status, body)
        else:
            status, body = row["status"], row["body"]
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [(b"content-type", b"application/json"), (b"retry-after", b"1")],
            }
        )
        await send({"type": "http.response.body", "body": body})

    async def _act(self, scope: Scope, receive: Receive) -> tuple[int, bytes]:
        sent: list[Message] = []

        async def keep(message: Message) -> None:
            sent.append(message)

        await self._app(scope, receive, keep)
        return sent[0]["status"], b"".join(one.get("body", b"") for one in sent[1:])

    async def _connections(self) -> asyncpg.Pool[asyncpg.Record]:
        if self._pool is None:
            self._pool = await asyncpg.create_pool(**self._parameters, min_size=0, max_size=10)
        return self._pool

    async def close(self) -> None:
        """Close its connections."""
        if self._pool is not None:
            await self._pool.close()


def main() -> None:
    """Serve on the port that is the last argument, with the settings of the environment."""
    port = int(sys.argv[-1])
    settings = Settings(issuer=f"http://127.0.0.1:{port}")
    database = Database(settings)
    asyncio.run(prepare(database, lambda *_: None))
    app = create_app(settings, load_registry(None), database)
    careless = CheckThenAct(app, database.service.parameters())
    uvicorn.run(careless, port=port, log_level="warning")


if __name__ == "__main__":
    main()
