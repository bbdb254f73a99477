# `make demo` and `make test` set everything up automatically; `make help` lists all targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash
BIN := .venv/bin
UV_VERSION := 0.13.9
READY := .venv/.ready
QUICK := "not integration and not slow and not gpu"

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.PHONY: setup
setup: $(READY) ## Create .venv and install the locked dependencies

$(READY): requirements.lock pyproject.toml
	@echo "==> Setting up .venv (once)"
	python3 -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv==$(UV_VERSION)"
	$(BIN)/uv pip sync --quiet --python $(BIN)/python requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps "uv==$(UV_VERSION)" --editable .
	@touch $@

.PHONY: system
system: ## Install the servers that integration tests start (Debian, as root); tests that need them are otherwise skipped
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $$(cat tests/integration/debian-packages.txt)

.PHONY: demo
demo: $(READY) ## Search on real digits, ending with a Pareto front: about 2 minutes
	@echo "==> Searching anti-sample hyperparameters for scikit-learn's digits (studies/demo.yaml)"
	$(BIN)/antisample run studies/demo.yaml

.PHONY: test
test: check unit integration-quick ## Everything that must pass: lint, types, imports, all quick tests

.PHONY: check
check: $(READY) ## Format, lint, types and import rules
	@echo "==> Checking format, lint, types and import rules"
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: unit
unit: $(READY) ## Fast tests; P=tuning/study runs those of one package or file
	@echo "==> Running unit tests"
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 -m $(QUICK) $(P:%=tests/%)

.PHONY: coverage
coverage: $(READY) ## What the fast tests cover of the four packages; P=tuning/study: those of one package
	@echo "==> Measuring the coverage of unit tests"
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 -m $(QUICK) --cov antisample --cov search_spaces --cov tuning --cov cluster \
		--cov-report term $(P:%=tests/%)

.PHONY: integration-quick
integration-quick: $(READY)
	@echo "==> Running integration tests"
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 -m "integration and not slow and not gpu" --ignore tests/integration
	$(BIN)/pytest -m "integration and not slow and not gpu" tests/integration

.PHONY: integration
integration: $(READY) ## All integration tests, including the long ones
	$(BIN)/pytest -m "(integration or slow) and not soak" --ignore tests/hostile

.PHONY: hostile
hostile: $(READY) ## Run all hostile inputs, about 1,700, through the command line: long
	@echo "==> Running hostile inputs"
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 tests/hostile

.PHONY: images
images: $(READY) runs/demo/report.html ## Create the images in docs/images from the demo study (needs Chromium: make system)
	PYTHONPATH=tests/integration $(BIN)/python docs/make_images.py runs/demo

runs/demo/report.html:
	$(MAKE) demo

.PHONY: soak
soak: $(READY) ## Kill the driver of one study 100 times: about an hour
	$(BIN)/pytest -m soak

.PHONY: gpu
gpu: $(READY) ## Run the tests that need a CUDA device
	$(BIN)/pytest -m gpu

.PHONY: gpu-benchmarks
gpu-benchmarks: $(READY) ## Run the benchmarks that need a CUDA device; DATA=FOLDER holds CIFAR-10 as Parquet
	$(BIN)/python benchmarks/bench_generate.py --data $(DATA) --device cuda --name generate-gpu
	$(BIN)/python benchmarks/bench_unlearn.py --data $(DATA) --models ResNet18 --share 1 --inside 3 --name unlearn-gpu
	$(BIN)/python benchmarks/bench_unlearn.py --data $(DATA) --models ResNet9,AllCNN,MobileNet_v2 --share 0.1 \
		--inside 3 --name unlearn-gpu-wide
	$(BIN)/python benchmarks/bench_packing.py --data $(DATA) --device cuda --name packing-gpu

.PHONY: docs
docs: $(READY) ## Build the documentation site: build/site/index.html
	@echo "==> Building the documentation site"
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo "Open build/site/index.html"

.PHONY: wheel
wheel: $(READY) ## Build the wheel and the source distribution in dist/, and check both
	rm -rf dist
	$(BIN)/uv build --quiet --out-dir dist
	$(BIN)/uvx --quiet twine@7.0.0 check --strict dist/*
	$(BIN)/uvx --quiet check-wheel-contents@0.6.3 dist/*.whl

# Not below the repository: its tests would be collected there, too.
LOWEST := $(HOME)/.cache/antisample-lowest
.PHONY: test-lowest
test-lowest: $(READY) ## Unit tests with the oldest permitted dependencies, in an environment of their own; P=tuning/study
	mkdir -p $(LOWEST)
	grep -E '^(gcp-storage-emulator|hypothesis|moto|pytest|pytest-xdist)==' requirements.lock | sed 's/^moto==/moto[server]==/' > $(LOWEST)/tests.in
	$(BIN)/uv pip compile --quiet pyproject.toml $(LOWEST)/tests.in --extra all --resolution lowest-direct \
		--python-version 3.11 --no-annotate --no-emit-index-url --no-header --output-file $(LOWEST)/requirements.txt
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(LOWEST)/env
	$(BIN)/uv pip install --quiet --python $(LOWEST)/env/bin/python --requirement $(LOWEST)/requirements.txt
	$(BIN)/uv pip install --quiet --python $(LOWEST)/env/bin/python --no-deps --editable .
	OMP_NUM_THREADS=1 $(LOWEST)/env/bin/python -m pytest -n 2 -m $(QUICK) $(P:%=tests/%)

.PHONY: lock
lock: ## Resolve the dependencies again (after editing pyproject.toml)
	$(BIN)/uv pip compile --quiet pyproject.toml --extra dev --universal --python-version 3.11 \
		--no-annotate --no-emit-index-url --no-header --upgrade --output-file requirements.lock
	$(BIN)/uv pip compile --quiet pyproject.toml --extra jobs --extra postgresql --constraint requirements.lock \
		--universal --python-version 3.11 --no-annotate --no-emit-index-url --no-header \
		--output-file docker/requirements.lock

.PHONY: format
format: $(READY) ## Format the code and apply automatic fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: clean
clean: ## Remove the environment and caches, but keep the studies in runs/
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage
