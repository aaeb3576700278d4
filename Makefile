# setup · demo · repro · test · lint. Each target sets up what it needs and is safe to repeat.
PYTHON ?= python3.11
export PATH := $(CURDIR)/.venv/bin:$(PATH)
SETUP := .venv/.complete

.PHONY: help setup demo repro test lint
help:  ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(SETUP)  ## a virtual environment in .venv with the locked dependencies
$(SETUP): requirements.lock pyproject.toml
	rm -rf .venv
	$(PYTHON) -m venv .venv
	pip install --quiet --requirement requirements.lock
	pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

demo: setup  ## the whole pipeline on characters that the package draws: no data fetched, 10 minutes on 2 cores
	python stages/demo.py

repro: setup  ## the pipeline with params.yaml as it is; what dvc.lock already holds is not computed again
	dvc pull --quiet train
	dvc repro
	@python stages/summary.py

test: setup  ## the tests, without network
	pytest --cov --cov-report=term

lint: setup  ## style and types
	ruff check .
	ruff format --check .
	mypy
