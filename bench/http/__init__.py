"""Speed over HTTP beside bare FastAPI routes that send the same bytes: `python -m bench.http`."""
