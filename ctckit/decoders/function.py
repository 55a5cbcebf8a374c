"""A decoder made of a function that reads one matrix."""

from __future__ import annotations

import inspect
import reprlib
import typing
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Concatenate, overload

from ctckit.alphabet import Alphabet
from ctckit.decoders.base import CONTRACT_VERSION, Decoder
from ctckit.decoders.faults import Fault, LineError
from ctckit.decoders.options import REQUIRED, Option, option
from ctckit.errors import CtckitWarning, InvalidValueError
from ctckit.hypotheses import SearchResult
from ctckit.intake import Float32Array
from ctckit.matrices import MatrixBatch

TextFunction = Callable[Concatenate[Float32Array, Alphabet, ...], str]
"""Takes a matrix and its alphabet, and options by keyword; returns the text."""

SHOWN = 60
"""Characters of a text that a message shows."""


@overload
def decoder(function: TextFunction, /) -> type[Decoder]: ...
@overload
def decoder(
    *,
    contract: int = ...,
    scores_are_log_probs: bool = ...,
    exhaustive: Mapping[str, Any] | None = ...,
    known_failings: Mapping[str, str] = ...,
) -> Callable[[TextFunction], type[Decoder]]: ...
def decoder(
    function: TextFunction | None = None,
    /,
    *,
    contract: int = CONTRACT_VERSION,
    scores_are_log_probs: bool = True,
    exhaustive: Mapping[str, Any] | None = None,
    known_failings: Mapping[str, str] = MappingProxyType({}),
) -> type[Decoder] | Callable[[TextFunction], type[Decoder]]:
    """Make a decoder of a function that reads one matrix: a subclass of `Decoder` of its name.

    The function gets a matrix, float32 (T, C), natural log, read-only, and the `Alphabet` whose C
    tokens the columns are; T may be 0. It returns the text. The first line of its docstring is the
    decoder's description. Parameters that are keyword-only and annotated are the decoder's
    options: their default is a value or a `ctckit.option`, and without one they must be given.

    The function keeps no state: it is called from several threads at once, for one matrix after
    the other. Of each matrix there is one text; its score is its exact log-probability. Where
    tokens have several characters a text is spelled as by `Alphabet.encode`.

    Parameters
    ----------
    function : the function; the decorator may be given keywords instead
    contract, scores_are_log_probs, exhaustive, known_failings : the class attributes of `Decoder`

    Raises
    ------
    InvalidValueError : what is decorated is no such function, a parameter no option, or a keyword
        has another form

    Examples
    --------
    >>> import numpy as np
    >>> @decoder
    ... def firstclass(log_probs, alphabet, *, most: int = 3):
    ...     '''Write the likeliest class of the first frames.'''
    ...     best = log_probs[:most].argmax(axis=1)
    ...     return alphabet.decode(best[best != alphabet.blank])
    >>> alphabet = Alphabet("ab-", blank=2)
    >>> batch = MatrixBatch.from_probs(np.full((1, 4, 3), 1 / 3), alphabet)
    >>> firstclass(alphabet, most=2).decode_batch(batch).texts()
    ['aa']
    """
    claims = {
        "contract": contract,
        "scores_are_log_probs": scores_are_log_probs,
        "exhaustive": exhaustive,
        "known_failings": known_failings,
    }
    if function is not None:
        return _made_of(function, claims)
    return lambda function: _made_of(function, claims)


class _FunctionDecoder(Decoder):
    """Calls the function for one matrix after the other."""

    _read: ClassVar[TextFunction]

    def search(self, batch: MatrixBatch, n_best: int) -> SearchResult:
        """Return one hypothesis a matrix, whatever `n_best` is."""
        given = {name: getattr(self, name) for name in self.options}
        return SearchResult.from_best(
            [self._token_ids(i, log_probs, given) for i, log_probs in enumerate(batch)]
        )

    def _token_ids(self, line: int, log_probs: Float32Array, given: dict[str, Any]) -> list[int]:
        try:
            text: Any = type(self)._read(log_probs, self.alphabet, **given)
        except (KeyboardInterrupt, CtckitWarning):
            raise
        except BaseException as error:
            raise LineError(line) from error
        if not isinstance(text, str):
            told = f"{_short(text)} ({type(text).__name__}) instead of a text"
            raise LineError(line, Fault(told, line))
        token_ids, end = self.alphabet.spelled(text)
        if end < len(text):
            rule = f"whose {text[end]!r} at position {end} the alphabet lacks"
            raise LineError(line, Fault(f"the text {_short(text)}", line, rule))
        return token_ids


def _made_of(function: Any, claims: Mapping[str, Any]) -> type[Decoder]:
    name = getattr(function, "__qualname__", None) or repr(function)
    if not inspect.isfunction(function) or function.__name__ == "<lambda>":
        raise InvalidValueError(
            f"decoder must be a function that has a name, got {name}; write it with def"
        )
    kinds = {
        "a coroutine": inspect.iscoroutinefunction(function),
        "a generator": inspect.isgeneratorfunction(function),
        "an asynchronous generator": inspect.isasyncgenfunction(function),
    }
    for kind, found in kinds.items():
        if found:
            raise InvalidValueError(
                f"decoder must be a function that returns a text, got {name}, which is {kind}; "
                "write it without async and yield"
            )
    made = type(
        function.__name__,
        (_FunctionDecoder,),
        {
            **claims,
            **_declared_options(name, function),
            "_read": staticmethod(function),
            "__doc__": function.__doc__,
            "__module__": function.__module__,
            "__qualname__": function.__qualname__,
        },
    )
    return made


def _declared_options(name: str, function: Callable[..., Any]) -> dict[str, Any]:
    """Return what a class declares the function's options with: attributes and annotations."""
    taken: list[str] = []
    found: dict[str, Any] = {}
    hints: dict[str, Any] = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise InvalidValueError(
                f"parameters of the decoder {name} must be declared, got {parameter}; what is not "
                "declared is refused"
            )
        if parameter.kind is not parameter.KEYWORD_ONLY:
            taken.append(parameter.name)
            continue
        if parameter.annotation is parameter.empty:
            raise InvalidValueError(
                f"option {name}.{parameter.name} must be annotated as int, float, bool, str or "
                "Path, got nothing; the annotation is its type"
            )
        hints[parameter.name] = parameter.annotation
        found[parameter.name] = _as_option(parameter)
    if len(taken) != 2 or taken[0] == "alphabet" or taken[1] == "log_probs":
        raise InvalidValueError(
            f"decoder {name} must take log_probs and alphabet, and options by keyword only (after "
            f"a *), got ({', '.join(taken)}); change its parameters"
        )
    return {**found, "__annotations__": _evaluated(name, function, hints)}


def _as_option(parameter: inspect.Parameter) -> Any:
    if isinstance(parameter.default, Option):
        return parameter.default
    default = REQUIRED if parameter.default is parameter.empty else parameter.default
    return option(default, help=f"The parameter {parameter.name}.")


def _evaluated(name: str, function: Any, hints: dict[str, Any]) -> dict[str, Any]:
    """Return the options' annotations; those of other parameters may not be there at runtime."""

    class Holder:
        __annotations__ = hints

    try:
        return typing.get_type_hints(Holder, function.__globals__)
    except Exception as error:
        raise InvalidValueError(
            f"options of the decoder {name} must be annotated with types that are known when it "
            f"is made, got {type(error).__name__}: {error}; import them"
        ) from error


def _short(value: Any) -> str:
    shown = reprlib.Repr()
    shown.maxstring = shown.maxother = SHOWN
    return shown.repr(value)
