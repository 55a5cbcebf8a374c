"""One shard of a dump: an uncompressed Arrow IPC file of record batches, and its salvage.

Columns: ``id`` string, ``reference`` string or null, ``T`` int32, ``log_probs`` a list of T * C
values, row by row. The schema's metadata hold the manifest, so that a shard explains itself.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ctckit.alphabet import Int64Array
from ctckit.dumps.checksums import (
    Checksums,
    checksums_of,
    lines_fit,
    pack_digests,
    read_checksums,
    unpack_digests,
    values_fit,
)
from ctckit.dumps.files import sync_folder
from ctckit.dumps.manifest import Manifest, Store, parse_manifest, shard_name
from ctckit.errors import CtckitError

if TYPE_CHECKING:
    import pyarrow as pa

FloatArray = npt.NDArray[np.floating[Any]]

METADATA_KEY = b"ctckit"
MAGIC_BYTES = 8
"""An Arrow file is this many bytes of magic, then an Arrow stream, then a footer."""
FLOAT16_LOWEST = -65504.0


@dataclass(frozen=True)
class Block:
    """A record batch of a shard, as views of the memory map.

    Attributes
    ----------
    rows : float32 or float16 (sum of T_i, C), natural-log probabilities, not yet checked
    offsets : int64 (n + 1,); matrix i is ``rows[offsets[i]:offsets[i + 1]]``
    checksums : those that were written with it, and what else its metadata hold
    digests : one a matrix, of what it was made from; None where not known, or damaged
    """

    record: pa.RecordBatch
    rows: FloatArray
    offsets: Int64Array
    checksums: Checksums
    digests: list[str | None]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def is_intact(self) -> bool:
        """Whether the values are those that were written; reads all of them."""
        return values_fit(self.record, self.checksums)

    def ids(self, start: int = 0, stop: int | None = None) -> list[str]:
        """Return the ids of some of its matrices."""
        return self._strings("id", start, stop)

    def references(self, start: int = 0, stop: int | None = None) -> list[str | None]:
        """Return the references of some of its matrices."""
        return self._strings("reference", start, stop)

    def _strings(self, column: str, start: int, stop: int | None) -> list[Any]:
        length = (len(self) if stop is None else stop) - start
        return self.record.column(column).slice(start, length).to_pylist()


class ShardWriter:
    """Writes one shard under a temporary name that it drops when the shard is complete.

    Every record batch is on the disk before `write` returns. Disk errors are OSErrors.
    """

    def __init__(self, folder: Path, number: int, manifest: Manifest, ending: str) -> None:
        import pyarrow.ipc

        self.final = folder / shard_name(number)
        self.temporary = self.final.with_name(self.final.name + ending)
        self.count = 0
        self.size = 0
        self._schema = schema_of(manifest)
        self._file = self.temporary.open("wb")
        with self._abandoned_on_error():
            self._writer = pyarrow.ipc.new_file(self._file, self._schema)

    def write(
        self,
        rows: FloatArray,
        lengths: npt.NDArray[np.integer[Any]],
        ids: Sequence[str],
        references: Sequence[str | None],
        digests: Sequence[str | None],
    ) -> None:
        """Write n matrices: rows (sum of T, C) of the dump's type, and what belongs to each."""
        record = _record(self._schema, rows, lengths, ids, references)
        self.write_record(record, {**checksums_of(record), **pack_digests(digests)})

    def write_record(self, record: pa.RecordBatch, checksums: Checksums) -> None:
        """Write a record batch as it stands."""
        with self._abandoned_on_error():
            self._writer.write_batch(record, custom_metadata=checksums)
            self._sync()
        self.count += record.num_rows
        self.size += record.nbytes

    def _sync(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())

    def finish(self) -> None:
        """End the file and give it its name."""
        with self._abandoned_on_error():
            self._writer.close()
            self._sync()
            self._file.close()
            self.temporary.replace(self.final)
            sync_folder(self.final.parent)

    @contextlib.contextmanager
    def _abandoned_on_error(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.abandon()
            raise

    def abandon(self) -> None:
        """Close the file as it is: its complete record batches can be salvaged."""
        with contextlib.suppress(OSError):
            self._file.close()


def schema_of(manifest: Manifest) -> pa.Schema:
    """Return the schema of the shards of a dump."""
    import pyarrow as pa

    value = pa.float16() if manifest.store == "float16" else pa.float32()
    fields: list[Any] = [
        pa.field("id", pa.string(), nullable=False),
        pa.field("reference", pa.string()),
        pa.field("T", pa.int32(), nullable=False),
        pa.field("log_probs", pa.large_list(value), nullable=False),
    ]
    return pa.schema(fields, metadata={METADATA_KEY: manifest.to_json(with_shards=False).encode()})


def stored(rows: FloatArray, store: Store) -> FloatArray:
    """Return a copy of log-probabilities in the type of the dump; finite ones stay finite."""
    if store == "float32":
        return np.array(rows, dtype=np.float32, order="C")
    with np.errstate(over="ignore"):
        halves = np.array(rows, dtype=np.float16, order="C")
    halves[np.isneginf(halves) & (rows > -np.inf)] = FLOAT16_LOWEST
    return halves


def _record(
    schema: pa.Schema,
    rows: FloatArray,
    lengths: npt.NDArray[np.integer[Any]],
    ids: Sequence[str],
    references: Sequence[str | None],
) -> pa.RecordBatch:
    import pyarrow as pa

    count, classes = len(lengths), rows.shape[1]
    bounds = np.zeros(count + 1, dtype=np.int64)
    np.cumsum(np.asarray(lengths, dtype=np.int64) * classes, out=bounds[1:])
    values = _array(schema.field("log_probs").type.value_type, rows.reshape(-1))
    matrices: Any = pa.LargeListArray.from_arrays(_array(pa.int64(), bounds), values)
    frames = _array(pa.int32(), np.asarray(lengths, dtype=np.int32))
    columns = [_strings(ids), _strings(references), frames, matrices]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _array(kind: pa.DataType, values: npt.NDArray[Any]) -> Any:
    """Wrap a flat array without a copy; ``pa.array`` would import pandas, which takes longer."""
    import pyarrow as pa

    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(values.data)])


