"""Which engine computes, and that ONNX Runtime gives what Keras gives."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ctckit.errors import InvalidValueError, MissingExtraError
from ctckit.recognizer import devices, engines, extras
from ctckit.recognizer.engines import choose
from ctckit.recognizer.models import DEFAULT_MODEL, read_model
from ctckit.recognizer.onnx_format import Graph
from ctckit.recognizer.onnx_network import onnx_bytes
from ctckit.recognizer.recognizer import Recognizer

keras = pytest.mark.xdist_group("keras")


def images(height: int, widths: list[int], seed: int = 0) -> list[np.ndarray]:
    """Draw strokes of noise, as much paper as ink, in prepared images."""
    rng = np.random.default_rng(seed)
    ink = [rng.integers(0, 256, (height, 4 * width), np.uint8) for width in widths]
    return [np.where(one > 128, one, 0).astype(np.uint8) for one in ink]


def largest_difference(one: Any, other: Any) -> float:
    return float(np.abs(np.asarray(one) - np.asarray(other)).max())


# The same numbers


@pytest.fixture(
    scope="module",
    params=[
        {},
        {"stem": (16, 48, 96), "channels": 64, "blocks": 4, "kernel": 7},
        {"height": 48, "kernel": 4, "blocks": 1},
        {"height": 8, "blocks": 0, "kernel": 1},
        {"bundled": True},
    ],
    ids=["small", "wide", "even kernel", "no block", "bundled"],
)
def both(request: pytest.FixtureRequest, random_model: Callable[..., Any]) -> list[Recognizer]:
    """Return a model in ONNX Runtime, and in Keras."""
    pytest.importorskip("onnxruntime", reason="needs ctckit[onnx]")
    pytest.importorskip("keras", reason="needs ctckit[recognizer]")
    bundled = request.param.get("bundled")
    model = read_model() if bundled else random_model([*map(chr, range(200, 280))], **request.param)
    return [Recognizer(model, "cpu", engine=engine) for engine in ("onnx", "keras")]


@keras
@pytest.mark.parametrize(
    "widths",
    [[1], [2], [3], [32], [500], [7, 7], [1, 2, 3, 4, 5], [32] * 16, [1, 300], [90, 10, 55, 2]],
    ids=str,
)
def test_onnx_runtime_gives_what_keras_gives(both: list[Recognizer], widths: list[int]) -> None:
    assert [one.backend for one in both] == ["onnxruntime", "tensorflow"]
    prepared = images(both[0].preprocessing.height, widths, len(widths))
    ours, theirs = (one.recognize(prepared) for one in both)
    assert ours.lengths.tolist() == theirs.lengths.tolist() == widths
    assert largest_difference(ours.log_probs, theirs.log_probs) < 1e-4
    assert np.ptp(ours.log_probs) > 1


@keras
def test_a_matrix_does_not_depend_on_its_batch(both: list[Recognizer]) -> None:
    ours = both[0]
    prepared = images(ours.preprocessing.height, [1, 3, 8, 20, 77, 200])
    batch = ours.recognize(prepared)
    for image, matrix in zip(prepared, batch, strict=True):
        alone = ours.recognize([image])[0]
        assert largest_difference(np.exp(alone), np.exp(matrix)) < 1e-5


# The ONNX file


def test_the_file_is_sound_and_says_what_it_is(random_model: Callable[..., Any]) -> None:
    onnx = pytest.importorskip("onnx")
    model = dataclasses.replace(random_model("abcé"), fingerprint="12ab")
    data = onnx_bytes(model)
    loaded = onnx.load_from_string(data)
    onnx.checker.check_model(loaded, full_check=True)
    told = {entry.key: entry.value for entry in loaded.metadata_props}
    assert json.loads(told["tokens"]) == ["a", "b", "c", "é", ""]
    assert json.loads(told["preprocessing"])["height"] == 32
    assert (told["blank"], told["fingerprint"]) == ("4", "12ab")
    shapes = [
        [size.dim_param or size.dim_value for size in value.type.tensor_type.shape.dim]
        for value in (*loaded.graph.input, *loaded.graph.output)
    ]
    assert shapes == [["N", 32, "W", 1], ["N"], ["N", "T", 5]]
    assert data == onnx_bytes(model)
    assert "mirrored" not in told["preprocessing"]
    mirrored = dataclasses.replace(model.preprocessing, mirrored=True)
    loaded = onnx.load_from_string(onnx_bytes(dataclasses.replace(model, preprocessing=mirrored)))
    told = {entry.key: entry.value for entry in loaded.metadata_props}
    assert json.loads(told["preprocessing"])["mirrored"] is True


def test_the_bundled_model_is_small() -> None:
    assert DEFAULT_MODEL.stat().st_size < 5_000_000
    assert len(onnx_bytes(read_model())) < 5_000_000


def test_negative_numbers_and_long_ones_are_written() -> None:
    onnx = pytest.importorskip("onnx")
    graph = Graph("numbers")
    numbers = np.array([-1, 300, -(2**40)], np.int64)
    graph.add("Gather", graph.array(numbers), graph.input("i", "int64", (2,)), axis=-1)
    loaded = onnx.load_from_string(graph.model("gather_2", ("N",), {}))
    (array,) = loaded.graph.initializer
    assert onnx.numpy_helper.to_array(array).tolist() == numbers.tolist()
    assert loaded.graph.node[0].attribute[0].i == -1


# Which engine


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let only some packages be installed, beside those that read images."""
    reading = {"cv2", "PIL", "safetensors", "fontTools"}

    def only(*names: str, gpu: bool = False, without: str = "") -> None:
        there = reading.union(names) - {without}
        for module in (extras, engines):
            monkeypatch.setattr(module, "is_installed", lambda name: name in there)
        monkeypatch.setattr(devices, "may_have_gpu", lambda: gpu)
        monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
        monkeypatch.delitem(sys.modules, "keras", raising=False)

    return only


