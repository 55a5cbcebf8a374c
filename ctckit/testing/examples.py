"""What decoders are tried on: small alphabets, matrices, and the files that some need."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ctckit.alphabet import Alphabet
from ctckit.decoders.base import Decoder
from ctckit.decoders.options import REQUIRED
from ctckit.matrices import MatrixBatch

CHARACTERS = "ab 'c"
"""The tokens beside the blank: letters, a word separator and an apostrophe."""

RAGGED = (7, 0, 1, 12, 3, 20, 5, 0, 9)
"""Frames of the matrices of an example batch."""

_SENTENCES = "ab a'b cab, bac; a b ab'c cab ab ba a\nabba\n"
_WORDS = ("ab", "a'b", "cab", "bac", "a", "b", "ab'c", "ba", "abba")
_UNIGRAMS = ("<unk>", "</s>", *_WORDS)
EXAMPLE_FILES = {
    "corpus": _SENTENCES,
    "lexicon": "".join(f"{word}\n" for word in _WORDS),
    "lm": (
        f"\\data\\\nngram 1={len(_UNIGRAMS) + 1}\nngram 2=3\n\n\\1-grams:\n-99\t<s>\t-0.3\n"
        + "".join(f"{-0.8 - i / 20:.2f}\t{word}\t-0.3\n" for i, word in enumerate(_UNIGRAMS))
        + "\n\\2-grams:\n-0.4\t<s> ab\n-0.5\tab a\n-0.6\ta </s>\n\n\\end\\\n"
    ),
}
"""What stands in the files that decoders need, by the option's name."""


def example_alphabet(blank: int = len(CHARACTERS)) -> Alphabet:
    """Return the alphabet of `CHARACTERS` with the blank at an index."""
    return Alphabet([*CHARACTERS[:blank], "", *CHARACTERS[blank:]], blank)


def example_batch(alphabet: Alphabet, frames: Sequence[int], seed: int = 0) -> MatrixBatch:
    """Return random matrices, flat to peaked, some with impossible classes, without ties."""
    rng = np.random.default_rng(seed)
    matrices = []
    for i, count in enumerate(frames):
        logits = rng.normal(size=(count, len(alphabet))) * (0.5, 2, 6)[i % 3]
        if i % 4 == 3:
            logits[rng.random(logits.shape) < 0.2] = -np.inf
            logits[:, alphabet.blank] = 0
        matrices.append(logits)
    return MatrixBatch.from_logits(matrices, alphabet)


def tied_batch(alphabet: Alphabet) -> MatrixBatch:
    """Return matrices in which classes tie in every frame, and so do many texts."""
    rng = np.random.default_rng(1)
    logits = [rng.integers(0, 2, (count, len(alphabet))) * 2.0 for count in (2, 3, 4, 5, 6) * 4]
    return MatrixBatch.from_logits(logits, alphabet)


def needed_options(decoder: type[Decoder], given: Collection[str] = ()) -> list[str]:
    """Return the options without which a decoder cannot be made, those that are given left out."""
    needed = [one.name for one in decoder.options.values() if one.default is REQUIRED]
    if not set(given) & set(decoder.at_least_one):
        needed += decoder.at_least_one[:1]
    return [name for name in needed if name not in given]


def example_options(
    decoder: type[Decoder], folder: Path, given: Collection[str] = ()
) -> dict[str, Any]:
    """Write the files that a decoder needs beside what is given, and return them as options.

    What is not in `EXAMPLE_FILES` is left out.
    """
    options: dict[str, Any] = {}
    for name in needed_options(decoder, given):
        if name in EXAMPLE_FILES and decoder.options[name].type is Path:
            options[name] = folder / f"{name}.txt"
            options[name].write_text(EXAMPLE_FILES[name], encoding="utf-8")
    return options
