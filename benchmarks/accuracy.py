"""Errors of the bundled model on the handwriting test set, by source and decoder.

    make accuracy

Reads the images of ../shared/handwriting/test and its labels.csv, whose columns `source` and `kind`
say where an image is from, and whether it is a word or a line. Word beam search gets the word list
of the source's language that corpora/words/fetch.py makes; none of them has anything to do with the
test. The result goes to benchmarks/accuracy.json.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from pathlib import Path
from typing import Any

from ctckit import load_decoder
from ctckit.metrics import count_errors
from ctckit.recognizer.images import read_image
from ctckit.recognizer.recognizer import Recognizer

ROOT = Path(__file__).resolve().parents[1]
TEST = ROOT.parent / "shared" / "handwriting" / "test"
WORDS = ROOT / "out" / "words"
RESULT = Path(__file__).with_suffix(".json")
LANGUAGES = {"dhsd": "german", "copiste": "french", "stanford": "english", "breta": "english"}
DECODERS = ("bestpath", "beamsearch", "wordbeamsearch")


def read_labels() -> list[dict[str, str]]:
    """Return the rows of the test set's labels.csv."""
    with (TEST / "labels.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def matrices(recognizer: Recognizer, files: list[Path]) -> Any:
    """Return the CTC matrices of images, in one batch."""
    from ctckit.matrices import MatrixBatch

    prepared = [recognizer.prepare(read_image(file)) for file in files]
    order = sorted(range(len(files)), key=lambda i: prepared[i].shape[1])
    found: dict[int, Any] = {}
    for start in range(0, len(order), 32):
        part = order[start : start + 32]
        batch = recognizer.recognize([prepared[i] for i in part])
        found.update((i, batch[j : j + 1]) for j, i in enumerate(part))
    return MatrixBatch.concatenate([found[i] for i in range(len(files))])


def options_of(decoder: str, source: str) -> dict[str, Any]:
    """Return the decoder's options for a source."""
    if decoder != "wordbeamsearch":
        return {}
    return {"corpus": str(WORDS / f"{LANGUAGES[source]}.txt")}


def main() -> int:
    """Measure, print a table, keep it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", help="another model than the bundled one")
    arguments = parser.parse_args()
    if not TEST.is_dir():
        sys.exit(f"accuracy.py: the test set must be in {TEST.relative_to(ROOT.parent)}, got none")
    rows = read_labels()
    recognizer = Recognizer.load(arguments.model)
    groups: dict[tuple[str, str], list[dict[str, str]]] = {}
    for row in rows:
        groups.setdefault((row["kind"], row["source"]), []).append(row)
    result = []
    print("| source | kind | images | decoder | CER | WER | exact |")
    print("|---|---|---:|---|---:|---:|---:|")
    for (kind, source), group in sorted(groups.items(), reverse=True):
        batch = matrices(recognizer, [TEST / row["file"] for row in group])
        for name in DECODERS:
            decoder = load_decoder(name, recognizer.alphabet, **options_of(name, source))
            texts = decoder.decode_batch(batch).texts()
            counts = count_errors([row["text"] for row in group], texts)
            one = {
                "source": source,
                "kind": kind,
                "images": counts.lines,
                "decoder": name,
                "cer": round(counts.cer, 4),
                "wer": round(counts.wer, 4),
                "exact": round(counts.exact, 4),
            }
            print("| " + " | ".join(map(str, one.values())) + " |", flush=True)
            result.append(one)
    if arguments.model is None:
        RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
