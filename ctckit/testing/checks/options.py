"""What a decoder's options and its pickle must keep."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import Any

from ctckit.decoders.base import Decoder
from ctckit.decoders.options import REQUIRED, Option
from ctckit.errors import CtckitError, InvalidValueError
from ctckit.testing.checks.registered import check
from ctckit.testing.examples import RAGGED, example_alphabet, example_batch
from ctckit.testing.subject import (
    CheckFailed,
    NotApplicable,
    Subject,
    decode,
    different_columns,
    most_texts,
)


def option_values(declared: Option) -> Iterator[Any]:
    """Yield values that an option allows by its declaration: default, bounds, choices, others."""
    candidates: list[Any] = [declared.minimum, declared.maximum, *(declared.choices or ())]
    if declared.default is not REQUIRED:
        candidates.append(declared.default)
    if declared.optional:
        candidates.append(None)
    if declared.type is bool:
        candidates += [True, False]
    elif declared.type in (int, float):
        low, high = declared.minimum, declared.maximum
        candidates += [one + 1 for one in (low, declared.default) if isinstance(one, (int, float))]
        if declared.type is float:
            candidates += [0.1, -2.5e-7]
            candidates += [(low + high) / 3] if low is not None and high is not None else []
    elif declared.type is str:
        candidates += ["a", " "]
    tried: list[tuple[type, Any]] = []
    for one in candidates:
        if one is None and not declared.optional:
            continue
        try:
            value = declared.check(int(one) if declared.type is int and one is not None else one)
        except InvalidValueError:
            continue
        if (type(value), value) not in tried:
            tried.append((type(value), value))
            yield value


def spelling(declared: Option, value: Any) -> str | None:
    """Return how a command line says a value; None where leaving the option out does."""
    if value is None:
        return "none" if declared.says_none else None
    if declared.data and not hasattr(value, "__fspath__"):
        return None  # what a file holds has no spelling
    if isinstance(value, str) and declared.says_none and value.lower() == "none":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


@check("options-round-trip")
def options_round_trip(subject: Subject) -> None:
    """Every value that an option allows comes back: as attribute, pickled, from a command line."""
    plain = subject.decoder()
    if not plain.options:
        raise NotApplicable("it has no options")
    for name, declared in plain.options.items():
        values = list(option_values(declared))
        if name in plain.given_options and plain.given_options[name] not in values:
            values.append(plain.given_options[name])
        for value in values:
            _demand_spelled(declared, value)
            try:
                decoder = subject.with_options(plain.alphabet, {name: value})
            except CtckitError:
                continue  # it does not go with the others
            _demand_kept(decoder, name, value)


def _demand_spelled(declared: Option, value: Any) -> None:
    spelled = spelling(declared, value)
    if spelled is None:
        return
    read = declared.parse(spelled)
    if read != value or type(read) is not type(value):
        raise CheckFailed(
            f"option {declared.name} must be read from a command line as it was meant",
            expected=value,
            spelled=spelled,
            got=read,
        )


def _demand_kept(decoder: Decoder, name: str, value: Any) -> None:
    found = {"attribute": getattr(decoder, name), "given_options": decoder.given_options.get(name)}
    try:
        again = pickle.loads(pickle.dumps(decoder))
    except Exception:
        again = decoder  # another check tells
    found["attribute of the pickled decoder"] = getattr(again, name)
    found["given_options of the pickled decoder"] = again.given_options.get(name)
    for where, got in found.items():
        if got != value or type(got) is not type(value):
            raise CheckFailed(
                f"option {name} must keep its value, got another as {where}",
                expected=value,
                got=got,
            )


@check("pickling")
def pickling(subject: Subject) -> None:
    """A decoder and its results can be pickled, and are then the same."""
    subject.importable_class()
    batch = example_batch(example_alphabet(), RAGGED)
    decoder = subject.decoder()
    n_best = most_texts(decoder, 2)
    found = decode(decoder, batch, n_best=n_best)
    try:
        again = pickle.loads(pickle.dumps(decoder))
    except Exception as error:
        raise CheckFailed(
            f"it must be possible to pickle it, got {type(error).__name__}: {error}"
        ) from error
    anew = decode(again, pickle.loads(pickle.dumps(batch)), n_best=n_best)
    results = {"decoder": anew, "result": pickle.loads(pickle.dumps(found))}
    for what, result in results.items():
        if different := different_columns(result, found):
            raise CheckFailed(f"the pickled {what} must be the same, got other {different}", batch)


CHECKS = (pickling, options_round_trip)
