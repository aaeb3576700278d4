# setup · setup-dev · demo · repro · bench · test · test-all · torture · check-lock · pr-report · lint · lock. Each target sets up what it needs and is safe to repeat.
# A new .venv gets PYTHON, or the first of these that runs and fits; .venv's own, which it replaces, does not count.
OUTSIDE := $(subst $(CURDIR)/.venv/bin:,,$(PATH))
PYTHONS := $(or $(PYTHON),python3.11 python3.12 python3.13 python3)
FITS := import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
export PATH := $(CURDIR)/.venv/bin:$(OUTSIDE)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
SETUP := .venv/.complete
SETUP_DEV := .venv/.complete-dev

.PHONY: help setup setup-dev demo repro bench test test-all torture check-lock pr-report lint lock
help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(SETUP)  ## .venv with what the package needs, in the locked versions, and the released models
$(SETUP): requirements.lock pyproject.toml
	@git rev-parse --git-dir > /dev/null 2>&1 || { \
		echo "this copy has no Git history, which DVC needs; clone the repository, or make a history of its own:" \
			"git init && git add --all && git commit -m start" >&2; \
		exit 1; \
	}
	@{ .venv/bin/python -c '$(FITS)' && .venv/bin/python -m pip --version; } > /dev/null 2>&1 || { \
		PATH='$(OUTSIDE)'; \
		for python in $(PYTHONS); do \
			"$$python" -c '$(FITS)' > /dev/null 2>&1 && exec "$$python" -m venv --clear .venv; \
		done; \
		echo "make setup needs Python 3.11, 3.12 or 3.13 with its venv module and found none (it tried: $(PYTHONS));" \
			"install one, on Debian with python3-venv, or name it: make setup PYTHON=/path/to/python" >&2; \
		exit 1; \
	}
	python -m pip install --quiet --requirement requirements.lock
	python -m pip install --quiet --no-deps --no-build-isolation --editable .
	python -c 'import vl_convert; print(vl_convert.javascript_bundle(vl_version="5.21"))' > .venv/vega.js
	dvc pull --quiet --allow-missing language train
	touch $@

setup-dev: $(SETUP_DEV)  ## setup, and what tests, benchmarks and lint need
$(SETUP_DEV): $(SETUP) requirements-dev.lock
	python -m pip install --quiet --requirement requirements-dev.lock
	touch $@

# The demonstration's experiment: rendered characters, shorter lines, fewer of them, nothing against learning by heart.
DEMO := download.source=drawn download.drawn_per_class=200 \
	synthesize.num_train=4000 synthesize.num_val=300 synthesize.num_test=300 synthesize.max_length=16 \
	synthesize.mix.lab=1.0 synthesize.mix.natural=0.0 synthesize.mix.written=0.0 \
	model.conv_dropout=0.0 train.start_from=null train.learning_rate=0.001 train.max_epochs=5 train.validate_every=1 \
	train.bucket_width=64 evaluate.language_weight=0.8
DEMO_REF = refs/exps/$$(git rev-parse HEAD | sed 's|^..|&/|')/demo

demo: setup  ## the whole pipeline on characters that the package renders: no data fetched, 5 minutes on 2 cores
	@dvc exp remove --quiet demo 2>/dev/null || true
	dvc exp run --temp --name demo $(addprefix --set-param ,$(DEMO))
	@rm -rf demo && mkdir demo && git archive $(DEMO_REF) metrics | tar -x -C demo
	@emnist-lines summary demo/metrics
	@echo "kept as the DVC experiment demo: see it with \`dvc exp show\`"

repro: setup  ## the pipeline with params.yaml as it is; what dvc.lock already holds is not computed again
	dvc pull --quiet --allow-missing language train
	dvc repro
	@emnist-lines summary

bench: setup-dev  ## the fast paths against plain ones: benchmarks/results.md, half an hour on 2 cores
	python -m benchmarks.run

test: setup-dev  ## the everyday tests, without network
	pytest -m "not slow"

test-all: setup-dev  ## every test, also those with faults, browsers and DVC, and how much of the code they run
	pytest --cov --cov-report=term

torture: setup-dev  ## faults by the hundred at random moments: docs/reliability.md, half an hour on 2 cores
	python -m tests.torture

check-lock: setup-dev  ## whether dvc.lock belongs to the code, parameters and metrics beside it; needs no data
	@python .github/check_lock.py

BASE ?= main
pr-report: setup-dev  ## Markdown tables of metrics and parameters that differ from BASE (main)
	@python .github/pr_report.py $(BASE)

lint: setup-dev  ## style, types and which package may import which
	ruff check .
	ruff format --check .
	mypy
	lint-imports --no-logo

# A version stays while it fits; UPGRADE=--upgrade takes the newest of all, UPGRADE="--upgrade-package NAME" of one.
COMPILE := uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest --no-annotate $(UPGRADE)
lock: setup-dev  ## requirements.lock and requirements-dev.lock from pyproject.toml
	$(COMPILE) --extra demo --extra onnx --extra s3 --group setup pyproject.toml -o requirements.lock
	$(COMPILE) --group dev -c requirements.lock -o requirements-dev.lock
