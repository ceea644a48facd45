"""The command `ntm`, also as `python -m app`: quiet when interrupted while it is being loaded."""

from __future__ import annotations

import gc
import sys

_INTERRUPTED = 130  # as shells tell it


def main() -> None:
    """Load the command, which takes a second or more, and run it."""
    try:
        gc.disable()  # what is loaded stays: looking for rubbish in it takes a third of the time
        from app.cli import main as command  # noqa: PLC0415 - an interruption of it is caught here

        gc.freeze()
        gc.enable()
        command()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
