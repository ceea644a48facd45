"""The demonstration: verdicts for real communes on synthetic values that say so."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from sqlalchemy import select

from app.cli.clients import make
from app.cli.console import language, out, phrase
from app.cli.evaluate import judge_all, read_csv_subjects
from app.cli.tables import details, summary
from app.database import Database
from app.domain import clients, demonstration
from app.domain.clients import SCOPES, Client
from app.domain.units import NATION
from app.rules.registry import Registry

_NAME: Final = "Dùng thử (ntm serve --demo)"


def show(registry: Registry) -> None:
    """Print the summary of all demonstration communes and one verdict in full."""
    ruleset, name = demonstration.RULESET, demonstration.FILE
    found = read_csv_subjects(registry, ruleset, name, demonstration.content())
    named = [
        msgspec.structs.replace(
            one,
            unit=msgspec.structs.replace(
                one.unit, name=demonstration.NAMES.get(str(one.unit.code)), type="xa"
            ),
        )
        for one in found
    ]
    verdicts = judge_all(registry, ruleset, named, name)
    shown = next((one for one in verdicts if one["outcome"] == "not_met"), verdicts[0])
    console = out()
    console.print(details(shown, language()))
    console.print(summary(verdicts, language()))
    console.print(
        phrase(
            "Số liệu minh hoạ là giả định, không phải số liệu thật của các xã.",
            "The demonstration values are synthetic, not real figures of these communes.",
        ),
        style="yellow",
    )


async def client_for_trying(database: Database) -> dict[str, Any] | None:
    """Return a client for trying the service, with a new secret at each start.

    None where others have clients already: nobody is let into their data for a demonstration.
    """
    async with database.transaction() as session:
        known = list(await session.scalars(select(Client).where(Client.revoked_at.is_(None))))
        mine = next((one for one in known if one.name == _NAME), None)
        if mine is not None:
            await clients.retire_older_secrets(session, mine)
            secret = await clients.add_secret(session, mine)
            await clients.retire_older_secrets(session, mine)
    made: dict[str, Any] | None = None
    if mine is not None:
        made = {"client_id": mine.client_id, "client_secret": secret}
    elif not known:
        made = await make(database, _NAME, NATION, list(SCOPES))
    await database.disconnect()
    return made


def show_client(client: dict[str, Any] | None, address: str) -> None:
    """Print the client for trying and how to get a token with it."""
    console = out()
    if client is None:
        console.print(
            phrase(
                "Đã có máy khách trong cơ sở dữ liệu nên không tạo máy khách dùng thử; "
                "xem `ntm clients list`.",
                "The database has clients already, so none is made for trying; "
                "see `ntm clients list`.",
            ),
            style="yellow",
        )
        return
    heading = phrase(
        "Máy khách dùng thử, toàn quốc, mọi quyền; khoá bí mật đổi ở mỗi lần khởi động:",
        "A client for trying, nationwide, all scopes; its secret changes at each start:",
    )
    console.print(heading, style="bold")
    console.print(
        f"TOKEN=$(curl -s {address}/v1/oauth/token -d grant_type=client_credentials \\\n"
        f"  -d client_id={client['client_id']} -d client_secret={client['client_secret']} \\\n"
        "  | python3 -c 'import json,sys; print(json.load(sys.stdin)[\"access_token\"])')\n"
        f'curl -s -H "Authorization: Bearer $TOKEN" "{address}/v1/units/25?on=2025-08-01"',
        markup=False,
        soft_wrap=True,
    )
