"""Which decoders to compare: their names and options, as written on a command line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ctckit.alphabet import Alphabet
from ctckit.decoders.base import Decoder
from ctckit.decoders.options import REQUIRED
from ctckit.errors import CtckitError, InvalidValueError, NotFoundError, PluginError, did_you_mean
from ctckit.registry import decoder_class, load_decoder

CORPUS = "corpus"
"""The option that one file can be given to in every decoder that declares it."""

_NEXT_OPTION = re.compile(r",(?=[A-Za-z_][A-Za-z0-9_-]*=)")


@dataclass(frozen=True)
class DecoderSpec:
    """A decoder to be compared.

    Attributes
    ----------
    label : what its row is called
    name : the installed decoder's
    options : values by option name, checked
    reason : why it cannot run, where that is known already
    expected : whether that is no failure, since nobody asked for it by name
    asked : whether somebody did; if not, it is no failure that a package is missing
    """

    label: str
    name: str
    options: dict[str, Any] = field(default_factory=dict)
    reason: str | None = None
    expected: bool = False
    asked: bool = True

    def load(self, alphabet: Alphabet) -> Decoder:
        """Make the decoder.

        Raises
        ------
        CtckitError : it cannot be made; the message is the reason
        """
        return load_decoder(self.name, alphabet, **self.options)


def parse_spec(text: str) -> DecoderSpec:
    """Read ``name`` or ``name:option=value,option=value``.

    Option names may be written with dashes. A comma that is not followed by ``option=`` belongs
    to the value before it.

    Raises
    ------
    NotFoundError : no such decoder, or it has no such option
    InvalidValueError : bad form, an option given twice, or a value that breaks its rule

    Examples
    --------
    >>> parse_spec("beamsearch:beam_width=50").options
    {'beam_width': 50}
    """
    name, _, rest = text.partition(":")
    try:
        declared = decoder_class(name).options
    except PluginError as error:
        return DecoderSpec(text, name, reason=str(error))
    options: dict[str, Any] = {}
    for assignment in _NEXT_OPTION.split(rest) if rest else []:
        key, equals, value = assignment.partition("=")
        key = key.replace("-", "_")
        if not equals:
            raise InvalidValueError(
                f"decoder must be name or name:option=value,option=value, got {text!r}; "
                f"give {assignment!r} a value"
            )
        if key not in declared:
            raise NotFoundError(
                f"option must be one of the decoder {name}'s, got {key!r} in {text!r};"
                f"{did_you_mean(key, declared)} options: {', '.join(declared) or 'none'}"
            )
        if key in options:
            raise InvalidValueError(
                f"{key} must be given once, got it twice in {text!r}; remove one"
            )
        options[key] = declared[key].parse(value)
    return DecoderSpec(text, name, options)


def give_corpus(specs: Sequence[DecoderSpec], corpus: Any) -> list[DecoderSpec]:
    """Return `specs` with the option `corpus` set where a decoder declares and lacks it."""
    given = []
    for spec in specs:
        if spec.reason is None and CORPUS not in spec.options and takes_corpus(spec):
            value = decoder_class(spec.name).options[CORPUS].check(corpus)
            spec = replace(spec, options={**spec.options, CORPUS: value})
        given.append(spec)
    return given


def without_needy(specs: Sequence[DecoderSpec], *, expected: bool) -> list[DecoderSpec]:
    """Return `specs` with a reason where a required option is missing.

    Parameters
    ----------
    specs : the decoders
    expected : whether that is no failure
    """
    marked = []
    for spec in specs:
        needs = {} if spec.reason is not None else _missing_options(spec)
        if needs:
            give = " --corpus FILE" if list(needs) == [CORPUS] else ""
            named = ",".join(f"{name}=..." for name in needs)
            either = f"{give} or" if give else ""
            start = f"{spec.label}," if spec.options else f"{spec.name}:"
            reason = (
                f"{', '.join(needs.values())} must be given, got nothing; "
                f"add{either} --decoder '{start}{named}'"
            )
            spec = replace(spec, reason=reason, expected=expected)
        marked.append(spec)
    return marked


def _missing_options(spec: DecoderSpec) -> dict[str, str]:
    """Return options that must be given, and how to name what is missing."""
    chosen = decoder_class(spec.name)
    missing = {
        name: name
        for name, option in chosen.options.items()
        if option.default is REQUIRED and name not in spec.options
    }
    if chosen.at_least_one and not set(chosen.at_least_one) & set(spec.options):
        missing[chosen.at_least_one[0]] = " or ".join(chosen.at_least_one)
    return missing


def takes_corpus(spec: DecoderSpec) -> bool:
    """Return whether the decoder declares an option called `corpus`."""
    if spec.reason is not None:
        return False
    try:
        return CORPUS in decoder_class(spec.name).options
    except CtckitError:
        return False
