"""The recognizer: images to matrices, devices, and what it says where something is missing."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import os
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from ctckit import Alphabet
from ctckit.errors import InvalidValueError, MissingExtraError, NotFoundError
from ctckit.recognizer import devices, extras
from ctckit.recognizer.devices import choose
from ctckit.recognizer.extras import require_recognizer, without_chatter
from ctckit.recognizer.models import Model, save_model
from ctckit.recognizer.recognizer import Recognizer, padded

keras = pytest.mark.xdist_group("keras")


@pytest.fixture(scope="module")
def model(random_model: Callable[..., Any]) -> Model:
    return random_model("abcdefghij")


@pytest.fixture(scope="module", params=["onnx", "keras"])
def engine(request: pytest.FixtureRequest) -> str:
    """Each engine that is installed; what uses it has the mark `keras`."""
    if request.param == "onnx":
        pytest.importorskip("onnxruntime", reason="needs ctckit[onnx]")
    return str(request.param)


@pytest.fixture(scope="module")
def recognizer(model: Model, engine: str) -> Recognizer:
    """Return one with random weights."""
    return Recognizer(model, "cpu", engine=engine)


def word(text: str, height: int = 60, width: int = 0) -> np.ndarray:
    """Draw a word, dark on light."""
    image = np.full((height, width or 30 * len(text) + 20), 235, np.uint8)
    cv2.putText(image, text, (8, height * 2 // 3), cv2.FONT_HERSHEY_SIMPLEX, height / 45, 40, 2)
    return image


# Matrices


@keras
def test_images_become_matrices(recognizer: Recognizer, model: Model) -> None:
    images = [word("hello"), word("a", 200), word("wide word")]
    prepared = [recognizer.prepare(image) for image in images]
    batch = recognizer.recognize(prepared, ["x", "y", "z"])
    assert list(batch.ids) == ["x", "y", "z"]
    assert batch.alphabet == recognizer.alphabet == model.alphabet
    assert batch.alphabet.blank == 10
    assert batch.lengths.tolist() == [image.shape[1] // 4 for image in prepared]
    np.testing.assert_allclose(np.exp(batch.log_probs).sum(axis=1), 1, rtol=1e-5)
    assert np.ptp(batch[0]) > 0.5
    assert list(recognizer.recognize(prepared).ids) == ["0", "1", "2"]


@keras
def test_a_matrix_is_the_same_alone_and_in_any_batch(recognizer: Recognizer) -> None:
    words = ["i", "to", "the", "word", "which", "longest", "considerable", "x" * 60]
    prepared = [recognizer.prepare(word(text)) for text in words]
    alone = [recognizer.recognize([one])[0] for one in prepared]
    for order in (range(8), range(7, -1, -1), [0, 7], [3, 3, 3], [2, 5, 1]):
        batch = recognizer.recognize([prepared[i] for i in order])
        for i, matrix in zip(order, batch, strict=True):
            np.testing.assert_allclose(matrix, alone[i], rtol=0, atol=1e-5)


@keras
def test_the_last_class_is_the_blank(model: Model, engine: str) -> None:
    bias = np.zeros(11, np.float32)
    bias[10] = 50
    sure = dataclasses.replace(model, weights={**model.weights, "logits/bias": bias})
    recognizer = Recognizer(sure, "cpu", engine=engine)
    batch = recognizer.recognize([recognizer.prepare(word("abc"))])
    assert set(batch.log_probs.argmax(axis=1)) == {batch.alphabet.blank}


STRANGE = {
    "1x1": np.full((1, 1), 128, np.uint8),
    "wide": word("w" * 600, 40, 20_000),
    "a row": np.random.default_rng(0).integers(0, 256, (1, 20_000), np.uint8),
    "a column": np.random.default_rng(0).integers(0, 256, (20_000, 1), np.uint8),
    "white": np.full((50, 100), 255, np.uint8),
    "black": np.zeros((50, 100), np.uint8),
    "noise": np.random.default_rng(0).integers(0, 256, (70, 300), np.uint8),
    "cut out": word("hello")[5:-5, ::-1],
}


@keras
@pytest.mark.parametrize("image", STRANGE.values(), ids=STRANGE)
def test_strange_images_have_matrices(recognizer: Recognizer, image: np.ndarray) -> None:
    prepared = recognizer.prepare(image)
    assert prepared.shape[1] <= recognizer.preprocessing.max_width
    batch = recognizer.recognize([prepared])
    assert batch.lengths.tolist() == [prepared.shape[1] // 4]
    assert np.isfinite(batch.log_probs).all()


@keras
def test_empty_pages_are_alike(recognizer: Recognizer) -> None:
    names = ("1x1", "white", "black")
    batch = recognizer.recognize([recognizer.prepare(STRANGE[name]) for name in names])
    assert batch.lengths.tolist() == [2, 2, 2]
    np.testing.assert_allclose(batch[0], batch[2], atol=1e-5)


@keras
def test_what_prepare_has_not_made_is_refused(recognizer: Recognizer) -> None:
    good = np.zeros((32, 8), np.uint8)
    cases: list[tuple[list[Any], str]] = [
        ([], "prepared must hold at least one image, got none"),
        ([good, np.zeros((30, 8), np.uint8)], r"images of 32 rows .* got \(30, 8\); make them"),
        ([np.zeros((32, 10), np.uint8)], r"a multiple of 4 columns, got \(32, 10\)"),
        ([np.zeros((32, 0), np.uint8)], r"got \(32, 0\)"),
        ([np.zeros((32, 8, 1), np.uint8)], r"got \(32, 8, 1\)"),
        ([good / np.float32(255)], "images of uint8, got float32"),
    ]
    for prepared, message in cases:
        with pytest.raises(InvalidValueError, match=message):
            recognizer.recognize(prepared)
    with pytest.raises(InvalidValueError, match="ids"):
        recognizer.recognize([good], ["a", "b"])
    with pytest.raises(InvalidValueError, match=r"image must be uint8 .* got float64"):
        recognizer.prepare(np.zeros((4, 4)))


@keras
def test_numbers_too_large_to_compute_with_are_the_models_fault(model: Model, engine: str) -> None:
    large = {n: np.full_like(v, 3e38) if "kernel" in n else v for n, v in model.weights.items()}
    with np.errstate(all="ignore"):
        changed = dataclasses.replace(model, weights=large)
        recognizer = Recognizer(changed, "cpu", engine=engine)
    with pytest.raises(InvalidValueError, match="model must give finite numbers, got NaN or inf"):
        recognizer.recognize([recognizer.prepare(word("abc"))])


@keras
def test_what_the_matrices_depend_on_is_said(tmp_path: Path, model: Model, engine: str) -> None:
    save_model(tmp_path / "m", model, dtype="float32")
    recognizer = Recognizer.load(str(tmp_path / "m"), "cpu", engine=engine)
    backend = {"onnx": "onnxruntime", "keras": "tensorflow"}[engine]
    assert (recognizer.backend, recognizer.device) == (backend, "cpu")
    assert sorted(recognizer.source) == ["model", "preprocessing"]  # not the engine
    assert len(recognizer.source["model"]) == 32
    assert recognizer.source["preprocessing"]["height"] == 32
    prepared = [recognizer.prepare(word("abc"))]
    expected = Recognizer(model, "cpu", engine=engine).recognize(prepared)
    np.testing.assert_allclose(
        recognizer.recognize(prepared).log_probs, expected.log_probs, atol=1e-5
    )


@keras
def test_a_model_that_does_not_fit_together_is_refused(model: Model) -> None:
    for changed, message in (
        ({"alphabet": Alphabet("-abcdefghij", 0)}, "blank must be the last class"),
        ({"weights": {}}, "weights must be those of the network"),
    ):
        with pytest.raises(InvalidValueError, match=message):
            Recognizer(dataclasses.replace(model, **changed), "cpu")


def test_padding_to_a_quantum_adds_paper() -> None:
    ones = [np.full((8, width), 255, np.uint8) for width in (4, 12, 68)]
    images, frames = padded(ones, 8, 16)
    assert (images.shape, images.dtype, frames.dtype) == ((16, 8, 128, 1), np.float32, np.int32)
    assert frames.tolist() == [1, 3, 17] + [1] * 13
    assert [float(image.sum()) / 8 for image in images[:4]] == [4, 12, 68, 0]
    assert padded(ones, 8)[0].shape == (3, 8, 68, 1)


# Devices


@keras
def test_an_accelerator_that_is_not_there_is_named(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "gpu_count", lambda backend: 0)
    message = (
        r"^device must be cpu where tensorflow sees no GPU, got 'gpu'; install its driver and "
        r"pip install 'ctckit\[gpu\]', or use --device cpu$"
    )
    with pytest.raises(InvalidValueError, match=message):
        Recognizer(model, "gpu")
    assert Recognizer(model, "auto", engine="keras").device == "cpu"


def test_a_device_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    grown: list[bool] = []
    monkeypatch.setattr(devices, "_let_memory_grow", lambda: grown.append(True))
    monkeypatch.setattr(devices, "gpu_count", lambda backend: 2)
    assert [choose("tensorflow", one) for one in ("auto", "cpu", "gpu")] == ["gpu", "cpu", "gpu"]
    assert len(grown) == 3
    assert choose("jax", "auto") == "gpu"
    assert len(grown) == 3


def test_an_unknown_device_is_refused_before_anything_is_loaded(model: Model) -> None:
    for make in (lambda: Recognizer(model, "tpu"), lambda: Recognizer.load("none", "tpu")):
        with pytest.raises(InvalidValueError, match="one of auto, cpu, gpu, got 'tpu'; take auto"):
            make()


def test_a_jax_without_its_platform_has_no_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> list[Any]:
        raise RuntimeError("Unable to initialize backend 'cuda'")

    monkeypatch.setitem(sys.modules, "jax", types.SimpleNamespace(devices=fail))
    assert devices.gpu_count("jax") == 0
    with pytest.raises(InvalidValueError, match=r"where jax sees no GPU.*'jax\[cuda12\]'"):
        choose("jax", "gpu")


def test_accelerators_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    two = [types.SimpleNamespace(platform=name) for name in ("gpu", "gpu", "cpu")]
    monkeypatch.setitem(sys.modules, "jax", types.SimpleNamespace(devices=lambda: two))
    assert devices.gpu_count("jax") == 2
    cuda = types.SimpleNamespace(device_count=lambda: 3)
    monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(cuda=cuda))
    assert devices.gpu_count("torch") == 3


def test_precision() -> None:
    for device, wanted, chosen in [
        ("gpu", "auto", "mixed"),
        ("cpu", "auto", "float32"),
        ("gpu", "float32", "float32"),
        ("cpu", "mixed", "mixed"),
    ]:
        assert devices.choose_precision(device, wanted) == chosen
    with pytest.raises(InvalidValueError, match="one of auto, float32, mixed, got 'half'; take"):
        devices.choose_precision("cpu", "half")


@pytest.mark.parametrize("device", ["auto", "gpu", "cpu"])
def test_memory_grows_on_every_gpu(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    """On the CPU too: TensorFlow would take the GPU's memory all the same."""
    grown: dict[str, bool] = {}
    config = types.SimpleNamespace(
        list_physical_devices=lambda kind: [f"{kind}:0", f"{kind}:1"],
        experimental=types.SimpleNamespace(set_memory_growth=grown.__setitem__),
    )
    monkeypatch.setitem(sys.modules, "tensorflow", types.SimpleNamespace(config=config))
    assert choose("tensorflow", device) == ("cpu" if device == "cpu" else "gpu")
    assert grown == {"GPU:0": True, "GPU:1": True}


