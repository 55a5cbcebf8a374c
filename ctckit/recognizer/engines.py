"""What computes the network: ONNX Runtime, quick to start and on the CPU only, or Keras.

Both give the same numbers to 1e-4. ONNX Runtime is taken where it is installed, unless there is
a GPU that Keras could use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ctckit.errors import InvalidValueError
from ctckit.parallel import count_threads
from ctckit.recognizer import devices
from ctckit.recognizer.extras import (
    has_keras,
    is_installed,
    require_onnxruntime,
    require_recognizer,
    without_chatter,
)

if TYPE_CHECKING:
    from ctckit.recognizer.models import Model

ENGINES = ("auto", "onnx", "keras")


class Engine(Protocol):
    """A network that is ready.

    Attributes
    ----------
    backend : ``"onnxruntime"``, or Keras's ``"tensorflow"``, ``"jax"`` or ``"torch"``
    device : ``"cpu"`` or ``"gpu"``
    quantum : sizes of a batch are best multiples of this
    calls : how many calls at the same time, from threads, are fastest
    """

    backend: str
    device: str
    quantum: int
    calls: int

    def __call__(self, images: Any, frames: Any) -> Any:
        """Return the logits (N, W / 4, C) of what `ctckit.recognizer.recognizer.padded` gives."""


def choose(device: str, engine: str = "auto") -> str:
    """Return ``"onnx"`` or ``"keras"``, after checking that what it needs is installed.

    Neither is loaded.

    Parameters
    ----------
    device : ``"cpu"``, ``"gpu"`` or ``"auto"``
    engine : one of `ENGINES`

    Raises
    ------
    MissingExtraError : a package is missing; the message says how to install it
    InvalidValueError : an unknown device or engine; ONNX Runtime for a GPU; see
        `require_recognizer`
    """
    devices.check(device)
    if engine not in ENGINES:
        raise InvalidValueError(
            f"engine must be one of {', '.join(ENGINES)}, got {engine!r}; take auto"
        )
    if engine == "onnx" and device == "gpu":
        raise InvalidValueError(
            "device must be cpu for ONNX Runtime, got 'gpu'; use the engine keras"
        )
    if engine == "auto":
        # Not at all installed is the case that the smaller extra helps.
        small = is_installed("onnxruntime") or not has_keras()
        gpu = device == "gpu" or (device == "auto" and devices.may_have_gpu() and has_keras())
        engine = "onnx" if small and not gpu else "keras"
    if engine == "onnx":
        require_onnxruntime()
    else:
        require_recognizer()
    return engine


def make(model: Model, device: str, engine: str = "auto") -> Engine:
    """Return what computes a model's network.

    Parameters
    ----------
    model : checked
    device, engine : as for `choose`

    Raises
    ------
    MissingExtraError, InvalidValueError : as `choose`; no GPU where one was asked for
    """
    if choose(device, engine) == "onnx":
        return OnnxEngine(model)
    backend = require_recognizer()
    with without_chatter():
        chosen = devices.choose(backend, device)
    if chosen == "cpu" and engine == "auto" and is_installed("onnxruntime"):
        return OnnxEngine(model)  # Keras sees no GPU after all
    return KerasEngine(model, backend, chosen)


class OnnxEngine:
    """ONNX Runtime on the CPU, with a graph made of the model's weights.

    A call has one thread: several calls at a time take less of the CPU than one call whose threads
    wait for each other at each layer.
    """

    backend = "onnxruntime"
    device = "cpu"
    quantum = 1

    def __init__(self, model: Model) -> None:
        import onnxruntime

        from ctckit.recognizer.onnx_network import onnx_bytes

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = 1
        self.calls = count_threads(None)
        self._session = onnxruntime.InferenceSession(
            onnx_bytes(model), options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, images: Any, frames: Any) -> Any:
        """Return the logits."""
        return self._session.run(None, {"image": images, "frames": frames})[0]


class KerasEngine:
    """Keras, with the backend and on the device that were chosen; its calls have all threads."""

    calls = 1

    def __init__(self, model: Model, backend: str, device: str) -> None:
        with without_chatter():
            from ctckit.recognizer import network

        self.backend = backend
        self.device = device
        # XLA compiles a program for each shape, so that JAX must see few of them.
        self.quantum = 16 if backend == "jax" else 1
        with devices.using(device):
            built = network.build_network(model.shape)
            for name, variable in network.named_weights(built).items():
                variable.assign(model.weights[name])
            self._network = network.fold(built, model.shape)
        # XLA on the CPU takes seconds for each new width; the GPU's JAX knows nothing else.
        self._network.compile(jit_compile="auto" if backend == "jax" else False)

    def __call__(self, images: Any, frames: Any) -> Any:
        """Return the logits."""
        with devices.using(self.device):
            return np.asarray(self._network.predict_on_batch([images, frames]))
