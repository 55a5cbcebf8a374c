"""What the adapters share."""

from __future__ import annotations

import abc
import importlib
import math
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, ClassVar, final

import numpy as np
import numpy.typing as npt

from ctckit import (
    Decoder,
    InvalidValueError,
    MatrixBatch,
    MissingExtraError,
    SearchResult,
)

Float32Array = npt.NDArray[np.float32]
Matrices = Sequence[Float32Array]
"""Matrices (T_i, C) of natural-log probabilities, T_i at least 1, the blank where it is."""
Line = Iterable[tuple[Sequence[int], float | None]]
Found = Iterable[Line]
"""For each matrix its texts as token ids, best first, each with the peer's score, if it has one."""


class Peer(Decoder):
    """Base of the adapters: another package's decoder under ctckit's contract.

    A search has three steps, so that the peer can be timed without the adapter: `convert` makes
    what the peer takes, `run` is the peer's own work on it, `collect` reads what came back.

    The peers are taken as they are. What the contract asks for and no option of a peer can say is
    done here: classes are put in the peer's order; a matrix without frames is the empty text,
    without asking the peer; a text that comes twice is given once, where it ranks best, and one
    that the peer itself scores -inf is left out; where no other is left, the text is empty.
    """

    distributions: ClassVar[tuple[str, ...]] = ()
    """The package that does the work, as its registry has it, and others that it may come as."""
    install: ClassVar[str] = ""
    """The command that installs them."""
    one_text: ClassVar[bool] = False
    """Whether the peer gives the best text alone."""

    @abc.abstractmethod
    def convert(self, matrices: Matrices) -> Any:
        """Return what the peer takes."""

    @abc.abstractmethod
    def run(self, inputs: Any, n_best: int) -> Any:
        """Return what the peer makes of it, as it comes."""

    @abc.abstractmethod
    def collect(self, raw: Any) -> Found:
        """Return token ids and scores of what the peer found; more than were asked for may come."""

    @final
    def search(self, batch: MatrixBatch, n_best: int) -> SearchResult:
        """Return up to `n_best` texts a matrix, best first."""
        matrices = [one for one in batch if len(one)]
        found: Found = ()
        if matrices:
            found = self.collect(self.run(self.convert(matrices), n_best))
        rest = iter(found)
        lines = [
            _sorted_out(next(rest), n_best) if length else [((), 0.0)] for length in batch.lengths
        ]
        scores = [[score for _, score in line if score is not None] for line in lines]
        return SearchResult.from_lists(
            [[list(ids) for ids, _ in line] for line in lines],
            scores if [*map(len, scores)] == [*map(len, lines)] else None,
        )

    def check_n_best(self, n_best: int) -> None:
        """Refuse more hypotheses than the peer gives, or than its beam holds."""
        if self.one_text and n_best > 1:
            raise InvalidValueError(
                f"n_best must be 1, got {n_best}; {self.distributions[0]} gives one text"
            )
        width = getattr(self, "beam_width", n_best)
        if n_best > width:
            raise InvalidValueError(
                f"n_best must be 1 to beam_width ({width}), got {n_best}; raise beam_width"
            )

    def import_peer(self, module: str, package: str = "", install: str = "") -> Any:
        """Return a module of the peer, or of another package that it needs.

        Raises
        ------
        MissingExtraError : it cannot be imported; the message says how to install it
        """
        try:
            return importlib.import_module(module)
        except ImportError as error:
            raise MissingExtraError(
                f"{type(self).__name__} needs {package or self.distributions[0]}, which cannot be "
                f"imported ({error}); run {install or self.install}"
            ) from error

    @classmethod
    def versions(cls) -> dict[str, str]:
        """Return the version of the package that does the work, by its name, if it is installed."""
        for name in cls.distributions:
            try:
                return {cls.distributions[0]: version(name)}
            except PackageNotFoundError:
                continue
        return {}

    def blank_first(self) -> list[int]:
        """Return the classes in order, but the blank before the others."""
        return [self.alphabet.blank, *self.alphabet.token_ids.values()]

    def blank_last(self) -> list[int]:
        """Return the classes in order, but the blank behind the others."""
        return [*self.alphabet.token_ids.values(), self.alphabet.blank]


def in_order(matrix: Float32Array, classes: list[int]) -> Float32Array:
    """Return a matrix with its columns in another order, or as it is where they are so."""
    if classes == list(range(len(classes))):
        return np.ascontiguousarray(matrix)
    return np.ascontiguousarray(matrix[:, classes])


def _sorted_out(line: Line, n_best: int) -> list[tuple[Sequence[int], float | None]]:
    """Return the first texts of a line, without those that came before or are not possible."""
    best: dict[tuple[int, ...], float | None] = {}
    for ids, score in line:
        if score != -math.inf:
            best.setdefault(tuple(ids), score)
        if len(best) == n_best:
            break
    return list(best.items()) or [((), -math.inf)]
