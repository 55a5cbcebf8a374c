"""What a decoder must do as a part of a process: load late, print nothing, end when told."""

from __future__ import annotations

import contextlib
import ctypes
import io
import json
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

from ctckit.testing.checks.registered import check
from ctckit.testing.examples import RAGGED, example_alphabet, example_batch
from ctckit.testing.subject import CheckFailed, NotApplicable, Subject, decode, most_texts
from ctckit.testing.talking import Talker

HEAVY = ("numba", "llvmlite", "tensorflow", "torch", "jax", "pandas")
"""What the module of a decoder's class must not load."""
START_LIMIT = 300.0
"""Seconds in which another process must decode for the first time."""

_IMPORT = """
import importlib, json, sys
sys.path[:], module, heavy = json.load(sys.stdin)
before = set(sys.modules)
try:
    importlib.import_module(module)
except Exception as error:
    found = {"error": f"{type(error).__name__}: {error}"}
else:
    found = {"loaded": [name for name in heavy if name in sys.modules and name not in before]}
sys.__stdout__.write("\\n" + json.dumps(found) + "\\n")
"""

_LOOP = """
import pickle, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
def say(*what):
    print("", *what, sep="\\n", file=sys.__stdout__, flush=True)
try:
    sys.path[:] = pickle.load(sys.stdin.buffer)
    decoder, batch = pickle.load(sys.stdin.buffer)
except Exception as error:
    say("@cannot", f"{type(error).__name__}: {error}".splitlines()[0])
    sys.exit()
try:
    decoder.decode_batch(batch[:1], threads=1)
    say("@ready")
    end = time.monotonic() + 600  # whatever becomes of the process that should end this one
    while time.monotonic() < end:
        decoder.decode_batch(batch, threads=1)
except KeyboardInterrupt:
    say("@interrupted")
except BaseException as error:
    say("@raised", f"{type(error).__name__}: {error}".splitlines()[0])
"""


@check("quiet")
def quiet(subject: Subject) -> None:
    """Making the decoder and decoding print nothing to standard output."""
    batch = example_batch(example_alphabet(), RAGGED)
    with _captured_stdout() as written:
        decoder = subject.make(batch.alphabet)
        for n_best in {1, most_texts(decoder, 3)}:
            decode(decoder, batch, n_best=n_best, threads=1).materialize()
    if written[0]:
        raise CheckFailed("nothing must be printed to standard output", got=written[0][:200])


@contextlib.contextmanager
def _captured_stdout() -> Iterator[list[str]]:
    """Catch what is written by `print` and, where there is one, to the file descriptor 1."""
    written = [""]
    with tempfile.TemporaryFile() as file, contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError, ValueError, AttributeError):
            sys.stdout.flush()
        _flush_c()
        try:
            kept = os.dup(1)
        except OSError:  # closed
            kept = -1
        else:
            stack.callback(os.close, kept)
            os.dup2(file.fileno(), 1)
        printed = io.StringIO()
        try:
            with contextlib.redirect_stdout(printed):
                yield written
        finally:
            _flush_c()
            if kept >= 0:
                os.dup2(kept, 1)
        file.seek(0)
        written[0] = printed.getvalue() + file.read().decode("utf-8", "replace")


def _flush_c() -> None:
    """Write what C code has printed and not yet written."""
    if os.name == "posix":
        ctypes.CDLL(None).fflush(None)


@check("import-weight")
def import_weight(subject: Subject) -> None:
    """Importing the decoder's class loads no numba, TensorFlow, PyTorch, JAX or pandas."""
    module = subject.importable_class().__module__
    done = subprocess.run(
        [sys.executable, "-c", _IMPORT],
        input=json.dumps([sys.path, module, HEAVY]),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise CheckFailed(f"it must be possible to import {module} in a fresh process, got {last}")
    found = json.loads(done.stdout.splitlines()[-1])
    if "error" in found:
        raise NotApplicable(f"{module} cannot be imported in a fresh process: {found['error']}")
    if found["loaded"]:
        raise CheckFailed(
            f"importing {module} must load nothing heavy, got {', '.join(found['loaded'])}; "
            "import it in prepare"
        )


@check("interrupt")
def interrupt(subject: Subject) -> None:
    """Ctrl-C ends decoding within some seconds, by a KeyboardInterrupt."""
    if os.name != "posix":
        raise NotApplicable("a process can be interrupted on POSIX only")
    subject.importable_class()
    batch = example_batch(example_alphabet(), [200] * 5)
    try:
        sent = pickle.dumps(sys.path) + pickle.dumps((subject.decoder(), batch))
    except Exception as error:
        raise NotApplicable(f"it cannot be sent to another process: {error}") from error
    # Native code may turn one that comes at a bad moment into an error of its own: that can happen
    # to anybody, but not twice.
    for _ in range(2):
        with Talker(_LOOP, sent) as other:
            fault = _fault_of_interrupt(other, subject.seconds)
        if fault is None:
            return
    raise CheckFailed(f"ctrl-C must end decoding by a KeyboardInterrupt, got {fault}")


def _fault_of_interrupt(other: Talker, seconds: float) -> str | None:
    """Return what comes of ctrl-C instead of a KeyboardInterrupt, or None."""
    words = ("@cannot", "@ready", "@raised", "@interrupted")
    said = other.next_of(words, START_LIMIT)
    if said == "@cannot":
        raise NotApplicable(f"another process cannot load it: {_line(other)}")
    if said != "@ready":
        told = _line(other) if said == "@raised" else other.how_it_ended()
        raise CheckFailed(f"it must decode in another process, got {told}")
    time.sleep(0.1)  # until it is decoding
    said = _after_interrupts(other, words, seconds)
    if said == "@interrupted":
        return None
    return _line(other) if said == "@raised" else other.how_it_ended()


def _after_interrupts(other: Talker, words: tuple[str, ...], seconds: float) -> str | None:
    """Return what it says when it is interrupted, twice if need be.

    One alone may be lost without a fault of the decoder, as in a callback of the garbage collector.
    """
    for _ in range(2):
        other.interrupt()
        try:
            return other.next_of(words, seconds / 2)
        except TimeoutError:
            continue
    raise CheckFailed(f"ctrl-C must end decoding, but did not in {seconds:g} s, pressed twice")


def _line(other: Talker) -> str:
    return (other.next_line(START_LIMIT) or b"").decode("utf-8", "replace").strip()


CHECKS = (quiet, import_weight, interrupt)
