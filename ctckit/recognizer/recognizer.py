"""A trained network at work: images in, CTC matrices out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ctckit.alphabet import Alphabet
from ctckit.errors import InvalidValueError
from ctckit.matrices import MatrixBatch
from ctckit.recognizer import engines
from ctckit.recognizer.shape import COLUMNS

if TYPE_CHECKING:
    from ctckit.recognizer.models import Model
    from ctckit.recognizer.preprocessing import UInt8Array


class Recognizer:
    """Turns images of words or lines into CTC matrices.

    Parameters
    ----------
    model : from `read_model`
    device : ``"cpu"``, ``"gpu"``, or ``"auto"``: a GPU where there is one
    engine : ``"onnx"``, ONNX Runtime; ``"keras"``; or ``"auto"``: on the CPU, ONNX Runtime where
        it is installed. Matrices are the same to 1e-4

    Attributes
    ----------
    alphabet : of the matrices
    source : what the matrices depend on, a dict of JSON values for a dump's manifest
    backend : ``"onnxruntime"``, ``"tensorflow"``, ``"jax"`` or ``"torch"``
    device : ``"cpu"`` or ``"gpu"``, what is used
    calls : how many calls of `recognize` at the same time, from threads, are fastest

    Raises
    ------
    MissingExtraError : OpenCV, ONNX Runtime, Keras or its backend is not installed
    InvalidValueError : an unknown device or engine, or no GPU where one was asked for; a model
        whose weights are not those of its network
    """

    def __init__(self, model: Model, device: str = "auto", *, engine: str = "auto") -> None:
        engines.choose(device, engine)
        model.check()
        self._engine = engines.make(model, device, engine)
        self.backend = self._engine.backend
        self.device = self._engine.device
        self.calls = self._engine.calls
        self.alphabet: Alphabet = model.alphabet
        self.preprocessing = model.preprocessing
        # Not the engine: a dump that one has begun, another may go on with.
        self.source: dict[str, Any] = {
            "model": model.fingerprint,
            "preprocessing": model.preprocessing.described(),
        }

    @classmethod
    def load(
        cls,
        model: str | os.PathLike[str] | None = None,
        device: str = "auto",
        *,
        engine: str = "auto",
    ) -> Recognizer:
        """Read a model file and get ready.

        Parameters
        ----------
        model : the file; None: the model that comes with ctckit
        device, engine : as for the class

        Raises
        ------
        NotFoundError : no such file
        InvalidValueError : a file that is no model, is damaged or of a later version; as the class
        MissingExtraError : as the class
        """
        engines.choose(device, engine)
        from ctckit.recognizer.models import read_model

        return cls(read_model(None if model is None else Path(model)), device, engine=engine)

    def prepare(self, image: UInt8Array) -> UInt8Array:
        """Return a gray image, (H, W), 0 black, as the network wants it: (height, w), 255 ink.

        Safe to call from many threads.

        Raises
        ------
        InvalidValueError : `image` is not uint8 of two dimensions, or has no pixel
        """
        return self.preprocessing.apply(image)

    def recognize(
        self, prepared: Sequence[UInt8Array], ids: Sequence[str] | None = None
    ) -> MatrixBatch:
        """Return the CTC matrices of images, in one pass through the network.

        Safe to call from many threads; `calls` of them at a time are fastest.

        A matrix is the same whatever images are in the pass with it: its probabilities to 1e-5.

        Parameters
        ----------
        prepared : N images from `prepare`, of any widths; similar ones waste least
        ids : one string an image, by default its number

        Raises
        ------
        InvalidValueError : no images, or one that `prepare` has not made; a model whose numbers
            are too large to compute with
        """
        images, frames = padded(prepared, self.preprocessing.height, self._engine.quantum)
        logits = self._engine(images, frames)
        lengths = frames[: len(prepared)]
        if not np.isfinite(logits).all():
            raise InvalidValueError(
                "model must give finite numbers, got NaN or inf; get the model file again"
            )
        return MatrixBatch.from_logits(logits[: len(prepared)], self.alphabet, lengths, ids=ids)


def padded(prepared: Sequence[UInt8Array], height: int, quantum: int = 1) -> tuple[Any, Any]:
    """Return images side by side, float32 (N, height, W, 1), 0 paper to 1 ink, and their frames.

    Parameters
    ----------
    prepared : images (height, w_i), 255 ink, w_i a multiple of 4
    height : that all of them must have
    quantum : N, and the frames W / 4, are made multiples of this by adding paper
    """
    if not len(prepared):
        raise InvalidValueError("prepared must hold at least one image, got none")
    for image in prepared:
        shape = image.shape
        if len(shape) != 2 or shape[0] != height or not shape[1] or shape[1] % COLUMNS:
            raise InvalidValueError(
                f"prepared must hold images of {height} rows and a multiple of {COLUMNS} columns, "
                f"got {shape}; make them with Recognizer.prepare"
            )
        if image.dtype != np.uint8:
            raise InvalidValueError(
                f"prepared must hold images of uint8, got {image.dtype}; make them with "
                "Recognizer.prepare"
            )
    count = -(-len(prepared) // quantum) * quantum
    step = COLUMNS * quantum
    width = -(-max(image.shape[1] for image in prepared) // step) * step
    images = np.zeros((count, height, width, 1), np.float32)
    frames = np.full(count, 1, np.int32)
    for i, image in enumerate(prepared):
        images[i, :, : image.shape[1], 0] = image
        frames[i] = image.shape[1] // COLUMNS
    images *= np.float32(1 / 255)
    return images, frames
