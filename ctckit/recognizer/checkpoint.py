"""What a training keeps in its folder to go on after a stop: the checkpoint."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from ctckit.dumps.files import lock_folder
from ctckit.errors import InvalidValueError
from ctckit.recognizer.curve import CURVE, PICTURE, SUMMARY
from ctckit.recognizer.language_files import CORPUS, WORD_CHARACTERS
from ctckit.recognizer.models import MAX_BYTES, write_whole

MODEL = "model.safetensors"
CHECKPOINT = "checkpoint.safetensors"

Arrays = dict[str, npt.NDArray[Any]]


@dataclass
class State:
    """How far a training is.

    Attributes
    ----------
    images, seconds : trained on so far
    best : the lowest validation CER so far, None before there is one
    best_wer, best_exact : the word error rate of those weights, and the share of images that they
        read without an error; None where not known
    kept : images trained on when the weights in the model file were; 0: none are there
    stale : evaluations since the one that bettered the CER
    validation : ids of the images to validate on, which a training that goes on must not train on;
        None where not known
    start_from : fingerprint of the model whose weights were the first ones; empty: none, None:
        not known

    A checkpoint that lacks the last six is one of before there were these.
    """

    images: int = 0
    seconds: float = 0.0
    best: float | None = None
    best_wer: float | None = None
    best_exact: float | None = None
    kept: int = 0
    stale: int = 0
    validation: list[str] | None = None
    start_from: str | None = None

    def described(self) -> dict[str, Any]:
        """Return what a model file says of the training that made it."""
        said = asdict(self)
        del said["validation"], said["start_from"]
        return said


def check_folder(folder: Path) -> None:
    """Refuse a folder in which no training can begin or go on.

    Raises
    ------
    InvalidValueError : it is a file, or holds no checkpoint, but a model, or a file that has the
        name of one that a training writes, which would be replaced
    """
    if folder.exists() and not folder.is_dir():
        raise InvalidValueError(f"output must be a folder, got the file '{folder}'; choose another")
    if (folder / CHECKPOINT).exists():
        return
    for name in (MODEL, CURVE, PICTURE, SUMMARY, CORPUS, WORD_CHARACTERS):
        if (folder / name).exists():
            raise InvalidValueError(
                f"output must be new or hold a checkpoint, got '{folder}' with a {name} alone; "
                "choose another folder"
            )


def write_checkpoint(folder: Path, arrays: Mapping[str, Any], state: State, settings: str) -> None:
    """Write all that is needed to go on; the old checkpoint stays until the new one is whole.

    Parameters
    ----------
    folder : of the training
    arrays : weights, and the optimizer's
    state : how far the training is
    settings : what must be the same to go on
    """
    arrays = {name: np.ascontiguousarray(value) for name, value in arrays.items()}
    metadata = {"state": json.dumps(asdict(state)), "settings": settings}
    metadata["crc32"] = str(_crc32(arrays))
    write_whole(folder / CHECKPOINT, save(arrays, metadata=metadata))


def read_checkpoint(folder: Path, settings: str) -> tuple[Arrays, State] | None:
    """Return what a checkpoint holds, or None where there is none.

    Raises
    ------
    InvalidValueError : the checkpoint is damaged, or of a training with other settings
    """
    path = folder / CHECKPOINT
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        arrays = load(data)
        length = int.from_bytes(data[:8], "little")
        metadata = json.loads(data[8 : 8 + length])["__metadata__"]
        state = State(**json.loads(metadata["state"]))
        found = metadata["settings"]
        if int(metadata["crc32"]) != _crc32(arrays):
            raise ValueError("its checksum is another")
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else error
        raise _damaged(path, str(reason)) from None
    if found != settings:
        raise InvalidValueError(
            f"checkpoint must be of the same training, got other characters or another network in "
            f"'{path}'; use another --output, or delete the folder"
        )
    return arrays, state


def read_state(folder: Path) -> State | None:
    """Return how far a training is; None where that cannot be read: `read_checkpoint` says why."""
    try:
        with (folder / CHECKPOINT).open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(min(length, MAX_BYTES)))
        return State(**json.loads(header["__metadata__"]["state"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Make the folder, and keep other trainings out of it; a lock that is gone with its process.

    Raises
    ------
    InvalidValueError : another training has it; it cannot be made
    """
    is_new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = lock_folder(folder)
    except BlockingIOError:
        raise InvalidValueError(
            f"output must be written by one training at a time, got '{folder}', which another is "
            "writing; wait for it, or choose another folder"
        ) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or error
        raise InvalidValueError(
            f"output must be a folder that can be written to, got '{folder}' ({reason}); choose "
            "another"
        ) from None
    try:
        yield
    finally:
        if is_new:
            with suppress(OSError):  # something is in it
                folder.rmdir()
        if descriptor is not None:
            os.close(descriptor)


def check_arrays(folder: Path, arrays: Arrays, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Refuse a checkpoint that has other arrays than the training; a number has shape (1,).

    Raises
    ------
    InvalidValueError : arrays are missing, too many, or of another shape
    """
    found = {name: value.shape for name, value in arrays.items()}
    differing = sorted(name for name in found.keys() | shapes.keys()
                       if found.get(name) != shapes.get(name))  # fmt: skip
    if differing:
        raise _damaged(folder / CHECKPOINT, f"{differing[0][:60]!r} is not as it should be")


def _crc32(arrays: Mapping[str, npt.NDArray[Any]]) -> int:
    value = 0
    for name in sorted(arrays):
        value = zlib.crc32(arrays[name].tobytes(), zlib.crc32(name.encode(), value))
    return value


def _damaged(path: Path, reason: str) -> InvalidValueError:
    return InvalidValueError(
        f"checkpoint must be one that ctckit train wrote, got '{path}', which is damaged or "
        f"another kind of file ({' '.join(reason.split())[:160]}); delete the folder to train anew"
    )
