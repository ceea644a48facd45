"""The reading process: `python -P -m app.domain.reading FD`; frames come in and go out.

It is started by `limited`, which opens the file: this process opens none by name.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from app.domain.reading import limits
from app.domain.reading.conduct import conduct

_BUG = 70


def main() -> int:
    """Read the file that is open under the number of the argument; return how it went."""
    limits.confine()
    words = _silence()
    try:
        conduct(int(sys.argv[1]), sys.stdin.buffer, sys.stdout.buffer)
    except BrokenPipeError:
        os._exit(0)  # nobody listens any more
    except Exception as error:  # told by its place alone: its words may be the file's
        os.write(words, f"{type(error).__name__} at {_place(error)}\n".encode())
        return _BUG
    return 0


def _silence() -> int:
    """Let nobody else write to standard error: libraries quote what they read. Return it."""
    words = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    return words


def _place(error: Exception) -> str:
    """Return where an error was raised: files and lines."""
    places = []
    at = error.__traceback__
    while at is not None:
        places.append(f"{Path(at.tb_frame.f_code.co_filename).name}:{at.tb_lineno}")
        at = at.tb_next
    return " > ".join(places[-6:])


if __name__ == "__main__":
    sys.exit(main())
