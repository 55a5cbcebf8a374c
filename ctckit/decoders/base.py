"""The decoder: what a plugin implements, and what it gets for it."""

from __future__ import annotations

import abc
import operator
import reprlib
from collections.abc import Mapping
from typing import Any, ClassVar, final

import numpy as np
import numpy.typing as npt

from ctckit.alphabet import Alphabet
from ctckit.decoders.options import Option, checked_options, declared_options
from ctckit.errors import CtckitError, InvalidValueError, PluginError
from ctckit.hypotheses import DecodedBatch, SearchResult
from ctckit.matrices import MatrixBatch, check_same_alphabet
from ctckit.parallel import count_threads, map_in_threads, split

CONTRACT_VERSION = 1
"""Of the contract between ctckit and decoders that `Decoder` states; a change that can break a
decoder raises it."""


class Decoder(abc.ABC):
    """Base of every decoder. Its docstring's first line is the decoder's description.

    A plugin subclasses it and implements `search`; that is all it must do. Options are declared
    as class attributes with `ctckit.option` and read as attributes of the same name. The module
    that holds the class imports no numba: what is slow to load is loaded in `prepare`. The class
    is registered as an entry point of the group ``ctckit.decoders``, whose name is the decoder's::

        [project.entry-points."ctckit.decoders"]
        mydecoder = "my_package:MyDecoder"

    The base class checks the options and the matrices, cuts a batch into chunks, calls `search`
    for them (from several threads at once, so `search` keeps no state between calls), checks what
    comes back, and makes texts, log-probabilities and timesteps. A plugin starts no threads and
    makes no strings.

    Parameters
    ----------
    alphabet : of the matrices to come
    options : values of the declared options, by keyword

    Raises
    ------
    NotFoundError : an option that the decoder does not declare
    InvalidValueError : a value that an option does not allow
    """

    contract: ClassVar[int] = 1
    """The contract's version that the decoder was written for; 1 where it does not say."""
    options: ClassVar[dict[str, Option]] = {}
    at_least_one: ClassVar[tuple[str, ...]] = ()
    """Names of options, each of which may be left out, but not all of them."""
    score_parts: tuple[str, ...] = ()
    """Names of what the scores are the sums of, if the decoder tells; `prepare` may set it."""
    scores_are_log_probs: ClassVar[bool] = False
    """Whether scores are log-probabilities of the texts: at most ``log_prob``, less where the
    search missed alignments."""
    exhaustive: ClassVar[Mapping[str, Any] | None] = None
    """Options with which a tiny matrix is searched in full: the likeliest of all texts are found,
    all their alignments summed. None: the decoder does not claim that."""
    known_failings: ClassVar[Mapping[str, str]] = {}
    """Checks of `ctckit.testing` that the decoder is known to fail, and why, in one clause each."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.options = declared_options(cls)

    @final
    def __init__(self, alphabet: Alphabet, **options: Any) -> None:
        if not isinstance(alphabet, Alphabet):
            raise InvalidValueError(
                f"alphabet must be a ctckit.Alphabet, got {type(alphabet).__name__}; "
                "make one with Alphabet(tokens, blank=...)"
            )
        self.alphabet = alphabet
        self.label = type(self).__name__
        values = checked_options(self.label, self.options, options, self.at_least_one)
        self.given_options = {name: values[name] for name in options}
        for name, value in values.items():
            setattr(self, name, value)
        self.prepare()

    def prepare(self) -> None:  # noqa: B027 - to be overridden where there is something to do
        """Load what the search needs (kernels, a corpus); the options are set by then."""

    @abc.abstractmethod
    def search(self, batch: MatrixBatch, n_best: int) -> SearchResult:
        """Return up to `n_best` hypotheses for each matrix of `batch`, best first.

        Parameters
        ----------
        batch : N matrices (T_i, C), natural log, valid and of the decoder's alphabet; T_i may be 0
        n_best : at least 1; fewer hypotheses may come back, but one at least for each matrix
        """

    def check_n_best(self, n_best: int) -> None:  # noqa: B027
        """Raise InvalidValueError if the decoder can never give that many; by default it can."""

    @final
    def decode_batch(
        self, batch: MatrixBatch, *, n_best: int = 1, threads: int | None = None
    ) -> DecodedBatch:
        """Return the best texts of each matrix, best first.

        Parameters
        ----------
        batch : N matrices of shape (T_i, C)
        n_best : hypotheses wanted for each matrix; fewer come back if fewer exist
        threads : worker threads; None takes every core. The result does not depend on it

        Raises
        ------
        AlphabetMismatchError : `batch` has another alphabet than the decoder
        InvalidValueError : `n_best` or `threads` out of range
        PluginError : the decoder raised an error or returned something impossible
        """
        if not isinstance(batch, MatrixBatch):
            raise InvalidValueError(
                f"batch must be a ctckit.MatrixBatch, got {type(batch).__name__}; "
                "make one with MatrixBatch.from_log_probs, from_probs or from_logits"
            )
        check_same_alphabet("batch", batch.alphabet, self.alphabet)
        n_best = self._checked_n_best(n_best)
        workers = count_threads(threads)

        def run(bounds: tuple[int, int]) -> SearchResult:
            chunk = batch[bounds[0] : bounds[1]]
            try:
                result = self.search(chunk, n_best)
            except CtckitError:
                raise
            except (Exception, SystemExit) as error:
                raise PluginError(
                    f"decoder {self.label} failed on matrices {bounds[0]} to {bounds[1] - 1}: "
                    f"{type(error).__name__}: {error}"
                ) from error
            return self._checked_result(result, chunk, n_best)

        results = map_in_threads(run, split(batch.offsets, workers), workers)
        return DecodedBatch(batch, SearchResult.concatenate(results), workers)

    def _checked_n_best(self, n_best: Any) -> int:
        try:
            number = operator.index(n_best)
        except TypeError:
            number = 0
        if number < 1 or isinstance(n_best, bool):
            raise InvalidValueError(
                f"n_best must be an integer of at least 1, got {n_best!r}; "
                "it is how many texts a matrix may get"
            )
        self.check_n_best(number)
        return number

    def _checked_result(self, result: Any, batch: MatrixBatch, n_best: int) -> SearchResult:
        fault = _fault_of(result, batch, n_best, self.score_parts)
        if fault:
            raise PluginError(f"decoder {self.label} returned {fault}; this is a fault of it")
        scores, parts = result.scores, result.parts
        if parts is not None:
            parts = {
                name: np.ascontiguousarray(part, dtype=np.float64) for name, part in parts.items()
            }
        return SearchResult(  # the arrays as the kernels take them; no copy where they are so
            np.ascontiguousarray(result.token_ids, dtype=np.int32),
            np.ascontiguousarray(result.token_offsets, dtype=np.int64),
            np.ascontiguousarray(result.hypothesis_offsets, dtype=np.int64),
            None if scores is None else np.ascontiguousarray(scores, dtype=np.float64),
            parts,
        )

    def __repr__(self) -> str:
        options = "".join(f", {name}={_short(getattr(self, name))}" for name in self.options)
        return f"{type(self).__name__}({self.alphabet!r}{options})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.alphabet, self.given_options, self.label)


def _short(value: Any) -> str:
    """Return a value's repr, with the first entries alone of what holds many."""
    shown = reprlib.Repr()
    shown.maxstring = shown.maxother = shown.maxlong = 1000
    return shown.repr(value)


