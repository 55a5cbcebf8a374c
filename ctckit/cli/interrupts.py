"""Ctrl-C and SIGTERM while a command does what should not be left half done."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")


class Interrupts:
    """Takes a signal at once, or while something is worked on, when that is done.

    A second signal is taken at once in any case.
    """

    def __init__(self) -> None:
        self._waits = False
        self._asked = False

    def __call__(self, number: int, frame: object) -> None:
        """Take a signal."""
        if self._asked or not self._waits:
            raise KeyboardInterrupt
        self._asked = True

    def between(self, items: Iterable[Item]) -> Iterator[Item]:
        """Yield items; what is done with one is done before a signal is taken.

        Raises
        ------
        KeyboardInterrupt : there was a signal
        """
        iterator = iter(items)
        while True:
            if self._asked:
                raise KeyboardInterrupt
            try:
                item = next(iterator)
            except StopIteration:
                return
            self._waits = True
            try:
                yield item
            finally:
                self._waits = False


@contextmanager
def taken_signals() -> Iterator[Interrupts]:
    """Give what handles ctrl-C and SIGTERM inside."""
    interrupts = Interrupts()
    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) not in (signal.SIG_IGN, None):  # as under nohup
                before[number] = signal.signal(number, interrupts)
    try:
        yield interrupts
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
