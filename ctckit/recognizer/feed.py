"""Training batches from processes of their own, so that the network never waits."""

from __future__ import annotations

import multiprocessing
import queue
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from typing import Any

from ctckit.errors import CtckitError
from ctckit.recognizer.samples import LeftOut, TrainingBatch

Make = Callable[[int], Iterable[TrainingBatch | LeftOut]]

_AHEAD = 24
"""Batches that wait to be used, at most."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class FeedError(CtckitError):
    """A process that makes training batches has failed or ended."""


class Feed:
    """Batches made by other processes; a context manager.

    Each process has a pipe of its own, which a thread here empties: a process that dies closes its
    pipe, also in the midst of a batch, and that is noticed at once. A process whose parent is gone
    ends at its next batch.

    Parameters
    ----------
    make : called in each process with a number to draw chance from, returns batches, and what is
        left out of them; must be picklable
    seeds : one number a process
    on_left_out : told of the images that a process leaves out, each once, when a batch is taken
    """

    def __init__(
        self,
        make: Make,
        seeds: Sequence[int],
        on_left_out: Callable[[list[str]], None] = lambda ids: None,
    ) -> None:
        self._batches: queue.Queue[TrainingBatch | LeftOut | FeedError] = queue.Queue(_AHEAD)
        self._on_left_out = on_left_out
        self._told: set[str] = set()
        self._ended = threading.Event()
        self._processes: list[Any] = []
        self._threads: list[threading.Thread] = []
        # Not fork: the parent has TensorFlow's threads.
        context = multiprocessing.get_context("spawn")
        try:
            for seed in seeds:
                ours, theirs = context.Pipe(duplex=False)
                process = context.Process(target=_produce, args=(theirs, make, seed), daemon=True)
                self._processes.append(process)
                _start_deaf(process)
                theirs.close()  # so that the pipe ends with the process
                thread = threading.Thread(target=self._empty, args=(ours, process), daemon=True)
                self._threads.append(thread)
                thread.start()
        except BaseException:
            self.close()
            raise

    def _empty(self, pipe: Connection, process: Any) -> None:
        """Move what comes out of a pipe into the queue, in a thread."""
        with pipe:
            while True:
                try:
                    sent = pipe.recv()
                except Exception:  # EOFError; or a batch that was cut off
                    process.join()
                    self._put(_ended_early(process.exitcode))
                    return
                self._put(FeedError(sent) if isinstance(sent, str) else sent)
                if isinstance(sent, str) or self._ended.is_set():
                    return

    def _put(self, what: TrainingBatch | LeftOut | FeedError) -> None:
        while not self._ended.is_set():
            try:
                self._batches.put(what, timeout=0.2)
                return
            except queue.Full:
                continue

    def __iter__(self) -> Iterator[TrainingBatch]:
        while True:
            what = self._batches.get()
            if isinstance(what, FeedError):
                raise what
            if isinstance(what, LeftOut):
                new = [id for id in what.ids if id not in self._told]
                self._told.update(new)
                if new:
                    self._on_left_out(new)
                continue
            yield what

    def __enter__(self) -> Feed:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the processes; they have nothing to save."""
        self._ended.set()
        started = [process for process in self._processes if process.pid is not None]
        for process in started:
            process.kill()
        for process in started:
            process.join()
        for thread in self._threads:
            thread.join()


def _start_deaf(process: Any) -> None:
    """Start a process that ctrl-C does not reach: the parent has it too, and ends all."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        process.start()
        return
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _ended_early(code: int | None) -> FeedError:
    how = f"exit code {code}"
    if code is not None and code < 0:
        how = f"ended by {signal.Signals(-code).name}"
        if code == -signal.SIGKILL:
            how += ", as when memory runs out"
    return FeedError(
        f"processes that make training images must go on, got one that is gone ({how}); see its "
        "message above, or take fewer --workers"
    )


def _produce(pipe: Connection, make: Make, seed: int) -> None:
    """Make batches until the parent ends this process."""
    import cv2

    cv2.setNumThreads(1)  # the other cores are the network's
    try:
        for batch in make(seed):
            pipe.send(batch)
    except BrokenPipeError:
        return  # the parent is gone
    except CtckitError as error:
        pipe.send(str(error))
    except Exception as error:
        pipe.send(f"training images could not be made: {type(error).__name__}: {error}")
