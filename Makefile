# Every target sets up what it needs: a virtual environment in .venv with the package and its tools.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DATA ?=
BENCH ?=
QUALITY ?=
MUTANTS ?=
FAULTS ?=

.PHONY: docs demo test test-slow test-faults mutants chromium lint lock bench gpu-check quality flow weights wheel clean help

help:
	@echo "make demo             the released models on a simulated storm, then a small training (about 6 minutes on two cores)"
	@echo "make demo DATA=DIR    the same on your own data"
	@echo "make test             run the tests (about 5 minutes on two quiet cores)"
	@echo "make test-slow        train on two processes, kill a worker of a cluster, 50 interrupts, the pages of docs, an S3 server (153 tests; about 11 minutes on two cores)"
	@echo "make test-faults      kill commands, fill disks, break inputs, and count what is lost (20 to 100 minutes)"
	@echo "make mutants          change the code in many small ways and see whether the tests notice (about 20 minutes on two cores)"
	@echo "make lint             ruff, mypy and the order of imports"
	@echo "make lock             pin what CI installs, with hashes, in requirements.lock"
	@echo "make docs             build the documentation into build/site; a warning is an error"
	@echo "make bench            measure speed and memory (about 8 minutes on two cores)"
	@echo "make gpu-check        test and time a GPU (under 4 minutes; needs no network once installed)"
	@echo "make quality          score the released models on real storms (about 9 minutes on two cores)"
	@echo "make flow             compare flow estimators"
	@echo "make weights          train the released models anew (some hours of one core; goes on where it was stopped)"
	@echo "make wheel            build the wheel into dist/"
	@echo "make clean            remove what make made"

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; set PYTHON=python3.11, say")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

# The benchmark compares every engine, of which OpenVINO is too large for everybody.
$(VENV)/.bench: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	@touch $@

demo: $(VENV)/.installed
	$(BIN)/python scripts/demo.py "$(DATA)"

# Some tests look at a page in a browser, and are skipped with a reason where there is none.
chromium:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing chromium for the tests of the viewer"; \
		export DEBIAN_FRONTEND=noninteractive; \
		{ apt-get -qq update && apt-get -qq install -y --no-install-recommends chromium; } >/dev/null 2>&1 || \
		echo "chromium could not be installed; the tests that need it will be skipped"; \
	fi

test: $(VENV)/.installed chromium
	$(BIN)/python -m pytest

# The server of S3 that the slow tests start takes 85 MB.
$(VENV)/.s3: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test-s3]'
	@touch $@

test-slow: $(VENV)/.installed $(VENV)/.s3
	$(BIN)/python -m pytest -n0 -m slow

# Prints the counts. FAULTS takes parts and options: FAULTS="kills --kills 500".
test-faults: $(VENV)/.installed
	PYTHONPATH=tests $(BIN)/python -m faults.run $(FAULTS)

# In a copy, mutants/. MUTANTS takes options and modules: MUTANTS="--sample 0 losses tiles".
mutants: $(VENV)/.installed
	$(BIN)/python tests/mutants.py $(MUTANTS)

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# For every system and Python. Without CUDA, because the workflow takes torch for CPUs.
lock: $(VENV)/.installed
	mkdir -p build
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	printf 'hatchling\neditables\n' | UV_HTTP_TIMEOUT=300 $(BIN)/uv pip compile pyproject.toml - --extra dev --extra docs --extra test-s3 \
		-c constraints.txt --universal --python-version 3.11 --generate-hashes --no-annotate --quiet -o build/lock.txt \
		--custom-compile-command "make lock"
	awk '/^[^ ]/ { cuda = /^(cuda|nvidia)-|^triton=/ } !cuda' build/lock.txt > build/requirements.lock
	mv build/requirements.lock requirements.lock

$(VENV)/.docs: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	@touch $@

docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

bench: $(VENV)/.bench chromium
	$(BIN)/python -m benchmarks.bench $(BENCH)

gpu-check: $(VENV)/.installed
	$(BIN)/python -m benchmarks.gpu_check $(BENCH)

quality: $(VENV)/.installed
	$(BIN)/python -m experiments.quality $(QUALITY)

flow: $(VENV)/.installed
	$(BIN)/python -m experiments.flow

# Where a run was stopped it goes on; what it was trained with stays as it was.
weights: $(VENV)/.installed
	for name in faithful eddy ensemble faithful-2x; do \
		$(BIN)/tempogan-eddy train --config configs/release-$$name.json --resume auto \
			--set training.data_root=$${TEMPOGAN_EDDY_DATA:-../shared/data} || exit; \
	done
	$(BIN)/python scripts/release.py

wheel: $(VENV)/.installed
	$(BIN)/python -m pip wheel --quiet --no-deps -w dist .

clean:
	rm -rf $(VENV) demo dist build .pytest_cache mutants .ruff_cache .mypy_cache
