"""The options ``--rescore`` and ``--rescore-weight``: a function of the user's ranks texts anew."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from typing import Any

import click

from ctckit.cli.errors import Failure
from ctckit.cli.options import click_option
from ctckit.decoders.options import Option
from ctckit.errors import CtckitError, did_you_mean
from ctckit.hypotheses import DecodedBatch

WEIGHT = Option("rescore_weight", float, 1.0, "Factor for what the function returns.", minimum=0.0)
FORM = "MODULE:FUNCTION"


def rescore_options() -> list[click.Option]:
    """Return the two options."""
    function = click.Option(
        ["--rescore"],
        metavar=FORM,
        help="Rank the texts of a line by their score plus that of a function. It takes a list of "
        "texts and returns as many numbers, larger for better (say, natural-log probabilities of "
        "a language model). The module may lie in the current folder. Needs --n-best over 1: what "
        "was not found cannot be ranked.",
    )
    return [function, click_option(WEIGHT)]


def make_rescorer(
    spec: str | None, weight: float | None, n_best: int
) -> Callable[[DecodedBatch], DecodedBatch]:
    """Return what to do with each batch that was decoded; one of the two options is given.

    Imports the function. Ends with wrong usage where it is not there.
    """
    if spec is None:
        raise click.UsageError(
            f"rescore must be given with --rescore-weight, got nothing; name a function as {FORM}"
        )
    module, names = _parsed(spec)
    if n_best < 2:
        raise click.UsageError(
            f"n_best must be at least 2 with --rescore, got {n_best}; a single text a line has "
            "nothing to be ranked with"
        )
    function = _found(spec, _imported(spec, module), names)

    def apply(decoded: DecodedBatch) -> DecodedBatch:
        from ctckit.rescoring import rescore

        try:
            with redirect_stdout(sys.stderr):  # what it prints is no result
                return rescore(decoded, function, weight=1.0 if weight is None else weight)
        except CtckitError:
            raise
        except (Exception, SystemExit) as error:
            notes = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
            raise Failure(
                f"rescore must name a function that scores texts, got {spec!r}, which raised "
                f"{_described(error)}{notes}; mend it"
            ) from error

    return apply


def _parsed(spec: str) -> tuple[str, list[str]]:
    """Return the module and the names that lead from it to the function."""
    module, _, function = spec.partition(":")
    names = function.split(".")
    if not all(name.isidentifier() for name in (*module.split("."), *names)):
        raise click.UsageError(
            f"rescore must be {FORM}, got {spec!r}; write my_model:score for the function score "
            "of my_model.py"
        )
    if module.endswith(".py"):
        raise click.UsageError(
            f"rescore must be {FORM}, got {spec!r}; write {module.removesuffix('.py')}:{function}"
        )
    return module, names


def _imported(spec: str, module: str) -> Any:
    """Import a module, which may be in the current folder, as for ``python -m``."""
    here = os.getcwd()  # noqa: PTH109 - what Python puts there
    if not sys.flags.safe_path and here not in sys.path:
        sys.path.insert(0, here)
    importlib.invalidate_caches()
    try:
        with redirect_stdout(sys.stderr):
            return importlib.import_module(module)
    except (Exception, SystemExit) as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing is not None and f"{module}.".startswith(f"{missing}."):
            raise click.UsageError(
                f"rescore must name a module that is there, got {spec!r} ({error}); it is looked "
                "for in the current folder and among what is installed"
            ) from error
        raise click.UsageError(
            f"rescore must name a module that can be imported, got {spec!r} "
            f"({_described(error)}); mend {module}"
        ) from error


def _found(spec: str, module: Any, names: list[str]) -> Callable[..., Any]:
    """Return the function of a module."""
    found = module
    for name in names:
        if not hasattr(found, name):
            known = [one for one in dir(found) if callable(getattr(found, one, None))]
            hint = did_you_mean(name, known) or " check the name"
            raise click.UsageError(
                f"rescore must name a function of {module.__name__}, got {spec!r};{hint}"
            )
        found = getattr(found, name)
    if not callable(found):
        raise click.UsageError(
            f"rescore must name a function, got {spec!r}, which is of type "
            f"{type(found).__name__}; it takes a list of texts"
        )
    function: Callable[..., Any] = found
    return function


def _described(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
