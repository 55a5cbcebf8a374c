"""Work over chunks of a batch, in threads: the kernels release the interpreter lock."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from ctckit.alphabet import Int64Array
from ctckit.errors import InvalidValueError

Item = TypeVar("Item")
Result = TypeVar("Result")

SMALLEST_CHUNK = 1000
"""Frames under which a chunk is not worth a call of its own."""

WORKERS = "ctckit-worker"
"""What the names of threads begin with that work on a batch."""


def count_threads(threads: int | None) -> int:
    """Return `threads`, or the number of cores that this process may use for None."""
    if threads is None:
        if hasattr(os, "sched_getaffinity"):
            return len(os.sched_getaffinity(0))
        return os.cpu_count() or 1
    if isinstance(threads, bool) or not isinstance(threads, (int, np.integer)) or threads < 1:
        raise InvalidValueError(
            f"threads must be an integer of at least 1, got {threads!r}; None takes every core"
        )
    return int(threads)


def split(offsets: Int64Array, threads: int) -> list[tuple[int, int]]:
    """Cut N items into runs, the heaviest first, as (start, stop) pairs.

    offsets : int64 (N + 1), the items' cumulative weight (frames)
    """
    count = len(offsets) - 1
    total = int(offsets[-1] - offsets[0])
    if threads == 1 or count < 2 or total < 2 * SMALLEST_CHUNK:
        return [(0, count)]
    # Each takes a share of what is left, so that the last ones are small and all end together.
    cuts = [0.0]
    while total - cuts[-1] > SMALLEST_CHUNK:
        cuts.append(cuts[-1] + max((total - cuts[-1]) / (2 * threads), SMALLEST_CHUNK))
    targets = offsets[0] + np.array([*cuts[:-1], total])
    bounds = np.searchsorted(offsets, targets[1:-1], side="left").tolist()
    edges = [0, *bounds, count]
    return [(a, b) for a, b in itertools.pairwise(edges) if b > a]


def map_in_threads(
    function: Callable[[Item], Result], items: Sequence[Item], threads: int
) -> list[Result]:
    """Return ``[function(item) for item in items]``, with up to `threads` at once."""
    if threads == 1 or len(items) == 1:
        return [function(item) for item in items]
    pool = ThreadPoolExecutor(min(threads, len(items)), thread_name_prefix=WORKERS)
    try:
        return list(pool.map(function, items))
    finally:
        # After an error or an interrupt, chunks that have not begun are dropped.
        pool.shutdown(wait=True, cancel_futures=True)