def test_a_gpu_that_is_in_use_keeps_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def late(*_: object) -> None:
        raise RuntimeError("Physical devices cannot be modified after being initialized")

    config = types.SimpleNamespace(
        list_physical_devices=lambda kind: [kind],
        experimental=types.SimpleNamespace(set_memory_growth=late),
    )
    monkeypatch.setitem(sys.modules, "tensorflow", types.SimpleNamespace(config=config))
    assert choose("tensorflow", "auto") == "gpu"


def test_a_tensorflow_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    config = types.SimpleNamespace(list_physical_devices=lambda kind: [])
    monkeypatch.setitem(sys.modules, "tensorflow", types.SimpleNamespace(config=config))
    assert choose("tensorflow", "auto") == "cpu"
    with pytest.raises(
        InvalidValueError, match=r"tensorflow sees no GPU, got 'gpu'.*ctckit\[gpu\]"
    ):
        choose("tensorflow", "gpu")


# What is missing


@pytest.fixture
def no_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behave as if Keras had not been imported yet."""
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    for name in ("TF_CPP_MIN_LOG_LEVEL", "TF_ENABLE_DEPRECATION_WARNINGS"):
        monkeypatch.setenv(name, os.environ.get(name, "3"))


@pytest.mark.parametrize(
    ("module", "package"),
    [
        ("cv2", "opencv-python-headless"),
        ("PIL", "pillow"),
        ("safetensors", "safetensors"),
        ("keras", "keras"),
        ("tensorflow", "tensorflow"),
    ],
)
@pytest.mark.parametrize("left", ["nothing", "a folder", "half"])
def test_a_missing_package_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, no_keras: None, module: str, package: str, left: str
) -> None:
    find = importlib.util.find_spec

    def without(name: str) -> Any:
        if name != module:
            return find(name)
        if left == "half":
            raise ValueError(f"{name}.__spec__ is None")
        # An uninstalled package may leave a folder, which is a namespace then.
        return None if left == "nothing" else types.SimpleNamespace(origin=None)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    message = (
        rf"^the recognizer needs {package}, which is missing; pip install 'ctckit\[recognizer\]'$"
    )
    with pytest.raises(MissingExtraError, match=message):
        require_recognizer()
    with pytest.raises(MissingExtraError, match=message):
        Recognizer.load("none", engine="keras")


def test_another_backend_that_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, no_keras: None
) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda n: None if n == "jax" else find(n))
    with pytest.raises(MissingExtraError, match=r"needs jax, .* install jax, or unset KERAS_BACK"):
        require_recognizer()


def test_an_unknown_backend_is_refused(monkeypatch: pytest.MonkeyPatch, no_keras: None) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "theano")
    message = "KERAS_BACKEND must be one of tensorflow, jax, torch, got 'theano'; unset it"
    with pytest.raises(InvalidValueError, match=message):
        require_recognizer()
    monkeypatch.setenv("KERAS_BACKEND", "")
    assert require_recognizer() == "tensorflow"
    assert os.environ["KERAS_BACKEND"] == "tensorflow"


def test_a_keras_that_is_loaded_keeps_its_backend(
    monkeypatch: pytest.MonkeyPatch, no_keras: None
) -> None:
    backend = types.SimpleNamespace(backend=lambda: "jax")
    loaded = types.SimpleNamespace(
        backend=backend, __spec__=types.SimpleNamespace(origin="keras/__init__.py")
    )
    monkeypatch.setitem(sys.modules, "keras", loaded)  # type: ignore[arg-type]
    monkeypatch.setattr(extras, "is_installed", lambda module: True)
    assert require_recognizer() == "jax"
    backend.backend = lambda: "openvino"
    with pytest.raises(InvalidValueError, match="got 'openvino'"):
        require_recognizer()


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize(
    "code",
    [
        "import ctckit",
        "from ctckit.cli.main import cli; cli(['--help'], standalone_mode=False)",
        "from ctckit.cli.main import cli; cli(['dump', '--help'], standalone_mode=False)",
        "from ctckit.recognizer.recognizer import Recognizer",
        "from ctckit.recognizer.extras import require_recognizer; require_recognizer()",
        "from ctckit.recognizer.engines import choose; choose('auto')",
    ],
    ids=["import", "help", "dump help", "recognizer", "require", "choose"],
)
def test_nothing_heavy_is_loaded_before_it_is_needed(code: str) -> None:
    heavy = ("keras", "tensorflow", "jax", "torch", "cv2", "PIL", "safetensors", "onnxruntime")
    done = run(f"{code}\nimport sys\nprint('#', *[m for m in {heavy} if m in sys.modules])")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "#"


def test_without_packages_the_class_can_be_imported_and_says_so() -> None:
    code = """
