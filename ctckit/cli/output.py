"""Where decoded texts go: the screen, or a file whose ending says the format."""

from __future__ import annotations

import abc
import csv
import io
import json
import math
import os
import secrets
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np

from ctckit.cli.errors import Failure
from ctckit.cli.tables import escape
from ctckit.hypotheses import DecodedBatch

ROW_GROUP = 1 << 16
"""Rows in a row group of a parquet file."""


@dataclass(frozen=True)
class Rows:
    """Decoded texts in columns: those of one batch, the hypotheses of a line behind one another.

    Attributes
    ----------
    ids : name of the line
    ranks : 1 for the best text of a line
    texts : what was decoded
    log_probs, scores : natural logarithms; -inf is possible
    parts : what the scores are the sums of, by name
    """

    ids: list[str]
    ranks: list[int]
    texts: list[str]
    log_probs: list[float]
    scores: list[float]
    parts: dict[str, list[float]]

    @classmethod
    def of(cls, decoded: DecodedBatch) -> Rows:
        """Take every hypothesis of a batch."""
        counts = np.diff(decoded.hypothesis_offsets)
        ranks = np.arange(counts.sum()) - np.repeat(decoded.hypothesis_offsets[:-1], counts) + 1
        ids = [name for name, n in zip(decoded.ids, counts.tolist(), strict=True) for _ in range(n)]
        return cls(
            ids,
            ranks.tolist(),
            decoded.all_texts(),
            decoded.log_probs.tolist(),
            decoded.scores.tolist(),
            {name: part.tolist() for name, part in (decoded.parts or {}).items()},
        )

    def columns(self, ranked: bool) -> dict[str, list[Any]]:
        """Return the columns by name, in the order they are written in."""
        columns: dict[str, list[Any]] = {"id": self.ids, "rank": self.ranks, "text": self.texts}
        columns |= {"log_prob": self.log_probs, "score": self.scores}
        if not ranked:
            del columns["rank"]
        return columns

    def columns_with_parts(self, ranked: bool, parts: Sequence[str]) -> dict[str, list[Any]]:
        """Return the columns, and after them those of the scores' parts."""
        return self.columns(ranked) | {name: self.parts[name] for name in parts}


class ByteSink(Protocol):
    """Something that bytes can be written to."""

    def write(self, data: bytes, /) -> int:
        """Write all of `data`."""


class RowWriter(abc.ABC):
    """Writes rows into an open binary file, one format a subclass.

    Parameters
    ----------
    handle : where to write bytes
    ranked : whether there may be several texts a line, so that the rank is written
    parts : names of the scores' parts
    """

    def __init__(self, handle: ByteSink, ranked: bool, parts: Sequence[str] = ()) -> None:
        self.handle = handle
        self.ranked = ranked
        self.parts = parts

    @abc.abstractmethod
    def write(self, rows: Rows) -> None:
        """Write some rows."""

    def finish(self) -> None:  # noqa: B027 - for formats that have an end
        """Write what comes after the last row."""


class TextWriter(RowWriter):
    """The texts, one a line; a line break within a text becomes a space."""

    def write(self, rows: Rows) -> None:
        """Write some rows."""
        texts = [" ".join(_split_lines(text)) for text in rows.texts]
        self.handle.write("".join(f"{text}\n" for text in texts).encode())


