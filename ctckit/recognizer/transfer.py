"""The weights of a trained model as the first ones of another training."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from ctckit.alphabet import Alphabet
from ctckit.recognizer.models import Model

FloatArray = npt.NDArray[np.floating]
_OF_CLASSES = ("logits/kernel", "logits/bias")


def transferred(
    model: Model, alphabet: Alphabet, random: Mapping[str, FloatArray]
) -> dict[str, FloatArray]:
    """Return a model's weights for another alphabet.

    What belongs to a token goes with it, wherever it stands; tokens that the model does not know,
    and weights that are only in the new network, stay as they are in `random`.

    Parameters
    ----------
    model : to take from
    alphabet : of the new network
    random : first weights of the new network, by name; of the same shapes but for the classes
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
    return weights
