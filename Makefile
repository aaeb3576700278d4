# setup · demo · repro · bench · test · torture · check-lock · pr-report · lint. Each target sets up what it needs and is safe to repeat.
PYTHON ?= python3.11
export PATH := $(CURDIR)/.venv/bin:$(PATH)
SETUP := .venv/.complete

.PHONY: help setup demo repro bench test torture check-lock pr-report lint
help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(SETUP)  ## a virtual environment in .venv with the locked dependencies, and the released model
$(SETUP): requirements.lock pyproject.toml
	rm -rf .venv
	$(PYTHON) -m venv .venv
	pip install --quiet --requirement requirements.lock
	pip install --quiet --no-deps --no-build-isolation --editable .
	python -c 'import vl_convert; print(vl_convert.javascript_bundle(vl_version="5.21"))' > .venv/vega.js
	dvc pull --quiet --allow-missing train
	touch $@

# The demonstration's experiment: drawn characters, shorter lines, fewer of them.
DEMO := download.source=drawn download.drawn_per_class=200 \
	synthesize.num_train=4000 synthesize.num_val=300 synthesize.num_test=300 synthesize.max_length=16 \
	train.max_epochs=10 train.curriculum=[]
DEMO_REF = refs/exps/$$(git rev-parse HEAD | sed 's|^..|&/|')/demo

demo: setup  ## the whole pipeline on characters that the package draws: no data fetched, 10 minutes on 2 cores
	@dvc exp remove --quiet demo 2>/dev/null || true
	dvc exp run --temp --name demo $(addprefix --set-param ,$(DEMO))
	@rm -rf demo && mkdir demo && git archive $(DEMO_REF) metrics | tar -x -C demo
	@emnist-lines summary demo/metrics
	@echo "kept as the DVC experiment demo: see it with \`dvc exp show\`"

repro: setup  ## the pipeline with params.yaml as it is; what dvc.lock already holds is not computed again
	dvc pull --quiet --allow-missing train
	dvc repro
	@emnist-lines summary

bench: setup  ## the fast paths against plain ones: benchmarks/results.md, half an hour on 2 cores
	python -m benchmarks.run

test: setup  ## the tests, without network
	pytest --cov --cov-report=term

torture: setup  ## faults by the hundred at random moments: docs/reliability.md, half an hour on 2 cores
	python -m tests.torture

check-lock: setup  ## whether dvc.lock belongs to the code, parameters and metrics beside it; needs no data
	@python .github/check_lock.py

BASE ?= main
pr-report: setup  ## Markdown tables of metrics and parameters that differ from BASE (main)
	@python .github/pr_report.py $(BASE)

lint: setup  ## style and types
	ruff check .
	ruff format --check .
	mypy
