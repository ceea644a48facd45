"""`ntm clients`: make, list, rotate and revoke machine clients, as the operator of the service."""

from __future__ import annotations

import datetime
import json
import re
from typing import Annotated, Any

import typer
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncSession

from app.cli.console import fail, misuse, out, phrase, plain
from app.cli.database import use
from app.database import Database, driver_in
from app.domain import clients, unit_lookup
from app.domain.clients import SCOPES, Client
from app.domain.clock import clock_of, today
from app.domain.refusals import Absent
from app.domain.territory import EVERYWHERE, Caller
from app.domain.units import NATION, PLACE_PATTERN
from app.rules.errors import Text
from app.rules.facts import printable
from app.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Máy khách: hệ thống được phép gọi API.")
OPERATOR = Caller(0, "operator", frozenset(SCOPES), EVERYWHERE)
AsJson = Annotated[bool, typer.Option("--json", help="In JSON.")]
ClientId = Annotated[str, typer.Argument(help="client_id, xem `ntm clients list`.")]


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Tên hệ thống.")],
    territory: Annotated[str, typer.Option(help="Mã đơn vị hôm nay, khoá đơn vị, hoặc VN.")],
    scope: Annotated[list[str], typer.Option(help=f"Quyền, nhắc lại được: {', '.join(SCOPES)}.")],
    as_json: AsJson = False,
) -> None:
    """Tạo máy khách; khoá bí mật chỉ hiện một lần."""
    name = " ".join(name.split())
    if not 1 <= len(name) <= 200 or not name.isprintable():
        misuse(Text("tên phải có 1 đến 200 ký tự", "the name must have 1 to 200 characters"))
    if not re.fullmatch(PLACE_PATTERN, territory):
        misuse(
            Text(
                "địa bàn là mã đơn vị (25, 07894), khoá đơn vị (province-25-2025) hoặc VN",
                "a territory is a unit code (25, 07894), a unit key (province-25-2025) or VN",
            )
        )
    if unknown := [one for one in scope if one not in SCOPES]:
        misuse(
            Text(
                f"không có quyền “{printable(unknown[0])}”; các quyền: {', '.join(SCOPES)}",
                f"there is no scope “{printable(unknown[0])}”; known are: {', '.join(SCOPES)}",
            )
        )
    made = use(lambda database: make(database, name, territory, scope))
    if as_json:
        typer.echo(json.dumps(made, ensure_ascii=False))
        return
    for key in ("client_id", "client_secret", "name", "territory"):
        out().print(plain(f"{key}: {made[key]}"), soft_wrap=True)
    out().print(f"scopes: {' '.join(made['scopes'])}")
    out().print(
        phrase(
            "Hãy cất khoá bí mật ngay: nó không được lưu và không hiện lại.",
            "Keep the secret now: it is not stored and not shown again.",
        ),
        style="yellow",
    )


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """Liệt kê mọi máy khách, kể cả đã thu hồi."""
    found = use(_listed)
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False, default=_instant))
        return
    table = Table()
    for heading in ("client_id", phrase("Tên", "Name"), phrase("Địa bàn", "Territory"),
                    phrase("Quyền", "Scopes"), phrase("Thu hồi", "Revoked")):  # fmt: skip
        table.add_column(heading, overflow="fold")
    for one in found:
        unit = one["territory_unit"]
        where = f"{unit['name']} ({unit['code']})" if unit else phrase("đã hết hiệu lực", "ended")
        revoked = one["revoked_at"]
        table.add_row(
            one["client_id"], plain(one["name"]), plain(where), " ".join(one["scopes"]),
            f"{revoked:%Y-%m-%d %H:%M}" if revoked else "",
        )  # fmt: skip
    out().print(table)


@app.command()
def rotate(
    client_id: ClientId,
    finish: Annotated[
        bool, typer.Option("--finish", help="Thu hồi khoá cũ sau khi đã dùng khoá mới.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Thêm khoá bí mật thứ hai để chuyển dần; --finish thu hồi khoá cũ."""

    async def work(database: Database) -> str | int:
        async with database.transaction() as session:
            client = await _known(session, client_id)
            if finish:
                return await clients.retire_older_secrets(session, client)
            return await clients.add_secret(session, client)

    done = use(work)
    if finish:
        out().print(phrase(f"đã thu hồi {done} khoá cũ", f"retired {done} older secrets"))
    elif as_json:
        typer.echo(json.dumps({"client_id": client_id, "client_secret": done}))
    else:
        out().print(f"client_secret: {done}", soft_wrap=True)


@app.command()
def revoke(client_id: ClientId) -> None:
    """Thu hồi máy khách; hiệu lực từ yêu cầu kế tiếp."""

    async def work(database: Database) -> None:
        async with database.transaction() as session:
            await clients.revoke(session, await _known(session, client_id))

    use(work)
    out().print(plain(phrase(f"đã thu hồi {client_id}", f"revoked {client_id}")))


async def make(database: Database, name: str, territory: str, scopes: list[str]) -> dict[str, Any]:
    """Make a client; return it with its secret."""
    clients.check_scopes(scopes)
    async with database.reading() as connection:
        day = clock_of(Settings().rehearsal_day)()
        unit = await unit_lookup.get(connection, territory, day, "/territory")
    async with database.transaction() as session:
        client, secret = await clients.add(session, name, unit, scopes)
        return {
            "client_id": client.client_id,
            "client_secret": secret,
            "name": client.name,
            "territory": NATION if unit.level == "nation" else territory,
            "scopes": client.scopes,
        }


async def _known(session: AsyncSession, client_id: str) -> Client:
    try:
        return await clients.get(session, OPERATOR, client_id)
    except Absent:
        shown = printable(client_id)
        fail(
            Text(
                f"không có máy khách “{shown}”; xem `ntm clients list`",
                f"there is no client “{shown}”; see `ntm clients list`",
            )
        )


async def _listed(database: Database) -> list[dict[str, Any]]:
    async with database.transaction() as session:
        found = await clients.listed(session, OPERATOR)
        units = await clients.territories(await driver_in(session), found, today())
        return [clients.shown(one, units.get(one.unit_id)) for one in found]


def _instant(value: datetime.datetime) -> str:
    return value.isoformat()
