"""The decoder `beamsearch`."""

from __future__ import annotations

from collections.abc import Callable

from ctckit.decoders.beam import BeamDecoder
from ctckit.hypotheses import SearchResult
from ctckit.matrices import MatrixBatch


class BeamSearch(BeamDecoder):
    """Keep the likeliest prefixes of each frame, all their alignments summed (exact prefix search).

    Prefix search of Hannun et al. (arXiv 1408.2873, 2014) on the model of Graves et al. (2006),
    without a language model. Every class is tried in every frame. The score is the natural log of
    the probability that the search gathered for a text; it is at most the text's ``log_prob``, and
    less where a prefix had to leave the beam for a while. Prefixes that are less than 1e-200 times
    as likely as the best one are dropped.
    """

    def prepare(self) -> None:
        """Load the kernel."""
        from ctckit.kernels.beamsearch import beam_search

        self._kernel: Callable[..., int] = beam_search

    def search(self, batch: MatrixBatch, n_best: int) -> SearchResult:
        """Return up to `n_best` texts a matrix, best first."""
        return self.run_kernel(self._kernel, batch, n_best)
