"""The recognizer's network as an ONNX graph, made of a model's weights alone.

The same computation as `ctckit.recognizer.network`, without Keras: batch normalisation is in the
weights of the convolutions. The frames are the columns of images of one row, so that all of it is
2D convolution, for which ONNX Runtime is fastest.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ctckit.recognizer.onnx_format import Graph

if TYPE_CHECKING:
    from ctckit.recognizer.models import Model

Float32Array = npt.NDArray[np.float32]

INPUTS = ("image", "frames")
OUTPUT = "logits"
_EPSILON = np.float32(1e-3)
"""Of batch normalisation, as in `ctckit.recognizer.network`."""


def onnx_bytes(model: Model) -> bytes:
    """Return a model as an ONNX file.

    Inputs and output are those of `ctckit.recognizer.network.build_network`: ``image``
    (N, height, W, 1) float32, ``frames`` (N,) int32, ``logits`` (N, W / 4, C) float32. The metadata
    hold the tokens, the blank, the preprocessing and the fingerprint of the model file.

    Parameters
    ----------
    model : from `read_model`, checked
    """
    height, classes = model.shape.height, model.shape.classes
    graph = Graph("ctckit")
    image = graph.input("image", "float32", ("N", height, "W", 1))
    frames = graph.input("frames", "int32", ("N",))
    _Maker(graph, model, frames).network(image)
    metadata = {
        "tokens": json.dumps(list(model.alphabet.tokens)),
        "blank": str(model.alphabet.blank),
        "preprocessing": json.dumps(model.preprocessing.described()),
        "fingerprint": model.fingerprint,
    }
    return graph.model(OUTPUT, ("N", "T", classes), metadata)


class _Maker:
    """Adds the pieces of the network to a graph; arrays are (N, channels, rows, columns)."""

    def __init__(self, graph: Graph, model: Model, frames: str) -> None:
        self.graph = graph
        self.shape = model.shape
        self.weights = model.weights
        self.frames = frames
        self.masks: dict[int, str] = {}

    def network(self, image: str) -> None:
        """Add all of it."""
        add, shape = self.graph.add, self.shape
        x = add("Transpose", image, perm=(0, 3, 1, 2))
        self._make_masks(x)
        x = self.stem(x, "stem1", (2, 2), columns=0)  # the image's own padding is zero
        x = self.stem(x, "stem2", (1, 1), columns=2)
        x = self.stem(x, "stem3", (2, 2), columns=2)
        x = add("Add", x, self.stem(x, "stem4", (1, 1), columns=1))
        x = self.stem(x, "stem5", (2, 1), columns=1)
        x = add("Add", x, self.stem(x, "stem6", (1, 1), columns=1))
        kernel, bias = self.folded("collapse", "dense")
        # All rows of a column become one frame.
        kernel = kernel.reshape(shape.height // 8, shape.stem[2], 1, shape.channels)
        x = add("Relu", self.conv(x, kernel.transpose(3, 1, 0, 2), bias))
        for i in range(shape.blocks):
            x = self.gated(x, f"gated{i + 1}")
        x = add("Squeeze", x, self.integers(2))
        x = add("Transpose", x, perm=(0, 2, 1))
        x = add("MatMul", x, self.graph.array(self.weights["logits/kernel"]))
        add("Add", x, self.graph.array(self.weights["logits/bias"]), output=OUTPUT)

    def integers(self, *values: int) -> str:
        """Add a constant of one dimension."""
        return self.graph.array(np.array(values, np.int64))

    def _make_masks(self, image: str) -> None:
        """Make 1 for each column inside its image and 0 behind it, (N, 1, 1, columns)."""
        add = self.graph.add

        def scalar(value: int) -> str:
            return self.graph.array(np.array(value, np.int64))

        width = add("Squeeze", add("Shape", image, start=3))
        frames = add("Unsqueeze", add("Cast", self.frames, to=7), self.integers(1, 2, 3))
        for columns in (2, 1):  # of a frame
            last = add("Div", width, scalar(4 // columns))
            place = add("Range", scalar(0), last, scalar(1))
            inside = add("Less", place, add("Mul", frames, scalar(columns)))
            self.masks[columns] = add("Cast", inside, to=1)

    def folded(self, name: str, kind: str) -> tuple[Float32Array, Float32Array]:
        """Return the kernel and bias of a layer with its batch normalisation."""
        weights = self.weights
        norm = f"{name}_norm"
        factor = weights[f"{norm}/gamma"] / np.sqrt(weights[f"{norm}/moving_variance"] + _EPSILON)
        kernel = weights[f"{name}_{kind}/kernel"] * factor
        bias = weights[f"{norm}/beta"] - weights[f"{norm}/moving_mean"] * factor
        return kernel.astype(np.float32), bias.astype(np.float32)

    def conv(self, x: str, kernel: Float32Array, bias: Float32Array | None, **sizes: Any) -> str:
        """Convolve; `kernel` is (channels out, channels in, rows, columns)."""
        arrays = [self.graph.array(one) for one in (kernel, bias) if one is not None]
        return self.graph.add("Conv", x, *arrays, kernel_shape=kernel.shape[2:], **sizes)

    def stem(self, x: str, name: str, strides: tuple[int, int], columns: int) -> str:
        """Convolve and rectify, after setting what is behind an image to zero."""
        if columns:
            x = self.graph.add("Mul", x, self.masks[columns])
        kernel, bias = self.folded(name, "conv")
        side = kernel.shape[0]
        before = [(side - stride) // 2 for stride in strides]
        after = [side - stride - less for stride, less in zip(strides, before, strict=True)]
        pads = (*before, *after)
        x = self.conv(x, kernel.transpose(3, 2, 0, 1), bias, strides=strides, pads=pads)
        return self.graph.add("Relu", x)

    def gated(self, x: str, name: str) -> str:
        """Add what a gated, depthwise separable convolution over frames finds to its input."""
        add, channels, size = self.graph.add, self.shape.channels, self.shape.kernel
        found = add("Mul", x, self.masks[1])
        kernel = self.weights[f"{name}_depthwise/kernel"].transpose(1, 2, 0)[:, :, None]
        pads = (0, (size - 1) // 2, 0, size // 2)
        found = self.conv(found, kernel, None, group=channels, pads=pads)
        mix, bias = self.folded(name, "dense")
        # Two convolutions for one: no array is cut in two, and the sigmoid comes at once.
        mix = mix.T[:, :, None, None]
        value = self.conv(found, mix[:channels], bias[:channels])
        gate = add("Sigmoid", self.conv(found, mix[channels:], bias[channels:]))
        return add("Add", x, add("Mul", value, gate))
