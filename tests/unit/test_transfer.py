"""The weights of a trained model as the first ones of another training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ctckit import Alphabet
from ctckit.recognizer.models import Model
from ctckit.recognizer.preprocessing import Preprocessing
from ctckit.recognizer.shape import NetworkShape
from ctckit.recognizer.transfer import transferred

SHAPE = NetworkShape(classes=4, stem=(2, 2, 2), channels=3, blocks=0)


@pytest.fixture
def weights() -> Callable[[int, int], dict[str, Any]]:
    """Return random weights for so many classes."""

    def make(classes: int, seed: int) -> dict[str, Any]:
        rng = np.random.default_rng(seed)
        sizes = {"stem1_conv/kernel": (5, 5, 1, 2), "logits/kernel": (3, classes),
                 "logits/bias": (classes,)}  # fmt: skip
        return {name: rng.normal(0, 1, size).astype(np.float32) for name, size in sizes.items()}

    return make


def test_what_belongs_to_a_token_goes_with_it(weights: Callable[..., Any]) -> None:
    old = Model(Alphabet(["a", "b", "c", ""], 3), SHAPE, Preprocessing(), weights(4, 1))
    alphabet = Alphabet(["ä", "c", "d", "a", ""], blank=4)
    random = weights(5, 2)
    kept = {name: value.copy() for name, value in random.items()}
    found = transferred(old, alphabet, random)
    for name in ("logits/kernel", "logits/bias"):
        for i, token in enumerate(alphabet.tokens):
            if token in old.alphabet.tokens:
                source = old.weights[name][..., old.alphabet.tokens.index(token)]
            else:
                source = kept[name][..., i]
            np.testing.assert_array_equal(found[name][..., i], source)
    assert found["stem1_conv/kernel"] is old.weights["stem1_conv/kernel"]
    for name, value in random.items():  # as they were
        np.testing.assert_array_equal(value, kept[name])


def test_blocks_that_only_the_new_network_has_add_nothing(weights: Callable[..., Any]) -> None:
    old = Model(Alphabet(["x", ""], 1), SHAPE, Preprocessing(), weights(2, 1))
    kernel, ones = np.ones((3, 6), np.float32), np.ones(6, np.float32)
    random = weights(3, 2) | {"gated1_dense/kernel": kernel, "gated1_norm/gamma": ones,
                              "gated1_norm/moving_variance": ones}  # fmt: skip
    found = transferred(old, Alphabet(["a", "b", ""], blank=2), random)
    assert found.keys() == random.keys()
    assert found["gated1_dense/kernel"] is kernel
    assert found["gated1_norm/moving_variance"] is ones
    assert not found["gated1_norm/gamma"].any()
    assert ones.all()
    # Of the tokens only the blank is known.
    np.testing.assert_array_equal(found["logits/bias"][:2], random["logits/bias"][:2])
    assert found["logits/bias"][2] == old.weights["logits/bias"][1]
