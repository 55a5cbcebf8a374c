"""The matrices and corpora that the benchmarks run on.

The measured figures come from the golden lines beside the checkout: 60 matrices of 100 frames and
80 classes, with a best-path CER of about 0.10. Where they are absent, such matrices are drawn.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

import ctckit

ROOT = Path(__file__).resolve().parents[1]
GOLDEN = ROOT.parent / "shared" / "golden"
LINES = ROOT / "corpora" / "lines"

Float32Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Lines:
    """N matrices (N, T, C) of natural-log probabilities, blank last, and what goes with them."""

    log_probs: Float32Array
    alphabet: ctckit.Alphabet
    references: list[str]
    corpus: Path
    source: str


def log_softmax(logits: npt.NDArray[np.float64]) -> Float32Array:
    """Normalise the last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return (shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))).astype(np.float32)


def load_lines() -> Lines:
    """Return the golden lines, or drawn ones where there are none."""
    path = GOLDEN / "synthetic_lines.npz"
    if not path.exists():
        return drawn_lines()
    facts = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    with np.load(path) as arrays:
        log_probs = arrays["log_probs"]
    alphabet = ctckit.Alphabet([*facts["chars"], ""], blank=facts["blank"])
    return Lines(log_probs, alphabet, facts["reference"], GOLDEN / "corpus.txt", "golden lines")


def drawn_lines(lines: int = 60, frames: int = 100, seed: int = 1) -> Lines:
    """Draw peaked matrices that spell the lines of corpora/lines, with 80 classes."""
    rng = np.random.default_rng(seed)
    letters = "".join(chr(c) for c in range(32, 127) if chr(c) not in "$%<=>@[\\]^_`{|}~")
    alphabet = ctckit.Alphabet([*letters[:79], ""], blank=79)
    texts = (LINES / "lines.txt").read_text(encoding="utf-8").splitlines()
    texts = [texts[i % len(texts)][: frames // 4] for i in range(lines)]
    logits = rng.normal(0, 2, (lines, frames, 80))
    logits[..., 79] += 9
    for logit, text in zip(logits, texts, strict=True):
        starts = np.linspace(1, frames - 3, len(text)).astype(int)
        for start, token in zip(starts, alphabet.encode(text), strict=True):
            if rng.random() < 0.1:
                token = rng.integers(79)
            logit[start : start + 2, token] += rng.uniform(8, 16)
    return Lines(log_softmax(logits), alphabet, texts, LINES / "corpus.txt", "drawn lines")


def flat_matrices(lines: int = 20, frames: int = 100, classes: int = 80) -> Float32Array:
    """Draw matrices without any peak: the worst case of a beam search."""
    return log_softmax(np.random.default_rng(2).normal(size=(lines, frames, classes)))


def peaked_matrices(lines: int, frames: int, classes: int) -> Float32Array:
    """Draw matrices in which some class is nearly sure in each frame, mostly the last."""
    rng = np.random.default_rng(3)
    logits = rng.normal(0, 2, (lines, frames, classes))
    logits[..., -1] += 12
    for logit in logits:
        for start in range(1, frames - 2, 4):
            logit[start : start + 2, rng.integers(classes - 1)] += rng.uniform(10, 18)
    return log_softmax(logits)


def batch_of(log_probs: Float32Array, alphabet: ctckit.Alphabet) -> ctckit.MatrixBatch:
    """Return the matrices as ctckit takes them."""
    return ctckit.MatrixBatch.from_log_probs(np.ascontiguousarray(log_probs), alphabet)


def any_alphabet(classes: int) -> ctckit.Alphabet:
    """Return an alphabet of that many classes, blank last."""
    return ctckit.Alphabet([chr(0x4E00 + i) for i in range(classes - 1)] + [""], classes - 1)
