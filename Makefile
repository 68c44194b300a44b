# The targets install what they need: a fresh machine needs only Python 3.11+ and make. The install goes to .venv, with the
# versions of infra/constraints.txt.
PYTHON ?= python3
BIN := .venv/bin
LAKE ?= lake
# The lakes of `make knobs` and `make strip`.
KNOBS ?= findings
STRIP ?= findings

# Threads: two OpenMP threads on a busy machine are many times slower than one, and differ in the last bits.
# Offline and quiet: no target but dist and resolve uses the network once the packages are installed.
export OMP_NUM_THREADS ?= 1
export HF_HUB_OFFLINE ?= 1
export DO_NOT_TRACK ?= 1
export PREFECT_SERVER_ANALYTICS_ENABLED ?= false
export RAY_USAGE_STATS_ENABLED ?= 0

# The folder for the tables of `make bench`, and optionally a checkout of the paper's released code.
BENCH ?= build/bench
RELEASED ?=

# The folder of packages for `make bench-gpu`, and the Python version of the machine with the GPU.
KIT ?= build/gpu-kit
KIT_PYTHON ?= 3.12

# Test files that run at the same time. The long ones mostly wait for processes that they started. 0: sequential.
TESTERS ?= 3

.PHONY: help install demo findings findings-shapes knobs strip test test-slow lint bench bench-gpu bench-gpu-kit docs dist pins resolve clean

help:
	@echo "make demo   install, run the demo experiment, print the path of its report"
	@echo "make test   install, then run linters, type checks, layer checks and the tests, TESTERS=3 files at a time"
	@echo "make test-slow  run the tests that start servers, clusters and many processes; takes as long again"
	@echo "make lint   run the linters only"
	@echo "make findings  run the experiments of docs/findings.md on all bundled models (an hour and a half on two cores; run it again to resume), then write its tables and figures"
	@echo "make findings-shapes  the same for docs/findings-shapes.md, on shapes-xl alone (an hour or more on two cores)"
	@echo "make knobs  run the comparison of docs/knobs.md (two hours or more on two cores), then write its tables and figures"
	@echo "make strip  generate the images at the top of the README (a minute on one core)"
	@echo "make bench  measure the speed: print the tables and write them to $(BENCH); RELEASED=folder of the paper's code"
	@echo "make bench-gpu  run everything that needs a GPU in under eight minutes: writes $(BENCH)/gpu.json; needs torch, Triton and KIT"
	@echo "make bench-gpu-kit  download the packages for it that a machine with torch and Triton lacks to $(KIT); KIT_PYTHON=3.12"
	@echo "make docs   build the documentation as a site in build/site"
	@echo "make dist   build the wheel and the source distribution in dist"
	@echo "make pins   write infra/constraints.txt from the packages in .venv; make resolve: ask pip whether it resolves"
	@echo "make clean  remove everything that make created, except the lake"

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
	$(BIN)/python docs/findings.py --lake findings
	$(BIN)/python docs/refresh.py docs/findings.md --lake findings

findings-shapes: install
	$(BIN)/skewbench run shapes-baseline --lake findings
	$(BIN)/skewbench run shapes-two-objects --lake findings
	$(BIN)/skewbench run shapes-grid --lake findings
	$(BIN)/python docs/refresh.py docs/findings-shapes.md --lake findings

knobs: install
	$(BIN)/skewbench run knobs --lake $(KNOBS)
	$(BIN)/skewbench run knobs-guard --lake $(KNOBS)
	$(BIN)/python docs/refresh.py docs/knobs.md --lake $(KNOBS)

strip: install
	$(BIN)/skewbench run docs/strip.yaml --local --lake $(STRIP)
	$(BIN)/python docs/strip.py --lake $(STRIP)

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