KERAS = ("keras", "tensorflow")


@pytest.mark.parametrize(
    ("packages", "gpu", "device", "expected"),
    [
        (("onnxruntime",), False, "auto", "onnx"),
        (("onnxruntime",), True, "auto", "onnx"),
        (("onnxruntime", *KERAS), False, "auto", "onnx"),
        (("onnxruntime", *KERAS), True, "auto", "keras"),
        (("onnxruntime", *KERAS), True, "cpu", "onnx"),
        (("onnxruntime", *KERAS), False, "gpu", "keras"),
        (("onnxruntime", "keras"), True, "auto", "onnx"),
        (KERAS, False, "auto", "keras"),
        (KERAS, False, "cpu", "keras"),
    ],
)
def test_the_engine_that_is_taken(
    installed: Callable[..., None], packages: tuple[str], gpu: bool, device: str, expected: str
) -> None:
    installed(*packages, gpu=gpu)
    assert choose(device) == expected


@pytest.mark.parametrize(
    ("packages", "device", "engine", "package", "extra"),
    [
        ((), "auto", "auto", "onnxruntime", "onnx"),
        (("keras",), "cpu", "auto", "onnxruntime", "onnx"),
        (KERAS, "cpu", "onnx", "onnxruntime", "onnx"),
        (("onnxruntime",), "gpu", "auto", "keras", "recognizer"),
        (("onnxruntime",), "cpu", "keras", "keras", "recognizer"),
    ],
)
def test_what_is_missing_is_named_with_its_extra(
    installed: Callable[..., None],
    packages: tuple[str],
    device: str,
    engine: str,
    package: str,
    extra: str,
) -> None:
    installed(*packages)
    message = f"the recognizer needs {package}, which is missing; pip install 'ctckit[{extra}]'"
    with pytest.raises(MissingExtraError, match=f"^{re.escape(message)}$"):
        choose(device, engine)


@pytest.mark.parametrize("module", ["cv2", "PIL", "safetensors"])
def test_reading_images_needs_more(installed: Callable[..., None], module: str) -> None:
    installed("onnxruntime", without=module)
    with pytest.raises(MissingExtraError, match=r"is missing; pip install 'ctckit\[onnx\]'$"):
        choose("cpu")


def test_unknown_engines_and_devices_are_refused() -> None:
    for device, engine, message in (
        ("cpu", "torch", "^engine must be one of auto, onnx, keras, got 'torch'; take auto$"),
        ("tpu", "auto", "^device must be one of auto, cpu, gpu, got 'tpu'; take auto$"),
        ("gpu", "onnx", "^device must be cpu for ONNX Runtime, got 'gpu'; use the engine keras$"),
    ):
        with pytest.raises(InvalidValueError, match=message):
            choose(device, engine)


@keras
def test_where_keras_sees_no_gpu_after_all(
    monkeypatch: pytest.MonkeyPatch, random_model: Callable[..., Any]
) -> None:
    for name in ("onnxruntime", *KERAS):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed here")
    monkeypatch.setattr(devices, "may_have_gpu", lambda: True)
    monkeypatch.setattr(devices, "gpu_count", lambda backend: 0)
    assert Recognizer(random_model("ab")).backend == "onnxruntime"
    recognizer = Recognizer(random_model("ab"), "cpu", engine="keras")
    assert recognizer.backend == "tensorflow"


def test_a_gpu_is_seen_by_its_driver(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(devices, "_DRIVERS", (str(tmp_path / "driver"),))
    assert not devices.may_have_gpu()
    (tmp_path / "driver").touch()
    assert devices.may_have_gpu()
    for value, seen in (("-1", False), ("", False), ("0", True), ("0,1", True)):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
        assert devices.may_have_gpu() == seen
