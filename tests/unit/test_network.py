"""The network: its size, its names, and that a matrix depends on nothing but its image."""

from __future__ import annotations

import doctest
import importlib.util
import re
from collections.abc import Callable
from dataclasses import asdict
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from ctckit.recognizer.shape import NetworkShape

pytestmark = pytest.mark.xdist_group("keras")

DEFAULT = NetworkShape(classes=120)
SMALL = NetworkShape(classes=11, stem=(4, 6, 8), channels=16, blocks=2, kernel=5)
SHAPES = [
    DEFAULT,
    SMALL,
    NetworkShape(height=8, classes=2, stem=(1, 2, 3), channels=1, blocks=0, kernel=1),
    NetworkShape(height=72, classes=5, stem=(3, 2, 1), channels=7, blocks=3, kernel=4, dropout=0),
]
WIDTHS = [*range(8, 204, 4), 600, 1024, 4000]


@pytest.fixture(scope="module")
def network() -> ModuleType:
    if importlib.util.find_spec("keras") is None:
        pytest.skip("needs ctckit[recognizer]")
    extras = importlib.import_module("ctckit.recognizer.extras")
    extras.require_recognizer()
    with extras.without_chatter():
        return importlib.import_module("ctckit.recognizer.network")


@pytest.fixture
def make(network: ModuleType, random_model: Callable[..., Any]) -> Callable[..., Any]:
    """Return what builds a network with random weights, biases and statistics."""

    def build(shape: NetworkShape, seed: int = 0) -> Any:
        built = network.build_network(shape)
        sizes = asdict(shape)
        tokens = [chr(0x4E00 + i) for i in range(sizes.pop("classes") - 1)]
        weights = random_model(tokens, seed, **sizes).weights
        for name, variable in network.named_weights(built).items():
            variable.assign(weights[name])
        built.compile(jit_compile=False)
        return built

    return build


def draw(width: int, height: int = 32) -> np.ndarray:
    """Return noise with no empty edge, (height, width)."""
    return np.random.default_rng(width).random((height, width), dtype=np.float32)


