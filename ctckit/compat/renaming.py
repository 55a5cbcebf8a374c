"""Errors and options of ctckit under the names that another library's users gave."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from ctckit.errors import CtckitError, InvalidValueError
from ctckit.registry import decoder_class


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


def finite(name: str, value: Any) -> float:
    """Return an argument that is a finite number."""
    number = float(value) if isinstance(value, (int, float, np.number)) else math.nan
    if not math.isfinite(number):
        raise InvalidValueError(
            f"{name} must be a finite number, got {value!r}; leave it out for none"
        )
    return number
