"""The recognizer's network: gated convolutions from the columns of an image to CTC logits.

Only layers and ``keras.ops``, so that it runs on every backend of Keras 3. There is no recurrence:
a frame depends on the columns around it, and on nothing else. Gated convolutions for handwriting:
Bluche and Messina, "Gated convolutional recurrent neural networks for multilingual handwriting
recognition" (2017); the gate is that of Dauphin et al., "Language modeling with gated convolutional
networks" (2017).
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

from ctckit.recognizer.normalization import BatchNormalization
from ctckit.recognizer.shape import COLUMNS as COLUMNS_PER_FRAME
from ctckit.recognizer.shape import NetworkShape

__all__ = ["COLUMNS_PER_FRAME", "Gate", "ZeroPadding", "build_network", "fold", "named_weights"]

_EPSILON = 1e-3


@keras.saving.register_keras_serializable(package="ctckit")
class ZeroPadding(layers.Layer):  # type: ignore[misc]
    """Set the columns behind the end of each image to zero.

    Without it what stands in the padding, after a bias for instance, reaches the last frames of
    an image through the next convolution, and the matrix depends on the width of its batch.

    Parameters
    ----------
    columns : of this layer's input for a frame
    """

    def __init__(self, columns: int, **options: Any) -> None:
        super().__init__(**options)
        self.columns = columns

    def call(self, inputs: tuple[Any, Any]) -> Any:
        """Return `inputs[0]`, (N, ..., W, C), zero from column ``inputs[1] * columns`` on."""
        image, frames = inputs
        inside = ops.arange(ops.shape(image)[-2]) < frames[:, None] * self.columns
        inside = ops.cast(inside, image.dtype)
        return image * (inside[:, :, None] if len(image.shape) == 3 else inside[:, None, :, None])

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the image."""
        return input_shape[0]

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {**super().get_config(), "columns": self.columns}


@keras.saving.register_keras_serializable(package="ctckit")
class Gate(layers.Layer):  # type: ignore[misc]
    """The first half of the channels, each times how open the second half says it is."""

    def call(self, inputs: Any) -> Any:
        """Return (N, T, C) for (N, T, 2 C)."""
        value, gate = ops.split(inputs, 2, axis=-1)
        return value * ops.sigmoid(gate)


def build_network(shape: NetworkShape, *, folded: bool = False) -> keras.Model:
    """Return the network, with random weights.

    Inputs: ``image`` (N, height, W, 1) float32, 0 paper to 1 ink, W a multiple of 4, and
    ``frames`` (N,) int32, frames of each image. Output: logits (N, W / 4, C) float32; what stands
    behind the frames of an image means nothing.

    Parameters
    ----------
    shape : its sizes
    folded : leave batch normalisation out, for weights that `fold` has put it into

    Examples
    --------
    >>> network = build_network(NetworkShape(classes=11, blocks=1))
    >>> network.output_shape
    (None, None, 11)
    """
    image = keras.Input((shape.height, None, 1), name="image", dtype="float32")
    frames = keras.Input((), name="frames", dtype="int32")
    make = _Maker(frames, folded)
    low, middle, high = shape.stem
    x = make.conv(image, "stem1", low, (5, 5), (2, 2), columns=4)
    x = make.conv(x, "stem2", low, (3, 3), (1, 1), columns=2)
    x = make.conv(x, "stem3", middle, (3, 3), (2, 2), columns=2)
    x = make.residual(x, "stem4", middle)
    x = make.conv(x, "stem5", high, (3, 3), (2, 1), columns=1)
    x = make.residual(x, "stem6", high)
    # All rows of a column become one frame: (N, rows, W / 4, high) to (N, W / 4, rows * high).
    rows = shape.height // 8
    x = layers.Permute((2, 1, 3), name="columns")(x)
    x = layers.Reshape((-1, rows * high), name="frame")(x)
    x = make.dense(x, "collapse", shape.channels, relu=True)
    for i in range(shape.blocks):
        x = make.gated(x, f"gated{i + 1}", shape)
    x = layers.Dropout(shape.dropout, name="dropout")(x)
    logits = layers.Dense(shape.classes, name="logits", dtype="float32")(x)
    return keras.Model([image, frames], logits, name="ctckit")


