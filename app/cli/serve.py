"""`ntm serve`: answer over HTTP, on this host only until clients can be authenticated."""

from __future__ import annotations

import ipaddress
from typing import Annotated

import typer
import uvicorn

from app.cli.console import err, fail, misuse, phrase, rules
from app.cli.demonstration import show
from app.main import create_app
from app.rules.errors import Text
from app.settings import Settings


def serve(
    host: Annotated[str, typer.Option(help="Địa chỉ loopback để lắng nghe.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
    demo: Annotated[
        bool, typer.Option("--demo", help="In kết luận cho số liệu giả định trước khi phục vụ.")
    ] = False,
) -> None:
    """Phục vụ API; tài liệu ngoại tuyến tại /docs."""
    if not _is_loopback(host):
        misuse(
            Text(
                f"{host} không phải địa chỉ của chính máy này; dịch vụ chưa xác thực máy khách nên "
                "chỉ lắng nghe trên 127.0.0.1 hoặc ::1",
                f"{host} is not this host itself; the service does not authenticate clients yet, "
                "so it listens on 127.0.0.1 or ::1 only",
            )
        )
    settings = Settings()
    registry = rules(settings)
    if demo:
        show(registry)
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    err().print(
        phrase(
            f"Đang phục vụ tại {address} - tài liệu: {address}/docs - dừng: Ctrl+C",
            f"Serving at {address} - docs: {address}/docs - stop: Ctrl+C",
        )
    )
    try:
        uvicorn.run(create_app(settings, registry), host=host, port=port, log_level="info")
    except SystemExit as error:  # uvicorn's own exit code when it cannot start
        if error.code:
            fail(
                Text(
                    f"không mở được cổng {port}; chọn cổng khác bằng --port",
                    f"port {port} cannot be opened; choose another one with --port",
                )
            )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
