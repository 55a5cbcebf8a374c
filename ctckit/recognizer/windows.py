"""A stream of images, read ahead by threads, in windows and then in batches of similar width."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

WINDOW_IMAGES = 1024
"""Images in a window at most; what a killed run may have to do again."""
WINDOW_VALUES = 32 << 20
"""A window ends where it has this many columns times rows, or times classes if those are more:
so neither its pixels nor its matrices fill the memory, which holds two windows."""
IMAGE_PIXELS = 32 * 512
"""A batch of n has no more pixels than n images of this size, unless it is one larger image."""
AHEAD = 4
"""Images that are begun before they are wanted, a thread."""

TICK = 0.1
"""Seconds between two calls of what is to be told that a window is waited for."""

UInt8Array = npt.NDArray[np.uint8]
Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Prepared:
    """An image as the network takes it: uint8 (height, width)."""

    id: str
    digest: str
    pixels: UInt8Array


@dataclass(frozen=True, slots=True)
class Broken:
    """An image that cannot be read, and why."""

    message: str


Window = list[Prepared | Broken]


class Readers:
    """Threads that read images, and one that collects them into the next window.

    Inside of it OpenCV has one thread: an image is so small that more only cost (0.4 ms of CPU for
    an image of a word), and these threads are many already.
    """

    def __init__(self, threads: int) -> None:
        self._most = AHEAD * threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="ctckit-read")
        self._background = ThreadPoolExecutor(1, thread_name_prefix="ctckit-window")

    def __enter__(self) -> Readers:
        self._opencv_threads = cv2.getNumThreads()
        cv2.setNumThreads(1)
        return self

    def __exit__(self, *error: object) -> None:
        # The pool first: who waits for one of its results gets an error then, and ends too.
        for pool in (self._pool, self._background):
            pool.shutdown(wait=True, cancel_futures=True)
        cv2.setNumThreads(self._opencv_threads)

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield ``function(item)`` in order; a few are begun before they are asked for."""
        begun: deque[Future[Result]] = deque()
        for item in items:
            begun.append(self._pool.submit(function, item))
            if len(begun) > self._most:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()

    def one_ahead(self, items: Iterator[Item], on_wait: Callable[[], None]) -> Iterator[Item]:
        """Yield the items, while the next one is made in the background.

        `on_wait` is called again and again while there is none yet; what it raises ends the wait.
        """
        begun = self._background.submit(next, items, None)
        while (item := _result(begun, on_wait)) is not None:
            begun = self._background.submit(next, items, None)
            yield item


def _result(begun: Future[Result], on_wait: Callable[[], None]) -> Result:
    while not wait([begun], TICK).done:
        on_wait()
    return begun.result()


def windows(ahead: Iterable[Prepared | Broken], classes: int) -> Iterator[Window]:
    """Cut the stream of images into windows of bounded size, broken ones among them."""
    window: Window = []
    values = 0
    for one in ahead:
        window.append(one)
        if isinstance(one, Prepared):
            height, width = one.pixels.shape
            values += width * max(height, classes)
        if len(window) >= WINDOW_IMAGES or values >= WINDOW_VALUES:
            yield window
            window, values = [], 0
    if window:
        yield window


def batches(pixels: Sequence[UInt8Array], batch_size: int) -> Iterator[list[int]]:
    """Yield the places of images of about the same width, for a forward pass each."""
    most = batch_size * IMAGE_PIXELS
    batch: list[int] = []
    for i in sorted(range(len(pixels)), key=lambda i: pixels[i].shape[1]):
        # The widest comes last, and the others are padded to it.
        if batch and (len(batch) == batch_size or (len(batch) + 1) * pixels[i].size > most):
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch
