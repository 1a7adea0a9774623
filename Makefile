# `make quickstart` and `make test` work on a fresh clone with Python 3.11 or later.
PYTHON ?= python3
BIN := .venv/bin
# Versions to install; `make install CONSTRAINTS=` takes the newest.
CONSTRAINTS ?= constraints.txt
# In the order of tests/conftest.py: the files that take long come first.
PYTEST := $(BIN)/pytest --dist loadfile --no-loadscope-reorder --numprocesses

# Else each process of a test session compiles the tests anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install quickstart test test-integration test-hosts test-hostile test-long test-fast test-faults coverage fuzz lint clean

help:            ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: .venv/installed   ## make .venv with everything that tests and runs need

.venv/installed: pyproject.toml $(CONSTRAINTS)
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed; set PYTHON=python3.12, say")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]' $(addprefix --constraint ,$(CONSTRAINTS))
	touch $@

quickstart: install   ## train 30 small networks on handwritten digits and report
	$(BIN)/sweep run specs/quickstart.yaml
	$(BIN)/sweep report quickstart --group-by zero_stable,root_moduli
	$(BIN)/sweep report quickstart --group-by zero_stable

test: lint   ## lint, then all tests but those with a target of their own, three files at a time
	$(PYTEST) 3 -m 'not (commands or ray or postgres or hosts or hostile or long or faults)'

test-integration: install   ## whole commands as users type them, and what starts Ray or a Postgres server
	$(PYTEST) 3 -m '(commands or ray or postgres) and not (hosts or hostile or long or faults)'

test-hosts: install   ## as root: clusters and services on several hosts, which are network namespaces
	@test "$$(id -u)" = 0 || { echo 'network namespaces take root: sudo make test-hosts' >&2; exit 1; }
	$(BIN)/pytest -m hosts tests/cluster tests/docker

test-hostile: install   ## hostile surroundings and data, and faults: what is killed, stopped or starved
	$(PYTEST) 3 -m 'hostile or faults' tests/hostile tests/faults

test-long: install   ## what takes long: compiled graphs, every network in several processes, random reports, killed file operations
	$(PYTEST) 3 -m 'long and not (hosts or hostile or faults)'

test-fast: install   ## the tests that need no Ray, Postgres or compiler, and no patience
	CXX=/dev/null $(PYTEST) 2 -m 'not (ray or postgres or compile or faults or hosts or hostile or slow or long)'

coverage: install   ## the whole test suite, and which lines and branches of the packages it reaches
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest --dist loadfile --no-loadscope-reorder --numprocesses 3
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

test-faults: install   ## the fault suite in full: an hour or more; docs/reliability.md has its figures
	rm -f fault_figures.jsonl
	SWEEP_FAULTS=full SWEEP_FAULTS_FIGURES=$(CURDIR)/fault_figures.jsonl $(BIN)/pytest tests/faults tests/cluster
	$(BIN)/python tests/faults/table.py fault_figures.jsonl

FUZZ ?= specs
fuzz: install   ## look for bad input that breaks a law, until Control-C; FUZZ=bytes, overrides, questions
	$(BIN)/pip install --quiet --disable-pip-version-check atheris
	$(BIN)/python tests/fuzz/fuzz_inputs.py $(FUZZ)

lint: install   ## ruff, mypy, and the import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:           ## remove the environment and caches; results in .sweep stay
	rm -rf .coverage* .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
