"""Batch normalisation that is fast in training on TensorFlow."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

__all__ = ["BatchNormalization"]


@keras.saving.register_keras_serializable(package="ctckit")
class BatchNormalization(layers.BatchNormalization):  # type: ignore[misc]
    """Keras's layer, which in training on TensorFlow uses TensorFlow's own kernel for it.

    Keras puts it together from means, differences and products, each of which goes through the
    memory once. The kernel gives the same result; the variance that it hands to the moving average
    is the unbiased one, N / (N - 1) times larger. Ioffe and Szegedy, "Batch normalization" (2015).
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Return the input (N, ..., C), normalised over all but its last axis."""
        if not training or mask is not None or keras.backend.backend() != "tensorflow":
            return super().call(inputs, training=training, mask=mask)
        import tensorflow as tf

        # The kernel wants images: frames (N, T, C) are images of one row.
        image = inputs if len(inputs.shape) == 4 else tf.expand_dims(inputs, 1)
        normal, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=image,
            scale=tf.cast(self.gamma, tf.float32),
            offset=tf.cast(self.beta, tf.float32),
            mean=tf.zeros((0,)),
            variance=tf.zeros((0,)),
            epsilon=self.epsilon,
            is_training=True,
        )
        for moving, now in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + now * (1 - self.momentum))
        return normal if len(inputs.shape) == 4 else tf.squeeze(normal, 1)
