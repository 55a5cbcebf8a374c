"""Hypothesis strategies for alphabets and matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit.alphabet import Alphabet
from ctckit.errors import MissingExtraError
from ctckit.matrices import MatrixBatch
from ctckit.testing.examples import CHARACTERS, example_alphabet

try:
    from hypothesis import strategies as st
except ModuleNotFoundError as error:
    raise MissingExtraError(
        "hypothesis must be installed for ctckit.testing.strategies, got no such module; "
        "pip install 'ctckit[testing]'"
    ) from error

STYLES = ("flat", "peaked", "path", "holes", "ties")
"""Near uniform; one class far above the others; that and mostly blank; impossible classes here and
there; equal values in plenty."""
NO_TIES = STYLES[:-1]

ALPHABETS = (
    Alphabet(["a", "b", ""], 2),
    *map(example_alphabet, range(len(CHARACTERS), -1, -1)),
    Alphabet(["", "a"], 0),
    Alphabet(["a", "<blank>", "ab", " ", "b", "ba"], 1),
    Alphabet(["c", "b", "é", "a", "\U0001f600", "b", " "], 5),
)
"""Those that decoders are tried with: the blank at every index, tokens of several characters, a
blank whose string is a token's."""


TINY_ALPHABETS = (
    Alphabet(["a", "b", ""], 2),
    Alphabet(["", "a", " "], 0),
    Alphabet(["b", " ", "", "a"], 2),
    Alphabet(["a", ""], 1),
)
"""Those whose paths are all tried, with and without a separator."""


@st.composite
def alphabets(
    draw: st.DrawFn,
    *,
    min_size: int = 1,
    max_size: int = 6,
    characters: str = "ab' cdé\U0001f600",
    longest: int = 1,
) -> Alphabet:
    """Return alphabets of `min_size` to `max_size` classes, the blank at any index.

    Tokens are 1 to `longest` of `characters`.
    """
    size = draw(st.integers(min_size, max_size))
    texts = st.text(characters, min_size=1, max_size=longest)
    tokens = draw(st.lists(texts, min_size=size - 1, max_size=size - 1, unique=True))
    blank = draw(st.integers(0, size - 1))
    return Alphabet([*tokens[:blank], "", *tokens[blank:]], blank)


@st.composite
def log_prob_matrices(
    draw: st.DrawFn,
    classes: int,
    blank: int,
    *,
    max_frames: int = 6,
    styles: tuple[str, ...] = STYLES,
    min_dead: int = 0,
) -> npt.NDArray[np.float32]:
    """Return valid matrices (T, classes), T from 0, in all styles.

    `min_dead` classes or more, but not all, are impossible in every frame.
    """
    frames = draw(st.integers(0, max_frames))
    style = draw(st.sampled_from(styles))
    few = min(min_dead, classes - 1)
    dead = draw(st.sets(st.integers(0, classes - 1), min_size=few, max_size=classes - 1))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    if style == "ties":
        logits = rng.integers(0, 2, size=(frames, classes)).astype(np.float64)
    else:
        logits = (
            rng.normal(size=(frames, classes))
            * {
                "flat": 0.5,
                "peaked": 5,
                "path": 2,
                "holes": 1,
            }[style]
        )
    if style == "path":
        logits[rng.random(frames) < 0.6, blank] += 6
    if style == "holes":
        alive = min(set(range(classes)) - dead)
        logits[rng.random(logits.shape) < 0.3] = -np.inf
        logits[np.isneginf(np.delete(logits, sorted(dead), axis=1)).all(axis=1), alive] = 0
    logits[:, sorted(dead)] = -np.inf
    logits -= logits.max(axis=1, keepdims=True, initial=-np.inf)
    log_probs: npt.NDArray[Any] = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return log_probs.astype(np.float32)


@st.composite
def batches(
    draw: st.DrawFn,
    *,
    alphabet: st.SearchStrategy[Alphabet] | None = None,
    min_matrices: int = 0,
    max_matrices: int = 5,
    max_frames: int = 6,
    styles: tuple[str, ...] = STYLES,
    min_dead: int = 0,
) -> MatrixBatch:
    """Return ragged batches of such matrices; `alphabet` says over which alphabets."""
    chosen = draw(alphabets() if alphabet is None else alphabet)
    one = log_prob_matrices(
        len(chosen), chosen.blank, max_frames=max_frames, styles=styles, min_dead=min_dead
    )
    matrices = draw(st.lists(one, min_size=min_matrices, max_size=max_matrices))
    return MatrixBatch.from_log_probs(matrices, chosen)


def decoder_alphabets() -> st.SearchStrategy[Alphabet]:
    """Return those of `ALPHABETS`."""
    return st.sampled_from(ALPHABETS)


def tiny_alphabets() -> st.SearchStrategy[Alphabet]:
    """Return those of `TINY_ALPHABETS`."""
    return st.sampled_from(TINY_ALPHABETS)


def with_numbers(drawn: st.SearchStrategy[Any], *most: int) -> st.SearchStrategy[tuple[Any, ...]]:
    """Return tuples of what is drawn and of integers from 0 to each of `most`."""
    return st.tuples(drawn, *[st.integers(0, one) for one in most])
