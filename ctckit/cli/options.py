"""A decoder's declared options as options of the command line."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from ctckit.cli.plugins import plugin_code
from ctckit.decoders.options import REQUIRED, Option
from ctckit.errors import CtckitError, PluginError, did_you_mean
from ctckit.registry import decoder_class, list_decoders

N_BEST = Option("n_best", int, 1, "Texts wanted for each line, best first.", minimum=1)
THREADS = Option(
    "threads",
    int,
    None,
    "Worker threads, by default all cores; the results do not depend on it.",
    minimum=1,
)

_METAVARS = {int: "INTEGER", float: "NUMBER", str: "TEXT", Path: "PATH"}


class DeclaredType(click.ParamType):  # type: ignore[type-arg]
    """Converts and checks a value as its declaration says."""

    def __init__(self, declared: Option) -> None:
        self.declared = declared
        self.name = _METAVARS.get(declared.type, "text").lower()

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the value, or end with wrong usage."""
        if not isinstance(value, str):
            return value
        try:
            return self.declared.parse(value)
        except CtckitError as error:
            raise click.UsageError(str(error), ctx) from error


class GivenPath(click.ParamType):  # type: ignore[type-arg]
    """A path that is not empty: a Path would take that for the current folder."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path, or end with wrong usage."""
        text = os.fspath(value)
        if not text:
            flag = max(param.opts, key=len) if param is not None else "path"
            raise click.UsageError(
                f"{flag.lstrip('-')} must be a path, got ''; write . for the current folder", ctx
            )
        return Path(text)


PATH = GivenPath()


class OutputPath(click.ParamType):  # type: ignore[type-arg]
    """The path of a file to be written, which no slash may follow."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path, or end with wrong usage."""
        text = os.fspath(value)
        if os.path.basename(text) in ("", ".", ".."):  # noqa: PTH119 - a Path drops the slash
            raise click.UsageError(
                f"output must be a file, got {text!r}, which names a folder; give a file's name",
                ctx,
            )
        return Path(text)


def flag_name(name: str) -> str:
    """Return an option's flag: dashes for underscores.

    >>> flag_name("beam_width")
    '--beam-width'
    """
    return "--" + name.replace("_", "-")


def click_option(declared: Option) -> click.Option:
    """Make the option of the command line; not given, its value is None."""
    flag = flag_name(declared.name)
    if declared.type is bool:
        flags = f"{flag}/--no-{flag[2:]}"
        return click.Option([flags, declared.name], default=None, help=_help_of(declared))
    metavar = "|".join(declared.choices) if declared.choices else _METAVARS[declared.type]
    return click.Option(
        [flag, declared.name],
        type=DeclaredType(declared),
        default=None,
        metavar=metavar,
        help=_help_of(declared),
    )


def _help_of(declared: Option) -> str:
    notes = []
    if declared.default is REQUIRED:
        notes.append("required")
    elif isinstance(declared.default, bool):
        notes.append("default: yes" if declared.default else "default: no")
    elif declared.default is not None:
        notes.append(f"default: {_shown(declared.default)}")
    if declared.says_none and declared.type is not bool:
        notes.append("or none")
    if declared.minimum is not None and declared.maximum is not None:
        notes.append(f"{declared.minimum:g} to {declared.maximum:g}")
    elif declared.minimum is not None:
        notes.append(f"at least {declared.minimum:g}")
    elif declared.maximum is not None:
        notes.append(f"at most {declared.maximum:g}")
    text = declared.help[:1].upper() + declared.help[1:].rstrip(".") + "."
    return f"{text}  [{'; '.join(notes)}]" if notes else text


def _shown(default: Any) -> str:
    text = str(default)
    return text if text.split() == [text] else repr(text)


def decoder_options(
    name: str, declared: Iterable[Option], reserved: Sequence[click.Parameter]
) -> list[click.Option]:
    """Make the options of a decoder, none of which may be one that the command has itself.

    Raises
    ------
    PluginError : an option has a name that is taken
    """
    taken = {flag for param in reserved for flag in (*param.opts, *param.secondary_opts)}
    taken |= {"-h", "--help"}
    made = []
    for option in declared:
        new = click_option(option)
        clash = taken.intersection([*new.opts, *new.secondary_opts])
        if clash or option.name in {param.name for param in reserved}:
            raise PluginError(
                f"options of decoder {name!r} must differ from the command's own, got "
                f"{flag_name(option.name)!r}; use it from Python, and tell its author"
            )
        made.append(new)
    return made


def peek(args: Sequence[str], flag: str) -> str | None:
    """Return the last value that `flag` has among unparsed arguments, or None.

    >>> peek(["dump", "--decoder=a", "--decoder", "b"], "--decoder")
    'b'
    """
    found = None
    for i, argument in enumerate(args):
        if argument == "--":
            break
        if argument == flag and i + 1 < len(args):
            found = args[i + 1]
        elif argument.startswith(flag + "="):
            found = argument[len(flag) + 1 :]
    return found


def installed_names() -> list[str]:
    """Return the names of the installed decoders, without importing any."""
    return sorted({info.name for info in list_decoders()})


def flags_of_decoders() -> dict[str, list[str]]:
    """Return the decoders that declare an option, by its flag; broken ones are left out."""
    found: dict[str, list[str]] = {}
    for name in installed_names():
        with suppress(CtckitError), plugin_code(name):
            for option in decoder_options(name, decoder_class(name).options.values(), ()):
                for flag in (*option.opts, *option.secondary_opts):
                    found.setdefault(flag, []).append(name)
    return found


def check_output_ending(path: Path, endings: Iterable[str]) -> None:
    """End with wrong usage unless `path` has one of `endings`."""
    known = list(endings)
    ending = path.suffix.lower()
    if ending in known:
        return
    hint = did_you_mean(ending, known) if ending else ""
    raise click.UsageError(
        f"output must end in {', '.join(known)}, got '{path}';{hint} the ending says the format"
    )
