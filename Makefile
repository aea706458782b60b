# Zoo: `make help` lists what there is. Needs python3 (3.11 or newer), make and a package registry.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BENCH_STAMP := $(VENV)/.installed-bench
# uv installs a fresh environment several times faster than pip; NO_UV=1 does without it.
UV := $(if $(NO_UV),,$(shell command -v uv 2>/dev/null || echo .uv/bin/uv))
OWN_UV := $(filter .uv/bin/uv,$(UV))
WHEEL_ENV := $(VENV)-wheel
# uv brings certificates of its own; a registry behind a company's proxy is known to the system's only.
export UV_SYSTEM_CERTS := 1
export UV_NATIVE_TLS := 1
PYTEST := -m pytest -n 2 --dist loadgroup
# What a wheel can break that the suite in the tree cannot see: its files, entry points, documents, and one training.
WHEEL_TESTS := tests/packaging tests/cli tests/plugins tests/training/test_training_loop.py
# Where a CPU shows: everything that computes a gradient. Less without oneDNN, which is slow.
CPU_TESTS := tests/training tests/challenges tests/classifier tests/torch_plugin
BARE_TESTS := tests/training/test_strided.py tests/training/test_training_loop.py tests/torch_plugin

.DEFAULT_GOAL := help
.PHONY: help install demo test test-slow test-cpus test-wheel bench bench-short docs lint format clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

install: $(STAMP) ## Make the environment in .venv

demo: $(STAMP) ## Check, train and evaluate a small spec; under two minutes on two cores
	$(BIN)/zoo check quickstart
	$(BIN)/zoo train quickstart --run runs/demo
	$(BIN)/zoo evaluate runs/demo

test: $(STAMP) ## Run the test suite
	$(BIN)/python $(PYTEST) -m "not slow"

test-slow: $(STAMP) ## Run the proofs that take minutes
	$(BIN)/python -m pytest -m slow

test-cpus: $(STAMP) ## Run the trainings of the suite as on a CPU without AVX-512, and some without oneDNN
	ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 $(BIN)/python $(PYTEST) -m "not slow" $(CPU_TESTS)
	ZOO_TEST_ONEDNN=0 $(BIN)/python $(PYTEST) -m "not slow" $(BARE_TESTS)

test-wheel: $(STAMP) $(OWN_UV) ## Run what a wheel can break against the built one, in a fresh environment
	rm -rf dist $(WHEEL_ENV)
	$(BIN)/python -m build --wheel --outdir dist
	$(call make_env,$(WHEEL_ENV))
	$(call install_into,$(WHEEL_ENV)) "$$(ls dist/*.whl)[dev]"
	cp -r tests examples docs benchmarks README.md CONTRIBUTING.md CHANGELOG.md pyproject.toml $(WHEEL_ENV)/
	cd $(WHEEL_ENV) && ZOO_TEST_WHEEL=1 bin/python $(PYTEST) -m "not slow and not install" $(WHEEL_TESTS)
	rm -rf $(WHEEL_ENV)

bench: $(BENCH_STAMP) ## Measure speed against baselines, write docs/performance.md; some 20 minutes
	$(BIN)/python -m benchmarks all --docs

bench-short: $(BENCH_STAMP) ## A first look at the same; some 5 minutes, writes nothing
	$(BIN)/python -m benchmarks all --short

docs: $(STAMP) ## List all layers and public names in docs/, draw docs/pictures/results.svg
	$(BIN)/python docs/list_layers.py
	$(BIN)/python docs/list_api.py
	$(BIN)/python docs/draw_results.py

lint: $(STAMP) ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP) ## Bring the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## Remove environments and caches
	rm -rf $(VENV) $(WHEEL_ENV) .uv dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(STAMP): pyproject.toml constraints.txt | $(OWN_UV)
	@$(check_python)
	$(if $(UV),,@$(check_venv))
	$(call make_env,$(VENV))
	$(call install_into,$(VENV)) -e '.[dev]'
	touch $(STAMP)

$(BENCH_STAMP): $(STAMP)
	$(call install_into,$(VENV)) -e '.[dev,bench]'
	touch $(BENCH_STAMP)

.uv/bin/uv:
	@$(check_python)
	@$(check_venv)
	$(PYTHON) -m venv --clear .uv
	.uv/bin/python -m pip install --quiet uv

check_python = $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Zoo needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Name another with PYTHON=...")'
# Debian and Ubuntu split off the part of Python that puts pip into a new environment.
check_venv = $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make environments; install python3-venv (apt install python3-venv) or uv" >&2; exit 1; }
make_env = $(if $(UV),$(UV) venv --quiet --clear --python $(PYTHON) $(1),$(PYTHON) -m venv --clear $(1))
install_into = $(if $(UV),$(UV) pip install --quiet --python $(1)/bin/python,$(1)/bin/python -m pip install --quiet) -c constraints.txt
