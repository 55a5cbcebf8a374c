"""Model files: the weights of a network, with all that is needed to use them.

A model file is a safetensors file: numbers and strings, nothing that could run. Its metadata hold
the alphabet, the preprocessing and the sizes of the network; ``docs/model-format.md`` lists them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import re
import stat
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load

from ctckit.alphabet import Alphabet
from ctckit.errors import CtckitError, InvalidValueError, NotFoundError
from ctckit.recognizer.preprocessing import Preprocessing
from ctckit.recognizer.shape import COLUMNS, NetworkShape

FORMAT = "ctckit-model"
VERSION = 1
DEFAULT_MODEL = Path(__file__).parent / "models" / "default.safetensors"
"""The model that is bundled with ctckit."""

MAX_BYTES = 1 << 28
"""A model file that is larger is refused unread."""

MAX_VALUES = 1 << 30
"""A model whose widest image would have a larger matrix is refused: it would fill the memory."""

_DTYPES = {"float16": "F16", "float32": "F32"}
_MALFORMED = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
"""What parsers raise for content that is not as it should be."""


@dataclass(frozen=True)
class Model:
    """What a model file holds.

    Attributes
    ----------
    alphabet : what the classes stand for
    shape : sizes of the network
    preprocessing : what is done to an image first
    weights : an array for each weight of the network, by ``layer/weight``
    about : how the model was made, anything that JSON can say
    fingerprint : of the file's bytes, 32 hex digits; empty for a model that is not on the disk
    """

    alphabet: Alphabet
    shape: NetworkShape
    preprocessing: Preprocessing
    weights: Mapping[str, npt.NDArray[Any]]
    about: Mapping[str, Any] = field(default_factory=dict)
    fingerprint: str = ""

    def check(self) -> None:
        """Refuse what does not fit together, before a network is built.

        Raises
        ------
        InvalidValueError : sizes out of range; an alphabet or preprocessing for another network;
            weights that are missing, too many, of another shape, or no finite numbers
        """
        self.shape.check()
        self.preprocessing.check()
        last = self.shape.classes - 1
        if self.shape.height != self.preprocessing.height:
            raise InvalidValueError(
                f"height must be that of the preprocessing, {self.preprocessing.height}, got "
                f"{self.shape.height} for the network; make them equal"
            )
        if len(self.alphabet) != self.shape.classes:
            raise InvalidValueError(
                f"alphabet must have {self.shape.classes} tokens, one a class of the network, got "
                f"{len(self.alphabet)}; make them equal"
            )
        if self.alphabet.blank != last:
            raise InvalidValueError(
                f"blank must be the last class, {last}, got {self.alphabet.blank}; reorder the "
                "tokens"
            )
        most = MAX_VALUES // self.shape.classes * COLUMNS + COLUMNS - 1
        if self.preprocessing.max_width > most:
            raise InvalidValueError(
                f"max_width must be at most {most} for {self.shape.classes} classes, got "
                f"{self.preprocessing.max_width}; choose a smaller one"
            )
        self._check_weights()

    def _check_weights(self) -> None:
        expected = self.shape.weights()
        differing = sorted(expected.keys() ^ self.weights.keys())
        if differing:
            raise InvalidValueError(
                f"weights must be those of the network, got {len(differing)} that are missing or "
                f"too many, such as {differing[0][:40]!r}; get them again"
            )
        for name, shape in expected.items():
            value = self.weights[name]
            if value.shape != shape:
                raise InvalidValueError(
                    f"weight {name!r} must have shape {shape}, got {value.shape}; get it again"
                )
            if value.dtype.kind != "f" or not np.isfinite(value).all():
                raise InvalidValueError(
                    f"weight {name!r} must be finite numbers, got {value.dtype} or NaN or inf; "
                    "get it again"
                )
            if name.endswith("/moving_variance") and value.min() < 0:
                raise InvalidValueError(
                    f"weight {name!r} must be at least 0, got {value.min()}; get it again"
                )


def save_model(path: str | os.PathLike[str], model: Model, *, dtype: str = "float16") -> None:
    """Write a model file; what stood there is replaced when the new one is complete.

    The same model makes the same bytes.

    Parameters
    ----------
    path : the file
    model : what to write
    dtype : of the weights, ``"float16"`` or ``"float32"``

    Raises
    ------
    InvalidValueError : `path` cannot be written; a model that could not be read again; an unknown
        `dtype`, or one that is too small for a weight
    """
    if dtype not in _DTYPES:
        raise InvalidValueError(
            f"dtype must be one of {', '.join(_DTYPES)}, got {dtype!r}; choose one of them"
        )
    model.check()
    metadata = {
        "format": FORMAT,
        "version": str(VERSION),
        "blank": str(model.alphabet.blank),
        "tokens": json.dumps(list(model.alphabet.tokens)),
        "network": json.dumps(dataclasses.asdict(model.shape)),
        "preprocessing": json.dumps(model.preprocessing.described()),
        "about": _about(model.about),
    }
    header: dict[str, Any] = {}
    parts: list[bytes] = []
    position = 0
    for name, value in sorted(model.weights.items()):
        with np.errstate(over="ignore"):
            converted = np.asarray(value, np.dtype(dtype).newbyteorder("<"))
        if not np.isfinite(converted).all():
            raise InvalidValueError(
                f"weight {name!r} must fit {dtype}, got {np.abs(value).max()}; write float32"
            )
        parts.append(converted.tobytes())
        end = position + len(parts[-1])
        offsets = [position, end]
        header[name] = {"dtype": _DTYPES[dtype], "shape": value.shape, "data_offsets": offsets}
        position = end
    values = b"".join(parts)
    metadata["crc32"] = str(_crc32(metadata, values))
    write_whole(Path(path), _header({"__metadata__": metadata, **header}) + values)


def _about(about: Mapping[str, Any]) -> str:
    try:
        return json.dumps(dict(about), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidValueError(
            f"about must be what JSON can say, got {_brief(error)}; leave it out or turn it into "
            "text"
        ) from None


def _header(header: Mapping[str, Any]) -> bytes:
    """Return how a safetensors file begins.

    The library's own writer puts the metadata in another order each time.
    """
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _crc32(metadata: Mapping[str, str], values: bytes) -> int:
    """Return the CRC-32 of the metadata, but for itself, by their names' order, and the values."""
    texts = [metadata[name] for name in sorted(metadata) if name != "crc32"]
    return zlib.crc32(values, zlib.crc32("".join(texts).encode()))


