"""Interpolated modified Kneser-Ney smoothing: n-gram models from text.

Chen and Goodman, An empirical study of smoothing techniques for language modeling (TR-10-98,
1998), section 3: three discounts an order, and lower orders that count the different words before
an n-gram instead of how often it occurs. An n-gram that begins with ``<s>`` has no word before it:
it keeps its count, as KenLM and SRILM have it.

The n-grams of an order are numbered by their context and their last word, so that all the work is
sorting and counting of numbers.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ctckit.alphabet import Int32Array, Int64Array
from ctckit.errors import InvalidValueError
from ctckit.intake import offsets_of
from ctckit.language.trie import NGramLists
from ctckit.language.words import encode_words

Float64Array = npt.NDArray[np.float64]
Discounts = tuple[float, float, float]

HIGHEST_ORDER = 20
FALLBACK: Discounts = (0.5, 1.0, 1.5)
"""Discounts where the counts do not allow an estimate; KenLM's ``--discount_fallback``."""

UNKNOWN, BEGIN, END = range(3)
MARKS = ("<unk>", "<s>", "</s>")
"""The first words of every model, by these numbers."""

NEVER = -99 * math.log(10)
"""Log-probability of ``<s>``, which nothing is followed by; as SRILM has it."""


@dataclass(frozen=True)
class Estimate:
    """A model as estimated from text.

    Parameters
    ----------
    lists : its n-grams
    sentences, words : of the text, the ends of sentences not among the words
    discounts : of each order, for counts of 1, 2, and 3 or more
    fallback : the orders whose discounts are `FALLBACK`, since some count from 1 to 4 occurs for
        none of their n-grams, as in small texts and for single characters, or since the estimates
        make no sense
    """

    lists: NGramLists
    sentences: int
    words: int
    discounts: list[Discounts]
    fallback: list[int]


@dataclass(frozen=True)
class _Counted:
    """The n-grams of one order, sorted by context and last word.

    context : their numbers without the last word, among the order before; 0 for unigrams
    suffix : their numbers without the first word
    word : the last word
    counts : how often they occur
    """

    context: Int64Array
    suffix: Int64Array
    word: Int32Array
    counts: Int64Array


def estimate(sentences: Iterable[Sequence[str]], order: int, *, min_count: int = 1) -> Estimate:
    """Estimate an n-gram model.

    Parameters
    ----------
    sentences : each a sequence of words, or of whatever the model is to be about. A word
        ``<unk>`` stands for unknown ones
    order : words of the longest n-grams, 1 to 20
    min_count : n-grams of three and more words that occur less often are left out; their share
        goes to what is backed off to

    Raises
    ------
    InvalidValueError : no words, ``<s>`` or ``</s>`` among them, or no sentence as long as `order`,
        both of these counted
    """
    _check("order", order, HIGHEST_ORDER)
    _check("min_count", min_count, 2**31 - 1)
    words, numbers, lengths = _number(sentences)
    longest = int(lengths.max(initial=0)) + 2
    if not len(numbers):
        raise InvalidValueError("sentences must hold some words, got none; give another text")
    if order > longest:
        raise InvalidValueError(
            f"order must be at most {longest}, the words of the longest sentence with its begin "
            f"and end, got {order}; give a smaller one"
        )
    counted = _count(*_with_marks(numbers, lengths), len(words), order)
    spellings, offsets = encode_words(words)
    discounts, fallback = [], []
    rows, log_probs, backoffs = [], [], []
    everything: list[Int32Array] = []
    lower: Float64Array = np.full(1, 1 / (len(words) - 1))  # each word but <s>, all alike
    kept = [own.counts >= (min_count if n > 2 else 1) for n, own in enumerate(counted, start=1)]
    kept[0][:] = True
    for n, own in enumerate(counted, start=1):
        adjusted = _adjusted(own, counted[n] if n < order else None)
        if n == 1:
            adjusted[BEGIN] = 0
        used, estimated = _discounts(adjusted)
        discounts.append(used)
        fallback += [] if estimated else [n]
        probs, weights = _interpolate(own, adjusted, used, kept[n - 1], lower)
        if n > 1:
            backoffs.append(np.log(weights[kept[n - 2]]).astype(np.float32))
        log_probs.append(np.log(np.minimum(probs[kept[n - 1]], 1)).astype(np.float32))
        last = own.word[:, None]
        everything.append(np.hstack([everything[-1][own.context], last]) if n > 1 else last)
        rows.append(everything[-1][kept[n - 1]])
        lower = probs
    log_probs[0][BEGIN] = NEVER
    backoffs.append(np.zeros(len(rows[-1]), dtype=np.float32))
    lists = NGramLists(spellings, offsets, rows, log_probs, backoffs)
    return Estimate(lists, len(lengths), len(numbers), discounts, fallback)


def _check(name: str, value: int, most: int) -> None:
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, np.integer))
        or not 1 <= value <= most
    ):
        raise InvalidValueError(
            f"{name} must be an integer from 1 to {most}, got {value!r}; give another number"
        )


