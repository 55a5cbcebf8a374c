"""The decoder under test, as the checks see it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from ctckit.alphabet import Alphabet
from ctckit.decoders.base import Decoder
from ctckit.errors import CtckitError, InvalidValueError, PluginError
from ctckit.hypotheses import DecodedBatch
from ctckit.matrices import MatrixBatch
from ctckit.testing.examples import example_alphabet

Make = Callable[[Alphabet], Decoder]
"""Makes the decoder under test for an alphabet."""

Oracle = Callable[[npt.NDArray[np.float32], Alphabet], Mapping[Any, float] | None]
"""Gives every text that may be found in a matrix (T, C), as a string or as a tuple of token ids,
with its score; None where it does not know."""

EXAMPLES = 25
"""How many examples a check tries that draws them."""

MOST_SHOWN = 80
"""Values of a matrix that is shown whole."""


class CheckFailed(AssertionError):  # noqa: N818 - as its name says
    """A decoder does not do what a check demands.

    Parameters
    ----------
    what : is wrong
    batch : the matrices with which it is
    facts : what came, what was expected, and so on
    """

    def __init__(self, what: str, batch: MatrixBatch | None = None, **facts: Any) -> None:
        lines = [what]
        if batch is not None:
            lines += _shown(batch)
        lines += [f"{name.replace('_', ' ')}: {value!r}" for name, value in facts.items()]
        super().__init__("\n  ".join(lines))


class NotApplicable(Exception):  # noqa: N818 - it is no error
    """A check does not apply to a decoder; the message says why."""


class Subject:
    """What is known of the decoder under test.

    Parameters
    ----------
    make : makes it for an alphabet; it may refuse one by a CtckitError, but not that of
        `example_alphabet`
    oracle : what it should find, for one that is exact by another model than the sum over all
        alignments
    examples : how many examples a check tries that draws them
    seconds : in which it must end when it is interrupted
    """

    def __init__(
        self,
        make: Make,
        *,
        oracle: Oracle | None = None,
        examples: int = EXAMPLES,
        seconds: float = 10.0,
    ) -> None:
        self.make = make
        self.oracle = oracle
        self.examples = examples
        self.seconds = seconds
        self._made: dict[Alphabet, Decoder | CtckitError] = {}

    def decoder(self, alphabet: Alphabet | None = None) -> Decoder:
        """Return the decoder for an alphabet, by default the example; the same one each time."""
        alphabet = example_alphabet() if alphabet is None else alphabet
        if alphabet not in self._made:
            try:
                self._made[alphabet] = self.make(alphabet)
            except CtckitError as error:
                self._made[alphabet] = error
        made = self._made[alphabet]
        if isinstance(made, CtckitError):
            raise made
        return made

    def decoder_or_none(self, alphabet: Alphabet) -> Decoder | None:
        """Return the decoder for an alphabet, or None if it refuses that."""
        try:
            return self.decoder(alphabet)
        except CtckitError:
            return None

    def with_options(self, alphabet: Alphabet, options: Mapping[str, Any]) -> Decoder:
        """Return another such decoder with some options changed."""
        made = self.decoder(alphabet)
        return type(made)(alphabet, **{**made.given_options, **options})

    @property
    def known_failings(self) -> Mapping[str, str]:
        """What the decoder declares so."""
        return self.decoder().known_failings

    def importable_class(self) -> type[Decoder]:
        """Return the decoder's class.

        Raises
        ------
        NotApplicable : another process could not find it by name
        """
        found = type(self.decoder())
        place: Any = sys.modules.get(found.__module__)
        try:
            same = reduce(getattr, found.__qualname__.split("."), place) is found
        except AttributeError:
            same = False
        if not same or found.__module__ == "__main__":
            raise NotApplicable(
                f"the class {found.__qualname__} of {found.__module__} cannot be imported elsewhere"
            )
        return found


def most_texts(decoder: Decoder, wanted: int) -> int:
    """Return the largest `n_best` up to `wanted` that a decoder allows."""
    for n_best in range(wanted, 1, -1):
        try:
            decoder.check_n_best(n_best)
        except InvalidValueError:
            continue
        return n_best
    return 1


def decode(
    decoder: Decoder, batch: MatrixBatch, n_best: int = 1, threads: int | None = None
) -> DecodedBatch:
    """Decode; where the decoder fails, say with which matrices."""
    try:
        return decoder.decode_batch(batch, n_best=n_best, threads=threads)
    except PluginError as error:
        raise CheckFailed(str(error), batch, n_best=n_best) from error


def for_all(subject: Subject, strategy: Any, holds: Callable[[Any], None]) -> None:
    """Call `holds` with examples of a hypothesis strategy, the same each time.

    What it raises for the smallest example comes through.
    """
    from hypothesis import HealthCheck, Phase, Verbosity, given, settings

    @settings(
        max_examples=subject.examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        verbosity=Verbosity.quiet,
        print_blob=False,
    )
    @given(strategy)
    def run(example: Any) -> None:
        holds(example)

    run()


def _shown(batch: MatrixBatch) -> list[str]:
    alphabet = batch.alphabet
    tokens = ["blank" if i == alphabet.blank else repr(t) for i, t in enumerate(alphabet.tokens)]
    lines = [f"alphabet: {', '.join(tokens)}"]
    for name, matrix in zip(batch.ids, batch, strict=True):
        if batch.log_probs.size > MOST_SHOWN:
            continue
        rows = [
            "[" + " ".join(f"{value:.3g}" for value in row) + "]" for row in matrix.tolist()
        ] or ["no frames"]
        lines.append(f"log_probs of matrix {name!r}: {' '.join(rows)}")
    if batch.log_probs.size > MOST_SHOWN:
        lengths = ", ".join(map(str, batch.lengths[:12].tolist()))
        lines.append(f"matrices of {lengths}{', ...' * (len(batch) > 12)} frames")
    return lines


def different_columns(one: Any, other: Any) -> str | None:
    """Return which columns of two results differ, or None."""
    names = ("token_ids", "token_offsets", "hypothesis_offsets", "scores", "log_probs", "timesteps")
    different = [
        name for name in names if not np.array_equal(getattr(one, name), getattr(other, name))
    ]
    return ", ".join(different) or None
