"""Another Python process, and the lines that it writes."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress


class Talker:
    """Runs code in another process; a context manager that ends it.

    Parameters
    ----------
    code : Python
    sent : its standard input
    apart : whether ctrl-C is for this process alone, and what that one has started ends with it
    """

    def __init__(self, code: str, sent: bytes, *, apart: bool = False) -> None:
        self._code = code
        self._apart = apart
        self._sent = sent
        self._lines: queue.Queue[bytes | None] = queue.Queue()

    def __enter__(self) -> Talker:
        self._process = subprocess.Popen(
            [sys.executable, "-c", self._code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=self._apart,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        stdin = self._process.stdin
        with suppress(BrokenPipeError):  # it ended before it had read all
            if stdin is not None:
                with stdin:
                    stdin.write(self._sent)
        return self

    def _read(self) -> None:
        stdout = self._process.stdout
        if stdout is not None:
            with stdout:
                for line in stdout:
                    self._lines.put(line)
        self._lines.put(None)

    def next_line(self, seconds: float) -> bytes | None:
        """Return the next line, or None if it has ended.

        Raises
        ------
        TimeoutError : it writes none in time
        """
        try:
            return self._lines.get(timeout=seconds)
        except queue.Empty:
            raise TimeoutError(f"no line within {seconds:g} s") from None

    def next_of(self, words: tuple[str, ...], seconds: float) -> str | None:
        """Return the next line that is one of `words`; else as `next_line`."""
        end = time.monotonic() + seconds
        while (line := self.next_line(max(end - time.monotonic(), 0.0))) is not None:
            word = line.decode("utf-8", "replace").strip()
            if word in words:
                return word
        return None

    def interrupt(self) -> None:
        """Send it what ctrl-C sends."""
        self._process.send_signal(signal.SIGINT)

    def how_it_ended(self) -> str:
        """Return its exit code, or the signal that ended it."""
        try:
            code = self._process.wait(5.0)
        except subprocess.TimeoutExpired:
            return "no end, but no more output"
        if code < 0:
            with suppress(ValueError):
                return signal.Signals(-code).name
        return f"exit code {code}"

    def __exit__(self, *error: object) -> None:
        if self._apart and hasattr(os, "killpg"):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        self._reader.join()
