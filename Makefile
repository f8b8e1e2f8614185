# Each target starts from a fresh clone: it makes .venv, installs what constraints.txt pins, and builds the native kernels.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt
NATIVE := CMakeLists.txt $(wildcard csrc/*) $(wildcard csrc/kernels/*)
SOURCES := src tests examples

.PHONY: run test test-fast check format bench wheel sanitize install clean

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
	$(BIN)/tamis bench spmm -o docs/results

wheel: install
	$(BIN)/python -m pip wheel -q --no-build-isolation --no-deps -c constraints.txt -w dist .

# The native tests under AddressSanitizer and UndefinedBehaviorSanitizer, in an environment of their own that borrows the packages of .venv.
sanitize: install
	rm -rf build/sanitize && $(PYTHON) -m venv build/sanitize
	$(BIN)/python -c "import sysconfig; print(sysconfig.get_path('purelib'))" > $$(build/sanitize/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")/borrowed.pth
	PATH=$(abspath $(BIN)):$$PATH build/sanitize/bin/python -m pip install -q --no-build-isolation --no-deps -c constraints.txt -C cmake.define.TAMIS_SANITIZE=ON -C build-dir=build/sanitize-native .
	ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 \
	LD_PRELOAD="$$($${CXX:-g++} -print-file-name=libasan.so) $$($${CXX:-g++} -print-file-name=libstdc++.so)" \
	build/sanitize/bin/python -m pytest tests/native tests/conformance tests/voxel/test_kernel_map.py tests/voxel/test_sparse_conv.py -p no:cacheprovider -k "not shapes_and_formats and not openmp and not hot_loops"

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
