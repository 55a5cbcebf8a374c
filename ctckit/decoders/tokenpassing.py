"""The decoder `tokenpassing`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ctckit.decoders.base import Decoder
from ctckit.decoders.options import option
from ctckit.decoders.words import corpus_lexicon
from ctckit.errors import InvalidValueError
from ctckit.hypotheses import SearchResult
from ctckit.language import Lexicon
from ctckit.matrices import MatrixBatch


class TokenPassing(Decoder):
    """Read nothing but words of a corpus, by the likeliest path that spells some.

    Token passing of Graves et al. (PAMI 2009), without a language model. Words are the maximal
    runs of word characters in the corpus, case-sensitive; a text is one of them or several, with
    the separator between two. The score is the log-probability of that one path, not of the text.
    Where no path spells a word, the text is empty.
    """

    scores_are_log_probs = True  # of one alignment of the text

    corpus: Path = option(help="UTF-8 text file whose words may be read.")
    word_characters: str | None = option(
        None, help="Characters that words are made of; by default the letters and apostrophe."
    )
    word_separator: str | None = option(
        " ", help="Token between two words; none where words follow each other directly."
    )

    def prepare(self) -> None:
        """Read the corpus, and load the kernel."""
        lexicon = corpus_lexicon(self.alphabet, self.corpus, self.word_characters)
        separator = self._checked_separator(lexicon)
        from ctckit.kernels.tokenpassing import token_passing

        self._kernel: Callable[..., int] = token_passing
        others = [self.alphabet.blank, separator] if separator >= 0 else [self.alphabet.blank]
        useful = np.union1d(lexicon.token[1:], others).astype(np.int64)
        self._language = (separator, useful, lexicon.nodes, lexicon.token, *lexicon.spellings())

    def _checked_separator(self, lexicon: Lexicon) -> int:
        """Return the separator's class, or what the kernel takes instead."""
        from ctckit.kernels.tokenpassing import ALONE, DIRECT

        separator = self.word_separator
        if separator is None:
            return DIRECT
        index = self.alphabet.token_ids.get(separator, ALONE)
        # An alphabet may lack the space, as long as nobody asks for it: of single words.
        if index == ALONE and "word_separator" in self.given_options:
            raise InvalidValueError(
                f"word_separator must be one of the alphabet's tokens or None, got {separator!r}; "
                "give None if words follow each other directly"
            )
        if index >= 0 and index in lexicon.token[1:]:
            raise InvalidValueError(
                f"word_separator must be in no word, got {separator!r}; give another one, or None, "
                "or other word_characters"
            )
        return index

    def search(self, batch: MatrixBatch, n_best: int) -> SearchResult:
        """Return one hypothesis a matrix, whatever `n_best` is."""
        count = len(batch)
        token_ids = np.empty(batch.log_probs.shape[0], dtype=np.int32)
        token_offsets = np.empty(count + 1, dtype=np.int64)
        scores = np.empty(count)
        written = self._kernel(
            batch.log_probs,
            batch.offsets,
            self.alphabet.blank,
            *self._language,
            token_ids,
            token_offsets,
            scores,
        )
        one_each = np.arange(count + 1, dtype=np.int64)
        return SearchResult(token_ids[:written], token_offsets, one_each, scores)