def _restore(
    decoder_class: type[Decoder], alphabet: Alphabet, options: dict[str, Any], label: str
) -> Decoder:
    decoder = decoder_class(alphabet, **options)
    decoder.label = label
    return decoder


def _fault_of(
    result: Any, batch: MatrixBatch, n_best: int, score_parts: tuple[str, ...] = ()
) -> str | None:
    """Return what is impossible about a search result, in words that follow "returned", or None."""
    if not isinstance(result, SearchResult):
        return f"{type(result).__name__} instead of a SearchResult"
    columns = (
        ("token_ids", result.token_ids, "iu"),
        ("token_offsets", result.token_offsets, "iu"),
        ("hypothesis_offsets", result.hypothesis_offsets, "iu"),
    )
    for name, column, kinds in columns:
        if not isinstance(column, np.ndarray) or column.ndim != 1 or column.dtype.kind not in kinds:
            return f"{name} that is not a one-dimensional integer array"
    counts = np.diff(result.hypothesis_offsets)
    lines = len(result.hypothesis_offsets) - 1
    hypotheses = len(result.token_offsets) - 1
    if lines != len(batch):
        return f"{lines} lines for {len(batch)} matrices"
    if result.hypothesis_offsets[0] != 0 or result.hypothesis_offsets[-1] != hypotheses:
        return f"hypothesis_offsets that do not span the {hypotheses} hypotheses"
    wrong = np.flatnonzero((counts < 1) | (counts > n_best))
    if len(wrong):
        name = batch.ids[int(wrong[0])]
        return f"{counts[wrong[0]]} hypotheses for matrix {name!r} where 1 to {n_best} were asked"
    lengths = np.diff(result.token_offsets)
    if result.token_offsets[0] != 0 or result.token_offsets[-1] != len(result.token_ids):
        return f"token_offsets that do not span the {len(result.token_ids)} token ids"
    if len(lengths) and lengths.min() < 0:
        return "token_offsets that fall"
    return (
        _fault_of_tokens(result, batch)
        or _fault_of_scores(result, batch)
        or _fault_of_parts(result, score_parts)
        or _fault_of_repetition(result, batch, lengths)
    )


