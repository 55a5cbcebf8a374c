"""How a command ends when something is wrong: one line on stderr and an exit code.

0 all done, 1 failed or finished with skips, 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import io
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import click

from ctckit.cli.main import INTERRUPTED
from ctckit.cli.usage import usage_message
from ctckit.errors import CtckitError, CtckitWarning, PluginError

FAILED = 1
WRONG_USAGE = 2

_HELP_SHOWN = getattr(click.exceptions, "NoArgsIsHelpError", click.exceptions.Exit)
"""What ends a group that is called without a command; older versions of click just exit."""


class Failure(click.ClickException):
    """Ends the command with one line on stderr and an exit code."""

    def __init__(self, message: str, exit_code: int = FAILED) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the line."""
        say(f"error: {self.message}")


class Interrupted(Failure):
    """Ends the command after ctrl-C."""

    def __init__(self) -> None:
        super().__init__("interrupted", INTERRUPTED)

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the line."""
        say(self.message)


def say(message: str) -> None:
    """Print ``ctckit: message`` on stderr, on one line, without control characters."""
    line = " ".join(message.splitlines())
    click.echo(
        "ctckit: " + "".join(c if c.isprintable() else repr(c)[1:-1] for c in line), err=True
    )


@contextmanager
def say_warnings() -> Iterator[None]:
    """Turn ctckit's warnings into lines on stderr."""
    caught: list[warnings.WarningMessage] = []
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", CtckitWarning)
            yield
    finally:  # what was warned of may be why there is an error
        _say_caught(caught)


def _say_caught(caught: list[warnings.WarningMessage]) -> None:
    for warning in caught:
        if issubclass(warning.category, CtckitWarning):
            say(f"warning: {warning.message}")
        else:
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )


@contextmanager
def wrong_usage(context: click.Context | None = None) -> Iterator[None]:
    """Turn ctckit's errors into exit code 2: what the user typed is wrong. A plugin's are not."""
    try:
        yield
    except PluginError:
        raise
    except CtckitError as error:
        raise click.UsageError(str(error), context) from error


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn every expected error into one line; what is left is a fault in ctckit."""
    try:
        yield
        sys.stdout.flush()
    except (click.exceptions.Exit, Failure, _HELP_SHOWN):
        raise
    except click.UsageError as error:
        raise Failure(usage_message(error), WRONG_USAGE) from error
    except click.ClickException as error:
        raise Failure(error.format_message()) from error
    except CtckitError as error:
        raise Failure(str(error)) from error
    except (KeyboardInterrupt, click.Abort) as error:
        _abandon_stdout()
        raise Interrupted from error
    except BrokenPipeError as error:
        _abandon_stdout()
        raise click.exceptions.Exit(FAILED) from error
    except OSError as error:
        _abandon_stdout()
        raise Failure(os_error_message(error)) from error


def os_error_message(error: OSError) -> str:
    """Say which file could not be used and why."""
    reason = error.strerror or str(error)
    if error.filename is None:
        return f"output must be writable, got standard output ({reason}); free some space"
    return f"file must be usable, got '{error.filename}' ({reason}); check the path"


def _abandon_stdout() -> None:
    """Send what is still buffered nowhere, so that Python's exit does not stumble over it."""
    try:
        descriptor = sys.stdout.fileno()
    except (io.UnsupportedOperation, ValueError, AttributeError):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
