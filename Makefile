# Two commands matter: `make test` and `make demo`. Both set up .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PROJECTS := pyproject.toml plugins/ctcwordbeamsearch/pyproject.toml plugins/template/pyproject.toml
DEMO := out/demo
IMPORTED := ctckit plugins/ctcwordbeamsearch/ctcwordbeamsearch
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: setup test nojit demo lint types imports wheels check peers bench clean

setup: $(READY)

$(READY): $(PROJECTS) constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --group dev \
		--editable . --editable plugins/ctcwordbeamsearch --editable plugins/template
	touch $@

test: setup nojit
	$(BIN)/python -m pytest --numprocesses auto --quiet

# The kernels as plain Python: the tiny tests only, the others would crawl.
nojit: setup
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m pytest --quiet -m nojit tests

demo: setup
	$(BIN)/python corpora/demo/make_matrices.py $(DEMO)
	$(BIN)/ctckit decoders
	$(BIN)/ctckit decode $(DEMO) --decoder wordbeamsearch --corpus corpora/demo/corpus.txt | head
	$(BIN)/ctckit bench $(DEMO) --corpus corpora/demo/corpus.txt

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

imports: setup
	$(BIN)/lint-imports

# Every distribution's wheel, installed without this checkout in a fresh environment, decodes.
wheels: setup
	bash tests/wheels.sh $(BIN)/python

check: test lint types imports wheels

# The decoders that benchmarks/ compares with, in an environment of their own.
peers: .peers/.ready

.peers/.ready: $(PROJECTS) constraints.txt
	$(PYTHON) -m venv .peers
	.peers/bin/python -m pip install --quiet --upgrade pip
	.peers/bin/python -m pip install --quiet tensorflow-cpu fast-ctc-decode \
		--editable . --editable plugins/ctcwordbeamsearch
	touch $@

bench: peers
	.peers/bin/python benchmarks/speed.py

clean:
	rm -rf $(VENV) .peers out build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
