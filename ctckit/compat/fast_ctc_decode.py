"""``viterbi_search`` and ``beam_search`` as the package fast-ctc-decode has them.

In place of ``from fast_ctc_decode import beam_search``::

    from ctckit.compat.fast_ctc_decode import beam_search

    sequence, path = beam_search(network_output, alphabet, beam_size=5)

Arguments, defaults and results are those of fast-ctc-decode 0.3.7: ``network_output`` are
probabilities (T, C), the blank is the first class, and the first label of ``alphabet`` is ignored.

What differs, on purpose:

- float64 and float16 are taken, and lists; the original wants float32 arrays. No frames give
  ``("", [])``, where the original ends the process.
- Input that is no probabilities is refused: NaN, log-probabilities, logits, and frames that do not
  sum to 1 within 0.005. The original returns some text for most of it.
- ``path`` of the beam search holds the first frame of each label on the likeliest alignment of the
  sequence. The original's are the frames in which its search first met the prefixes, often earlier
  than there is any evidence.
- A character of ``qstring`` is ``!`` to ``~``; the original leaves ASCII for a large ``qscale``.
- ``crf_greedy_search``, ``crf_beam_search``, ``crf_beam_search_duplex`` (matrices of a CRF, not of
  CTC) and ``beam_search_duplex`` (two matrices of one text) raise an error that says what to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from ctckit.compat.arrays import beam_search as beam_search_of_classes
from ctckit.compat.arrays import checked_count, numbered_classes, shaped_array
from ctckit.compat.renaming import as_number, finite, said_as
from ctckit.errors import CtckitError, InvalidValueError
from ctckit.intake import ROW_SUM_TOLERANCE
from ctckit.matrices import MatrixBatch

__all__ = [
    "beam_search",
    "beam_search_duplex",
    "crf_beam_search",
    "crf_beam_search_duplex",
    "crf_greedy_search",
    "viterbi_search",
]

WORDS = {
    "matrix 0, ": "",
    "probs must": "network_output must",
    "use from_log_probs if": "pass np.exp of them if",
    "use from_logits if": "pass their softmax if",
}
"""What ctckit's errors say, and what they are to say here."""
CRF = "ctckit decodes matrices of CTC, this takes a CRF's; give beam_search a CTC network's"
LEAST_ERROR = 1e-4
"""The least probability of an error that a quality tells."""


def viterbi_search(
    network_output: Any,
    alphabet: Sequence[str],
    qstring: bool = False,
    qscale: float = 1.0,
    qbias: float = 0.0,
    collapse_repeats: bool = True,
) -> tuple[str, list[int]]:
    """Return the sequence of the likeliest class of each frame, and each label's first frame.

    Parameters
    ----------
    network_output : probabilities (T, C); each frame sums to 1
    alphabet : C labels; the first is the blank's, and ignored
    qstring : append a character a label to the sequence, its quality: code 33 + qbias + qscale *
        -10 log10(1 - p), rounded, p the mean probability of the label in its frames
    qscale, qbias : of the qualities
    collapse_repeats : whether a label in neighbouring frames is one; else each frame that is not
        blank is one

    Raises
    ------
    InvalidValueError : no probabilities, or another number of labels

    Examples
    --------
    >>> probs = np.array([[0.1, 0.9], [0.2, 0.8], [0.7, 0.3]])
    >>> viterbi_search(probs, "-a"), viterbi_search(probs, "-a", qstring=True)
    (('a', [0]), ('a)', [0]))
    """
    from ctckit.kernels.rows import best_path_of_probs

    shaped = _shaped(network_output, alphabet)
    tolerance = ROW_SUM_TOLERANCE
    if shaped.dtype != np.float32:
        _to_batch(shaped)
        tolerance = np.inf
    probs = np.ascontiguousarray(shaped, dtype=np.float32)
    best, path = np.empty((2, len(probs)), dtype=np.int64)
    count = best_path_of_probs(probs, tolerance, bool(collapse_repeats), best, path)
    if count < 0:
        _to_batch(probs)  # says what is wrong, unless it is nothing but rounding
        count = best_path_of_probs(probs, np.inf, bool(collapse_repeats), best, path)
    path = path[:count]
    sequence = _spelled(best[path], alphabet)
    if qstring:
        for name, value in (("qscale", qscale), ("qbias", qbias)):
            finite(name, value, "qualities are computed with it")
        of_labels = np.flatnonzero(best)
        labels = np.searchsorted(path, of_labels, side="right") - 1
        tops = probs.max(axis=1, initial=0.0)[of_labels]
        means = np.bincount(labels, weights=tops) / np.bincount(labels)
        errors = np.maximum(1.0 - means, LEAST_ERROR)
        qualities = np.floor(-10.0 * np.log10(errors) * qscale + qbias + 0.5)
        sequence += "".join(map(chr, (33 + qualities.clip(0, 93).astype(np.int64)).tolist()))
    return sequence, path.tolist()


