"""The decoder `beamsearch`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ctckit.decoders.base import Decoder
from ctckit.decoders.options import option
from ctckit.errors import InvalidValueError
from ctckit.hypotheses import SearchResult
from ctckit.matrices import MatrixBatch


class BeamSearch(Decoder):
    """Keep the likeliest prefixes of each frame, all their alignments summed (exact prefix search).

    Prefix search of Hannun et al. (arXiv 1408.2873, 2014) on the model of Graves et al. (2006),
    without a language model. Every class is tried in every frame. The score is the natural log of
    the probability that the search gathered for a text; it is at most the text's ``log_prob``, and
    less where a prefix had to leave the beam for a while. Prefixes that are less than 1e-200 times
    as likely as the best one are dropped.
    """

    beam_width: int = option(25, minimum=1, maximum=100_000, help="Prefixes kept after each frame.")

    def prepare(self) -> None:
        """Load the kernel."""
        from ctckit.kernels.beamsearch import beam_search

        self._kernel: Callable[..., int] = beam_search

    def check_n_best(self, n_best: int) -> None:
        """Refuse more hypotheses than the beam holds."""
        if n_best > self.beam_width:
            raise InvalidValueError(
                f"n_best must be 1 to beam_width ({self.beam_width}), got {n_best}; "
                "raise beam_width"
            )

    def search(self, batch: MatrixBatch, n_best: int) -> SearchResult:
        """Return up to `n_best` texts a matrix, best first."""
        lines, frames = len(batch), batch.log_probs.shape[0]
        token_ids = np.empty(frames * n_best, dtype=np.int32)
        token_offsets = np.empty(lines * n_best + 1, dtype=np.int64)
        hypothesis_offsets = np.empty(lines + 1, dtype=np.int64)
        scores = np.empty(lines * n_best, dtype=np.float64)
        written = self._kernel(
            batch.log_probs,
            batch.offsets,
            self.alphabet.blank,
            self.beam_width,
            n_best,
            token_ids,
            token_offsets,
            hypothesis_offsets,
            scores,
        )
        found = hypothesis_offsets[-1]
        return SearchResult(
            token_ids[:written], token_offsets[: found + 1], hypothesis_offsets, scores[:found]
        )
