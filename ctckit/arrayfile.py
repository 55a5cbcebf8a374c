"""Arrays in one file, read by mapping it into memory: what language models and lexica are kept in.

The file: the line ``MAGIC``, the length of a JSON header as eight digits in hexadecimal and a line
break, the header, and the arrays, each from a multiple of 64 bytes on, in little-endian order. The
header names each array's dtype, shape and place, and holds what else the writer has to say.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from ctckit.errors import InvalidValueError

Arrays = dict[str, npt.NDArray[Any]]

MAGIC = b"ctckit arrays 1\n"
_ALIGNMENT = 64
_LENGTH = 9  # of the header's length: eight digits and a line break


def write_arrays(
    path: Path, arrays: Mapping[str, npt.NDArray[Any]], about: Mapping[str, Any]
) -> None:
    """Write arrays, and what `about` says of them, to a file that appears when it is complete.

    Parameters
    ----------
    path : of the file; one that is there is replaced
    arrays : by name, of numbers
    about : what JSON can hold

    Raises
    ------
    OSError : it cannot be written
    """
    places: dict[str, Any] = {}
    position = 0
    flat = {}
    for name, array in arrays.items():
        array = np.ascontiguousarray(array)
        flat[name] = array.astype(array.dtype.newbyteorder("<"), copy=False)
        places[name] = {"dtype": flat[name].dtype.str, "shape": array.shape, "at": position}
        position = _aligned(position + array.nbytes)
    header = json.dumps({"about": dict(about), "arrays": places, "bytes": position}).encode()
    start = _aligned(len(MAGIC) + _LENGTH + len(header))
    header = header.ljust(start - len(MAGIC) - _LENGTH)
    with new_file(path) as file:
        file.write(MAGIC + b"%08x\n" % len(header) + header)
        for array in flat.values():
            file.write(array.data if array.size else b"")
            file.write(bytes(_aligned(array.nbytes) - array.nbytes))


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file to write, which appears under its name when all is written, or not at all."""
    handle, name = tempfile.mkstemp(prefix=path.name + ".", suffix=".part", dir=path.parent)
    try:
        with open(handle, "wb") as file:  # noqa: PTH123 - it is a descriptor
            yield file
            file.flush()
            os.fsync(file.fileno())
        _publish(Path(name), path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise


def _publish(written: Path, path: Path) -> None:
    """Give a finished file its name, with the permissions of any new file."""
    mask = os.umask(0)
    os.umask(mask)
    written.chmod(0o666 & ~mask)
    written.replace(path)


def is_array_file(path: Path) -> bool:
    """Return whether a file begins as `write_arrays` begins one."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def read_arrays(path: Path) -> tuple[Arrays, dict[str, Any]]:
    """Return a file's arrays, read-only and mapped into memory, and what it says of them.

    Raises
    ------
    InvalidValueError : not such a file, or not a whole one
    OSError : it cannot be read
    """
    try:
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise ValueError
            header_length = int(file.read(_LENGTH), 16)
            header = json.loads(file.read(header_length))
        start = len(MAGIC) + _LENGTH + header_length
        if path.stat().st_size != start + header["bytes"]:
            raise ValueError
        mapped = np.memmap(path, dtype=np.uint8, mode="r").view(np.ndarray)
        arrays = {name: _array(mapped[start:], place) for name, place in header["arrays"].items()}
        return arrays, header["about"]
    except (ValueError, KeyError, TypeError):
        raise InvalidValueError(
            f"file must be a whole array file of ctckit, got '{path}'; make it again"
        ) from None


def _array(data: npt.NDArray[np.uint8], place: Mapping[str, Any]) -> npt.NDArray[Any]:
    dtype = np.dtype(place["dtype"])
    size = int(np.prod(place["shape"], dtype=np.int64)) * dtype.itemsize
    start = int(place["at"])
    array: npt.NDArray[Any] = data[start : start + size].view(dtype).reshape(place["shape"])
    return array


def _aligned(position: int) -> int:
    return -(-position // _ALIGNMENT) * _ALIGNMENT
