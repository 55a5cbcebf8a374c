#!/usr/bin/env bash
# Build every distribution, look into what was built, install it in a fresh environment, and use it.
# dist/ holds sdists and the wheels that are made of them, tree/ the wheels of this checkout.
set -euo pipefail
python=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
build() {  # not isolated: hatchling is among the tools of this checkout
    "$python" -m build --no-isolation "$@" > "$work/log-$(basename "$PWD/${!#}")" 2>&1 || {
        cat "$work/log-$(basename "$PWD/${!#}")"
        return 1
    }
}
jobs=()
for project in pyproject.toml plugins/*/pyproject.toml; do
    project=$(dirname "$project")
    (
        build --outdir "$work/dist" "$project"
        build --wheel --outdir "$work/tree" "$project"
    ) &
    jobs+=($!)
done
"$python" -m venv "$work/venv"
for job in "${jobs[@]}"; do wait "$job"; done
"$python" -m twine check --strict "$work"/dist/* > "$work/log" || { cat "$work/log"; exit 1; }
"$python" tests/wheels.py "$work/dist" "$work/tree"
cp corpora/lines/make_matrices.py corpora/lines/lines.txt corpora/lines/corpus.txt "$work"
cp corpora/demo/images/word-042.png "$work"
cd "$work"
venv/bin/python -m pip install --quiet dist/*.whl
venv/bin/python make_matrices.py dump
# A command that needs an extra which is not there names it.
mkdir images
if venv/bin/ctckit dump --images images 2> missing; then exit 1; fi
grep -q "pip install 'ctckit\[onnx\]'" missing
if venv/bin/ctckit read word-042.png 2> missing; then exit 1; fi
grep -q "pip install 'ctckit\[onnx\]'" missing
# A new decoder of each kind is installed as its README says, with what its tests need.
venv/bin/ctckit decoders new newfunction
venv/bin/ctckit decoders new newclass --class
venv/bin/python -m pip install --quiet "$(echo "$PWD"/dist/ctckit-*.whl)[onnx,testing]" \
    './ctckit-newfunction[test]' './ctckit-newclass[test]' &
jobs=($!)
# Every decoder runs. What takes the time is compiling, so in two processes, after what all need.
venv/bin/ctckit decoders check bestpath template
for names in "beamsearch ngrambeamsearch" "lexiconsearch prefixsearch tokenpassing wordbeamsearch"; do
    # shellcheck disable=SC2086 - several names
    venv/bin/ctckit decoders check $names > "check-${names// /-}" 2>&1 &
    jobs+=($!)
done
failed=0
for job in "${jobs[@]}"; do wait "$job" || failed=1; done
cat check-*
[ "$failed" = 0 ]
venv/bin/ctckit bench dump --corpus corpus.txt
venv/bin/ctckit decoders check newfunction newclass
for name in newfunction newclass; do (cd "ctckit-$name" && ../venv/bin/python -m pytest --quiet); done
# The extra onnx is enough to read images, without Keras.
if venv/bin/python -c "import keras" 2> /dev/null; then exit 1; fi
venv/bin/ctckit read word-042.png
venv/bin/python -c "
import sys, ctckit
assert 'site-packages' in ctckit.__file__, ctckit.__file__
assert 'tensorflow' not in sys.modules
"
echo "wheels: installed and decoded with"
