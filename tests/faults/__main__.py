"""`python -m tests.faults`: see `faults.command`."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

# The modules of tests import each other by their plain names, as pytest lets them.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
runpy.run_module("faults.command", run_name="__main__")
