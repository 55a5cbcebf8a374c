"""What a decoder's class says of itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ctckit.decoders.options import Option
from ctckit.errors import InvalidValueError, did_you_mean


class Sometimes(str):
    """Why a decoder fails a check of `ctckit.testing` in some runs only, in ``known_failings``.

    A known failing that passes is a failure, lest it be forgotten; one of these may pass.
    """

    __slots__ = ()


def check_claims(owner: type, options: Mapping[str, Option]) -> None:
    """Check the class attributes that `owner` itself sets, but not what is made per instance.

    Raises
    ------
    InvalidValueError : one has another form, or names an option that the class does not have
    """
    for name, check in _CHECKS.items():
        value = vars(owner).get(name, _UNSET)
        if value is not _UNSET and not hasattr(value, "__get__"):
            check(f"{owner.__name__}.{name}", value, options)


def _check_parts(what: str, value: Any, options: Mapping[str, Option]) -> None:
    if not _are_texts(value):
        raise InvalidValueError(
            f"{what} must be a tuple of names, got {value!r}; {_advice_on_tuple(value)}"
        )


def _check_alternatives(what: str, value: Any, options: Mapping[str, Option]) -> None:
    if not _are_texts(value):
        raise InvalidValueError(
            f"{what} must be a tuple of options' names, got {value!r}; {_advice_on_tuple(value)}"
        )
    _check_declared(what, value, options)


def _check_exhaustive(what: str, value: Any, options: Mapping[str, Option]) -> None:
    if value is None:
        return
    if not isinstance(value, Mapping):
        raise InvalidValueError(
            f"{what} must be a mapping of options, or None, got {value!r}; "
            "write {} if no option is needed"
        )
    _check_declared(what, value, options)


def _check_failings(what: str, value: Any, options: Mapping[str, Option]) -> None:
    if not isinstance(value, Mapping) or not _are_texts([*value, *value.values()]):
        raise InvalidValueError(
            f"{what} must be a mapping of checks' names to reasons, got {value!r}; "
            'write {"check": "why it fails"}'
        )


def _check_declared(what: str, names: Iterable[str], options: Mapping[str, Option]) -> None:
    for name in names:
        if name not in options:
            raise InvalidValueError(
                f"{what} must name options of the class, got {name!r};"
                f"{did_you_mean(str(name), options)} options: {', '.join(options) or 'none'}"
            )


def _are_texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)


def _advice_on_tuple(value: Any) -> str:
    return f"write ({value!r},)" if isinstance(value, str) else "write a tuple of strings"


_UNSET = object()
_CHECKS: dict[str, Callable[[str, Any, Mapping[str, Option]], None]] = {
    "score_parts": _check_parts,
    "at_least_one": _check_alternatives,
    "exhaustive": _check_exhaustive,
    "known_failings": _check_failings,
}
