"""The decoder `lexiconsearch`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ctckit.decoders.base import Decoder
from ctckit.decoders.columns import fill_columns
from ctckit.decoders.options import option
from ctckit.decoders.words import corpus_lexicon
from ctckit.hypotheses import SearchResult
from ctckit.matrices import MatrixBatch


class LexiconSearch(Decoder):
    """Read one word of a corpus: the likeliest of those near the best path's text.

    Lexicon search of Shi, Bai and Yao (PAMI 2017), for matrices of single words. Words are the
    maximal runs of word characters in the corpus, case-sensitive. Those whose Levenshtein distance
    to the best path's text is at most the tolerance, counted in tokens, are compared by their
    log-probability, which is the score. Where there is none, the tolerance is as large as it must
    be. Where no such word can be spelled in so few frames, the text is empty.
    """

    scores_are_log_probs = True

    corpus: Path = option(help="UTF-8 text file whose words may be read.")
    tolerance: int = option(
        4, minimum=0, help="Edits by which a word may differ from the best path's text."
    )
    word_characters: str | None = option(
        None, help="Characters that words are made of; by default the letters and apostrophe."
    )

    def prepare(self) -> None:
        """Read the corpus, and load the kernels."""
        lexicon = corpus_lexicon(self.alphabet, self.corpus, self.word_characters)
        from ctckit.kernels.bestpath import best_paths
        from ctckit.kernels.lexiconsearch import lexicon_search
        from ctckit.language import BKTree

        self._best_paths: Callable[..., int] = best_paths
        self._kernel: Callable[..., int] = lexicon_search
        tree = BKTree(lexicon)
        self._tree = (tree.word, tree.token_ids, tree.token_offsets, tree.first_child, tree.edge)
        self._longest = lexicon.longest

    def search(self, batch: MatrixBatch, n_best: int) -> SearchResult:
        """Return up to `n_best` words a matrix, best first."""
        log_probs, offsets, blank = batch.log_probs, batch.offsets, self.alphabet.blank
        near = np.empty(len(log_probs), dtype=np.int32)
        near_offsets = np.empty(len(batch) + 1, dtype=np.int64)
        unused = np.empty(len(batch))
        self._best_paths(log_probs, offsets, blank, near, near_offsets, unused)
        arguments = (log_probs, offsets, blank, n_best, self.tolerance, near, near_offsets)
        return fill_columns(
            self._kernel, batch, n_best, *arguments, *self._tree, longer=self._longest
        )
