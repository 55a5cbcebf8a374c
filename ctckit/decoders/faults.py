"""What is impossible about what a search returned."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ctckit.hypotheses import SearchResult
from ctckit.matrices import MatrixBatch

_KINDS = tuple(map(np.dtype, (np.int32, np.int64, np.int64, np.float64)))
"""Of the columns that the kernel takes."""
_NO_SCORES = np.zeros(0)


@dataclass(frozen=True)
class Fault:
    """What is impossible about a search's result.

    Attributes
    ----------
    what : in words that follow "returned"
    line : index of the matrix that it is about; None: of the whole, or of some matrix
    rule : what would be possible, in words that follow a comma; may be empty
    within : whether it is about some matrix, though nothing tells which
    """

    what: str
    line: int | None = None
    rule: str = ""
    within: bool = False


class LineError(Exception):
    """Raised by a search that knows which matrix it failed on; what it raised is the cause.

    line : index of the matrix in the batch that the search was given
    fault : where nothing was raised
    """

    def __init__(self, line: int, fault: Fault | None = None) -> None:
        super().__init__(line, fault)
        self.line = line
        self.fault = fault


def find_fault(
    result: Any, batch: MatrixBatch, n_best: int, score_parts: tuple[str, ...] = ()
) -> Fault | None:
    """Return what is impossible about a search's result, or None."""
    if not isinstance(result, SearchResult):
        return Fault(f"{type(result).__name__} instead of a SearchResult")
    if _is_surely_possible(result, batch, n_best):
        return _fault_of_parts(result, score_parts)
    fault = _fault_of_columns(result)
    if fault is not None:
        return fault
    result = replace(  # differences of unsigned numbers would not be negative
        result,
        token_offsets=result.token_offsets.astype(np.int64, copy=False),
        hypothesis_offsets=result.hypothesis_offsets.astype(np.int64, copy=False),
    )
    return (
        _fault_of_counts(result, batch, n_best)
        or _fault_of_tokens(result, batch)
        or _fault_of_scores(result, batch)
        or _fault_of_parts(result, score_parts)
        or _fault_of_repetition(result)
    )


def _is_surely_possible(result: SearchResult, batch: MatrixBatch, n_best: int) -> bool:
    """Tell in a few microseconds, which count where a call decodes one matrix."""
    from ctckit.kernels.results import is_possible

    scores = _NO_SCORES if result.scores is None else result.scores
    columns = (result.token_ids, result.token_offsets, result.hypothesis_offsets, scores)
    for column, kind in zip(columns, _KINDS, strict=True):
        if (
            not isinstance(column, np.ndarray)
            or column.dtype != kind
            or column.ndim != 1
            or not column.flags.c_contiguous
        ):
            return False
    if not (len(result.token_offsets) and len(result.hypothesis_offsets)):
        return False
    if result.scores is not None and len(scores) != len(result.token_offsets) - 1:
        return False
    alphabet = batch.alphabet
    possible: bool = is_possible(*columns, len(batch), n_best, len(alphabet), alphabet.blank)
    return possible


def _fault_of_columns(result: SearchResult) -> Fault | None:
    for name in ("token_ids", "token_offsets", "hypothesis_offsets"):
        column = getattr(result, name)
        if not isinstance(column, np.ndarray) or column.ndim != 1 or column.dtype.kind not in "iu":
            return Fault(f"{name} that is not a one-dimensional integer array")
        if not len(column) and name != "token_ids":
            return Fault(f"{name} without an entry, where the first is 0")
    return None


def _fault_of_counts(result: SearchResult, batch: MatrixBatch, n_best: int) -> Fault | None:
    lines = len(result.hypothesis_offsets) - 1
    if lines != len(batch):
        told = f"{lines or 'no'} line{'' if lines == 1 else 's'}"
        return Fault(told, rule=f"where {len(batch)} must come", within=True)
    hypotheses = len(result.token_offsets) - 1
    if result.hypothesis_offsets[0] != 0 or result.hypothesis_offsets[-1] != hypotheses:
        return Fault(f"hypothesis_offsets that do not span the {hypotheses} hypotheses")
    counts = result.hypothesis_offsets[1:] - result.hypothesis_offsets[:-1]
    wrong = np.flatnonzero((counts < 1) | (counts > n_best))
    if len(wrong):
        line = int(wrong[0])
        return Fault(f"{counts[line]} hypotheses", line, f"where 1 to {n_best} were asked")
    if result.token_offsets[0] != 0 or result.token_offsets[-1] != len(result.token_ids):
        return Fault(f"token_offsets that do not span the {len(result.token_ids)} token ids")
    falls = np.flatnonzero(result.token_offsets[1:] < result.token_offsets[:-1])
    return Fault("token_offsets that fall", _line_of(result, falls[0])) if len(falls) else None


