"""The decoder `bestpath`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ctckit.decoders.base import Decoder
from ctckit.hypotheses import SearchResult
from ctckit.matrices import MatrixBatch


class BestPath(Decoder):
    """Take the likeliest class of each frame, drop repeats, then blanks.

    Best path decoding of Graves et al. (ICML 2006), section 3.2. Of classes that tie in a frame
    the first is taken. The score is the log-probability of that one path, not of the text.
    """

    scores_are_log_probs = True  # of one alignment of the text

    def prepare(self) -> None:
        """Load the kernel."""
        from ctckit.kernels.bestpath import best_paths

        self._kernel: Callable[..., int] = best_paths

    def search(self, batch: MatrixBatch, n_best: int) -> SearchResult:
        """Return one hypothesis a matrix, whatever `n_best` is."""
        count = len(batch)
        token_ids = np.empty(batch.log_probs.shape[0], dtype=np.int32)
        token_offsets = np.empty(count + 1, dtype=np.int64)
        scores = np.empty(count, dtype=np.float64)
        total = self._kernel(
            batch.log_probs, batch.offsets, self.alphabet.blank, token_ids, token_offsets, scores
        )
        return SearchResult(
            token_ids[:total], token_offsets, np.arange(count + 1, dtype=np.int64), scores
        )
