"""Whose rows a transaction may see and write: the context that row security reads.

It is set for one transaction only and ends with it, so that nothing is left on a connection that
goes back to the pool. Without a context PostgreSQL shows no row that belongs to a territory.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

_PLAIN: Final = re.compile(r"[A-Za-z0-9_-]{0,64}")


class Context(msgspec.Struct, frozen=True):
    """The client a transaction works for and the ids of the units it reaches.

    `nation` reaches everything; `grants` are the numbers of the grants that open more for reading.
    """

    client: str = ""
    nation: bool = False
    units: tuple[int, ...] = ()
    districts: tuple[int, ...] = ()
    provinces: tuple[int, ...] = ()
    grants: tuple[int, ...] = ()

    def settings(self) -> Mapping[str, str]:
        """Return the settings by name; raise ValueError for a client that cannot be one."""
        if not _PLAIN.fullmatch(self.client):
            raise ValueError("not the id of a client")
        return {
            "ntm.client": self.client,
            "ntm.nation": "on" if self.nation else "",
            "ntm.units": _array(self.units),
            "ntm.districts": _array(self.districts),
            "ntm.provinces": _array(self.provinces),
            "ntm.grants": _array(self.grants),
        }

    def told(self) -> str:
        """Return the SQL that tells a transaction its context: numbers, and one checked word."""
        calls = (f"set_config('{name}', '{text}', true)" for name, text in self.settings().items())
        return f"SELECT {', '.join(calls)}"


NOTHING: Final = Context()
EVERYTHING: Final = Context(nation=True)


def _array(ids: Iterable[int]) -> str:
    found = ",".join(str(int(one)) for one in ids)
    return f"{{{found}}}" if found else ""
