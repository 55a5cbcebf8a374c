"""``ctc_decode`` as ``keras.ops`` has it, and as ``keras.backend`` had it, on arrays.

In place of ``keras.ops.ctc_decode(logits, lengths)``::

    from ctckit.compat.keras import ctc_decode

    decoded, scores = ctc_decode(logits, lengths, strategy="beam_search", mask_index=0)

The older ``keras.backend.ctc_decode(y_pred, input_length)``, which takes probabilities and has the
blank last, is `backend_ctc_decode`. Arguments, defaults and results are those of Keras 3 on
TensorFlow, neither of which is imported.

What differs, on purpose, beside what `ctckit.compat.tensorflow` says of the search:

- `backend_ctc_decode` with ``greedy=False`` keeps doubled letters. Keras drops a token that follows
  its like even where a blank was between, so "hello" comes out as "helo".
- `backend_ctc_decode` takes probabilities as they are: Keras adds 1e-7 to each. What is no
  probabilities is refused.
- A path that a line does not have is -1 throughout, its score -inf. Keras raises an error.
- Results are NumPy arrays.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit.alphabet import Int64Array
from ctckit.compat.arrays import (
    array_of,
    checked_lengths,
    numbered_classes,
    shaped_array,
)
from ctckit.compat.renaming import said_as
from ctckit.compat.tensorflow import SparseTensor, beam_paths, ctc_greedy_decoder
from ctckit.errors import InvalidValueError
from ctckit.matrices import MatrixBatch

__all__ = ["backend_ctc_decode", "ctc_decode"]

STRATEGIES = ("greedy", "beam_search")
WORDS = {"blank_index must": "mask_index must"}
BACKEND_WORDS = {
    "probs must": "y_pred must",
    "use from_log_probs if": "pass np.exp of them if",
    "use from_logits if": "pass their softmax if",
}
"""What ctckit's errors say, and what they are to say here."""


def ctc_decode(
    inputs: Any,
    sequence_lengths: Any,
    strategy: str = "greedy",
    beam_width: int = 100,
    top_paths: int = 1,
    merge_repeated: bool = True,
    mask_index: int | None = 0,
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.floating[Any]]]:
    """Return the decoded lines, as ``keras.ops.ctc_decode`` does.

    Parameters
    ----------
    inputs : logits (batch, max_length, num_classes)
    sequence_lengths : (batch,) valid frames of each line
    strategy : ``"greedy"`` or ``"beam_search"``
    beam_width, top_paths : of the beam search
    merge_repeated : of the greedy strategy: whether a class in neighbouring frames is one token
    mask_index : class of the blank; negative ones count from the end, None is the last

    Returns
    -------
    int32 (paths, batch, max_length), -1 behind the end of a line; and the scores: minus the sums of
    the largest logits (batch, 1), or exact log-probabilities (batch, top_paths)

    Raises
    ------
    InvalidValueError : as the decoders of `ctckit.compat.tensorflow`, or another strategy

    Examples
    --------
    >>> decoded, scores = ctc_decode([[[0.0, 0.0], [0.0, 0.0]]], [2], "beam_search")
    >>> decoded.tolist(), np.exp(scores).round(3).tolist()
    ([[[1, -1]]], [[0.75]])
    """
    if strategy not in STRATEGIES:
        raise InvalidValueError(
            f"strategy must be one of {', '.join(STRATEGIES)}, got {strategy!r}; choose one"
        )
    logits = shaped_array("inputs", inputs, "(batch, max_length, num_classes)")
    lengths = _lengths("sequence_lengths", sequence_lengths, logits)
    frames_first = logits.transpose(1, 0, 2)
    with said_as(WORDS):
        if strategy == "greedy":
            decoded, scores = ctc_greedy_decoder(
                frames_first, lengths, merge_repeated, blank_index=mask_index
            )
        else:
            decoded, scores = beam_paths(
                frames_first, lengths, beam_width, top_paths, False, blank_index=mask_index
            )
    return np.stack([_dense(one, logits.shape[1]) for one in decoded]).astype(np.int32), scores


def backend_ctc_decode(
    y_pred: Any,
    input_length: Any,
    greedy: bool = True,
    beam_width: int = 100,
    top_paths: int = 1,
) -> tuple[list[npt.NDArray[np.int64]], npt.NDArray[np.floating[Any]]]:
    """Return the decoded lines, as ``keras.backend.ctc_decode`` did.

    Parameters
    ----------
    y_pred : probabilities (samples, time_steps, num_categories); the blank is the last class
    input_length : (samples,) valid frames of each line; whole numbers, floats or not
    greedy : whether to take the best path, else beam search
    beam_width, top_paths : of the beam search

    Returns
    -------
    A list of int64 (samples, time_steps), one a path, -1 behind the end of a line; and minus the
    sums of the log of the largest probabilities (samples, 1), or exact log-probabilities
    (samples, top_paths)

    Raises
    ------
    InvalidValueError : wrong shape, dtype or lengths, or no probabilities

    Examples
    --------
    >>> decoded, log_prob = backend_ctc_decode([[[0.5, 0.5], [0.5, 0.5]]], [2.0], greedy=False)
    >>> decoded[0].tolist(), np.exp(log_prob).round(3).tolist()
    ([[0, -1]], [[0.75]])
    """
    probs = shaped_array("y_pred", y_pred, "(samples, time_steps, num_categories)")
    count, frames, classes = probs.shape
    lengths = _lengths("input_length", input_length, probs)
    with said_as(BACKEND_WORDS):
        batch = MatrixBatch.from_probs(probs, numbered_classes(classes, classes - 1), lengths)
        log_probs = np.zeros((count, frames, classes), dtype=np.float32)
        for line, matrix in zip(log_probs, batch, strict=True):
            line[: len(matrix)] = matrix
        frames_first = log_probs.transpose(1, 0, 2)
        if greedy:
            decoded, scores = ctc_greedy_decoder(frames_first, batch.lengths)
        else:
            decoded, scores = beam_paths(
                frames_first, batch.lengths, beam_width, top_paths, merge_repeated=False
            )
    return [_dense(one, frames) for one in decoded], scores


def _lengths(name: str, value: Any, lines_first: npt.NDArray[Any]) -> Int64Array:
    """Return lengths, also of floats that are whole numbers; users write ``np.ones(N) * T``."""
    array = array_of(name, value)
    if array.dtype.kind == "f":
        broken = array[~np.isfinite(array) | (array != np.floor(array))]
        if len(broken):
            raise InvalidValueError(
                f"{name} must be whole numbers, got {broken[0]:g}; give the valid frames of each"
            )
        array = array.astype(np.int64)
    return checked_lengths(name, array, *lines_first.shape[:2])


def _dense(decoded: SparseTensor, frames: int) -> npt.NDArray[np.int64]:
    """Return tokens as (batch, frames), -1 behind the end of each line."""
    shape = np.array([decoded.dense_shape[0], frames])
    return decoded._replace(dense_shape=shape).to_dense(-1)
