"""The command `decode`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ctckit.cli.decoding import (
    DecoderCommand,
    decoder_name,
    decoder_option,
    given_options,
    make_decoder,
)
from ctckit.cli.errors import FAILED, say
from ctckit.cli.options import (
    N_BEST,
    PATH,
    THREADS,
    OutputPath,
    check_output_ending,
    click_option,
)
from ctckit.cli.output import FORMATS, Rows, goes_to_terminal, is_device, open_rows
from ctckit.cli.plugins import plugin_code
from ctckit.cli.progress import progress
from ctckit.cli.rescoring import make_rescorer, rescore_options
from ctckit.hypotheses import DecodedBatch
from ctckit.rescoring import RESCORING, SEARCH


@click.command(cls=DecoderCommand, short_help="Turn the matrices of a dump into text.")
@click.argument("dump", type=PATH, default=Path("dump"))
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
    output: Path | None,
    n_best: int | None,
    rescore: str | None,
    rescore_weight: float | None,
    threads: int | None,
    **options: Any,
) -> None:
    r"""Turn the matrices of DUMP (default: ./dump) into text.

    Writes the id, the text, its log-probability (over all alignments, natural logarithm) and
    the score that the decoder ranked by; with --n-best over 1 also the rank, after the id.

    On the screen these are separated by tabs, numbers have six digits, and tab, newline,
    carriage return and backslash within a text are written \t, \n, \r and \\. In files texts are
    as they are and numbers in full: .txt holds the texts alone, one a line (a line break within
    one becomes a space); .csv has a header; .jsonl writes null for an infinite number. Where the
    decoder tells what a score is the sum of, .csv, .jsonl and .parquet have that too. A file is
    replaced only when all is written.
    """
    n_best = n_best or 1
    if output is not None:
        _check_output(output, n_best)
    given = given_options(context, options, n_best)
    rescored = None
    if rescore is not None or rescore_weight is not None:
        rescored = make_rescorer(rescore, rescore_weight, n_best)
    damaged = _decode_dump(context, dump, output, given, n_best, threads, rescored)
    for message in damaged:
        say(f"warning: {message}")
    if damaged:
        context.exit(FAILED)


decode.params[1:1] = [decoder_option()]
decode.params += [click_option(N_BEST), *rescore_options(), click_option(THREADS)]


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
    rescored: Callable[[DecodedBatch], DecodedBatch] | None,
) -> list[str]:
    """Decode and write all that can be read; return a message a damaged shard."""
    from ctckit.dumps import open_dump

    dump = open_dump(path)
    decoder = make_decoder(context, dump.alphabet, options, n_best)
    parts = decoder.score_parts
    if rescored is not None:
        parts = (*(parts or (SEARCH,)), RESCORING)
    with (
        open_rows(output, n_best > 1, parts) as writer,
        progress(decoder_name(context), len(dump), quiet=goes_to_terminal(output)) as advance,
    ):
        for part in dump.batches():
            with plugin_code(decoder_name(context), decoder):
                decoded = decoder.decode_batch(part.batch, n_best=n_best, threads=threads)
            writer.write(Rows.of(decoded if rescored is None else rescored(decoded)))
            advance(len(decoded))
    return dump.damaged
