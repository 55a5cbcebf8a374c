"""The command export: an ONNX file that other programs run."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("safetensors", reason="needs ctckit[images]")


def test_the_file_runs_elsewhere(invoke, folder):
    runtime = pytest.importorskip("onnxruntime", reason="needs ctckit[onnx]")
    from ctckit.recognizer.models import read_model
    from ctckit.recognizer.recognizer import Recognizer

    result = invoke("export", "--output", "out/some.onnx")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == ""
    assert "of 32 rows and" in result.stderr
    assert "'out/some.onnx'" in result.stderr
    session = runtime.InferenceSession(folder / "out" / "some.onnx")
    metadata = session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata["tokens"]) == list(read_model().alphabet.tokens)
    image = np.random.default_rng(0).integers(0, 256, (32, 64), np.uint8)
    inputs = {
        "image": image[None, ..., None].astype(np.float32) / 255,
        "frames": np.array([16], np.int32),
    }
    (logits,) = session.run(None, inputs)
    ours = Recognizer.load(engine="onnx").recognize([image])
    expected = logits[0] - np.log(np.exp(logits[0].astype(np.float64)).sum(1, keepdims=True))
    np.testing.assert_allclose(ours[0], expected, atol=1e-4)


def test_what_is_refused(invoke, folder):
    result = invoke("export", "--output", "model.pt")
    assert result.exit_code == 2
    assert "output must end in .onnx, got 'model.pt'; rename it" in result.stderr
    result = invoke("export", "--model", "none.safetensors")
    assert result.exit_code == 1
    assert "model must be a file that exists, got 'none.safetensors'" in result.stderr
    (folder / "file").write_text("x")
    result = invoke("export", "--output", "file/model.onnx")
    assert result.exit_code == 1
    assert "file must be writable, got 'file/model.onnx'" in result.stderr
