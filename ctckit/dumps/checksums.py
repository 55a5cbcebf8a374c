"""Checksums of the record batches of a shard, in the custom metadata of each.

One is of what is read when a dump is opened (ids, references, lengths), one of the values, so
that opening reads no matrix.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

LINES_KEY = b"ctckit_crc32_lines"
VALUES_KEY = b"ctckit_crc32_values"

Checksums = dict[bytes, bytes]


def checksums_of(record: pa.RecordBatch) -> Checksums:
    """Return the metadata of a record batch: CRC-32 of its buffers, as decimal digits."""
    return {
        LINES_KEY: str(_crc_of_lines(record)).encode(),
        VALUES_KEY: str(_crc_of_values(record)).encode(),
    }


def read_checksums(metadata: Mapping[bytes, bytes] | None) -> Checksums:
    """Return what is there of the checksums of a record batch: nothing in an older dump."""
    found = metadata or {}
    return {key: found[key] for key in (LINES_KEY, VALUES_KEY) if key in found}


def lines_fit(record: pa.RecordBatch, checksums: Checksums) -> bool:
    """Whether ids, references and lengths are those that were written, as far as is known."""
    known = checksums.get(LINES_KEY)
    return known is None or known == str(_crc_of_lines(record)).encode()


def values_fit(record: pa.RecordBatch, checksums: Checksums) -> bool:
    """Whether the values are those that were written, as far as is known."""
    known = checksums.get(VALUES_KEY)
    return known is None or known == str(_crc_of_values(record)).encode()


def _crc_of_lines(record: pa.RecordBatch) -> int:
    buffers = [one for i in range(3) for one in record.column(i).buffers()]
    return _crc(buffers + record.column(3).buffers()[:2])


def _crc_of_values(record: pa.RecordBatch) -> int:
    return _crc(record.column(3).buffers()[2:])


def _crc(buffers: list[Any]) -> int:
    """Return the CRC-32 of buffers one after the other; absent ones count for nothing."""
    value = 0
    for buffer in buffers:
        if buffer is not None and buffer.size:
            value = zlib.crc32(memoryview(buffer), value)
    return value
