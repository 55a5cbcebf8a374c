"""Fixtures of the unit tests."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

import pytest


@pytest.fixture(scope="module")
def tf() -> Any:
    """TensorFlow, where Keras computes with it."""
    if importlib.util.find_spec("tensorflow") is None or importlib.util.find_spec("keras") is None:
        pytest.skip("needs ctckit[recognizer]")
    extras = importlib.import_module("ctckit.recognizer.extras")
    if extras.require_recognizer() != "tensorflow":
        pytest.skip("other backends take Keras's own layer and loss")
    with extras.without_chatter():
        return importlib.import_module("tensorflow")
