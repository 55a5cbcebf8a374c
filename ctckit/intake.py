"""The one validator: whatever users pass as matrices becomes checked float32 rows, or an error.

The fast check is a kernel; only a row that fails it is looked at in detail, to say what is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ctckit.alphabet import Alphabet, Int64Array
from ctckit.errors import AlphabetMismatchError, InvalidValueError

Float32Array = npt.NDArray[np.float32]
Kind = Literal["log-probs", "probs", "logits"]
Layout = Literal["NTC", "TNC"]
KINDS: tuple[Kind, ...] = ("log-probs", "probs", "logits")
LAYOUTS: tuple[Layout, ...] = ("NTC", "TNC")

ROW_SUM_TOLERANCE = 5e-3
"""How far the probabilities of a frame may sum from 1 (float32 and float64 input)."""
FLOAT16_ROW_SUM_TOLERANCE = 2e-2
"""The same for float16 input, which is renormalised once it has passed."""

CONSTRUCTORS = {"log-probs": "from_log_probs", "probs": "from_probs", "logits": "from_logits"}
ARGUMENTS = {"log-probs": "log_probs", "probs": "probs", "logits": "logits"}


def to_rows(
    name: str, values: Any, alphabet: Alphabet, lengths: Any, layout: str
) -> tuple[npt.NDArray[np.floating[Any]], Int64Array, bool]:
    """Return all valid frames as one (sum of T, C) array, the offsets, and if it was float16."""
    if layout not in LAYOUTS:
        raise InvalidValueError(
            f"layout must be 'NTC' or 'TNC', got {layout!r}; say in which order the axes lie"
        )
    if not isinstance(alphabet, Alphabet):
        raise InvalidValueError(
            f"alphabet must be a ctckit.Alphabet, got {type(alphabet).__name__}; "
            "make one with Alphabet(tokens, blank=...)"
        )
    if isinstance(values, (list, tuple)):
        if layout != "NTC":
            raise InvalidValueError(
                f"layout must be 'NTC' for a list, which holds one (T, C) a line, got {layout!r}; "
                "pass one array of shape (T, N, C)"
            )
        return _list_to_rows(name, values, alphabet, lengths)
    array = _checked_dtype(name, values)
    if array.ndim != 3:
        hint = "pass a list of (T, C) for one line" if array.ndim == 2 else "add the missing axes"
        wanted = "(N, T, C)" if layout == "NTC" else "(T, N, C)"
        raise InvalidValueError(f"{name} must have shape {wanted}, got {array.shape}; {hint}")
    _check_classes(name, array.shape, alphabet)
    if layout == "TNC":
        array = array.transpose(1, 0, 2)
    count, frames, classes = array.shape
    counts = _checked_lengths(lengths, count, frames)
    offsets = offsets_of(counts)
    if offsets[-1] == count * frames:
        rows = np.ascontiguousarray(array).reshape(count * frames, classes)
    else:
        parts = [one[:n] for one, n in zip(array, counts.tolist(), strict=True)]
        # Columns that were chosen by a list lie in another order, which concatenate keeps.
        rows = np.ascontiguousarray(np.concatenate(parts))
    return rows, offsets, array.dtype.type is np.float16


def _list_to_rows(
    name: str, values: Sequence[Any], alphabet: Alphabet, lengths: Any
) -> tuple[npt.NDArray[np.floating[Any]], Int64Array, bool]:
    matrices = []
    for i, value in enumerate(values):
        matrix = _checked_dtype(f"{name}[{i}]", value)
        if matrix.ndim != 2:
            raise InvalidValueError(
                f"{name}[{i}] must have shape (T, C), got {matrix.shape}; "
                "a list holds one matrix a line"
            )
        _check_classes(f"{name}[{i}]", matrix.shape, alphabet)
        matrices.append(matrix)
    if lengths is not None:
        longest = max((len(matrix) for matrix in matrices), default=0)
        counts = _checked_lengths(lengths, len(matrices), longest).tolist()
        for i, (matrix, n) in enumerate(zip(matrices, counts, strict=True)):
            if n > len(matrix):
                raise InvalidValueError(
                    f"lengths must be 0 to T, got {n} for matrix {i} of {len(matrix)} frames; "
                    "give the valid frames of each"
                )
        matrices = [matrix[:n] for matrix, n in zip(matrices, counts, strict=True)]
    offsets = offsets_of([len(matrix) for matrix in matrices])
    was_float16 = any(matrix.dtype.type is np.float16 for matrix in matrices)
    if not matrices:
        return np.zeros((0, len(alphabet)), dtype=np.float32), offsets, False
    return np.ascontiguousarray(np.concatenate(matrices)), offsets, was_float16


def _checked_dtype(name: str, values: Any) -> npt.NDArray[np.floating[Any]]:
    try:
        array = np.asarray(values)
    except ValueError:
        raise InvalidValueError(
            f"{name} must be a rectangular array, got rows of unequal length; "
            "pass a list of (T, C) for lines of unequal length"
        ) from None
    if array.dtype.type not in (np.float16, np.float32, np.float64):
        raise InvalidValueError(
            f"{name} must be float16, float32 or float64, got {array.dtype}; convert it first"
        )
    return array


def _check_classes(name: str, shape: tuple[int, ...], alphabet: Alphabet) -> None:
    if shape[-1] != len(alphabet):
        raise AlphabetMismatchError(
            f"{name} must have {len(alphabet)} classes, as the alphabet with its blank has, "
            f"got {shape[-1]} in shape {shape}; check the alphabet and the layout"
        )


def _checked_lengths(lengths: Any, count: int, frames: int) -> Int64Array:
    if lengths is None:
        return np.full(count, frames, dtype=np.int64)
    try:
        array = np.asarray(lengths)
    except ValueError:
        array = np.asarray(None)
    if array.shape != (count,) or (array.dtype.kind not in "iu" and array.size):
        raise InvalidValueError(
            f"lengths must be {count} integers, one a matrix, got "
            f"{array.dtype} of shape {array.shape}; give the valid frames of each"
        )
    wrong = np.flatnonzero((array < 0) | (array > frames))
    if len(wrong):
        raise InvalidValueError(
            f"lengths must be 0 to {frames}, got {array[wrong[0]]} for matrix {wrong[0]}; "
            "give the valid frames of each"
        )
    return array.astype(np.int64)


def to_log_probs(
    kind: Kind,
    rows: npt.NDArray[np.floating[Any]],
    offsets: Int64Array,
    was_float16: bool,
    ids: Sequence[str] | None,
) -> Float32Array:
    """Check every row as what `kind` says it is, and return float32 log-probabilities."""
    # Kernels load here, not with this module: an error in the arguments must come at once.
    from ctckit.kernels.rows import first_bad_row, log_softmax

    tolerance = np.float32(FLOAT16_ROW_SUM_TOLERANCE if was_float16 else ROW_SUM_TOLERANCE)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if kind == "logits":
            shifted = rows
            if rows.dtype.type is np.float64:
                shifted = rows - rows.max(axis=1, keepdims=True, initial=-np.inf)
            logits = shifted.astype(np.float32, copy=False)
            log_probs = np.empty(logits.shape, dtype=np.float32)
            bad = log_softmax(logits, log_probs)
        else:
            logs = rows.astype(np.float32) if rows.dtype.type is np.float16 else rows
            if kind == "probs":
                logs = np.log(logs)
            log_probs = logs.astype(np.float32, copy=False)
            bad = first_bad_row(log_probs, tolerance)
    if bad >= 0:
        raise InvalidValueError(_explain_bad_row(kind, rows[bad], bad, offsets, ids))
    if was_float16 and kind != "logits":
        log_softmax(log_probs.copy(), log_probs)
    return log_probs


def _explain_bad_row(
    kind: Kind,
    row: npt.NDArray[np.floating[Any]],
    position: int,
    offsets: Int64Array,
    ids: Sequence[str] | None,
) -> str:
    """Say what is wrong with a frame that the fast check has refused."""
    index = int(np.searchsorted(offsets, position, side="right")) - 1
    matrix = index if ids is None else repr(ids[index])
    where = f"matrix {matrix}, frame {position - offsets[index]}"
    name = ARGUMENTS[kind]
    with np.errstate(invalid="ignore"):  # a signalling NaN warns
        values = row.astype(np.float64)
    if np.isnan(values).any():
        column = int(np.flatnonzero(np.isnan(values))[0])
        return f"{name} must not hold NaN, got nan at {where}, class {column}; check the network"
    if np.isposinf(values).any():
        column = int(np.flatnonzero(np.isposinf(values))[0])
        return (
            f"{name} must be finite or -inf, got inf at {where}, class {column}; check the network"
        )
    if kind == "logits":
        return f"{name} must allow some class, got only -inf at {where}; check the network"
    advice = _advice(kind, values)
    if kind == "probs":
        if values.min() < 0:
            return f"probs must be 0 to 1, got {values.min():.6g} at {where}{advice}"
        return f"probs must sum to 1 in each frame, got {values.sum():.6g} at {where}{advice}"
    if values.max() > ROW_SUM_TOLERANCE:
        return f"log_probs must be 0 or below, got {values.max():.6g} at {where}{advice}"
    total = np.exp(values).sum()
    return f"exp(log_probs) must sum to 1 in each frame, got {total:.6g} at {where}{advice}"


def _advice(kind: Kind, values: npt.NDArray[np.float64]) -> str:
    looks_like = _looks_like(values)
    if kind == "probs" and values.min() > -1e-3 and looks_like == "logits":
        clip = "clip them to 0 and " if values.min() < 0 else ""
        return f"; {clip}divide each frame by its sum, or use from_logits if these are logits"
    if looks_like != kind:
        return f"; use {CONSTRUCTORS[looks_like]} if these are {looks_like}"
    return "; divide each frame by its sum" if kind == "probs" else "; from_logits normalises"


def _looks_like(values: npt.NDArray[np.float64]) -> Kind:
    """Guess, for the advice in an error only, what a row may be instead."""
    with np.errstate(over="ignore"):
        if values.min() >= 0 and abs(values.sum() - 1) < FLOAT16_ROW_SUM_TOLERANCE:
            return "probs"
        if abs(np.exp(values).sum() - 1) < FLOAT16_ROW_SUM_TOLERANCE:
            return "log-probs"
    return "logits"


def offsets_of(lengths: npt.ArrayLike) -> Int64Array:
    """Return where each of N runs of given lengths begins and ends, int64 (N + 1,)."""
    counts = np.asarray(lengths, dtype=np.int64)
    offsets = np.zeros(len(counts) + 1, dtype=np.int64)
    np.cumsum(counts, out=offsets[1:])
    return offsets
