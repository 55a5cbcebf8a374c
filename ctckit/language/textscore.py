"""What a language model makes of a text: perplexity."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class TextScore:
    """What a model makes of a text.

    Parameters
    ----------
    sentences : how many
    words : number of words, the ends of sentences not among them
    unknown : how many of them the model does not know
    log_prob : natural log of the text's probability, ends of sentences and unknown words included
    known_log_prob : the same without what the unknown words have cost
    """

    sentences: int
    words: int
    unknown: int
    log_prob: float
    known_log_prob: float

    @property
    def perplexity(self) -> float:
        """Of all words and ends of sentences."""
        return _perplexity(self.log_prob, self.words + self.sentences)

    @property
    def known_perplexity(self) -> float:
        """Of the words that are known and the ends of sentences."""
        return _perplexity(self.known_log_prob, self.words - self.unknown + self.sentences)


def _perplexity(log_prob: float, count: int) -> float:
    try:
        return math.exp(-log_prob / count) if count else math.nan
    except OverflowError:
        return math.inf
