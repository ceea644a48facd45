"""Drills that break things on purpose, each with a planted bug that it must catch.

`pytest tests/faults` runs them in a small size, `python -m tests.faults` in full size.
"""
