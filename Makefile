# make run    set up .venv, measure the smoke suite on the CPU, print and store the result
# make test   set up .venv with the test tools, run all tests
# make check  ruff, mypy, and the layers and sizes of files
# make bench  chipmark's own overhead, as ratios within one run
# make clean  remove .venv and caches (stored runs stay)
PYTHON ?= python3
BIN := .venv/bin
# A torch that is installed already (GPU images) is used as it is; otherwise the pinned versions.
HAS_TORCH := $(shell $(PYTHON) -c 'import importlib.util as u; print("yes" if u.find_spec("torch") else "")' 2>/dev/null)
# --system-site-packages shows what the base interpreter has; a torch in another virtual environment, out of which make
# was called, needs its folder named (appended to the path, so that .venv's own packages come first).
SEE_TORCH := import pathlib as p, sys, torch; found = p.Path(torch.__file__).parents[1]; \
    base = p.Path(sys.base_prefix).resolve(); base in found.resolve().parents or \
    next(p.Path(".venv/lib").glob("python*/site-packages")).joinpath("_torch_that_is_there.pth").write_text(f"{found}\n")
VENV_FLAGS := $(if $(HAS_TORCH),--system-site-packages)
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check $(if $(HAS_TORCH),,-c constraints.txt)

.PHONY: run test check bench clean

run: .venv/.run
	$(BIN)/chipmark run smoke --device cpu

test: .venv/.dev
	$(BIN)/python -m pytest

check: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_layers.py

bench: .venv/.dev
	$(BIN)/python -m benchmarks

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist

.venv/bin/python:
	$(PYTHON) -m venv $(VENV_FLAGS) .venv
	$(if $(HAS_TORCH),@$(PYTHON) -c '$(SEE_TORCH)')

# The stamps are made last, so that an interrupted installation is done again.
.venv/.run: .venv/bin/python pyproject.toml constraints.txt
	$(PIP) -e '.[all]'
	touch $@

.venv/.dev: .venv/bin/python pyproject.toml constraints.txt
	$(PIP) -e '.[dev]'
	touch $@ .venv/.run
