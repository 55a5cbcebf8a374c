"""Nested lists of token ids and of scores, as plugins return them, checked and made flat."""

from __future__ import annotations

import reprlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit.alphabet import Int32Array, Int64Array
from ctckit.errors import InvalidValueError
from ctckit.intake import offsets_of


def flat_token_ids(token_ids: Any) -> tuple[Int32Array, Int64Array, list[int]]:
    """Return the ids of all hypotheses, int32, their offsets, and the hypotheses of each matrix.

    token_ids : for each matrix its hypotheses, each a sequence of integers

    Raises
    ------
    InvalidValueError : something else
    """
    lines = [list(iterated("token_ids", line)) for line in iterated("token_ids", token_ids)]
    flat = [_sequence_of_ids(ids, i) for i, line in enumerate(lines) for ids in line]
    return _joined_ids(flat), offsets_of([len(ids) for ids in flat]), [len(line) for line in lines]


def flat_scores(scores: Any, counts: Sequence[int]) -> npt.NDArray[np.float64]:
    """Return one score a hypothesis, float64.

    counts : hypotheses of each matrix

    Raises
    ------
    InvalidValueError : another number of scores, or no numbers
    """
    lines = [list(iterated("scores", line)) for line in iterated("scores", scores)]
    found = [len(line) for line in lines]
    if found != list(counts):
        differ = (i for i, pair in enumerate(zip(found, counts, strict=False)) if len({*pair}) > 1)
        line = next(differ, None)
        told = f"{len(found)} lines of them for {len(counts)}"
        if line is not None:
            told = f"{found[line]} for {counts[line]} in line {line}"
        raise InvalidValueError(f"scores must be one a hypothesis, got {told}; give as many")
    try:
        return np.array([one for line in lines for one in line], dtype=np.float64)
    except (TypeError, ValueError):
        raise InvalidValueError(
            f"scores must be numbers, got {reprlib.repr(scores)}; give one a hypothesis"
        ) from None


def iterated(name: str, values: Any) -> Iterator[Any]:
    """Return an iterator over what should be a list."""
    try:
        found: Iterator[Any] = iter(values)
        return found
    except TypeError:
        raise InvalidValueError(
            f"{name} must be nested lists, got {reprlib.repr(values)} where a list should be; give "
            "one entry a matrix"
        ) from None


def _sequence_of_ids(ids: Any, line: int) -> npt.NDArray[Any]:
    try:
        array = np.asarray(ids)
    except ValueError:  # lists of unequal lengths
        array = np.asarray(None)
    if array.ndim != 1 or (array.dtype.kind not in "iu" and array.size):
        hint = "; Alphabet.encode makes them of a text" if isinstance(ids, str) else ""
        raise InvalidValueError(
            f"token_ids must be a sequence of integers for each hypothesis, got "
            f"{reprlib.repr(ids)} in line {line}{hint or '; leave the blanks out'}"
        )
    return array


def _joined_ids(flat: Sequence[npt.NDArray[Any]]) -> Int32Array:
    if not flat:
        return np.zeros(0, dtype=np.int32)
    joined = np.concatenate(flat, dtype=np.int64, casting="unsafe")
    token_ids = joined.astype(np.int32)
    wrong = np.flatnonzero(token_ids != joined)
    if len(wrong):
        raise InvalidValueError(
            f"token_ids must be classes of the alphabet, got {joined[wrong[0]]}; check the search"
        )
    return token_ids
