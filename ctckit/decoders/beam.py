"""What decoders that keep a beam of prefixes share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ctckit.decoders.base import Decoder
from ctckit.decoders.columns import fill_columns
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
        return fill_columns(
            kernel,
            batch,
            n_best,
            batch.log_probs,
            batch.offsets,
            self.alphabet.blank,
            self.beam_width,
            n_best,
            *arguments,
            longer=longer,
        )
