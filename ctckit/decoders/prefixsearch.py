"""The decoder `prefixsearch`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from ctckit.decoders.base import Decoder
from ctckit.decoders.columns import fill_columns
from ctckit.decoders.options import option
from ctckit.hypotheses import SearchResult
from ctckit.matrices import MatrixBatch


class PrefixSearch(Decoder):
    """Extend the likeliest prefixes until no other text can be likelier (exact, or to a bound).

    Prefix search of Graves et al. (ICML 2006), section 3.2. A matrix is cut at frames that are
    nearly sure of the blank, which count as blanks, and each piece is searched by itself. The
    score is the sum of the log-probabilities of the pieces' texts and of those blanks; it is at
    most the text's ``log_prob``, and equal to it where nothing was cut. Where a piece takes more
    prefixes than allowed, its best texts until then are used; they are at least as likely as its
    best path's text.
    """

    scores_are_log_probs = True
    exhaustive: ClassVar[Mapping[str, Any]] = {"split_threshold": None, "max_prefixes": 1_000_000}

    split_threshold: float | None = option(
        0.9,
        minimum=0.5,
        maximum=1.0,
        help="Probability of the blank over which a frame cuts the matrix; none cuts nowhere.",
    )
    max_prefixes: int = option(
        1000, minimum=1, maximum=1_000_000, help="Prefixes extended in a piece at most."
    )

    def prepare(self) -> None:
        """Load the kernel."""
        from ctckit.kernels.prefixsearch import prefix_search

        self._kernel: Callable[..., int] = prefix_search

    def search(self, batch: MatrixBatch, n_best: int) -> SearchResult:
        """Return up to `n_best` texts a matrix, best first."""
        sure = math.inf if self.split_threshold is None else math.log(self.split_threshold)
        return fill_columns(
            self._kernel,
            batch,
            n_best,
            batch.log_probs,
            batch.offsets,
            self.alphabet.blank,
            n_best,
            self.max_prefixes,
            sure,
        )
