"""`ntm serve`: find or start the database, bring it to the head, answer over HTTP."""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Annotated

import typer
import uvicorn
from fastapi import FastAPI

from app import logs
from app.api.metrics import Metrics
from app.cli.console import err, fail, phrase, read_settings, rules
from app.cli.database import explained, progress
from app.cli.demonstration import client_for_trying, show, show_client
from app.database import EVERYTHING, Database
from app.domain.demonstration.recorded import Told, tell
from app.domain.jobs.worker import Worker
from app.domain.preparing import prepare
from app.rules.errors import Text
from app.rules.registry import Registry
from app.settings import Settings


def serve(
    host: Annotated[str, typer.Option(help="Địa chỉ để lắng nghe.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
    demo: Annotated[
        bool, typer.Option("--demo", help="In kết luận cho số liệu giả định và máy khách dùng thử.")
    ] = False,
) -> None:
    """Phục vụ API; tài liệu ngoại tuyến tại /docs."""
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    settings = _known_as(read_settings(), address)
    logs.configure(settings.log_format)
    with _listening(host, port) as line, explained():
        registry, database = _opened(settings)
        with progress() as told:
            asyncio.run(prepare(database, told))
        if demo:
            show(asyncio.run(_demonstration(database, registry)), registry)
            show_client(asyncio.run(client_for_trying(database.acting_for(EVERYTHING))), address)
        app = _application(settings, registry, database)
        if not _is_loopback(host):
            _warn_of_plain_http()
        err().print(
            phrase(
                f"Đang phục vụ tại {address} - tài liệu: {address}/docs - dừng: Ctrl+C",
                f"Serving at {address} - docs: {address}/docs - stop: Ctrl+C",
            )
        )
        with _measured(settings, app.state.metrics):
            _server(app, settings).run(sockets=[line])


def _application(settings: Settings, registry: Registry, database: Database) -> FastAPI:
    """Return what answers, and spare the garbage collector all that was loaded for it.

    That lives as long as the process, and to look through it would halt every request.
    """
    gc.disable()
    from app.main import create_app  # noqa: PLC0415 - no other command waits for all routes

    app = create_app(settings, registry, database)
    gc.collect()
    gc.freeze()
    gc.enable()
    return app


class _Server(uvicorn.Server):
    """A server whose stop does not wait for what goes on until something else ends."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Give jobs back and end streams, finish what is in flight meanwhile, stop."""
        self._app.state.streams.close()
        worker: Worker | None = getattr(self._app.state, "worker", None)
        if worker is not None:
            worker.stop()
        await super().shutdown(sockets)


def _server(app: FastAPI, settings: Settings) -> uvicorn.Server:
    """Return the server: our own log lines, and a stop that finishes what is in flight."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )
    return _Server(config, app)


@contextmanager
def _measured(settings: Settings, metrics: Metrics) -> Iterator[None]:
    """Serve /metrics at a port of its own for the length of a block, when one is set."""
    host, port = settings.metrics_host, settings.metrics_port
    if port is None:
        yield
        return
    try:
        server, thread = metrics.serve(host, port)
    except OSError as error:
        fail(
            Text(
                f"không mở được cổng {port} tại {host} cho /metrics ({error.strerror}); hãy sửa "
                "NTM_METRICS_PORT hoặc NTM_METRICS_HOST",
                f"port {port} at {host} cannot be opened for /metrics ({error.strerror}); change "
                "NTM_METRICS_PORT or NTM_METRICS_HOST",
            )
        )
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


async def _demonstration(database: Database, registry: Registry) -> Told | None:
    with progress() as told:
        found = await tell(database.acting_for(EVERYTHING), registry, told)
    await database.disconnect()
    return found


def _opened(settings: Settings) -> tuple[Registry, Database]:
    """Read the packs while PostgreSQL starts: neither waits for the other."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        opening = pool.submit(Database, settings)
        registry = rules(settings)
        return registry, opening.result()


def _known_as(settings: Settings, address: str) -> Settings:
    """Return settings in which tokens name this address, unless the operator has named one."""
    if "issuer" in settings.model_fields_set:
        return settings
    return settings.model_copy(update={"issuer": address})


def _listening(host: str, port: int) -> socket.socket:
    """Open the port before anything else is touched: a second `ntm serve` ends here."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        fail(
            Text(
                f"không mở được cổng {port} tại {host} ({error.strerror}); hãy chọn cổng khác bằng "
                "--port hoặc địa chỉ khác bằng --host",
                f"port {port} at {host} cannot be opened ({error.strerror}); choose another one "
                "with --port, or another address with --host",
            )
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _warn_of_plain_http() -> None:
    err().print(
        phrase(
            "Mã truy cập và khoá bí mật đi qua HTTP không mã hoá: hãy đặt dịch vụ sau một cổng TLS "
            "và khai NTM_ISSUER là địa chỉ https của cổng đó.",
            "Tokens and secrets travel over plain HTTP: put the service behind a TLS proxy and "
            "set NTM_ISSUER to the https address of that proxy.",
        ),
        style="yellow",
    )
