"""The weights of a trained model as the first ones of another training."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from ctckit.alphabet import Alphabet
from ctckit.recognizer.models import Model

FloatArray = npt.NDArray[np.floating]
_OF_CLASSES = ("logits/kernel", "logits/bias")
_OPENS = re.compile("gated[0-9]+_norm/gamma")
"""The weights that decide how much a gated block adds."""


def transferred(
    model: Model, alphabet: Alphabet, random: Mapping[str, FloatArray]
) -> dict[str, FloatArray]:
    """Return a model's weights for another alphabet.

    What belongs to a token goes with it, wherever it stands; tokens that the model does not know
    stay as they are in `random`. Gated blocks that only the new network has add nothing at first,
    so that it begins as good as the model: Chen, Goodfellow and Shlens, "Net2Net" (2016).

    Parameters
    ----------
    model : to take from
    alphabet : of the new network
    random : first weights of the new network, by name; of the same shapes but for the classes, and
        for more gated blocks
    """
    known = {token: i for i, token in enumerate(model.alphabet.tokens)}
    pairs = [(i, known[token]) for i, token in enumerate(alphabet.tokens) if token in known]
    new, old = (np.array(numbers) for numbers in zip(*pairs, strict=True))
    weights = dict(random)
    for name in random.keys() & model.weights.keys():
        if name in _OF_CLASSES:
            weights[name] = random[name].copy()
            weights[name][..., new] = model.weights[name][..., old]
        else:
            weights[name] = model.weights[name]
    for name in random.keys() - model.weights.keys():
        if _OPENS.fullmatch(name):
            weights[name] = np.zeros_like(random[name])
    return weights
