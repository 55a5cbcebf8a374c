"""Wrong usage in ctckit's words: ``<name> must be <rule>, got <value>; <what to do>``."""

from __future__ import annotations

import re
from typing import Any

import click

from ctckit.errors import did_you_mean

_SURPLUS = re.compile(r"Got unexpected extra arguments? \((.*)\)", re.DOTALL)
_NO_COMMAND = re.compile(r"No such command '(.*?)'\.", re.DOTALL)
_VALUE = re.compile(r"(.+) is not (?:one of|in the range|a valid) ", re.DOTALL)
"""How click words what it has no exception, or no attribute, for."""


def usage_message(error: click.UsageError) -> str:
    """Say what is wrong with the arguments; click's own words stay where no rule is known."""
    message = error.format_message().rstrip(".")
    if isinstance(error, click.BadOptionUsage):  # click gives it no context
        name = _name_of_flag(error.option_name)
        if "does not take a value" in message:
            return f"{name} must have no value, got one; write {error.option_name} alone"
        return f"{name} must have a value, got nothing; write {error.option_name} VALUE"
    if error.ctx is None:
        return message if "; " in message else f"{message}; see 'ctckit --help'"
    command = error.ctx.command_path
    advice = f"see '{command} --help'"
    if isinstance(error, click.NoSuchOption):
        hint = did_you_mean(error.option_name, flags_of(error.ctx))
        return f"option must be one of {command}'s, got '{error.option_name}';{hint} {advice}"
    if isinstance(error, click.MissingParameter) and error.param is not None:
        return f"{_name_of(error.param)} must be given, got nothing; {advice}"
    if isinstance(error, click.BadParameter) and error.param is not None:
        return _about_value(error, error.param, advice) or f"{message}; {advice}"
    if surplus := _SURPLUS.fullmatch(error.message):
        arguments = [one for one in error.ctx.command.params if isinstance(one, click.Argument)]
        known = " and ".join(_name_of(one) for one in arguments) or "none"
        return f"arguments must be {known}, got {surplus[1]!r} besides; {advice}"
    unknown = _NO_COMMAND.match(error.message)
    if unknown and isinstance(error.ctx.command, click.Group):
        known_commands = error.ctx.command.list_commands(error.ctx)
        return (
            f"command of {command} must be one of {', '.join(known_commands)}, got {unknown[1]!r};"
            f"{did_you_mean(unknown[1], known_commands)} {advice}"
        )
    return message if "; " in message else f"{message}; {advice}"


def flags_of(context: click.Context) -> list[str]:
    """Return the flags of a command."""
    params = context.command.get_params(context)
    return [flag for param in params for flag in (*param.opts, *param.secondary_opts)]


def _name_of(param: click.Parameter) -> str:
    """Return an argument as the help writes it, an option by its flag's name."""
    if isinstance(param, click.Argument):
        return param.metavar or (param.name or "").upper()
    return _name_of_flag(max(param.opts, key=len))


def _name_of_flag(flag: str) -> str:
    return flag.lstrip("-").replace("-", "_")


def _about_value(error: click.BadParameter, param: click.Parameter, advice: str) -> str | None:
    """Say which values a parameter takes, where its type tells."""
    value = _VALUE.match(error.message)
    if value is None:
        return None
    start = f"{_name_of(param)} must be"
    if isinstance(param.type, click.Choice):
        choices = [str(one) for one in param.type.choices]
        given = value[1].strip("'\"")
        return f"{start} one of {', '.join(choices)}, got {value[1]};" + (
            did_you_mean(given, choices) or f" {advice}"
        )
    rules = {"integer": "an integer", "float": "a number"}
    name = param.type.name.removesuffix(" range")
    rule = rules.get(name, f"a valid {name}")
    return f"{start} {rule}{_range_of(param.type)}, got {value[1]}; {advice}"


def _range_of(kind: Any) -> str:
    """Return the range of a type as words to go on with; empty where it has none."""
    low, high = getattr(kind, "min", None), getattr(kind, "max", None)
    above, below = getattr(kind, "min_open", False), getattr(kind, "max_open", False)
    if low is None and high is None:
        return ""
    if high is None:
        return f" above {low}" if above else f" of at least {low}"
    if low is None:
        return f" below {high}" if below else f" of at most {high}"
    start = f" above {low} and" if above else f" from {low} to"
    end = "below " if below else "at most " if above else ""
    return f"{start} {end}{high}"
