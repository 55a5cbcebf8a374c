"""The standard output led to the standard error for a while."""

from __future__ import annotations

import ctypes
import io
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

STDOUT, STDERR = 1, 2
"""Descriptors."""


class _ToStderr(io.TextIOBase):
    """Stands for `sys.stdout`; who took it for that may keep it."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self) -> None:
        self.used = False
        self.buffer = _BytesToStderr(self)

    def write(self, text: str, /) -> int:
        """Write to `sys.stderr`, at once."""
        self.used = self.used or text != ""
        sys.stderr.write(text)
        sys.stderr.flush()
        return len(text)

    def writable(self) -> bool:
        """Return True."""
        return True

    def fileno(self) -> int:
        """Return the descriptor that native code writes to."""
        return STDOUT

    def reconfigure(self, **settings: Any) -> None:
        """Stay as it is."""

    def close(self) -> None:
        """Stay open, for the next one."""


class _BytesToStderr(io.RawIOBase):
    """The `buffer` of a `_ToStderr`."""

    def __init__(self, text: _ToStderr) -> None:
        self._text = text

    def write(self, data: Any, /) -> int:
        """Write to `sys.stderr`, at once."""
        raw = bytes(data)
        self._text.write(raw.decode("utf-8", "backslashreplace"))
        return len(raw)

    def writable(self) -> bool:
        """Return True."""
        return True


_stand_in = _ToStderr()


@contextmanager
def diverted() -> Iterator[Callable[[], bool]]:
    """Let everything that is written to stdout inside go to stderr.

    What is written to `sys.stdout` goes there at once. What native code writes to descriptor 1 is
    kept in a file till the end: a pipe could fill up, and who holds the interpreter lock while he
    writes would wait for ever. Gives a function that puts all back as it was, and returns whether
    something was written; it is called at the end in any case.
    """
    before = sys.stdout
    if before is _stand_in:
        yield lambda: False
        return
    with suppress(ValueError):  # it is closed
        before.flush()  # or somebody else might, while the descriptor leads elsewhere
    _stand_in.used = False
    kept = _divert_descriptor()
    sys.stdout = _stand_in
    ended = False

    def end() -> bool:
        nonlocal ended
        if not ended:
            ended = True
            sys.stdout = before
            if kept is not None:
                _flush_c_library()
                os.dup2(kept, STDOUT)
                os.close(kept)
                _stand_in.used = forward() or _stand_in.used
        return _stand_in.used

    try:
        yield end
    finally:
        end()


def _divert_descriptor() -> int | None:
    """Let descriptor 1 lead elsewhere, and return one that leads where it led."""
    try:
        kept = os.dup(STDOUT)
    except OSError:  # it is closed
        return None
    target = _capture()
    with suppress(OSError):
        os.dup2(STDERR if target is None else target, STDOUT)
    return kept


@cache
def _capture() -> int | None:
    """Return a descriptor of a file for what is written to descriptor 1."""
    try:
        with tempfile.TemporaryFile(buffering=0) as file:
            return os.dup(file.fileno())
    except OSError:  # no folder to write to: what native code prints is not noticed then
        return None


def forward() -> bool:
    """Write to stderr what came through descriptor 1; return whether there was something."""
    captured = _capture()
    if captured is None or not os.fstat(captured).st_size:
        return False
    os.lseek(captured, 0, os.SEEK_SET)
    while piece := os.read(captured, 1 << 20):
        sys.stderr.write(piece.decode("utf-8", "backslashreplace"))
    sys.stderr.flush()
    os.ftruncate(captured, 0)
    os.lseek(captured, 0, os.SEEK_SET)
    return True


def leave_stdout() -> None:
    """Let go to stderr what others still print while the process ends."""
    if _capture.cache_info().currsize:
        try:
            forward()
            sys.stdout.flush()
            os.dup2(STDERR, STDOUT)
        except (OSError, ValueError):
            return


@cache
def _c_library() -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL("ucrtbase" if sys.platform == "win32" else None)
    except OSError:
        return None


def _flush_c_library() -> None:
    """Write out what C code has printed, which keeps it back where stdout is no terminal."""
    with suppress(AttributeError):
        library = _c_library()
        if library is not None:
            library.fflush(None)
