"""What decoders that keep a beam of prefixes share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ctckit.decoders.base import Decoder
from ctckit.decoders.options import option
from ctckit.errors import InvalidValueError
from ctckit.hypotheses import SearchResult
from ctckit.matrices import MatrixBatch


class BeamDecoder(Decoder):
    """Base of decoders with a beam: the option `beam_width`, and the call of a kernel."""

    beam_width: int = option(25, minimum=1, maximum=100_000, help="Prefixes kept after each frame.")

    def check_n_best(self, n_best: int) -> None:
        """Refuse more hypotheses than the beam holds."""
        if n_best > self.beam_width:
            raise InvalidValueError(
                f"n_best must be 1 to beam_width ({self.beam_width}), got {n_best}; "
                "raise beam_width"
            )

    def run_kernel(
        self,
        kernel: Callable[..., int],
        batch: MatrixBatch,
        n_best: int,
        *arguments: Any,
        longer: int = 0,
    ) -> SearchResult:
        """Return what a kernel writes.

        Parameters
        ----------
        kernel : called with log_probs, offsets, blank, beam_width, n_best, `arguments` and four
            arrays to fill from the front: token_ids int32, token_offsets int64 (N * n_best + 1),
            hypothesis_offsets int64 (N + 1), scores float64 (N * n_best); returns how many tokens
            it wrote
        longer : how many tokens a text may have more than its matrix has frames
        """
        lines, frames = len(batch), batch.log_probs.shape[0]
        token_ids = np.empty((frames + lines * longer) * n_best, dtype=np.int32)
        token_offsets = np.empty(lines * n_best + 1, dtype=np.int64)
        hypothesis_offsets = np.empty(lines + 1, dtype=np.int64)
        scores = np.empty(lines * n_best, dtype=np.float64)
        written = kernel(
            batch.log_probs,
            batch.offsets,
            self.alphabet.blank,
            self.beam_width,
            n_best,
            *arguments,
            token_ids,
            token_offsets,
            hypothesis_offsets,
            scores,
        )
        found = hypothesis_offsets[-1]
        return SearchResult(
            token_ids[:written], token_offsets[: found + 1], hypothesis_offsets, scores[:found]
        )
