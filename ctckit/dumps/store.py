"""Reading dumps: random access and streaming from a memory map; damage costs only itself."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from ctckit.alphabet import Alphabet
from ctckit.dumps.files import names_in
from ctckit.dumps.manifest import Manifest, Store, read_manifest, shard_name, shard_number
from ctckit.dumps.shards import Block, read_shard
from ctckit.errors import DumpError, InvalidValueError, NotFoundError
from ctckit.matrices import MatrixBatch

SHARDS_KEPT_OPEN = 64


@dataclass(frozen=True)
class DumpBatch:
    """Some matrices of a dump, in its order.

    Attributes
    ----------
    batch : the matrices with their ids
    references : the true text of each, None where it is not known
    """

    batch: MatrixBatch
    references: list[str | None]

    def __len__(self) -> int:
        return len(self.batch)


@dataclass(eq=False)
class _Shard:
    """What is known of a shard; `starts` are the first matrices of its blocks in the shard."""

    path: Path
    expected: int | None
    starts: list[int] = field(default_factory=lambda: [0])
    reason: str = ""
    invalid: dict[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return self.starts[-1]

    def message(self) -> str:
        """Say what is damaged, in one line."""
        said: list[str] = []
        if self.reason:
            whole = "" if self.expected is None else f" of {self.expected}"
            said.append(f"{self.reason}, {len(self)}{whole} matrices can be read")
        if self.invalid:
            first = self.invalid[min(self.invalid)]
            said.append(f"invalid matrices, {len(self.invalid)} left out, the first: {first}")
        return f"{self.path.name} is damaged: {'; '.join(said)}"


class Dump:
    """CTC matrices in a folder of Arrow shards; made by `open_dump`.

    ``len(dump)`` matrices can be read; ``dump[i]`` gives one as a MatrixBatch of one, a view of
    the memory map where the dump is float32.

    Attributes
    ----------
    path : the folder
    alphabet : of all matrices
    source : where they come from, as their writer said
    store : ``"float32"`` or ``"float16"``
    ids : one string a matrix, unique
    references : the true text of each, None where it is not known
    digests : of what each was made from, as its writer said, None where it is not known
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._manifest: Manifest = read_manifest(path)
        self.alphabet: Alphabet = self._manifest.alphabet
        self.source: dict[str, Any] = self._manifest.source
        self.store: Store = self._manifest.store
        self.ids: list[str] = []
        self.references: list[str | None] = []
        self.digests: list[str | None] = []
        self._index: dict[str, int] = {}
        self._damaged: list[_Shard] = []
        self._open: dict[Path, list[Block]] = {}
        self._lock = Lock()
        self._intact: dict[tuple[Path, int], bool] = {}
        self._shards = [self._scan(name, count) for name, count in self._shard_names()]
        self._damaged = [shard for shard in self._shards if shard.reason]
        self._starts = np.cumsum([0] + [len(shard) for shard in self._shards])

    def _shard_names(self) -> list[tuple[str, int | None]]:
        """Return the shards on disk and in the manifest, unfinished ones included."""
        listed = self._manifest.shards
        names = set(listed)
        for name in names_in(self.path):
            # An unfinished shard beside a finished one was left while it took that one's name.
            if shard_number(name) >= 0 and (
                name.endswith(".arrow") or shard_name(shard_number(name)) not in names
            ):
                names.add(name)
        return [(name, listed.get(name)) for name in sorted(names, key=shard_number)]

    def _scan(self, name: str, expected: int | None) -> _Shard:
        """Take up the ids and references of a shard, and see whether it is whole."""
        shard = _Shard(self.path / name, expected)
        blocks, shard.reason = read_shard(shard.path, self._manifest)
        ids = [one for block in blocks for one in block.ids()]
        if not name.endswith(".arrow"):
            shard.reason = "unfinished, its writer was killed or still runs"
        elif not shard.reason and expected not in (None, len(ids)):
            shard.reason = "its length is not the manifest's"
        twice = self._first_repeated(ids)
        if twice is not None:
            shard.reason = f"it repeats the id {twice!r}"
            return shard
        self._index |= zip(ids, range(len(self.ids), len(self.ids) + len(ids)), strict=True)
        self.ids += ids
        for block in blocks:
            shard.starts.append(len(shard) + len(block))
            self.references += block.references()
            self.digests += block.digests
        return shard

    def _first_repeated(self, ids: list[str]) -> str | None:
        seen: set[str] = set()
        for one in ids:
            if one in self._index or one in seen:
                return one
            seen.add(one)
        return None

    @property
    def damaged(self) -> list[str]:
        """One line a damaged shard, in the order in which they were found.

        Opening finds shards that are cut off, overwritten or missing; invalid values are found
        when their matrix is read.
        """
        return [shard.message() for shard in self._damaged]

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"Dump('{self.path}', {len(self)} matrices, {self.store}, {self.alphabet!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return open_dump, (self.path,)

    def index(self, id: str) -> int:
        """Return the position of the matrix that is called `id`.

        Raises
        ------
        NotFoundError : no matrix has that id
        """
        try:
            return self._index[id]
        except KeyError:
            raise NotFoundError(
                f"id must be in the dump, got {id!r}; '{self.path}' holds {len(self)} others"
            ) from None

    def __getitem__(self, index: int) -> MatrixBatch:
        """Return one matrix, as a batch of one.

        Raises
        ------
        IndexError : `index` is not a position in the dump
        DumpError : its values are damaged, or its shard is gone
        """
        position = operator.index(index)
        if position < 0:
            position += len(self)
        if not 0 <= position < len(self):
            raise IndexError(f"matrix must be 0 to {len(self) - 1}, got {index}")
        number = int(np.searchsorted(self._starts, position, side="right")) - 1
        shard, inside = self._shards[number], position - int(self._starts[number])
        at = int(np.searchsorted(shard.starts, inside, side="right")) - 1
        row = inside - shard.starts[at]
        for piece in self._pieces(shard, self._kept_open(shard)[at], at, row, row + 1):
            return piece.batch
        raise DumpError(
            f"matrix must hold log-probabilities, got damaged ones for {self.ids[position]!r} in "
            f"{shard.path.name} ({shard.invalid[inside]}); make it again"
        )

    def batches(self, max_frames: int | None = None) -> Iterator[DumpBatch]:
        """Yield all matrices in the order of the dump; invalid ones are left out.

        No more than one shard is mapped at a time, so memory stays constant as long as the
        batches are let go.

        Parameters
        ----------
        max_frames : frames in a batch at most, but for a single longer matrix; None: as they
            were written, about 8 MiB

        Raises
        ------
        InvalidValueError : `max_frames` below 1
        DumpError : a shard has changed since the dump was opened
        """
        if max_frames is not None and max_frames < 1:
            raise InvalidValueError(
                f"max_frames must be at least 1, got {max_frames!r}; None keeps the batches "
                "as they were written"
            )
        return self._stream(max_frames)

    def _stream(self, max_frames: int | None) -> Iterator[DumpBatch]:
        for shard in self._shards:
            for at, block in enumerate(self._blocks(shard)):
                start = 0
                while start < len(block):
                    stop = len(block)
                    if max_frames is not None:
                        end = block.offsets[start] + max_frames
                        fits = int(np.searchsorted(block.offsets, end, side="right")) - 1
                        stop = max(fits, start + 1)
                    yield from self._pieces(shard, block, at, start, stop)
                    start = stop

    def _kept_open(self, shard: _Shard) -> list[Block]:
        with self._lock:
            if shard.path not in self._open:
                if len(self._open) >= SHARDS_KEPT_OPEN:
                    del self._open[next(iter(self._open))]
                self._open[shard.path] = self._blocks(shard)
            return self._open[shard.path]

    def _blocks(self, shard: _Shard) -> list[Block]:
        """Map a shard, which must be as it was when the dump was opened."""
        if len(shard) == 0:
            return []
        blocks, _ = read_shard(shard.path, self._manifest)
        # An unfinished shard may have grown.
        blocks = blocks[: len(shard.starts) - 1]
        if [len(block) for block in blocks] != np.diff(shard.starts).tolist():
            raise DumpError(
                f"shard must stay as it was when the dump was opened, got another "
                f"'{shard.path}'; open the dump again"
            )
        return blocks

    def _pieces(
        self, shard: _Shard, block: Block, at: int, start: int, stop: int
    ) -> Iterator[DumpBatch]:
        """Yield matrices `start` to `stop` of a block as one batch, without the invalid ones."""
        if not self._is_intact(shard, block, at):
            return
        first, last = block.offsets[start], block.offsets[stop]
        ids, references = block.ids(start, stop), block.references(start, stop)
        try:
            # As one matrix, which costs no copy; the lengths are known to fit.
            rows = MatrixBatch.from_log_probs(block.rows[None, first:last], self.alphabet).log_probs
        except InvalidValueError:
            kept = self._sound(shard, block, at, range(start, stop))
            if kept:
                matrices = [block.rows[block.offsets[i] : block.offsets[i + 1]] for i in kept]
                batch = MatrixBatch.from_log_probs(
                    matrices, self.alphabet, ids=[ids[i - start] for i in kept]
                )
                yield DumpBatch(batch, [references[i - start] for i in kept])
        else:
            offsets = block.offsets[start : stop + 1] - first
            yield DumpBatch(MatrixBatch(rows, offsets, self.alphabet, ids), references)

    def _is_intact(self, shard: _Shard, block: Block, at: int) -> bool:
        """Whether the checksum of a block's values fits, computed once; note it if not."""
        key = (shard.path, at)
        if key not in self._intact:
            intact = block.is_intact()
            if not intact:
                reason = f"the checksum of record batch {at} does not fit, its values have changed"
                self._note(shard, dict.fromkeys(range(*shard.starts[at : at + 2]), reason))
            self._intact[key] = intact
        return self._intact[key]

    def _note(self, shard: _Shard, invalid: dict[int, str]) -> None:
        """Take down matrices that are left out, by their position in the shard, and why."""
        shard.invalid |= invalid
        if shard not in self._damaged:
            self._damaged.append(shard)

    def _sound(self, shard: _Shard, block: Block, at: int, positions: range) -> list[int]:
        """Return which matrices of a block are valid, and note the others."""
        kept = []
        for i in positions:
            matrix = block.rows[None, block.offsets[i] : block.offsets[i + 1]]
            try:
                MatrixBatch.from_log_probs(matrix, self.alphabet, ids=block.ids(i, i + 1))
            except InvalidValueError as error:
                self._note(shard, {shard.starts[at] + i: str(error)})
            else:
                kept.append(i)
        return kept


def open_dump(path: str | os.PathLike[str]) -> Dump:
    """Open a dump for reading; ids and references are read, matrices only when asked for.

    Parameters
    ----------
    path : the folder that `write_dump`, a recognizer or ``ctckit convert`` made

    Raises
    ------
    DumpError : no such folder; it holds no dump; the manifest is damaged or of a newer ctckit.
        A damaged shard is no error: see `Dump.damaged`

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> from ctckit import Alphabet, MatrixBatch, write_dump
    >>> batch = MatrixBatch.from_probs(np.full((2, 3, 2), 0.5), Alphabet("a-", blank=1))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_dump(f"{folder}/dump", batch, references=["a", None])
    ...     dump = open_dump(f"{folder}/dump")
    ...     dump.ids, dump.references, dump[1][0].shape
    (['0', '1'], ['a', None], (3, 2))
    """
    return Dump(Path(path))
