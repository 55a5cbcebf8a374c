"""Alphabets and batches of any content."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctckit import Alphabet, MatrixBatch
from ctckit.testing.strategies import STYLES, alphabets, batches

pytestmark = pytest.mark.nojit


@given(alphabet=alphabets(max_size=8, longest=3), data=st.data())
def test_encoding_spells_the_text_again(alphabet, data):
    tokens = sorted(alphabet.token_ids)
    text = "".join(data.draw(st.lists(st.sampled_from(tokens), max_size=6))) if tokens else ""
    try:
        ids = alphabet.encode(text)
    except ValueError:
        # Longest first may run into a dead end, but only where tokens overlap.
        assert not alphabet.single_characters
        return
    assert alphabet.decode(ids) == text
    assert alphabet.blank not in ids


@given(alphabet=alphabets(max_size=8, longest=3), data=st.data())
def test_many_texts_are_decoded_as_one_by_one(alphabet, data):
    ids = list(alphabet.token_ids.values())
    row = st.lists(st.sampled_from(ids), max_size=5) if ids else st.just([])
    rows = data.draw(st.lists(row))
    flat = np.array([i for row in rows for i in row], dtype=np.int32)
    offsets = np.cumsum([0, *map(len, rows)])
    assert alphabet.decode_many(flat, offsets) == [alphabet.decode(row) for row in rows]


@given(alphabet=alphabets(longest=3), other=alphabets(longest=3))
def test_fingerprints_tell_alphabets_apart(alphabet, other):
    assert (alphabet == other) == (alphabet.fingerprint == other.fingerprint)
    assert pickle.loads(pickle.dumps(alphabet)) == alphabet
    assert Alphabet(alphabet.tokens, alphabet.blank) == alphabet


@given(batch=batches(), data=st.data())
def test_slices_of_batches(batch, data):
    start, stop = (data.draw(st.integers(-7, 7)) for _ in range(2))
    part = batch[start:stop]
    numbers = range(len(batch))[start:stop]
    assert list(part.ids) == [str(i) for i in numbers]
    for matrix, i in zip(part, numbers, strict=True):
        np.testing.assert_array_equal(matrix, batch[i])


@pytest.mark.parametrize("layout", ["NTC", "TNC"])
@given(batch=batches(max_frames=4))
def test_padded_layouts_give_the_batch_again(layout, batch):
    padded = np.full((len(batch), 4, len(batch.alphabet)), np.nan, dtype=np.float32)
    for row, matrix in zip(padded, batch, strict=True):
        row[: len(matrix)] = matrix
    array = padded if layout == "NTC" else padded.transpose(1, 0, 2)
    again = MatrixBatch.from_log_probs(array, batch.alphabet, lengths=batch.lengths, layout=layout)
    np.testing.assert_array_equal(again.log_probs, batch.log_probs)
    np.testing.assert_array_equal(again.offsets, batch.offsets)


@given(batch=batches())
def test_the_kinds_of_input_agree(batch):
    logs = [matrix.astype(np.float64) for matrix in batch]
    for other in (
        MatrixBatch.from_probs([np.exp(matrix) for matrix in logs], batch.alphabet),
        MatrixBatch.from_logits([matrix - 7 for matrix in logs], batch.alphabet),
    ):
        np.testing.assert_allclose(other.log_probs, batch.log_probs, atol=1e-5)


def test_the_strategies_reach_what_they_promise():
    seen = set()

    @settings(max_examples=200)
    @given(batch=batches())
    def look(batch):
        alphabet = batch.alphabet
        seen.add("blank first" if alphabet.blank == 0 else "blank later")
        seen.add("blank alone" if len(alphabet) == 1 else "tokens")
        seen.update("T = 0" for n in batch.lengths if n == 0)
        if np.isneginf(batch.log_probs).all(axis=0).any() and len(batch.log_probs):
            seen.add("dead class")
        seen.update("flat" for matrix in batch if len(matrix) and matrix.max() < -0.8)
        dead = np.isneginf(batch.log_probs)
        if dead.any(axis=0).sum() > dead.all(axis=0).sum():
            seen.add("hole")

    look()
    assert seen == {
        "blank first",
        "blank later",
        "blank alone",
        "tokens",
        "T = 0",
        "dead class",
        "hole",
        "flat",
    }
    assert len(STYLES) == 5
