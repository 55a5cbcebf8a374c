# Two commands matter: `make test` and `make demo`. Both set up .venv first.
PYTHON ?= python3
BIN := .venv/bin
SETUP := .venv/.ready

.PHONY: setup test demo lint types imports wheels peers bench clean

setup: $(SETUP)
$(SETUP): pyproject.toml constraints.txt plugins/ctcwordbeamsearch/pyproject.toml plugins/template/pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group dev \
		--editable . --editable plugins/ctcwordbeamsearch --editable plugins/template
	touch $@
