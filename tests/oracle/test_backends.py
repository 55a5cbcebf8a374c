"""One model file gives the same matrices with every backend of Keras."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.xdist_group("keras")

CODE = """
import sys
import numpy as np
from ctckit.recognizer.recognizer import Recognizer

model, images, output = sys.argv[1:]
recognizer = Recognizer.load(model, "cpu", engine="keras")
with np.load(images) as arrays:
    images = [recognizer.prepare(arrays[name]) for name in sorted(arrays)]
batch = recognizer.recognize(images)
alone = recognizer.recognize(images[:1])
np.savez(output, log_probs=batch.log_probs, offsets=batch.offsets, alone=alone.log_probs)
print(recognizer.backend, recognizer.device)
"""


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_another_backend_gives_the_same_matrices(
    tmp_path: Path, random_model: Callable[..., Any], backend: str
) -> None:
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed here")
    from ctckit.recognizer.models import save_model
    from ctckit.recognizer.recognizer import Recognizer

    model = tmp_path / "m.safetensors"
    save_model(
        model, random_model([chr(200 + i) for i in range(90)], stem=(16, 48, 96), channels=64)
    )
    rng = np.random.default_rng(0)
    images = {}
    for i, width in enumerate((40, 90, 333, 700)):
        image = np.full((60, width), 220, np.uint8)
        image[15:45, 5:-5] = rng.integers(20, 220, (30, width - 10))
        images[f"image{i}"] = image
    np.savez(tmp_path / "images.npz", **images)

    paths = [str(model), str(tmp_path / "images.npz"), str(tmp_path / "out.npz")]
    done = subprocess.run(
        [sys.executable, "-c", CODE, *paths],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, "KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{backend} cpu\n"

    recognizer = Recognizer.load(model, "cpu", engine="keras")
    assert recognizer.backend == "tensorflow"
    expected = recognizer.recognize([recognizer.prepare(image) for image in images.values()])
    with np.load(tmp_path / "out.npz") as other:
        np.testing.assert_array_equal(other["offsets"], expected.offsets)
        np.testing.assert_allclose(other["log_probs"], expected.log_probs, rtol=0, atol=1e-4)
        np.testing.assert_allclose(other["alone"], expected[0], rtol=0, atol=1e-4)
    assert np.ptp(expected.log_probs) > 1
