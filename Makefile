# Everything runs in .venv, which is made when it is not there and completed when the requirements changed.
# A .venv that already holds a CPU build of torch keeps it: so a machine without a GPU spares itself the CUDA packages.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Packages that benchmarks compare with; apart, because they may not change what ganflow runs on.
RIVALS := $(VENV)/rivals
AUDIT := $(VENV)/audit
# The others are told what they work on: gate, watch, held_out, quality, and gpu, which has a target of its own.
BENCHMARKS := checkpoint feed fid fid_interval generate inception ingest keyed_random large_data mind modes onnx_file \
	overhead scaling startup step
# The reason why a Python cannot be used, as a program that takes its path from the recipe.
CHECK := import sys; v = sys.version_info; \
	(3, 11) <= v[:2] < (3, 13) or sys.exit(f"{sys.executable} is Python {v[0]}.{v[1]} but ganflow needs 3.11 or 3.12: \
	name one with PYTHON=..., and remove $(VENV) if it was made by another")

.DEFAULT_GOAL := help
.PHONY: help demo up test test-unit soak lint audit bench gpu clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(STAMP) ## the whole pipeline on real handwritten digits: data, training, metrics, registry, release
	$(BIN)/ganflow run --preset digits

up: $(STAMP) ## Prefect and MLflow servers, worker and deployments until Ctrl-C
	$(BIN)/ganflow up

test: $(STAMP) ## all tests but the slow ones, in three processes: each waits a quarter of its time
	$(BIN)/python -m pytest -m "not slow" -n 3

test-unit: $(STAMP) ## the tests that take seconds
	$(BIN)/python -m pytest tests/unit

soak: $(STAMP) ## the slow tests
	$(BIN)/python -m pytest -m slow

lint: $(STAMP) audit ## style, security, types, the direction of imports, and known holes in the pinned packages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

audit: $(STAMP) ## known holes in the pinned packages, by the package index's database
	@[ -e $(AUDIT)/pip_audit ] || $(BIN)/python -m pip install --quiet --disable-pip-version-check --target $(AUDIT) pip-audit==2.10.1 || true
	@PYTHONPATH=$(AUDIT) $(BIN)/python .ci/audit.py constraints.txt

bench: $(STAMP) ## the benchmarks that need no GPU and no dataset of yours, hours of them, each printing JSON
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade --no-deps --target $(RIVALS) torch-fidelity==0.4.0 pytorch-fid==0.3.0
	@set -e; export PYTHONPATH=$(RIVALS); for name in $(BENCHMARKS); do echo "# $$name"; $(BIN)/python "benchmarks/$$name.py"; done

gpu: $(STAMP) ## ten minutes of a GPU: its tests, the training step, Fashion-MNIST; goes on where it was cut off
	$(BIN)/python benchmarks/gpu.py --out out/gpu

clean: ## remove caches and build files; keeps data, models, releases and .venv
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find flows tasks gan tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c '$(CHECK)'
	@echo "making $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(STAMP): pyproject.toml constraints.txt | $(BIN)/python
	@$(BIN)/python -c '$(CHECK)'
	@echo "installing the packages of constraints.txt into $(VENV): a minute or more"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[inception,few-shot,dev]'
	@touch $@
