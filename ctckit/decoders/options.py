"""How a decoder declares its options: once, typed, with a default, bounds and help.

From a declaration come the checks of `load_decoder`, the options of the command line and the
attributes that the decoder reads.
"""

from __future__ import annotations

import math
import os
import types
import typing
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ctckit.errors import InvalidValueError, NotFoundError, did_you_mean


class _Required:
    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED = _Required()
"""The default of an option that the user must give."""

RESERVED = frozenset(
    {"alphabet", "check_n_best", "decode_batch", "given_options", "label", "options", "prepare"}
    | {"search", "help", "n_best", "threads", "at_least_one", "score_parts", "checked_n_best"}
    | {"contract", "scores_are_log_probs", "exhaustive", "known_failings"}
)
"""Names that an option cannot have."""

SUPPORTED_TYPES = (int, float, bool, str, Path)


@dataclass(frozen=True)
class Option:
    """One option of a decoder.

    Attributes
    ----------
    name : its keyword, and with dashes its flag
    type : int, float, bool, str or Path; the annotation may add ``| None``
    default : used where the option is not given; `REQUIRED` where it must be
    help : one sentence
    minimum, maximum : bounds of a number, both allowed values
    choices : the values that a string may take
    optional : whether None is a value
    data : whether a Path may be replaced by what its file holds: a list, a set or a mapping
    """

    name: str
    type: type
    default: Any
    help: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] | None = None
    optional: bool = False
    data: bool = False

    def check(self, value: Any) -> Any:
        """Return `value` as the option's type.

        Raises
        ------
        InvalidValueError : wrong type, out of bounds or not among the choices
        """
        if value is None and self.optional:
            return None
        converted = self._convert(value)
        if self.choices is not None and converted not in self.choices:
            hint = did_you_mean(str(value), self.choices) or " choose one"
            raise InvalidValueError(
                f"{self.name} must be one of {', '.join(self.choices)}, got {value!r};{hint}"
            )
        low = self.minimum is not None and converted < self.minimum
        high = self.maximum is not None and converted > self.maximum
        if low or high:
            raise InvalidValueError(self._message(value))
        return converted

    def _message(self, value: Any) -> str:
        return f"{self.name} must be {self.rule}, got {value!r}; it is: {self.help}"

    def _convert(self, value: Any) -> Any:
        if self.type is bool:
            if isinstance(value, bool):
                return value
        elif self.type is int:
            index = getattr(value, "__index__", None)
            if index is not None and not isinstance(value, bool):
                return index()
        elif self.type is float:
            if hasattr(value, "__float__") and not isinstance(value, (bool, str)):
                number = float(value)
                if math.isfinite(number):
                    return number
        elif self.type is Path:
            if self.data and isinstance(value, Mapping):
                return dict(value)
            if self.data and isinstance(value, Collection) and not isinstance(value, (str, bytes)):
                return list(value)
            text = os.fspath(value) if isinstance(value, (str, os.PathLike)) else ""
            if isinstance(text, str) and text != "":
                return Path(text)
        elif isinstance(value, str):
            return value
        raise InvalidValueError(self._message(value))

    @property
    def rule(self) -> str:
        """What a value must be, in words."""
        words = {
            int: "an integer",
            float: "a finite number",
            bool: "True or False",
            str: "a string",
            Path: "a path or what its file holds" if self.data else "a path",
        }[self.type]
        if self.minimum is not None and self.maximum is not None:
            words += f" from {self.minimum:g} to {self.maximum:g}"
        elif self.minimum is not None:
            words += f" of at least {self.minimum:g}"
        elif self.maximum is not None:
            words += f" of at most {self.maximum:g}"
        return words + (" or None" if self.optional else "")

    @property
    def says_none(self) -> bool:
        """Whether a command line must say None, since leaving the option out does not."""
        return self.optional and self.default is not None

    def parse(self, text: str) -> Any:
        """Return the value that `text` spells on a command line, checked.

        The word ``none`` is None where an option that may be None has another default.
        """
        if self.says_none and text.lower() == "none":
            return None
        value: Any = text
        if self.type is bool:
            words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
            value = words.get(text.lower(), text)
        elif self.type in (int, float):
            try:
                value = self.type(text)
            except ValueError:
                value = text
        return self.check(value)


