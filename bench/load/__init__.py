"""Sixteen million values, and how fast whole provinces come in, are judged and are counted.

`python -m bench.load` fills a database of its own with synthetic values, measures, and drops it.
"""
