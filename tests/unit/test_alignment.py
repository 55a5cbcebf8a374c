"""Which frames belong to which token."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctckit import Alphabet, DecodedBatch, InvalidValueError, MatrixBatch, SearchResult
from ctckit.alignment import token_spans


def collapse(path, blank):
    kept = [c for i, c in enumerate(path) if i == 0 or c != path[i - 1]]
    return tuple(c for c in kept if c != blank)


def likeliest_path(matrix, token_ids, blank):
    frames, classes = matrix.shape
    paths = itertools.product(range(classes), repeat=frames)
    scores = [
        (sum(float(matrix[t, c]) for t, c in enumerate(path)), path)
        for path in paths
        if collapse(path, blank) == token_ids
    ]
    return max(scores)[0]


def as_hypothesis(batch, token_ids):
    return DecodedBatch(batch, SearchResult.from_best([token_ids]))[0][0]


@given(
    seed=st.integers(0, 10**6),
    frames=st.integers(1, 6),
    blank=st.integers(0, 2),
    tokens=st.lists(st.booleans(), min_size=0, max_size=3),
    impossible=st.booleans(),
)
def test_the_spans_are_those_of_the_likeliest_path(seed, frames, blank, tokens, impossible):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(frames, 3)) * 2
    if impossible:
        logits[rng.integers(frames), blank] = -np.inf
    batch = MatrixBatch.from_logits([logits], Alphabet("abc", blank=blank))
    others = [c for c in range(3) if c != blank]
    token_ids = tuple(others[one] for one in tokens)
    found = as_hypothesis(batch, token_ids)
    if found.timesteps is None:
        with pytest.raises(InvalidValueError, match="must have an alignment"):
            token_spans(batch, found)
        return
    spans = token_spans(batch, found)
    path = np.full(frames, blank)
    for (start, stop), token in zip(spans, token_ids, strict=True):
        assert 0 <= start < stop <= frames
        assert (path[start:stop] == blank).all()
        path[start:stop] = token
    assert tuple(start for start, _ in spans) == found.timesteps
    assert collapse(path.tolist(), blank) == token_ids
    score = float(batch[0].astype(np.float64)[np.arange(frames), path].sum())
    assert score == pytest.approx(likeliest_path(batch[0], token_ids, blank), abs=1e-9)


def test_of_equal_ends_the_earliest_is_taken():
    probs = np.full((1, 4, 2), 0.5)
    batch = MatrixBatch.from_probs(probs, Alphabet("a-", blank=1))
    ((start, stop),) = token_spans(batch, as_hypothesis(batch, [0]))
    assert stop == start + 1


def test_the_matrix_is_chosen_by_its_index(batch, alphabet):
    both = DecodedBatch(batch[2:3], SearchResult.from_best([alphabet.encode("ab")]))
    assert token_spans(batch, both[0][0], 2) == token_spans(batch[2:3], both[0][0])


def test_another_matrix_is_refused(batch, alphabet):
    of_long = DecodedBatch(batch[2:3], SearchResult.from_best([alphabet.encode("ab ab")]))[0][0]
    with pytest.raises(InvalidValueError, match=r"must be of a matrix of 1 frames, got a token in"):
        token_spans(batch, of_long, 3)
    other = MatrixBatch.from_log_probs(batch.log_probs[None], Alphabet("cb -", blank=3))
    with pytest.raises(InvalidValueError, match=r"must be spelled in the batch's alphabet, got"):
        token_spans(other, of_long)
