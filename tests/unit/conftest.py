"""Fixtures of the unit tests."""

from __future__ import annotations

import importlib
import importlib.util
import json
from collections.abc import Callable
from typing import Any

import pytest

from ctckit.decoders.options import REQUIRED
from ctckit.registry import decoder_class, list_decoders


@pytest.fixture(scope="session")
def own_decoders() -> list[str]:
    """Names of ctckit's own decoders, those of the plugin for word beam search among them."""
    ours = "ctckit", "ctcwordbeamsearch"
    return [info.name for info in list_decoders() if info.distribution in ours]


@pytest.fixture(scope="session")
def options_cell() -> Callable[[str], str]:
    """What a table of decoders tells of a decoder's options."""

    def cell(name: str) -> str:
        said = []
        for one in decoder_class(name).options.values():
            default = json.dumps(one.default) if isinstance(one.default, str) else one.default
            required = one.default is REQUIRED
            said.append(f"`{one.name}` (required)" if required else f"`{one.name}={default}`")
        return ", ".join(said) or "none"

    return cell


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
