# Two commands: `make bench` (the main job) and `make test` (checks and tests). Both build .venv first. `make faults` injects faults,
# `make docs` builds the site of the documentation.
PYTHON ?= python3
BIN := .venv/bin
SUITE ?= quick

.PHONY: bench test check browser faults docs benchmarks lock clean
# Debian's packages come while Python's do.
MAKEFLAGS += --jobs=2

bench: .venv/installed
	$(BIN)/optbench run $(SUITE)

test: check browser
	scripts/test

check: .venv/installed
	scripts/check

browser:
	scripts/browser

faults: .venv/installed
	scripts/test -m faults

docs: .venv/docs
	$(BIN)/sphinx-build -q -W --keep-going -c docs . build/docs
	@echo build/docs/docs/index.html

benchmarks: .venv/installed
	$(BIN)/python -m pytest tests/benchmarks --benchmark-only --benchmark-json=results/benchmarks.json -s
	$(BIN)/optbench history import results/benchmarks.json

lock:
	uv pip compile pyproject.toml --extra dev --universal --generate-hashes --quiet -o requirements.lock

clean:
	rm -rf .venv build dist

.venv/installed: pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit("optbench needs Python 3.11 or newer, found " + sys.version.split()[0]) if sys.version_info < (3, 11) else 0'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@# Not compiled: most of what comes along is never imported, and the rest is compiled when it is.
	$(BIN)/python -m pip install --quiet --require-hashes --no-compile -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	@touch $@

.venv/docs: .venv/installed
	$(BIN)/python -m pip install --quiet --editable '.[docs]'
	@touch $@
