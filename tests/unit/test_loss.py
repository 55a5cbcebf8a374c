"""The CTC loss is the one of Keras, in value and gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.xdist_group("keras")


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_as_that_of_keras(tf: Any, dtype: str) -> None:
    from keras import ops

    from ctckit.recognizer.loss import ctc_losses

    rng = np.random.default_rng(3)
    classes, longest = 7, 6
    frames = np.array([14, 9, 5, 12, 1, 3], np.int32)
    lengths = np.array([6, 4, 0, 1, 1, 2], np.int32)
    tokens = rng.integers(0, classes - 1, (len(frames), longest)).astype(np.int32)
    tokens[0] = [1, 1, 2, 2, 2, 3]  # blanks are needed between equal ones
    tokens[5] = [4, 4, 0, 0, 0, 0]  # and here there are just enough frames
    for i, length in enumerate(lengths):
        tokens[i, length:] = rng.integers(0, 99, longest - length)  # means nothing
    logits = tf.Variable(rng.normal(0, 3, (len(frames), 14, classes)).astype(dtype))

    def found(losses: Any) -> tuple[Any, Any]:
        with tf.GradientTape() as tape:
            value = losses()
            total = tf.reduce_sum(value)
        return np.asarray(value), np.asarray(tape.gradient(total, logits), np.float32)

    clean = np.where(np.arange(longest) < lengths[:, None], tokens, 0).astype(np.int32)
    ours, our_gradient = found(lambda: ctc_losses(tokens, lengths, logits, frames))
    theirs, their_gradient = found(
        lambda: ops.ctc_loss(
            clean, tf.cast(logits, "float32"), lengths, frames, mask_index=classes - 1
        )
    )
    assert ours.dtype == np.float32
    assert ours.shape == (len(frames),)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)
    within = 1e-4 if dtype == "float32" else 2e-3
    np.testing.assert_allclose(our_gradient, their_gradient, atol=within)
    for i, count in enumerate(frames):
        assert not our_gradient[i, count:].any()


def test_an_empty_text_is_all_blanks(tf: Any) -> None:
    from ctckit.recognizer.loss import ctc_losses

    logits = np.random.default_rng(4).normal(0, 1, (1, 5, 3)).astype(np.float32)
    log_probs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    found = ctc_losses(np.zeros((1, 1), np.int32), np.zeros(1, np.int32), logits, np.int32([4]))
    np.testing.assert_allclose(np.asarray(found), [-log_probs[0, :4, 2].sum()], rtol=1e-5)


def test_in_a_function_of_any_width(tf: Any) -> None:
    from ctckit.recognizer.loss import ctc_losses

    shapes = [((None, None), "int32"), ((None,), "int32"), ((None, None, 5), "float32"),
              ((None,), "int32")]  # fmt: skip
    signature = [tf.TensorSpec(shape, dtype) for shape, dtype in shapes]
    compiled = tf.function(ctc_losses, input_signature=signature)
    rng = np.random.default_rng(5)
    for count, width, longest in ((1, 4, 1), (3, 9, 4)):
        tokens = rng.integers(0, 4, (count, longest)).astype(np.int32)
        lengths = np.full(count, longest, np.int32)
        logits = rng.normal(0, 1, (count, width, 5)).astype(np.float32)
        frames = np.full(count, width, np.int32)
        np.testing.assert_allclose(
            np.asarray(compiled(tokens, lengths, logits, frames)),
            np.asarray(ctc_losses(tokens, lengths, logits, frames)),
            rtol=1e-5,
        )