def _fault_of_repetition(
    result: SearchResult, batch: MatrixBatch, lengths: npt.NDArray[Any]
) -> str | None:
    """Look for a text that a matrix has twice, first among those of one length and hash."""
    hypotheses = len(lengths)
    if hypotheses == len(batch):
        return None
    position = np.arange(len(result.token_ids)) - np.repeat(result.token_offsets[:-1], lengths)
    with np.errstate(over="ignore"):
        mixed = (result.token_ids.astype(np.uint64) + 1) * (
            (position.astype(np.uint64) * 2 + 1) * np.uint64(0x9E3779B97F4A7C15)
        )
        sums = np.zeros(len(mixed) + 1, dtype=np.uint64)
        np.cumsum(mixed ^ (mixed >> np.uint64(29)), out=sums[1:])
        hashes = sums[result.token_offsets[1:]] - sums[result.token_offsets[:-1]]
    lines = np.repeat(np.arange(len(batch)), np.diff(result.hypothesis_offsets))
    order = np.lexsort((hashes, lengths, lines))
    same = np.flatnonzero(
        (np.diff(lines[order]) == 0)
        & (np.diff(lengths[order]) == 0)
        & (np.diff(hashes[order]) == 0)
    )
    for first, second in zip(order[same].tolist(), order[same + 1].tolist(), strict=True):
        start, stop = result.token_offsets[first : first + 2]
        other_start, other_stop = result.token_offsets[second : second + 2]
        if np.array_equal(result.token_ids[start:stop], result.token_ids[other_start:other_stop]):
            return f"a text twice for matrix {batch.ids[int(lines[first])]!r}"
    return None


def _fault_of_tokens(result: SearchResult, batch: MatrixBatch) -> str | None:
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
    line = int(np.searchsorted(result.hypothesis_offsets, hypothesis, side="right")) - 1
    return (
        f"token id {token_ids[wrong[0]]} for matrix {batch.ids[line]!r}, where 0 to "
        f"{len(alphabet) - 1} without the blank {alphabet.blank} are allowed"
    )


def _fault_of_parts(result: SearchResult, names: tuple[str, ...]) -> str | None:
    if result.parts is None and not names:
        return None
    if result.parts is not None and not isinstance(result.parts, Mapping):
        return f"parts of scores that are {type(result.parts).__name__} instead of a mapping"
    found = list(result.parts or ())
    if set(found) != set(names):
        return f"parts of scores {found} where {list(names)} were declared"
    if result.parts is None or result.scores is None:
        return "parts of scores, and no scores"
    hypotheses = len(result.token_offsets) - 1
    total = np.zeros(hypotheses)
    for name, part in result.parts.items():
        if not isinstance(part, np.ndarray) or part.dtype.kind != "f":
            return f"a part of the scores, {name!r}, that is not a float array"
        if part.shape != (hypotheses,):
            return f"a part of the scores, {name!r}, of shape {part.shape} for {hypotheses}"
        total += part
    if not np.allclose(total, result.scores, rtol=1e-9, atol=1e-6):
        wrong = int(np.argmin(np.isclose(total, result.scores, rtol=1e-9, atol=1e-6)))
        return f"parts whose sum is {total[wrong]:g} where the score is {result.scores[wrong]:g}"
    return None


def _fault_of_scores(result: SearchResult, batch: MatrixBatch) -> str | None:
    hypotheses = len(result.token_offsets) - 1
    scores = result.scores
    if scores is None:
        several = np.flatnonzero(np.diff(result.hypothesis_offsets) > 1)
        if len(several):
            return f"several hypotheses without scores for matrix {batch.ids[int(several[0])]!r}"
        return None
    if not isinstance(scores, np.ndarray) or scores.dtype.kind != "f":
        return "scores that are not a float array"
    if scores.shape != (hypotheses,):
        return f"scores of shape {scores.shape} for {hypotheses} hypotheses"
    if np.isnan(scores).any():
        return "a score that is NaN"
    if hypotheses > len(batch):
        rises = scores[1:] > scores[:-1]
        rises[result.hypothesis_offsets[1:-1] - 1] = False
        if rises.any():
            row = int(np.flatnonzero(rises)[0])
            line = int(np.searchsorted(result.hypothesis_offsets, row, side="right")) - 1
            return f"scores that rise within matrix {batch.ids[line]!r}"
    return None
