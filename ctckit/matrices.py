"""A ragged batch of CTC matrices, and the one place where matrices are checked."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt

from ctckit.alphabet import Alphabet, Int64Array
from ctckit.errors import AlphabetMismatchError, InvalidValueError

Float32Array = npt.NDArray[np.float32]
Kind = Literal["log-probs", "probs", "logits"]
Layout = Literal["NTC", "TNC"]
KINDS: tuple[Kind, ...] = ("log-probs", "probs", "logits")
LAYOUTS: tuple[Layout, ...] = ("NTC", "TNC")

ROW_SUM_TOLERANCE = 5e-3
"""How far the probabilities of a frame may sum from 1 (float32 and float64 input)."""
FLOAT16_ROW_SUM_TOLERANCE = 2e-2
"""The same for float16 input, which is renormalised once it has passed."""

_CONSTRUCTORS = {"log-probs": "from_log_probs", "probs": "from_probs", "logits": "from_logits"}
_ARGUMENTS = {"log-probs": "log_probs", "probs": "probs", "logits": "logits"}


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
        self.log_probs = _read_only(log_probs)
        self.offsets = _read_only(offsets)
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
        rows, offsets, was_float16 = _to_rows(_ARGUMENTS[kind], values, alphabet, lengths, layout)
        if ids is not None:
            ids = _checked_ids(ids, len(offsets) - 1)
        log_probs = _to_log_probs(kind, rows, offsets, was_float16, ids)
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
        return cls(log_probs, _offsets_of(lengths), alphabet, ids)

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


def _offsets_of(lengths: npt.ArrayLike) -> Int64Array:
    counts = np.asarray(lengths, dtype=np.int64)
    offsets = np.zeros(len(counts) + 1, dtype=np.int64)
    np.cumsum(counts, out=offsets[1:])
    return offsets


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


def _to_rows(
    name: str, values: Any, alphabet: Alphabet, lengths: Any, layout: str
) -> tuple[npt.NDArray[np.floating[Any]], Int64Array, bool]:
    """Return all valid frames as one (sum of T, C) array, the offsets, and if it was float16."""
    if layout not in LAYOUTS:
        raise InvalidValueError(f"layout must be 'NTC' or 'TNC', got {layout!r}")
    if not isinstance(alphabet, Alphabet):
        raise InvalidValueError(
            f"alphabet must be a ctckit.Alphabet, got {type(alphabet).__name__}; "
            "make one with Alphabet(tokens, blank=...)"
        )
    if isinstance(values, (list, tuple)):
        return _list_to_rows(name, values, alphabet, lengths)
    array = _checked_dtype(name, np.asarray(values))
    if array.ndim != 3:
        hint = "pass a list of (T, C) for one line" if array.ndim == 2 else "add the missing axes"
        wanted = "(N, T, C)" if layout == "NTC" else "(T, N, C)"
        raise InvalidValueError(f"{name} must have shape {wanted}, got {array.shape}; {hint}")
    _check_classes(name, array.shape, alphabet)
    if layout == "TNC":
        array = array.transpose(1, 0, 2)
    count, frames, classes = array.shape
    counts = _checked_lengths(lengths, count, frames)
    offsets = _offsets_of(counts)
    if offsets[-1] == count * frames:
        rows = np.ascontiguousarray(array).reshape(count * frames, classes)
    else:
        rows = np.concatenate([one[:n] for one, n in zip(array, counts.tolist(), strict=True)])
    return rows, offsets, array.dtype.type is np.float16


def _list_to_rows(
    name: str, values: Sequence[Any], alphabet: Alphabet, lengths: Any
) -> tuple[npt.NDArray[np.floating[Any]], Int64Array, bool]:
    matrices = []
    for i, value in enumerate(values):
        matrix = _checked_dtype(f"{name}[{i}]", np.asarray(value))
        if matrix.ndim != 2:
            raise InvalidValueError(
                f"{name}[{i}] must have shape (T, C), got {matrix.shape}; "
                "a list holds one matrix a line"
            )
        _check_classes(f"{name}[{i}]", matrix.shape, alphabet)
        matrices.append(matrix)
    if lengths is not None:
        longest = max((len(matrix) for matrix in matrices), default=0)
        counts = _checked_lengths(lengths, len(matrices), longest).tolist()
        for i, (matrix, n) in enumerate(zip(matrices, counts, strict=True)):
            if n > len(matrix):
                raise InvalidValueError(
                    f"lengths must be 0 to T, got {n} for matrix {i} of {len(matrix)} frames"
                )
        matrices = [matrix[:n] for matrix, n in zip(matrices, counts, strict=True)]
    offsets = _offsets_of([len(matrix) for matrix in matrices])
    was_float16 = any(matrix.dtype.type is np.float16 for matrix in matrices)
    if not matrices:
        return np.zeros((0, len(alphabet)), dtype=np.float32), offsets, False
    return np.ascontiguousarray(np.concatenate(matrices)), offsets, was_float16


def _checked_dtype(name: str, array: npt.NDArray[Any]) -> npt.NDArray[np.floating[Any]]:
    if array.dtype.type not in (np.float16, np.float32, np.float64):
        raise InvalidValueError(
            f"{name} must be float16, float32 or float64, got {array.dtype}; convert it first"
        )
    return array


def _check_classes(name: str, shape: tuple[int, ...], alphabet: Alphabet) -> None:
    if shape[-1] != len(alphabet):
        raise AlphabetMismatchError(
            f"{name} must have {len(alphabet)} classes, as the alphabet with its blank has, "
            f"got {shape[-1]} in shape {shape}; check the alphabet and the layout"
        )


def _checked_lengths(lengths: Any, count: int, frames: int) -> Int64Array:
    if lengths is None:
        return np.full(count, frames, dtype=np.int64)
    array = np.asarray(lengths)
    if array.shape != (count,) or (array.dtype.kind not in "iu" and array.size):
        raise InvalidValueError(
            f"lengths must be {count} integers, one a matrix, got "
            f"{array.dtype} of shape {array.shape}"
        )
    wrong = np.flatnonzero((array < 0) | (array > frames))
    if len(wrong):
        raise InvalidValueError(
            f"lengths must be 0 to {frames}, got {array[wrong[0]]} for matrix {wrong[0]}"
        )
    return array.astype(np.int64)


def _to_log_probs(
    kind: Kind,
    rows: npt.NDArray[np.floating[Any]],
    offsets: Int64Array,
    was_float16: bool,
    ids: Sequence[str] | None,
) -> Float32Array:
    """Check every row as what `kind` says it is, and return float32 log-probabilities."""
    # Kernels load here, not with this module: an error in the arguments must come at once.
    from ctckit.kernels.rows import first_bad_row, log_softmax

    tolerance = np.float32(FLOAT16_ROW_SUM_TOLERANCE if was_float16 else ROW_SUM_TOLERANCE)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if kind == "logits":
            shifted = rows
            if rows.dtype.type is np.float64:
                shifted = rows - rows.max(axis=1, keepdims=True, initial=-np.inf)
            logits = shifted.astype(np.float32, copy=False)
            log_probs = np.empty(logits.shape, dtype=np.float32)
            bad = log_softmax(logits, log_probs)
        else:
            logs = rows.astype(np.float32) if rows.dtype.type is np.float16 else rows
            if kind == "probs":
                logs = np.log(logs)
            log_probs = logs.astype(np.float32, copy=False)
            bad = first_bad_row(log_probs, tolerance)
    if bad >= 0:
        raise InvalidValueError(_explain_bad_row(kind, rows[bad], bad, offsets, ids))
    if was_float16 and kind != "logits":
        log_softmax(log_probs.copy(), log_probs)
    return log_probs


def _explain_bad_row(
    kind: Kind,
    row: npt.NDArray[np.floating[Any]],
    position: int,
    offsets: Int64Array,
    ids: Sequence[str] | None,
) -> str:
    """Say what is wrong with a frame that the fast check has refused."""
    index = int(np.searchsorted(offsets, position, side="right")) - 1
    matrix = index if ids is None else repr(ids[index])
    where = f"matrix {matrix}, frame {position - offsets[index]}"
    name = _ARGUMENTS[kind]
    values = row.astype(np.float64)
    if np.isnan(values).any():
        column = int(np.flatnonzero(np.isnan(values))[0])
        return f"{name} must not hold NaN, got nan at {where}, class {column}; check the network"
    if np.isposinf(values).any():
        column = int(np.flatnonzero(np.isposinf(values))[0])
        return f"{name} must be finite or -inf, got inf at {where}, class {column}"
    if kind == "logits":
        return f"{name} must allow some class, got only -inf at {where}"
    advice = _advice(kind, values)
    if kind == "probs":
        if values.min() < 0:
            return f"probs must be 0 to 1, got {values.min():.6g} at {where}{advice}"
        return f"probs must sum to 1 in each frame, got {values.sum():.6g} at {where}{advice}"
    if values.max() > ROW_SUM_TOLERANCE:
        return f"log_probs must be 0 or below, got {values.max():.6g} at {where}{advice}"
    total = np.exp(values).sum()
    return f"exp(log_probs) must sum to 1 in each frame, got {total:.6g} at {where}{advice}"


def _advice(kind: Kind, values: npt.NDArray[np.float64]) -> str:
    looks_like = _looks_like(values)
    if looks_like != kind:
        return f"; use {_CONSTRUCTORS[looks_like]} if these are {looks_like}"
    return "; divide each frame by its sum" if kind == "probs" else "; from_logits normalises"


def _looks_like(values: npt.NDArray[np.float64]) -> Kind:
    """Guess, for the advice in an error only, what a row may be instead."""
    with np.errstate(over="ignore"):
        if values.min() >= 0 and abs(values.sum() - 1) < FLOAT16_ROW_SUM_TOLERANCE:
            return "probs"
        if abs(np.exp(values).sum() - 1) < FLOAT16_ROW_SUM_TOLERANCE:
            return "log-probs"
    return "logits"
