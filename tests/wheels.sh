#!/usr/bin/env bash
# Build every distribution, install the wheels in a fresh environment, and decode with them.
set -euo pipefail
python=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for project in . plugins/ctcwordbeamsearch plugins/template; do
    "$python" -m build --quiet --wheel --sdist --outdir "$work/dist" "$project"
done
"$python" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet "$work"/dist/*.whl
cp corpora/lines/make_matrices.py corpora/lines/lines.txt corpora/lines/corpus.txt "$work"
cp corpora/demo/images/word-042.png "$work"
cd "$work"
unzip -l dist/ctckit-*.whl > listing  # no pipe: grep -q would end it early, which counts as failure
grep -q ctckit/py.typed listing
grep -q ctckit/recognizer/models/default.safetensors listing
venv/bin/python make_matrices.py dump
# A command that needs an extra which is not there names it.
mkdir images
if venv/bin/ctckit dump --images images 2> missing; then exit 1; fi
grep -q "pip install 'ctckit\[onnx\]'" missing
if venv/bin/ctckit read word-042.png 2> missing; then exit 1; fi
grep -q "pip install 'ctckit\[onnx\]'" missing
# That extra is enough, without Keras.
venv/bin/python -m pip install --quiet "$(echo "$PWD"/dist/ctckit-*.whl)[onnx]"
if venv/bin/python -c "import keras" 2> /dev/null; then exit 1; fi
venv/bin/ctckit read word-042.png
venv/bin/ctckit decoders check
venv/bin/ctckit bench dump --corpus corpus.txt
venv/bin/python -c "
import sys, ctckit
assert 'site-packages' in ctckit.__file__, ctckit.__file__
assert 'tensorflow' not in sys.modules
"
echo "wheels: installed and decoded with"
