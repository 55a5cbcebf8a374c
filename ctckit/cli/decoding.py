"""What commands share that take ``--decoder NAME`` and the options of that decoder."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from ctckit.alphabet import Alphabet
from ctckit.bench.specs import CORPUS, DecoderSpec
from ctckit.cli.errors import say_warnings, wrong_usage
from ctckit.cli.options import decoder_options, flags_of_decoders, installed_names, peek
from ctckit.cli.plugins import plugin_code
from ctckit.cli.usage import flags_of
from ctckit.decoders.base import Decoder
from ctckit.decoders.options import checked_options
from ctckit.errors import CtckitError, InvalidValueError, NotFoundError
from ctckit.registry import decoder_class

DEFAULT = "beamsearch"

_NAME = "ctckit.decoder_name"
_PARAMS = "ctckit.decoder_params"


class DecoderCommand(click.Command):
    """A command that has the options of the decoder which its arguments name."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Find out which decoder is meant, then parse the arguments with its options too."""
        named = peek(args, "--decoder")
        ctx.meta[_NAME] = named or DEFAULT
        if named is None or ctx.resilient_parsing:
            with suppress(CtckitError):  # the command's help and errors come without the default's
                ctx.meta[_PARAMS] = self._decoder_params(ctx.meta[_NAME])
        else:
            ctx.meta[_PARAMS] = self._decoder_params(named)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            raise click.UsageError(self._about_unknown(ctx, error.option_name), ctx) from error

    def _about_unknown(self, ctx: click.Context, flag: str) -> str:
        """Say which decoder has an option that the one that is meant has not."""
        own, others = flags_of(ctx), flags_of_decoders()
        close = difflib.get_close_matches(flag, [*own, *others], n=1)
        advice = f"see '{ctx.command_path} --help'"
        if flag in others:
            advice = f"it is an option of {_having(others[flag])}"
        elif close and close[0] in own:
            advice = f"did you mean {close[0]!r}? {advice}"
        elif close:
            advice = f"did you mean {close[0]!r} of {_having(others[close[0]])}?"
        return f"option must be one of {ctx.command_path}'s, got {flag!r}; {advice}"

    def _decoder_params(self, name: str) -> list[click.Option]:
        try:
            with plugin_code(name):
                declared = decoder_class(name).options
        except NotFoundError as error:
            raise click.UsageError(str(error)) from error
        return decoder_options(name, declared.values(), self.params)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the command's own options and the decoder's."""
        return [*super().get_params(ctx), *ctx.meta.get(_PARAMS, [])]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the two kinds of options apart, and name the decoders that are installed."""
        params = ctx.meta.get(_PARAMS, [])
        own = [
            param
            for param in self.get_params(ctx)
            if param not in params and not isinstance(param, click.Argument)
        ]
        default = " (the default)" if ctx.meta[_NAME] == DEFAULT else ""
        sections = {"Options": own, f"Options of the decoder {ctx.meta[_NAME]}{default}": params}
        for title, options in sections.items():
            records = [option.get_help_record(ctx) for option in options]
            if any(records):
                with formatter.section(title):
                    formatter.write_dl([record for record in records if record])
        with formatter.section("Installed decoders"):
            formatter.write_text(", ".join(installed_names()))
            formatter.write_text(f"The options of one: {ctx.command_path} --decoder NAME --help")


def _having(names: list[str]) -> str:
    several = f"{', '.join(names[:-1])} or " if names[1:] else ""
    return f"--decoder {several}{names[-1]}"


def decoder_option() -> click.Option:
    """Return the option ``--decoder``."""
    return click.Option(
        ["--decoder"],
        metavar="NAME",
        expose_value=False,  # parse_args has taken it
        help=f"Which decoder.  [default: {DEFAULT}]",
    )


def decoder_name(context: click.Context) -> str:
    """Return the name of the decoder that is meant."""
    name: str = context.meta[_NAME]
    return name


def given_options(
    context: click.Context, options: Mapping[str, Any], n_best: int = 1
) -> dict[str, Any]:
    """Return the decoder's options that are given, checked before anything slow is loaded."""
    given = {
        name: value
        for name, value in options.items()
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT
    }
    with wrong_usage(context), plugin_code(decoder_name(context)):
        chosen = decoder_class(decoder_name(context))
        values = checked_options(decoder_name(context), chosen.options, given, chosen.at_least_one)
        _check_n_best(chosen, values, n_best)
    _check_corpus(given.get(CORPUS))
    return given


def make_decoder(
    context: click.Context, alphabet: Alphabet, options: dict[str, Any], n_best: int = 1
) -> Decoder:
    """Return the decoder that is meant, ready for matrices of an alphabet."""
    name = decoder_name(context)
    with say_warnings(), plugin_code(name):
        decoder: Decoder = DecoderSpec(name, name, options).load(alphabet)
    with wrong_usage(context), plugin_code(name, decoder):
        decoder.checked_n_best(n_best)
    return decoder


def _check_n_best(chosen: type[Decoder], options: dict[str, Any], n_best: int) -> None:
    """Refuse too many texts a line before anything slow is loaded, if the options tell."""
    unprepared = object.__new__(chosen)
    vars(unprepared).update(options)
    try:
        unprepared.check_n_best(n_best)
    except InvalidValueError:
        raise
    except Exception:  # it needs what `prepare` makes, and is asked again after that
        return


def _check_corpus(corpus: Any) -> None:
    """Refuse a file that is not there before anything slow is loaded."""
    if isinstance(corpus, Path) and not corpus.exists():
        from ctckit.language import read_corpus

        read_corpus(corpus)  # whose error it is
