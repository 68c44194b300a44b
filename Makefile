# All set-up is done by the targets themselves: a fresh machine needs Python 3.11+ and make.
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

# Test files at a time: the long ones mostly wait for processes that they started. 0: one after the other.
TESTERS ?= 3

.PHONY: help install demo findings knobs test test-slow lint bench clean

help:
	@echo "make demo   install, run the demo experiment, print the path of its report"
	@echo "make test   install, then linters, types, layers and the tests, TESTERS=3 files at a time"
	@echo "make test-slow  the tests that start servers, clusters and many processes: as long again"
	@echo "make lint   the linters alone"
	@echo "make findings  the experiments of docs/findings-shapes.md (an hour or more on two cores), then its tables and figures"
	@echo "make knobs  the head to head of docs/knobs.md (two hours or more on two cores), then its tables and figures"
	@echo "make bench  how fast it is: prints the tables, keeps them in $(BENCH); RELEASED=folder of the paper's code"
	@echo "make clean  remove what make made (not the lake)"

install: .venv/installed

.venv/installed: pyproject.toml setup.py
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "skewbench needs Python 3.11 or newer; try make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[test]"
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

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	mkdir -p build/typed && ln -sfn ../.. build/typed/skewbench
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint
	$(BIN)/python -m pytest -n $(TESTERS) --dist loadfile --no-loadscope-reorder --durations=10

test-slow: install
	$(BIN)/python -m pytest -m slow -n $(TESTERS) --dist loadfile --no-loadscope-reorder --durations=10

bench: install
	$(BIN)/python -m tests.bench --out "$(BENCH)" $(if $(RELEASED),--released "$(RELEASED)")

clean:
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
