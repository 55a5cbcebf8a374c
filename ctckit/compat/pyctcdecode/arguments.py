"""The arguments of `BeamSearchDecoderCTC`, checked."""

from __future__ import annotations

import math
import operator
from typing import Any

from ctckit.compat.pyctcdecode.constants import (
    DEFAULT_BEAM_WIDTH,
    DEFAULT_HOTWORD_WEIGHT,
    DEFAULT_MIN_TOKEN_LOGP,
    DEFAULT_PRUNE_LOGP,
)
from ctckit.compat.pyctcdecode.kenlm import State
from ctckit.compat.pyctcdecode.language_model import AbstractLanguageModel, LanguageModel
from ctckit.compat.renaming import as_number, finite
from ctckit.errors import InvalidValueError, warn_user


def warn_of_what_does_nothing(prune_history: Any) -> None:
    """Warn of an argument that asks for more to be cut than by default, where nothing is."""
    if prune_history:
        warn_user(
            "prune_history does nothing here: no text is dropped for another with the same end"
        )


def checked_least(token_min_logp: Any) -> float:
    """Return a log-probability; -inf is one."""
    number = as_number(token_min_logp)
    if math.isnan(number):
        raise InvalidValueError(
            f"token_min_logp must be a number, got {token_min_logp!r}; the default is "
            f"{DEFAULT_MIN_TOKEN_LOGP:g}"
        )
    return number


def checked_start(state: Any, model: LanguageModel | None) -> State | None:
    """Return a state to begin with, which needs a model."""
    if state is not None and not isinstance(state, State):
        raise InvalidValueError(
            f"lm_start_state must be a state that this decoder returned, got "
            f"{type(state).__name__}; take it from decode_beams(...)[0][1]"
        )
    if state is not None and model is None:
        raise InvalidValueError(
            f"lm_start_state must be None without a language model, got {state!r}; leave it out"
        )
    return state


def checked_model(model: AbstractLanguageModel | None) -> LanguageModel | None:
    """Return a model that the search can use."""
    if model is None or isinstance(model, LanguageModel):
        return model
    raise InvalidValueError(
        f"language_model must be a LanguageModel of ctckit.compat.pyctcdecode or None, got "
        f"{type(model).__module__}.{type(model).__name__}; the search cannot call it: give an ARPA "
        "file, or rank the best texts anew with ctckit.rescore"
    )


def checked_width(beam_width: Any) -> int:
    """Return a width; its range is the decoder's to check."""
    try:
        return operator.index(beam_width)
    except TypeError:
        raise InvalidValueError(
            f"beam_width must be an integer, got {beam_width!r}; the default is "
            f"{DEFAULT_BEAM_WIDTH}"
        ) from None


def checked_prune(beam_prune_logp: Any) -> float:
    """Return how far below the best one a beam may be."""
    number = as_number(beam_prune_logp)
    if not number <= 0.0:
        raise InvalidValueError(
            f"beam_prune_logp must be a number of at most 0, got {beam_prune_logp!r}; the default "
            f"is {DEFAULT_PRUNE_LOGP:g}"
        )
    return -number


def checked_weight(hotword_weight: Any) -> float:
    """Return what a hot word adds."""
    return finite("hotword_weight", hotword_weight, f"the default is {DEFAULT_HOTWORD_WEIGHT:g}")
