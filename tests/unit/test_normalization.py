"""Batch normalisation is that of Keras, but for the variance that the moving average is told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.xdist_group("keras")
OPTIONS = {"momentum": 0.9, "epsilon": 1e-3}


def pair(shape: tuple[int, ...], rng: np.random.Generator, dtype: str) -> tuple[Any, Any]:
    """Return ours and that of Keras, with the same weights."""
    from keras import layers

    from ctckit.recognizer.normalization import BatchNormalization

    made = [
        kind(**OPTIONS, dtype=dtype) for kind in (BatchNormalization, layers.BatchNormalization)
    ]
    channels = shape[-1]
    weights = [rng.normal(1, 0.3, channels), *rng.normal(0, 1, (2, channels)),
               rng.uniform(0.5, 2, channels)]  # fmt: skip
    for layer in made:
        layer.build(shape)
        layer.set_weights([weight.astype(np.float32) for weight in weights])
    return made[0], made[1]


@pytest.mark.parametrize("shape", [(3, 7, 5), (2, 4, 6, 5)])
@pytest.mark.parametrize(("dtype", "within"), [("float32", 1e-5), ("mixed_float16", 4e-3)])
def test_as_that_of_keras(tf: Any, shape: tuple[int, ...], dtype: str, within: float) -> None:
    rng = np.random.default_rng(6)
    inputs = rng.normal(0.5, 2, shape).astype(np.float32)
    weight = rng.normal(0, 1, shape).astype(np.float32)
    found = []
    before = None
    for layer in pair(shape, rng, dtype):
        before = [value.copy() for value in layer.get_weights()]
        source = tf.Variable(inputs)
        with tf.GradientTape() as tape:
            outputs = layer(source, training=True)
            total = tf.reduce_sum(tf.cast(outputs, "float32") * weight)
        variables = [source, layer.gamma.value, layer.beta.value]
        gradients = [np.asarray(one, np.float32) for one in tape.gradient(total, variables)]
        assert outputs.dtype == ("float32" if dtype == "float32" else "float16")
        found.append([np.asarray(outputs, np.float32), *gradients, *layer.get_weights()])
        assert all(value.dtype == np.float32 for value in layer.get_weights())
    assert before is not None
    *ours, our_mean, our_variance = found[0]
    *theirs, mean, variance = found[1]
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, atol=within * max(1, np.abs(other).max()))
    np.testing.assert_allclose(our_mean, mean, atol=within)
    # Bessel's factor: the kernel tells the unbiased variance of N values a channel.
    count = inputs.size // shape[-1]
    momentum = OPTIONS["momentum"]
    told, theirs_told = ((now - momentum * before[3]) / (1 - momentum)
                         for now in (our_variance, variance))  # fmt: skip
    np.testing.assert_allclose(told, theirs_told * count / (count - 1), rtol=20 * within)


@pytest.mark.parametrize("shape", [(3, 7, 5), (2, 4, 6, 5)])
def test_outside_of_training_it_is_the_same(tf: Any, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(7)
    inputs = rng.normal(0.5, 2, shape).astype(np.float32)
    ours, theirs = pair(shape, rng, "float32")
    before = ours.get_weights()
    np.testing.assert_array_equal(np.asarray(ours(inputs)), np.asarray(theirs(inputs)))
    for one, other in zip(ours.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)
