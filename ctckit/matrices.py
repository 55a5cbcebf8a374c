"""A ragged batch of CTC matrices."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from ctckit.alphabet import Alphabet, Int64Array
from ctckit.errors import AlphabetMismatchError, InvalidValueError
from ctckit.intake import (
    ARGUMENTS,
    Float32Array,
    Kind,
    Layout,
    offsets_of,
    to_log_probs,
    to_rows,
)


class MatrixBatch:
    """N matrices of natural-log probabilities, frames behind one another in one array.

    Made by `from_log_probs`, `from_probs` or `from_logits`: the kind of the input is declared,
    never guessed. The arrays are read-only; float32 input that needs no change is not copied, so
    leave it alone while the batch is in use.

    Attributes
    ----------
    log_probs : float32 (sum of T_i, C), natural log; -inf is allowed
    offsets : int64 (N + 1,); matrix i is ``log_probs[offsets[i]:offsets[i + 1]]``
    alphabet : what the C columns stand for
    ids : one string a matrix, by default its number

    Examples
    --------
    >>> import numpy as np
    >>> batch = MatrixBatch.from_probs(np.full((1, 3, 2), 0.5), Alphabet("a-", blank=1))
    >>> len(batch), batch[0].shape
    (1, (3, 2))
    """

    __slots__ = ("_first_id", "_ids", "alphabet", "log_probs", "offsets")

    def __init__(
        self,
        log_probs: Float32Array,
        offsets: Int64Array,
        alphabet: Alphabet,
        ids: Sequence[str] | None = None,
        _first_id: int = 0,
    ) -> None:
        """Wrap arrays that are known to be valid; everyone else calls a ``from_`` constructor."""
        self.log_probs: Float32Array = _read_only(log_probs)
        self.offsets: Int64Array = _read_only(offsets)
        self.alphabet = alphabet
        self._ids = ids
        self._first_id = _first_id

    @classmethod
    def from_log_probs(
        cls,
        log_probs: Any,
        alphabet: Alphabet,
        lengths: Any = None,
        layout: Layout = "NTC",
        ids: Sequence[str] | None = None,
    ) -> MatrixBatch:
        """Take natural-log probabilities.

        Parameters
        ----------
        log_probs : float16, float32 or float64 array of shape (N, T, C) or (T, N, C) as `layout`
            says, or a list of N arrays (T_i, C); anything that ``np.asarray`` takes. float16 is
            renormalised, since its rounding adds up over many classes
        alphabet : the C tokens and the blank
        lengths : valid frames of each matrix, N integers 0 to T; None: all
        layout : ``"NTC"`` or ``"TNC"``; a list needs none
        ids : N strings that name the matrices; None: their numbers

        Raises
        ------
        InvalidValueError : wrong shape, dtype or lengths; NaN or +inf; a frame whose
            probabilities do not sum to 1 within 0.005 (float16: 0.02)
        AlphabetMismatchError : C is not the size of `alphabet`
        """
        return cls._make("log-probs", log_probs, alphabet, lengths, layout, ids)

    @classmethod
    def from_probs(
        cls,
        probs: Any,
        alphabet: Alphabet,
        lengths: Any = None,
        layout: Layout = "NTC",
        ids: Sequence[str] | None = None,
    ) -> MatrixBatch:
        """Take probabilities (0 to 1, each frame sums to 1); else as `from_log_probs`.

        float16 probabilities are taken, but have lost what was below 6e-8: prefer logarithms.
        """
        return cls._make("probs", probs, alphabet, lengths, layout, ids)

    @classmethod
    def from_logits(
        cls,
        logits: Any,
        alphabet: Alphabet,
        lengths: Any = None,
        layout: Layout = "NTC",
        ids: Sequence[str] | None = None,
    ) -> MatrixBatch:
        """Take unnormalised scores, to which a log-softmax is applied; else as `from_log_probs`.

        -inf forbids a class; a frame where all are -inf is refused.
        """
        return cls._make("logits", logits, alphabet, lengths, layout, ids)

    @classmethod
    def _make(
        cls,
        kind: Kind,
        values: Any,
        alphabet: Alphabet,
        lengths: Any,
        layout: Layout,
        ids: Sequence[str] | None,
    ) -> MatrixBatch:
        rows, offsets, was_float16 = to_rows(ARGUMENTS[kind], values, alphabet, lengths, layout)
        if ids is not None:
            ids = _checked_ids(ids, len(offsets) - 1)
        log_probs = to_log_probs(kind, rows, offsets, was_float16, ids)
        return cls(log_probs, offsets, alphabet, ids)

    @classmethod
    def concatenate(cls, batches: Sequence[MatrixBatch]) -> MatrixBatch:
        """Join batches that share an alphabet; ids are kept."""
        if not batches:
            raise InvalidValueError("batches must hold at least one MatrixBatch, got none")
        alphabet = batches[0].alphabet
        for batch in batches[1:]:
            check_same_alphabet("batch", batch.alphabet, alphabet)
        lengths = np.concatenate([batch.lengths for batch in batches])
        log_probs = np.concatenate([batch.log_probs for batch in batches])
        ids = [one for batch in batches for one in batch.ids]
        return cls(log_probs, offsets_of(lengths), alphabet, ids)

    @property
    def ids(self) -> Sequence[str]:
        """One string a matrix."""
        if self._ids is None:
            self._ids = [str(i) for i in range(self._first_id, self._first_id + len(self))]
        return self._ids

    @property
    def lengths(self) -> Int64Array:
        """Frames of each matrix, int64 (N,)."""
        return np.diff(self.offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @overload
    def __getitem__(self, index: int) -> Float32Array: ...
    @overload
    def __getitem__(self, index: slice) -> MatrixBatch: ...
    def __getitem__(self, index: int | slice) -> Float32Array | MatrixBatch:
        """Return one matrix (T, C), or a batch of consecutive ones, as views."""
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step != 1:
                raise InvalidValueError(
                    f"a slice of a batch must have step 1, got {step}; "
                    "use MatrixBatch.concatenate to reorder"
                )
            return self._between(start, max(start, stop))
        position = operator.index(index)
        if position < 0:
            position += len(self)
        if not 0 <= position < len(self):
            raise IndexError(f"matrix must be 0 to {len(self) - 1}, got {index}")
        return self.log_probs[self.offsets[position] : self.offsets[position + 1]]

    def _between(self, start: int, stop: int) -> MatrixBatch:
        first, last = self.offsets[start], self.offsets[stop]
        return MatrixBatch(
            self.log_probs[first:last],
            self.offsets[start : stop + 1] - first,
            self.alphabet,
            None if self._ids is None else self._ids[start:stop],
            self._first_id + start,
        )

    def __iter__(self) -> Iterator[Float32Array]:
        for i in range(len(self)):
            yield self[i]

    def __repr__(self) -> str:
        return (
            f"MatrixBatch({len(self)} matrices, {self.log_probs.shape[0]} frames, "
            f"{len(self.alphabet)} classes)"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        fields = self.log_probs, self.offsets, self.alphabet, self._ids, self._first_id
        return MatrixBatch, fields


def _read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view


def check_same_alphabet(name: str, given: Alphabet, expected: Alphabet) -> None:
    """Raise AlphabetMismatchError, naming the first difference, unless the two are equal."""
    if given == expected:
        return
    if len(given) != len(expected):
        difference = f"{len(given)} tokens instead of {len(expected)}"
    elif given.blank != expected.blank:
        difference = f"blank {given.blank} instead of {expected.blank}"
    else:
        pairs = enumerate(zip(given.tokens, expected.tokens, strict=True))
        index, (ours, theirs) = next(
            (i, pair) for i, pair in pairs if i != given.blank and pair[0] != pair[1]
        )
        difference = f"{ours!r} instead of {theirs!r} at index {index}"
    raise AlphabetMismatchError(
        f"{name} must have the decoder's alphabet, got another one ({difference}); "
        "load the decoder with the alphabet of the matrices"
    )


def _checked_ids(ids: Sequence[str], count: int) -> list[str]:
    names = list(ids)
    if len(names) != count:
        raise InvalidValueError(
            f"ids must name each of the {count} matrices, got {len(names)}; give one id a matrix"
        )
    for name in names:
        if not isinstance(name, str):
            raise InvalidValueError(f"ids must be strings, got {name!r}; convert it with str()")
    return names
