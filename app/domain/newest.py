"""The newest rows of a place or of a client: each found by an index of its own, then put together.

A list that asked for all of them in one condition (`… OR …`) would go through the rows of everybody
until it has enough: whoever has few rows would wait longest.
"""

from __future__ import annotations

from typing import Final

from app.domain.conditions import Conditions
from app.domain.territory import Territory

_NEWEST: Final = 2**63 - 1
# The bounds are written so that only the index in this order can serve, whatever the planner
# believes: column, number.
_BY: Final = """
SELECT x.id FROM {table} x
 WHERE x.{column} >= {value} AND (x.{column}, x.id) < ({value}, {before}) AND {where}
 ORDER BY x.{column} DESC, x.id DESC LIMIT {limit}
"""


def newest(
    table: str,
    where: Conditions,
    territory: Territory,
    limit: int,
    before: int,
    client: str | None = None,
) -> str:
    """Return the SQL of the numbers of the newest rows `x` of a table, the newest first.

    At most `limit`, older than number `before` unless that is 0. They lie in the territory or are
    the client's, and fit `where`, to which parameters are added.
    """
    told = {"table": table, "where": str(where), "limit": str(limit)}
    told["before"] = f"{where.mark(before or _NEWEST)}::bigint"
    end = f"ORDER BY id DESC LIMIT {limit}"
    if territory.nation:
        return "SELECT x.id FROM {table} x WHERE x.id < {before} AND {where} ".format(**told) + end
    found = []
    if client is not None:
        found.append(_BY.format(column="client", value=f"{where.mark(client)}::text", **told))
    _, *places = territory.arrays()
    for column, ids in zip(("unit_id", "district_id", "province_id"), places, strict=True):
        if ids:
            among = f"unnest({where.mark(ids)}::int[]) place(id)"
            there = _BY.format(column=column, value="place.id", **told)
            found.append(f"SELECT f.id FROM {among} CROSS JOIN LATERAL ({there}) f")
    return f"SELECT id FROM (({') UNION ('.join(found)})) found {end}"
