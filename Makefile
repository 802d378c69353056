# Two commands on a fresh machine: `make demo` and `make test`. Plain `make` is the developer's loop.
PYTHON ?= python3
# A CPU-only Linux machine elsewhere: make demo TORCH_INDEX=https://download.pytorch.org/whl/cpu
TORCH_INDEX ?=
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
THREADS := $(shell nproc 2>/dev/null || echo 2)
# Tests start many processes: compiled modules are kept even where the environment says otherwise.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: check install demo test bench ablation docs clean

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n $(THREADS) -m "not slow and not real"

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "frostline needs Python 3.11 or newer")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --upgrade pip
	$(BIN)/python -m pip install -q -c constraints.txt torch $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX))
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[train,fast,geo,grib,dev]'
	touch $@

demo: $(STAMP)
	$(BIN)/frostline demo

test: $(STAMP)
	$(BIN)/lint-imports
	$(BIN)/pytest -n $(THREADS)

bench: $(STAMP)
	$(BIN)/python -m benchmarks

ablation: $(STAMP)
	$(BIN)/python tools/ablation.py

docs: $(STAMP)
	$(BIN)/python tools/reference.py

clean:
	rm -rf $(VENV) runs .pytest_cache .mypy_cache .ruff_cache
