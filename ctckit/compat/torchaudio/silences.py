"""Texts as flashlight's paths have them: a silence before the first frame, one behind the last."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from ctckit.hypotheses import DecodedBatch, SearchResult
from ctckit.intake import Float32Array
from ctckit.matrices import MatrixBatch


def between_silences(
    log_probs: Float32Array, ids: Sequence[int], frames: Sequence[int], silence: int, blank: int
) -> tuple[list[int], list[int]]:
    """Return tokens and timesteps with the two silences, which are frames 0 and T + 1.

    A silence that the matrix has in its first or last frame is one with them. Where the blank is
    the silence, there is nothing to be seen of them.
    """
    ids, times = list(ids), [frame + 1 for frame in frames]
    if silence == blank:
        return ids, times
    lasts = not len(log_probs)
    if ids and ids[-1] == silence:
        rest = log_probs[frames[-1] + 1 :].astype(np.float64)
        with np.errstate(invalid="ignore"):
            gain = np.cumsum(rest[:, silence] - rest[:, blank])
        lasts = not len(gain) or bool(gain[-1] >= max(gain.max(), 0.0))
    if ids and ids[0] == silence and frames[0] == 0:
        times[0] = 0
    else:
        ids, times = [silence, *ids], [0, *times]
    if not lasts:
        ids, times = [*ids, silence], [*times, len(log_probs) + 1]
    return ids, times


def with_single_silences(ids: Sequence[int], silence: int) -> tuple[int, ...]:
    """Return tokens with one silence where there are several, and at both ends."""
    runs = itertools.groupby([silence, *ids, silence], key=lambda one: one == silence)
    return tuple(one for is_silence, run in runs for one in ((silence,) if is_silence else run))


def longest_possible(one: MatrixBatch, ids: Sequence[int]) -> tuple[list[int], list[int]]:
    """Return the longest begin of tokens that a matrix has frames for, and where they are."""
    begins = [list(ids[:length]) for length in range(len(ids), -1, -1)]
    decoded = DecodedBatch(one, SearchResult.from_lists([begins]))
    row = int(np.argmax(decoded.log_probs > -np.inf))
    start, stop = decoded.token_offsets[row : row + 2]
    return begins[row], decoded.timesteps[start:stop].tolist()
