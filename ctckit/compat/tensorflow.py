"""``ctc_greedy_decoder`` and ``ctc_beam_search_decoder`` as ``tf.nn`` has them, on arrays.

In place of ``tf.nn.ctc_beam_search_decoder(inputs, sequence_length)``::

    from ctckit.compat.tensorflow import ctc_beam_search_decoder

    decoded, log_probability = ctc_beam_search_decoder(inputs, sequence_length)

Arguments, defaults and results are TensorFlow's, which itself is not imported: ``inputs`` are
logits (max_time, batch, classes), the blank is the last class, and whatever NumPy can read is
taken, tensors of TensorFlow among it. ``tf.compat.v1.nn.ctc_beam_search_decoder``, which merges
repeats in its results by default, is ``ctc_beam_search_decoder_v1``.

What differs, on purpose:

- The beam search is prefix search to the letter: what spells the same is summed, and each frame
  keeps the ``beam_width`` likeliest. TensorFlow's starts a prefix anew that left the beam and comes
  back, so on flat matrices with narrow beams the paths may differ. On matrices of trained networks
  they agree.
- ``log_probability`` is exact: the log-probability of the path's text, all its alignments summed,
  and paths are in its order. TensorFlow's lacks the alignments that left the beam.
- Results are NumPy arrays, and a sparse result is a `SparseTensor` of them: a named tuple with the
  fields of ``tf.SparseTensor``. ``tf.SparseTensor(*decoded[0])`` makes one of those.
- A path that a line does not have (it has fewer than ``top_paths``) is an empty row with the
  ``log_probability`` -inf. TensorFlow raises an error for the whole batch.
- An empty batch and one without frames give empty results, not an error.
- NaN, +inf and frames of -inf alone are refused, and so is a negative ``sequence_length``.
  TensorFlow returns some text for them.
- Inputs that look like probabilities get a warning from the beam search, which would flatten them.
- Calls run at once: within ``tf.function`` there are no values yet, so wrap the call in
  ``tf.numpy_function``.
"""

from __future__ import annotations

import operator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ctckit.alphabet import Int64Array
from ctckit.compat.arrays import (
    array_of,
    beam_search,
    by_log_prob,
    checked_count,
    checked_lengths,
    numbered_classes,
    shaped_array,
    warn_of_probabilities,
)
from ctckit.compat.renaming import said_as
from ctckit.errors import InvalidValueError
from ctckit.intake import to_rows
from ctckit.matrices import MatrixBatch

__all__ = [
    "SparseTensor",
    "ctc_beam_search_decoder",
    "ctc_beam_search_decoder_v1",
    "ctc_greedy_decoder",
]

AXES = "(max_time, batch, classes)"
WORDS = {"logits must": "inputs must"}
"""What ctckit's errors say, and what they are to say here."""


class SparseTensor(NamedTuple):
    """Token ids of a batch, as a sparse matrix (batch, longest); the fields of ``tf.SparseTensor``.

    Attributes
    ----------
    indices : int64 (n, 2); line and position of each token, in order
    values : int64 (n,); the tokens' classes
    dense_shape : int64 (2,); lines, and tokens of the longest
    """

    indices: Int64Array
    values: Int64Array
    dense_shape: Int64Array

    def to_dense(self, default_value: int = -1) -> Int64Array:
        """Return an array (batch, longest), `default_value` after the last token of each line."""
        dense = np.full(tuple(self.dense_shape.tolist()), default_value, dtype=np.int64)
        dense[self.indices[:, 0], self.indices[:, 1]] = self.values
        return dense


def ctc_greedy_decoder(
    inputs: Any, sequence_length: Any, merge_repeated: bool = True, blank_index: int | None = None
) -> tuple[list[SparseTensor], npt.NDArray[np.floating[Any]]]:
    """Return the best path of each line, as ``tf.nn.ctc_greedy_decoder`` does.

    Parameters
    ----------
    inputs : logits (max_time, batch, classes), float16, float32 or float64
    sequence_length : (batch,) integers, the valid frames of each line
    merge_repeated : whether a class in neighbouring frames is one token; else each frame that is
        not blank is one
    blank_index : by default the last class; negative ones count from the end

    Returns
    -------
    A list of one `SparseTensor`, and (batch, 1) minus the sums of the largest logit of each frame

    Raises
    ------
    InvalidValueError : wrong shape, dtype or lengths, a blank that is no class, NaN, +inf, or a
        frame of -inf alone

    Examples
    --------
    >>> decoded, neg_sum_logits = ctc_greedy_decoder([[[2.0, 0.0]], [[3.0, 1.0]]], [2])
    >>> decoded[0].values.tolist(), neg_sum_logits.tolist()
    ([0], [[-5.0]])
    """
    logits = shaped_array("inputs", inputs, AXES)
    frames, count, classes = logits.shape
    lengths = checked_lengths("sequence_length", sequence_length, count, frames)
    blank = _checked_blank(blank_index, classes)
    alphabet = numbered_classes(classes, blank)
    rows, offsets, _ = to_rows("inputs", logits, alphabet, lengths, "TNC")
    best = rows.argmax(axis=1)
    top = np.take_along_axis(rows, best[:, None], axis=1)[:, 0].astype(np.float64)
    if not np.isfinite(top).all():
        _batch_of(logits, lengths, blank)  # raises: the largest of a valid frame is finite
    lines = np.repeat(np.arange(count), lengths)
    kept = best != blank
    if merge_repeated:
        fresh = np.ones(len(best), dtype=bool)
        fresh[1:] = best[1:] != best[:-1]
        fresh[offsets[:-1][lengths > 0]] = True
        kept &= fresh
    sums = np.bincount(lines, weights=top, minlength=count)
    return [_sparse(best[kept], lines[kept], count)], _as_inputs(0.0 - sums[:, None], logits)


