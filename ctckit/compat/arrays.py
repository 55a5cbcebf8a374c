"""What the shims share that take arrays of numbered classes, and often no alphabet."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit.alphabet import Alphabet, Int64Array
from ctckit.decoders.beamsearch import BeamSearch
from ctckit.errors import InvalidValueError


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


@contextmanager
def said_as(words: Mapping[str, str]) -> Iterator[None]:
    """Say errors of ctckit's own calls in the words of a shim: its arguments, and what to do."""
    try:
        yield
    except InvalidValueError as error:
        message = str(error)
        for ours, theirs in words.items():
            message = message.replace(ours, theirs)
        raise type(error)(message) from None


@lru_cache(maxsize=64)
def numbered_classes(size: int, blank: int) -> Alphabet:
    """Return an alphabet of `size` classes that are known by number only."""
    return Alphabet([str(i) for i in range(size)], blank)


@lru_cache(maxsize=64)
def beam_search(size: int, blank: int, beam_width: int) -> BeamSearch:
    """Return the decoder for numbered classes."""
    return BeamSearch(numbered_classes(size, blank), beam_width=beam_width)
