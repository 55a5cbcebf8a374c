"""How the time of beam search grows with the alphabet, beyond reading the matrices.

    .venv/bin/python benchmarks/large_alphabets.py

Peaked matrices of 100 frames, one thread, texts included. Reading is one pass over the same array
that takes its largest value. Figures are medians of interleaved runs, in CPU time for one matrix.
Exits with 1 if decoding without the reading takes over 3 times as long with some alphabet as with
80 classes. The result goes to benchmarks/large_alphabets.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from inputs import any_alphabet, batch_of, peaked_matrices
from timing import Contestant, Timing, interleave, where_and_when

import ctckit
from ctckit.kernels.jit import F32_2D, I32, kernel

RESULT = Path(__file__).with_suffix(".json")
CLASSES = (80, 1000, 5000, 10_000)
WIDTHS = (25, 100)
LINES, FRAMES = 20, 100
BAR = 3.0
Row = dict[str, Any]


@kernel(I32(F32_2D))
def read_all(log_probs):
    """Return the largest of all values, compared by their bits, which is as fast as can be."""
    top = np.int32(-2147483648)
    for t in range(log_probs.shape[0]):
        for c in range(log_probs.shape[1]):
            bits = np.float32(log_probs[t, c]).view(np.int32)
            top = bits if bits > top else top
    return top


def contestants_of(classes: int) -> list[Contestant]:
    """Return the reading of matrices of so many classes, and their decoding at each width."""
    batch = batch_of(peaked_matrices(LINES, FRAMES, classes), any_alphabet(classes))
    repeats = max(1, 5000 // classes)
    made = [
        Contestant(
            f"{classes} reading", lambda: read_all(batch.log_probs), LINES, repeats=10 * repeats
        )
    ]
    for width in WIDTHS:
        decoder = ctckit.load_decoder("beamsearch", batch.alphabet, beam_width=width)
        made.append(
            Contestant(
                f"{classes} {width}",
                lambda decoder=decoder: decoder.decode_batch(batch, threads=1).texts(),
                LINES,
                repeats,
            )
        )
    return made


def rows_of(timings: dict[str, Timing]) -> list[Row]:
    """Return the figures of each alphabet."""
    rows = []
    for classes in CLASSES:
        reading = timings[f"{classes} reading"].cpu * 1e6
        row: Row = {"classes": classes, "reading_us": reading}
        for width in WIDTHS:
            row[f"W{width}_us"] = timings[f"{classes} {width}"].cpu * 1e6
            beyond = row[f"W{width}_us"] - reading
            first = rows[0] if rows else row
            row[f"W{width}_times"] = beyond / (first[f"W{width}_us"] - first["reading_us"])
        rows.append(row)
    return rows


def table(rows: list[Row], stamp: Row) -> str:
    """Return the figures in Markdown."""
    heads = [f"W={width} | beyond reading, times C={CLASSES[0]}" for width in WIDTHS]
    out = [f"| C | reading | {' | '.join(heads)} |", "|---" * (2 + 2 * len(WIDTHS)) + "|"]
    for row in rows:
        cells = [f"{row['classes']}", f"{row['reading_us']:.1f} us"]
        for width in WIDTHS:
            cells += [f"{row[f'W{width}_us']:.0f} us", f"{row[f'W{width}_times']:.2f}"]
        out.append(f"| {' | '.join(cells)} |")
    versions = ", ".join(f"{name} {number}" for name, number in stamp["versions"].items())
    out += [
        "",
        f"CPU time for one peaked matrix of {FRAMES} frames, one thread. Measured {stamp['date']} "
        f"at commit {stamp['commit']} on {stamp['cpu']}; Python {stamp['python']}, {versions}.",
    ]
    return "\n".join(out)


def main() -> int:
    """Time all alphabets; exit 1 if the bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=RESULT)
    parser.add_argument("--rounds", type=int, default=15, help="interleaved runs of each case")
    arguments = parser.parse_args()
    contestants = [one for classes in CLASSES for one in contestants_of(classes)]
    rows = rows_of(interleave(contestants, arguments.rounds))
    names = ("ctckit", "numpy", "numba")
    stamp = {**where_and_when(), "versions": {name: version(name) for name in names}}
    missed = [
        f"C={row['classes']}, W={width}: {row[f'W{width}_times']:.2f} times, bar {BAR:g}"
        for row in rows
        for width in WIDTHS
        if row[f"W{width}_times"] > BAR
    ]
    result = {"stamp": stamp, "rows": rows, "missed": missed}
    arguments.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(table(rows, stamp))
    for one in missed:
        print(f"bar missed: {one}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
