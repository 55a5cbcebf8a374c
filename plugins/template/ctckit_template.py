"""A decoder in ten lines: copy this distribution, rename it, and write your own search."""

import numpy as np

from ctckit import Decoder, MatrixBatch, SearchResult


class TemplateDecoder(Decoder):
    """Take the likeliest class of each frame, drop repeats, then blanks (plain numpy)."""

    def search(self, batch: MatrixBatch, n_best: int) -> SearchResult:
        """Return one hypothesis a matrix."""
        paths = [log_probs.argmax(axis=1) for log_probs in batch]
        collapsed = [path[np.diff(path, prepend=-1) != 0] for path in paths]
        return SearchResult.from_best([path[path != self.alphabet.blank] for path in collapsed])
