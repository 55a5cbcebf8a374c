"""Word unigrams and bigrams of a corpus, as flat arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ctckit.alphabet import Int32Array, Int64Array
from ctckit.errors import InvalidValueError
from ctckit.intake import offsets_of
from ctckit.language.lexicon import Lexicon


class WordBigrams:
    """How often each word of a lexicon occurs in a text, and after which word.

    Parameters
    ----------
    words : the text's words in order; those that are not in the lexicon are passed over
    lexicon : gives the words' numbers, V in all; each must occur

    Attributes
    ----------
    counts : int64 (V,); occurrences of each word
    unigrams : float64 (V + 1,); cumulated count / N, so that a range of words is a difference
    row_start : int64 (V + 1,); entries of the words that follow each word
    second : int32, the word that follows, rising within a row
    cumulated : int64, one longer; sum of the counts of all entries before

    Examples
    --------
    >>> from ctckit import Alphabet
    >>> words = ["a", "b", "a", "a"]
    >>> bigrams = WordBigrams(words, Lexicon(words, Alphabet("ab-", blank=2)))
    >>> bigrams.unigram("a"), bigrams.bigram("a", "b", smoothing=0.5)
    (0.75, 0.375)
    """

    def __init__(self, words: Sequence[str], lexicon: Lexicon) -> None:
        self.lexicon = lexicon
        numbers = lexicon.numbers(words)
        numbers = numbers[numbers >= 0]
        size = len(lexicon)
        self.counts: Int64Array = np.bincount(numbers, minlength=size).astype(np.int64)
        if not self.counts.all():
            missing = lexicon.words[int(np.flatnonzero(self.counts == 0)[0])]
            raise InvalidValueError(
                f"words must hold every word of the lexicon, got none that is {missing!r}; "
                "make both from one text"
            )
        self.unigrams = np.concatenate([[0], np.cumsum(self.counts)]) / len(numbers)
        pairs, times = np.unique(numbers[:-1] * size + numbers[1:], return_counts=True)
        self.row_start: Int64Array = offsets_of(np.bincount(pairs // size, minlength=size))
        self.second: Int32Array = (pairs % size).astype(np.int32)
        self.cumulated: Int64Array = offsets_of(times)

    def unigram(self, word: str) -> float:
        """Return count / N of a word."""
        return float(self.counts[self.lexicon.number(word)] / self.counts.sum())

    def bigram(self, first: str, second: str, *, smoothing: float = 0.0) -> float:
        """Return (count(first second) + k) / (count(first) + k * V), k = `smoothing`."""
        number, wanted = self.lexicon.number(first), self.lexicon.number(second)
        start, stop = self.row_start[number : number + 2]
        entry = start + int(np.searchsorted(self.second[start:stop], wanted))
        seen = 0
        if entry < stop and self.second[entry] == wanted:
            seen = int(self.cumulated[entry + 1] - self.cumulated[entry])
        return float((seen + smoothing) / (self.counts[number] + smoothing * len(self.counts)))
