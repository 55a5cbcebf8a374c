"""What the custom metadata of a record batch hold: its checksums, and digests of the originals.

One checksum is of what is read when a dump is opened (ids, references, lengths), one of the
values, so that opening reads no matrix. Digests have one of their own: a reader that knows
nothing of them checks the others as before.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

LINES_KEY = b"ctckit_crc32_lines"
VALUES_KEY = b"ctckit_crc32_values"
DIGESTS_KEY = b"ctckit_digests"
DIGESTS_CRC_KEY = b"ctckit_crc32_digests"

Checksums = dict[bytes, bytes]
"""Custom metadata of ours: the checksums, and the digests with theirs."""


def checksums_of(record: pa.RecordBatch) -> Checksums:
    """Return the metadata of a record batch: CRC-32 of its buffers, as decimal digits."""
    return {
        LINES_KEY: str(_crc_of_lines(record)).encode(),
        VALUES_KEY: str(_crc_of_values(record)).encode(),
    }


def read_checksums(metadata: Mapping[bytes, bytes] | None) -> Checksums:
    """Return what is there of a record batch's metadata: no checksums in an older dump."""
    found = metadata or {}
    keys = LINES_KEY, VALUES_KEY, DIGESTS_KEY, DIGESTS_CRC_KEY
    return {key: found[key] for key in keys if key in found}


def pack_digests(digests: Sequence[str | None]) -> Checksums:
    """Return the metadata that hold the digests of n matrices, none where none is known."""
    if all(one is None for one in digests):
        return {}
    text = json.dumps(list(digests), separators=(",", ":")).encode()
    return {DIGESTS_KEY: text, DIGESTS_CRC_KEY: str(zlib.crc32(text)).encode()}


def unpack_digests(metadata: Checksums, count: int) -> list[str | None]:
    """Return the digests of `count` matrices, None for each that is not known.

    Raises
    ------
    ValueError : they are not those that were written
    """
    text, known = metadata.get(DIGESTS_KEY), metadata.get(DIGESTS_CRC_KEY)
    if text is None and known is None:
        return [None] * count
    # One without the other: the bytes of a key have changed.
    if text is None or known != str(zlib.crc32(text)).encode():
        raise ValueError("a record batch has digests other than were written")
    found = json.loads(text)
    if not isinstance(found, list) or len(found) != count:
        raise ValueError("a record batch has more or fewer digests than matrices")
    if not all(isinstance(one, str | None) for one in found):
        raise ValueError("a record batch has digests that are no strings")
    return found


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
