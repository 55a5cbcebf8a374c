"""What the recognizer needs beyond ctckit's own dependencies, and how to ask for it."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from ctckit.errors import InvalidValueError, MissingExtraError

_READING = {
    "cv2": "opencv-python-headless",
    "PIL": "pillow",
    "safetensors": "safetensors",
}
_PACKAGES = {**_READING, "fontTools": "fonttools", "keras": "keras"}
_BACKENDS = ("tensorflow", "jax", "torch")
_CHATTER = re.compile(rb"WARNING: All log messages before absl::InitializeLog|I\d{4} ")
"""Lines that TensorFlow writes at its start, whatever TF_CPP_MIN_LOG_LEVEL says."""


def require_recognizer() -> str:
    """Return the backend that Keras will compute with, after checking that all is installed.

    Keras reads the environment variable ``KERAS_BACKEND`` when it is imported; without it,
    TensorFlow. A Keras that is there already keeps the backend that it has. TensorFlow's chatter
    at its start is turned off, unless ``TF_CPP_MIN_LOG_LEVEL`` asks for it.

    Raises
    ------
    MissingExtraError : a package is missing; the message says how to install it
    InvalidValueError : ``KERAS_BACKEND``, or the Keras that is loaded, names no backend that
        ctckit knows
    """
    backend = os.environ.get("KERAS_BACKEND") or "tensorflow"
    keras = sys.modules.get("keras")
    if keras is not None and hasattr(keras, "backend"):
        backend = keras.backend.backend()
    if backend not in _BACKENDS:
        raise InvalidValueError(
            f"KERAS_BACKEND must be one of {', '.join(_BACKENDS)}, got {backend!r}; "
            "unset it for tensorflow"
        )
    _require({**_PACKAGES, backend: backend}, "recognizer")
    if backend == "tensorflow":
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        os.environ.setdefault("TF_ENABLE_DEPRECATION_WARNINGS", "0")
    os.environ["KERAS_BACKEND"] = backend
    return backend


def require_images() -> None:
    """Check that all is installed that reads image files; no network is needed for that.

    Raises
    ------
    MissingExtraError : a package is missing; the message says how to install it
    """
    _require({name: _READING[name] for name in ("cv2", "PIL")}, "onnx")


def require_onnxruntime() -> None:
    """Check that all is installed that reading images with ONNX Runtime needs.

    Raises
    ------
    MissingExtraError : a package is missing; the message says how to install it
    """
    _require({**_READING, "onnxruntime": "onnxruntime"}, "onnx")


def _require(packages: Mapping[str, str], extra: str) -> None:
    for module, package in packages.items():
        if not is_installed(module):
            advice = f"pip install 'ctckit[{extra}]'"
            if module in ("jax", "torch"):
                advice = f"install {package}, or unset KERAS_BACKEND for tensorflow"
            raise MissingExtraError(f"the recognizer needs {package}, which is missing; {advice}")


def has_keras() -> bool:
    """Return whether Keras is installed with what it would compute with."""
    backend = os.environ.get("KERAS_BACKEND") or "tensorflow"
    return is_installed("keras") and is_installed(backend)


def is_installed(module: str) -> bool:
    """Return whether a package is there, without importing it."""
    try:
        found = importlib.util.find_spec(module)
    except ValueError:  # half imported
        return False
    # A folder without code is what an uninstalled package may leave.
    return found is not None and found.origin is not None


@contextmanager
def without_chatter() -> Iterator[None]:
    """Keep what TensorFlow says at its start from stderr; all else comes out at the end.

    For its import and its first use. The C++ library writes to the file descriptor, so that
    nothing in Python can stop it; ``TF_CPP_MIN_LOG_LEVEL`` below 3 lets all pass.
    """
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL") != "3" or sys.stderr is None:
        yield
        return
    try:
        file = tempfile.TemporaryFile()  # noqa: SIM115
    except OSError:  # no folder for it
        yield
        return
    with file:
        try:
            kept = os.dup(2)
        except OSError:  # stderr is closed
            yield
            return
        try:
            sys.stderr.flush()
            os.dup2(file.fileno(), 2)
            yield
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            for line in file:
                if not _CHATTER.match(line):
                    os.write(2, line)
