# Two commands matter: `make test` and `make demo`. Both set up .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# The small TensorFlow where there is no GPU; both fill the same folder.
TENSORFLOW ?= $(if $(shell command -v nvidia-smi),tensorflow[and-cuda],tensorflow-cpu)
PROJECTS := pyproject.toml $(wildcard plugins/*/pyproject.toml)
# make demo IMAGES=my-words WORDS=my-words.txt
IMAGES ?= corpora/demo/images
WORDS ?= corpora/demo/words.txt
DEMO := out/demo
IMPORTED := ctckit plugins/ctcwordbeamsearch/ctcwordbeamsearch
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: setup test nojit demo lint types imports wheels docs check peers table model kenlm bench shims language lm speed accuracy networks clean

setup: $(READY)

$(READY): $(PROJECTS) constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --group dev --group docs \
		--editable '.[images,onnx,plots]' '$(TENSORFLOW)' \
		--editable plugins/ctcwordbeamsearch --editable plugins/ctckit-peers --editable plugins/template
	$(BIN)/python -m pip install --quiet --no-deps pyctcdecode  # says NumPy 1, runs with 2
	touch $@

test: setup nojit
	$(BIN)/python -m pytest --numprocesses auto --dist loadgroup --quiet

# The kernels as plain Python: the tiny tests only, the others would crawl.
nojit: setup
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m pytest --quiet -m nojit tests

# From images to the table of error rates. The decoders are tried on the dump whatever its images are.
demo: setup
	$(BIN)/ctckit dump --images '$(IMAGES)' --output $(DEMO) --overwrite
	$(BIN)/ctckit decode $(DEMO) --decoder wordbeamsearch --corpus '$(WORDS)' | head
	$(BIN)/ctckit bench $(DEMO) --corpus '$(WORDS)'

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy
	$(BIN)/python tests/typing/public_types.py

imports: setup
	$(BIN)/lint-imports

# Every distribution's wheel, installed without this checkout in a fresh environment, decodes.
wheels: setup
	bash tests/wheels.sh $(BIN)/python

# The site of the documents, out/docs/index.html. Warnings are errors.
docs: setup
	rm -rf out/docs
	$(BIN)/sphinx-build -W --keep-going --quiet -b html -c docs . out/docs
	$(BIN)/python docs/check_site.py out/docs

check: test lint types imports wheels docs

# The decoders that ctckit-peers adapts, for benchmarks/, in an environment of their own.
peers: .peers/.ready

.peers/.ready: $(PROJECTS) constraints.txt
	$(PYTHON) -m venv .peers
	.peers/bin/python -m pip install --quiet --upgrade pip
	.peers/bin/python -m pip install --quiet tensorflow-cpu --editable '.[testing]' \
		--editable plugins/ctcwordbeamsearch \
		--editable 'plugins/ctckit-peers[fast-ctc-decode,pyctcdecode]'
	.peers/bin/python -m pip install --quiet --no-deps pyctcdecode  # says NumPy 1, runs with 2
	.peers/bin/python -m pip install --quiet flashlight-text || echo "flashlight-text is left out"
	.peers/bin/python -m pip install --quiet kenlm || echo "pyctcdecode is left out, since kenlm, \
	which takes a C++ compiler, cmake and some minutes, could not be built"
	touch $@

# The bundled model, trained again in two stages: hours on two cores. DATA is a folder of images with
# texts. Both stages keep the same writers for validation.
DATA ?= ../shared/handwriting/train
MODEL := out/model
TRAIN = $(BIN)/ctckit train --data $(DATA) --synthetic --fonts out/fonts/train --evaluate-every 10000
model: setup
	$(BIN)/python corpora/fonts/fetch.py out/fonts
	$(BIN)/python corpora/words/fetch.py out/words
	$(TRAIN) $(foreach list,english english french german,--words out/words/$(list).txt) \
		--images 1500000 --minutes 116 --output $(MODEL)/first
	$(TRAIN) $(foreach list,english-text english-text english french german,--words out/words/$(list).txt) \
		--start-from $(MODEL)/first/model.safetensors --learning-rate 0.0015 \
		--images 3000000 --minutes 84 --output $(MODEL)/second
	cp $(MODEL)/second/model.safetensors ctckit/recognizer/models/default.safetensors

# What the peers pass of the conformance suite, for docs/peers.md.
table: peers
	.peers/bin/python docs/make_peers.py

bench: peers
	.peers/bin/python benchmarks/speed.py

# The shims beside the originals, the same calls.
shims: peers
	.peers/bin/python benchmarks/shims.py

# Decoding with language models, beside the peers that do, those that could be installed.
language: peers
	.peers/bin/python benchmarks/language.py

# KenLM, which is built from source in some minutes, and whose scores must be ours.
kenlm: setup
	$(BIN)/python -m pip install --quiet --target .peers/kenlm kenlm==0.3.0
	PYTHONPATH=.peers/kenlm $(BIN)/python -m pytest --quiet tests/oracle/test_kenlm.py

# Language models beside IRSTLM's and KenLM's, those that are installed.
lm: setup
	PYTHONPATH=.peers/kenlm $(BIN)/python benchmarks/language_models.py

# Images to matrices, beside SimpleHTR's network; MEMORY=100000 for the memory of a large dump.
MEMORY ?= 0
speed: setup
	$(BIN)/python benchmarks/recognizer.py --memory $(MEMORY)

# Errors of the bundled model on the handwriting test set, where that lies beside the checkout.
accuracy: setup
	$(BIN)/python corpora/words/fetch.py out/words
	$(BIN)/python corpora/words/frequencies.py out/words
	$(BIN)/python benchmarks/accuracy.py

# Networks compared by training each on the same images; an hour on two cores.
networks: setup
	$(BIN)/python corpora/fonts/fetch.py out/fonts
	$(BIN)/python corpora/words/fetch.py out/words
	$(BIN)/python benchmarks/networks.py

clean:
	rm -rf $(VENV) .peers out build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
