"""Writing packed data sets; what they are and how they are read: `ctckit.recognizer.packed`."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.ipc

from ctckit.dumps.files import disk_errors, sync_folder
from ctckit.errors import InvalidValueError
from ctckit.recognizer.datasets.decoding import ImageReader
from ctckit.recognizer.datasets.layout import DataSet, LabelledImage
from ctckit.recognizer.gray import GrayArray
from ctckit.recognizer.packed import KEY, PACKED, SCHEMA, SUFFIX, files_below
from ctckit.recognizer.preprocessing import shrunk

_ROWS = 512
_BYTES = 1 << 24
"""A record batch holds so many images, or so many bytes of them."""


def target_of(folder: str | os.PathLike[str], output: str | os.PathLike[str] | None = None) -> Path:
    """Return the file that a data set is packed into: ``packed.arrow`` in it, if not said.

    Raises
    ------
    InvalidValueError : it has another ending, or is a folder
    """
    target = Path(folder) / PACKED if output is None else Path(output)
    if target.suffix != SUFFIX or target.is_dir():
        raise InvalidValueError(
            f"output must be a file whose name ends in {SUFFIX}, got '{target}'; add the ending"
        )
    return target


def write_packed(
    folder: str | os.PathLike[str],
    found: DataSet,
    target: Path,
    on_images: Callable[[int], None] = lambda count: None,
) -> DataSet:
    """Write a data set's images, at most 96 rows high, into one file.

    What stood there is replaced when the new file is complete; it is there whole or not at all.

    Parameters
    ----------
    folder : of the data set
    found : what `read_dataset` found in it
    target : the file
    on_images : told how many images are done since it was last called

    Returns
    -------
    the data set, its `broken` filled and its `items` those that could be read

    Raises
    ------
    InvalidValueError : no image with a text can be read
    DumpError : the file cannot be written, or the disk is full
    """
    staged = target.with_name(f".{target.name}.partial")
    with disk_errors(target), _removed_on_error(staged):
        target.parent.mkdir(parents=True, exist_ok=True)
        with staged.open("wb") as file:
            began = os.fstat(file.fileno()).st_mtime_ns
            packed = _write(file, Path(folder), found, on_images)
            file.flush()
            os.fsync(file.fileno())
        # So that what changed while images were read is newer.
        os.utime(staged, ns=(began, began))
        staged.replace(target)
        sync_folder(target.parent)
    return packed


@contextlib.contextmanager
def _removed_on_error(path: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            path.unlink()
        raise


def _write(file: Any, root: Path, found: DataSet, on_images: Callable[[int], None]) -> DataSet:
    files = {name: status.st_size for name, status in files_below(root)}
    reader = ImageReader()
    sources = _Sources(root)
    kept: list[LabelledImage] = []
    with pa.ipc.new_file(file, SCHEMA) as writer:
        for rows in _batches(reader.read(found.items)):
            kept += [item for item, _ in rows]
            writer.write_batch(_record(rows, sources))
            on_images(len(rows))
        if not kept:
            raise InvalidValueError(_nothing(root, found, reader.broken))
        found = dataclasses.replace(found, items=kept, broken=reader.broken)
        said = {
            "layout": found.layout,
            "without_text": found.without_text,
            "without_image": found.without_image,
            "damaged": found.damaged,
            "known_bad": found.known_bad,
            "broken": found.broken,
            "files": files,
        }
        empty = pa.RecordBatch.from_pylist([], schema=SCHEMA)
        writer.write_batch(empty, custom_metadata={KEY: json.dumps(said).encode()})
    return found


def _nothing(root: Path, found: DataSet, broken: list[str]) -> str:
    reasons = [f"{found.without_text:,} without a text"] if found.without_text else []
    if broken:
        reasons.append(f"{len(broken):,} that cannot be read ({broken[0].partition(';')[0]})")
    return (
        f"data must hold images with texts, got none in '{root}' but "
        f"{', '.join(reasons) or 'texts without images'}; check the folder"
    )


def _batches(
    images: Iterable[tuple[LabelledImage, GrayArray]],
) -> Iterator[list[tuple[LabelledImage, GrayArray]]]:
    rows: list[tuple[LabelledImage, GrayArray]] = []
    size = 0
    for item, gray in images:
        rows.append((item, np.ascontiguousarray(shrunk(gray))))
        size += rows[-1][1].size
        if len(rows) >= _ROWS or size >= _BYTES:
            yield rows
            rows, size = [], 0
    if rows:
        yield rows


class _Sources:
    """What is said of image files; of a page with many lines only once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._path: Path | None = None
        self._last: dict[str, Any] = {}

    def of(self, path: Path) -> dict[str, Any]:
        if path != self._path:
            data, status = path.read_bytes(), path.stat()
            self._path, self._last = path, {
                "path": path.relative_to(self._root).as_posix(),
                "digest": hashlib.blake2b(data, digest_size=16).hexdigest(),
                "size": status.st_size,
                "mtime_ns": status.st_mtime_ns,
            }  # fmt: skip
        return self._last


def _record(rows: list[tuple[LabelledImage, GrayArray]], sources: _Sources) -> pa.RecordBatch:
    columns: dict[str, list[Any]] = {name: [] for name in SCHEMA.names}
    for item, gray in rows:
        said = {"id": item.id, "text": item.text, "group": item.group, "part": item.part}
        shape = {"height": gray.shape[0], "width": gray.shape[1], "pixels": gray.tobytes()}
        for name, value in {**said, **sources.of(item.path), **shape, "box": item.box}.items():
            columns[name].append(value)
    return pa.RecordBatch.from_pydict(columns, schema=SCHEMA)
