"""The conformance suite on installed decoders."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import click

from ctckit.bench.specs import DecoderSpec
from ctckit.cli.check import OptionsLackingError, ready_spec
from ctckit.cli.decode import decode
from ctckit.cli.options import decoder_options, flag_name
from ctckit.errors import CtckitError
from ctckit.registry import decoder_class
from ctckit.testing.checks import CheckResult
from ctckit.testing.checks.options import option_values, options_round_trip, spelling
from ctckit.testing.isolated import LOAD, check_installed


def check_thoroughly(text: str) -> Iterator[CheckResult]:
    """Run all checks on a decoder; one that cannot be made has one result only, for `LOAD`.

    text : its name, perhaps with options as `parse_spec` reads them
    """
    try:
        with ready_spec(text) as spec:
            for found in check_installed(spec.name, spec.options):
                if found.check == options_round_trip.name and found.result == "ok":
                    fault = command_line_fault(spec)
                    found = replace(found, result="failed", reason=fault) if fault else found
                yield found
    except OptionsLackingError as error:
        yield CheckResult(LOAD, "skipped", str(error))
    except CtckitError as error:
        yield CheckResult(LOAD, "failed", str(error))


def command_line_fault(spec: DecoderSpec) -> str | None:
    """Return which option `ctckit decode` would not read as it is meant, or None."""
    declared = decoder_class(spec.name).options
    try:
        params = decoder_options(spec.name, declared.values(), decode.params)
    except CtckitError as error:
        return str(error)
    for name, option in declared.items():
        flag = flag_name(name)
        for value in option_values(option):
            said = spelling(option, value)
            if said is None:
                continue
            word = f"{flag}={said}"
            if isinstance(value, bool):
                word = flag if value else f"--no-{flag[2:]}"
            command = click.Command("decode", params=list(params))
            try:
                read = command.make_context("decode", [word]).params[name]
            except click.ClickException as error:
                return f"option {name} must be read from {word!r}, got {error.message}"
            if read != value:
                return f"option {name} must be {value!r} for {word!r}, got {read!r}"
    return None
