"""The decoder: what a plugin implements, and what it gets for it."""

from __future__ import annotations

import abc
import operator
import reprlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, final

from ctckit.alphabet import Alphabet
from ctckit.decoders.calling import search_chunk
from ctckit.decoders.claims import check_claims
from ctckit.decoders.options import Option, checked_options, declared_options
from ctckit.errors import CtckitError, InvalidValueError, PluginError, described
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

    `ctckit.decoder` makes such a class of a function that reads one matrix.

    The base class checks the options and the matrices, cuts a batch into chunks, calls `search`
    for them (from several threads at once, so `search` keeps no state between calls), checks what
    comes back, and makes texts, log-probabilities and timesteps. A plugin starts no threads, makes
    no strings, and prints nothing to stdout. What `search` raises, and what is impossible about
    what it returns, becomes an error that names the decoder, its distribution and the matrix; a
    KeyboardInterrupt it lets pass.

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
    """The contract's version that the decoder was written for; 1 where it does not say.
    `load_decoder` refuses others than `CONTRACT_VERSION`."""
    options: ClassVar[dict[str, Option]] = {}
    at_least_one: ClassVar[tuple[str, ...]] = ()
    """Names of options, each of which may be left out, but not all of them."""
    score_parts: tuple[str, ...] = ()
    """Names of what the scores are the sums of, if the decoder tells; `prepare` may set it."""
    scores_are_log_probs: bool = False
    """Whether scores are log-probabilities of the texts: at most ``log_prob``, less where the
    search missed alignments. `prepare` may set it, where it depends on the options."""
    exhaustive: ClassVar[Mapping[str, Any] | None] = None
    """Options with which a tiny matrix is searched in full: the likeliest of all texts are found,
    all their alignments summed. None: the decoder does not claim that."""
    known_failings: Mapping[str, str] = MappingProxyType({})
    """Checks of `ctckit.testing` that the decoder is known to fail, and why, in one clause each.
    `ctckit.Sometimes` where it passes in other runs. `prepare` may set it, where it depends on the
    options."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.options = declared_options(cls)
        check_claims(cls, cls.options)

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
        CtckitError : the decoder raised that, with a message that names the matrix
        """
        if not isinstance(batch, MatrixBatch):
            raise InvalidValueError(
                f"batch must be a ctckit.MatrixBatch, got {type(batch).__name__}; "
                "make one with MatrixBatch.from_log_probs, from_probs or from_logits"
            )
        check_same_alphabet("batch", batch.alphabet, self.alphabet)
        n_best = self.checked_n_best(n_best)
        workers = count_threads(threads)

        def run(bounds: tuple[int, int]) -> SearchResult:
            return search_chunk(self, batch, bounds, n_best)

        results = map_in_threads(run, split(batch.offsets, workers), workers)
        return DecodedBatch(batch, SearchResult.concatenate(results), workers)

    @final
    def checked_n_best(self, n_best: Any) -> int:
        """Return `n_best` as an int, if the decoder can give that many; else raise an error."""
        try:
            number = operator.index(n_best)
        except TypeError:
            number = 0
        if number < 1 or isinstance(n_best, bool):
            raise InvalidValueError(
                f"n_best must be an integer of at least 1, got {n_best!r}; "
                "it is how many texts a matrix may get"
            )
        try:
            self.check_n_best(number)
        except (CtckitError, KeyboardInterrupt):
            raise
        except BaseException as error:
            raise PluginError(
                f"decoder {self.label} must say whether n_best {number} can be had, got "
                f"{described(error)}; this is a fault of it"
            ) from error
        return number

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