def ctc_beam_search_decoder(
    inputs: Any, sequence_length: Any, beam_width: int = 100, top_paths: int = 1
) -> tuple[list[SparseTensor], npt.NDArray[np.floating[Any]]]:
    """Return the likeliest paths of each line, as ``tf.nn.ctc_beam_search_decoder`` does.

    Parameters
    ----------
    inputs : logits (max_time, batch, classes), float16, float32 or float64; the blank is the last
        class
    sequence_length : (batch,) integers, the valid frames of each line
    beam_width : prefixes kept after each frame
    top_paths : 1 to `beam_width`

    Returns
    -------
    A list of `top_paths` `SparseTensor`, the likeliest first, and (batch, top_paths) the exact
    log-probabilities of what they spell

    Raises
    ------
    InvalidValueError : wrong shape, dtype, lengths or widths, NaN, +inf, or a frame of -inf alone

    Examples
    --------
    >>> decoded, log_probability = ctc_beam_search_decoder([[[0.0, 0.0]], [[0.0, 0.0]]], [2])
    >>> decoded[0].values.tolist(), np.exp(log_probability).round(3).tolist()
    ([0], [[0.75]])
    """
    return beam_paths(inputs, sequence_length, beam_width, top_paths, merge_repeated=False)


def ctc_beam_search_decoder_v1(
    inputs: Any,
    sequence_length: Any,
    beam_width: int = 100,
    top_paths: int = 1,
    merge_repeated: bool = True,
) -> tuple[list[SparseTensor], npt.NDArray[np.floating[Any]]]:
    """Return the likeliest paths, as ``tf.compat.v1.nn.ctc_beam_search_decoder`` does.

    By default a token that follows its like is dropped from the results, even where a blank was
    between: "hello" comes out as "helo". Only ``merge_repeated=False`` gives the texts that the
    matrix spells; it is `ctc_beam_search_decoder`.
    """
    return beam_paths(inputs, sequence_length, beam_width, top_paths, merge_repeated)


def beam_paths(
    inputs: Any,
    sequence_length: Any,
    beam_width: int,
    top_paths: int,
    merge_repeated: bool,
    blank_index: int | None = None,
) -> tuple[list[SparseTensor], npt.NDArray[np.floating[Any]]]:
    """Return what both beam searches do; they have no `blank_index`, that of Keras has."""
    width = checked_count("beam_width", beam_width, "how many prefixes a frame keeps")
    paths = checked_count("top_paths", top_paths, "how many paths a line may get")
    if paths > width:
        raise InvalidValueError(
            f"top_paths must be 1 to beam_width ({width}), got {paths}; raise beam_width"
        )
    logits = shaped_array("inputs", inputs, AXES)
    frames, count, classes = logits.shape
    lengths = checked_lengths("sequence_length", sequence_length, count, frames)
    blank = _checked_blank(blank_index, classes)
    batch = _batch_of(logits, lengths, blank)
    if count and logits.min(initial=0.0) >= 0:
        warn_of_probabilities("inputs", logits[np.arange(frames)[:, None] < lengths])
    found = beam_search(classes, blank, width).decode_batch(batch, n_best=paths)
    order = by_log_prob(found)
    log_probability = np.full((count, paths), -np.inf)
    decoded = []
    for path in range(paths):
        places = found.hypothesis_offsets[:-1] + path
        lines = np.flatnonzero(places < found.hypothesis_offsets[1:])
        rows = order[places[lines]]
        log_probability[lines, path] = found.log_probs[rows]
        tokens = np.diff(found.token_offsets)[rows]
        starts = found.token_offsets[rows] - np.cumsum(tokens) + tokens
        values = found.token_ids[np.arange(tokens.sum()) + np.repeat(starts, tokens)]
        owners = np.repeat(lines, tokens)
        if merge_repeated and len(values):
            fresh = (values[1:] != values[:-1]) | (owners[1:] != owners[:-1])
            kept = np.concatenate([[True], fresh])
            values, owners = values[kept], owners[kept]
        decoded.append(_sparse(values, owners, count))
    return decoded, _as_inputs(log_probability, logits)


def _batch_of(logits: npt.NDArray[Any], lengths: Int64Array, blank: int) -> MatrixBatch:
    with said_as(WORDS):
        alphabet = numbered_classes(logits.shape[2], blank)
        return MatrixBatch.from_logits(logits, alphabet, lengths, layout="TNC")


def _sparse(values: npt.NDArray[Any], lines: Int64Array, count: int) -> SparseTensor:
    """Return tokens and the line of each, which rise, as a sparse matrix."""
    starts = np.searchsorted(lines, np.arange(count))
    columns = np.arange(len(lines)) - starts[lines]
    return SparseTensor(
        np.stack([lines, columns], axis=1).astype(np.int64),
        values.astype(np.int64),
        np.array([count, columns.max(initial=-1) + 1], dtype=np.int64),
    )


def _as_inputs(values: npt.NDArray[Any], logits: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return float64 for float64 inputs, else float32."""
    return values.astype(np.float64 if logits.dtype.type is np.float64 else np.float32)


def _checked_blank(blank_index: int | None, classes: int) -> int:
    if blank_index is None:
        return classes - 1
    try:
        index = operator.index(array_of("blank_index", blank_index)[()])
    except TypeError:
        index = classes
    if not -classes <= index < classes:
        raise InvalidValueError(
            f"blank_index must be an integer from {-classes} to {classes - 1}, got "
            f"{blank_index!r}; it is the class of the blank, negative ones count from the end"
        )
    return index + classes if index < 0 else index
