# `make demo` and `make test` each set up .venv first, once; both work on a fresh machine with Python 3.11 or newer.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
BENCHMARKS := cold_start lint compile_scale share frozen
EDITOR_SERVER := $(VENV)/.editor_server

.PHONY: demo test check bench generate clean

demo: $(READY)
	$(BIN)/craftc run specs/vit_ablation.yaml

test: check $(EDITOR_SERVER)
	$(BIN)/pytest -n 2 --dist loadfile

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m craftc.components.describe --check
	$(BIN)/python docs/generate.py --check
	$(BIN)/craftc lint specs examples

# The small version of every benchmark, one after another; RESULTS=folder keeps the numbers.
RESULTS ?= $(VENV)/bench
bench: $(READY)
	for script in $(BENCHMARKS); do \
	  echo "== $$script"; $(BIN)/python benchmarks/$$script.py --small --json $(RESULTS)/$$script.json || exit 1; \
	done

# What is generated from the code: the catalogue of components, the published schema, the references under docs/.
generate: $(READY)
	$(BIN)/python -m craftc.components.describe
	$(BIN)/python docs/generate.py

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'craftc needs Python 3.11 or newer; name one: make PYTHON=python3.12 demo' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[run,dev]'
	@touch $(READY)

# What editors complete and explain is tested against a real language server; without npm those tests are left out.
$(EDITOR_SERVER): $(READY)
	@if ! command -v npm > $@.log 2>&1; then echo 'no npm: the tests of editors are left out'; \
	elif npm install --silent --no-audit --no-fund --no-save --fetch-retries=0 --prefix $(VENV) yaml-language-server@1.25.0 > $@.log 2>&1; then touch $@; \
	else echo 'npm cannot install yaml-language-server ($@.log): the tests of editors are left out'; fi

clean:
	rm -rf $(VENV)
