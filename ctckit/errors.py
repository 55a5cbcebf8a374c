"""The errors that ctckit raises: each names what is wrong, the value, and what to do."""

from __future__ import annotations

import difflib
import sys
import warnings
from collections.abc import Iterable, Mapping


class CtckitError(Exception):
    """Base of every error that ctckit raises on purpose."""


class InvalidValueError(CtckitError, ValueError):
    """A value given by the caller breaks a rule that the message states."""


class AlphabetMismatchError(InvalidValueError):
    """Two things that must share an alphabet do not."""


class NotFoundError(CtckitError, LookupError):
    """A decoder, option or file that was asked for does not exist."""


class PluginError(CtckitError):
    """A decoder plugin is broken, ambiguous, or returned something impossible."""


class DumpError(CtckitError):
    """A dump on disk cannot be read or written."""


class CtckitWarning(UserWarning):
    """What ctckit warns of: it goes on, but the result may not be what was wanted."""


def warn_user(message: str) -> None:
    """Warn with a `CtckitWarning` where ctckit was called from."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and _is_ours(frame.f_globals):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, CtckitWarning, stacklevel=level)


def _is_ours(names: Mapping[str, object]) -> bool:
    return str(names.get("__name__")).partition(".")[0] == "ctckit"


class MissingExtraError(CtckitError, ImportError):
    """An optional dependency is needed and not installed."""


def did_you_mean(value: str, known: Iterable[str]) -> str:
    """Return ``" did you mean 'x'?"`` for the closest of `known`, or an empty string."""
    close = difflib.get_close_matches(value, list(known), n=1)
    return f" did you mean {close[0]!r}?" if close else ""


def described(error: BaseException) -> str:
    """Return the error's type and message, which may be empty or fail."""
    try:
        message = str(error)
    except KeyboardInterrupt:
        raise
    except BaseException:
        message = ""
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
