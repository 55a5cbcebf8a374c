"""Exact log-probabilities of given texts, beside TensorFlow's CTC loss, which is their negative.

TensorFlow has no call for the log-probability alone: its loss prepares its gradient, too.
"""

from __future__ import annotations

import itertools

import numpy as np
from inputs import Float32Array, Lines, batch_of
from timing import Contestant, repeated

import ctckit


def of_true_texts(lines: Lines) -> list[Contestant]:
    """Return what computes the log-probability of each line's true text."""
    texts = [lines.alphabet.encode(text).tolist() for text in lines.references]
    return contestants(lines.log_probs, lines.alphabet, texts)


def of_unlikely_texts(lines: Lines) -> list[Contestant]:
    """Return the same for four lines behind one another, whose text is turned around."""
    encoded = [lines.alphabet.encode(text).tolist() for text in lines.references]
    array = lines.log_probs.reshape(-1, 4 * lines.log_probs.shape[1], lines.log_probs.shape[2])
    joined = [itertools.chain(*encoded[4 * i : 4 * i + 4]) for i in range(len(array))]
    texts = [list(text)[::-1] for text in joined]
    return contestants(array, lines.alphabet, texts)


def contestants(
    log_probs: Float32Array, alphabet: ctckit.Alphabet, texts: list[list[int]]
) -> list[Contestant]:
    """Return ctckit and TensorFlow on matrices (N, T, C) with a text each; they must agree."""
    import tensorflow as tf

    batch = batch_of(log_probs, alphabet)
    given = ctckit.SearchResult.from_best(texts)
    lengths = [len(text) for text in texts]
    padded = np.zeros((len(texts), max(lengths)), dtype=np.int32)
    for row, text in zip(padded, texts, strict=True):
        row[: len(text)] = text
    labels, label_lengths = tf.constant(padded), tf.constant(lengths)
    logits = tf.constant(np.ascontiguousarray(log_probs.transpose(1, 0, 2)))
    frames = tf.fill([len(texts)], log_probs.shape[1])

    def ours() -> Float32Array:
        return ctckit.DecodedBatch(batch, given, 1).log_probs.astype(np.float32)

    def loss() -> Float32Array:
        found = tf.nn.ctc_loss(labels, logits, label_lengths, frames, blank_index=alphabet.blank)
        return -np.asarray(found)

    np.testing.assert_allclose(ours(), loss(), rtol=1e-3)
    return [repeated("ctckit", ours, len(texts)), Contestant("TensorFlow", loss, len(texts))]
