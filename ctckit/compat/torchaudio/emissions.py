"""Emissions as torchaudio's decoder takes them: log-probabilities or logits, tensors or arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit.compat.arrays import array_of, warn_of_probabilities
from ctckit.errors import AlphabetMismatchError, InvalidValueError
from ctckit.matrices import MatrixBatch

Array = npt.NDArray[Any]


def checked_emissions(emissions: Any, dimensions: str, classes: int) -> Array:
    """Return emissions as an array of floats.

    dimensions : what its axes are but the last, such as ``"B, T"``
    classes : how many there must be
    """
    values = array_of("emissions", emissions)
    axes = dimensions.count(",") + 2
    if values.ndim != axes:
        hint = "add the axis of the batch" if values.ndim == 2 else "check the axes"
        raise InvalidValueError(
            f"emissions must have shape ({dimensions}, {classes}), got {values.shape}; {hint}"
        )
    if values.shape[-1] != classes:
        raise AlphabetMismatchError(
            f"emissions must have {classes} classes, one for each of the tokens, got "
            f"{values.shape[-1]} in shape {values.shape}; check the tokens and the order of axes"
        )
    if values.dtype.type not in (np.float16, np.float32, np.float64):
        raise InvalidValueError(
            f"emissions must be floats, got {values.dtype}; convert them to float32"
        )
    warn_of_probabilities("emissions", values)
    return values


def normalizers(values: Array, batch: MatrixBatch) -> list[float]:
    """Return of each matrix what its emissions sum to above its log-probabilities, on any path."""
    found = []
    for raw, log_probs in zip(values, batch, strict=True):
        most = raw[: len(log_probs)].astype(np.float64).max(axis=1, initial=-np.inf)
        found.append(float((most - log_probs.max(axis=1, initial=-np.inf)).sum()))
    return found
