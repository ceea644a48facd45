"""The demonstration: verdicts for real communes on synthetic values that say so."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import select

from app.cli.clients import make
from app.cli.console import language, out, phrase
from app.cli.overview import hardest, outcomes
from app.cli.tables import details
from app.database import Database
from app.domain import clients
from app.domain.clients import SCOPES, Client
from app.domain.demonstration.recorded import Told
from app.domain.units import NATION
from app.rules.explain import explain
from app.rules.registry import Registry
from app.rules.vocabulary import NOT_MET

_FULL: Final = ("phutho.commune", "2024")  # what is shown in more detail
_NAME: Final = "Dùng thử (ntm serve --demo)"


def show(told: Told | None, registry: Registry) -> None:
    """Print what the demonstration recorded: outcomes by ruleset, what fails most, one verdict."""
    console = out()
    if told is None:
        console.print(
            phrase(
                "Cơ sở dữ liệu đã có số liệu, không ghi thêm số liệu minh hoạ.",
                "The database has values already; no demonstration values are added.",
            ),
            style="yellow",
        )
        return
    console.print(details(_one_in_full(told, registry), language()))
    console.print(outcomes(told.verdicts))
    console.print(hardest(told.verdicts[_FULL], registry, language()))
    verdicts = sum(len(found) for found in told.verdicts.values())
    console.print(
        phrase(
            f"Đã ghi {told.values} số liệu giả định của {told.units} đơn vị và {verdicts} kết "
            "luận; không có con số nào là số liệu thật.",
            f"{told.values} synthetic values of {told.units} units and {verdicts} verdicts are on "
            "record; none of the figures is real.",
        ),
        style="yellow",
    )


def _one_in_full(told: Told, registry: Registry) -> dict[str, Any]:
    """Return the verdict nearest to being met of those that are not."""
    found = [one for one in told.verdicts[_FULL] if one.judgement.outcome == NOT_MET]
    nearest = min(found, key=lambda one: (one.judgement.counts[NOT_MET], one.unit.code))
    compiled = registry.entries[_FULL[0]].compiled
    return explain(compiled, nearest.judgement, nearest.shown, language())


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
        'curl -s -H "Authorization: Bearer $TOKEN" '
        f'"{address}/v1/evaluations?ruleset=phutho.commune&latest=true"',
        markup=False,
        soft_wrap=True,
    )
