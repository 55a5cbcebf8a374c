"""Errors of the bundled model on the handwriting test set, by source and decoder.

    make accuracy

Reads the images of ../shared/handwriting/test and its labels.csv, whose columns `source` and `kind`
say where an image is from, and whether it is a word or a line. Word beam search gets word lists of
the source's language, which corpora/words makes; none of them has anything to do with the test. In
square brackets are 95% intervals of 2,000 resamples of the images. The result goes to
benchmarks/accuracy.json, and to docs/images/reliability.png how true the probabilities of the texts
are; with --model, to --output, if that is given.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import sys
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from uncertainty import (
    Float64Array,
    calibration,
    counts_by_image,
    rates_of,
    resample,
    word_error_ratio,
)

from ctckit import load_decoder
from ctckit.alphabet import Alphabet
from ctckit.language import default_word_characters
from ctckit.matrices import MatrixBatch
from ctckit.recognizer.images import read_image
from ctckit.recognizer.recognizer import Recognizer

ROOT = Path(__file__).resolve().parents[1]
TEST = ROOT.parent / "shared" / "handwriting" / "test"
WORDS = ROOT / "out" / "words"
RESULT = Path(__file__).with_suffix(".json")
DIAGRAM = ROOT / "docs" / "images" / "reliability.png"
LANGUAGES = {"dhsd": "german", "copiste": "french", "stanford": "english", "breta": "english"}
RESAMPLES, SEED = 2000, 1
CALIBRATED = ("bestpath", "beamsearch")
HEADER = ("source", "kind", "images", "decoder", "CER", "WER", "exact", "word errors / bestpath's")
Group = tuple[str, str]


def read_labels() -> list[dict[str, str]]:
    """Return the rows of the test set's labels.csv."""
    with (TEST / "labels.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@dataclass(frozen=True)
class Setting:
    """A decoder, and for word beam search which list it gets, and how."""

    decoder: str
    words: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    letters_only: bool = False

    def list_for(self, source: str) -> Path | None:
        """Return the word list for a source."""
        return WORDS / self.words.format(LANGUAGES[source]) if self.words else None


PLAIN = (Setting("bestpath"), Setting("beamsearch"), Setting("wordbeamsearch", "{}.txt"))
FREQUENT = partial(Setting, "wordbeamsearch", "{}-frequent.txt", letters_only=True)
# The smoothing makes all pairs of words as likely: the list's order means nothing.
SCORED = {
    "mode": "NGrams",
    "smoothing": 1e6,
    "score_last_word": True,
    "complete_last_word": False,
}
SETTINGS = {
    "word": (*PLAIN, FREQUENT(options=SCORED)),
    "line": (*PLAIN, FREQUENT(options={"mode": "Words", "complete_last_word": False})),
}
"""What is measured on each kind of image."""


def matrices(recognizer: Recognizer, files: list[Path]) -> MatrixBatch:
    """Return the CTC matrices of images, in one batch."""
    prepared = [recognizer.prepare(read_image(file)) for file in files]
    order = sorted(range(len(files)), key=lambda i: prepared[i].shape[1])
    found: dict[int, Any] = {}
    for start in range(0, len(order), 32):
        part = order[start : start + 32]
        batch = recognizer.recognize([prepared[i] for i in part])
        found.update((i, batch[j : j + 1]) for j, i in enumerate(part))
    return MatrixBatch.concatenate([found[i] for i in range(len(files))])


def options_of(setting: Setting, source: str, alphabet: Alphabet) -> dict[str, Any]:
    """Return the decoder's options for a source."""
    options = dict(setting.options)
    words = setting.list_for(source)
    if words is not None:
        options["corpus"] = str(words)
    if setting.letters_only:
        options["word_characters"] = default_word_characters(alphabet).replace("'", "")
    return options


def read_groups() -> dict[Group, list[dict[str, str]]]:
    """Return the rows of labels.csv by kind and source."""
    if not TEST.is_dir():
        sys.exit(f"accuracy.py: the test set must be in {TEST.relative_to(ROOT.parent)}, got none")
    groups: dict[Group, list[dict[str, str]]] = {}
    for row in read_labels():
        groups.setdefault((row["kind"], row["source"]), []).append(row)
    return dict(sorted(groups.items(), reverse=True))


def check_lists(groups: dict[Group, list[dict[str, str]]]) -> None:
    """Exit if a word list is missing, and say what makes it."""
    wanted = {one.list_for(source) for kind, source in groups for one in SETTINGS[kind]} - {None}
    missing = sorted(path.name for path in wanted if path is not None and not path.is_file())
    if missing:
        sys.exit(
            f"accuracy.py: the word lists must be in {WORDS.relative_to(ROOT)}, got no "
            f"{', '.join(missing)}; run corpora/words/fetch.py and corpora/words/frequencies.py"
        )


def rounded(value: Any) -> Any:
    """Return a value with its numbers to four digits, for JSON: None for NaN."""
    if isinstance(value, dict):
        return {name: rounded(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(one) for one in value]
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, 4)
    return value


def row_of(one: dict[str, Any]) -> str:
    """Return a result as a row of the table."""

    def rate(name: str) -> str:
        if one.get(name) is None:
            return ""
        low, high = one[f"{name}_95"]
        return f"{one[name]:.3f} [{low:.3f}, {high:.3f}]"

    rates = [rate(name) for name in ("cer", "wer", "exact", "word_error_ratio")]
    cells = [one["source"], one["kind"], str(one["images"]), one["title"], *rates]
    return "| " + " | ".join(cells) + " |"


Calibrated = dict[tuple[str, str], list[tuple[Float64Array, Float64Array]]]
"""Of each kind and decoder: probabilities and exactness of the texts of each source."""


def measure(
    group: Group, rows: list[dict[str, str]], batch: MatrixBatch, calibrated: Calibrated
) -> list[dict[str, Any]]:
    """Return the rates of each setting on one kind and source; add to what is calibrated."""
    kind, source = group
    draws = resample(len(rows), RESAMPLES, SEED)
    baseline: Float64Array | None = None
    found = []
    for setting in SETTINGS[kind]:
        options = options_of(setting, source, batch.alphabet)
        decoded = load_decoder(setting.decoder, batch.alphabet, **options).decode_batch(batch)
        counts = counts_by_image([row["text"] for row in rows], decoded.texts())
        words = setting.list_for(source)
        one: dict[str, Any] = {"source": source, "kind": kind, "images": len(rows)}
        one |= {"decoder": setting.decoder, "words": words.name if words else None}
        one |= rates_of(counts, draws)
        if baseline is None:
            baseline = counts
        else:
            ratio = word_error_ratio(counts, baseline, draws)
            one["word_error_ratio"], one["word_error_ratio_95"] = ratio
        title = f"{setting.decoder}, {words.name}" if words else setting.decoder
        print(row_of({**one, "title": title}), flush=True)
        found.append(rounded(one))
        if setting.decoder in CALIBRATED:
            pair = (np.exp(decoded.log_probs), counts[:, 4])
            calibrated.setdefault((kind, setting.decoder), []).append(pair)
    return found


def calibrate(calibrated: Calibrated) -> dict[tuple[str, str], Any]:
    """Return bins and calibration error of each kind and decoder, all sources together."""
    return {
        key: calibration(*(np.concatenate(column) for column in zip(*pairs, strict=True)))
        for key, pairs in calibrated.items()
    }


def write(path: Path, results: list[dict[str, Any]], calibrations: dict[Any, Any]) -> None:
    """Keep the figures as JSON."""
    figures = {
        "resamples": RESAMPLES,
        "seed": SEED,
        "results": results,
        "calibration": [
            {
                "kind": kind,
                "decoder": decoder,
                "expected_calibration_error": rounded(error),
                "bins": [rounded(asdict(one)) for one in bins],
            }
            for (kind, decoder), (bins, error) in calibrations.items()
        ],
    }
    path.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def main() -> int:
    """Measure, print a table, keep it, draw."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", help="another model than the bundled one")
    parser.add_argument("--output", type=Path, help="file for the figures; a PNG goes beside it")
    arguments = parser.parse_args()
    groups = read_groups()
    check_lists(groups)
    recognizer = Recognizer.load(arguments.model)
    print("| " + " | ".join(HEADER) + " |\n|---|---|---:|---|---|---|---|---|")
    results: list[dict[str, Any]] = []
    calibrated: Calibrated = {}
    for group, rows in groups.items():
        batch = matrices(recognizer, [TEST / row["file"] for row in rows])
        results += measure(group, rows, batch, calibrated)
    calibrations = calibrate(calibrated)
    for (kind, decoder), (_, error) in calibrations.items():
        print(f"expected calibration error of {decoder} on {kind}s: {error:.3f}")
    result, diagram = RESULT, DIAGRAM
    if arguments.output:
        result, diagram = arguments.output, arguments.output.with_suffix(".png")
    if arguments.output or arguments.model is None:
        from reliability import draw

        write(result, results, calibrations)
        draw(diagram, {key[1]: calibrations[key] for key in calibrations if key[0] == "word"})
    return 0


if __name__ == "__main__":
    sys.exit(main())
