"""Where Keras computes: the GPU if there is one, else the CPU. Keras is loaded on first use."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from ctckit.errors import InvalidValueError

DEVICES = ("auto", "cpu", "gpu")
PRECISIONS = ("auto", "float32", "mixed")
_DRIVERS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
"""What NVIDIA's, AMD's and Windows's Linux drivers put there."""
_ADVICE = {
    "tensorflow": "pip install 'ctckit[gpu]'",
    "jax": "pip install 'jax[cuda12]'",
    "torch": "a torch built for it",
}


def check(device: str) -> None:
    """Refuse an unknown name, before anything is loaded.

    Raises
    ------
    InvalidValueError : it is not one of `DEVICES`
    """
    if device not in DEVICES:
        raise InvalidValueError(
            f"device must be one of {', '.join(DEVICES)}, got {device!r}; take auto"
        )


def may_have_gpu() -> bool:
    """Return whether there seems to be a GPU, by its driver's files and loading nothing."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1"):
        return False
    return any(Path(file).exists() for file in _DRIVERS)


def gpu_count(backend: str) -> int:
    """Return how many GPUs the backend sees."""
    if backend == "tensorflow":
        import tensorflow

        return len(tensorflow.config.list_physical_devices("GPU"))
    if backend == "jax":
        import jax

        try:
            return sum(device.platform == "gpu" for device in jax.devices())
        except RuntimeError:  # JAX_PLATFORMS asks for what is not there
            return 0
    import torch

    return int(torch.cuda.device_count())


def choose(backend: str, device: str) -> str:
    """Return ``"cpu"`` or ``"gpu"`` for what the user asked for.

    Raises
    ------
    InvalidValueError : an unknown name, or ``"gpu"`` where the backend sees none
    """
    check(device)
    count = gpu_count(backend)
    if device == "gpu" and not count:
        raise InvalidValueError(
            f"device must be cpu where {backend} sees no GPU, got 'gpu'; install its driver and "
            f"{_ADVICE[backend]}, or use --device cpu"
        )
    if count and backend == "tensorflow":
        _let_memory_grow()  # also for the CPU: TensorFlow would take the GPU's memory all the same
    return "gpu" if count and device != "cpu" else "cpu"


def choose_precision(device: str, precision: str) -> str:
    """Return ``"float32"`` or ``"mixed"`` for what the user asked for.

    Mixed on a GPU, which computes faster in float16; a CPU computes slower in it.

    Parameters
    ----------
    device : as `choose` returns it
    precision : one of `PRECISIONS`

    Raises
    ------
    InvalidValueError : an unknown name
    """
    if precision not in PRECISIONS:
        raise InvalidValueError(
            f"precision must be one of {', '.join(PRECISIONS)}, got {precision!r}; take auto"
        )
    if precision == "auto":
        return "mixed" if device == "gpu" else "float32"
    return precision


def _let_memory_grow() -> None:
    """Keep TensorFlow from taking all of the GPU's memory at once."""
    import tensorflow

    for gpu in tensorflow.config.list_physical_devices("GPU"):
        try:
            tensorflow.config.experimental.set_memory_growth(gpu, True)
        except RuntimeError:  # the GPU is in use already, with its memory taken
            return


def using(device: str) -> AbstractContextManager[Any]:
    """Return a context in which Keras computes on the device."""
    if device == "gpu":
        return nullcontext()  # what every backend takes by itself
    import keras

    context: AbstractContextManager[Any] = keras.device("cpu:0")
    return context
