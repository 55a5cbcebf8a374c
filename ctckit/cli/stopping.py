"""Ctrl-C while code runs that may not heed it."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from ctckit.cli.diverting import forward
from ctckit.cli.errors import say
from ctckit.cli.main import INTERRUPTED
from ctckit.cli.output import discard_temporaries
from ctckit.parallel import WORKERS

PATIENCE = 1.5
"""Seconds that code may take to stop before something is said of it."""

_END = 0
"""The byte that ends the watch; no signal has that number."""


@contextmanager
def stopped_by_interrupts(label: Callable[[], str], *, holds_lock: bool = True) -> Iterator[None]:
    """Run code inside that may swallow a KeyboardInterrupt or never come to raise one.

    A thread watches, since Python handles signals between the steps of the main thread only: where
    that is in native code, or waits for other threads, nothing happens.

    label : names the code
    holds_lock : whether it may hold the interpreter lock in native code for long

    Raises
    ------
    KeyboardInterrupt : there was a ctrl-C, whatever came of it
    """
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield
        return
    watch = _Watch(label, holds_lock)
    try:
        yield
    except Exception:
        if watch.end():  # code fails oddly when interrupted
            raise KeyboardInterrupt from None
        raise
    else:
        if watch.end():
            raise KeyboardInterrupt
    finally:
        watch.end()
        signal.signal(signal.SIGINT, handler)


@contextmanager
def workers_waited_for() -> Iterator[None]:
    """Wait after an interrupt for the threads that it left behind, as Python does when it ends."""
    try:
        yield
    except KeyboardInterrupt:
        for thread in threading.enumerate():
            if thread.name.startswith(WORKERS):
                thread.join()
        raise


class _Watch:
    """Takes note of signals in a thread, until `end`."""

    def __init__(self, label: Callable[[], str], holds_lock: bool) -> None:
        self._label = label
        self._signals = 0
        self._ended = False
        self._reader, self._writer = os.pipe()
        with suppress(AttributeError):  # Windows has it since Python 3.12 only, and needs it not
            os.set_blocking(self._writer, False)
        self._say_later = threading.Timer(PATIENCE, self._say)
        self._say_later.daemon = True
        self._thread = threading.Thread(target=self._run, name="signals", daemon=True)
        self._thread.start()
        self._before = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        self._handler = _let_next_but_one_kill() if holds_lock else None

    def end(self) -> bool:
        """Stop watching; return whether there was a signal."""
        if not self._ended:
            signal.set_wakeup_fd(self._before)
            os.write(self._writer, bytes([_END]))
            self._thread.join()
            self._ended = True
            self._say_later.cancel()
            os.close(self._reader)
            os.close(self._writer)
        return self._signals > 0

    def _run(self) -> None:
        while True:
            for number in os.read(self._reader, 64):
                if number == _END:
                    return
                if number in (signal.SIGINT, signal.SIGTERM):
                    self._take_note()

    def _take_note(self) -> None:
        self._signals += 1
        if self._signals > 1:
            end_at_once()
        if self._handler is not None:
            _let_next_but_one_kill(self._handler)
        self._say_later.start()

    def _say(self) -> None:
        say(f"{self._label()} has not stopped; a second ctrl-C ends it at once")


def _let_next_but_one_kill(handler: int | None = None) -> int | None:
    """Handle the next SIGINT as now, and let the one after that kill the process.

    Native code that holds the interpreter lock keeps every thread from running, this watch too.
    So the system is told to forget the handler once it has called it; whoever comes to run then
    may tell it again. Only the GNU C library has a function for that.

    handler : the function that handles it; None: that which handles it now. Returns it
    """
    if not sys.platform.startswith("linux"):
        return None
    try:
        current, once = ctypes.pythonapi.PyOS_getsig, ctypes.CDLL(None).sysv_signal
    except AttributeError:
        return None
    current.restype = ctypes.c_void_p
    found: int | None = current(signal.SIGINT) if handler is None else handler
    if found is not None:
        once(signal.SIGINT, ctypes.c_void_p(found))
    return found


def end_at_once() -> None:
    """End the process as after ctrl-C, whatever its threads do."""
    # Should a lock be held that is needed here, the process ends a little later.
    last = threading.Timer(1.0, os._exit, (INTERRUPTED,))
    last.daemon = True
    last.start()
    with suppress(BaseException):
        discard_temporaries()
    with suppress(BaseException):
        forward()
        if sys.stderr.isatty():
            sys.stderr.write("\x1b[?25h\n")  # the cursor, which a progress bar hides
        say("interrupted")
    os._exit(INTERRUPTED)
