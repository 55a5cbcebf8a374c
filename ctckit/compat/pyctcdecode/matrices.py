"""What pyctcdecode calls logits, as a batch of ctckit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit.alphabet import Alphabet
from ctckit.errors import InvalidValueError
from ctckit.intake import FLOAT16_ROW_SUM_TOLERANCE, ROW_SUM_TOLERANCE
from ctckit.matrices import MatrixBatch


def to_batch(matrices: Sequence[Any], alphabet: Alphabet) -> MatrixBatch:
    """Return matrices (T, C) of logits or log-probabilities, or of probabilities, as a batch.

    A matrix is of probabilities if all values are from 0 to 1 and each frame's sum to 1.

    Raises
    ------
    InvalidValueError : shape, dtype or values that no such matrix has, or values from 0 to 1 of
        which some frame's do not sum to 1: they may be either
    """
    arrays = [_array(one, i, len(matrices)) for i, one in enumerate(matrices)]
    are_probs = [_is_of_probabilities(one, i, len(arrays)) for i, one in enumerate(arrays)]
    if not any(are_probs):
        return MatrixBatch.from_logits(arrays, alphabet)
    if all(are_probs):
        return MatrixBatch.from_probs(arrays, alphabet)
    return MatrixBatch.concatenate(
        [
            (MatrixBatch.from_probs if is_probs else MatrixBatch.from_logits)(
                [array], alphabet, ids=[str(i)]
            )
            for i, (array, is_probs) in enumerate(zip(arrays, are_probs, strict=True))
        ]
    )


def without_unlikely(batch: MatrixBatch, least: float) -> MatrixBatch:
    """Return matrices in which classes below a log-probability are impossible.

    The likeliest of each frame stays. What stays is not normalised again: it scores as before.
    """
    log_probs = batch.log_probs
    tops = log_probs.max(axis=1, keepdims=True, initial=-np.inf)
    kept = log_probs >= np.minimum(tops, np.float32(least))
    masked = np.where(kept, log_probs, np.float32(-np.inf))
    return MatrixBatch(masked, batch.offsets, batch.alphabet, batch.ids)


def _name(index: int, count: int) -> str:
    return "logits" if count == 1 else f"logits_list[{index}]"


def _array(given: Any, index: int, count: int) -> npt.NDArray[Any]:
    name = _name(index, count)
    try:
        array = np.asarray(given)
    except (TypeError, ValueError, RuntimeError) as error:
        # Tensors on a device, or with gradients, say so themselves.
        raise InvalidValueError(
            f"{name} must be an array (T, C), got {type(given).__name__}: {error}; convert it, "
            "a tensor by logits.detach().cpu().float().numpy()"
        ) from None
    if array.ndim != 2:
        advice = "decode a batch with decode_batch" if array.ndim == 3 else "give one matrix"
        raise InvalidValueError(f"{name} must have shape (T, C), got {array.shape}; {advice}")
    return array.astype(np.float64) if array.dtype.kind in "iu" else array


def _is_of_probabilities(array: npt.NDArray[Any], index: int, count: int) -> bool:
    if array.dtype.kind != "f" or array.size == 0:
        return False
    is_float16 = array.dtype == np.float16
    tolerance = FLOAT16_ROW_SUM_TOLERANCE if is_float16 else ROW_SUM_TOLERANCE
    if not (array.min() >= 0.0 and array.max() <= 1.0 + tolerance):  # so where there is a NaN
        return False
    sums = array.sum(axis=1, dtype=np.float64)
    wrong = np.flatnonzero(np.abs(sums - 1.0) > tolerance)
    if not len(wrong):
        return True
    raise InvalidValueError(
        f"{_name(index, count)} must be logits, log-probabilities, or probabilities that sum to 1 "
        f"in each frame, got values from 0 to 1 that sum to {sums[wrong[0]]:.6g} in frame "
        f"{wrong[0]}; divide each frame by its sum, or subtract 1 from all if they are logits"
    )