def run(built: Any, images: list[np.ndarray]) -> list[np.ndarray]:
    """Return the logits of each image, all in one batch."""
    width = max(image.shape[1] for image in images)
    batch = np.zeros((len(images), len(images[0]), width, 1), np.float32)
    frames = np.array([image.shape[1] // 4 for image in images], np.int32)
    for row, image in zip(batch, images, strict=True):
        row[:, : image.shape[1], 0] = image
    logits = np.asarray(built.predict_on_batch([batch, frames]))
    assert logits.shape == (len(images), width // 4, built.output_shape[-1])
    return [one[:n] for one, n in zip(logits, frames, strict=True)]


def difference(one: list[np.ndarray], other: list[np.ndarray]) -> float:
    return max(float(np.abs(a - b).max()) for a, b in zip(one, other, strict=True))


# Sizes and names


def test_the_default_network_has_a_million_weights(network: ModuleType) -> None:
    count = network.build_network(DEFAULT).count_params()
    assert 1_000_000 <= count <= 1_200_000
    assert count == sum(int(np.prod(shape)) for shape in DEFAULT.weights().values())


@pytest.mark.parametrize("shape", SHAPES, ids=["default", "small", "least", "odd"])
def test_the_shape_knows_the_weights(network: ModuleType, shape: NetworkShape) -> None:
    shape.check()
    built = network.named_weights(network.build_network(shape))
    assert {name: tuple(weight.shape) for name, weight in built.items()} == shape.weights()


def test_every_name_is_given(network: ModuleType) -> None:
    # keras numbers what has no name, from one network to the next: dense, dense_1, ...
    names = [
        [one.name for one in network.build_network(DEFAULT, folded=folded).operations]
        for folded in (False, False, True)
    ]
    assert names[0] == names[1]
    assert len(set(names[0])) == len(names[0])
    piece = re.compile(
        r"image|frames|columns|frame|dropout|logits"
        r"|(stem[1-6]|collapse|gated[1-6])_(zero|conv|norm|relu|add|dense|depthwise|gate|dropout)"
    )
    assert [name for name in names[0] + names[2] if not piece.fullmatch(name)] == []


def test_a_matrix_has_a_frame_for_four_columns(make: Callable[..., Any]) -> None:
    built = make(SMALL)
    for width in (4, 8, 100):
        assert run(built, [draw(width)])[0].shape == (width // 4, 11)


def test_layers_can_be_made_from_their_description(network: ModuleType) -> None:
    layer = network.ZeroPadding(2, name="x_zero")
    again = network.ZeroPadding.from_config(layer.get_config())
    assert (again.columns, again.name) == (2, "x_zero")


def test_docstrings_say_what_is(network: ModuleType) -> None:
    # Here too, since pytest reads this module's doctests only where Keras may be loaded.
    assert doctest.testmod(network).failed == 0


# What a matrix depends on


@pytest.mark.parametrize("seed", [0, 1])
def test_a_matrix_is_the_same_alone_and_in_any_batch(make: Callable[..., Any], seed: int) -> None:
    built = make(DEFAULT, seed)
    images = [draw(width) for width in WIDTHS]
    alone = [run(built, [image])[0] for image in images]
    assert max(float(np.abs(one).max()) for one in alone) > 1
    narrow = [i for i, width in enumerate(WIDTHS) if width < 204]
    batches = [narrow, narrow[::-1], narrow[::7], [0, WIDTHS.index(600)], [0, 5, len(WIDTHS) - 1]]
    for places in batches:
        together = run(built, [images[i] for i in places])
        assert difference(together, [alone[i] for i in places]) < 1e-5


def test_that_is_so_because_padding_is_zeroed(
    make: Callable[..., Any], network: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network.ZeroPadding, "call", lambda self, inputs: inputs[0])
    built = make(DEFAULT)
    images = [draw(8), draw(100)]
    assert difference(run(built, images), [run(built, [one])[0] for one in images]) > 0.01


@pytest.mark.parametrize("layer", ["stem2", "stem3", "stem4", "stem5", "stem6", "gated1", "gated2"])
def test_padding_is_zeroed_before_each_convolution(
    make: Callable[..., Any], network: ModuleType, monkeypatch: pytest.MonkeyPatch, layer: str
) -> None:
    zero = network.ZeroPadding.call
    monkeypatch.setattr(
        network.ZeroPadding,
        "call",
        lambda self, inputs: inputs[0] if self.name == f"{layer}_zero" else zero(self, inputs),
    )
    built = make(SMALL)
    images = [draw(8), draw(100)]
    assert difference(run(built, images), [run(built, [one])[0] for one in images]) > 1e-4


def test_a_frame_sees_only_what_is_near(make: Callable[..., Any]) -> None:
    built = make(DEFAULT)
    image = draw(800)
    other = image.copy()
    other[:, 400:] = 1 - other[:, 400:]
    one, two = run(built, [image, other])
    # Six blocks see 3 frames to a side each, the stem another few.
    assert np.abs(one[:72] - two[:72]).max() < 1e-5
    assert np.abs(one[95:100] - two[95:100]).min(axis=1).max() > 1e-4


def test_the_middle_of_an_image_is_the_same_when_it_is_cut_out(make: Callable[..., Any]) -> None:
    built = make(DEFAULT)
    image = draw(800)
    whole, part = run(built, [image])[0], run(built, [image[:, 200:600]])[0]
    assert np.abs(whole[50 + 28 : 150 - 28] - part[28:-28]).max() < 1e-5


# Batch normalisation in the weights


@pytest.mark.parametrize("shape", SHAPES, ids=["default", "small", "least", "odd"])
def test_folded_it_computes_the_same(
    make: Callable[..., Any], network: ModuleType, shape: NetworkShape
) -> None:
    built = make(shape)
    folded = network.fold(built, shape)
    folded.compile(jit_compile=False)
    assert not [layer.name for layer in folded.layers if "norm" in layer.name]
    assert folded.count_params() < built.count_params()
    images = [draw(width, shape.height) for width in (4, 60, 100)]
    expected = run(built, images)
    assert difference(run(folded, images), expected) < 1e-4
    alone = [run(folded, [image])[0] for image in images]
    assert difference(run(folded, images), alone) < 1e-5
    assert max(float(np.ptp(one)) for one in expected) > 0.1


def test_folding_leaves_the_network_as_it_was(
    make: Callable[..., Any], network: ModuleType
) -> None:
    built = make(SMALL)
    before = {name: v.numpy() for name, v in network.named_weights(built).items()}
    network.fold(built, SMALL)
    for name, value in network.named_weights(built).items():
        np.testing.assert_array_equal(value.numpy(), before[name])
