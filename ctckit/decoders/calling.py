"""The call of a decoder's search: what goes wrong there is told of the matrix that it is about."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ctckit import errors
from ctckit.decoders.faults import Fault, LineError, find_fault
from ctckit.errors import CtckitError, CtckitWarning, PluginError, described
from ctckit.hypotheses import SearchResult
from ctckit.matrices import MatrixBatch

if TYPE_CHECKING:
    from ctckit.decoders.base import Decoder


@dataclass(frozen=True)
class _Failure:
    """What went wrong with the matrices `start` to `stop` of a batch.

    fault : what was returned; None: nothing, an error was raised
    error : that error
    certain : whether they are no more than those that it is about
    """

    start: int
    stop: int
    fault: Fault | None = None
    error: BaseException | None = None
    certain: bool = False


def search_chunk(
    decoder: Decoder, batch: MatrixBatch, bounds: tuple[int, int], n_best: int
) -> SearchResult:
    """Return what a decoder finds in matrices of a batch, checked.

    After a failure the halves are searched again, to find the matrix that is to blame.

    Raises
    ------
    PluginError : the search raised something or returned what is impossible
    CtckitError : what the search raised, as that class
    """
    found = _try(decoder, batch, *bounds, n_best)
    if isinstance(found, SearchResult):
        return _as_kernels_take(found)
    failure = _narrowed(decoder, batch, found, n_best)
    raise _error_of(decoder.label, batch, failure) from failure.error


def _try(
    decoder: Decoder, batch: MatrixBatch, start: int, stop: int, n_best: int
) -> SearchResult | _Failure:
    chunk = batch if stop - start == len(batch) else batch[start:stop]
    try:
        result: Any = decoder.search(chunk, n_best)
        fault = find_fault(result, chunk, n_best, decoder.score_parts)
    except (KeyboardInterrupt, CtckitWarning):
        raise
    except LineError as error:
        if error.__cause__ is not None and _comes_of_interrupt(error.__cause__):
            raise KeyboardInterrupt from error
        line = start + error.line
        return _Failure(line, line + 1, error.fault, error.__cause__, certain=True)
    except BaseException as error:  # SystemExit too, and what Rust's panics are
        if _comes_of_interrupt(error):
            raise KeyboardInterrupt from error
        return _Failure(start, stop, error=error, certain=stop - start < 2)
    if fault is None:
        found: SearchResult = result
        return found
    if fault.line is not None:
        start, stop = start + fault.line, start + fault.line + 1
    return _Failure(start, stop, fault, certain=not fault.within or stop - start < 2)


def _comes_of_interrupt(error: BaseException) -> bool:
    """Return whether an error was raised while a KeyboardInterrupt was handled."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        if isinstance(cause, KeyboardInterrupt):
            return True
        seen.add(id(cause))
        cause = cause.__cause__ or cause.__context__
    return False


def _narrowed(decoder: Decoder, batch: MatrixBatch, failure: _Failure, n_best: int) -> _Failure:
    """Return the failure of fewer matrices, of one where one fails alone."""
    while not failure.certain:
        middle = (failure.start + failure.stop) // 2
        for start, stop in ((failure.start, middle), (middle, failure.stop)):
            found = _try(decoder, batch, start, stop, n_best)
            if isinstance(found, _Failure):
                failure = found
                break
        else:
            return replace(failure, certain=True)
    return failure


def _error_of(label: str, batch: MatrixBatch, failure: _Failure) -> CtckitError:
    where = _where(batch, failure.start, failure.stop)
    fault, error = failure.fault, failure.error
    if fault is not None:
        about = f" for {where}" if fault.line is not None or fault.within else ""
        rule = f", {fault.rule}" if fault.rule else ""
        return PluginError(
            f"decoder {label} returned {fault.what}{about}{rule}; this is a fault of it"
        )
    start = f"decoder {label} failed on {where}"
    if failure.stop - failure.start > 1:
        start += ", but on neither half of them"
    known = getattr(errors, type(error).__name__, None)
    if isinstance(error, CtckitError) and type(error) is known:  # the user's fault, as may be
        return type(error)(f"{start}: {error}")
    return PluginError(f"{start}: {described(error) if error is not None else 'no reason'}")


def _where(batch: MatrixBatch, start: int, stop: int) -> str:
    if start == stop:
        return "no matrices"
    first, last = batch.ids[start], batch.ids[stop - 1]
    if stop - start == 1:
        return f"matrix {first!r} (line {stop} of {len(batch)})"
    return f"matrices {first!r} to {last!r} (lines {start + 1} to {stop} of {len(batch)})"


def _as_kernels_take(result: SearchResult) -> SearchResult:
    """Return the arrays in the types and the layout that kernels take; no copy where they are."""
    scores, parts = result.scores, result.parts
    if parts is not None:
        parts = {name: np.ascontiguousarray(part, dtype=np.float64) for name, part in parts.items()}
    return SearchResult(
        np.ascontiguousarray(result.token_ids, dtype=np.int32),
        np.ascontiguousarray(result.token_offsets, dtype=np.int64),
        np.ascontiguousarray(result.hypothesis_offsets, dtype=np.int64),
        None if scores is None else np.ascontiguousarray(scores, dtype=np.float64),
        parts,
    )
