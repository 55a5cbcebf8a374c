"""Another model's opinion of the texts that a search found."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit.errors import InvalidValueError
from ctckit.hypotheses import DecodedBatch, Float64Array

ScoreTexts = Callable[[list[str]], Sequence[float] | npt.NDArray[Any]]
"""Takes texts and returns a natural-log probability, or whatever is larger for better, of each."""

SEARCH, RESCORING = "search", "rescoring"
"""Parts of a new score: the old one, where nothing is said of its parts, and what is added."""

SHOWN = 60
"""Characters of a text that a message shows."""


def rescore(
    decoded: DecodedBatch,
    score_texts: ScoreTexts,
    *,
    weight: float = 1.0,
    batch_size: int | None = None,
) -> DecodedBatch:
    """Return the hypotheses ranked anew: by their score plus `weight` times a model's of the text.

    Decode with ``n_best`` above 1, since only what was found can be ranked. Within a matrix ties
    keep their order. `decoded` stays as it is; what has been computed of it is not computed again.

    Parameters
    ----------
    decoded : from `Decoder.decode_batch`
    score_texts : takes a list of distinct texts and returns as many numbers, a list or an array:
        natural-log probabilities, or anything that is larger for better; -inf is allowed
    weight : of these numbers, 0 or above
    batch_size : most texts in a call of `score_texts`; None: all texts of all matrices at once

    Returns
    -------
    DecodedBatch : its ``parts`` have ``rescoring`` (weight times number) beside those of `decoded`,
        or beside ``search``, the score that was, where `decoded` says nothing of parts

    Raises
    ------
    InvalidValueError : a wrong argument, or `score_texts` returned something else than one number
        a text, NaN or inf
    Exception : what `score_texts` raised, with a note of the texts that it was given

    Examples
    --------
    >>> import numpy as np
    >>> from ctckit import Alphabet, MatrixBatch, load_decoder
    >>> alphabet = Alphabet("ab-", blank=2)
    >>> batch = MatrixBatch.from_probs(np.array([[[0.6, 0.3, 0.1]]]), alphabet)
    >>> decoded = load_decoder("beamsearch", alphabet).decode_batch(batch, n_best=3)
    >>> rescored = rescore(decoded, lambda texts: [-5.0 * text.count("a") for text in texts])
    >>> decoded.all_texts(), rescored.all_texts()
    (['a', 'b', ''], ['b', '', 'a'])
    """
    if not isinstance(decoded, DecodedBatch):
        raise InvalidValueError(
            f"decoded must be a ctckit.DecodedBatch, got {type(decoded).__name__}; "
            "make one with decode_batch"
        )
    if not callable(score_texts):
        raise InvalidValueError(
            f"score_texts must be a function of a list of texts, got {score_texts!r}; "
            "it returns a number for each"
        )
    weight = _checked_weight(weight)
    numbers = _numbers_of(decoded.all_texts(), score_texts, _checked_size(batch_size))
    with np.errstate(over="ignore"):
        # A weight of 0 takes the model out, even where it says -inf.
        added = weight * numbers if weight > 0 else np.zeros_like(numbers)
    if (added == np.inf).any():
        raise InvalidValueError(
            f"weight must keep the scores finite, got {weight:g} for a number of "
            f"{numbers.max():g}; lower it"
        )
    parts = dict(decoded.parts) if decoded.parts is not None else {SEARCH: decoded.scores}
    parts[RESCORING] = parts[RESCORING] + added if RESCORING in parts else added
    return decoded._ranked_by(decoded.scores + added, parts)


def _checked_weight(weight: Any) -> float:
    number = math.nan
    if hasattr(weight, "__float__") and not isinstance(weight, (bool, str)):
        number = float(weight)
    if not 0 <= number < math.inf:
        raise InvalidValueError(
            f"weight must be a finite number of at least 0, got {weight!r}; "
            "it is a factor for what score_texts returns"
        )
    return number


def _checked_size(batch_size: Any) -> int | None:
    if batch_size is None:
        return None
    try:
        number = operator.index(batch_size)
    except TypeError:
        number = 0
    if number < 1 or isinstance(batch_size, bool):
        raise InvalidValueError(
            f"batch_size must be an integer of at least 1 or None, got {batch_size!r}; "
            "it is how many texts score_texts gets at a time"
        )
    return number


def _numbers_of(texts: list[str], score_texts: ScoreTexts, batch_size: int | None) -> Float64Array:
    """Return the number of each text, having asked once for each distinct one."""
    places = {text: place for place, text in enumerate(dict.fromkeys(texts))}
    distinct = list(places)
    numbers = np.zeros(len(distinct), dtype=np.float64)
    size = batch_size or max(len(distinct), 1)
    for start in range(0, len(distinct), size):
        some = distinct[start : start + size]
        try:
            # A list of its own, which the function may do with as it likes.
            returned = score_texts(list(some))
        except Exception as error:
            error.add_note(
                f"while {name_of(score_texts)} scored {len(some)} of {len(distinct)} texts, "
                f"from {_shown(some[0])} to {_shown(some[-1])}"
            )
            raise
        numbers[start : start + size] = _checked_numbers(returned, some, name_of(score_texts))
    return numbers[[places[text] for text in texts]] if texts else numbers


def _checked_numbers(returned: Any, texts: list[str], name: str) -> Float64Array:
    """Return what the function returned as an array of one float a text."""
    rule = f"score_texts {name} must return one number a text"
    try:
        array = np.asarray(returned)
    except Exception as error:
        raise InvalidValueError(
            f"{rule}, got {type(returned).__name__}, of which NumPy makes no array ({error}); "
            "return a list of floats"
        ) from error
    if array.shape != (len(texts),):
        got = type(returned).__name__ if array.ndim == 0 else f"shape {array.shape}"
        raise InvalidValueError(
            f"{rule}, got {got} for {len(texts)} texts, from {_shown(texts[0])} to "
            f"{_shown(texts[-1])}; return a list of floats in the order of the texts"
        )
    if array.dtype.kind not in "fiu":
        values = list(returned)
        place = next((i for i, one in enumerate(values) if not _is_number(one)), 0)
        raise InvalidValueError(
            f"{rule}, got {values[place]!r} for the text {_shown(texts[place])}; return a float"
        )
    numbers = array.astype(np.float64)
    wrong = np.flatnonzero(np.isnan(numbers) | (numbers == np.inf))
    if len(wrong):
        raise InvalidValueError(
            f"score_texts {name} must return finite numbers or -inf, got {numbers[wrong[0]]} for "
            f"the text {_shown(texts[wrong[0]])}; check the model"
        )
    return numbers


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def _shown(text: str) -> str:
    return repr(text if len(text) <= SHOWN else text[: SHOWN - 3] + "...")


def name_of(function: Callable[..., Any]) -> str:
    """Return a function's name with its module's, or the type's of another callable."""
    named = function if hasattr(function, "__qualname__") else type(function)
    return f"{named.__module__}:{named.__qualname__}"
