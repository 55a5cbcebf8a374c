"""The CTC loss of a batch, by the fastest way that the backend has."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


def ctc_losses(tokens: Any, lengths: Any, logits: Any, frames: Any) -> Any:
    """Return -ln p(text) of each item of a batch; the blank is the last class.

    Graves et al., "Connectionist temporal classification" (2006), equation 14. On TensorFlow this
    is the kernel for sparse texts, which is faster than the one that Keras calls.

    Parameters
    ----------
    tokens : int32 (N, L), L at least 1, each below C - 1; what stands behind an item's length
        means nothing
    lengths : int32 (N,), tokens of each item, 0 or more
    logits : float32 (N, T, C)
    frames : int32 (N,), frames of each item, enough for its tokens

    Returns
    -------
    float32 (N,)
    """
    if keras.backend.backend() != "tensorflow":
        # The blank is said: -1 works on TensorFlow only.
        return ops.ctc_loss(tokens, logits, lengths, frames, mask_index=logits.shape[-1] - 1)
    import tensorflow as tf

    logits = tf.cast(logits, tf.float32)
    # The kernel refuses empty texts: it gets a token for them, and what it finds is not taken.
    empty = tf.equal(lengths, 0)
    tokens = tf.where(empty[:, None], 0, tf.cast(tokens, tf.int32))
    inside = tf.sequence_mask(tf.maximum(lengths, 1), tf.shape(tokens)[1])
    text = tf.SparseTensor(
        tf.where(inside), tf.boolean_mask(tokens, inside), tf.shape(tokens, out_type=tf.int64)
    )
    with tf.device("CPU"):  # the kernel on the GPU takes other arguments
        losses = tf.compat.v1.nn.ctc_loss(text, logits, tf.cast(frames, tf.int32), time_major=False)
    blanks = tf.nn.log_softmax(logits)[..., -1]
    blanks = tf.where(tf.sequence_mask(frames, tf.shape(logits)[1]), blanks, 0.0)
    return tf.where(empty, -tf.reduce_sum(blanks, axis=1), losses)
