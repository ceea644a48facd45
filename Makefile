# The two set-up commands are `make run` and `make test`; they need Python 3.11+ and install the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
.DEFAULT_GOAL := run
.PHONY: run test check faults bench lock clean

$(VENV)/runtime: requirements/runtime.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/runtime.txt
	$(BIN)/python -m pip install --quiet --no-deps -e .
	touch $@

$(VENV)/dev: $(VENV)/runtime requirements/dev.txt
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.txt
	touch $@

run: $(VENV)/runtime ## verdicts for synthetic values of real communes, then the service on 127.0.0.1:8000
	$(BIN)/ntm serve --demo

test: $(VENV)/dev ## the whole test suite
	$(BIN)/python -m pytest -n auto

check: $(VENV)/dev ## format, lint, types, floors, dependencies, drift of the API description
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .
	$(BIN)/ntm openapi --check

faults: $(VENV)/dev ## the fault drills in full size, each with a planted bug it must catch
	$(BIN)/python -m tests.faults

bench: $(VENV)/dev ## side by side with other engines, in one run
	$(BIN)/python -m pip install --quiet -e ".[bench]"
	$(BIN)/python -m bench
	$(BIN)/python -m bench.http
	$(BIN)/python -m bench.load

lock: $(VENV)/dev ## write the locked requirements anew: hashes, no addresses
	$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate -o requirements/runtime.txt
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate -c requirements/runtime.txt -o requirements/dev.txt

clean:
	rm -rf $(VENV) build dist *.egg-info