def _line_of(result: SearchResult, hypothesis: Any) -> int:
    return int(np.searchsorted(result.hypothesis_offsets, hypothesis, side="right")) - 1


def _fault_of_tokens(result: SearchResult, batch: MatrixBatch) -> Fault | None:
    token_ids, alphabet = result.token_ids, batch.alphabet
    if not len(token_ids):
        return None
    if token_ids.min() < 0 or token_ids.max() >= len(alphabet):
        wrong = np.flatnonzero((token_ids < 0) | (token_ids >= len(alphabet)))
    elif (token_ids == alphabet.blank).any():
        wrong = np.flatnonzero(token_ids == alphabet.blank)
    else:
        return None
    hypothesis = int(np.searchsorted(result.token_offsets, wrong[0], side="right")) - 1
    return Fault(
        f"token id {token_ids[wrong[0]]}",
        _line_of(result, hypothesis),
        f"where 0 to {len(alphabet) - 1} without the blank {alphabet.blank} are allowed",
    )


def _fault_of_scores(result: SearchResult, batch: MatrixBatch) -> Fault | None:
    hypotheses = len(result.token_offsets) - 1
    scores = result.scores
    if scores is None:
        several = np.flatnonzero(np.diff(result.hypothesis_offsets) > 1)
        if len(several):
            return Fault("several hypotheses without scores", int(several[0]))
        return None
    if not isinstance(scores, np.ndarray) or scores.dtype.kind != "f":
        return Fault("scores that are not a float array")
    if scores.shape != (hypotheses,):
        return Fault(f"scores of shape {scores.shape} for {hypotheses} hypotheses")
    if np.isnan(scores).any():
        return Fault("a score that is NaN", _line_of(result, np.flatnonzero(np.isnan(scores))[0]))
    if hypotheses > len(batch):
        rises = scores[1:] > scores[:-1]
        rises[result.hypothesis_offsets[1:-1] - 1] = False
        if rises.any():
            return Fault("scores that rise", _line_of(result, np.flatnonzero(rises)[0]))
    return None


def _fault_of_parts(result: SearchResult, names: tuple[str, ...]) -> Fault | None:
    if result.parts is None and not names:
        return None
    if result.parts is not None and not isinstance(result.parts, Mapping):
        return Fault(f"parts of scores that are {type(result.parts).__name__} instead of a mapping")
    found = list(result.parts or ())
    if set(found) != set(names):
        return Fault(f"parts of scores {found} where {list(names)} were declared")
    if result.parts is None or result.scores is None:
        return Fault("parts of scores, and no scores")
    hypotheses = len(result.token_offsets) - 1
    total = np.zeros(hypotheses)
    for name, part in result.parts.items():
        if not isinstance(part, np.ndarray) or part.dtype.kind != "f":
            return Fault(f"a part of the scores, {name!r}, that is not a float array")
        if part.shape != (hypotheses,):
            return Fault(f"a part of the scores, {name!r}, of shape {part.shape} for {hypotheses}")
        total += part
    with np.errstate(invalid="ignore"):  # -inf both
        near = np.abs(total - result.scores) < 1e-6 + 1e-9 * np.abs(result.scores)
    close = near | (total == result.scores)
    if close.all():
        return None
    wrong = int(np.argmin(close))
    told = f"parts whose sum is {total[wrong]:g} where the score is {result.scores[wrong]:g}"
    return Fault(told, _line_of(result, wrong))


def _fault_of_repetition(result: SearchResult) -> Fault | None:
    """Look for a text that a matrix has twice."""
    bounds = result.token_offsets.tolist()
    lines = result.hypothesis_offsets.tolist()
    for line, (start, stop) in enumerate(itertools.pairwise(lines)):
        texts = {result.token_ids[bounds[h] : bounds[h + 1]].tobytes() for h in range(start, stop)}
        if len(texts) < stop - start:
            return Fault("a text twice", line)
    return None