def _strings(values: Sequence[str | None]) -> Any:
    import pyarrow as pa

    encoded = [b"" if value is None else value.encode() for value in values]
    bounds = np.zeros(len(values) + 1, dtype=np.int32)
    np.cumsum([len(one) for one in encoded], out=bounds[1:])
    known = np.packbits([value is not None for value in values], bitorder="little")
    nulls = sum(value is None for value in values)
    buffers = [
        pa.py_buffer(known.tobytes()) if nulls else None,
        pa.py_buffer(bounds.data),
        pa.py_buffer(b"".join(encoded)),
    ]
    return pa.Array.from_buffers(pa.string(), len(values), buffers, null_count=nulls)


def read_shard(path: Path, manifest: Manifest) -> tuple[list[Block], str]:
    """Return the sound record batches of a shard, and what is wrong with it, or ``""``.

    The file is memory-mapped. Without a footer (cut off, or never finished) it is read from its
    beginning, up to the first record batch that is not complete. Values are not looked at; see
    `Block.is_intact`.
    """
    import pyarrow as pa

    wrong: list[str] = []
    blocks: list[Block] = []
    classes = len(manifest.alphabet)
    try:
        for record, checksums in _records(path, manifest, wrong):
            try:
                blocks.append(_block(record, classes, checksums, wrong))
            except (pa.ArrowException, ValueError) as error:
                wrong.append(_first_line(error))
    except (pa.ArrowException, CtckitError, OSError, ValueError, KeyError) as error:
        wrong.append(_first_line(error))
    return blocks, wrong[0] if wrong else ""


def _records(
    path: Path, manifest: Manifest, wrong: list[str]
) -> Iterator[tuple[pa.RecordBatch, Checksums]]:
    """Yield the record batches that can be read; tell `wrong` of the others."""
    import pyarrow as pa
    import pyarrow.ipc

    if not path.exists():
        raise OSError("the file is missing")
    source = pa.memory_map(str(path))
    try:
        reader = pyarrow.ipc.open_file(source)
    except (pa.ArrowException, OSError):
        wrong.append(
            "its end is cut off or overwritten" if source.size() > MAGIC_BYTES else "it is empty"
        )
        source.seek(MAGIC_BYTES)
        yield from _stream(source, manifest)
        return
    _check_schema(reader.schema, manifest)
    for i in range(reader.num_record_batches):
        try:
            found = reader.get_batch_with_custom_metadata(i)
        except (pa.ArrowException, OSError) as error:
            wrong.append(_first_line(error))
        else:
            yield found.batch, read_checksums(found.custom_metadata)


def _stream(
    source: pa.MemoryMappedFile, manifest: Manifest
) -> Iterator[tuple[pa.RecordBatch, Checksums]]:
    import pyarrow.ipc

    reader = pyarrow.ipc.open_stream(source)
    _check_schema(reader.schema, manifest)
    for found in reader.iter_batches_with_custom_metadata():
        yield found.batch, read_checksums(found.custom_metadata)


def _check_schema(schema: pa.Schema, manifest: Manifest) -> None:
    if not schema.equals(schema_of(manifest)):
        raise ValueError(f"its columns are not those of a {manifest.store} dump")
    found = (schema.metadata or {}).get(METADATA_KEY)
    if found is None:
        raise ValueError("its schema metadata are missing")
    if parse_manifest(found).alphabet != manifest.alphabet:
        raise ValueError("it belongs to a dump of another alphabet")


def _block(record: pa.RecordBatch, classes: int, checksums: Checksums, wrong: list[str]) -> Block:
    """Return views of a record batch whose lengths and offsets agree, else raise ValueError.

    Damaged digests cost only themselves; `wrong` is told.
    """
    record.validate(full=True)
    if not lines_fit(record, checksums):
        raise ValueError("a record batch has ids, references or lengths other than were written")
    if record.num_rows == 0:
        raise ValueError("a record batch is empty")
    frames: Any = record.column("T")
    matrices: Any = record.column("log_probs")
    values = matrices.values
    if record.column("id").null_count or frames.null_count or matrices.null_count:
        raise ValueError("a record batch holds a null")
    if values.null_count:
        raise ValueError("a record batch holds a null value")
    lengths = _view(frames, np.int32).astype(np.int64)
    bounds = _view(matrices.offsets, np.int64)
    if (lengths < 0).any() or (np.diff(bounds) != lengths * classes).any():
        raise ValueError("a record batch has lengths that do not fit its values")
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    flat = _view(values, np.float16 if values.type.bit_width == 16 else np.float32)
    rows = flat[bounds[0] : bounds[-1]].reshape(-1, classes)
    try:
        digests = unpack_digests(checksums, len(lengths))
    except ValueError as error:
        wrong.append(_first_line(error))
        digests = [None] * len(lengths)
    return Block(record, rows, offsets, checksums, digests)


def _view(array: Any, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Return an Arrow array without nulls as a view; ``to_numpy`` would import pandas."""
    buffer = array.buffers()[1]
    if buffer is None or len(array) == 0:
        return np.empty(0, dtype=dtype)
    flat: npt.NDArray[Any] = np.frombuffer(buffer, dtype=dtype)
    return flat[array.offset : array.offset + len(array)]


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0].rstrip(".") or type(error).__name__