import sys
for name in ("cv2", "keras", "tensorflow", "safetensors", "PIL", "onnxruntime"):
    sys.modules[name] = None
from ctckit.recognizer.recognizer import Recognizer
try:
    Recognizer.load("none")
except ImportError as error:
    print(type(error).__name__, error)
"""
    done = run(code)
    assert done.stdout.startswith("MissingExtraError the recognizer needs opencv"), done.stderr


def test_only_chatter_is_kept_from_stderr(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    chatter = b"WARNING: All log messages before absl::InitializeLog() is called\nI0000 00:00 hi\n"

    def write() -> None:
        with without_chatter():
            os.write(2, chatter + b"E0000 00:00 an error\nwords\n")

    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    write()
    assert capfd.readouterr().err == "E0000 00:00 an error\nwords\n"
    with contextlib.suppress(KeyError), without_chatter():
        os.write(2, chatter + b"cause\n")
        raise KeyError
    assert capfd.readouterr().err == "cause\n"
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    write()
    assert len(capfd.readouterr().err.splitlines()) == 4


def test_a_missing_model_is_named_before_keras_is_loaded(tmp_path: Path) -> None:
    code = f"""
import sys
from ctckit.recognizer.recognizer import Recognizer
try:
    Recognizer.load({str(tmp_path / "m")!r})
except LookupError as error:
    print(type(error).__name__, "keras" in sys.modules)
"""
    assert run(code).stdout == f"{NotFoundError.__name__} False\n"