def write_whole(path: Path, data: bytes) -> None:
    """Write a file under another name, then rename it: it is there whole or not at all.

    Raises
    ------
    InvalidValueError : it cannot be written; what stood there is as it was
    """
    # The path comes from the user: "." and "/" have no name.
    staged = path.parent / f".{path.name}.partial"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with staged.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        staged.replace(path)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise InvalidValueError(
            f"file must be writable, got {str(path)!r} ({_reason(error)}); choose another place"
        ) from error
    finally:
        with contextlib.suppress(OSError, ValueError):
            staged.unlink()


def read_model(path: str | os.PathLike[str] | None = None) -> Model:
    """Read a model file.

    Parameters
    ----------
    path : the file; None: the model that comes with ctckit

    Raises
    ------
    NotFoundError : no such file
    InvalidValueError : a file that is no model, is damaged, or was made by a later version
    """
    path = DEFAULT_MODEL if path is None else Path(path)
    data = _read(path)
    try:
        tensors = load(data)
        metadata, values = _parts(data)
    except (SafetensorError, *_MALFORMED) as error:
        raise _damaged(path, f"that is no model file or is cut off ({_brief(error)})") from None
    if metadata.get("format") != FORMAT:
        raise _damaged(path, f"of format {metadata.get('format', '')[:40]!r}, not {FORMAT!r}")
    version = metadata.get("version", "")
    if not re.fullmatch("[1-9][0-9]{0,8}", version):
        raise _damaged(path, f"of version {version[:40]!r}")
    if int(version) > VERSION:
        raise InvalidValueError(
            f"model must be of version 1 to {VERSION}, got version {version} in '{path}'; "
            "install a later ctckit"
        )
    if metadata.get("crc32", str(_crc32(metadata, values))) != str(_crc32(metadata, values)):
        raise _damaged(path, "which has changed since (its checksum is another)")
    try:
        model = _model(metadata, tensors)
    except _MALFORMED as error:
        raise _damaged(path, f"which is damaged ({_brief(error)})") from None
    return dataclasses.replace(model, fingerprint=hashlib.blake2b(data, digest_size=16).hexdigest())


def _read(path: Path) -> bytes:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
            # A pipe could make us wait, and a device give bytes without end.
            raise InvalidValueError(f"model must be a file, got '{path}'; copy it into a file")
        if status.st_size > MAX_BYTES:
            raise _damaged(path, f"of {status.st_size:,} bytes, more than {MAX_BYTES:,}")
        return path.read_bytes()
    except FileNotFoundError:
        advice = "leave --model out for the bundled one, or make one with ctckit train"
        if path == DEFAULT_MODEL:
            advice = "install ctckit again"
        raise NotFoundError(f"model must be a file that exists, got '{path}'; {advice}") from None
    except IsADirectoryError:
        raise NotFoundError(
            f"model must be a file, got the folder '{path}'; name the .safetensors file in it"
        ) from None
    except InvalidValueError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise InvalidValueError(
            f"model must be readable, got {str(path)!r} ({_reason(error)}); check the file"
        ) from error


def _damaged(path: Path, why: str) -> InvalidValueError:
    return InvalidValueError(
        f"model must be a file written by ctckit train, got '{path}', {why}; get it again"
    )


def _reason(error: OSError | ValueError) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)


def _brief(error: Exception) -> str:
    """Return what an error says, without its advice, in a few words."""
    text = f"no {error}" if isinstance(error, KeyError) else str(error)
    if isinstance(error, CtckitError):
        text = text.partition("; ")[0]
    text = " ".join(text.split()) or type(error).__name__
    return text if len(text) <= 160 else text[:157] + "..."


def _parts(data: bytes) -> tuple[dict[str, str], bytes]:
    """Return the metadata, and all behind the header, of a file that safetensors has taken."""
    end = 8 + int.from_bytes(data[:8], "little")
    found = json.loads(data[8:end]).get("__metadata__") or {}
    return {str(name): str(value) for name, value in found.items()}, data[end:]


def _model(metadata: Mapping[str, str], tensors: Mapping[str, npt.NDArray[Any]]) -> Model:
    tokens, about = json.loads(metadata["tokens"]), json.loads(metadata.get("about", "{}"))
    for name, value, kind in (("tokens", tokens, list), ("about", about, dict)):
        if not isinstance(value, kind):
            raise ValueError(f"{name} are no {kind.__name__}")
    alphabet = Alphabet(tokens, int(metadata["blank"]))
    network = json.loads(metadata["network"])
    if isinstance(network.get("stem"), list):
        network["stem"] = tuple(network["stem"])
    shape = NetworkShape(**network)
    preprocessing = Preprocessing(**json.loads(metadata["preprocessing"]))
    for name, value in tensors.items():
        if value.dtype not in (np.float16, np.float32):
            raise ValueError(f"weight {name[:40]!r} is {value.dtype}, not float16 or float32")
    weights = {name: value.astype(np.float32) for name, value in tensors.items()}
    model = Model(alphabet, shape, preprocessing, weights, about)
    model.check()
    return model
