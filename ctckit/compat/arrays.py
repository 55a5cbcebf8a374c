"""What the shims share that take arrays of numbered classes, and often no alphabet."""

from __future__ import annotations

import operator
import sys
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit.alphabet import Alphabet, Int32Array, Int64Array
from ctckit.decoders.beamsearch import BeamSearch
from ctckit.errors import InvalidValueError, warn_user
from ctckit.hypotheses import DecodedBatch
from ctckit.matrices import MatrixBatch


def array_of(name: str, value: Any) -> npt.NDArray[Any]:
    """Return `value` as an array: of NumPy, TensorFlow or PyTorch (on any device), or nested lists.

    Raises
    ------
    InvalidValueError : a tensor without values, or rows of unequal length
    """
    if hasattr(value, "detach"):  # PyTorch's, which may want a gradient or lie on a device
        value = value.detach().cpu()
        if "bfloat16" in str(value.dtype):
            value = value.float()
    try:
        return np.asarray(value)
    except (NotImplementedError, RuntimeError, TypeError, ValueError):
        raise InvalidValueError(
            f"{name} must be a rectangular array with values, got {type(value).__name__}; "
            "pad lines to one length, and call outside of traced functions"
        ) from None


def like(values: Any, found: npt.NDArray[Any]) -> Any:
    """Return an array, as a tensor of PyTorch if `values` are one; PyTorch is never imported."""
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(values, torch.Tensor):
        return found
    return torch.from_numpy(found)


def shaped_array(name: str, value: Any, axes: str) -> npt.NDArray[Any]:
    """Return `value` as an array that has as many axes as `axes` names, and a class at least.

    axes : such as ``"(T, N, C)"``; the last is that of the classes
    """
    array = array_of(name, value)
    if array.ndim != axes.count(",") + 1:
        raise InvalidValueError(
            f"{name} must have shape {axes}, got {array.shape}; add or drop axes"
        )
    if array.shape[-1] == 0:
        raise InvalidValueError(
            f"{name} must have at least one class, that of the blank, got shape {array.shape}; "
            f"its axes are {axes}"
        )
    return array


def warn_of_probabilities(name: str, values: npt.NDArray[Any]) -> None:
    """Warn where values (..., C) that are to be logits look like probabilities."""
    if not values.size or values.shape[-1] == 1 or not values.min() >= 0:
        return
    if np.allclose(values.sum(axis=-1, dtype=np.float64), 1, atol=1e-3):
        warn_user(
            f"{name} must be log-probabilities or logits, got what looks like probabilities; "
            "take their logarithm"
        )


def checked_lengths(name: str, value: Any, count: int, frames: int) -> Int64Array:
    """Return the valid frames of each of `count` matrices, 0 to `frames`."""
    array = array_of(name, value)
    if array.shape != (count,) or (array.dtype.kind not in "iu" and count):
        raise InvalidValueError(
            f"{name} must be {count} integers, one a line, got {array.dtype} of shape "
            f"{array.shape}; give the valid frames of each"
        )
    lengths = array.astype(np.int64)
    wrong = np.flatnonzero((lengths < 0) | (lengths > frames))
    if len(wrong):
        raise InvalidValueError(
            f"{name} must be 0 to {frames}, got {lengths[wrong[0]]} for line {wrong[0]}; "
            "give the valid frames of each"
        )
    return lengths


def checked_count(name: str, value: Any, meaning: str) -> int:
    """Return an integer of at least 1; `meaning` says in an error what it is."""
    try:
        number = operator.index(value)
    except TypeError:
        number = 0
    if number < 1 or isinstance(value, bool):
        raise InvalidValueError(
            f"{name} must be an integer of at least 1, got {value!r}; it is {meaning}"
        )
    return number


@lru_cache(maxsize=64)
def numbered_classes(size: int, blank: int) -> Alphabet:
    """Return an alphabet of `size` classes that are known by number only."""
    return Alphabet([str(i) for i in range(size)], blank)


@lru_cache(maxsize=64)
def beam_search(size: int, blank: int, beam_width: int) -> BeamSearch:
    """Return the decoder for numbered classes."""
    return BeamSearch(numbered_classes(size, blank), beam_width=beam_width)


def by_log_prob(found: DecodedBatch) -> Int64Array:
    """Return the rows of all hypotheses, line by line, those of a line by exact log-probability."""
    owners = np.repeat(np.arange(len(found)), np.diff(found.hypothesis_offsets))
    return np.lexsort((-found.log_probs, owners))


def peak_frames(batch: MatrixBatch, found: DecodedBatch) -> Int32Array:
    """Return for each token the frame, up to the next token's first, in which it is likeliest."""
    peaks = np.empty(len(found.token_ids), dtype=np.int32)
    for line, matrix in enumerate(batch):
        first, last = found.hypothesis_offsets[line : line + 2]
        start, stop = found.token_offsets[first], found.token_offsets[last]
        if start == stop:
            continue
        begins = found.timesteps[start:stop].astype(np.int64)
        ends = np.append(begins[1:], len(matrix))
        final = found.token_offsets[first + 1 : last + 1] - start - 1
        ends[final[final >= 0]] = len(matrix)
        frames = np.maximum(ends - begins, 1)
        offsets = np.cumsum(frames) - frames
        places = np.arange(frames.sum()) + np.repeat(begins - offsets, frames)
        places = places.clip(0, len(matrix) - 1)
        values = matrix[places, np.repeat(found.token_ids[start:stop], frames)]
        highest = np.repeat(np.maximum.reduceat(values, offsets), frames)
        tops = np.flatnonzero(values == highest)[::-1]  # the first of equals is written last
        peaks[start + np.searchsorted(offsets, tops, side="right") - 1] = places[tops]
    return peaks
