"""How much a file may hold, and how much the process that reads it may use.

The limits on files are far above honest ones. Those on the process hold for whatever the others
forget: it is ended, and the file is told to be unsafe.
"""

from __future__ import annotations

import signal
import sys
from typing import Final

MOST_ROWS: Final = 1_048_576  # as many as a sheet has
MOST_CELLS: Final = 20_000_000
MOST_COLUMNS: Final = 2_000
MOST_SHEETS: Final = 1_000
LONGEST_CELL: Final = 100_000  # characters
MOST_PLACES: Final = 200_000
MOST_BAD: Final = 100_000
MOST_UNPACKED: Final = 2**30  # bytes
MOST_RATIO: Final = 100  # of bytes unpacked to packed, where it matters
SMALL: Final = 4 * 2**20  # bytes unpacked: below this no ratio matters
LONGEST_TEXT: Final = 64 * 2**20  # characters of all the shared texts of a workbook

MEMORY: Final = 512 * 2**20
SECONDS: Final = 120  # of the processor
_TELLING: Final = 5  # more of them, for a process that is told of the end of its time
_FILES: Final = 32


def confine() -> None:
    """Limit this process for good: memory, processor, files; it writes no file and no core.

    Its parent alone ends it: who stops the service asks its processes all at once to end, and a
    file that is being read then would look as if it had done harm.
    """
    import resource  # noqa: PLC0415  # not on every platform: the parent refuses there

    for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(one, signal.SIG_IGN)
    # At the first limit the signal says why it ends; at the second it is killed without a word.
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + _TELLING))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_FILES, _FILES))
    if sys.platform != "darwin":  # which does not know this limit
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
