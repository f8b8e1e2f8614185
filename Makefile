# Each target starts from a fresh clone: it makes .venv, installs what constraints.txt pins, and builds the native kernels.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt
NATIVE := CMakeLists.txt $(wildcard csrc/*) $(wildcard csrc/kernels/*)
SOURCES := src tests examples

.PHONY: run test test-fast check format bench wheel docs kills sanitize fuzz install clean

run: install
	$(BIN)/tamis tour

test: install
	$(BIN)/python -m pytest

test-fast: install
	$(BIN)/python -m pytest -m "not slow"

check: install
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy

format: install
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

bench: install
	$(BIN)/tamis bench spmm

# For the Python of .venv; CONTRIBUTING.md says how those of a release are built. auditwheel gives the wheel its manylinux tag. libgomp stays
# out of it: torch brings one, and a process needs exactly one.
wheel: install
	rm -rf dist build/wheel && mkdir -p dist build/wheel
	PATH=$(abspath $(BIN)):$$PATH $(BIN)/python -m pip wheel -q --no-build-isolation --no-deps -c constraints.txt -w build/wheel .
	PATH=$(abspath $(BIN)):$$PATH $(BIN)/auditwheel repair --exclude libgomp.so.1 -w dist build/wheel/tamis-*.whl

docs: install
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build -q

# kill -9 at random moments in prune, features, train and segment; what is written afterwards is compared with undisturbed runs.
kills: install
	$(BIN)/python -m tests.campaign.kills --kills $(or $(KILLS),100) --minutes $(or $(MINUTES),15)

# The native tests under AddressSanitizer and UndefinedBehaviorSanitizer, in an environment of their own that borrows the packages of .venv;
# without those that compile kernels of their own or time them.
sanitize: install
	rm -rf build/sanitize && $(PYTHON) -m venv build/sanitize
	$(BIN)/python -c "import sysconfig; print(sysconfig.get_path('purelib'))" > $$(build/sanitize/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")/borrowed.pth
	PATH=$(abspath $(BIN)):$$PATH build/sanitize/bin/python -m pip install -q --no-build-isolation --no-deps -c constraints.txt -C cmake.define.TAMIS_SANITIZE=ON -C build-dir=build/sanitize-native .
	ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 \
	LD_PRELOAD="$$($${CXX:-g++} -print-file-name=libasan.so) $$($${CXX:-g++} -print-file-name=libstdc++.so)" \
	build/sanitize/bin/python -m pytest tests/native tests/conformance tests/ops/kernel_map tests/ops/sparse_conv tests/ops/test_addresses.py tests/formats/files -p no:cacheprovider -k "not openmp and not hot_loops and not fma_peak and not symbol and not emulated and not neon"

# Hostile input to every reader and constructor, for so many minutes; SEED= repeats a campaign.
fuzz: install
	$(BIN)/python -m tests.fuzz --minutes $(or $(MINUTES),5) --seed $(or $(SEED),0)

install: $(VENV)/.installed

$(VENV)/.torch: constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) torch
	$(PIP) scikit-build-core nanobind ninja cmake
	touch $@

$(VENV)/.installed: $(VENV)/.torch pyproject.toml $(NATIVE)
	PATH=$(abspath $(BIN)):$$PATH $(PIP) --no-build-isolation -e '.[all,dev]'
	touch $@

clean:
	rm -rf build dist $(VENV)