def option(
    default: Any = REQUIRED,
    *,
    help: str,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: Iterable[str] | None = None,
) -> Any:
    """Declare an option as a class attribute of a decoder.

    ``beam_width: int = option(25, minimum=1, help="prefixes kept after each frame")``. The
    annotation gives the type: int, float, bool, str or Path, ``| None`` if None is a value. Beside
    Path it may name a collection, such as ``Path | Collection[str]``: then a list, a set or a
    mapping is a value, too, in Python.
    """
    return Option("", str, default, help, minimum, maximum, tuple(choices) if choices else None)


def declared_options(owner: type) -> dict[str, Option]:
    """Return the options of a class by name, in order, its own before those that it inherits."""
    found: dict[str, Option] = {}
    for base in owner.__mro__:
        own = {name: value for name, value in vars(base).items() if isinstance(value, Option)}
        if not own:
            continue
        hints = typing.get_type_hints(base)
        for name, value in own.items():
            if value.name == "":
                value = _with_type(base, name, value, hints.get(name))
                setattr(base, name, value)
            found.setdefault(name, value)
    return found


def _with_type(owner: type, name: str, declared: Option, hint: Any) -> Option:
    if name in RESERVED or name.startswith("_"):
        raise InvalidValueError(
            f"option {owner.__name__}.{name} must have another name, got one that every decoder "
            "uses itself; rename it"
        )
    optional = data = False
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        members = [one for one in typing.get_args(hint) if one is not type(None)]
        optional = len(members) < len(typing.get_args(hint))
        collections = [one for one in members if _is_collection(one)]
        data = Path in members and bool(collections)
        members = [one for one in members if not (data and one in collections)]
        hint = members[0] if len(members) == 1 else None
    if hint not in SUPPORTED_TYPES:
        raise InvalidValueError(
            f"option {owner.__name__}.{name} must be annotated as int, float, bool, str or Path, "
            f"got {hint!r}"
        )
    made = replace(declared, name=name, type=hint, optional=optional, data=data)
    if made.default is not REQUIRED:
        made.check(made.default)
    return made


def _is_collection(hint: Any) -> bool:
    origin = typing.get_origin(hint) or hint
    return isinstance(origin, type) and issubclass(origin, Collection) and origin is not str


def checked_options(
    owner: str,
    options: Mapping[str, Option],
    given: Mapping[str, Any],
    at_least_one: Sequence[str] = (),
) -> dict[str, Any]:
    """Return a value for every option: the given one, checked, or the default.

    at_least_one : names of options of which one must be given

    Raises
    ------
    NotFoundError : an option that the decoder does not have
    InvalidValueError : a value that breaks its rule, or a required option that is missing
    """
    for name in given:
        if name not in options:
            known = ", ".join(options) or "none"
            raise NotFoundError(
                f"option must be one of the decoder {owner}'s, got {name!r};"
                f"{did_you_mean(name, options)} options: {known}"
            )
    values = {}
    for name, declared in options.items():
        if name in given:
            values[name] = declared.check(given[name])
        elif declared.default is REQUIRED:
            raise InvalidValueError(
                f"{name} must be given to the decoder {owner}, got nothing; it is: {declared.help}"
            )
        else:
            values[name] = declared.default
    if at_least_one and all(values[name] is None for name in at_least_one):
        raise InvalidValueError(
            f"{' or '.join(at_least_one)} must be given to the decoder {owner}, got nothing; "
            f"{at_least_one[0]} is: {options[at_least_one[0]].help}"
        )
    return values
