"""Which decoders are installed, and how to load one. Listing them imports none."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import Distribution, EntryPoint, distributions, entry_points, version
from inspect import isabstract, isfunction
from typing import Any

from ctckit.alphabet import Alphabet
from ctckit.decoders.base import CONTRACT_VERSION, Decoder
from ctckit.decoders.options import checked_options
from ctckit.descriptions import first_line
from ctckit.errors import (
    CtckitError,
    CtckitWarning,
    InvalidValueError,
    NotFoundError,
    PluginError,
    described,
    did_you_mean,
)

GROUP = "ctckit.decoders"
_FIELDS = ("Name", "Version", "Summary")
SUPPORTED_CONTRACTS = frozenset({CONTRACT_VERSION})
"""Versions of the contract whose decoders this ctckit runs."""


@dataclass(frozen=True)
class DecoderInfo:
    """An installed decoder, as its distribution's metadata tell.

    Attributes
    ----------
    name : what `load_decoder` takes
    distribution, version : of the package that registers it
    summary : that distribution's
    value : the object that is registered, ``module:name``
    """

    name: str
    distribution: str
    version: str
    summary: str
    value: str = ""

    @property
    def owner(self) -> str:
        """The distribution and its version."""
        return f"{self.distribution} {self.version}"

    @property
    def description(self) -> str:
        """The first line of its docstring, read without importing it, or else the summary."""
        module, _, name = self.value.partition(":")
        return first_line(module, name) or self.summary


def list_decoders() -> list[DecoderInfo]:
    """Return every installed decoder by name; imports no plugin, so broken ones are there too."""
    return [_info(point) for point in _entry_points()]


def decoder_class(name: str) -> type[Decoder]:
    """Return the class that is registered as `name`, importing it.

    Raises
    ------
    NotFoundError : no such decoder
    PluginError : two distributions register the name, or the plugin cannot be imported, or is
        written for another version of the contract
    """
    return _load(_find(name))


def load_decoder(name: str, alphabet: Alphabet, **options: Any) -> Decoder:
    """Make an installed decoder.

    Parameters
    ----------
    name : as `list_decoders` gives it
    alphabet : of the matrices that it will decode
    options : the decoder's, by keyword

    Raises
    ------
    NotFoundError : no such decoder, or it has no such option
    InvalidValueError : an option's value breaks its rule
    PluginError : two distributions register the name, or the plugin cannot be imported, is
        written for another version of the contract, or fails to start

    Examples
    --------
    >>> decoder = load_decoder("beamsearch", Alphabet(["a", "b", ""], blank=2), beam_width=10)
    >>> decoder.beam_width
    10
    """
    point = _find(name)
    decoder_type = _load(point)
    # So that errors say the installed name.
    checked_options(name, decoder_type.options, options, decoder_type.at_least_one)
    label = f"'{name}' of {_info(point).owner}"
    try:
        decoder = decoder_type(alphabet, **options)
    except (CtckitError, CtckitWarning, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise PluginError(
            f"decoder {label} must start, got {described(error)}; check its options, or tell its "
            "author"
        ) from error
    if not hasattr(decoder, "given_options"):
        raise PluginError(
            f"decoder {label} must be set up by ctckit.Decoder, got an __init__ of its own that "
            "leaves that out; tell its author to write prepare instead"
        )
    decoder.label = label
    return decoder


def _entry_points() -> list[EntryPoint]:
    try:
        points = list(entry_points(group=GROUP))
    except Exception:  # some distribution's list is malformed: leave that one out
        found: dict[str, Distribution] = {}
        for one in distributions():  # the first of a name is the one that is imported
            found.setdefault(re.sub(r"[-_.]+", "-", str(one.name)).lower(), one)
        points = [point for one in found.values() for point in _entry_points_of(one)]
    names = Counter(point.name for point in points)
    # Reading a distribution's metadata takes half a millisecond, so only twins are compared by it.
    return sorted(
        points,
        key=lambda point: (point.name, _info(point).owner if names[point.name] > 1 else ""),
    )


def _entry_points_of(distribution: Distribution) -> list[EntryPoint]:
    try:
        return list(distribution.entry_points.select(group=GROUP))
    except Exception:
        return []


def _info(point: EntryPoint) -> DecoderInfo:
    if point.dist is None:
        return DecoderInfo(point.name, "unknown", "", "", point.value)
    metadata = point.dist.metadata  # read anew each time
    known = {field: metadata[field] or "" for field in _FIELDS if field in metadata}
    name, version, summary = (known.get(field, "") for field in _FIELDS)
    return DecoderInfo(point.name, name or "unknown", version, summary, point.value)


def _find(name: str) -> EntryPoint:
    points = _entry_points()
    found = [point for point in points if point.name == name]
    if not found:
        names = sorted({point.name for point in points})
        raise NotFoundError(
            f"decoder must be installed, got {name!r};{did_you_mean(str(name), names)} "
            f"installed: {', '.join(names)}"
        )
    if len(found) > 1:
        owners = " and ".join(_info(point).owner for point in found)
        raise PluginError(
            f"decoder names must be unique, got {name!r} from {owners}; uninstall one"
        )
    return found[0]


def _load(point: EntryPoint) -> type[Decoder]:
    where = f"decoder {point.name!r} of {_info(point).owner}"
    try:
        loaded = point.load()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit too, and what Rust's panics are
        advice = "reinstall or uninstall that distribution"
        if isinstance(error, InvalidValueError):  # what is declared there is wrong
            advice = "tell its author"
        raise PluginError(
            f"{where} must be importable, got {described(error)}; {advice}"
        ) from error
    if not (isinstance(loaded, type) and issubclass(loaded, Decoder)):
        raise PluginError(
            f"{where} must be a subclass of ctckit.Decoder, got {loaded!r} from "
            f"{point.value!r}; {_advice_on(loaded)}"
        )
    _check_contract(where, loaded.contract, _info(point).distribution)
    if isabstract(loaded):
        lacking = ", ".join(sorted(loaded.__abstractmethods__))
        raise PluginError(
            f"{where} must implement {lacking}, got the abstract class {point.value!r}; tell its "
            "author"
        )
    return loaded


def _advice_on(loaded: Any) -> str:
    return "decorate it with ctckit.decoder" if isfunction(loaded) else "tell its author"


def _check_contract(where: str, contract: Any, distribution: str) -> None:
    if isinstance(contract, bool) or not isinstance(contract, int):
        raise PluginError(
            f"{where} must say the version of the decoder contract as an integer, got "
            f"contract {contract!r}; tell its author"
        )
    if contract not in SUPPORTED_CONTRACTS:
        newer = contract > CONTRACT_VERSION
        raise PluginError(
            f"{where} is for version {contract} of the decoder contract, this is ctckit "
            f"{version('ctckit')} with version {CONTRACT_VERSION}; upgrade "
            f"{'ctckit' if newer else distribution}"
        )
