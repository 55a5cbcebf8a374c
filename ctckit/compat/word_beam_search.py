"""The calls of CTCWordBeamSearch 1.x by Harald Scheidl, over the decoder `wordbeamsearch`.

``from word_beam_search import WordBeamSearch`` becomes
``from ctckit.compat.word_beam_search import WordBeamSearch``; nothing else changes. It needs the
plugin ctcwordbeamsearch, which needs no compiler.

Same: the constructor's arguments, in their order; the four modes, in any case; what is computed,
the rule for the last word included (it is completed where only one word begins like it, and not
scored); `compute` and its list of label lists. The texts are those of CTCWordBeamSearch 1.0.1.

Different on purpose:

- What the original takes silently is an error that names it: a beam width of 0, NaN, logits or
  logarithms given as probabilities, a character twice in ``chars``, a word character that ``chars``
  lacks, a corpus without a word.
- Long lines do not underflow. The original gives garbage once the best path is less likely than
  about 1e-323.
- ``NGramsForecastAndSample`` samples nothing: the forecast of all words is exact, and each call
  gives the same. It is the same as ``NGramsForecast``.
- Ties do not follow a hash order.
- All matrices of a batch are decoded at the same time, on all cores.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from ctckit.alphabet import Alphabet
from ctckit.compat.arrays import array_of
from ctckit.compat.renaming import checked_as, renamed
from ctckit.decoders.base import Decoder
from ctckit.errors import InvalidValueError, MissingExtraError, did_you_mean
from ctckit.matrices import MatrixBatch
from ctckit.registry import list_decoders, load_decoder

__all__ = ["WordBeamSearch"]

NAME = "wordbeamsearch"
MODES = ("Words", "NGrams", "NGramsForecast", "NGramsForecastAndSample")


class WordBeamSearch:
    """Word beam search with the arguments of CTCWordBeamSearch.

    Parameters
    ----------
    beam_width : prefixes that are kept after each frame, 1 to 100,000
    lm_type : Words, NGrams, NGramsForecast or NGramsForecastAndSample, in any case
    lm_smoothing : added to each bigram's count; 0 forbids pairs that the corpus lacks
    corpus : text whose words may be written, str or UTF-8
    chars : the characters that the classes stand for, in their order, the blank left out (it is
        the last class); str or UTF-8
    word_chars : those of them that words are made of; str or UTF-8. All of them, if every matrix
        is one word

    Raises
    ------
    MissingExtraError : ctcwordbeamsearch is not installed
    InvalidValueError : an argument breaks its rule

    Examples
    --------
    >>> import numpy as np
    >>> mat = np.array([[[0.9, 0.1, 0, 0]], [[0, 0, 0, 1]], [[0.6, 0.4, 0, 0]]])
    >>> WordBeamSearch(25, "Words", 0.0, "a ba", "ab ", "ab").compute(mat)
    [[1, 0]]
    """

    def __init__(
        self,
        beam_width: int,
        lm_type: str,
        lm_smoothing: float,
        corpus: str | bytes,
        chars: str | bytes,
        word_chars: str | bytes,
    ) -> None:
        if not any(one.name == NAME for one in list_decoders()):
            raise MissingExtraError(
                "WordBeamSearch needs the decoder 'wordbeamsearch', which is missing; install its "
                "distribution, ctcwordbeamsearch"
            )
        texts = _text("corpus", corpus), _text("chars", chars), _text("word_chars", word_chars)
        self._arguments = (
            checked_as(NAME, "beam_width", "beam_width", beam_width),
            _mode(lm_type),
            checked_as(NAME, "smoothing", "lm_smoothing", lm_smoothing),
            *texts,
        )
        self._decoder = _load(*self._arguments)

    def compute(self, mat: Any) -> list[list[int]]:
        """Return the labels of the best text of each matrix, no blanks.

        Parameters
        ----------
        mat : probabilities (T, N, C + 1), softmax already applied, the blank last; an array, a
            tensor or nested lists

        Raises
        ------
        InvalidValueError : another shape, or no probabilities
        """
        probs = array_of("mat", mat)
        if probs.dtype.kind in "biu":
            probs = probs.astype(np.float64)
        alphabet = self._decoder.alphabet
        if probs.ndim != 3 or probs.shape[2] != len(alphabet):
            raise InvalidValueError(
                f"mat must have shape (T, N, {len(alphabet)}), a class for each of the "
                f"{len(alphabet) - 1} characters of chars and the blank, got {probs.shape}; "
                "check chars, and the order of the axes"
            )
        if probs.dtype.type not in (np.float16, np.float32, np.float64):
            raise InvalidValueError(
                f"mat must be float16, float32 or float64, got {probs.dtype}; convert it first"
            )
        with renamed("probs", "mat", "the softmax must have been applied"):
            batch = MatrixBatch.from_probs(probs, alphabet, layout="TNC")
        decoded = self._decoder.decode_batch(batch)
        labels, offsets = decoded.token_ids.tolist(), decoded.token_offsets.tolist()
        return [labels[a:b] for a, b in itertools.pairwise(offsets)]

    def __repr__(self) -> str:
        width, mode, smoothing = self._arguments[:3]
        return f"WordBeamSearch({width}, {mode!r}, {smoothing}, ...)"

    def __reduce__(self) -> tuple[Any, ...]:
        return WordBeamSearch, self._arguments


def _text(name: str, given: str | bytes) -> str:
    """Return a string, whether it was given as such or as UTF-8."""
    if isinstance(given, str):
        return given
    if not isinstance(given, bytes):
        raise InvalidValueError(
            f"{name} must be a string or bytes, got {type(given).__name__}; give the text itself"
        )
    try:
        return given.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidValueError(
            f"{name} must be UTF-8, got byte 0x{given[error.start]:02x} at position "
            f"{error.start}; encode it as UTF-8, or give a string"
        ) from None


def _mode(lm_type: str) -> str:
    """Return the mode as `wordbeamsearch` spells it."""
    for mode in MODES:
        if isinstance(lm_type, str) and lm_type.lower() == mode.lower():
            return mode
    hint = did_you_mean(str(lm_type), MODES) or " choose one"
    raise InvalidValueError(f"lm_type must be one of {', '.join(MODES)}, got {lm_type!r};{hint}")


def _load(
    width: int, mode: str, smoothing: float, corpus: str, chars: str, word_chars: str
) -> Decoder:
    if not corpus.strip():
        raise InvalidValueError(
            "corpus must hold some words, got none; give the text itself, not the name of a file"
        )
    for name, value in (("chars", chars), ("word_chars", word_chars)):
        if not value:
            raise InvalidValueError(
                f"{name} must hold at least one character, got {value!r}; name them, in one string"
            )
    twice = next((one for i, one in enumerate(chars) if one in chars[:i]), None)
    if twice is not None:
        raise InvalidValueError(
            f"chars must be unique, got {twice!r} twice; there is one class for each"
        )
    missing = sorted(set(word_chars) - set(chars))
    if missing:
        raise InvalidValueError(
            f"word_chars must be in chars, got {''.join(missing)!r}, which is not; leave it out, "
            "or add it to chars if the network has a class for it"
        )
    advice = "words are runs of word_chars; give another corpus, or word_chars"
    with renamed("corpus", "corpus", advice):
        return load_decoder(
            NAME,
            Alphabet([*chars, ""], blank=len(chars)),
            corpus=[corpus],
            mode=mode,
            smoothing=smoothing,
            word_characters=word_chars,
            beam_width=width,
        )
