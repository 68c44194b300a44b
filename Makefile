# All set-up is done by the targets themselves: a fresh machine needs Python 3.11+ and make. The install goes to .venv;
# versions are those of infra/constraints.txt.
PYTHON ?= python3
BIN := .venv/bin
LAKE ?= lake
# The lake of `make knobs`.
KNOBS ?= findings

# Threads: two OpenMP threads on a busy machine are many times slower than one, and differ in the last bits.
# Offline and quiet: nothing here asks the network once the packages are installed.
export OMP_NUM_THREADS ?= 1
export HF_HUB_OFFLINE ?= 1
export DO_NOT_TRACK ?= 1
export PREFECT_SERVER_ANALYTICS_ENABLED ?= false
export RAY_USAGE_STATS_ENABLED ?= 0

# Where `make bench` keeps its tables, and a checkout of the paper's released code, if you have one.
BENCH ?= build/bench
RELEASED ?=

# The folder of packages for `make bench-gpu`, and the Python version of the machine with the GPU.
KIT ?= build/gpu-kit
KIT_PYTHON ?= 3.12

# Test files at a time: the long ones mostly wait for processes that they started. 0: one after the other.
TESTERS ?= 3

.PHONY: help install demo findings knobs test test-slow lint bench bench-gpu bench-gpu-kit docs dist pins resolve clean

help:
	@echo "make demo   install, run the demo experiment, print the path of its report"
	@echo "make test   install, then linters, types, layers and the tests, TESTERS=3 files at a time"
	@echo "make test-slow  the tests that start servers, clusters and many processes: as long again"
	@echo "make lint   the linters alone"
	@echo "make findings  the experiments of docs/findings-shapes.md (an hour or more on two cores), then its tables and figures"
	@echo "make knobs  the head to head of docs/knobs.md (two hours or more on two cores), then its tables and figures"
	@echo "make bench  how fast it is: prints the tables, keeps them in $(BENCH); RELEASED=folder of the paper's code"
	@echo "make bench-gpu  everything that needs a GPU, in under eight minutes: writes $(BENCH)/gpu.json; needs torch, Triton and KIT"
	@echo "make bench-gpu-kit  download into $(KIT) what a machine with torch and Triton lacks for it; KIT_PYTHON=3.12"
	@echo "make docs   the documentation as a site in build/site"
	@echo "make dist   the wheel and the source distribution in dist"
	@echo "make pins   write infra/constraints.txt from what .venv holds; make resolve: ask pip whether it resolves"
	@echo "make clean  remove what make made (not the lake)"

install: .venv/installed

# A stamp for each set of extras, so that the demo does not wait for linters.
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check -c infra/constraints.txt

.venv/installed: pyproject.toml setup.py infra/constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "skewbench needs Python 3.11 or newer; try make PYTHON=python3.11")'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot create an environment; on Debian and Ubuntu: sudo apt install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(PIP) -e .
	touch $@

.venv/installed-test: .venv/installed
	$(PIP) -e ".[test,lint]"
	touch $@

demo: install
	$(BIN)/skewbench run demo --lake $(LAKE)

findings: install
	$(BIN)/skewbench run shapes-baseline --lake findings
	$(BIN)/skewbench run shapes-two-objects --lake findings
	$(BIN)/skewbench run shapes-grid --lake findings
	$(BIN)/python docs/refresh.py docs/findings-shapes.md --lake findings

knobs: install
	$(BIN)/skewbench run knobs --lake $(KNOBS)
	$(BIN)/skewbench run knobs-guard --lake $(KNOBS)
	$(BIN)/python docs/refresh.py docs/knobs.md --lake $(KNOBS)

lint: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	mkdir -p build/typed && ln -sfn ../.. build/typed/skewbench
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint
	$(BIN)/python -m pytest -n $(TESTERS) --dist loadfile --no-loadscope-reorder --durations=10

test-slow: .venv/installed-test
	$(BIN)/python -m pytest -m slow -n $(TESTERS) --dist loadfile --no-loadscope-reorder --durations=10

bench: .venv/installed-test
	$(BIN)/python -m tests.bench --out "$(BENCH)" $(if $(RELEASED),--released "$(RELEASED)")

# Runs without .venv and without the network: with PYTHON's torch and Triton, and the packages of $(KIT).
bench-gpu:
	PYTHON="$(PYTHON)" sh tests/bench/gpu.sh "$(KIT)" --out "$(BENCH)" $(if $(RELEASED),--released "$(RELEASED)")

bench-gpu-kit: .venv/installed
	mkdir -p "$(KIT)"
	$(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
		--python-version $(KIT_PYTHON) --implementation cp --platform manylinux2014_x86_64 \
		--dest "$(KIT)" -c infra/constraints.txt -r tests/bench/gpu-kit.txt

.venv/installed-docs: .venv/installed
	$(PIP) -e ".[docs]"
	touch $@

docs: .venv/installed-docs
	$(BIN)/python docs/pages.py
	env -u PYTHONPATH $(BIN)/zensical build --clean --strict

# The build needs the network: pip fetches the build backend into an environment of its own.
dist: .venv/installed
	$(PIP) "build>=1.3,<2"
	rm -rf dist
	$(BIN)/python -m build --outdir dist

pins: .venv/installed-test
	$(PIP) -e ".[cluster,docs]"
	$(BIN)/python infra/pins.py

# Nothing is installed; pip reads the metadata of all extras from the package index.
resolve: .venv/installed
	$(PIP) --dry-run -e ".[test,lint,cluster,docs]"

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
