"""Errors and options of ctckit under the names that another library's users gave."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from ctckit.errors import CtckitError, InvalidValueError
from ctckit.registry import decoder_class


@contextmanager
def said_as(words: Mapping[str, str]) -> Iterator[None]:
    """Say errors of ctckit's own calls in the words of a shim: its arguments, and what to do."""
    try:
        yield
    except InvalidValueError as error:
        message = str(error)
        for ours, theirs in words.items():
            message = message.replace(ours, theirs)
        raise type(error)(message) from None


@contextmanager
def renamed(name: str, theirs: str, advice: str) -> Iterator[None]:
    """Have an error of ctckit about `name` be about `theirs`, with other advice.

    Errors say ``<name> must be <rule>, got <value>; <what to do>``, and what to do is another
    thing where the call was another library's, unless the network is to be looked at.
    """
    try:
        yield
    except CtckitError as error:
        said, _, told = str(error).partition("; ")
        if name not in said.partition(" must ")[0]:
            raise
        what_to_do = told if told == "check the network" else advice
        raise type(error)(f"{said.replace(name, theirs, 1)}; {what_to_do}") from None


def checked_as(decoder: str, option: str, theirs: str, value: Any) -> Any:
    """Return the value of a decoder's option, checked, with errors that say their name of it."""
    return replace(decoder_class(decoder).options[option], name=theirs).check(value)


def as_number(value: Any) -> float:
    """Return a number as a float, and what is none as NaN."""
    try:
        return math.nan if isinstance(value, (str, bytes)) else float(value)
    except (TypeError, ValueError):
        return math.nan


def finite(name: str, value: Any, advice: str = "leave it out for none") -> float:
    """Return an argument that is a finite number."""
    number = as_number(value)
    if not math.isfinite(number):
        raise InvalidValueError(f"{name} must be a finite number, got {value!r}; {advice}")
    return number


def path_of(name: str, value: Any, advice: str) -> Path:
    """Return an argument that is the path of a file."""
    if not isinstance(value, (str, os.PathLike)):
        raise InvalidValueError(f"{name} must be a path, got {type(value).__name__}; {advice}")
    return Path(value)


def listed(name: str, value: Any, advice: str) -> list[Any]:
    """Return an argument that is several values, of a string its characters, as a list."""
    if not isinstance(value, Iterable):
        raise InvalidValueError(f"{name} must be a list, got {value!r}; {advice}")
    return list(value)
