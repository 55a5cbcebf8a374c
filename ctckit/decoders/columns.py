"""The columns of a result, for a kernel to fill."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ctckit.hypotheses import SearchResult
from ctckit.matrices import MatrixBatch


def fill_columns(
    kernel: Callable[..., int], batch: MatrixBatch, n_best: int, *arguments: Any, longer: int = 0
) -> SearchResult:
    """Return what a kernel writes.

    Parameters
    ----------
    kernel : called with `arguments` and four arrays to fill from the front: token_ids int32,
        token_offsets int64 (N * n_best + 1), hypothesis_offsets int64 (N + 1), scores float64
        (N * n_best); returns how many tokens it wrote
    longer : how many tokens a text may have more than its matrix has frames
    """
    lines, frames = len(batch), batch.log_probs.shape[0]
    token_ids = np.empty((frames + lines * longer) * n_best, dtype=np.int32)
    token_offsets = np.empty(lines * n_best + 1, dtype=np.int64)
    hypothesis_offsets = np.empty(lines + 1, dtype=np.int64)
    scores = np.empty(lines * n_best, dtype=np.float64)
    written = kernel(*arguments, token_ids, token_offsets, hypothesis_offsets, scores)
    found = hypothesis_offsets[-1]
    return SearchResult(
        token_ids[:written], token_offsets[: found + 1], hypothesis_offsets, scores[:found]
    )
