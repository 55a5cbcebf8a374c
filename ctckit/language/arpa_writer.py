"""N-gram models written as ARPA files."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from ctckit.arrayfile import new_file
from ctckit.language.trie import NGramLists

AT_ONCE = 100_000
"""N-grams that are turned into text at once."""

NUMBERS = 64
"""Bytes that the two numbers of a line and what stands around them take at most."""


def write_arpa(path: Path, lists: NGramLists) -> None:
    """Write n-grams to an ARPA file, in gzip if its name ends in .gz.

    The file appears under its name when it is complete. Probabilities have seven decimals; weights
    of 0 are left out.

    Raises
    ------
    OSError : it cannot be written
    """
    with new_file(path) as file:
        if path.suffix == ".gz":
            # Without a time and a name, so that one model is always the same bytes.
            with gzip.GzipFile("", "wb", 6, file, mtime=0) as packed:
                _write(cast(BinaryIO, packed), lists)
        else:
            _write(file, lists)


def _write(file: BinaryIO, lists: NGramLists) -> None:
    counts = [f"ngram {n}={len(rows)}\n" for n, rows in enumerate(lists.rows, start=1)]
    file.write(("\\data\\\n" + "".join(counts)).encode())
    for n in range(1, lists.order + 1):
        file.write(b"\n\\%d-grams:\n" % n)
        for start in range(0, len(lists.rows[n - 1]), AT_ONCE):
            file.write(_text(lists, n, slice(start, start + AT_ONCE)))
    file.write(b"\n\\end\\\n")


def _text(lists: NGramLists, order: int, place: slice) -> bytes:
    """Return the lines of some n-grams of an order."""
    from ctckit.kernels.arpa import write_ngrams

    rows = np.ascontiguousarray(lists.rows[order - 1][place])
    words = int(np.diff(lists.offsets)[rows].sum())
    text = np.empty(words + rows.size + NUMBERS * len(rows), dtype=np.uint8)
    size = write_ngrams(
        rows,
        lists.spellings,
        lists.offsets,
        lists.log_probs[order - 1][place],
        lists.backoffs[order - 1][place],
        text,
    )
    return text[:size].tobytes()