def beam_search(
    network_output: Any,
    alphabet: Sequence[str],
    beam_size: int = 5,
    beam_cut_threshold: float = 0.0,
    collapse_repeats: bool = True,
) -> tuple[str, list[int]]:
    """Return the likeliest sequence, and the first frame of each label on its likeliest alignment.

    Parameters
    ----------
    network_output : probabilities (T, C); each frame sums to 1
    alphabet : C labels; the first is the blank's, and ignored
    beam_size : prefixes kept after each frame
    beam_cut_threshold : probabilities below it count as 0; at least 0 and less than 1 / C. The
        search is no faster for it
    collapse_repeats : whether a label in neighbouring frames is one; else each frame that is not
        blank is one

    Raises
    ------
    InvalidValueError : no probabilities, another number of labels, or a value out of its range

    Examples
    --------
    >>> probs = np.array([[0.55, 0.45], [0.6, 0.4]])
    >>> beam_search(probs, "-a"), viterbi_search(probs, "-a")
    (('a', [0]), ('', []))
    """
    width = checked_count("beam_size", beam_size, "how many prefixes a frame keeps")
    probs = _shaped(network_output, alphabet)
    batch = _to_batch(probs)
    classes = probs.shape[1]
    if not 0 <= as_number(beam_cut_threshold) < 1 / classes:
        raise InvalidValueError(
            f"beam_cut_threshold must be at least 0 and less than 1 / {classes}, got "
            f"{beam_cut_threshold!r}; leave it out: nothing is gained by it"
        )
    if beam_cut_threshold > 0:
        cut = probs < beam_cut_threshold
        cut[:, 0] |= probs[:, 0] == beam_cut_threshold  # as in the original
        with said_as({"logits must allow": "beam_cut_threshold must leave"}):
            batch = _batch_of(np.where(cut, np.float32(-np.inf), batch.log_probs))
    if not collapse_repeats:  # a certain blank after each frame keeps neighbours apart
        apart = np.full((2 * len(probs), classes), -np.inf, dtype=np.float32)
        apart[::2], apart[1::2, 0] = batch.log_probs, 0.0
        batch = _batch_of(apart)
    with said_as({"beam_width": "beam_size"}):
        decoder = beam_search_of_classes(classes, 0, width)
    found = decoder.decode_batch(batch)
    frames = found.timesteps if collapse_repeats else found.timesteps // 2
    sequence = _spelled(found.token_ids, alphabet)
    return sequence, frames.tolist()


def crf_greedy_search(network_output: Any, init_state: Any, alphabet: Sequence[str]) -> NoReturn:
    """Raise a CtckitError: ctckit decodes matrices of CTC."""
    _refuse("crf_greedy_search", CRF)


def crf_beam_search(
    network_output: Any,
    init_state: Any,
    alphabet: Sequence[str],
    beam_size: int,
    beam_cut_threshold: float,
) -> NoReturn:
    """Raise a CtckitError: ctckit decodes matrices of CTC."""
    _refuse("crf_beam_search", CRF)


def crf_beam_search_duplex(
    network_output_1: Any,
    init_state_1: Any,
    network_output_2: Any,
    init_state_2: Any,
    alphabet: Sequence[str],
    envelope: Any = None,
    beam_size: int = 5,
    beam_cut_threshold: float = 0.0,
) -> NoReturn:
    """Raise a CtckitError: ctckit decodes matrices of CTC."""
    _refuse("crf_beam_search_duplex", CRF)


def beam_search_duplex(
    network_output_1: Any,
    network_output_2: Any,
    alphabet: Sequence[str],
    envelope: Any = None,
    beam_size: int = 5,
    beam_cut_threshold: float = 0.0,
    collapse_repeats: bool = True,
) -> NoReturn:
    """Raise a CtckitError: ctckit decodes one matrix a text."""
    _refuse("beam_search_duplex", "ctckit decodes one matrix a text; decode each by beam_search")


def _refuse(name: str, reason: str) -> NoReturn:
    raise CtckitError(f"{name} must be called in fast_ctc_decode itself: {reason}")


def _batch_of(log_probs: npt.NDArray[np.float32]) -> MatrixBatch:
    return MatrixBatch.from_logits([log_probs], numbered_classes(log_probs.shape[1], 0))


def _shaped(network_output: Any, alphabet: Sequence[str]) -> npt.NDArray[np.floating[Any]]:
    probs = shaped_array("network_output", network_output, "(T, C)")
    if not hasattr(alphabet, "__getitem__"):
        raise InvalidValueError(
            f"alphabet must be a string or a list of labels, got {type(alphabet).__name__}; give "
            "the label of each class, in their order"
        )
    if len(alphabet) != probs.shape[1]:
        raise InvalidValueError(
            f"alphabet must hold {probs.shape[1]} labels, one a class of network_output, got "
            f"{len(alphabet)}; count the blank in, which is the first"
        )
    return probs


def _spelled(classes: npt.NDArray[np.integer[Any]], alphabet: Sequence[str]) -> str:
    labels = map(alphabet.__getitem__, classes.tolist())
    return "".join(labels if isinstance(alphabet, str) else map(str, labels))


def _to_batch(probs: npt.NDArray[np.floating[Any]]) -> MatrixBatch:
    with said_as(WORDS):
        return MatrixBatch.from_probs(probs[None], numbered_classes(probs.shape[1], 0))
