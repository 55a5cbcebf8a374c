"""Character and word error rates as pooled counts."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

import editdistance


@dataclass(frozen=True)
class ErrorCounts:
    """Errors of some lines, summed, so that rates over more lines come from adding counts.

    A mean of rates is not the rate: two counts are added with ``+`` and divided once.

    Attributes
    ----------
    edits : characters inserted, deleted or replaced to turn each reference into its text
    characters : of the references (code points after NFC)
    word_edits, words : the same over words, which whitespace separates
    exact_lines : lines whose text is the reference
    lines : all lines

    Examples
    --------
    >>> counts = count_errors(["a friend", "tea"], ["a fiend", "tea"])
    >>> counts.edits, counts.characters, counts.word_edits, counts.words
    (1, 11, 1, 3)
    >>> round(counts.cer, 4), round(counts.wer, 4), counts.exact
    (0.0909, 0.3333, 0.5)
    """

    edits: int = 0
    characters: int = 0
    word_edits: int = 0
    words: int = 0
    exact_lines: int = 0
    lines: int = 0

    @property
    def cer(self) -> float:
        """Character error rate, 0 or more; for no characters 0.0 without edits, inf with some."""
        return _rate(self.edits, self.characters)

    @property
    def wer(self) -> float:
        """Word error rate, 0 or more; for no words 0.0 without edits, inf with some."""
        return _rate(self.word_edits, self.words)

    @property
    def exact(self) -> float:
        """Share of lines without an error, 0 to 1; 1.0 for no lines."""
        return self.exact_lines / self.lines if self.lines else 1.0

    def __add__(self, other: ErrorCounts) -> ErrorCounts:
        return ErrorCounts(
            self.edits + other.edits,
            self.characters + other.characters,
            self.word_edits + other.word_edits,
            self.words + other.words,
            self.exact_lines + other.exact_lines,
            self.lines + other.lines,
        )


def count_errors(references: Iterable[str], texts: Iterable[str]) -> ErrorCounts:
    """Count the errors of `texts` against `references`, line by line.

    Both are brought to NFC first, nothing else is changed: case, punctuation and spaces count.
    Edits are those of Levenshtein: insertions, deletions and replacements cost 1 each. An empty
    reference has no characters and no words; what the text holds counts as insertions.

    Parameters
    ----------
    references : what is right, N strings
    texts : what was decoded, N strings

    Raises
    ------
    ValueError : the two differ in number

    Examples
    --------
    >>> count_errors([""], ["ab"]).edits
    2
    """
    edits = characters = word_edits = words = exact_lines = lines = 0
    for given, decoded in zip(references, texts, strict=True):
        reference = unicodedata.normalize("NFC", given)
        text = unicodedata.normalize("NFC", decoded)
        right = reference.split()
        lines += 1
        characters += len(reference)
        words += len(right)
        if text == reference:
            exact_lines += 1
            continue
        edits += editdistance.eval(reference, text)
        word_edits += editdistance.eval(right, text.split())
    return ErrorCounts(edits, characters, word_edits, words, exact_lines, lines)


def _rate(edits: int, total: int) -> float:
    if total:
        return edits / total
    return math.inf if edits else 0.0
