"""The command `decode`."""

from __future__ import annotations

import difflib
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from ctckit.bench.specs import CORPUS, DecoderSpec
from ctckit.cli.errors import FAILED, say, wrong_usage
from ctckit.cli.options import (
    N_BEST,
    THREADS,
    OutputPath,
    check_output_ending,
    click_option,
    decoder_options,
    flags_of_decoders,
    installed_names,
    peek,
)
from ctckit.cli.output import FORMATS, Rows, goes_to_terminal, is_device, open_rows
from ctckit.cli.progress import progress
from ctckit.cli.usage import flags_of
from ctckit.decoders.base import Decoder
from ctckit.decoders.options import checked_options
from ctckit.errors import CtckitError, InvalidValueError, NotFoundError
from ctckit.registry import decoder_class

DEFAULT = "beamsearch"

_NAME = "ctckit.decoder_name"
_PARAMS = "ctckit.decoder_params"


class DecodeCommand(click.Command):
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
            formatter.write_text("The options of one: ctckit decode --decoder NAME --help")


def _having(names: list[str]) -> str:
    return " or ".join(f"--decoder {name}" for name in names)


@click.command(cls=DecodeCommand, short_help="Turn the matrices of a dump into text.")
@click.argument("dump", type=click.Path(path_type=Path), default=Path("dump"))
@click.option("--decoder", metavar="NAME", help=f"Which decoder.  [default: {DEFAULT}]")
@click.option(
    "--output",
    metavar="FILE",
    type=OutputPath(),
    help=f"Write to a file instead of the screen: {', '.join(FORMATS)}.",
)
@click.pass_context
def decode(
    context: click.Context,
    /,
    dump: Path,
    decoder: str | None,
    output: Path | None,
    n_best: int | None,
    threads: int | None,
    **options: Any,
) -> None:
    r"""Turn the matrices of DUMP (default: ./dump) into text.

    Writes the id, the text, its log-probability (over all alignments, natural logarithm) and
    the score that the decoder ranked by; with --n-best over 1 also the rank, after the id.

    On the screen these are separated by tabs, numbers have six digits, and tab, newline,
    carriage return and backslash within a text are written \t, \n, \r and \\. In files texts are
    as they are and numbers in full: .txt holds the texts alone, one a line (a line break within
    one becomes a space); .csv has a header; .jsonl writes null for an infinite number. A file
    is replaced only when all is written.
    """
    n_best = n_best or 1
    if output is not None:
        _check_output(output, n_best)
    given = {name: value for name, value in options.items() if value is not None}
    with wrong_usage(context):
        chosen = decoder_class(context.meta[_NAME])
        values = checked_options(context.meta[_NAME], chosen.options, given)
        _check_n_best(chosen, values, n_best)
    _check_corpus(given.get(CORPUS))
    damaged = _decode_dump(context, dump, output, given, n_best, threads)
    for message in damaged:
        say(f"warning: {message}")
    if damaged:
        context.exit(FAILED)


decode.params += [click_option(N_BEST), click_option(THREADS)]


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


def _check_output(output: Path, n_best: int) -> None:
    if not is_device(output):
        check_output_ending(output, FORMATS)
    if n_best > 1 and output.suffix.lower() == ".txt":
        raise click.UsageError(
            f"output must end in .csv, .jsonl or .parquet with --n-best {n_best}, got '{output}'; "
            "a file of texts holds one a line"
        )


def _decode_dump(
    context: click.Context,
    path: Path,
    output: Path | None,
    options: dict[str, Any],
    n_best: int,
    threads: int | None,
) -> list[str]:
    """Decode and write all that can be read; return a message a damaged shard."""
    from ctckit.dumps import open_dump

    name = context.meta[_NAME]
    dump = open_dump(path)
    decoder: Decoder = DecoderSpec(name, name, options).load(dump.alphabet)
    with wrong_usage(context):
        decoder.check_n_best(n_best)
    with (
        open_rows(output, n_best > 1) as writer,
        progress(name, len(dump), quiet=goes_to_terminal(output)) as advance,
    ):
        for part in dump.batches():
            decoded = decoder.decode_batch(part.batch, n_best=n_best, threads=threads)
            writer.write(Rows.of(decoded))
            advance(len(decoded))
    return dump.damaged