def _number(
    sentences: Iterable[Sequence[str]],
) -> tuple[list[str], Int32Array, Int64Array]:
    """Return the words, the number of each word of the text, and the sentences' lengths."""
    numbers: defaultdict[str, int] = defaultdict(itertools.count(len(MARKS)).__next__)
    numbers |= {mark: number for number, mark in enumerate(MARKS)}
    parts: list[Int32Array] = []
    lengths = []
    for words in sentences:
        if isinstance(words, str):
            raise InvalidValueError(
                f"sentences must be sequences of words, got the text {words[:40]!r}; split it, "
                "for example with split_sentences"
            )
        parts.append(np.fromiter(map(numbers.__getitem__, words), np.int32, count=len(words)))
        lengths.append(len(words))
    found = np.concatenate(parts) if parts else np.zeros(0, dtype=np.int32)
    for mark in (BEGIN, END):
        if (found == mark).any():
            raise InvalidValueError(
                f"sentences must not hold the word {MARKS[mark]!r}, which stands for their begin "
                "or end; remove it"
            )
    for word in numbers:
        if word.split() != [word] or (not word.isascii() and not _is_unicode(word)):
            raise InvalidValueError(
                f"words must be valid Unicode without white space, got {word!r}; write white "
                "space as <space>"
            )
    return list(numbers), found, np.array(lengths, dtype=np.int64)


def _is_unicode(word: str) -> bool:
    return not any("\ud800" <= one <= "\udfff" for one in word)


def _with_marks(numbers: Int32Array, lengths: Int64Array) -> tuple[Int32Array, Int64Array]:
    """Return the text with the begin and end of each sentence, and each word's place in its own."""
    offsets = offsets_of(lengths + 2)
    text = np.full(int(offsets[-1]), BEGIN, dtype=np.int32)
    text[offsets[1:] - 1] = END
    place = np.arange(len(text)) - np.repeat(offsets[:-1], lengths + 2)
    inside = (place > 0) & (text != END)
    text[inside] = numbers
    return text, place


def _count(text: Int32Array, place: Int64Array, words: int, order: int) -> list[_Counted]:
    """Count the n-grams of each order up to `order` that lie within a sentence."""
    counts = np.bincount(text, minlength=words).astype(np.int64)
    nothing = np.zeros(words, dtype=np.int64)
    counted = [_Counted(nothing, nothing, np.arange(words, dtype=np.int32), counts)]
    ending = text.astype(np.int64)  # of each place, the n-gram that ends there
    at = np.arange(len(text))
    for n in range(2, order + 1):
        at = at[place[at] >= n - 1]
        keys = ending[at - 1] * words + text[at]
        unique, first, numbers, times = np.unique(
            keys, return_index=True, return_inverse=True, return_counts=True
        )
        context, word = np.divmod(unique, words)
        counted.append(_Counted(context, ending[at[first]], word.astype(np.int32), times))
        ending[at] = numbers
    return counted


def _adjusted(own: _Counted, longer: _Counted | None) -> Int64Array:
    """Return by what an order is estimated: the different words before each n-gram, or its count.

    The count is for the longest n-grams, and for those that begin a sentence.
    """
    if longer is None:
        return own.counts.copy()
    before = np.bincount(longer.suffix, minlength=len(own.counts))
    return np.where(before > 0, before, own.counts)


def _discounts(adjusted: Int64Array) -> tuple[Discounts, bool]:
    """Return an order's discounts, and whether they are estimated (Chen and Goodman, eq. 26)."""
    ones, twos, threes, fours = np.bincount(adjusted, minlength=5)[1:5].tolist()
    if not (ones and twos and threes and fours):
        return FALLBACK, False
    share = ones / (ones + 2 * twos)
    found = (
        1 - 2 * share * twos / ones,
        2 - 3 * share * threes / twos,
        3 - 4 * share * fours / threes,
    )
    if min(found) <= 0:
        return FALLBACK, False
    return found, True


def _interpolate(
    own: _Counted,
    adjusted: Int64Array,
    discounts: Discounts,
    kept: npt.NDArray[np.bool_],
    lower: Float64Array,
) -> tuple[Float64Array, Float64Array]:
    """Return the n-grams' probabilities, and the weight of the order below after each context.

    lower : probabilities of that order. What is not kept goes into the weight whole.
    """
    taken = np.array([0.0, *discounts])[np.minimum(adjusted, 3)]
    taken = np.where(kept, taken, adjusted)
    totals, weights = (
        np.bincount(own.context, weights=values, minlength=len(lower)).astype(np.float64)
        for values in (adjusted, taken)
    )
    weights = np.divide(weights, totals, out=np.ones(len(lower)), where=totals > 0)
    probs: Float64Array = (adjusted - taken) / totals[own.context]
    return probs + weights[own.context] * lower[own.suffix], weights
