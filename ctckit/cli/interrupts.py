"""Ctrl-C and SIGTERM while a command does what should not be left half done."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

Item = TypeVar("Item")


class Interrupts:
    """Takes a signal: at once, or while something must not be left, at the next good moment.

    A second one is taken at once in any case. What is raised at once may be lost, as in a callback
    of the garbage collector, which JAX has; so it is asked for again by `check`.

    Attributes
    ----------
    asked : whether there was a signal
    began : whether there was something yet that must not be left
    """

    def __init__(self) -> None:
        self.asked = False
        self.began = False
        self._waits = False

    def __call__(self, number: int, frame: object) -> None:
        """Take a signal."""
        at_once = self.asked or not self._waits
        self.asked = True
        if at_once:
            raise KeyboardInterrupt

    def check(self) -> None:
        """Raise KeyboardInterrupt if there was a signal."""
        if self.asked:
            raise KeyboardInterrupt

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        self.began = self._waits = True
        try:
            yield
        finally:
            self._waits = False

    @contextmanager
    def at(self, advance: Callable[[int], None]) -> Iterator[Callable[[int], None]]:
        """Give a function that does what `advance` does, and is the only good moment inside."""

        def on_items(count: int) -> None:
            advance(count)
            self.check()

        with self._waiting():
            yield on_items

    def between(self, items: Iterable[Item]) -> Iterator[Item]:
        """Yield items; what is done with one is done before a signal is taken.

        Raises
        ------
        KeyboardInterrupt : there was a signal
        """
        iterator = iter(items)
        while True:
            self.check()
            try:
                item = next(iterator)
            except StopIteration:
                return
            with self._waiting():
                yield item


@contextmanager
def taken_signals() -> Iterator[Interrupts]:
    """Give what handles ctrl-C and SIGTERM inside."""
    interrupts = Interrupts()
    before = {}
    unraisable = sys.unraisablehook
    sys.unraisablehook = _without_interrupts(unraisable)
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) not in (signal.SIG_IGN, None):  # as under nohup
                before[number] = signal.signal(number, interrupts)
    try:
        yield interrupts
    except Exception:
        if interrupts.asked and not interrupts.began:  # modules fail oddly when interrupted
            raise KeyboardInterrupt from None
        raise
    finally:
        sys.unraisablehook = unraisable
        for number, handler in before.items():
            signal.signal(number, handler)


def _without_interrupts(hook: Callable[[Any], object]) -> Callable[[Any], None]:
    """Return a `sys.unraisablehook` that says nothing of a KeyboardInterrupt that was lost."""

    def unraisable(told: Any) -> None:
        if not issubclass(told.exc_type, KeyboardInterrupt):
            hook(told)

    return unraisable
