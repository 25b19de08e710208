PYTHON ?= python3.11
BIN = .venv/bin

.PHONY: install test lint bench

install:
	test -d .venv || $(PYTHON) -m venv .venv
	$(BIN)/pip install --editable '.[dev]'

test:
	$(BIN)/pytest -n auto

lint:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench:
	$(BIN)/python -m tests.bench $(ARGS)
