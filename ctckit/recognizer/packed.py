"""Packed data sets: one memory-mapped Arrow file of decoded gray images with their texts.

Decoding is what reading images costs; here it is done once. Processes that read the same file
share its memory.

The file is Arrow IPC, uncompressed. A row is an image: ``id``, ``text``, ``group``, ``part``,
``path`` below the folder, ``box``, ``digest`` (BLAKE2b of the image file), ``size`` and
``mtime_ns`` of that file, ``height``, ``width``, and ``pixels`` row by row. The last record batch
is empty and has what else there is to say as JSON in its metadata.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.ipc

from ctckit.errors import InvalidValueError, NotFoundError
from ctckit.recognizer.datasets.detect import read_dataset
from ctckit.recognizer.datasets.layout import DataSet, LabelledImage
from ctckit.recognizer.folders import walk_folders
from ctckit.recognizer.gray import GrayArray

PACKED = "packed.arrow"
SUFFIX = ".arrow"
FORMAT = "ctckit packed images"
VERSION = 1

KEY = b"ctckit"
SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("group", pa.string()),
        pa.field("part", pa.string()),
        pa.field("path", pa.string(), nullable=False),
        pa.field("box", pa.list_(pa.int32())),
        pa.field("digest", pa.string(), nullable=False),
        pa.field("size", pa.int64(), nullable=False),
        pa.field("mtime_ns", pa.int64(), nullable=False),
        pa.field("height", pa.int32(), nullable=False),
        pa.field("width", pa.int32(), nullable=False),
        pa.field("pixels", pa.large_binary(), nullable=False),
    ],
    metadata={KEY: json.dumps({"format": FORMAT, "version": VERSION})},
)


def files_below(root: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield the path and status of all files of a data set but the packed ones."""
    for prefix, path, names in walk_folders(root):
        for name in names:
            if not name.endswith(SUFFIX):
                try:
                    yield prefix + name, os.stat(f"{path}/{name}")  # noqa: PTH116
                except FileNotFoundError:  # a link that leads nowhere
                    continue


@dataclass(frozen=True)
class Packed:
    """A packed file that has been read.

    Attributes
    ----------
    path : where it lies
    data : its data set; `images` are views of the memory map, `items` lie below the folder that
        was given
    files : the size of each file that the data set had
    """

    path: Path
    data: DataSet
    files: dict[str, int]

    def change(self, root: Path) -> str | None:
        """Return a file in a folder that is not as it was when it was packed, and why, or None."""
        packed = self.path.stat().st_mtime_ns
        left = dict(self.files)
        for id, status in files_below(root):
            if id not in left:
                return f"'{id}' is new"
            if left.pop(id) != status.st_size or status.st_mtime_ns > packed:
                return f"'{id}' has changed"
        return f"'{next(iter(left))}' is gone" if left else None


def read_packed(path: str | os.PathLike[str], root: str | os.PathLike[str] | None = None) -> Packed:
    """Read a packed file; its images are mapped, not read, until they are used.

    Parameters
    ----------
    path : the file
    root : the folder of the data set, by default the one that the file lies in

    Raises
    ------
    NotFoundError : no such file
    InvalidValueError : another kind of file, a damaged one, or one of a later version
    """
    path = Path(path)
    try:
        with pa.memory_map(str(path)) as source:
            file = pa.ipc.open_file(source)
            about = json.loads((file.schema.metadata or {})[KEY])
            if about.get("format") != FORMAT or about.get("version") != VERSION:
                raise ValueError(f"it is {about.get('format')} {about.get('version')}")
            return _read(path, file, path.parent if root is None else Path(root))
    except FileNotFoundError:
        raise NotFoundError(
            f"data must be a folder or packed file that exists, got '{path}'; check the path"
        ) from None
    except (OSError, pa.ArrowException, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else " ".join(str(error).split())
        raise InvalidValueError(
            f"packed file must be one that ctckit pack wrote, got '{path}', which is damaged or "
            f"another kind of file ({reason[:120]}); delete it, or run ctckit pack again"
        ) from None


def _read(path: Path, file: Any, root: Path) -> Packed:
    batches = [file.get_batch_with_custom_metadata(i) for i in range(file.num_record_batches)]
    said = json.loads(batches[-1][1][KEY])
    files = {str(name): int(size) for name, size in said.pop("files").items()}
    images: list[GrayArray] = []
    data = DataSet(**said, images=images)
    for batch, _ in batches[:-1]:
        data.items += _items(batch, root)
        _add_images(batch, images)
    return Packed(path, data, files)


def _items(batch: pa.RecordBatch, root: Path) -> list[LabelledImage]:
    names = ("id", "text", "group", "part", "path", "box")
    rows = zip(*(batch.column(name).to_pylist() for name in names), strict=True)
    return [
        LabelledImage(id, root / below, text, group, part, tuple(box) if box else None)
        for id, text, group, part, below, box in rows
    ]


def _add_images(batch: pa.RecordBatch, images: list[GrayArray]) -> None:
    """Add views of the images of a record batch."""
    column = batch.column("pixels")
    _, starts, values = column.buffers()
    if values is None or starts is None or column.offset:
        raise ValueError("a record batch has no pixels")
    offsets = np.frombuffer(memoryview(starts), np.int64, len(column) + 1)
    pixels = np.frombuffer(memoryview(values), np.uint8)
    heights = batch.column("height").to_numpy().astype(np.int64)
    widths = batch.column("width").to_numpy().astype(np.int64)
    if (heights < 1).any() or (np.diff(offsets) != heights * widths).any() or offsets[0] < 0:
        raise ValueError("an image has other pixels than its size says")
    if offsets[-1] > len(pixels):
        raise ValueError("pixels are missing")
    limits = zip(offsets[:-1].tolist(), offsets[1:].tolist(), heights.tolist(), strict=True)
    images.extend(pixels[start:stop].reshape(height, -1) for start, stop, height in limits)


def find_packed(folder: str | os.PathLike[str]) -> tuple[Packed | None, str]:
    """Return the packed file that lies in a data set's folder, if it can be used.

    It must be newer than everything in the folder, and no file may be new, gone or of another
    size.

    Returns
    -------
    the packed file or None, and a line that says which it is; empty where there is no such file
    """
    root = Path(folder)
    path = root / PACKED
    if not path.is_file():
        return None, ""
    try:
        packed = read_packed(path)
    except InvalidValueError as error:
        return None, f"'{path}' is not used: {error}"
    change = packed.change(root)
    if change is not None:
        advice = f"run ctckit pack '{root}' again"
        return None, f"'{path}' is stale and not used ({change} since); {advice}"
    return packed, f"reading '{path}' instead of the images"


def open_data(path: str | os.PathLike[str]) -> tuple[DataSet, str]:
    """Read a data set: a folder of any layout, or a packed file.

    A packed file that lies in the folder and is up to date is read in its place.

    Returns
    -------
    the data set, and the line of `find_packed`

    Raises
    ------
    NotFoundError, DumpError, InvalidValueError : as `read_dataset` and `read_packed`
    """
    if Path(path).suffix == SUFFIX and not Path(path).is_dir():
        return read_packed(path).data, ""
    packed, note = find_packed(path)
    return (read_dataset(path) if packed is None else packed.data), note