def _split_lines(text: str) -> list[str]:
    """Split at what a reader of text files takes for the end of a line."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


class ScreenWriter(RowWriter):
    """Cells separated by tabs, control characters escaped, numbers to six digits."""

    def write(self, rows: Rows) -> None:
        """Write some rows."""
        columns = rows.columns(self.ranked)
        columns["id"] = [escape(name) for name in rows.ids]
        columns["text"] = [escape(text) for text in rows.texts]
        columns["log_prob"] = [f"{value:.6g}" for value in rows.log_probs]
        columns["score"] = [f"{value:.6g}" for value in rows.scores]
        lines = ["\t".join(map(str, row)) + "\n" for row in zip(*columns.values(), strict=True)]
        self.handle.write("".join(lines).encode())


class CsvWriter(RowWriter):
    """CSV of RFC 4180 with a header, in UTF-8."""

    def __init__(self, handle: ByteSink, ranked: bool, parts: Sequence[str] = ()) -> None:
        super().__init__(handle, ranked, parts)
        self._header_due = True

    def write(self, rows: Rows) -> None:
        """Write some rows."""
        columns = rows.columns_with_parts(self.ranked, self.parts)
        out = io.StringIO(newline="")
        writer = csv.writer(out)
        if self._header_due:
            writer.writerow(columns)
            self._header_due = False
        writer.writerows(zip(*columns.values(), strict=True))
        self.handle.write(out.getvalue().encode())

    def finish(self) -> None:
        """Write the header of a file without rows."""
        self.write(Rows([], [], [], [], [], {name: [] for name in self.parts}))


class JsonLinesWriter(RowWriter):
    """One JSON object a line; a log-probability or score that is infinite becomes null."""

    def write(self, rows: Rows) -> None:
        """Write some rows."""
        columns = rows.columns_with_parts(self.ranked, self.parts)
        for name in ("log_prob", "score", *self.parts):
            columns[name] = [value if math.isfinite(value) else None for value in columns[name]]
        records = (
            dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
        )
        text = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        self.handle.write(text.encode())


class ParquetWriter(RowWriter):
    """A parquet file, written a row group at a time."""

    def __init__(self, handle: ByteSink, ranked: bool, parts: Sequence[str] = ()) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        super().__init__(handle, ranked, parts)
        types: dict[str, Any] = {"id": pa.string(), "rank": pa.int32(), "text": pa.string()}
        types |= dict.fromkeys(("log_prob", "score", *parts), pa.float64())
        if not ranked:
            del types["rank"]
        self._schema = pa.schema(list(types.items()))
        file: Any = handle
        self._writer = pq.ParquetWriter(file, self._schema)
        self._waiting: list[Any] = []

    def write(self, rows: Rows) -> None:
        """Write some rows, or keep them until they fill a row group."""
        import pyarrow as pa

        columns = rows.columns_with_parts(self.ranked, self.parts)
        self._waiting.append(pa.table(columns, schema=self._schema))
        if sum(table.num_rows for table in self._waiting) >= ROW_GROUP:
            self._write_group()

    def _write_group(self) -> None:
        import pyarrow as pa

        if self._waiting:
            self._writer.write_table(pa.concat_tables(self._waiting).combine_chunks())
            self._waiting = []

    def finish(self) -> None:
        """Write the last row group and the footer."""
        self._write_group()
        self._writer.close()


FORMATS: dict[str, type[RowWriter]] = {
    ".txt": TextWriter,
    ".csv": CsvWriter,
    ".jsonl": JsonLinesWriter,
    ".parquet": ParquetWriter,
}


def is_device(path: Path) -> bool:
    """Return whether `path` stands for an open stream or is there and no regular file."""
    streams = ("/dev/stdout", "/dev/stderr", "/dev/fd/", "/proc/")
    return str(path).startswith(streams) or (path.exists() and not path.is_file())


def goes_to_terminal(path: Path | None) -> bool:
    """Return whether rows land on a terminal, where a progress bar would be mixed with them."""
    if path is None:
        return sys.stdout.isatty()
    with suppress(OSError):
        if stat.S_ISCHR(path.stat().st_mode):
            handle = os.open(path, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
            try:
                return os.isatty(handle)
            finally:
                os.close(handle)
    return False


@contextmanager
def open_rows(path: Path | None, ranked: bool, parts: Sequence[str] = ()) -> Iterator[RowWriter]:
    """Open what rows are written to: a file, or the standard output for None.

    The ending of the path says the format; a device without one gets what the screen gets. parts :
    names of the scores' parts, which files hold as columns.
    """
    if path is None:
        yield ScreenWriter(_StandardOutput(), ranked)
        return
    with open_output(path) as handle:
        writer = FORMATS.get(path.suffix.lower(), ScreenWriter)(handle, ranked, parts)
        yield writer
        writer.finish()


class _StandardOutput:
    """The standard output, as text: what it cannot encode is escaped."""

    def write(self, data: bytes, /) -> int:
        sys.stdout.write(data.decode())
        return len(data)


_temporary: set[Path] = set()


def discard_temporaries() -> None:
    """Remove the files that are being written, as if writing them had failed."""
    for path in list(_temporary):
        path.unlink(missing_ok=True)


@contextmanager
def open_output(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for writing such that an error or interrupt loses nothing that was there.

    Everything goes to a temporary file beside it, which is given its name at the end. Folders
    that are missing are made. What is no regular file (``/dev/stdout``) is written to directly.

    Raises
    ------
    Failure : it cannot be written; the message names it
    """
    with _failure_names(path):
        if path.is_dir():
            raise Failure(f"output must be a file, got the folder '{path}'; give a file's name")
        direct = is_device(path)
        final = path.resolve()
        if not direct:
            final.parent.mkdir(parents=True, exist_ok=True)
    if direct:
        with _open(path, path, "w") as handle:
            yield handle
        return
    temporary = final.parent / f".ctckit-{secrets.token_hex(8)}.tmp"
    _temporary.add(temporary)
    try:
        with _open(temporary, path, "x") as handle:
            yield handle
        with _failure_names(path):
            if final.exists():
                temporary.chmod(final.stat().st_mode & 0o777)
            temporary.replace(final)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        _temporary.discard(temporary)


class _OutputFile(io.FileIO):
    """A file whose errors name the output that the user asked for."""

    def __init__(self, path: Path, asked_for: Path, mode: str) -> None:
        super().__init__(path, mode)
        self.asked_for = asked_for

    def write(self, data: Any) -> int:
        with _failure_names(self.asked_for):
            return super().write(data)


def _open(path: Path, asked_for: Path, mode: str) -> IO[bytes]:
    with _failure_names(asked_for):
        return io.BufferedWriter(_OutputFile(path, asked_for, mode))


@contextmanager
def _failure_names(path: Path) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise Failure(
            f"output must be writable, got '{path}' ({error.strerror or error}); "
            "free some space or choose another --output"
        ) from error
