"""What a search found, in columns, and the records made from it when somebody looks."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from ctckit.alphabet import Alphabet, Int32Array, Int64Array
from ctckit.errors import CtckitError
from ctckit.intake import offsets_of
from ctckit.matrices import MatrixBatch
from ctckit.nested import flat_scores, flat_token_ids, iterated
from ctckit.parallel import map_in_threads, split

Float64Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SearchResult:
    """What `Decoder.search` returns: H hypotheses for N matrices, all in flat arrays.

    Attributes
    ----------
    token_ids : int32, the tokens of all hypotheses behind one another, no blanks
    token_offsets : int64 (H + 1,); hypothesis h is ``token_ids[token_offsets[h]:...[h + 1]]``
    hypothesis_offsets : int64 (N + 1,); the hypotheses of matrix i are
        ``hypothesis_offsets[i]`` to ``hypothesis_offsets[i + 1]``, best first, at least one
    scores : float64 (H,), what the search ranked by, larger is better, falling within each
        matrix; None: the exact log-probability stands in
    parts : float64 (H,) by name, what each score is the sum of; None: nothing is said of that
    """

    token_ids: Int32Array
    token_offsets: Int64Array
    hypothesis_offsets: Int64Array
    scores: Float64Array | None = None
    parts: Mapping[str, Float64Array] | None = None

    @classmethod
    def from_best(
        cls, token_ids: Iterable[npt.ArrayLike], scores: Sequence[float] | None = None
    ) -> SearchResult:
        """Make a result of one hypothesis a matrix: N sequences of token ids, N scores or None.

        Raises
        ------
        InvalidValueError : something else than integers, or another number of scores

        Examples
        --------
        >>> SearchResult.from_best([[1, 2], []]).token_offsets.tolist()
        [0, 2, 2]
        """
        lines = [[ids] for ids in iterated("token_ids", token_ids)]
        if scores is None:
            return cls.from_lists(lines)
        return cls.from_lists(lines, [[one] for one in iterated("scores", scores)])

    @classmethod
    def from_lists(
        cls,
        token_ids: Sequence[Sequence[npt.ArrayLike]],
        scores: Sequence[Sequence[float]] | None = None,
    ) -> SearchResult:
        """Make a result of nested lists: for each matrix its hypotheses, best first.

        Raises
        ------
        InvalidValueError : something else than integers, or another number of scores
        """
        flat, token_offsets, counts = flat_token_ids(token_ids)
        return cls(
            flat,
            token_offsets,
            offsets_of(counts),
            None if scores is None else flat_scores(scores, counts),
        )

    @classmethod
    def concatenate(cls, results: Sequence[SearchResult]) -> SearchResult:
        """Join the results of consecutive chunks of a batch."""
        if len(results) == 1:
            return results[0]
        scores = None
        if all(result.scores is not None for result in results):
            scores = np.concatenate([r.scores for r in results if r.scores is not None])
        parts = None
        columns = [result.parts for result in results if result.parts is not None]
        if len(columns) == len(results) and len({frozenset(one) for one in columns}) == 1:
            parts = {name: np.concatenate([one[name] for one in columns]) for name in columns[0]}
        return cls(
            np.concatenate([result.token_ids for result in results]),
            _joined([result.token_offsets for result in results]),
            _joined([result.hypothesis_offsets for result in results]),
            scores,
            parts,
        )


class Hypothesis:
    """One text that a decoder proposes for one matrix; it does not change.

    Attributes
    ----------
    text : the tokens joined
    token_ids : the classes, no blanks
    score : what the search ranked by (natural log; may hold a language model)
    parts : what the score is the sum of, by name (``matrix``, ``lm``, ``words``, ``boost``); empty
        where the decoder does not say
    log_prob : exact CTC log-probability of the text over all alignments, natural log; -inf where
        none spells it. Computed for the whole batch when first asked for
    timesteps : first frame of each token on the likeliest alignment, strictly rising; None where
        no alignment spells the text. Computed as log_prob is
    """

    __slots__ = ("_row", "_source", "score", "text", "token_ids")

    text: str
    token_ids: tuple[int, ...]
    score: float
    _source: DecodedBatch
    _row: int

    def __init__(
        self, text: str, token_ids: tuple[int, ...], score: float, source: DecodedBatch, row: int
    ) -> None:
        for name, value in (
            ("text", text),
            ("token_ids", token_ids),
            ("score", score),
            ("_source", source),
            ("_row", row),
        ):
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"a Hypothesis does not change, got a new {name}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a Hypothesis does not change, {name} stays")

    @property
    def log_prob(self) -> float:
        """Exact CTC log-probability of the text."""
        return float(self._source.log_probs[self._row])

    @property
    def parts(self) -> dict[str, float]:
        """What the score is the sum of, by name."""
        columns = self._source.parts or {}
        return {name: float(column[self._row]) for name, column in columns.items()}

    @property
    def timesteps(self) -> tuple[int, ...] | None:
        """First frame of each token on the likeliest alignment."""
        start, stop = self._source.token_offsets[self._row : self._row + 2]
        frames = self._source.timesteps[start:stop].tolist()
        impossible = frames[0] < 0 if frames else self.log_prob == -math.inf
        return None if impossible else tuple(frames)

    def _values(self) -> tuple[Any, ...]:
        return self.text, self.token_ids, self.timesteps, self.log_prob, self.score

    def __eq__(self, other: object) -> bool:
        return self._values() == other._values() if isinstance(other, Hypothesis) else False

    def __hash__(self) -> int:
        return hash(self._values())

    def __repr__(self) -> str:
        return (
            f"Hypothesis(text={self.text!r}, log_prob={self.log_prob:.6g}, score={self.score:.6g})"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore_hypothesis, (self._source._only(self._row),)


def _restore_hypothesis(source: DecodedBatch) -> Hypothesis:
    return source[0][0]


class DecodedBatch(Sequence[list[Hypothesis]]):
    """The hypotheses of N matrices, in columns.

    ``decoded[i]`` is a list of `Hypothesis`, best first, built when asked for; `texts` gives the
    best text of every matrix without building any. It keeps the matrices until log-probabilities
    and timesteps have been computed by `materialize` (pickling does so too).

    Attributes
    ----------
    token_ids : int32, the tokens of all H hypotheses
    token_offsets : int64 (H + 1,)
    hypothesis_offsets : int64 (N + 1,)
    parts : float64 (H,) by name, what the scores are the sums of; None where that is not known
    alphabet : of the token ids
    ids : N strings, the matrices' names
    """

    def __init__(self, batch: MatrixBatch, result: SearchResult, threads: int = 1) -> None:
        self.alphabet: Alphabet = batch.alphabet
        self.token_ids = result.token_ids
        self.token_offsets = result.token_offsets
        self.hypothesis_offsets = result.hypothesis_offsets
        self.parts = result.parts
        self._scores = result.scores
        self._log_probs: Float64Array | None = None
        self._timesteps: Int32Array | None = None
        self._batch: MatrixBatch | None = batch
        self._ids: Sequence[str] | None = None
        self._threads = threads
        self._lock = threading.RLock()

    def __len__(self) -> int:
        return len(self.hypothesis_offsets) - 1

    @property
    def ids(self) -> Sequence[str]:
        """The matrices' names, N strings."""
        if self._ids is None:
            self._ids = self._matrices().ids
        return self._ids

    @property
    def scores(self) -> Float64Array:
        """What the search ranked each hypothesis by, float64 (H,)."""
        return self.log_probs if self._scores is None else self._scores

    @property
    def log_probs(self) -> Float64Array:
        """Exact CTC log-probability of each hypothesis, natural log, float64 (H,)."""
        with self._lock:
            if self._log_probs is None:
                from ctckit.kernels.likelihood import text_log_probs

                column = np.zeros(len(self.token_offsets) - 1, dtype=np.float64)
                self._over_hypotheses(text_log_probs, column, by_token=False)
                self._log_probs = column  # not before it is complete: an interrupt may come
            return self._log_probs

    @property
    def timesteps(self) -> Int32Array:
        """First frame of each token, int32, in the shape of `token_ids`; -1 where impossible."""
        with self._lock:
            if self._timesteps is None:
                from ctckit.kernels.timesteps import text_timesteps

                column = np.zeros(len(self.token_ids), dtype=np.int32)
                self._over_hypotheses(text_timesteps, column, by_token=True)
                self._timesteps = column
            return self._timesteps

    def _over_hypotheses(self, kernel: Any, out: npt.NDArray[Any], *, by_token: bool) -> None:
        batch = self._matrices()
        lines = np.repeat(np.arange(len(self)), np.diff(self.hypothesis_offsets))
        weights = offsets_of(batch.lengths[lines])

        def run(bounds: tuple[int, int]) -> None:
            start, stop = bounds
            first, last = (
                (self.token_offsets[start], self.token_offsets[stop]) if by_token else bounds
            )
            tokens = self.token_ids[self.token_offsets[start] : self.token_offsets[stop]]
            offsets = self.token_offsets[start : stop + 1] - self.token_offsets[start]
            kernel(
                batch.log_probs,
                batch.offsets,
                lines[start:stop],
                tokens,
                offsets,
                self.alphabet.blank,
                out[first:last],
            )

        map_in_threads(run, split(weights, self._threads), self._threads)

    def _matrices(self) -> MatrixBatch:
        if self._batch is None:
            raise CtckitError("the matrices must be kept, got none; this is a fault in ctckit")
        return self._batch

    def texts(self) -> list[str]:
        """Return the best text of each matrix, N strings."""
        texts = self.alphabet.decode_many(*self._columns_of_best())
        return texts

    def _columns_of_best(self) -> tuple[Int32Array, Int64Array]:
        if len(self.token_offsets) == len(self.hypothesis_offsets):
            return self.token_ids, self.token_offsets
        positions, offsets = self._positions(self.hypothesis_offsets[:-1])
        return self.token_ids[positions], offsets

    def _positions(self, rows: Int64Array) -> tuple[Int64Array, Int64Array]:
        """Return where the tokens of some hypotheses are, and the offsets that they then have."""
        lengths = self.token_offsets[rows + 1] - self.token_offsets[rows]
        offsets = offsets_of(lengths)
        starts = np.repeat(self.token_offsets[rows] - offsets[:-1], lengths)
        return np.arange(offsets[-1]) + starts, offsets

    def all_texts(self) -> list[str]:
        """Return the texts of all H hypotheses, in the order of the columns."""
        return self.alphabet.decode_many(self.token_ids, self.token_offsets)

    @overload
    def __getitem__(self, index: int) -> list[Hypothesis]: ...
    @overload
    def __getitem__(self, index: slice) -> list[list[Hypothesis]]: ...
    def __getitem__(self, index: int | slice) -> list[Hypothesis] | list[list[Hypothesis]]:
        """Return the hypotheses of matrix `index`, best first; of a slice, a list of such."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        position = index + len(self) if index < 0 else index
        if not 0 <= position < len(self):
            raise IndexError(f"line must be 0 to {len(self) - 1}, got {index}")
        start, stop = self.hypothesis_offsets[position : position + 2].tolist()
        return [self._hypothesis(row) for row in range(start, stop)]

    def _hypothesis(self, row: int) -> Hypothesis:
        start, stop = self.token_offsets[row : row + 2]
        token_ids = tuple(self.token_ids[start:stop].tolist())
        text = self.alphabet.decode(token_ids)
        return Hypothesis(text, token_ids, float(self.scores[row]), self, row)

    def __iter__(self) -> Iterator[list[Hypothesis]]:
        for i in range(len(self)):
            yield self[i]

    def __repr__(self) -> str:
        return f"DecodedBatch({len(self)} lines, {len(self.token_offsets) - 1} hypotheses)"

    def materialize(self) -> DecodedBatch:
        """Compute log-probabilities and timesteps, let the matrices go, and return self."""
        with self._lock:
            if self._batch is not None:
                self._ids = list(self.ids)
                self._scores, self._timesteps = self.scores, self.timesteps
                self._log_probs = self.log_probs
                self._batch = None
        return self

    def _only(self, row: int) -> DecodedBatch:
        """Return a materialised batch of that one hypothesis."""
        one = self.materialize()._chosen(np.array([row]))
        one.hypothesis_offsets = np.array([0, 1], dtype=np.int64)
        line = int(np.searchsorted(self.hypothesis_offsets, row, side="right")) - 1
        one._ids = [self.ids[line]]
        one._threads = 1
        return one

    def _ranked_by(self, scores: Float64Array, parts: Mapping[str, Float64Array]) -> DecodedBatch:
        """Return the hypotheses with other scores, best first; ties keep their order."""
        lines = np.repeat(np.arange(len(self)), np.diff(self.hypothesis_offsets))
        order = np.lexsort((-scores, lines))
        ranked = self._chosen(order)
        ranked._scores = scores[order]
        ranked.parts = {name: part[order] for name, part in parts.items()}
        return ranked

    def _chosen(self, rows: Int64Array) -> DecodedBatch:
        """Return some hypotheses and what is known of them, not yet divided into lines."""
        positions, offsets = self._positions(rows)
        made = object.__new__(DecodedBatch)
        with self._lock:
            made.__dict__.update(self.__dict__)
        made._lock = threading.RLock()
        made.token_ids, made.token_offsets = made.token_ids[positions], offsets
        if made._scores is not None:
            made._scores = made._scores[rows]
        if made._log_probs is not None:
            made._log_probs = made._log_probs[rows]
        if made._timesteps is not None:
            made._timesteps = made._timesteps[positions]
        if made.parts is not None:
            made.parts = {name: part[rows] for name, part in made.parts.items()}
        return made

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.materialize().__dict__)
        del state["_lock"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = threading.RLock()


def _joined(parts: Sequence[Int64Array]) -> Int64Array:
    """Join offset arrays that each start at 0."""
    return offsets_of(np.concatenate([np.diff(part) for part in parts]))
