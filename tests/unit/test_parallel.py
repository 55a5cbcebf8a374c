from __future__ import annotations

import itertools
import os
import threading
import time

import numpy as np
import pytest

from ctckit import InvalidValueError
from ctckit.parallel import SMALLEST_CHUNK, count_threads, map_in_threads, split

pytestmark = pytest.mark.nojit


def test_none_takes_the_cores_that_the_process_may_use():
    assert count_threads(None) == len(os.sched_getaffinity(0))


def test_none_without_affinity(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert count_threads(None) == 1


@pytest.mark.parametrize("threads", [1, 7, np.int64(3)])
def test_numbers_are_taken(threads):
    assert count_threads(threads) == threads
    assert type(count_threads(threads)) is int


@pytest.mark.parametrize("threads", [0, -1, 1.0, "2", True])
def test_bad_numbers(threads):
    with pytest.raises(
        InvalidValueError,
        match=rf"threads must be an integer of at least 1, got {threads!r}; None takes every core",
    ):
        count_threads(threads)


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
@pytest.mark.parametrize("seed", range(5))
def test_chunks_cover_all_items_in_order(seed, threads):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, 2000, size=rng.integers(0, 60))
    offsets = np.concatenate([[0], np.cumsum(lengths)]) + 17
    chunks = split(offsets, threads)
    assert [i for a, b in chunks for i in range(a, b)] == list(range(len(lengths)))
    assert threads > 1 or len(chunks) == 1
    assert len(chunks) <= max(1, len(lengths))


def test_chunks_shrink_so_that_all_threads_end_together():
    offsets = np.arange(0, 101) * 1000
    chunks = split(offsets, 2)
    sizes = [stop - start for start, stop in chunks]
    assert chunks[0] == (0, 25)
    assert chunks[-1][1] == 100
    assert all(a[1] == b[0] for a, b in itertools.pairwise(chunks))
    assert sizes == sorted(sizes, reverse=True)
    assert 0 < sizes[-1] <= 2


def test_little_work_is_one_chunk():
    assert split(np.array([0, SMALLEST_CHUNK // 2, SMALLEST_CHUNK]), 8) == [(0, 2)]
    assert split(np.array([0]), 8) == [(0, 0)]
    assert split(np.zeros(5, dtype=np.int64), 8) == [(0, 4)]


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_results_are_in_order(threads):
    def slow_square(x):
        time.sleep(0.002 * (x % 3))
        return x * x

    assert map_in_threads(slow_square, range(20), threads) == [x * x for x in range(20)]


def test_one_thread_means_the_callers():
    callers = map_in_threads(lambda _: threading.current_thread(), range(3), 1)
    assert set(callers) == {threading.current_thread()}


def test_several_threads_work_at_once():
    barrier = threading.Barrier(2, timeout=10)
    assert sorted(map_in_threads(lambda _: barrier.wait(), [0, 1], 2)) == [0, 1]


def test_after_an_error_no_further_item_begins_and_no_thread_stays():
    begun = []

    def work(x):
        begun.append(x)
        if x == 0:
            raise RuntimeError("first")
        time.sleep(0.01)

    with pytest.raises(RuntimeError, match="first"):
        map_in_threads(work, range(500), 2)
    assert len(begun) < 400
    assert not [t for t in threading.enumerate() if t.name.startswith("ctckit")]
