"""`ntm serve`: find or start the database, bring it to the head, answer over HTTP."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Final

import typer
import uvicorn

from app.cli.console import err, fail, phrase, read_settings, rules
from app.cli.database import explained, progress
from app.cli.demonstration import client_for_trying, show, show_client
from app.database import Database
from app.domain.demonstration.recorded import Told, tell
from app.main import create_app, prepare
from app.rules.errors import Text
from app.rules.registry import Registry
from app.settings import Settings

_ACCESS_ARGUMENTS: Final = 5  # client, method, path with query, version, status


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
    with _listening(host, port) as line, explained():
        registry, database = _opened(settings)
        with progress() as told:
            asyncio.run(prepare(database, told))
        if demo:
            show(asyncio.run(_demonstration(database, registry)), registry)
            show_client(asyncio.run(client_for_trying(database)), address)
        app = create_app(settings, registry, database)
        if not _is_loopback(host):
            _warn_of_plain_http()
        err().print(
            phrase(
                f"Đang phục vụ tại {address} - tài liệu: {address}/docs - dừng: Ctrl+C",
                f"Serving at {address} - docs: {address}/docs - stop: Ctrl+C",
            )
        )
        logging.getLogger("uvicorn.access").addFilter(_without_query)
        uvicorn.Server(uvicorn.Config(app, log_level="info")).run(sockets=[line])


async def _demonstration(database: Database, registry: Registry) -> Told | None:
    with progress() as told:
        found = await tell(database, registry, told)
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


def _without_query(record: logging.LogRecord) -> bool:
    """Leave what stands behind the question mark out of the access log: it may be a secret."""
    if isinstance(record.args, tuple) and len(record.args) == _ACCESS_ARGUMENTS:
        client, method, path, *rest = record.args
        record.args = (client, method, str(path).partition("?")[0], *rest)
    return True


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
