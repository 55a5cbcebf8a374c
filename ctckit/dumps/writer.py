"""Writing dumps, at once or bit by bit, so that a killed writer loses next to nothing."""

from __future__ import annotations

import os
from collections.abc import KeysView, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any

import numpy as np

from ctckit.alphabet import Alphabet
from ctckit.dumps.files import StagedFolder, check_destination, disk_errors, names_in
from ctckit.dumps.manifest import (
    difference,
    is_dump_file,
    is_temporary,
    new_manifest,
    read_manifest,
    shard_name,
    shard_number,
)
from ctckit.dumps.pending import (
    Pending,
    References,
    checked_optional,
    checked_references,
    checked_strings,
)
from ctckit.dumps.shards import ShardWriter, read_shard, stored
from ctckit.dumps.store import open_dump
from ctckit.errors import AlphabetMismatchError, DumpError, InvalidValueError
from ctckit.matrices import MatrixBatch

BATCH_BYTES = 8 << 20
"""Values in a record batch, about; what a killed writer may lose."""
SHARD_BYTES = 128 << 20
"""Size at which a shard is closed and the next one begun, about."""


class DumpWriter:
    """Writes a dump bit by bit; a context manager.

    Matrices are collected and written a record batch (about 8 MiB) at a time; `written` counts
    those that are on the disk for good, which neither a killed process nor a power cut undoes.

    Parameters
    ----------
    path : the folder, new or empty
    alphabet : of all matrices
    store : ``"float32"``, or ``"float16"`` for half the size (log-probabilities within 0.02)
    source : where the matrices come from, a dict of JSON values
    overwrite : replace the dump that `path` holds, when this one is complete
    resume : go on with the dump that `path` holds, if there is one; `known_ids` says what to skip
    atomic : let `path` appear only when the dump is complete
    shard_bytes : size at which a new shard is begun, about

    Raises
    ------
    InvalidValueError : an unknown `store`, a `source` that is not JSON, or `overwrite` and
        `resume` together
    DumpError : `path` cannot be written, or holds something else; the dump to resume has another
        alphabet, store or source

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> from ctckit import Alphabet, MatrixBatch
    >>> alphabet = Alphabet("a-", blank=1)
    >>> batch = MatrixBatch.from_probs(np.full((2, 3, 2), 0.5), alphabet, ids=["x", "y"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with DumpWriter(f"{folder}/dump", alphabet) as writer:
    ...         writer.append(batch, references={"x": "a"})
    ...     writer.written
    2
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        alphabet: Alphabet,
        *,
        store: str = "float32",
        source: Mapping[str, Any] | None = None,
        overwrite: bool = False,
        resume: bool = False,
        atomic: bool = False,
        shard_bytes: int = SHARD_BYTES,
    ) -> None:
        self.path = Path(path)
        self.written = 0
        self._manifest = new_manifest(alphabet, store, source)
        self._shard_bytes = shard_bytes
        self._shard: ShardWriter | None = None
        self._next = 0
        self._ids: dict[str, str | None] = {}
        self._pending = Pending()
        self._staged: StagedFolder | None = None
        self._closed = False
        if resume and (overwrite or atomic):
            raise InvalidValueError(
                "resume must be the only mode, got overwrite or atomic too; choose one"
            )
        names = names_in(self.path, "destination")
        if resume and names and not all(is_temporary(name) for name in names):
            self._folder = self.path
            self._resume()
            return
        check_destination(self.path, overwrite or resume, is_dump_file)
        if overwrite or atomic:
            self._staged = StagedFolder(self.path, is_dump_file)
            self._folder = self._staged.path
        else:
            self._folder = self.path
            with disk_errors(self.path):
                self._folder.mkdir(parents=True, exist_ok=True)
        try:
            with disk_errors(self.path):
                self._manifest.write(self._folder)
        except BaseException:
            self._discard()
            raise

    @property
    def known_ids(self) -> KeysView[str]:
        """The ids of all matrices appended so far, here and before a resume; a live set."""
        return self._ids.keys()

    @property
    def known_digests(self) -> Mapping[str, str | None]:
        """The digest of each of `known_ids`, None where it is not known; a live mapping."""
        return MappingProxyType(self._ids)

    def _resume(self) -> None:
        """Take over the dump on disk, and bring what a killed writer left into order."""
        found = read_manifest(self.path)
        differs = difference(found, self._manifest)
        if differs:
            raise DumpError(
                f"dump to resume must have the same alphabet, store and source, got {differs} "
                f"in '{self.path}'; choose a new folder, or overwrite it (--overwrite)"
            )
        self._manifest = found
        with disk_errors(self.path):
            # First what a killed salvage left, whose name the next salvage uses again.
            for name in filter(is_temporary, names_in(self.path)):
                (self.path / name).unlink()
            for name in names_in(self.path):
                if shard_number(name) >= 0 and name.endswith(".partial"):
                    self._salvage(self.path / name)
        dump = open_dump(self.path)
        self._ids = dict(zip(dump.ids, dump.digests, strict=True))
        numbers = [shard_number(name) for name in names_in(self.path)]
        numbers += [shard_number(name) for name in found.shards]
        self._next = max(numbers, default=-1) + 1

    def _salvage(self, leftover: Path) -> None:
        """Make a shard of the complete record batches of an unfinished one."""
        number = shard_number(leftover.name)
        blocks, _ = read_shard(leftover, self._manifest)
        if blocks and not (self.path / shard_name(number)).exists():
            shard = ShardWriter(self.path, number, self._manifest, ".tmp")
            for block in blocks:
                shard.write_record(block.record, block.checksums)
            self._finish(shard)
        del blocks
        leftover.unlink()

    def append(
        self,
        batch: MatrixBatch,
        ids: Sequence[str] | None = None,
        references: References | None = None,
        digests: Sequence[str | None] | None = None,
    ) -> None:
        """Add matrices: all of the batch, or none where an argument is wrong.

        Parameters
        ----------
        batch : N matrices
        ids : N strings; None: those of the batch
        references : N texts or Nones, or a mapping of id to text; None: not known
        digests : N strings or Nones that tell whether what a matrix was made from has changed,
            such as the hash of an image file; None: not known

        Raises
        ------
        AlphabetMismatchError : `batch` has another alphabet than the dump
        InvalidValueError : `batch` is no MatrixBatch; an id is in the dump already or comes twice;
            ids, references or digests are not N, or no valid Unicode; a reference is for no id of
            the batch
        DumpError : the disk is full or fails; the matrices counted by `written` are kept
        """
        if self._closed:
            raise DumpError(f"dump must be open, got '{self.path}' closed; make a new DumpWriter")
        _check_batch(batch)
        if batch.alphabet != self._manifest.alphabet:
            raise AlphabetMismatchError(
                f"batch must have the alphabet of the dump, {self._manifest.alphabet!r}, "
                f"got {batch.alphabet!r}; write it to a dump of its own"
            )
        names = checked_strings("ids", batch.ids if ids is None else ids, len(batch))
        texts = checked_references(references, names)
        marks = checked_optional("digests", digests, len(names))
        self._take_ids(names, marks)
        width = max(1, len(batch.alphabet) * np.dtype(self._manifest.store).itemsize)
        target = max(1, BATCH_BYTES // width)
        start = 0
        while start < len(batch):
            room = batch.offsets[start] + target - self._pending.frames
            stop = int(np.searchsorted(batch.offsets, room, side="right")) - 1
            stop = max(stop, start + 1)
            part = batch[start:stop]
            rows = stored(part.log_probs, self._manifest.store)
            told = names[start:stop], texts[start:stop], marks[start:stop]
            self._pending.add(rows, part.lengths.tolist(), *told)
            if self._pending.frames >= target or stop < len(batch):
                self.flush()
            start = stop

    def _take_ids(self, names: Sequence[str], digests: Sequence[str | None]) -> None:
        """Note the ids of a batch with their digests, unless one of them is known."""
        before = len(self._ids)
        for name, digest in zip(names, digests, strict=True):
            if name in self._ids:
                while len(self._ids) > before:
                    self._ids.popitem()
                raise InvalidValueError(
                    f"ids must be unique in a dump, got {name!r} twice; rename or skip one"
                )
            self._ids[name] = digest

    def flush(self) -> None:
        """Put everything appended so far on the disk.

        Raises
        ------
        DumpError : the disk is full or fails
        """
        pending, self._pending = self._pending, Pending()
        if not pending.ids:
            return
        rows = pending.rows[0] if len(pending.rows) == 1 else np.concatenate(pending.rows)
        lengths = np.array(pending.lengths)
        try:
            with disk_errors(self.path):
                if self._shard is None:
                    self._shard = ShardWriter(self._folder, self._next, self._manifest, ".partial")
                    self._next += 1
                told = pending.ids, pending.references, pending.digests
                self._shard.write(rows, lengths, *told)
        except BaseException:
            self._closed = True
            raise
        self.written += len(pending.ids)
        if self._shard.size >= self._shard_bytes:
            shard, self._shard = self._shard, None
            self._finish(shard)

    def _finish(self, shard: ShardWriter) -> None:
        with disk_errors(self.path):
            shard.finish()
            self._manifest.shards[shard.final.name] = shard.count
            self._manifest.write(self._folder)

    def close(self) -> None:
        """Finish the dump; after that nothing can be appended.

        Raises
        ------
        DumpError : the disk is full or fails
        """
        if self._closed:
            return
        self.flush()
        self._closed = True
        if self._shard is not None:
            self._finish(self._shard)
        if self._staged is not None:
            self._staged.publish()

    def __enter__(self) -> DumpWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is not None and self._staged is not None:
            self._closed = True
            if self._shard is not None:
                self._shard.abandon()
        try:
            self.close()
        finally:
            self._discard()

    def _discard(self) -> None:
        """Delete what was written beside the destination, if anything is still there."""
        if self._staged is not None:
            self._staged.discard()


def _check_batch(batch: object) -> None:
    if not isinstance(batch, MatrixBatch):
        raise InvalidValueError(
            f"batch must be a ctckit.MatrixBatch, got {type(batch).__name__}; make one with "
            "MatrixBatch.from_log_probs, from_probs or from_logits"
        )


def write_dump(
    path: str | os.PathLike[str],
    batch: MatrixBatch,
    *,
    ids: Sequence[str] | None = None,
    references: References | None = None,
    store: str = "float32",
    source: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> None:
    """Write matrices to a new dump, which appears under its name only when complete.

    Parameters
    ----------
    path : the folder, new or empty; its parents are made
    batch : N matrices
    ids : N unique strings; None: those of the batch
    references : N texts or Nones, or a mapping of id to text; None: not known
    store : ``"float32"``, or ``"float16"`` for half the size (log-probabilities within 0.02)
    source : where the matrices come from, a dict of JSON values
    overwrite : replace the dump that `path` holds; never anything else

    Raises
    ------
    InvalidValueError : `batch` is no MatrixBatch; duplicate ids; ids or references that are not
        N; a reference for an id that no matrix has
    DumpError : `path` holds something, cannot be made, or the disk is full
    """
    _check_batch(batch)
    options: dict[str, Any] = {"store": store, "source": source, "overwrite": overwrite}
    with DumpWriter(path, batch.alphabet, atomic=True, **options) as writer:
        writer.append(batch, ids, references)