class _Maker:
    """Makes the pieces of a network, with or without batch normalisation."""

    def __init__(self, frames: Any, folded: bool) -> None:
        self.frames = frames
        self.folded = folded

    def _norm(self, x: Any, name: str) -> Any:
        if self.folded:
            return x
        norm = BatchNormalization(momentum=0.99, epsilon=_EPSILON, name=f"{name}_norm")
        return norm(x)

    def _zero(self, x: Any, name: str, columns: int) -> Any:
        return ZeroPadding(columns, name=f"{name}_zero")([x, self.frames])

    def conv(
        self,
        x: Any,
        name: str,
        channels: int,
        kernel: tuple[int, int],
        strides: tuple[int, int],
        columns: int,
        relu: bool = True,
    ) -> Any:
        """Convolve, normalise, rectify; `columns` of the input make a frame."""
        if name != "stem1":  # the image's own padding is zero
            x = self._zero(x, name, columns)
        x = layers.Conv2D(
            channels,
            kernel,
            strides,
            "same",
            use_bias=self.folded,
            name=f"{name}_conv",
            kernel_initializer="he_normal",
        )(x)
        x = self._norm(x, name)
        return layers.ReLU(name=f"{name}_relu")(x) if relu else x

    def residual(self, x: Any, name: str, channels: int) -> Any:
        """Add what a convolution finds to its input."""
        found = self.conv(x, name, channels, (3, 3), (1, 1), columns=1)
        return layers.Add(name=f"{name}_add")([x, found])

    def dense(self, x: Any, name: str, channels: int, relu: bool = False) -> Any:
        """Mix the channels of each frame, normalise."""
        dense = layers.Dense(
            channels, use_bias=self.folded, name=f"{name}_dense", kernel_initializer="he_normal"
        )
        x = self._norm(dense(x), name)
        return layers.ReLU(name=f"{name}_relu")(x) if relu else x

    def gated(self, x: Any, name: str, shape: NetworkShape) -> Any:
        """Add what a gated, depthwise separable convolution over frames finds to its input."""
        found = self._zero(x, name, 1)
        found = layers.DepthwiseConv1D(
            shape.kernel, 1, "same", use_bias=False, name=f"{name}_depthwise"
        )(found)
        found = self.dense(found, name, 2 * shape.channels)
        found = Gate(name=f"{name}_gate")(found)
        found = layers.Dropout(shape.dropout, name=f"{name}_dropout")(found)
        return layers.Add(name=f"{name}_add")([x, found])


def fold(network: keras.Model, shape: NetworkShape) -> keras.Model:
    """Return a network that computes the same, with batch normalisation in the weights.

    Parameters
    ----------
    network : from `build_network`, not folded
    shape : its sizes
    """
    folded = build_network(shape, folded=True)
    names = {each.name for each in network.layers}
    for layer in folded.layers:
        if not layer.weights:
            continue
        trained = network.get_layer(layer.name)
        norm = layer.name.rpartition("_")[0] + "_norm"
        if norm not in names or layer.name.endswith("_depthwise"):
            layer.set_weights(trained.get_weights())
            continue
        scale, shift, mean, variance = network.get_layer(norm).get_weights()
        factor = scale / (variance + _EPSILON) ** 0.5
        layer.set_weights([trained.get_weights()[0] * factor, shift - mean * factor])
    return folded


def named_weights(network: keras.Model) -> dict[str, Any]:
    """Return the variables of a network by ``layer/weight``; see `NetworkShape.weights`."""
    return {
        f"{layer.name}/{weight.name}": weight
        for layer in network.layers
        for weight in layer.weights
    }
